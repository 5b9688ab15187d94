#pragma once
/// \file
/// A shared-memory segment: made, opened, unlinked; named structures are put into it and found in it.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "detail/attachment.hpp"
#include "detail/object.hpp"
#include "detail/pages.hpp"
#include "error.hpp"
#include "table.hpp"

namespace zeroipc {

/// How a segment is made.
struct memory_options {
    std::uint32_t max_entries = 64;  ///< structures that it can hold, 1 to 65535
    mode_t mode = 0600;              ///< permissions of the object, whatever the umask
    std::chrono::milliseconds patience{
        10000};  ///< how long to wait for a process that is making the same segment
    /// Fills this mapping's page tables at once: no later access of this process to the segment causes a page
    /// fault. O(bytes). For each mapping anew, so also when the segment is opened.
    bool prefault = false;
    /// Asks for transparent huge pages before any page exists, and implies prefault for a fresh segment. The
    /// system decides (for /dev/shm: the mount option `huge`, say huge=advise); Memory::huge_page_bytes()
    /// tells what was obtained. No error for lack of them.
    bool huge_pages = false;
    /// Called with address and length of the fresh mapping before any page of it exists: the place to bind
    /// memory to NUMA nodes. Pages are allocated directly afterwards, by this policy, which the kernel keeps
    /// with the object. It must not touch the memory (SIGBUS). What it throws, create() throws, and nothing
    /// is left behind. With libnuma's <numaif.h>, which this library does without:
    ///
    ///     options.before_allocation = [](void* at, std::size_t bytes) {
    ///         unsigned long const nodes = 1UL << 1;  // node 1
    ///         if (mbind(at, bytes, MPOL_BIND, &nodes, 8 * sizeof nodes, 0) != 0)
    ///             throw std::system_error(errno, std::system_category(), "mbind");
    ///     };
    std::function<void(void*, std::size_t)> before_allocation{};
};

/// How a segment is opened.
struct open_options {
    std::chrono::milliseconds patience{10000};  ///< how long to wait for a process that is making it
    bool prefault = false;                      ///< as memory_options::prefault
    bool huge_pages = false;                    ///< let this mapping use the huge pages that the segment has
};

/// A mapped segment. Move-only; thread-safe; may be opened several times in one process, each at its own
/// address. Closing it unmaps; the segment itself lives until unlink(), and its memory until the last process
/// that has it mapped goes.
///
/// After fork() the child's copy is unusable and says so (errc::forked).
class Memory {
public:
    Memory(Memory&&) noexcept = default;
    Memory& operator=(Memory&&) noexcept = default;
    Memory(Memory const&) = delete;
    Memory& operator=(Memory const&) = delete;
    ~Memory() = default;

    /// Makes a segment. Its memory is reserved at once and reads as zeros.
    /// \param name of the object, with or without the leading slash; \param bytes below 4 GiB, the table
    /// included. \throws error: exists, invalid_name, invalid_argument, too_large, no_space, no_permission,
    /// busy. Whatever is
    ///         thrown, no object is left behind that was not there before.
    static Memory create(std::string_view name, std::uint64_t bytes, memory_options const& options = {}) {
        return make(name, bytes, options, false);
    }

    /// Opens a segment that is there. Waits for a creator at work.
    /// \throws error: not_found, invalid_name, not_a_segment, version_mismatch, truncated, corrupt,
    /// no_permission, busy; with prefault no_space as well
    static Memory open(std::string_view name, open_options const& options) {
        auto const path = detail::checked_path(name);
        for (;;) {
            auto fd = detail::segment_fd::open(path, O_RDWR, 0);
            if (fd.get() < 0) {
                if (errno == ENOENT)
                    throw error(errc::not_found, "there is no segment '" + path + "'; create it first");
                detail::throw_errno(errno, "cannot open segment '" + path + "'");
            }
            if (auto memory = attach(std::move(fd), path, options)) return std::move(*memory);
        }
    }
    /// The same, with a patience only.
    static Memory open(std::string_view name,
                       std::chrono::milliseconds patience = std::chrono::milliseconds(10000)) {
        return open(name, open_options{.patience = patience});
    }

    /// Opens the segment, or makes it if there is none. Of several processes at once, exactly one makes it.
    /// If it exists, `bytes` does not matter, and of the options only patience, prefault and huge_pages do.
    static Memory open_or_create(std::string_view name, std::uint64_t bytes,
                                 memory_options const& options = {}) {
        return make(name, bytes, options, true);
    }

    /// Removes the name. Processes that have the segment mapped keep it. \return false if there was none.
    static bool unlink(std::string_view name) {
        auto const path = detail::checked_path(name);
        if (::shm_unlink(path.c_str()) == 0) return true;
        if (errno == ENOENT) return false;
        detail::throw_errno(errno, "cannot unlink segment '" + path + "'");
    }

