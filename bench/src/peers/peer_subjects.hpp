#pragma once
/// \file
/// From a peer to a subject.
///
/// A peer is a class made from a Control (capacity, workers) by the process of its workers. A queue or stack has
/// try_push(item) and try_pop(item); a map insert, find, erase and for_each as the library's, and insert_or_assign and
/// update if values can be changed in their place. What a worker needs of its own is a nested Handle(peer, worker, pushes)
/// with those functions. What a peer cannot do, a static check(cell) refuses.

#include <zeroipc/error.hpp>

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "peer_tables.hpp"
#include "zeroipc/bench/map_subject.hpp"
#include "zeroipc/bench/queue_subject.hpp"
#include "zeroipc/bench/stack_subject.hpp"

namespace zeroipc::bench {

/// What a worker uses: its own handle, or the peer itself.
template <class Peer>
decltype(auto) open_peer(Peer& peer, std::uint32_t worker, bool pushes) {
    if constexpr (requires { typename Peer::Handle; })
        return typename Peer::Handle(peer, worker, pushes);
    else
        return (peer);
}

/// What the subjects of all structures share.
template <class Peer, class Made>
struct PeerSubject {
    static std::uint64_t bytes(Cell const& cell) {
        if constexpr (requires { Peer::check(cell); }) Peer::check(cell);
        return 0;
    }
    static void create(Memory&, Cell const&, Initial&) {}
    static Made& made(Bench const& bench) { return *static_cast<Made*>(bench.made); }
};

/// For Peer::check: \throws error if the cell's capacity is above `most`.
inline void check_capacity(Cell const& cell, std::uint64_t most) {
    if (cell.capacity > most)
        throw error(errc::invalid_capacity, "capacity " + std::to_string(cell.capacity) + "; " +
                                                cell.variant + " takes at most " + std::to_string(most));
}

/// The same for one that takes powers of two from `least` on.
inline void check_least_capacity(Cell const& cell, std::uint64_t least) {
    if (cell.capacity < least)
        throw error(errc::invalid_capacity, "capacity " + std::to_string(cell.capacity) + "; " +
                                                cell.variant + " takes powers of two from " +
                                                std::to_string(least) + " on");
}

template <class Peer>
struct TwoQueues {
    explicit TwoQueues(Control const& control) : there(control) {
        if (control.mode == Mode::pingpong) back.emplace(control);
    }
    Peer there;
    std::optional<Peer> back;
};

template <class Peer, std::size_t N>
struct PeerQueue : PeerSubject<Peer, TwoQueues<Peer>> {
    using PeerSubject<Peer, TwoQueues<Peer>>::made;

    static std::shared_ptr<void> make(Control const& control, Initial&) {
        return std::make_shared<TwoQueues<Peer>>(control);
    }
    static void work(Bench& bench, Memory&, Stages& stages, std::uint32_t worker) {
        bool const producer = worker < bench.control.producers;
        work_on_queue<N>(
            bench, stages, worker,
            [&]() -> decltype(auto) { return open_peer(made(bench).there, worker, producer); },
            [&]() -> decltype(auto) { return open_peer(*made(bench).back, worker, !producer); });
    }
};

template <class Peer, std::size_t N>
struct PeerStack : PeerSubject<Peer, Peer> {
    static std::shared_ptr<void> make(Control const& control, Initial& initial) {
        auto peer = std::make_shared<Peer>(control);
        auto&& stack = open_peer(*peer, 0, true);
        fill_stack<N>(stack, control.capacity, control.filled_percent, initial);
        return peer;
    }
    static void work(Bench& bench, Memory&, Stages& stages, std::uint32_t worker) {
        auto&& stack = open_peer(PeerSubject<Peer, Peer>::made(bench), worker, true);
        work_on_stack<N>(bench, stages, worker, stack);
    }
};

template <class Peer, std::size_t N>
struct PeerMap : PeerSubject<Peer, Peer> {
    static std::uint64_t bytes(Cell const& cell) {
        auto const mix = *parse_mix(cell.mix);
        using map = std::remove_reference_t<decltype(open_peer(std::declval<Peer&>(), 0U, true))>;
        if (!changes_values<map, Payload<N>> && mix.update + mix.modify != 0)
            throw error(errc::invalid_argument,
                        "mix " + cell.mix + ": " + cell.variant +
                            " does not change values in their place; use one without u and m, such as "
                            "r90i5e5, ycsb-c, ycsb-d or ycsb-e");
        return PeerSubject<Peer, Peer>::bytes(cell);
    }
    static std::shared_ptr<void> make(Control const& control, Initial& initial) {
        auto peer = std::make_shared<Peer>(control);
        auto&& map = open_peer(*peer, 0, true);
        fill_map<N>(map, control.capacity, control.filled_percent, initial);
        return peer;
    }
    static void work(Bench& bench, Memory&, Stages& stages, std::uint32_t worker) {
        auto&& map = open_peer(PeerSubject<Peer, Peer>::made(bench), worker, true);
        work_on_map<N>(bench, stages, worker, map);
    }
};

/// A peer's subject under its name, for threads of one process.
template <class PeerOfStructure>
void add_peer(SubjectTable& table, char const* name) {
    using peer = PeerOfStructure;
    table.emplace(name, Subject{&peer::bytes, &peer::create, &peer::work, &peer::make, true});
}

/// Calls add.template operator()<N>() with the payload's size.
template <class Add>
void with_payload(std::uint32_t payload_bytes, Add&& add) {
    if (payload_bytes == 8)
        add.template operator()<8>();
    else
        add.template operator()<64>();
}

}  // namespace zeroipc::bench
