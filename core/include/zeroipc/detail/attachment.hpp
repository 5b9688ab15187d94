#pragma once
/// \file
/// One mapping of one segment: descriptor, memory, the locks held through it, and what a fork does to it.
///
/// Locks are Linux open-file-description locks (fcntl F_OFD_SETLK): the kernel drops them when the last
/// descriptor of that open file is closed, thus at the latest when its process ends, however it ends. Byte 0
/// of the object is the creation lock; byte 1 is held shared while attached; a handle slot's lock is the byte
/// at which the slot stands.

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "../error.hpp"

namespace zeroipc::detail {

/// An error of the operating system, by errno, as one of our causes.
[[noreturn]] inline void throw_errno(int number, std::string const& what) {
    auto const cause = number == EACCES || number == EPERM || number == EROFS ? errc::no_permission
                       : number == ENOENT                                     ? errc::not_found
                       : number == EEXIST                                     ? errc::exists
                       : number == ENOSPC                                     ? errc::no_space
                                                                              : errc::system;
    throw error(cause, what + ": " + std::system_category().message(number));
}

class attachment;

/// What a forked child must let go of: every open segment descriptor (a child's copy would keep its parent's
/// locks alive beyond the parent's death) and every attachment (whose handles belong to the parent).
class fork_registry {
public:
    static fork_registry& instance() {
        // Never destroyed: attachments in static storage may go later than it would.
        static fork_registry* const one = [] {
            auto* const made = new fork_registry;
            ::pthread_atfork([] { instance().mutex.lock(); }, [] { instance().mutex.unlock(); },
                             [] { instance().in_child(); });
            return made;
        }();
        return *one;
    }

    std::mutex mutex;
    std::set<int> descriptors;
    std::set<attachment*> attachments;
    std::uint64_t generation = 0;  ///< forks between this process and the first

private:
    inline void in_child() noexcept;
};

/// Owns the descriptor of a segment.
class segment_fd {
public:
    segment_fd() = default;
    segment_fd(segment_fd&& other) noexcept
        : fd_(std::exchange(other.fd_, -1)), generation_(other.generation_) {}
    segment_fd& operator=(segment_fd&&) = delete;
    segment_fd(segment_fd const&) = delete;
    segment_fd& operator=(segment_fd const&) = delete;
    ~segment_fd() {
        if (fd_ < 0) return;
        auto& all = fork_registry::instance();
        std::lock_guard const guard(all.mutex);
        // In a child, the fork closed it, and the number may be another file's by now.
        if (generation_ != all.generation) return;
        all.descriptors.erase(fd_);
        ::close(fd_);
    }

    /// As shm_open; get() is negative, and errno set, if that failed.
    static segment_fd open(std::string const& path, int flags, mode_t mode) {
        return segment_fd([&] { return ::shm_open(path.c_str(), flags | O_CLOEXEC, mode); });
    }

    /// A second descriptor of the same open file: it keeps the locks when the first one goes.
    [[nodiscard]] segment_fd duplicate() const {
        segment_fd copy([&] { return ::fcntl(fd_, F_DUPFD_CLOEXEC, 0); });
        if (copy.get() < 0) throw_errno(errno, "cannot duplicate the segment's descriptor");
        return copy;
    }

    [[nodiscard]] int get() const noexcept { return fd_; }

private:
    template <class Open>
    explicit segment_fd(Open const& open) {
        auto& all = fork_registry::instance();
        // Under the mutex, so that no fork falls between opening and registering.
        std::lock_guard const guard(all.mutex);
        fd_ = open();
        generation_ = all.generation;
        if (fd_ < 0) return;
        int const number = errno;
        try {
            all.descriptors.insert(fd_);
        } catch (...) {
            ::close(fd_);
            throw;
        }
        errno = number;
    }

