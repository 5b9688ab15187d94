#include "zeroipc/bench/stack_subject.hpp"

namespace zeroipc::bench {
template SubjectTable stack_subjects<8>();
}  // namespace zeroipc::bench
