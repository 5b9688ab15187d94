#pragma once
/// \file
/// The exchange ring: the default algorithm of Queue. Bytes and argument: format/queue.md.
///
/// A cell holds a *turn* and the number of the one payload buffer that it owns. A handle owns two buffers
/// more, its spares. To push is to fill the own out-spare in private and to swap it into the cell by one
/// compare-exchange, to pop is to swap the own in-spare for the filled buffer: that exchange is the
/// operation's only commit. A process that dies leaves no claimed cell behind, because there is no such
/// state; nobody ever waits for it.

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "atomics.hpp"
#include "error.hpp"
#include "layout.hpp"
#include "policy.hpp"
#include "repair.hpp"
#include "table.hpp"

namespace zeroipc {

/// Numbers of the ordered accesses of the exchange ring, for ordering policies and for the comments.
///
/// Edges: (Q1)-(Q2) a commit publishes the buffer's bytes to who reads the cell and then swaps it out.
/// (Q3)-(Q4) an index carries "all below is done", and lags by a few positions. (Q5) re-reads behind the
/// fence of a negative answer. (Q6)-(Q7) a handle slot's record.
enum class exchange_access : int {
    reads_cell = 1,         ///< (Q1) acquire; partner (Q2)
    commits = 2,            ///< (Q2) acq_rel; partners (Q1), (Q2), (Q5), (Q8)
    reads_index = 3,        ///< (Q3) acquire; partner (Q4)
    raises_index = 4,       ///< (Q4) acq_rel; partners (Q3), (Q4), (Q5)
    confirms_negative = 5,  ///< (Q5) acquire, behind the seq_cst fence; partners (Q2), (Q4)
    reads_slot = 6,         ///< (Q6) acquire; partner (Q7)
    settles_slot = 7,       ///< (Q7) release; partner (Q6)
    examines_cell = 8,      ///< (Q8) acquire; recovery reads a cell; partner (Q2)
};

/// Where the parts of an exchange ring lie, in bytes from the structure's start.
struct exchange_geometry {
    std::uint64_t capacity = 0;
    std::uint32_t handle_slots = 0;
    std::uint64_t slots = 0;    ///< first handle slot
    std::uint64_t cells = 0;    ///< first cell
    std::uint64_t buffers = 0;  ///< first payload buffer
    std::uint64_t total = 0;    ///< bytes of the structure

    [[nodiscard]] constexpr std::uint64_t buffer_count() const noexcept {
        return capacity + 2 * std::uint64_t{handle_slots};
    }
};

namespace detail {
template <class Ring>
class exchange_repair;
}

/// The ring on raw bytes. One object is one handle: it is used by one thread at a time.
/// \tparam Policies with members layout, ordering, backoff, observer and atomics.
template <class Policies, std::size_t ItemBytes>
class exchange_ring {
    using layout = typename Policies::layout;
    using ordering = typename Policies::ordering;
    using backoff = typename Policies::backoff;
    using observer = typename Policies::observer;
    using atomics = typename Policies::atomics;
    using word = typename atomics::template word<std::uint64_t>;
    using access = exchange_access;

public:
    static constexpr std::uint64_t item_stride =
        zeroipc::layout::slot_stride<layout>(format::align_up(ItemBytes, 8));
    static constexpr std::uint64_t cell_stride = zeroipc::layout::slot_stride<layout>(8);
    static constexpr bool commits_by_rmw = true;

    static constexpr exchange_geometry geometry(std::uint64_t capacity, std::uint32_t handle_slots) noexcept {
        exchange_geometry g;
        g.capacity = capacity;
        g.handle_slots = handle_slots;
        g.slots = layout::body_offset;
        g.cells = g.slots + layout::line * std::uint64_t{handle_slots};
        g.buffers = format::align_up(g.cells + cell_stride * capacity, 64);
        g.total = g.buffers + item_stride * g.buffer_count();
        return g;
    }

