#pragma once
/// \file
/// A map of chained nodes under striped locks: buckets share up to 64 robust mutexes, and the nodes' pool has one more.
/// A classic of textbooks (M. Herlihy and N. Shavit, "The art of multiprocessor programming", 2008, StripedHashSet).
/// Blocking: a stopped owner stops its stripe, and soon all who need a node.
///
/// Kill-safe: a chain changes by one store, so it is right at every instruction; a new value is a new node. A dead owner's
/// node may be in no chain and not in the pool: whoever finds the pool empty looks whether an owner died, and if so takes
/// all mutexes, in their order, and puts every node that is in no chain into the pool; exactly, and again if it is killed
/// over it.

#include <zeroipc/bucket_map.hpp>
#include <zeroipc/error.hpp>
#include <zeroipc/hash.hpp>
#include <zeroipc/policy.hpp>
#include <zeroipc/table.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "robust_mutex.hpp"

namespace zeroipc::variants {

/// Where the parts of the map lie, in bytes from the structure's start.
struct striped_geometry {
    std::uint64_t capacity = 0;
    std::uint64_t seed = 0;
    std::uint64_t stripes =
        0;  ///< mutexes of buckets: bucket b has number b mod stripes; the pool's stands behind them
    std::uint64_t mutexes = 0;
    std::uint64_t pool = 0;     ///< first free node, nodes ever used, whether an owner died: a word each
    std::uint64_t buckets = 0;  ///< a word each: the first node
    std::uint64_t nodes = 0;
    std::uint64_t total = 0;

    /// Who replaces a value needs one more for a moment; no more do so at once than there are stripes.
    [[nodiscard]] constexpr std::uint64_t node_count() const noexcept { return capacity + stripes; }
};

template <class Policies, std::size_t KeyBytes, std::size_t ValueBytes>
class striped_map {
    using layout = typename Policies::layout;
    using observer = typename Policies::observer;
    using atomics = typename Policies::atomics;
    using word = typename atomics::template word<std::uint64_t>;
    static constexpr auto relaxed = std::memory_order_relaxed;  // the mutexes order everything here

public:
    using key = key_image<KeyBytes>;
    static constexpr std::uint64_t key_bytes = sizeof(key);
    static constexpr std::uint64_t item_stride = 8 + key_bytes + format::align_up(ValueBytes, 8);
    static constexpr std::uint64_t cell_stride = 0;

    static constexpr striped_geometry geometry(std::uint64_t capacity, std::uint32_t /*handle_slots*/,
                                               std::uint64_t seed) noexcept {
        striped_geometry g;
        g.capacity = capacity;
        g.seed = seed;
        g.stripes = std::min<std::uint64_t>(64, std::bit_ceil(capacity));
        g.mutexes = layout::body_offset;
        g.pool = g.mutexes + robust_mutex::stride(layout::line) * (g.stripes + 1);
        g.buckets = g.pool + layout::line;
        g.nodes = format::align_up(g.buckets + 8 * capacity, 64);
        g.total = g.nodes + item_stride * g.node_count();
        return g;
    }

    static void initialise(std::byte* base, striped_geometry const& g) {
        for (std::uint64_t i = 0; i <= g.stripes; ++i) mutex_at(base, g, i).initialise();
    }

    striped_map(std::byte* base, striped_geometry const& g, std::uint32_t /*slot*/)
        : base_(base), shape_(g) {}

    /// Blocking. Copies the value of a key.
    bool find(key const& k, void* value) {
        auto const bucket = bucket_for(k);
        stripe const locked(*this, bucket);
        auto const at = locate(bucket, k);
        if (at.node == 0) return false;
        if (value != nullptr) atomics::read_payload(value, value_of(at.node), ValueBytes);
        return true;
    }

    /// Blocking. Commit: the store to the link that led to the key's node.
    bool erase(key const& k) {
        auto const bucket = bucket_for(k);
        stripe const locked(*this, bucket);
        auto const at = locate(bucket, k);
        if (at.node == 0) return false;
        replace(at, link_of(at.node).load(relaxed));
        return true;
    }

