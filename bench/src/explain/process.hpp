#pragma once
/// \file
/// Another program, begun without a shell.

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace zeroipc::bench {

/// Starts a program from the PATH, with signals as they were before we blocked some. Its standard output
/// and error go to `output`. \throws std::system_error: there is no such program, or no process.
pid_t start_program(std::vector<std::string> const& command, int output,
                    std::vector<std::pair<int, int>> const& descriptors = {});

/// What stands in a file, from its beginning.
std::string read_all(int file);

/// An unnamed file in memory, closed with the object.
class MemoryFile {
public:
    MemoryFile();
    MemoryFile(MemoryFile const&) = delete;
    MemoryFile& operator=(MemoryFile const&) = delete;
    MemoryFile(MemoryFile&&) = delete;
    MemoryFile& operator=(MemoryFile&&) = delete;
    ~MemoryFile();
    [[nodiscard]] int descriptor() const { return descriptor_; }

private:
    int descriptor_;
};

/// A pipe: end 0 to read, end 1 to write. Its numbers lie above those that are handed to programs.
class Pipe {
public:
    Pipe();
    Pipe(Pipe const&) = delete;
    Pipe& operator=(Pipe const&) = delete;
    Pipe(Pipe&&) = delete;
    Pipe& operator=(Pipe&&) = delete;
    ~Pipe();
    [[nodiscard]] int operator[](std::size_t end) const { return ends_.at(end); }
    void close(std::size_t end) noexcept;

private:
    std::array<int, 2> ends_{-1, -1};
};

}  // namespace zeroipc::bench
