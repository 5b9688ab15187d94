#pragma once
/// \file
/// What scenes of queues, stacks and maps have in common: shared bytes, a handle for each thread, and who recovers what
/// the dead leave.

#include <zeroipc/observer.hpp>
#include <zeroipc/waiting.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "atomics.hpp"
#include "explorer.hpp"
#include "history.hpp"

namespace zeroipc::model {

/// Zeroed bytes for a structure, on a boundary of 64.
class structure_bytes {
public:
    explicit structure_bytes(std::size_t bytes) : lines_((bytes + 63) / 64), memory_(new line[lines_]) {}
    [[nodiscard]] std::byte* base() noexcept { return memory_[0].bytes; }
    [[nodiscard]] std::size_t bytes() const noexcept { return 64 * lines_; }
    void clear() noexcept { std::memset(base(), 0, bytes()); }

private:
    struct alignas(64) line {
        std::byte bytes[64];
    };
    std::size_t lines_;
    std::unique_ptr<line[]> memory_;
};

/// One more handle than threads is open: the spare one, which fills the structure before and looks at it afterwards.
/// \tparam Handle an algorithm on the model. \tparam Part what a thread does; with `buries`, the threads whose death it
/// awaits before it recovers their slots, and takes over the last one's.
template <class Handle, class Geometry, class Part>
class handle_scene : public scenario {
public:
    [[nodiscard]] unsigned threads() const final { return static_cast<unsigned>(parts_.size()); }
    [[nodiscard]] std::byte* base() final { return shared_.base(); }
    [[nodiscard]] std::size_t bytes() const final { return shared_.bytes(); }

protected:
    /// \param geometry of a number of handle slots.
    template <class GeometryOf>
    handle_scene(std::vector<Part> parts, GeometryOf const& geometry)
        : parts_(std::move(parts)),
          slots_(static_cast<std::uint32_t>(parts_.size()) + 1),
          geometry_(geometry(slots_)),
          shared_(geometry_.total) {}

    /// An empty structure, and its spare handle.
    Handle& begin_anew() {
        shared_.clear();
        if constexpr (requires { Handle::initialise(base(), geometry_); })
            Handle::initialise(base(), geometry_);
        handles_.clear();
        handles_.resize(slots_);
        history_.clear();
        recovered_.assign(slots_, false);
        return handles_.back().emplace(base(), geometry_, slots_ - 1);
    }
    /// Of all threads that do not wait for a death first.
    void open_handles() {
        for (unsigned t = 0; t < threads(); ++t)
            if (parts_[t].buries.empty()) handles_[t].emplace(base(), geometry_, t);
    }
    [[nodiscard]] Handle& spare() { return *handles_.back(); }

    /// Slots that a dead thread may have left: its own, or those that it was just recovering.
    [[nodiscard]] std::vector<unsigned> slots_of(unsigned t) const {
        auto slots = parts_[t].buries;
        if (slots.empty()) slots.push_back(t);
        return slots;
    }

    /// Gets thread t its handle. \param recover takes over a slot, and says whether it could. \return whether t has one.
    template <class Recover>
    bool gets_handle(explorer& machine, unsigned t, Recover const& recover) {
        auto const& dead = parts_[t].buries;
        if (dead.empty()) return true;
        for (auto const one : dead)
            if (!machine.await_death(one)) return false;
        for (auto const one : dead) recovered_[slots_of(one).back()] = false;
        // A slot that can't be decided yet may be later: when the other dead one's slot is.
        for (int pass = 0; pass < 2; ++pass)
            for (auto const one : dead) {
                auto const slot = slots_of(one).back();
                if (recovered_[slot]) continue;
                machine.begin_operation("recover slot " + std::to_string(slot));
                recovered_[slot] = recover(slot);
                machine.end_operation(recovered_[slot] ? "recovered" : "parked");
            }
        auto const slot = slots_of(dead.back()).back();
        if (!recovered_[slot]) return false;
        handles_[t].emplace(base(), geometry_, slot);
        return true;
    }

    /// All is quiet now: what one dead one's slot leaves undecided, another one's tells. \return what is wrong.
    template <class Recover>
    std::string bury_all(explorer const& machine, Recover const& recover) const {
        std::vector<unsigned> left;
        for (unsigned t = 0; t < threads(); ++t)
            if (machine.has_died(t))
                for (auto const slot : slots_of(t)) left.push_back(slot);
        for (auto passes = left.size(); passes > 0 && !left.empty(); --passes) std::erase_if(left, recover);
        if (left.empty()) return {};
        return "slot " + std::to_string(left.front()) + " can't be recovered, though all is quiet";
    }
    [[nodiscard]] bool somebody_died(explorer const& machine) const {
        bool any = false;
        for (unsigned t = 0; t < threads(); ++t) any = any || machine.has_died(t);
        return any;
    }

    /// Wakes who sleeps on the futex word there, as an operation does behind its commit.
    template <bool CommittedByRmw>
    void wake(std::size_t offset) {
        zeroipc::observer::none nobody;
        waiters::template notify<CommittedByRmw>(wait_word(offset), nobody);
    }
    /// Sleeps there until an attempt succeeds, as a blocking operation does.
    template <class Try>
    bool sleep(std::size_t offset, Try&& attempt) {
        zeroipc::observer::none nobody;
        return zeroipc::waiting::sleeping<1>::wait<model::atomics>(wait_word(offset), attempt, {}, nobody);
    }

    std::vector<Part> parts_;
    std::uint32_t slots_;
    Geometry geometry_;
    std::vector<std::optional<Handle>> handles_;
    history history_;

private:
    using waiters = zeroipc::detail::waiters<model::atomics>;
    typename waiters::word& wait_word(std::size_t offset) {
        return *reinterpret_cast<typename waiters::word*>(base() + offset);
    }

    structure_bytes shared_;
    std::vector<bool> recovered_;
};

}  // namespace zeroipc::model
