#pragma once
/// \file
/// A hash map in shared memory.

#include <sys/random.h>

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "bucket_map.hpp"
#include "detail/policies.hpp"
#include "detail/structure.hpp"
#include "error.hpp"
#include "hash.hpp"
#include "memory.hpp"
#include "repair.hpp"
#include "shareable.hpp"
#include "waiting.hpp"

namespace zeroipc {

/// How a map is made.
struct map_options {
    /// Handles (Map objects, in all processes together) that may be open at once, 1 to 1000.
    std::uint32_t handle_slots = 64;
    /// Seed of the hash; a random one if none is given.
    std::optional<std::uint64_t> seed{};
};

/// A key whose bytes say all: equal keys have equal bytes (no padding, no floating point).
template <class K>
concept map_key = shareable<K> && std::has_unique_object_representations_v<K>;

/// A key of up to N bytes of text, filled up with zeros; a trailing zero byte is not told from none.
template <std::size_t N>
struct fixed_string {
    std::array<char, N> bytes{};

    fixed_string() = default;
    /// \throws error(errc::invalid_argument) if the text is longer than N bytes.
    fixed_string(std::string_view text) {  // NOLINT(google-explicit-constructor): text is what it stands for
        if (text.size() > N)
            throw error(errc::invalid_argument, "key '" + std::string(text) + "' has " +
                                                    std::to_string(text.size()) +
                                                    " bytes; this map takes up to " + std::to_string(N));
        if (!text.empty()) std::memcpy(bytes.data(), text.data(), text.size());
    }
    fixed_string(char const* text)
        : fixed_string(std::string_view(text)) {}  // NOLINT(google-explicit-constructor)

    [[nodiscard]] std::string_view view() const noexcept {
        return {bytes.data(), ::strnlen(bytes.data(), N)};
    }
    bool operator==(fixed_string const&) const = default;
};

namespace detail {

template <class... Ps>
using map_policies = structure_policies<zeroipc::algorithm::buckets, Ps...>;

/// What a map's type knows of its bytes.
template <class Policies, std::size_t KeyBytes, std::size_t ValueBytes>
struct map_shape {
    using algorithm = typename Policies::algorithm;
    using layout = typename Policies::layout;
    using table = typename algorithm::template table<Policies, KeyBytes, ValueBytes>;
    using geometry = decltype(table::geometry(1, 1, 0));
    using options = map_options;
    static constexpr std::string_view noun = "map";
    static constexpr bool has_handles = algorithm::has_handles;
    static constexpr std::size_t capacity_offset = 0;
    static constexpr std::size_t descriptor_offset = 8;
    static constexpr std::uint64_t least_bytes = layout::body_offset;
    static constexpr std::uint64_t slot_stride = layout::line;
    static constexpr std::uint64_t max_capacity = std::uint64_t{1} << 28;

    static geometry checked(std::string const& what, std::uint64_t capacity, options const& how) {
        if (capacity < algorithm::min_capacity) throw too_few(what, capacity, algorithm::min_capacity);
        check_handle_slots(what, how.handle_slots);
        // Checked before multiplying: no product below overflows.
        if (capacity > max_capacity || KeyBytes + ValueBytes >= format::segment_limit / capacity)
            throw too_large(what, capacity, KeyBytes + ValueBytes);
        auto const g = table::geometry(capacity, how.handle_slots, how.seed.value_or(0));
        if (g.total >= format::segment_limit) throw too_large(what, capacity, KeyBytes + ValueBytes);
        return g;
    }

    static format::descriptor description(options const& how) noexcept {
        format::descriptor d{};
        d.kind = static_cast<std::uint32_t>(format::kind::map);
        d.algorithm = algorithm::id;
        d.layout = layout::id;
        d.item_size = ValueBytes;
        d.key_size = KeyBytes;
        d.item_stride = static_cast<std::uint32_t>(table::item_stride);
        d.cell_stride = static_cast<std::uint32_t>(table::cell_stride);
        d.handle_slots = has_handles ? how.handle_slots : 0;
        d.seed = how.seed.value_or(0);
        return d;
    }