    /// Blocking. See bucket_map::write. Commit: the store to the link that leads to the new node. `decide` is called
    /// under a mutex: it must not use the map.
    template <bool NeedsOld, class Decide>
    outcome write(key const& k, Decide&& decide) {
        alignas(8) std::byte desired[ValueBytes];
        auto const bucket = bucket_for(k);
        for (;;) {
            {
                stripe const locked(*this, bucket);
                auto const at = locate(bucket, k);
                auto const result = decide(at.node == 0 ? nullptr : value_of(at.node), desired);
                if (result != outcome::inserted && result != outcome::assigned) return result;
                if (auto const fresh = allocate(); fresh != 0) {
                    link_of(fresh).store(at.node == 0 ? 0 : link_of(at.node).load(relaxed), relaxed);
                    atomics::write_payload(key_of(fresh), k.data(), key_bytes);
                    atomics::write_payload(value_of(fresh), desired, ValueBytes);
                    replace(at, fresh);
                    return result;
                }
            }
            if (!reclaim()) return outcome::full;
        }
    }

    /// Each stripe at one moment. Blocking, O(capacity).
    [[nodiscard]] std::uint64_t was_size() const {
        std::uint64_t keys = 0;
        for (std::uint64_t b = 0; b < shape_.capacity; ++b) {
            stripe const locked(*this, b);
            walk(b, [&](word&, std::uint64_t) {
                ++keys;
                return true;
            });
        }
        return keys;
    }

    [[nodiscard]] std::uint64_t bucket_count() const noexcept { return shape_.capacity; }

    /// Copies all of one bucket at one moment. Blocking. `take` is called under a mutex.
    template <class Restart, class Take>
    void copy_bucket(std::uint64_t bucket, Restart&& restart, Take&& take) {
        restart();
        stripe const locked(*this, bucket);
        walk(bucket, [&](word&, std::uint64_t node) {
            take(key_of(node), value_of(node));
            return true;
        });
    }

    [[nodiscard]] observer& observed() noexcept { return observer_; }

private:
    /// Where a key is: the link that leads to its node; or no node, and the link at its chain's end.
    struct place {
        word* link = nullptr;
        std::uint64_t node = 0;
    };

    static robust_mutex mutex_at(std::byte* base, striped_geometry const& g, std::uint64_t number) noexcept {
        return robust_mutex(base + g.mutexes + robust_mutex::stride(layout::line) * number);
    }

    /// Holds one of the mutexes, by number, and notes it if its former owner died.
    class numbered {
    public:
        numbered(striped_map const& map, std::uint64_t number)
            : locked_(mutex_at(map.base_, map.shape_, number)) {
            if (locked_.former_owner_died()) map.died().store(1, relaxed);
        }

    private:
        robust_mutex::guard locked_;
    };
    /// Holds the mutex of a bucket.
    class stripe : numbered {
    public:
        stripe(striped_map const& map, std::uint64_t bucket)
            : numbered(map, bucket & (map.shape_.stripes - 1)) {}
    };

    [[nodiscard]] word& word_at(std::uint64_t offset) const noexcept {
        return *reinterpret_cast<word*>(base_ + offset);
    }
    [[nodiscard]] word& first_free() const noexcept { return word_at(shape_.pool); }
    [[nodiscard]] word& ever_used() const noexcept { return word_at(shape_.pool + 8); }
    [[nodiscard]] word& died() const noexcept { return word_at(shape_.pool + 16); }

    /// Nodes are numbered from 1; 0 is none.
    [[nodiscard]] std::byte* node_at(std::uint64_t n) const {
        if (n > shape_.node_count())
            zeroipc::detail::corrupt("map", "a link names a node that does not exist");
        return base_ + shape_.nodes + item_stride * (n - 1);
    }
    [[nodiscard]] word& link_of(std::uint64_t n) const { return *reinterpret_cast<word*>(node_at(n)); }
    [[nodiscard]] std::byte* key_of(std::uint64_t n) const { return node_at(n) + 8; }
    [[nodiscard]] std::byte* value_of(std::uint64_t n) const { return node_at(n) + 8 + key_bytes; }

    [[nodiscard]] std::uint64_t bucket_for(key const& k) const noexcept {
        return bucket_of(hash(k, shape_.seed), shape_.capacity);
    }

