#include "zeroipc/bench/peers.hpp"

#include <fnmatch.h>

#include <algorithm>

#include "peer_tables.hpp"
#include "zeroipc/bench/languages.hpp"

namespace zeroipc::bench {

namespace {

constexpr auto any = variants::any_number;

SubjectTable& planted() {
    static SubjectTable table;
    return table;
}

SubjectTable table_of([[maybe_unused]] std::uint32_t payload_bytes) {
    SubjectTable table = planted();
#if defined(ZEROIPC_PEER_BOOST)
    add_boost(table, payload_bytes);
    add_boost_message_queue(table, payload_bytes);
#endif
#if defined(ZEROIPC_PEER_TBB)
    add_tbb(table, payload_bytes);
#endif
#if defined(ZEROIPC_PEER_CK)
    add_ck(table, payload_bytes);
#endif
#if defined(ZEROIPC_PEER_ATOMIC_QUEUE)
    add_atomic_queue(table, payload_bytes);
#endif
#if defined(ZEROIPC_PEER_MOODYCAMEL)
    add_moodycamel(table, payload_bytes);
#endif
#if defined(ZEROIPC_PEER_XENIUM)
    add_xenium(table, payload_bytes);
#endif
#if defined(ZEROIPC_PEER_CDS)
    add_cds(table, payload_bytes);
#endif
#if defined(ZEROIPC_PEER_ICEORYX)
    add_iceoryx(table, payload_bytes);
#endif
#if defined(ZEROIPC_PEER_URCU)
    add_urcu(table, payload_bytes);
#endif
    return table;
}

SubjectTable const& table(std::uint32_t payload_bytes) {
    static SubjectTable const of_8 = table_of(8);
    static SubjectTable const of_64 = table_of(64);
    return payload_bytes == 8 ? of_8 : of_64;
}

std::vector<PeerInfo> list() {
    constexpr char const* exact = "the capacity is reached";
    constexpr char const* counted = "the capacity is reached by the harness's count; the peer has no bound";
    constexpr char const* never = "never: it allocates";
    std::vector<PeerInfo> all{
        {"peer/queue/boost-lockfree", "libboost-dev", "lock-free",
         "boost::lockfree::queue, fixed size (T. Blechschmidt)", "no node is free", false, any, any, false},
        {"peer/queue/boost-spsc", "libboost-dev", "wait-free",
         "boost::lockfree::spsc_queue (T. Blechschmidt)", exact, false, 1, 1, false},
        {"peer/queue/boost-message-queue", "libboost-dev", "blocking",
         "boost::interprocess::message_queue (I. Gaztañaga)", exact, true, any, any, false},
        {"peer/queue/tbb-bounded", "libtbb-dev", "blocking", "tbb::concurrent_bounded_queue (oneTBB)", exact,
         false, any, any, false},
        {"peer/queue/ck-ring", "libck-dev", "blocking",
         "ck_ring, several producers and consumers (S. Al Bahra, Concurrency Kit)",
         "one less than the capacity is reached", false, any, any, false},
        {"peer/queue/ck-ring-spsc", "libck-dev", "wait-free",
         "ck_ring, one producer and consumer (S. Al Bahra, Concurrency Kit)",
         "one less than the capacity is reached", false, 1, 1, false},
        {"peer/queue/atomic-queue", "libatomic-queue-dev", "blocking",
         "atomic_queue::AtomicQueueB2 (M. Egorushkin)", exact, false, any, any, false, true},
        {"peer/queue/moodycamel", "libconcurrentqueue-dev", "lock-free",
         "moodycamel::ConcurrentQueue with tokens (C. Desrochers)",
         "no block is free of those allocated before: somewhat above the capacity", false, any, any, false},
        {"peer/queue/xenium-vyukov", "libxenium-dev", "blocking",
         "xenium::vyukov_bounded_queue (M. Pöter; D. Vyukov)", exact, false, any, any, false},
        {"peer/queue/cds-vyukov", "libcds-dev", "blocking",
         "cds::container::VyukovMPMCCycleQueue (M. Khizhinsky; D. Vyukov)", exact, false, any, any, false},
        {"peer/queue/iceoryx", "libiceoryx-hoofs-dev", "lock-free",
         "iox::concurrent::ResizeableLockFreeQueue (Eclipse iceoryx)", exact, false, any, any, false},
        {"peer/queue/urcu-lfq", "liburcu-dev", "lock-free",
         "cds_lfq of Userspace RCU (M. Desnoyers, P. McKenney)", counted, false, any, any, false},
        {"peer/stack/boost-lockfree", "libboost-dev", "lock-free",
         "boost::lockfree::stack, fixed size (T. Blechschmidt)", "no node is free", false, any, any, false},
        {"peer/stack/ck-stack", "libck-dev", "lock-free",
         "ck_stack, its free nodes in another (S. Al Bahra, Concurrency Kit)", "no node is free", false, any,
         any, false},
        {"peer/stack/cds-treiber", "libcds-dev", "lock-free",
         "cds::container::TreiberStack with hazard pointers (M. Khizhinsky)", counted, false, any, any,
         false},
        {"peer/map/tbb-hash-map", "libtbb-dev", "blocking",
         "tbb::concurrent_hash_map, told its size before (oneTBB)", never, false, any, any, false},
        {"peer/map/cds-michael", "libcds-dev", "lock-free",
         "cds::container::MichaelHashMap with hazard pointers (M. Khizhinsky; M. Michael)", never, false, any,
         any, false},
        {"peer/map/cds-split-list", "libcds-dev", "lock-free",
         "cds::container::SplitListMap with hazard pointers (M. Khizhinsky; O. Shalev, N. Shavit)", never,
         false, any, any, false},
        {"peer/map/xenium-vyukov", "libxenium-dev", "blocking",
         "xenium::vyukov_hash_map with epochs (M. Pöter; D. Vyukov)", never, false, any, any, false},
    };
    for (auto& peer : all) peer.built = table(8).contains(peer.name);
    return all;
}

}  // namespace

std::vector<PeerInfo> const& peers() {
    static std::vector<PeerInfo> const all = list();
    return all;
}

PeerInfo const* peer_named(std::string_view name) {
    auto const& all = peers();
    auto const at = std::find_if(all.begin(), all.end(), [&](auto const& peer) { return peer.name == name; });
    return at == all.end() ? nullptr : &*at;
}

std::optional<Subject> find_peer(std::string_view name, std::uint32_t payload_bytes) {
    if (std::find(peer_payload_sizes.begin(), peer_payload_sizes.end(), payload_bytes) ==
        peer_payload_sizes.end())
        return std::nullopt;
    auto const& subjects = table(payload_bytes);
    auto const at = subjects.find(name);
    if (at == subjects.end()) return std::nullopt;
    return at->second;
}

void plant_peer(std::string const& name, Subject const& subject) { planted().emplace(name, subject); }

std::string why_not_built(PeerInfo const& peer) {
    return peer.name + " is not built: install the package " + peer.package + " and configure again";
}

void leave_out_unbuilt(Suite& suite, std::vector<PeerInfo> const& all) {
    auto& reasons = suite.left_out;
    // Whether a pattern means some of what there is, and all of these are missing. `why` is "" for what is there.
    auto const means_missing = [&](std::string const& pattern, auto const& named, auto&& why) {
        bool some = false;
        bool none = true;
        for (auto const& one : named) {
            if (::fnmatch(pattern.c_str(), one.name.c_str(), 0) != 0) continue;
            some = true;
            if (std::string reason = why(one); reason.empty())
                none = false;
            else if (std::find(reasons.begin(), reasons.end(), reason) == reasons.end())
                reasons.push_back(std::move(reason));
        }
        return some && none;  // what matches nothing at all is a mistake, and is told as one
    };
    for (auto& sweep : suite.sweeps)
        std::erase_if(sweep.variants, [&](std::string const& pattern) {
            if (pattern.starts_with("lang/"))
                return means_missing(pattern, languages(),
                                     [](auto const& one) { return why_missing(one).value_or(""); });
            return pattern.starts_with("peer/") && means_missing(pattern, all, [](auto const& peer) {
                       return peer.built ? std::string() : why_not_built(peer);
                   });
        });
    std::erase_if(suite.sweeps, [](Sweep const& sweep) { return sweep.variants.empty(); });
}

}  // namespace zeroipc::bench
