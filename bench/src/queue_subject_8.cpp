#include "zeroipc/bench/queue_subject.hpp"

namespace zeroipc::bench {
template SubjectTable queue_subjects<8>();
}  // namespace zeroipc::bench