    /// Attaches to a ring whose geometry was checked against its place. The handle slot must be owned (its
    /// lock held) and settled (recover() said so).
    exchange_ring(std::byte* base, exchange_geometry const& g, std::uint32_t slot)
        : head_(at<word>(base, layout::head_offset)),
          tail_(at<word>(base, layout::tail_offset)),
          buffers_(base + g.buffers),
          slot_(at<slot_record>(base, g.slots + layout::line * std::uint64_t{slot})),
          shape_(g),
          cells_(base, g),
          out_home_(shape_.first_spare(slot)),
          in_home_(shape_.first_spare(slot) + 1),
          out_(buffer_in(slot_->out.load(std::memory_order_relaxed), out_home_)),
          in_(buffer_in(slot_->in.load(std::memory_order_relaxed), in_home_)),
          tail_seen_(ordering::template load<atomics, access::reads_index>(*tail_)),    // (Q3)
          head_seen_(ordering::template load<atomics, access::reads_index>(*head_)) {}  // (Q3)

    /// The own out-spare: ItemBytes that only this handle touches until publish().
    [[nodiscard]] std::byte* out_buffer() const noexcept { return buffers_ + item_stride * out_; }

    /// The own in-spare: after a successful take() the item, until the next one.
    [[nodiscard]] std::byte const* in_buffer() const noexcept { return buffers_ + item_stride * in_; }

    /// Puts the out-spare at the tail. Lock-free; O(1) without contention. Commit: (Q2).
    /// \return false if the queue was full at one moment during the call. \throws error(errc::corrupt)
    bool publish() {
        if (!commit(*tail_, tail_seen_, 0, slot_->out, out_, out_home_)) return false;
        atomics::prefetch_to_write(out_buffer());
        return true;
    }

    /// Swaps the item at the head into the in-spare. Lock-free; O(1) without contention. Commit: (Q2).
    /// \return false if the queue was empty at one moment during the call. \throws error(errc::corrupt)
    bool take() { return commit(*head_, head_seen_, 1, slot_->in, in_, in_home_); }

    bool try_push(void const* item) {
        atomics::write_payload(out_buffer(), item, ItemBytes);
        return publish();
    }

    bool try_pop(void* item) {
        if (!take()) return false;
        atomics::read_payload(item, in_buffer(), ItemBytes);
        return true;
    }

    /// Items in it: exact if nothing is popped meanwhile, else not less than were there at the start of the
    /// last try, and at most the capacity; 0 only if it was empty at one moment. Wait-free, O(index_step)
    /// without contention.
    [[nodiscard]] std::uint64_t was_size() const noexcept {
        auto head = first_not_done(*head_, 1);
        std::int64_t size = 0;
        for (int tries = 0; tries < 4; ++tries) {
            size = static_cast<std::int64_t>(first_not_done(*tail_, 0) - head);
            auto const again = first_not_done(*head_, 1);
            if (again == head) break;  // head stood still: the size is of when tail was read
            head = again;
        }
        if (size < 0) return 0;
        return static_cast<std::uint64_t>(size) < shape_.capacity ? static_cast<std::uint64_t>(size)
                                                                  : shape_.capacity;
    }

    [[nodiscard]] observer& observed() noexcept { return observer_; }

    /// Takes over a slot whose lock the caller has just got: decides which buffers its last owner had. May be
    /// killed at any step and run again; may run beside living handles and other recoveries. O(1), or
    /// O(capacity + slots) if the owner died between record and settlement and its cell has moved on since.
    /// \return false if that cannot be decided at present: let the lock go, and use another slot.
    static bool recover(std::byte* base, exchange_geometry const& g, std::uint32_t slot) {
        shape const s(g);
        auto* const record = at<slot_record>(base, g.slots + layout::line * std::uint64_t{slot});
        cell_row const cells(base, g);
        auto const home = s.first_spare(slot);
        return recover_role(base, g, s, slot, *record, record->out, home, cells) &&
               recover_role(base, g, s, slot, *record, record->in, home + 1, cells);
    }

