#pragma once
/// \file
/// A cell: one point of a sweep.

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace zeroipc::bench {

enum class Mode : std::uint32_t {
    throughput = 0,  ///< closed loop: every worker does its operation as fast as it can
    pingpong = 1,    ///< one item in flight between two workers: round trips
    latency = 2,     ///< single operations, in a closed loop or on a schedule
    kill = 3,        ///< as throughput, and one worker is killed inside the window
};

char const* to_string(Mode mode);

/// What workers are.
enum class Host : std::uint32_t {
    processes = 0,  ///< each a process of its own, as users of shared memory are
    threads = 1,    ///< all in one process: to compare with libraries that can do nothing else
};

char const* to_string(Host host);

/// Which of a queue's operations its workers call.
enum class Calls : std::uint32_t {
    attempts = 0,  ///< those that answer full or empty
    waiting = 1,   ///< those that wait for space or an item, as the variant's way of waiting has it
};

char const* to_string(Calls calls);

/// "queue", "stack", "map" or "bound": what stands in front of a name, of a peer's behind "peer/", and at the end of one
/// of another language's (lang/LANGUAGE/STRUCTURE).
constexpr std::string_view structure_of(std::string_view variant) {
    constexpr std::string_view peer = "peer/";
    if (variant.starts_with("lang/")) return variant.substr(variant.rfind('/') + 1);
    if (variant.starts_with(peer)) variant.remove_prefix(peer.size());
    return variant.substr(0, variant.find('/'));
}

/// Names of the bounds, which stand in every run beside the variants.
inline constexpr char const* bound_cacheline =
    "bound/cacheline";  ///< two lines written in turn by two processes
inline constexpr char const* bound_fetch_add = "bound/fetch_add";  ///< one counter incremented by all
inline constexpr char const* bound_cas = "bound/cas";              ///< the same by compare-exchange
inline constexpr char const* bound_mutex = "bound/mutex";          ///< the same under a robust mutex
inline constexpr char const* bound_empty = "bound/empty";  ///< the loop around a structure that does nothing
// The operating system's own queues:
inline constexpr char const* bound_pipe = "bound/pipe";
inline constexpr char const* bound_unix_socket = "bound/unix_socket";  ///< of packets (SOCK_SEQPACKET)
inline constexpr char const* bound_posix_mq = "bound/posix_mq";        ///< a message queue (mq_overview(7))
inline constexpr std::array kernel_queues{bound_pipe, bound_unix_socket, bound_posix_mq};
inline bool is_kernel_queue(std::string_view name) {
    return std::find(kernel_queues.begin(), kernel_queues.end(), name) != kernel_queues.end();
}
inline constexpr std::array bounds{bound_cacheline, bound_fetch_add, bound_cas,         bound_mutex,
                                   bound_empty,     bound_pipe,      bound_unix_socket, bound_posix_mq};

/// Sizes of items for which queues' operations that wait are compiled.
inline constexpr std::array<std::uint32_t, 2> waiting_payload_sizes{8, 64};
constexpr bool waits_with(std::uint64_t payload_bytes) {
    return std::find(waiting_payload_sizes.begin(), waiting_payload_sizes.end(), payload_bytes) !=
           waiting_payload_sizes.end();
}

/// A queue's workers have roles: producers and consumers. A stack's and a map's do everything: they are all counted as
/// `producers`, and `consumers` is 0.
struct Cell {
    Mode mode = Mode::throughput;
    std::string variant;
    Host host = Host::processes;
    std::uint32_t producers = 1;      ///< pingpong: always 1, the initiator
    std::uint32_t consumers = 1;      ///< pingpong: always 1, the responder
    std::uint32_t payload_bytes = 8;  ///< of an item; of a map's value
    std::uint64_t capacity = 1024;  ///< items; of the bounds only bound/posix_mq has one: see has_capacity()
    std::uint64_t window_ns = 100'000'000;
    std::string placement{};          ///< a strategy's name; empty: the run's own
    std::string home{"producer"};     ///< where the segment lies: a name of a Home
    std::uint64_t think_ns = 0;       ///< work of their own that workers do after each operation (each batch)
    std::uint32_t batch = 1;          ///< items that a queue's operation moves at once
    Calls calls = Calls::attempts;    ///< of a queue's workers
    std::uint32_t push_percent = 50;  ///< a stack's workers push so often, else pop
    std::string mix{"r90i5e5"};       ///< what a map's workers do: see mix.hpp
    std::string keys{"uniform"};      ///< which keys: see mix.hpp
    std::uint32_t filled_percent = 50;  ///< of the map's capacity (a stack's too), before the window
    std::uint32_t range_percent =
        0;  ///< keys to draw from, of those that are there before the window; see Keyspace

    std::string victim{"any"};        ///< mode kill, of a queue: "producer", "consumer" or "any"
    std::uint32_t load_percent = 0;   ///< mode latency: of what the variant can do at most; 0: a closed loop
    std::string arrivals{"poisson"};  ///< mode latency: or "constant"
    double handicap_ns = 0;           ///< throughput: spun after each look at the clock; 0: none
    bool handicap_all = false;        ///< by every worker, else by the first
    std::uint32_t replica = 0;        ///< tells cells apart that are the same in everything else

    [[nodiscard]] bool is_bound() const { return variant.starts_with("bound/"); }
    [[nodiscard]] bool is_peer() const { return variant.starts_with("peer/"); }
    [[nodiscard]] bool is_language() const { return variant.starts_with("lang/"); }
    /// "queue", "stack", "map" or "bound".
    [[nodiscard]] std::string_view structure() const { return structure_of(variant); }
    /// Whether its operations may be those that wait: of the catalogue's queues, one item at a time.
    [[nodiscard]] bool can_wait() const {
        return structure() == "queue" && !is_peer() && !is_language() && batch == 1 && mode != Mode::kill &&
               waits_with(payload_bytes);
    }
    /// Whether every worker does the same by itself, without an item passed on.
    [[nodiscard]] bool is_alone() const { return counts() || variant == bound_empty; }
    [[nodiscard]] bool counts() const {
        return variant == bound_fetch_add || variant == bound_cas || variant == bound_mutex;
    }
    [[nodiscard]] bool is_kernel_queue() const { return bench::is_kernel_queue(variant); }
    /// Whether the capacity is the cell's to choose. In a ping-pong a message queue has room for the one message.
    [[nodiscard]] bool has_capacity() const {
        return !is_bound() || (variant == bound_posix_mq && mode == Mode::throughput);
    }
    [[nodiscard]] std::uint32_t workers() const { return producers + consumers; }

    /// Unique within a plan: what records are grouped by. Axes at their defaults are not named.
    [[nodiscard]] std::string key() const;

    bool operator==(Cell const&) const = default;
};

}  // namespace zeroipc::bench
