#include "process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

namespace zeroipc::bench {

pid_t start_program(std::vector<std::string> const& command, int output,
                    std::vector<std::pair<int, int>> const& descriptors) {
    std::vector<char*> arguments;
    for (auto const& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    for (auto const& [ours, its] : descriptors) ::posix_spawn_file_actions_adddup2(&actions, ours, its);
    sigset_t none;
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    pid_t pid = -1;
    int const failed = ::posix_spawnp(&pid, arguments[0], &actions, &attributes, arguments.data(), environ);
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) throw std::system_error(failed, std::generic_category(), command.front());
    return pid;
}

std::string read_all(int file) {
    std::string text;
    std::array<char, 65536> buffer;
    ::lseek(file, 0, SEEK_SET);
    for (;;) {
        auto const n = ::read(file, buffer.data(), buffer.size());
        if (n > 0) text.append(buffer.data(), static_cast<std::size_t>(n));
        if (n == 0 || (n < 0 && errno != EINTR)) return text;
    }
}

MemoryFile::MemoryFile() : descriptor_(::memfd_create("zeroipc-bench", MFD_CLOEXEC)) {
    if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "memfd_create");
}
MemoryFile::~MemoryFile() { ::close(descriptor_); }

Pipe::Pipe() {
    constexpr int above = 64;
    std::array<int, 2> pair{};
    if (::pipe2(pair.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    for (std::size_t i = 0; i < 2; ++i) {
        ends_[i] = ::fcntl(pair[i], F_DUPFD_CLOEXEC, above);
        ::close(pair[i]);
    }
}
Pipe::~Pipe() {
    close(0);
    close(1);
}
void Pipe::close(std::size_t end) noexcept {
    if (auto const was = std::exchange(ends_[end], -1); was >= 0) ::close(was);
}

}  // namespace zeroipc::bench
