#pragma once
/// \file
/// The buckets of a map, and the overflow blocks that they share: where they lie, whose each block is, and how a
/// block comes into a bucket and out of it. Bytes and argument: format/map.md.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "../atomics.hpp"
#include "../error.hpp"
#include "../hash.hpp"
#include "../table.hpp"
#include "bucket_header.hpp"

namespace zeroipc {

/// Numbers of the ordered accesses of the map, for ordering policies and for the comments.
enum class bucket_access : int {
    reads_header = 1,       ///< (M1) acquire; partner (M2)
    commits = 2,            ///< (M2) acq_rel: every change of a header; partners (M1), (M2), (M3), (M8)
    confirms_negative = 3,  ///< (M3) acquire, behind the seq_cst fence; partner (M2)
    reads_link = 4,         ///< (M4) acquire; partner (M5)
    changes_link = 5,       ///< (M5) acq_rel; partners (M4), (M5)
    takes_block = 6,        ///< (M6) acq_rel; partners (M6), (M7)
    gives_block = 7,        ///< (M7) release; partner (M6)
    examines = 8,           ///< (M8) acquire; recovery; partners (M2), (M5), (M7), (M9)
    settles_slot = 9,       ///< (M9) release; partner (M8)
};

/// Where the parts of a map lie, in bytes from the structure's start.
struct bucket_geometry {
    std::uint64_t capacity = 0;
    std::uint32_t handle_slots = 0;
    std::uint64_t seed = 0;
    std::uint64_t bucket_count = 0;
    std::uint64_t block_count = 0;
    std::uint64_t slots = 0;    ///< first handle slot
    std::uint64_t owners = 0;   ///< first block's owner
    std::uint64_t buckets = 0;  ///< first bucket
    std::uint64_t blocks = 0;   ///< first overflow block
    std::uint64_t total = 0;    ///< bytes of the structure
};

namespace detail {

/// Base of bucket_map. One object belongs to one handle.
template <class Policies, std::size_t KeyBytes, std::size_t ValueBytes>
class bucket_blocks {
protected:
    using layout = typename Policies::layout;
    using ordering = typename Policies::ordering;
    using observer = typename Policies::observer;
    using atomics = typename Policies::atomics;
    using word = typename atomics::template word<std::uint64_t>;
    using half = typename atomics::template word<std::uint32_t>;
    using access = bucket_access;
    using header = bucket_header;

public:
    using key = key_image<KeyBytes>;
    static constexpr std::uint64_t key_words = (KeyBytes + 7) / 8;
    static constexpr std::uint64_t item_stride = 8 * key_words + format::align_up(ValueBytes, 8);
    static constexpr std::uint64_t block_stride = header::block_slots * item_stride;
    static constexpr std::uint64_t cell_stride =
        format::align_up(16 + header::inline_slots * item_stride, layout::line);  ///< of buckets

    /// Two buckets for three keys: one slot in two is used, and one key in 17 of a fresh map stands in a block.
    /// Churn keeps one block for every tenth key in use (as in an Erlang loss system of three servers), replacing
    /// values one for every eighth, so there is one for every sixth; and one for each handle, for the moment in
    /// which it replaces a value in a full bucket.
    static constexpr bucket_geometry geometry(std::uint64_t capacity, std::uint32_t handle_slots,
                                              std::uint64_t seed = 0) noexcept {
        bucket_geometry g;
        g.capacity = capacity;
        g.handle_slots = handle_slots;
        g.seed = seed;
        g.bucket_count = capacity * 2 / 3 + 1;
        g.block_count = (capacity / 6 + 64 < capacity ? capacity / 6 + 64 : capacity) + handle_slots;
        g.slots = layout::body_offset;
        g.owners = g.slots + layout::line * std::uint64_t{handle_slots};
        g.buckets = format::align_up(g.owners + 4 * g.block_count, layout::line);
        g.blocks = g.buckets + cell_stride * g.bucket_count;
        g.total = g.blocks + block_stride * g.block_count;
        return g;
    }

protected:
    bucket_blocks(std::byte* base, bucket_geometry const& g, std::uint32_t slot)
        : base_(base),
          shape_(g),
          slot_(at<slot_record>(g.slots + layout::line * std::uint64_t{slot})),
          me_(slot + 2),
          next_block_(g.block_count * slot / g.handle_slots) {}

    static constexpr std::uint64_t patience = patience_of<atomics>();
    static constexpr std::uint32_t in_pool = 0;
    static constexpr std::uint32_t in_bucket = 1;
    static constexpr std::uint32_t mark =
        0x80000000U;  ///< in a link: the handle slot that takes a block out here

    /// A handle slot: what its owner is about to do. Only the owner writes it.
    struct slot_record {
        word reserved;  ///< 0, or 1 + 16 bucket + slot: the slot that is or will be reserved
        word block;     ///< 0, or a `move` of a block
    };
    static_assert(sizeof(slot_record) == 16, "a handle slot's record has two words: see format/map.md");

