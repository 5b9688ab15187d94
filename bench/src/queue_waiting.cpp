// Queues by their operations that wait.

#include <functional>
#include <map>
#include <string>

#include "zeroipc/bench/queue_subject.hpp"
#include "zeroipc/bench/waiting_channel.hpp"

namespace zeroipc::bench {

namespace {

template <std::size_t N>
using Open = WaitingChannel<N> (*)(Memory&, char const*);

template <std::size_t N>
std::map<std::string, Open<N>, std::less<>> waiting_queues() {
    std::map<std::string, Open<N>, std::less<>> all;
    variants::for_each_variant<variants::queue_catalogue>([&]<class Variant>() {
        using queue = typename QueueSubject<Variant, N>::queue;
        all.emplace(Variant::name(), &WaitingChannel<N>::template of<queue>);
    });
    return all;
}

}  // namespace

template <std::size_t N>
void work_waiting_on_queue(Bench& bench, Memory& memory, Stages& stages, std::uint32_t worker) {
    static auto const all = waiting_queues<N>();
    auto const open = all.at(std::string(bench.control.variant.view()));
    work_on_queue<N>(
        bench, stages, worker, [&] { return open(memory, queue_there); },
        [&] { return open(memory, queue_back); });
}

template void work_waiting_on_queue<8>(Bench&, Memory&, Stages&, std::uint32_t);
template void work_waiting_on_queue<64>(Bench&, Memory&, Stages&, std::uint32_t);

}  // namespace zeroipc::bench
