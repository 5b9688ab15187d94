#pragma once
/// \file
/// perf, attached to a process.

#include <sys/types.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "process.hpp"

namespace zeroipc::bench {

/// perf is not here, or the machine does not permit it. The message says what to install or which setting to change.
class NoPerf : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

class Perf {
public:
    /// Has `perf TOOL` watch a process, which stands still until perf is ready: nothing of it is missed.
    /// \param command "perf", its tool, and what else it is told. \throws NoPerf
    Perf(std::vector<std::string> command, pid_t process);
    Perf(Perf const&) = delete;
    Perf& operator=(Perf const&) = delete;
    Perf(Perf&&) = delete;
    Perf& operator=(Perf&&) = delete;
    ~Perf();

    /// Ends it, or finds that it has ended with the process. \return what it said. \throws NoPerf if it failed
    std::string finish();

private:
    void end(int signal) noexcept;
    MemoryFile output_;
    // Commands and answers. Open as long as perf runs: perf 6.1 stops recording when somebody hangs up.
    Pipe to_, from_;
    pid_t pid_ = -1;
    int status_ = 0;
};

}  // namespace zeroipc::bench
