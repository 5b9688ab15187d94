#pragma once

#include <iosfwd>

namespace zeroipc::bench {

/// `zeroipc-bench explain`: where a variant's bytes go, what its operations compile to, and, with --perf, what perf says
/// of a worker.
/// \param argv the arguments from the word "explain" on.
/// \return exit status: 0, 1 if the run under perf failed, 2 for wrong usage, 3 if perf is not here or not permitted.
int explain_command(int argc, char const* const* argv, std::ostream& out, std::ostream& err);

}  // namespace zeroipc::bench