    int fd_ = -1;
    std::uint64_t generation_ = 0;
};

enum class lock_mode : short { shared = F_RDLCK, exclusive = F_WRLCK };

/// Sets the lock on one byte without waiting. \return false if another open file holds a conflicting
/// one.
inline bool try_lock_byte(int fd, std::uint64_t byte, lock_mode mode) {
    struct flock range {};
    range.l_type = static_cast<short>(mode);
    range.l_whence = SEEK_SET;
    range.l_start = static_cast<off_t>(byte);
    range.l_len = 1;
    for (;;) {
        if (::fcntl(fd, F_OFD_SETLK, &range) == 0) return true;
        if (errno == EAGAIN || errno == EACCES) return false;
        if (errno != EINTR)
            throw_errno(errno, "cannot lock byte " + std::to_string(byte) + " of the segment");
    }
}

/// Drops the lock on one byte.
inline void unlock_byte(int fd, std::uint64_t byte) noexcept {
    struct flock range {};
    range.l_type = F_UNLCK;
    range.l_whence = SEEK_SET;
    range.l_start = static_cast<off_t>(byte);
    range.l_len = 1;
    ::fcntl(fd, F_OFD_SETLK, &range);
}

/// As try_lock_byte, trying for up to `limit`. A holder that dies lets go at once; one that is stopped does
/// not.
inline void lock_byte(int fd, std::uint64_t byte, lock_mode mode, std::chrono::nanoseconds limit,
                      std::string const& what) {
    auto const deadline = std::chrono::steady_clock::now() + limit;
    std::chrono::microseconds nap{20};
    while (!try_lock_byte(fd, byte, mode)) {
        if (std::chrono::steady_clock::now() >= deadline)
            throw error(
                errc::busy,
                what + ": another process holds the lock since " +
                    std::to_string(std::chrono::duration<double>(limit).count()) +
                    " s; look for a stopped process that uses the segment (fuser), end it, try again");
        std::timespec const time{0, static_cast<long>(std::chrono::nanoseconds(nap).count())};
        ::nanosleep(&time, nullptr);
        if (nap < std::chrono::milliseconds(2)) nap *= 2;
    }
}

/// Turns an exclusive lock of this open file into a shared one. Where the kernel lacks the memory even for that,
/// the lock stays exclusive until the descriptor is closed.
inline void share_byte(int fd, std::uint64_t byte) noexcept {
    struct flock range {};
    range.l_type = F_RDLCK;
    range.l_whence = SEEK_SET;
    range.l_start = static_cast<off_t>(byte);
    range.l_len = 1;
    while (::fcntl(fd, F_OFD_SETLK, &range) != 0 && errno == EINTR) {
    }
}

inline constexpr std::uint64_t creation_byte = 0;
inline constexpr std::uint64_t attached_byte = 1;

/// Proof, for as long as it lives, that nobody but one attachment uses the segment: no other open file, in
/// whatever process, and no handle with a slot through this one. Who opens the segment meanwhile waits with its
/// patience. It does not keep threads with the same Memory object from adding structures. Move-only.
class sole_attachment {
public:
    sole_attachment(sole_attachment&&) noexcept = default;
    sole_attachment& operator=(sole_attachment&&) = delete;
    sole_attachment(sole_attachment const&) = delete;
    sole_attachment& operator=(sole_attachment const&) = delete;
    inline ~sole_attachment();

private:
    friend class attachment;
    explicit sole_attachment(std::shared_ptr<attachment> state) noexcept : state_(std::move(state)) {}
    std::shared_ptr<attachment> state_;
};

/// Lives behind a shared_ptr that Memory and every structure handle hold, so that a handle may outlive its
/// Memory.
class attachment : public std::enable_shared_from_this<attachment> {
public:
    /// Takes over an open descriptor (the shared lock on byte 1 already held through it) and its mapping
    /// (which children do not inherit).
    attachment(segment_fd fd, std::byte* base, std::uint64_t bytes, std::string name)
        : fd_(std::move(fd)), base_(base), bytes_(bytes), name_(std::move(name)) {
        auto& all = fork_registry::instance();
        std::lock_guard const guard(all.mutex);
        all.attachments.insert(this);
    }
    attachment(attachment const&) = delete;
    attachment& operator=(attachment const&) = delete;
    attachment(attachment&&) = delete;
    attachment& operator=(attachment&&) = delete;