    /// Calls visit(link, node) for the nodes of a chain, until it says no. \return the link where it ended.
    template <class Visit>
    word* walk(std::uint64_t bucket, Visit&& visit) const {
        auto* link = &word_at(shape_.buckets + 8 * bucket);
        for (std::uint64_t i = 0; i <= shape_.node_count(); ++i) {
            auto const node = link->load(relaxed);
            if (node == 0 || !visit(*link, node)) return link;
            link = &link_of(node);
        }
        zeroipc::detail::corrupt("map", "a chain leads back into itself");
    }

    [[nodiscard]] place locate(std::uint64_t bucket, key const& k) const {
        place at;
        at.link = walk(bucket, [&](word&, std::uint64_t node) {
            if (std::memcmp(key_of(node), k.data(), key_bytes) != 0) return true;
            at.node = node;
            return false;
        });
        return at;
    }

    /// The commit: makes the link lead elsewhere, then gives the node back that it led to.
    void replace(place const& at, std::uint64_t node) {
        atomics::order_for_undertaker();
        at.link->store(node, relaxed);
        atomics::order_for_undertaker();
        if (at.node == 0) return;
        numbered const locked(*this, shape_.stripes);
        put_into_pool(at.node);
    }

    void put_into_pool(std::uint64_t node) const {
        link_of(node).store(first_free().load(relaxed), relaxed);
        atomics::order_for_undertaker();
        first_free().store(node, relaxed);
    }

    /// \return a node that is in no chain, or 0 if there is none.
    std::uint64_t allocate() {
        numbered const locked(*this, shape_.stripes);
        if (auto const node = first_free().load(relaxed); node != 0) {
            first_free().store(link_of(node).load(relaxed), relaxed);
            return node;
        }
        auto const used = ever_used().load(relaxed);
        if (used >= shape_.node_count()) return 0;
        ever_used().store(used + 1, relaxed);
        return used + 1;
    }

    /// Finds the nodes that died with their owners. O(capacity) behind a death, else O(stripes).
    /// \pre no mutex is held \return false if nobody died: the map is full.
    bool reclaim() {
        std::deque<numbered> all;
        for (std::uint64_t i = 0; i <= shape_.stripes; ++i) all.emplace_back(*this, i);
        if (died().load(relaxed) == 0) return false;
        auto const used = std::min(ever_used().load(relaxed), shape_.node_count());
        std::vector<bool> chained(shape_.node_count() + 1, false);
        for (std::uint64_t b = 0; b < shape_.capacity; ++b)
            walk(b, [&](word&, std::uint64_t node) {
                static_cast<void>(node_at(node));  // refuses what is no node
                chained[node] = true;
                return true;
            });
        first_free().store(0, relaxed);
        for (auto node = used; node > 0; --node)
            if (!chained[node]) put_into_pool(node);
        atomics::order_for_undertaker();
        died().store(0, relaxed);
        return first_free().load(relaxed) != 0;
    }

    std::byte* base_;
    striped_geometry shape_;
    [[no_unique_address]] observer observer_;
};

namespace algorithm {

/// Selects chained nodes under striped mutexes.
struct striped {
    using policy_kind = policy::algorithm_kind;
    static constexpr std::string_view structure = "map";
    static constexpr std::string_view name = "striped";
    static constexpr std::uint32_t id = 2;
    static constexpr std::uint64_t min_capacity = 1;
    static constexpr bool has_handles = false;
    static constexpr bool can_sleep = true;
    static constexpr bool takes_ordering = false;
    static constexpr bool takes_backoff = false;
    static constexpr bool takes_slot_bytes = false;
    static constexpr bool takes_place_of = false;
    static constexpr bool kill_safe = true;
    static constexpr bool linearizable_negatives = true;
    static constexpr bool uses_kernel_locks = true;
    static constexpr std::string_view progress = "blocking";
    static constexpr std::string_view source = "Herlihy and Shavit 2008, striped locks; robust mutexes";

    template <class Policies, std::size_t KeyBytes, std::size_t ValueBytes>
    using table = striped_map<Policies, KeyBytes, ValueBytes>;
};

}  // namespace algorithm
}  // namespace zeroipc::variants