    /// Puts a ring in order to which nobody is attached, in any process: that is the caller's to see to. Every
    /// slot is settled, parked ones as well, every buffer has its owner again, head and tail are exact; items
    /// stay, in their order. May be killed at any step and run again. O(capacity + slots), and O(slots) more
    /// for each dead handle whose buffers another dead one decides.
    /// \throws error(errc::corrupt), with nothing changed, if the cells say what no honest peer writes.
    static repair_report repair(std::byte* base, exchange_geometry const& g) {
        return detail::exchange_repair<exchange_ring>(base, g).run();
    }

    /// Every buffer's owner, for tests and tools: how often each buffer is named by a cell or a settled slot.
    /// Only when no operation is in flight.
    template <class Visit>
    static void visit_buffers(std::byte* base, exchange_geometry const& g, Visit&& visit) {
        shape const s(g);
        cell_row const cells(base, g);
        for (std::uint64_t i = 0; i < g.capacity; ++i)
            visit(s.buffer_of(cells[i].load(std::memory_order_acquire), i));
        for (std::uint32_t i = 0; i < g.handle_slots; ++i) {
            auto* const record = at<slot_record>(base, g.slots + layout::line * std::uint64_t{i});
            visit(s.spare_in(record->out.load(std::memory_order_acquire), s.first_spare(i)));
            visit(s.spare_in(record->in.load(std::memory_order_acquire), s.first_spare(i) + 1));
        }
    }

private:
    template <class Ring>
    friend class detail::exchange_repair;

    /// A handle slot: what the handle owns, and what it is about to do. Only its owner writes it, so the
    /// owner's own reads may be relaxed.
    struct slot_record {
        word out;       ///< (spare xor its first number) << 1 | pending
        word in;        ///< the same for the other spare
        word position;  ///< of the pending commit
        word expected;  ///< the cell word that the pending commit replaces
    };
    static_assert(sizeof(slot_record) == 32, "a handle slot's record has four words: see format/queue.md");
    static_assert(sizeof(slot_record) <= layout::line);

    /// The cells, each where the layout has it.
    class cell_row {
    public:
        cell_row(std::byte* base, exchange_geometry const& g) noexcept
            : first_(base + g.cells), bits_(static_cast<unsigned>(std::countr_zero(g.capacity))) {}
        word& operator[](std::uint64_t i) const noexcept {
            return *at<word>(first_, cell_stride * zeroipc::layout::place_of<layout>(i, bits_));
        }

    private:
        std::byte* first_;
        unsigned bits_;
    };

    /// A private copy of the geometry, and the packing of turn and buffer in a cell that follows from it.
    struct shape {
        explicit shape(exchange_geometry const& g) noexcept
            : capacity(g.capacity),
              buffers(g.buffer_count()),
              lap_shift(static_cast<unsigned>(std::countr_zero(g.capacity))),
              turn_shift(static_cast<unsigned>(std::bit_width(g.buffer_count() - 1))) {}

        std::uint64_t capacity;
        std::uint64_t buffers;
        unsigned lap_shift;
        unsigned turn_shift;  ///< bits of a buffer number

        [[nodiscard]] std::uint64_t index(std::uint64_t position) const noexcept {
            return position & (capacity - 1);
        }
        /// The cell word that stands for this turn and buffer; relative, so that cell i with buffer i is 0.
        [[nodiscard]] std::uint64_t pack(std::uint64_t turn, std::uint64_t buffer,
                                         std::uint64_t cell) const noexcept {
            return (turn << turn_shift) | (buffer ^ cell);
        }
        [[nodiscard]] std::uint64_t buffer_of(std::uint64_t value, std::uint64_t cell) const noexcept {
            return (value & ((std::uint64_t{1} << turn_shift) - 1)) ^ cell;
        }
        /// How many turns `value` is ahead of `turn`: modular, so turns may wrap.
        [[nodiscard]] std::int64_t ahead(std::uint64_t value, std::uint64_t turn) const noexcept {
            return static_cast<std::int64_t>((value >> turn_shift << turn_shift) - (turn << turn_shift)) >>
                   turn_shift;
        }
        [[nodiscard]] std::uint64_t first_spare(std::uint32_t slot) const noexcept {
            return capacity + 2 * std::uint64_t{slot};
        }
        [[nodiscard]] static std::uint64_t spare_in(std::uint64_t value, std::uint64_t home) noexcept {
            return (value >> 1) ^ home;
        }
    };