    ~attachment() {
        {
            auto& all = fork_registry::instance();
            std::lock_guard const guard(all.mutex);
            all.attachments.erase(this);
        }
        // In a forked child the range may belong to somebody else by now.
        if (!forked_) ::munmap(base_, bytes_);
    }

    [[nodiscard]] std::byte* base() const noexcept { return base_; }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    [[nodiscard]] std::string const& name() const noexcept { return name_; }

    /// True in a child process that inherited this object by fork(): memory and locks are the parent's alone.
    [[nodiscard]] bool forked() const noexcept { return forked_; }

    /// Where that stands: for operations that look each time.
    [[nodiscard]] bool const* forked_at() const noexcept { return &forked_; }

    /// \throws error(errc::forked)
    void refuse_forked() const {
        if (forked_) [[unlikely]]
            throw_forked();
    }

    /// Takes the exclusive lock of a handle slot. One open file never conflicts with itself, so what this
    /// process holds through this attachment is remembered here. \return false if a living handle has it, in
    /// whatever process. \throws error: busy while a sole_attachment lives, forked, system
    [[nodiscard]] bool try_hold(std::uint64_t byte) {
        refuse_forked();
        std::lock_guard const guard(mutex_);
        if (alone_)
            throw error(errc::busy,
                        "segment '" + name_ + "' is being used by one thread alone; open handles afterwards");
        if (held_.contains(byte) || !try_lock_byte(fd_.get(), byte, lock_mode::exclusive)) return false;
        try {
            held_.insert(byte);
        } catch (...) {
            unlock_byte(fd_.get(), byte);
            throw;
        }
        return true;
    }

    void let_go(std::uint64_t byte) noexcept {
        if (forked_) return;
        std::lock_guard const guard(mutex_);
        held_.erase(byte);
        unlock_byte(fd_.get(), byte);
    }

    /// Makes this attachment the only one, if it is: the shared lock on byte 1 becomes exclusive, without
    /// waiting. \return nothing if any other open file is attached, or any handle slot is held through this
    /// one. \throws error: forked, system
    [[nodiscard]] std::optional<sole_attachment> try_be_alone() {
        refuse_forked();
        auto self = shared_from_this();
        std::lock_guard const guard(mutex_);
        if (alone_ || !held_.empty() || !try_lock_byte(fd_.get(), attached_byte, lock_mode::exclusive))
            return std::nullopt;
        alone_ = true;
        return sole_attachment(std::move(self));
    }

    /// Serialises what the creation lock cannot: threads of this process on this attachment.
    [[nodiscard]] std::mutex& mutex() noexcept { return mutex_; }

private:
    friend class fork_registry;
    friend class sole_attachment;

    [[noreturn, gnu::cold, gnu::noinline]] void throw_forked() const {
        throw error(errc::forked,
                    "segment '" + name_ +
                        "' was opened before fork(), and its handles belong to the parent; open the "
                        "segment and its structures anew in the child");
    }

    void be_one_of_many() noexcept {
        if (forked_) return;
        std::lock_guard const guard(mutex_);
        alone_ = false;
        share_byte(fd_.get(), attached_byte);
    }

    segment_fd fd_;
    std::byte* base_;
    std::uint64_t bytes_;
    std::string name_;
    bool forked_ = false;
    bool alone_ = false;  ///< under mutex_
    std::mutex mutex_;
    std::set<std::uint64_t> held_;
};

inline sole_attachment::~sole_attachment() {
    if (state_) state_->be_one_of_many();
}

inline void fork_registry::in_child() noexcept {
    ++generation;
    for (attachment* const a : attachments) a->forked_ = true;
    for (int const fd : descriptors) ::close(fd);
    descriptors.clear();
    mutex.unlock();
}

}  // namespace zeroipc::detail