    static options options_of(format::descriptor const& d) noexcept {
        options how;
        if constexpr (has_handles) how.handle_slots = d.handle_slots;
        how.seed = d.seed;
        return how;
    }

    static void initialise(std::byte* base, geometry const& g) {
        if constexpr (requires { table::initialise(base, g); }) table::initialise(base, g);
    }

    static repair_report repair(std::byte* base, geometry const& g) requires requires {
        table::repair(base, g);
    }
    { return {table::repair(base, g)}; }

    template <class IsDead>
    static bool recover(std::byte* base, geometry const& g, std::uint32_t slot, IsDead const& is_dead) {
        return table::recover(base, g, slot, is_dead);
    }
};

}  // namespace detail

/// A hash map from K to V between processes.
///
/// A Map object is a *handle*: one thread at a time uses it. Each thread, and each process, opens its own.
///
/// With the default algorithm (algorithm::buckets) every operation but the waiting one is lock-free; finding
/// writes nothing; "absent" and "present" are linearizable; values of any size change as a whole; and a process
/// may be killed at any instruction: nobody waits for it, and its operation took place or did not. A map of
/// capacity N takes N keys, after any number of insertions and removals; "full" says that no room was to be had
/// for this key, and may come a little later than at N.
///
/// \tparam K trivially copyable, equal exactly if its bytes are; fixed_string<N> for text.
/// \tparam V trivially copyable, any size.
/// \tparam Policies any of algorithm::, layout::, ordering::, backoff::, waiting::, observer::, atomics::, in any
///         order, each at most once. Algorithm and layout are part of the bytes; the others are private to this
///         handle.
template <map_key K, shareable V, class... Policies>
class Map {
public:
    using key_type = K;
    using mapped_type = V;
    using value_type = std::pair<K, V>;
    using policies = detail::map_policies<Policies...>;
    using algorithm = typename policies::algorithm;
    using observer = typename policies::observer;
    static constexpr std::uint64_t max_capacity =
        detail::map_shape<policies, sizeof(K), sizeof(V)>::max_capacity;

    /// Makes the map `name` in the segment, and opens it.
    /// \param capacity keys that it takes, at least 1.
    /// \throws error: exists, invalid_capacity, invalid_argument, invalid_name, segment_full, table_full,
    /// too_large, busy, forked; no_handle_slot if others were quicker to open it (then it is there)
    Map(Memory& memory, std::string_view name, std::uint64_t capacity, map_options const& options = {})
        : Map(memory, structure::create(memory, name, capacity, seeded(options))) {}

    /// Opens the map `name`. \throws error: not_found, wrong_kind, wrong_item_size, corrupt, no_handle_slot
    Map(Memory& memory, std::string_view name) : Map(memory, structure::lookup(memory, name)) {}

    Map(Map&&) noexcept = default;
    Map& operator=(Map&&) noexcept = default;
    Map(Map const&) = delete;
    Map& operator=(Map const&) = delete;
    ~Map() = default;

    /// Bytes that a map takes from its segment. \throws error: invalid_capacity, invalid_argument, too_large
    static std::uint64_t bytes_for(std::uint64_t capacity, map_options const& options = {}) {
        return shape::checked("map", capacity, options).total;
    }

    /// Copies the value of a key into `value`. Lock-free, O(1).
    /// \return false if the key was absent; then `value` is as before.
    bool find(K const& key, V& value) {
        state_->refuse_forked();
        alignas(8) std::byte copy[sizeof(V)];  // what is read under a change must not reach the caller
        if (!table_.find(image_of(key), copy)) return false;
        std::memcpy(&value, copy, sizeof(V));
        return true;
    }
    /// Returns the value of a key, or nothing if it was absent.
    [[nodiscard]] std::optional<V> find(K const& key) requires std::default_initializable<V> {
        std::optional<V> value(std::in_place);
        if (!find(key, *value)) value.reset();
        return value;
    }
    /// Waits until the key is there. Blocking. \return nothing if it was not until the time was over.
    template <class Rep, class Period>
    [[nodiscard]] std::optional<V> find(
        K const& key, std::chrono::duration<Rep, Period> timeout) requires std::default_initializable<V> {
        std::optional<V> value(std::in_place);
        if (!find(key, *value) &&
            !policies::waiting::template wait<atomics>(
                *keys_wait_, [&] { return find(key, *value); }, detail::end_of(timeout), table_.observed()))
            value.reset();
        return value;
    }

