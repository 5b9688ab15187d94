#pragma once
/// \file
/// What structures with a capacity, a descriptor and handles have in common: how they are made, found, opened
/// and repaired.

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "../error.hpp"
#include "../memory.hpp"
#include "../repair.hpp"
#include "../table.hpp"
#include "../waiting.hpp"
#include "attachment.hpp"
#include "descriptor.hpp"

namespace zeroipc::detail {

inline constexpr std::uint32_t most_handle_slots =
    1000;  // a lock gets slower with the number of locks on a file

/// The exclusive right to one handle slot, for as long as the object lives: the kernel's lock on the slot's
/// byte.
class handle_lock {
public:
    handle_lock() = default;
    handle_lock(std::shared_ptr<attachment> state, std::uint64_t byte)
        : state_(std::move(state)), byte_(byte) {}
    handle_lock(handle_lock&&) = default;
    handle_lock& operator=(handle_lock&& other) noexcept {
        handle_lock mine(std::move(other));  // whose former content goes now, not with `other`
        std::swap(state_, mine.state_);
        std::swap(byte_, mine.byte_);
        return *this;
    }
    handle_lock(handle_lock const&) = delete;
    handle_lock& operator=(handle_lock const&) = delete;
    ~handle_lock() {
        if (state_) state_->let_go(byte_);
    }

private:
    std::shared_ptr<attachment> state_;
    std::uint64_t byte_ = 0;
};

/// A handle slot, locked and settled.
struct claimed {
    handle_lock lock;
    std::uint32_t slot = 0;
};

/// When a wait of that length, begun now, is over.
template <class Rep, class Period>
deadline end_of(std::chrono::duration<Rep, Period> timeout) {
    auto const now = std::chrono::steady_clock::now();
    // Judged in floating point: not every duration fits into nanoseconds, or into the unit of another one.
    auto const seconds = std::chrono::duration<double>(timeout).count();
    if (seconds > 3e9) return {};  // what the clock cannot hold is for ever
    if (!(seconds > 0)) return now;
    return now + std::chrono::duration_cast<std::chrono::nanoseconds>(timeout);
}

/// \throws error(errc::invalid_argument)
inline void check_handle_slots(std::string const& what, std::uint32_t handle_slots) {
    if (handle_slots == 0 || handle_slots > most_handle_slots)
        throw error(errc::invalid_argument, what + ": " + std::to_string(handle_slots) +
                                                " handle slots; use 1 to " +
                                                std::to_string(most_handle_slots));
}

// What is thrown is composed in functions of their own: compiled once, not once for each type, and out of the way.

inline error too_large(std::string const& what, std::uint64_t capacity, std::uint64_t item_bytes) {
    return {errc::too_large, what + ": " + std::to_string(capacity) + " items of " +
                                 std::to_string(item_bytes) +
                                 " bytes do not fit below 4 GiB; use a smaller capacity"};
}
inline error too_few(std::string const& what, std::uint64_t capacity, std::uint64_t least) {
    return {errc::invalid_capacity,
            what + ": capacity " + std::to_string(capacity) + "; use at least " + std::to_string(least)};
}
inline error no_space_for(std::string const& what, std::uint64_t capacity, std::uint64_t handle_slots,
                          std::uint64_t bytes) {
    return {errc::corrupt, what + " says capacity " + std::to_string(capacity) + " and " +
                               std::to_string(handle_slots) + " handle slots, which its " +
                               std::to_string(bytes) +
                               " bytes do not hold; it was overwritten: make it anew"};
}
inline error no_slot(std::string const& what, std::string_view noun, std::uint64_t handle_slots,
                     std::uint64_t parked) {
    return {errc::no_handle_slot, what + ": all " + std::to_string(handle_slots) +
                                      " handle slots are taken, " + std::to_string(parked) +
                                      " of them parked after a kill; close handles, or make the " +
                                      std::string(noun) + " with more handle_slots"};
}
inline error not_alone(std::string const& what, std::string const& segment) {
    return {errc::busy, what + " cannot be repaired while others use segment '" + segment +
                            "', or this process has handles in it; close them, and end those processes "
                            "(fuser /dev/shm" +
                            segment + " lists them)"};
}

/// The name of a structure in messages.
inline std::string quoted(std::string_view noun, std::string_view name) {
    std::string text(noun);
    text.append(" '").append(name).append("'");
    return text;
}

/// What stands in a segment under a structure's name, before anything of it is trusted.
struct raw_place {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
    std::uint64_t capacity = 0;
    format::descriptor description{};
};

/// Reads that. \throws error: not_found, wrong_kind, forked
inline raw_place read_place(Memory const& memory, std::string_view noun, std::string_view name,
                            std::uint64_t least_bytes, std::size_t capacity_offset,
                            std::size_t descriptor_offset) {
    auto const entry = memory.find(name);
    if (!entry)
        throw error(errc::not_found, "segment '" + memory.name() + "' has no structure '" +
                                         std::string(name) + "'; create it first");
    if (entry->size < least_bytes)
        throw error(errc::wrong_kind, quoted(noun, name) + " takes only " + std::to_string(entry->size) +
                                          " bytes: it is no " + std::string(noun) +
                                          ", or not of this layout");
    raw_place place{entry->offset, entry->size, 0, {}};
    auto const* const base = memory.base() + entry->offset;
    std::memcpy(&place.capacity, base + capacity_offset, sizeof place.capacity);
    std::memcpy(&place.description, base + descriptor_offset, sizeof place.description);
    return place;
}

/// What the types of Queue and Stack both know of their bytes: the part of a `structure`'s Shape that they share.
template <class Policies, std::size_t ItemBytes, class Options, format::kind Kind>
struct ring_shape {
    using algorithm = typename Policies::algorithm;
    using layout = typename Policies::layout;
    using ring = typename algorithm::template ring<Policies, ItemBytes>;
    using geometry = decltype(ring::geometry(1, 1));
    using options = Options;
    static constexpr bool has_handles = algorithm::has_handles;
    static constexpr std::uint64_t least_bytes = layout::body_offset;
    static constexpr std::uint64_t slot_stride = layout::line;

