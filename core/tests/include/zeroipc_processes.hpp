#pragma once
/// \file
/// Processes of tests and of the programs that test: segments that are always removed, forked workers that cannot
/// outlive or hang their parent, raw access to an object's bytes, and random numbers with a printed seed.

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <initializer_list>
#include <new>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace zeroipc::testing {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr bool sanitized = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif
#else
inline constexpr bool sanitized = false;
#endif

/// Rounds of a test: fewer where a sanitizer makes each one slow.
constexpr std::uint64_t rounds(std::uint64_t plain) {
    return sanitized ? std::max<std::uint64_t>(1, plain / 8) : plain;
}

/// All of a list; the first and the last where a sanitizer makes each one slow.
template <class T>
std::vector<T> fewer(std::initializer_list<T> list) {
    if (!sanitized || list.size() <= 2) return list;
    return {*list.begin(), *(list.end() - 1)};
}

/// The seed of this run, printed once; ZEROIPC_SEED sets it.
inline std::uint64_t seed() {
    static std::uint64_t const chosen = [] {
        char const* const wish = std::getenv("ZEROIPC_SEED");
        std::uint64_t const value =
            wish != nullptr ? std::strtoull(wish, nullptr, 0) : std::random_device{}();
        std::printf("ZEROIPC_SEED=%llu\n", static_cast<unsigned long long>(value));
        std::fflush(stdout);
        return value;
    }();
    return chosen;
}

/// Random numbers of this run's seed; `stream` tells the generators of one run apart.
class random_source {
public:
    explicit random_source(std::uint64_t stream) : random_source(stream, seed()) {}
    random_source(std::uint64_t stream, std::uint64_t seed) : engine_(seed * 0x9e3779b97f4a7c15U + stream) {}
    /// Uniform in [0, n).
    std::uint64_t below(std::uint64_t n) {
        return std::uniform_int_distribution<std::uint64_t>(0, n - 1)(engine_);
    }
    std::uint64_t any() { return engine_(); }

private:
    std::mt19937_64 engine_;
};

/// A list of sizes to go through.
inline std::vector<std::uint64_t> sizes(std::initializer_list<std::uint64_t> list) { return list; }

inline void nap(std::chrono::nanoseconds time) {
    std::timespec const t{static_cast<std::time_t>(time.count() / 1000000000),
                          static_cast<long>(time.count() % 1000000000)};
    ::nanosleep(&t, nullptr);
}

/// Every object of this process's tests begins so in /dev/shm.
inline std::string const& prefix() {
    static std::string const text = [] {
        // What earlier runs left when they were killed: their process is gone.
        if (DIR* const all = ::opendir("/dev/shm")) {
            while (dirent const* const one = ::readdir(all)) {
                int owner = 0;
                if (std::sscanf(one->d_name, "zeroipc-test-%d-", &owner) == 1 && ::kill(owner, 0) != 0 &&
                    errno == ESRCH)
                    ::shm_unlink((std::string("/") + one->d_name).c_str());
            }
            ::closedir(all);
        }
        return "zeroipc-test-" + std::to_string(::getpid()) + "-";
    }();
    return text;
}

/// The objects of this process's tests in /dev/shm, without the prefix.
inline std::vector<std::string> objects() {
    std::vector<std::string> names;
    if (DIR* const all = ::opendir("/dev/shm")) {
        while (dirent const* const one = ::readdir(all))
            if (std::string_view(one->d_name).substr(0, prefix().size()) == prefix())
                names.emplace_back(one->d_name + prefix().size());
        ::closedir(all);
    }
    std::sort(names.begin(), names.end());
    return names;
}

/// A name that nobody else uses, free at first and removed at last.
class segment_name {
public:
    segment_name() : owner_(::getpid()) {
        static std::atomic<unsigned> next{0};
        name_ = "/" + prefix() + std::to_string(next.fetch_add(1));
        ::shm_unlink(name_.c_str());
    }
    segment_name(segment_name const&) = delete;
    segment_name& operator=(segment_name const&) = delete;
    segment_name(segment_name&&) = delete;
    segment_name& operator=(segment_name&&) = delete;
    ~segment_name() {
        if (owner_ == ::getpid()) ::shm_unlink(name_.c_str());
    }
    operator std::string const&() const noexcept { return name_; }
    operator std::string_view() const noexcept { return name_; }
    [[nodiscard]] std::string const& str() const noexcept { return name_; }
    [[nodiscard]] char const* c_str() const noexcept { return name_.c_str(); }

private:
    pid_t owner_;
    std::string name_;
};

/// Ends the test program, with a word, if the scope takes longer: the only clock that a verdict depends on. A
/// child has its own (see child).
class watchdog {
public:
    explicit watchdog(unsigned seconds) {
        std::signal(SIGALRM, [](int) {
            static constexpr std::string_view text = "\nwatchdog: no progress, the test hangs\n";
            if (::write(STDERR_FILENO, text.data(), text.size()) < 0) std::_Exit(71);
            std::_Exit(70);
        });
        ::alarm(sanitized ? seconds * 4 : seconds);
    }
    ~watchdog() { ::alarm(0); }
    watchdog(watchdog const&) = delete;
    watchdog& operator=(watchdog const&) = delete;
    watchdog(watchdog&&) = delete;
    watchdog& operator=(watchdog&&) = delete;
};