    /// Whether the key was there. Lock-free, O(1).
    [[nodiscard]] bool contains(K const& key) {
        state_->refuse_forked();
        return table_.find(image_of(key), nullptr);
    }

    /// Adds a key that is absent. Lock-free, O(1). \return inserted, present or full.
    outcome insert(K const& key, V const& value) {
        return write<false>(key, [&](std::byte const* old, std::byte* desired) {
            if (old != nullptr) return outcome::present;
            std::memcpy(desired, &value, sizeof(V));
            return outcome::inserted;
        });
    }

    /// Gives a key a value, whether it is there or not. Lock-free, O(1). \return inserted, assigned or full.
    outcome insert_or_assign(K const& key, V const& value) {
        return write<false>(key, [&](std::byte const* old, std::byte* desired) {
            std::memcpy(desired, &value, sizeof(V));
            return old != nullptr ? outcome::assigned : outcome::inserted;
        });
    }

    /// Gives a key the value `desired` if it has the value `expected`, compared by bytes as std::atomic does.
    /// Lock-free, O(1). \return assigned; different, with the value found in `expected`; absent; or full.
    outcome compare_exchange(K const& key, V& expected, V const& desired) {
        return write<true>(key, [&](std::byte const* old, std::byte* to) {
            if (old == nullptr) return outcome::absent;
            if (std::memcmp(old, &expected, sizeof(V)) != 0) {
                std::memcpy(&expected, old, sizeof(V));
                return outcome::different;
            }
            std::memcpy(to, &desired, sizeof(V));
            return outcome::assigned;
        });
    }

    /// Replaces the value of a key by change(value), as one atomic step. `change` may be called several times, and
    /// must not use this handle. Lock-free, O(1). \return assigned, absent or full.
    template <std::regular_invocable<V const&> Change>
        requires std::convertible_to<std::invoke_result_t<Change&, V const&>, V> &&
            std::default_initializable<V>
                outcome update(K const& key, Change&& change) {
            return write<true>(key, [&](std::byte const* old, std::byte* to) {
                if (old == nullptr) return outcome::absent;
                V value;
                std::memcpy(&value, old, sizeof(V));
                V const desired = change(std::as_const(value));
                std::memcpy(to, &desired, sizeof(V));
                return outcome::assigned;
            });
        }

    /// Removes a key. Lock-free, O(1). \return false if it was absent.
    bool erase(K const& key) {
        state_->refuse_forked();
        return table_.erase(image_of(key));
    }

    /// Calls visit(key, value) for every key: weakly consistent. A key that is there all the time is visited once;
    /// one that comes or goes meanwhile perhaps. `visit` may use this handle. O(capacity).
    template <std::invocable<K const&, V const&> Visit>
        requires std::default_initializable<K> && std::default_initializable<V>
    void for_each(Visit&& visit) {
        for (auto const& [key, value] : *this) visit(key, value);
    }

    /// Walks over the map, a bucket at a time; as consistent as for_each. For single passes.
    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = std::pair<K, V>;
        using difference_type = std::ptrdiff_t;
        using pointer = value_type const*;
        using reference = value_type const&;

        reference operator*() const { return (*copied_)[at_]; }
        pointer operator->() const { return &(*copied_)[at_]; }
        iterator& operator++() {
            ++at_;
            settle();
            return *this;
        }
        void operator++(int) { ++*this; }
        bool operator==(std::default_sentinel_t /*end*/) const noexcept { return map_ == nullptr; }

    private:
        friend class Map;
        explicit iterator(Map& map) : map_(&map), copied_(std::make_shared<std::vector<value_type>>()) {
            settle();
        }