    /// \throws error: invalid_argument, too_large
    static geometry bounded(std::string const& what, std::uint64_t capacity, options const& how,
                            std::uint64_t max_capacity) {
        check_handle_slots(what, how.handle_slots);
        // Checked before multiplying: no product below overflows.
        if (capacity > max_capacity || ItemBytes >= format::segment_limit / capacity)
            throw too_large(what, capacity, ItemBytes);
        auto const g = ring::geometry(capacity, how.handle_slots);
        if (g.total >= format::segment_limit) throw too_large(what, capacity, ItemBytes);
        return g;
    }

    static format::descriptor description(options const& how) noexcept {
        format::descriptor d{};
        d.kind = static_cast<std::uint32_t>(Kind);
        d.algorithm = algorithm::id;
        d.layout = layout::id;
        d.item_size = ItemBytes;
        d.item_stride = static_cast<std::uint32_t>(ring::item_stride);
        d.cell_stride = static_cast<std::uint32_t>(ring::cell_stride);
        d.handle_slots = has_handles ? how.handle_slots : 0;
        return d;
    }

    static options options_of(format::descriptor const& d) noexcept {
        options how;
        if constexpr (has_handles) how.handle_slots = d.handle_slots;
        return how;
    }

    static void initialise(std::byte* base, geometry const& g) {
        if constexpr (requires { ring::initialise(base, g); }) ring::initialise(base, g);
    }

    static repair_report repair(std::byte* base, geometry const& g) requires requires {
        ring::repair(base, g);
    }
    { return ring::repair(base, g); }