/// A forked process that runs `body` and leaves with its result as exit status. It dies with its parent, and
/// by SIGALRM when it takes longer than its watchdog allows (0: it has none); an exception that leaves the body is exit status
/// 120.
class child {
public:
    template <class Body>
    explicit child(Body&& body, unsigned watchdog_seconds = 100) : pid_(::fork()) {
        if (pid_ < 0) throw std::system_error(errno, std::system_category(), "fork");
        if (pid_ == 0) live(std::forward<Body>(body), watchdog_seconds);
    }
    child(child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), end_(other.end_) {}
    child(child const&) = delete;
    child& operator=(child const&) = delete;
    child& operator=(child&&) = delete;
    ~child() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        wait();
    }

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    void kill(int signal = SIGKILL) const noexcept {
        if (pid_ > 0) ::kill(pid_, signal);
    }

    /// Waits for its end. \return the exit status, or minus the signal that ended it.
    int wait() noexcept { return *reap(0); }

    /// The same, if it has ended already; else nothing.
    std::optional<int> ended() noexcept { return reap(WNOHANG); }

private:
    std::optional<int> reap(int options) noexcept {
        if (pid_ < 0) return end_;
        int status = 0;
        pid_t got = -1;
        while ((got = ::waitpid(pid_, &status, options)) < 0 && errno == EINTR) {
        }
        if (got == 0) return {};
        pid_ = -1;
        end_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
        return end_;
    }

    template <class Body>
    [[noreturn]] static void live(Body&& body, unsigned seconds) noexcept {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        // Catch2's handlers speak of the parent's test.
        for (int const s : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTERM, SIGINT, SIGALRM})
            std::signal(s, SIG_DFL);
        ::alarm(sanitized ? seconds * 4 : seconds);
        try {
            if constexpr (std::is_void_v<std::invoke_result_t<Body>>) {
                body();
                ::_exit(0);
            } else {
                ::_exit(static_cast<int>(body()));
            }
        } catch (std::exception const& e) {
            std::fprintf(stderr, "child %d: %s\n", static_cast<int>(::getpid()), e.what());
        } catch (...) {
            std::fprintf(stderr, "child %d: unknown exception\n", static_cast<int>(::getpid()));
        }
        ::_exit(120);
    }

    pid_t pid_;
    int end_ = 0;  ///< once it has ended: as wait() says it
};

/// A T that parent and children share. T's members are atomics, or written before the fork.
template <class T>
class shared {
public:
    shared() {
        void* const at =
            ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED) throw std::system_error(errno, std::system_category(), "mmap");
        value_ = new (at) T{};
    }
    ~shared() { ::munmap(value_, sizeof(T)); }
    shared(shared const&) = delete;
    shared& operator=(shared const&) = delete;
    shared(shared&&) = delete;
    shared& operator=(shared&&) = delete;
    T* operator->() const noexcept { return value_; }
    T& operator*() const noexcept { return *value_; }

private:
    T* value_;
};

/// Waits until the condition holds; a watchdog bounds it.
template <class Condition>
void until(Condition&& condition) {
    for (unsigned i = 0; !condition(); ++i) {
        if (i % 64 < 60)
            ::sched_yield();
        else
            nap(std::chrono::microseconds(50));
    }
}

/// The bytes of an object in /dev/shm, past all of the library.
class raw_object {
public:
    /// Opens it; with a size, makes it.
    explicit raw_object(std::string const& name, std::optional<std::uint64_t> make_of_size = {})
        : fd_(::shm_open(name.c_str(), make_of_size ? O_RDWR | O_CREAT | O_EXCL : O_RDWR, 0600)) {
        if (fd_ < 0) throw std::system_error(errno, std::system_category(), "shm_open " + name);
        if (make_of_size) resize(*make_of_size);
    }
    ~raw_object() { ::close(fd_); }
    raw_object(raw_object const&) = delete;
    raw_object& operator=(raw_object const&) = delete;
    raw_object(raw_object&&) = delete;
    raw_object& operator=(raw_object&&) = delete;

    void resize(std::uint64_t bytes) const {
        if (::ftruncate(fd_, static_cast<off_t>(bytes)) != 0)
            throw std::system_error(errno, std::system_category(), "ftruncate");
    }
    [[nodiscard]] struct stat status() const {
        struct stat info {};
        ::fstat(fd_, &info);
        return info;
    }
    [[nodiscard]] std::uint64_t size() const { return static_cast<std::uint64_t>(status().st_size); }

    template <class V>
    void write(std::uint64_t at, V const& value) const {
        write_bytes(at, {reinterpret_cast<char const*>(&value), sizeof value});
    }
    void write_bytes(std::uint64_t at, std::string_view bytes) const {
        if (::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(at)) !=
            static_cast<ssize_t>(bytes.size()))
            throw std::system_error(errno, std::system_category(), "pwrite");
    }
    template <class V>
    [[nodiscard]] V read(std::uint64_t at) const {
        V value{};
        if (::pread(fd_, &value, sizeof value, static_cast<off_t>(at)) != static_cast<ssize_t>(sizeof value))
            throw std::system_error(errno, std::system_category(), "pread");
        return value;
    }
    [[nodiscard]] std::string bytes() const {
        std::string all(size(), '\0');
        auto const got = ::pread(fd_, all.data(), all.size(), 0);
        all.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
        return all;
    }
    [[nodiscard]] int fd() const noexcept { return fd_; }

private:
    int fd_;
};

}  // namespace zeroipc::testing