    static constexpr std::uint64_t pending = 1;
    /// The indices are hints. Raising them at every position would cost a second contended exchange an
    /// operation; at every eighth, who comes late walks over cells of one cache line instead.
    static constexpr std::uint64_t index_step = 8;
    static constexpr std::uint64_t patience = detail::patience_of<atomics>();

    template <class U>
    static U* at(std::byte* base, std::uint64_t offset) noexcept {
        return reinterpret_cast<U*>(base + offset);
    }

    [[noreturn]] static void corrupt(char const* what) { detail::corrupt("queue", what); }

    [[noreturn]] static void no_progress() { detail::no_progress("queue", patience); }

    std::uint64_t buffer_in(std::uint64_t value, std::uint64_t home) const {
        auto const buffer = shape::spare_in(value, home);
        if (buffer >= shape_.buffers) corrupt("a handle slot names a buffer that does not exist");
        return buffer;
    }

    /// Both operations are one: exchange the own spare for the buffer of the first cell that is not done.
    /// \param index tail or head; \param seen a position below which all is done, in private memory; \param
    /// parity of the turn that is waited for: even to push (empty), odd to pop (full).
    bool commit(word& index, std::uint64_t& seen, std::uint64_t parity, word& record, std::uint64_t& spare,
                std::uint64_t home) {
        backoff wait;
        auto position = seen;
        // The cell is wanted for writing: fetching it so from the start saves the second transfer of the
        // exchange.
        atomics::prefetch_to_write(&cells_[shape_.index(position)]);
        for (std::uint64_t round = 0; round < patience; ++round) {
            auto const i = shape_.index(position);
            auto const turn = 2 * (position >> shape_.lap_shift) + parity;
            auto value = ordering::template load<atomics, access::reads_cell>(cells_[i]);  // (Q1)
            auto const ahead = shape_.ahead(value, turn);
            if (ahead == 0) {
                auto const gained = shape_.buffer_of(value, i);
                if (gained >= shape_.buffers) [[unlikely]]
                    corrupt("a cell names a buffer that does not exist");
                if (parity == 1) atomics::prefetch(buffers_ + item_stride * gained);
                // Only an undertaker reads this, after our death; it must find it complete or not pending.
                slot_->position.store(position, std::memory_order_relaxed);
                slot_->expected.store(value, std::memory_order_relaxed);
                atomics::order_for_undertaker();
                record.store(spare_word(spare, home) | pending, std::memory_order_relaxed);
                atomics::order_for_undertaker();
                if (ordering::template exchange_if<atomics, access::commits>(  // (Q2), the commit
                        cells_[i], value, shape_.pack(turn + 1, spare, i))) {
                    spare = gained;
                    settle(record, spare, home);
                    seen = position + 1;
                    if (seen % index_step == 0) raise(index, seen);
                    return true;
                }
                settle(record, spare, home);
                observer_.retry();
                observer_.backoff();
                wait();
            } else if (ahead > 0) {
                // This position is done, and so are those that the cell has been through since.
                auto next = after(position, ahead);
                if (next / index_step != position / index_step) {
                    // The shared index may know more than this walk, or less.
                    auto const shared = ordering::template load<atomics, access::reads_index>(index);  // (Q3)
                    if (static_cast<std::int64_t>(shared - next) > 0)
                        next = shared;
                    else
                        raise(index, next);
                }
                position = seen = next;
            } else {
                // A hint of full or empty. It is the answer if the cell still says so behind a fence, and the
                // index knows of nothing later: a handle that slept through half of the turns' period sees
                // the sign reversed.
                ordering::template before_negative<atomics>();
                auto const again =
                    ordering::template load<atomics, access::confirms_negative>(cells_[i]);  // (Q5)
                auto const shared =
                    ordering::template load<atomics, access::confirms_negative>(index);  // (Q5)
                if (static_cast<std::int64_t>(shared - position) > 0) {
                    position = seen = shared;
                } else if (again == value) {
                    if (parity == 1) foresee(position, shape_.buffer_of(value, i));
                    return false;
                }
            }
        }
        no_progress();
    }

