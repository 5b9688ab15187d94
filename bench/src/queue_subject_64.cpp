#include "zeroipc/bench/queue_subject.hpp"

namespace zeroipc::bench {
template SubjectTable queue_subjects<64>();
}  // namespace zeroipc::bench