    template <class IsDead>
    static bool recover(std::byte* base, geometry const& g, std::uint32_t slot, IsDead const& /*is_dead*/) {
        return ring::recover(base, g, slot);
    }
};

/// A structure found or made: where it is, and its geometry as checked against that place.
template <class Geometry>
struct found {
    std::string name;
    std::uint64_t offset;
    Geometry shape;
};

/// A kind of structure whose algorithm can be repaired.
template <class Shape>
concept repairable = requires(std::byte* base, typename Shape::geometry const& shape) {
    { Shape::repair(base, shape) } -> std::same_as<repair_report>;
};

/// Making, finding and opening of one kind of structure. What its type knows of its bytes:
/// \tparam Shape with `noun`, `has_handles`, `capacity_offset`, `descriptor_offset`, `least_bytes`,
///         `slot_stride`; types `geometry` (with capacity, handle_slots, slots, total) and `options` (with
///         handle_slots); static `checked(what, capacity, options)` giving a geometry or an error,
///         `description(options)`, `options_of(descriptor)`, `initialise(base, geometry)` and
///         `recover(base, geometry, slot, is_dead)`.
template <class Shape>
struct structure {
    using geometry = typename Shape::geometry;
    using options = typename Shape::options;
    using place = found<geometry>;

    static std::string quoted(std::string_view name) { return detail::quoted(Shape::noun, name); }

    static place create(Memory& memory, std::string_view name, std::uint64_t capacity, options const& how) {
        auto const shape = Shape::checked(quoted(name), capacity, how);
        auto const entry = memory.add(name, shape.total, [&](std::byte* base) {
            auto const d = Shape::description(how);
            std::memcpy(base + Shape::capacity_offset, &capacity, sizeof capacity);
            std::memcpy(base + Shape::descriptor_offset, &d, sizeof d);
            Shape::initialise(base, shape);
        });
        return {std::string(name), entry.offset, shape};
    }

    static place lookup(Memory& memory, std::string_view name) {
        auto const is = read_place(memory, Shape::noun, name, Shape::least_bytes, Shape::capacity_offset,
                                   Shape::descriptor_offset);
        auto const how = Shape::options_of(is.description);
        auto const what = quoted(name);
        check_descriptor(is.description, Shape::description(how), what);
        try {
            auto const shape = Shape::checked(what, is.capacity, how);
            if (shape.total <= is.bytes) return {std::string(name), is.offset, shape};
        } catch (error const&) {  // these numbers come from shared memory: not the caller's mistake
        }
        throw no_space_for(what, is.capacity, is.description.handle_slots, is.bytes);
    }

    /// Gets the first handle slot whose lock is free and whose last owner's possessions can be told.
    static claimed claim(Memory& memory, place const& at) {
        if constexpr (!Shape::has_handles) {
            return {};
        } else {
            auto* const base = memory.base() + at.offset;
            std::uint32_t parked = 0;
            // A recovery elsewhere may hold a slot for a moment, to see whether its owner is dead: so, look again.
            for (int pass = 0; pass < 3; ++pass) {
                if (pass > 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
                parked = 0;
                for (std::uint32_t slot = 0; slot < at.shape.handle_slots; ++slot) {
                    auto const byte = lock_byte_of(at, slot);
                    if (!memory.attachment()->try_hold(byte)) continue;
                    handle_lock lock(memory.attachment(), byte);
                    auto const is_dead = [&](std::uint32_t other) {
                        auto const its_byte = lock_byte_of(at, other);
                        if (!memory.attachment()->try_hold(its_byte)) return false;
                        memory.attachment()->let_go(its_byte);
                        return true;
                    };
                    if (Shape::recover(base, at.shape, slot, is_dead)) return {std::move(lock), slot};
                    ++parked;
                }
            }
            throw no_slot(quoted(at.name), Shape::noun, at.shape.handle_slots, parked);
        }
    }

    /// \throws error(errc::busy) unless this process is alone with the segment, and has no handles in it.
    static repair_report repair(Memory& memory, std::string_view name) {
        auto const at = lookup(memory, name);
        auto const alone = memory.attachment()->try_be_alone();
        if (!alone) throw not_alone(quoted(name), memory.name());
        return Shape::repair(memory.base() + at.offset, at.shape);
    }

private:
    static std::uint64_t lock_byte_of(place const& at, std::uint32_t slot) {
        return at.offset + at.shape.slots + Shape::slot_stride * std::uint64_t{slot};
    }
};

}  // namespace zeroipc::detail