    /// Fetches, while the queue is empty, the buffer in which the next item will probably be: the producer's
    /// spare is what it gained from the cell before, if no other producer came between. Cell and item then
    /// arrive at the same time instead of one after the other. A wrong guess costs a fetch.
    void foresee(std::uint64_t position, std::uint64_t empty_buffer) noexcept {
        if (position != watched_position_) {
            foreseen_ = position == watched_position_ + 1 ? watched_buffer_ : empty_buffer;
            watched_position_ = position;
            watched_buffer_ = empty_buffer;
        }
        atomics::prefetch(buffers_ + item_stride * foreseen_);
    }

    /// The first position that may not be done, given that the cell of `position` is `ahead` turns further.
    [[nodiscard]] std::uint64_t after(std::uint64_t position, std::int64_t ahead) const noexcept {
        return position + ((static_cast<std::uint64_t>(ahead) - 1) / 2 << shape_.lap_shift) + 1;
    }

    /// Walks from an index to where it would be if it were raised at every position. Gives up behind peers
    /// that go on as fast.
    [[nodiscard]] std::uint64_t first_not_done(word const& index, std::uint64_t parity) const noexcept {
        auto position = ordering::template load<atomics, access::reads_index>(index);  // (Q3)
        for (std::uint64_t step = 0; step < shape_.capacity + 2 * index_step; ++step) {
            auto const value =
                ordering::template load<atomics, access::reads_cell>(cells_[shape_.index(position)]);  // (Q1)
            auto const ahead = shape_.ahead(value, 2 * (position >> shape_.lap_shift) + parity);
            if (ahead <= 0) break;
            position = after(position, ahead);
        }
        return position;
    }

    /// Records a spare as plainly owned.
    void settle(word& record, std::uint64_t spare, std::uint64_t home) noexcept {
        atomics::order_for_undertaker();
        ordering::template store<atomics, access::settles_slot>(record, spare_word(spare, home));  // (Q7)
        atomics::order_for_undertaker();
    }

    static std::uint64_t spare_word(std::uint64_t spare, std::uint64_t home) noexcept {
        return (spare ^ home) << 1;
    }

    /// Raises a shared index to n, from whatever it is. Who commits or passes a multiple of index_step does
    /// this: an index that a killed process left behind is right again after the next step, and walks stay
    /// short.
    void raise(word& index, std::uint64_t n) noexcept {
        auto now = index.load(std::memory_order_relaxed);  // only the start of a compare-exchange
        // A hostile peer may lower it again and again; it is a hint, and not worth more than this.
        for (std::uint64_t round = 0; round<patience&& static_cast<std::int64_t>(n - now)> 0; ++round) {
            if (now + index_step < n) observer_.help();
            if (ordering::template exchange_if<atomics, access::raises_index>(index, now, n)) return;  // (Q4)
        }
    }

    static bool recover_role(std::byte* base, exchange_geometry const& g, shape const& s, std::uint32_t slot,
                             slot_record& record, word& role, std::uint64_t home, cell_row const& cells) {
        auto const owned =
            role.load(std::memory_order_relaxed);  // the slot is ours: its lock ordered us behind its owner
        auto const spare = shape::spare_in(owned, home);
        if (spare >= s.buffers) return false;
        if ((owned & pending) == 0) return true;

        auto const i = s.index(record.position.load(std::memory_order_relaxed));
        auto const expected = record.expected.load(std::memory_order_relaxed);
        auto const gain = s.buffer_of(expected, i);
        if (gain >= s.buffers) return false;
        auto const value = ordering::template load<atomics, access::examines_cell>(cells[i]);  // (Q8)
        auto const ahead = s.ahead(value, expected >> s.turn_shift);
        std::optional<std::uint64_t> mine;
        if (ahead == 0)
            mine = spare;  // nobody committed there yet
        else if (ahead == 1)
            mine = s.buffer_of(value, i) == spare ? gain
                                                  : spare;  // it was the dead one if its spare stands there
        else if (ahead > 1)
            mine = orphan_of(base, g, s, slot, spare, gain, cells);
        if (!mine) return false;
        ordering::template store<atomics, access::settles_slot>(role, (*mine ^ home) << 1);  // (Q7)
        return true;
    }

