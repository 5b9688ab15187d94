#include "zeroipc/bench/map_subject.hpp"

namespace zeroipc::bench {
template SubjectTable map_subjects<64>();
}  // namespace zeroipc::bench
