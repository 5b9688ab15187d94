#include "zeroipc/bench/queue_subject.hpp"

namespace zeroipc::bench {
template SubjectTable queue_subjects<1024>();
}  // namespace zeroipc::bench