    [[nodiscard]] std::string const& name() const noexcept { return state_->name(); }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return state_->bytes(); }
    [[nodiscard]] std::uint32_t max_entries() const noexcept { return table_.max_entries(); }

    /// Where the segment is mapped in this process. \throws error(errc::forked)
    [[nodiscard]] std::byte* base() const {
        state_->refuse_forked();
        return state_->base();
    }

    /// Bytes of this mapping that are reached by huge pages at present, as /proc/self/smaps says; 0 if none.
    /// Looks through all mappings of the process: not for hot paths. \throws error(errc::forked)
    [[nodiscard]] std::uint64_t huge_page_bytes() const { return detail::huge_page_bytes(base(), bytes()); }

    /// Bytes that structures can still take: an upper bound for the next one.
    [[nodiscard]] std::uint64_t free_bytes() const {
        state_->refuse_forked();
        auto const next = format::align_up(table_.read_cursor().next, format::structure_alignment);
        return next < bytes() ? bytes() - next : 0;
    }

    /// The structures in it, oldest first.
    [[nodiscard]] std::vector<table_entry> entries() const {
        state_->refuse_forked();
        auto const count = table_.read_cursor().count;
        std::vector<table_entry> all;
        all.reserve(count);
        for (std::uint32_t i = 0; i < count; ++i) all.push_back(table_.at(i));
        return all;
    }

    /// Looks a structure up by name. Lock-free, O(entries).
    [[nodiscard]] std::optional<table_entry> find(std::string_view structure) const {
        state_->refuse_forked();
        return table_.find(structure);
    }

    /// Puts a structure of that many zeroed bytes into the segment: `initialise(address)` runs before any
    /// other process can find it. A creator that dies inside leaves nothing but zeroing work for the next
    /// one. \throws error: exists, invalid_name, segment_full, table_full, busy
    template <std::invocable<std::byte*> Initialise>
    table_entry add(std::string_view structure, std::uint64_t size, Initialise&& initialise) {
        using body = std::remove_reference_t<Initialise>;
        return add(
            structure, size,
            [](void const* context, std::byte* address) {
                (*const_cast<body*>(static_cast<body const*>(context)))(address);
            },
            std::addressof(initialise));
    }

    /// For structures: what keeps mapping and locks alive.
    [[nodiscard]] std::shared_ptr<detail::attachment> const& attachment() const noexcept { return state_; }

private:
    Memory(std::shared_ptr<detail::attachment> state, std::uint32_t max_entries)
        : state_(std::move(state)), table_(state_->base(), state_->bytes(), max_entries) {}

    /// add(), compiled once for all structures.
    table_entry add(std::string_view structure, std::uint64_t size,
                    void (*initialise)(void const* context, std::byte* address), void const* context) {
        state_->refuse_forked();
        Table::check_name(structure);
        std::lock_guard const threads(state_->mutex());
        creation_lock const processes(*state_, std::chrono::seconds(10));

        if (table_.find(structure))
            throw error(errc::exists, "segment '" + name() + "' has a structure '" + std::string(structure) +
                                          "' already; open it, or choose another name");
        auto const now = table_.read_cursor();
        if (now.count == table_.max_entries())
            throw error(errc::table_full, "segment '" + name() + "' holds " + std::to_string(now.count) +
                                              " structures and has no entry left for '" +
                                              std::string(structure) +
                                              "'; make it with a larger max_entries");
        auto const offset = format::align_up(now.next, format::structure_alignment);
        if (offset > bytes() || size > bytes() - offset)
            throw error(errc::segment_full, "structure '" + std::string(structure) + "' needs " +
                                                std::to_string(size) + " bytes, and segment '" + name() +
                                                "' of " + std::to_string(bytes()) + " has " +
                                                std::to_string(offset < bytes() ? bytes() - offset : 0) +
                                                " left; make it larger");

        auto* const draft = table_.raw(now.count);
        zero_draft(*draft, offset);
        // The draft stands before the body is touched, so that whoever comes after a death in here knows what
        // to zero.
        std::memset(draft->name, 0, format::name_bytes);
        draft->offset = static_cast<std::uint32_t>(offset);
        draft->size = static_cast<std::uint32_t>(size);
        std::atomic_signal_fence(std::memory_order_seq_cst);
        initialise(context, state_->base() + offset);
        std::memcpy(draft->name, structure.data(), structure.size());
        table_.publish({now.count + 1, static_cast<std::uint32_t>(offset + size)});
        return {std::string(structure), static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(size)};
    }

