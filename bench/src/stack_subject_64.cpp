#include "zeroipc/bench/stack_subject.hpp"

namespace zeroipc::bench {
template SubjectTable stack_subjects<64>();
}  // namespace zeroipc::bench