        void settle() {
            while (at_ == copied_->size()) {
                if (bucket_ == map_->table_.bucket_count()) {
                    map_ = nullptr;
                    return;
                }
                at_ = 0;
                map_->copy_bucket(bucket_++, *copied_);
            }
        }

        Map* map_;
        std::shared_ptr<std::vector<value_type>> copied_;
        std::uint64_t bucket_ = 0;
        std::size_t at_ = 0;
    };

    [[nodiscard]] iterator begin() requires std::default_initializable<K> && std::default_initializable<V> {
        return iterator(*this);
    }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

    /// Puts in order what kills left, exactly; ordinary recovery, which each newly opened handle does, may have to
    /// leave some undecided. Only when nobody else is attached to the segment and this process has no handles in
    /// it. O(capacity). May be killed, and run again. \throws error: busy if not alone; as opening does; corrupt
    static repair_report repair(Memory& memory, std::string_view name) requires
        detail::repairable<detail::map_shape<policies, sizeof(K), sizeof(V)>> {
        return structure::repair(memory, name);
    }

    [[nodiscard]] std::uint64_t capacity() const noexcept { return capacity_; }

    /// Keys in it: exact if nothing changes meanwhile; else each bucket as it was at one moment. O(capacity).
    [[nodiscard]] std::uint64_t was_size() const {
        state_->refuse_forked();
        return table_.was_size();
    }
    [[nodiscard]] bool was_empty() const { return was_size() == 0; }

    /// What this handle's observer policy counted.
    [[nodiscard]] observer& observed() noexcept { return table_.observed(); }

    /// The number of the handle slot.
    [[nodiscard]] std::uint32_t handle_slot() const noexcept { return slot_; }

private:
    using layout = typename policies::layout;
    using atomics = typename policies::atomics;
    using waiters = detail::waiters<atomics>;
    using shape = detail::map_shape<policies, sizeof(K), sizeof(V)>;
    using table = typename shape::table;
    using structure = detail::structure<shape>;
    using place = typename structure::place;

    Map(Memory& memory, place const& at) : Map(memory, at, structure::claim(memory, at)) {}
    Map(Memory& memory, place const& at, detail::claimed claim)
        : state_(memory.attachment()),
          lock_(std::move(claim.lock)),
          slot_(claim.slot),
          capacity_(at.shape.capacity),
          keys_wait_(reinterpret_cast<typename waiters::word*>(memory.base() + at.offset +
                                                               layout::items_wait_offset)),
          table_(memory.base() + at.offset, at.shape, slot_) {}

    static map_options seeded(map_options options) {
        std::uint64_t seed = 0;
        if (!options.seed) {
            // A seed that is not random is as good, unless somebody chooses keys to collide.
            if (::getrandom(&seed, sizeof seed, GRND_NONBLOCK) != static_cast<ssize_t>(sizeof seed))
                seed =
                    static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
            options.seed = seed;
        }
        return options;
    }

    template <bool NeedsOld, class Decide>
    outcome write(K const& key, Decide&& decide) {
        state_->refuse_forked();
        auto const result = table_.template write<NeedsOld>(image_of(key), std::forward<Decide>(decide));
        if (result == outcome::inserted) waiters::template notify<true>(*keys_wait_, table_.observed());
        return result;
    }

    void copy_bucket(std::uint64_t bucket, std::vector<value_type>& into) {
        state_->refuse_forked();
        table_.copy_bucket(
            bucket, [&] { into.clear(); },
            [&](std::byte const* key, std::byte const* value) {
                auto& one = into.emplace_back();
                std::memcpy(&one.first, key, sizeof(K));
                std::memcpy(&one.second, value, sizeof(V));
            });
    }

    std::shared_ptr<detail::attachment> state_;
    detail::handle_lock lock_;  // behind state_, before table_: let go last
    std::uint32_t slot_;
    std::uint64_t capacity_;
    typename waiters::word* keys_wait_;
    table table_;
};

}  // namespace zeroipc