    /// The exclusive lock on byte 0, for as long as the object lives.
    class creation_lock {
    public:
        creation_lock(detail::attachment& state, std::chrono::nanoseconds patience) : fd_(state.fd()) {
            detail::lock_byte(fd_, detail::creation_byte, detail::lock_mode::exclusive, patience,
                              "cannot add to segment '" + state.name() + "'");
        }
        creation_lock(creation_lock const&) = delete;
        creation_lock& operator=(creation_lock const&) = delete;
        creation_lock(creation_lock&&) = delete;
        creation_lock& operator=(creation_lock&&) = delete;
        ~creation_lock() { detail::unlock_byte(fd_, detail::creation_byte); }

    private:
        int fd_;
    };

    /// Zeroes what a dead creator may have written. Its draft must begin where the next structure does.
    void zero_draft(format::entry const& draft, std::uint64_t offset) const {
        if (draft.offset == 0 && draft.size == 0) return;
        if (draft.offset != offset || draft.size > bytes() - offset)
            throw error(errc::corrupt,
                        "segment '" + name() + "' has a draft entry at offset " +
                            std::to_string(draft.offset) + " of " + std::to_string(draft.size) +
                            " bytes where " + std::to_string(offset) +
                            " is the next free byte; the segment was overwritten: make it anew");
        std::memset(state_->base() + offset, 0, draft.size);
    }

    /// \return nullopt if the name was removed between opening and locking: the caller starts again.
    static std::optional<Memory> attach(detail::segment_fd fd, std::string const& path,
                                        open_options const& options) {
        using detail::lock_mode;
        auto const patience = options.patience;
        auto const what = "cannot open segment '" + path + "'";
        detail::lock_byte(fd.get(), detail::attached_byte, lock_mode::shared, patience, what);
        auto size = detail::linked_size(fd.get(), path);
        if (!size) return std::nullopt;
        if (detail::state_of(fd.get(), *size) != detail::making::finished) {
            // A creator is at work, or died at it; or another program's object. Size and header are read in
            // two steps, so only under the creation lock do they belong together.
            detail::lock_byte(fd.get(), detail::creation_byte, lock_mode::exclusive, patience, what);
            size = detail::linked_size(fd.get(), path);
            auto const state = size ? detail::state_of(fd.get(), *size) : detail::making::unfinished;
            detail::unlock_byte(fd.get(), detail::creation_byte);
            if (!size) return std::nullopt;
            if (state == detail::making::unfinished)
                throw error(errc::not_found,
                            "segment '" + path + "' was never finished by its creator; create it anew");
        }
        // It may have been finished after its size was read; from then on it keeps its size.
        size = detail::linked_size(fd.get(), path);
        if (!size) return std::nullopt;
        auto const max_entries = detail::check_header(fd.get(), *size, path);
        auto* const base = detail::map(fd.get(), *size, path);
        // (T4) acquire: behind the magic stands the rest. Partner: (T3).
        static_cast<void>(
            reinterpret_cast<std::atomic<std::uint32_t>*>(base)->load(std::memory_order_acquire));
        int const raw_fd = fd.get();
        auto state = share(std::move(fd), base, *size, path);
        if (options.huge_pages) detail::ask_for_huge_pages(base, *size);
        if (options.prefault) detail::populate(raw_fd, base, *size, path);
        return Memory(std::move(state), max_entries);
    }

    static std::shared_ptr<detail::attachment> share(detail::segment_fd fd, std::byte* base,
                                                     std::uint64_t bytes, std::string const& path) {
        try {
            return std::make_shared<detail::attachment>(std::move(fd), base, bytes, path);
        } catch (...) {
            ::munmap(base, bytes);
            throw;
        }
    }

    static void check_request(std::uint64_t bytes, memory_options const& options, std::string const& path) {
        if (options.max_entries == 0 || options.max_entries > format::max_entries_limit)
            throw error(errc::invalid_argument, "max_entries " + std::to_string(options.max_entries) +
                                                    " for segment '" + path + "': use 1 to 65535");
        if (bytes >= format::segment_limit)
            throw error(errc::too_large, "segment '" + path + "' of " + std::to_string(bytes) +
                                             " bytes; the format ends below 4294967296 (4 GiB)");
        if (bytes < format::table_end(options.max_entries))
            throw error(errc::invalid_argument, "segment '" + path + "' of " + std::to_string(bytes) +
                                                    " bytes cannot hold its table of " +
                                                    std::to_string(options.max_entries) +
                                                    " entries; give it at least " +
                                                    std::to_string(format::table_end(options.max_entries)));
    }

    /// Not simply O_CREAT: where fs.protected_regular is set, that is refused for an object of another user.
    static detail::segment_fd open_or_make(std::string const& path, std::uint64_t bytes,
                                           memory_options const& options) {
        auto fd = detail::segment_fd::open(path, O_RDWR, 0);
        if (fd.get() >= 0 || errno != ENOENT) return fd;
        check_request(bytes, options, path);
        return detail::segment_fd::open(path, O_RDWR | O_CREAT | O_EXCL, options.mode);
    }