    /// A block on its way into a bucket or out of it.
    enum class step : std::uint64_t {
        in,     ///< from the pool, to be linked
        claim,  ///< in a bucket, to be owned
        out     ///< owned, and known to be in this bucket: to be closed and taken out
    };
    struct move {
        std::uint64_t block;
        std::uint64_t bucket;
        unsigned k;  ///< which of the bucket's links
        step what;
    };
    static constexpr std::uint64_t pack(move const& m) noexcept {
        return 1 | static_cast<std::uint64_t>(m.what) << 1 | std::uint64_t{m.k} << 3 | m.block << 4 |
               m.bucket << 34;
    }
    static constexpr move unpack(std::uint64_t value) noexcept {
        return {(value >> 4) & 0x3fffffffU, value >> 34, static_cast<unsigned>(value >> 3) & 1,
                static_cast<step>((value >> 1) & 3)};
    }

    enum class attempt { done, lost, grown, impossible };

    template <class U>
    [[nodiscard]] U* at(std::uint64_t offset) const noexcept {
        return reinterpret_cast<U*>(base_ + offset);
    }
    [[nodiscard]] word& header_of(std::uint64_t bucket) const noexcept {
        return *at<word>(shape_.buckets + cell_stride * bucket);
    }
    [[nodiscard]] half& link_of(std::uint64_t bucket, unsigned k) const noexcept {
        return *at<half>(shape_.buckets + cell_stride * bucket + 8 + 4 * std::uint64_t{k});
    }
    [[nodiscard]] half& owner_of(std::uint64_t block) const noexcept {
        return *at<half>(shape_.owners + 4 * block);
    }
    [[noreturn]] static void corrupt(char const* what) { detail::corrupt("map", what); }
    [[noreturn]] static void no_progress() { detail::no_progress("map", patience); }

    /// 0, a block's number plus 1, or a mark.
    [[nodiscard]] std::uint64_t read_link(std::uint64_t bucket, unsigned k) const noexcept {
        return ordering::template load<atomics, access::reads_link>(link_of(bucket, k));  // (M4)
    }
    [[nodiscard]] bool is_block(std::uint64_t link) const noexcept {
        return link != 0 && link <= shape_.block_count;
    }

    /// A slot's words, or null if it stands in a block that the bucket does not have. Read behind the header: a
    /// block with a slot that is not free stays where it is.
    [[nodiscard]] word* slot_at(std::uint64_t bucket, unsigned slot) const noexcept {
        if (slot < header::inline_slots)
            return at<word>(shape_.buckets + cell_stride * bucket + 16 + item_stride * slot);
        auto const k = header::block_of(slot);
        auto const link = read_link(bucket, k);
        if (!is_block(link)) return nullptr;
        return at<word>(shape_.blocks + block_stride * (link - 1) +
                        item_stride * (slot - header::inline_slots - header::block_slots * k));
    }

    /// (M2) Replaces a header. \param now the value as read; renewed if that fails.
    bool change(std::uint64_t bucket, header& now, header after) {
        if (ordering::template exchange_if<atomics, access::commits>(header_of(bucket), now.value,
                                                                     after.value))
            return true;
        observer_.retry();
        return false;
    }

    /// Writes down, in the own slot, what is about to happen, for whoever finds it after our death.
    static void intend(word& record, std::uint64_t what) noexcept {
        record.store(what, std::memory_order_relaxed);
        atomics::order_for_undertaker();
    }
    static void release(word& record) noexcept {
        atomics::order_for_undertaker();
        ordering::template store<atomics, access::settles_slot>(record, std::uint64_t{0});  // (M9)
    }

    /// Gives the bucket one block more. \return grown or lost: look again, there may be room now; or impossible.
    attempt grow(std::uint64_t bucket, header now) {
        for (unsigned k = 0; k < header::blocks; ++k) {
            if ((now.free() & header::block_mask(k)) != header::block_mask(k)) continue;
            auto const link = read_link(bucket, k);
            if (is_block(link)) return attempt::lost;
            if (link != 0) continue;  // somebody takes a block out here, or died at it
            move m{0, bucket, k, step::in};
            if (!take_from_pool(m)) return attempt::impossible;
            std::uint32_t empty = 0;
            bool const linked = ordering::template exchange_if<atomics, access::changes_link>(  // (M5)
                link_of(bucket, k), empty, static_cast<std::uint32_t>(m.block + 1));
            give_block(m.block, linked ? in_bucket : in_pool);
            return attempt::grown;
        }
        return attempt::impossible;
    }

    /// Finds a block without an owner, and becomes its owner. O(1) while an eighth of them is free, O(blocks) when
    /// hardly any is.
    bool take_from_pool(move& m) {
        for (std::uint64_t i = 0; i < shape_.block_count; ++i) {
            m.block = next_block_;
            if (++next_block_ == shape_.block_count) next_block_ = 0;
            auto& owner = owner_of(m.block);
            std::uint32_t expected = owner.load(std::memory_order_relaxed);  // only a hint: (M6) decides
            if (expected != in_pool) continue;
            intend(slot_->block, pack(m));
            if (ordering::template exchange_if<atomics, access::takes_block>(owner, expected, me_))
                return true;  // (M6)
            observer_.retry();
        }
        release(slot_->block);
        return false;
    }

