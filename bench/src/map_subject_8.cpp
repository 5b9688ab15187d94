#include "zeroipc/bench/map_subject.hpp"

namespace zeroipc::bench {
template SubjectTable map_subjects<8>();
}  // namespace zeroipc::bench