    static Memory make(std::string_view name, std::uint64_t bytes, memory_options const& options,
                       bool may_open) {
        using detail::lock_mode;
        auto const path = detail::checked_path(name);
        if (!may_open) check_request(bytes, options, path);
        auto const what = "cannot create segment '" + path + "'";
        for (;;) {
            auto fd = open_or_make(path, bytes, options);
            if (fd.get() < 0 && errno == EEXIST) continue;  // made by somebody else just now
            if (fd.get() < 0) detail::throw_errno(errno, what);
            detail::lock_byte(fd.get(), detail::creation_byte, lock_mode::exclusive, options.patience, what);
            auto const size = detail::linked_size(fd.get(), path);
            if (!size) continue;
            switch (detail::state_of(fd.get(), *size)) {
                case detail::making::foreign:
                    throw error(errc::not_a_segment,
                                "object '" + path + "' of " + std::to_string(*size) +
                                    " bytes exists and was not made by ZeroIPC; use another name");
                case detail::making::finished:
                    if (!may_open)
                        throw error(errc::exists,
                                    "segment '" + path + "' exists; open it, or unlink it first");
                    detail::unlock_byte(fd.get(), detail::creation_byte);
                    if (auto memory = attach(std::move(fd), path,
                                             {options.patience, options.prefault, options.huge_pages}))
                        return std::move(*memory);
                    continue;
                case detail::making::unfinished:
                    break;
            }
            check_request(bytes, options, path);
            // Ours to make: fresh, or left by a creator that died. Every other process waits for byte 0,
            // which the duplicate keeps until the name of a failed attempt is gone.
            auto const keep_locked = fd.duplicate();
            try {
                return finish(std::move(fd), path, bytes, options);
            } catch (...) {
                // Our object only: somebody may have removed it, and made another one of that name.
                struct stat info {};
                if (::fstat(keep_locked.get(), &info) == 0 && info.st_nlink > 0) ::shm_unlink(path.c_str());
                throw;
            }
        }
    }

    /// Fills a fresh object under the creation lock, which goes when this returns.
    static Memory finish(detail::segment_fd fd, std::string const& path, std::uint64_t bytes,
                         memory_options const& options) {
        using detail::lock_mode;
        auto const what = "cannot create segment '" + path + "'";
        detail::lock_byte(fd.get(), detail::attached_byte, lock_mode::shared, options.patience, what);
        int const raw_fd = fd.get();
        auto const resize = [&](std::uint64_t to) {
            if (::ftruncate(raw_fd, static_cast<off_t>(to)) != 0) detail::throw_errno(errno, what);
        };
        resize(0);  // whatever a dead creator left
        if (::fchmod(fd.get(), options.mode) != 0) detail::throw_errno(errno, what);
        detail::require_room(fd.get(), path, bytes);

        auto* const base = detail::map(raw_fd, bytes, path);
        auto state = share(std::move(fd), base, bytes, path);
        if (options.before_allocation) options.before_allocation(base, bytes);
        // The pages first, beyond the end of the empty object; then its size, by way of a header that says
        // "unfinished". Not so with huge pages: a reservation does not see this mapping's wish for them, so
        // they are allocated through the mapping, which needs the size. There populate() throws where an
        // access would be ended by SIGBUS.
        bool const through_mapping = options.huge_pages && detail::can_populate();
        if (options.huge_pages) detail::ask_for_huge_pages(base, bytes);
        if (!through_mapping) detail::reserve(raw_fd, path, bytes);
        resize(format::header_bytes);
        if (through_mapping) detail::populate(raw_fd, base, format::header_bytes, path);
        std::uint32_t const mark = format::unfinished;
        if (::pwrite(raw_fd, &mark, sizeof mark, 0) != static_cast<ssize_t>(sizeof mark))
            detail::throw_errno(errno, what);
        resize(bytes);
        if (options.huge_pages || options.prefault) detail::populate(raw_fd, base, bytes, path);
        if (through_mapping) detail::reserve(raw_fd, path, bytes);

        Memory memory(std::move(state), options.max_entries);
        auto* const header = reinterpret_cast<format::header*>(base);
        header->version_and_entries = format::version | (options.max_entries << 16);
        memory.table_.publish({0, static_cast<std::uint32_t>(format::table_end(options.max_entries))});
        // (T3) release: whoever reads the magic reads the rest. Partner: (T4).
        reinterpret_cast<std::atomic<std::uint32_t>*>(&header->magic)
            ->store(format::magic, std::memory_order_release);
        detail::unlock_byte(raw_fd, detail::creation_byte);
        return memory;
    }

    std::shared_ptr<detail::attachment> state_;
    Table table_;
};

}  // namespace zeroipc