    /// The dead owner's commit either failed, and its spare is nobody's, or succeeded, and what it gained is.
    /// Only positive evidence counts: whichever of the two is seen in a cell or as a settled spare is in
    /// circulation. A pending spare proves nothing: it may have been given away already.
    static std::optional<std::uint64_t> orphan_of(std::byte* base, exchange_geometry const& g, shape const& s,
                                                  std::uint32_t slot, std::uint64_t spare, std::uint64_t gain,
                                                  cell_row const& cells) {
        bool spare_seen = false;
        bool gain_seen = false;
        auto const see = [&](std::uint64_t buffer) {
            spare_seen = spare_seen || buffer == spare;
            gain_seen = gain_seen || buffer == gain;
        };
        for (std::uint64_t i = 0; i < g.capacity && spare_seen == gain_seen; ++i)
            see(s.buffer_of(ordering::template load<atomics, access::examines_cell>(cells[i]), i));  // (Q8)
        for (std::uint32_t other = 0; other < g.handle_slots && spare_seen == gain_seen; ++other) {
            if (other == slot) continue;
            auto* const record = at<slot_record>(base, g.slots + layout::line * std::uint64_t{other});
            auto const home = s.first_spare(other);
            auto const out = ordering::template load<atomics, access::reads_slot>(record->out);  // (Q6)
            auto const in = ordering::template load<atomics, access::reads_slot>(record->in);    // (Q6)
            if ((out & pending) == 0) see(shape::spare_in(out, home));
            if ((in & pending) == 0) see(shape::spare_in(in, home + 1));
        }
        if (spare_seen == gain_seen) return std::nullopt;
        return spare_seen ? gain : spare;
    }

    word* head_;
    word* tail_;
    std::byte* buffers_;
    slot_record* slot_;
    shape shape_;
    cell_row cells_;
    std::uint64_t out_home_;
    std::uint64_t in_home_;
    std::uint64_t out_;
    std::uint64_t in_;
    std::uint64_t tail_seen_;
    std::uint64_t head_seen_;
    std::uint64_t watched_position_ =
        ~std::uint64_t{0};  // the last answer "empty": where, and the buffer seen there
    std::uint64_t watched_buffer_ = 0;
    std::uint64_t foreseen_ = 0;
    [[no_unique_address]] observer observer_;
};

namespace algorithm {

/// Selects the exchange ring. The default.
struct exchange {
    using policy_kind = policy::algorithm_kind;
    using access = exchange_access;
    static constexpr std::string_view structure = "queue";
    static constexpr std::string_view name = "exchange";
    static constexpr std::uint32_t id = 1;
    static constexpr std::uint64_t min_capacity = 1;
    static constexpr bool has_handles = true;
    static constexpr bool can_sleep = true;  ///< blocking operations may use a futex
    static constexpr bool takes_ordering = true;
    static constexpr bool takes_backoff = true;
    static constexpr bool kill_safe = true;
    static constexpr bool linearizable_negatives = true;
    static constexpr std::string_view progress = "lock-free";
    static constexpr std::string_view source = "ZeroIPC 2026; buffers exchanged by one CAS a commit";

    template <class Policies, std::size_t ItemBytes>
    using ring = exchange_ring<Policies, ItemBytes>;
};

}  // namespace algorithm
}  // namespace zeroipc

#include "detail/exchange_repair.hpp"  // behind the ring: it is made of the ring's parts