    void give_block(std::uint64_t block, std::uint32_t to) noexcept {
        atomics::order_for_undertaker();
        ordering::template store<atomics, access::gives_block>(owner_of(block), to);  // (M7)
        release(slot_->block);
    }

    /// Behind a commit that freed a slot: if its block is empty now, it goes back to the pool. Who finds the block
    /// in other hands leaves it to them: they look again when they give it back.
    void shrink(std::uint64_t bucket, unsigned slot, header after) {
        if (slot < header::inline_slots) return;
        auto const k = header::block_of(slot);
        for (unsigned round = 0; round < 64 && may_shrink(bucket, k, after); ++round) {
            // Either they see that we emptied the block, or we see that they gave it back.
            ordering::template before_negative<atomics>();
            after = {ordering::template load<atomics, access::reads_header>(header_of(bucket))};  // (M1)
        }
    }

    /// One attempt at that. \return whether the block was used meanwhile, and stayed: then it may be empty again.
    bool may_shrink(std::uint64_t bucket, unsigned k, header now) {
        auto const empty = [&] { return (now.free() & header::block_mask(k)) == header::block_mask(k); };
        if (!empty()) return false;
        auto const link = read_link(bucket, k);
        if (!is_block(link)) return false;
        move m{link - 1, bucket, k, step::claim};
        intend(slot_->block, pack(m));
        ordering::template before_negative<atomics>();  // as in shrink()
        std::uint32_t expected = in_bucket;
        if (!ordering::template exchange_if<atomics, access::takes_block>(owner_of(m.block), expected,
                                                                          me_)) {  // (M6)
            release(slot_->block);
            return false;
        }
        // From here on nobody else takes this block out of a bucket: whichever that is, it may have moved before.
        if (read_link(bucket, k) == link) {
            m.what = step::out;
            intend(slot_->block, pack(m));
            for (std::uint64_t round = 0; round < patience && empty(); ++round) {
                if (!change(bucket, now, now.close(header::block_mask(k)))) continue;
                take_out(m);
                return false;
            }
        }
        give_block(m.block, in_bucket);
        return true;
    }

    /// For who got the bucket a block and found it needless in the end: while he owned it, nobody else could take
    /// it out.
    void trim(std::uint64_t bucket) {
        for (unsigned k = 0; k < header::blocks; ++k)
            shrink(bucket, header::inline_slots + header::block_slots * k,
                   {ordering::template load<atomics, access::reads_header>(header_of(bucket))});  // (M1)
    }

    /// Takes out a block whose slots we closed. The link says meanwhile who is at it, so that nobody else links or
    /// closes anything here, and so that it is known after a death how far this went.
    void take_out(move const& m) {
        auto& link = link_of(m.bucket, m.k);
        auto linked = static_cast<std::uint32_t>(m.block + 1);
        ordering::template exchange_if<atomics, access::changes_link>(link, linked, mark | me_);  // (M5)
        header now{ordering::template load<atomics, access::reads_header>(header_of(m.bucket))};  // (M1)
        for (std::uint64_t round = 0; (now.closing() & header::block_mask(m.k)) != 0; ++round) {
            if (change(m.bucket, now, now.vacate(header::block_mask(m.k)))) break;
            if (round == patience) no_progress();
        }
        auto marked = mark | me_;
        ordering::template exchange_if<atomics, access::changes_link>(link, marked, 0U);  // (M5)
        give_block(m.block, in_pool);
    }

    /// A block's owner is written down with the block: so it is known what was done, and what was not.
    bool recover_block() {
        auto const intent = slot_->block.load(std::memory_order_relaxed);
        if (intent == 0) return true;
        auto const m = unpack(intent);
        if (m.block >= shape_.block_count || m.bucket >= shape_.bucket_count) return false;
        if (ordering::template load<atomics, access::examines>(owner_of(m.block)) != me_) {  // (M8)
            release(slot_->block);
            return true;
        }
        // We own the block: so nobody but us puts it into a bucket, closes its slots, or takes it out.
        auto const link = ordering::template load<atomics, access::examines>(link_of(m.bucket, m.k));  // (M8)
        header const now{ordering::template load<atomics, access::examines>(header_of(m.bucket))};     // (M8)
        bool const linked = link == m.block + 1;
        if (m.what == step::claim)
            give_block(m.block, in_bucket);
        else if (m.what == step::out &&
                 (link == (mark | me_) || (linked && (now.closing() & header::block_mask(m.k)) != 0)))
            take_out(m);
        else
            give_block(m.block, linked ? in_bucket : in_pool);
        // What the dead one put in and never used, or meant to take out, stays with nobody.
        shrink(m.bucket, header::inline_slots + header::block_slots * m.k,
               {ordering::template load<atomics, access::reads_header>(header_of(m.bucket))});  // (M1)
        return true;
    }

    std::byte* base_;
    bucket_geometry shape_;
    slot_record* slot_;
    std::uint32_t me_;          ///< as the owner of a block
    std::uint64_t next_block_;  ///< where the next look into the pool begins
    [[no_unique_address]] observer observer_;
};

}  // namespace detail
}  // namespace zeroipc
