#include "bounds.hpp"

#include <mqueue.h>
#include <unistd.h>
#include <zeroipc/variants/robust_mutex.hpp>

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "zeroipc/bench/kernel_queue.hpp"

namespace zeroipc::bench {

namespace {

/// bound/cacheline: a mailbox of one cache line a direction; a message is one store.
class Mailbox {
public:
    explicit Mailbox(Lonely& line) : line_(line) {}
    bool try_push(Payload<8> const& item) noexcept {
        line_.value.store(item.word[0] + 1, std::memory_order_release);  // 0 is: nothing yet
        return true;
    }
    bool try_pop(Payload<8>& item) noexcept {
        auto const value = line_.value.load(std::memory_order_acquire);
        if (value == last_) return false;
        last_ = value;
        item.word[0] = value - 1;
        return true;
    }

private:
    Lonely& line_;
    std::uint64_t last_ = 0;
};

struct CachelineBound {
    static std::uint64_t bytes(Cell const&) { return 0; }
    static void create(Memory&, Cell const&, Initial&) {}
    static void work(Bench& bench, Memory&, Stages& stages, std::uint32_t worker) {
        Mailbox there(bench.control.mailbox[0]);
        Mailbox back(bench.control.mailbox[1]);
        stages.until_start();
        if (worker == 0)
            initiate<8>(bench, there, back);
        else
            respond<8>(bench, there, back);
        stages.window_over();
    }
};

/// A bound in which every worker does for itself what it can until the window is over. `Step` does it once.
template <class Step>
struct AloneBound {
    static std::uint64_t bytes(Cell const&) { return 0; }
    static void create(Memory&, Cell const&, Initial&) {}
    static void work(Bench& bench, Memory& memory, Stages& stages, std::uint32_t) {
        Step step(bench, memory);
        std::uint64_t done = 0;
        stages.until_start();
        until_window_end(bench, [&]() -> std::size_t {
            step();
            ++done;
            return 1;
        });
        bench.report.successes = bench.report.put_items = bench.report.taken_items = done;
        bench.report.put_sum = bench.report.taken_sum = step.sum();
        stages.window_over();
    }
};

/// bound/fetch_add: every worker increments one counter.
class FetchAdd {
public:
    FetchAdd(Bench& bench, Memory const&) : counter_(bench.control.counter.value) {}
    void operator()() noexcept { counter_.fetch_add(1, std::memory_order_acq_rel); }
    [[nodiscard]] std::uint64_t sum() const noexcept { return 0; }

private:
    std::atomic<std::uint64_t>& counter_;
};

/// bound/cas: the same by compare-exchange, tried again until it succeeds.
class CompareExchange {
public:
    CompareExchange(Bench& bench, Memory const&) : counter_(bench.control.counter.value) {}
    void operator()() noexcept {
        auto seen = counter_.load(std::memory_order_relaxed);
        while (!counter_.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel,
                                               std::memory_order_relaxed))
            atomics::cpu_relax();
    }
    [[nodiscard]] std::uint64_t sum() const noexcept { return 0; }

private:
    std::atomic<std::uint64_t>& counter_;
};

/// bound/empty: what the loop itself costs, with an item made and looked at each time around.
class Nothing {
public:
    Nothing(Bench& bench, Memory const&) : index_(bench.role_index) {}
    void operator()() noexcept {
        Payload<8> item;
        item.fill(index_, number_++);
        asm volatile(
            ""
            : "+r"(item.word[0]));  // for all that the compiler knows, it went somewhere and came back
        sum_ += item.word[0];
    }
    [[nodiscard]] std::uint64_t sum() const noexcept { return sum_; }

private:
    std::uint64_t index_;
    std::uint64_t number_ = 0;
    std::uint64_t sum_ = 0;
};

/// bound/mutex: the same counter under a robust mutex between processes.
class Locked {
public:
    static constexpr char const* name = "mutex";
    Locked(Bench& bench, Memory const& memory)
        : mutex_(memory.base() + memory.find(name).value().offset), counter_(bench.control.counter.value) {}
    void operator()() {
        variants::robust_mutex::guard const guard(mutex_);
        // Relaxed: only who holds the mutex touches it.
        counter_.store(counter_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t sum() const noexcept { return 0; }

private:
    variants::robust_mutex mutex_;
    std::atomic<std::uint64_t>& counter_;
};

struct MutexBound : AloneBound<Locked> {
    static constexpr std::uint64_t size = variants::robust_mutex::stride(line_bytes);
    static std::uint64_t bytes(Cell const&) { return size + format::structure_alignment; }
    static void create(Memory& memory, Cell const&, Initial&) {
        memory.add(Locked::name, size, [](std::byte* at) { variants::robust_mutex(at).initialise(); });
    }
};

/// How a kernel's queue is called. A call moves a whole item: a pipe keeps 4096 bytes whole, the others any message.
struct Calls {
    ssize_t (*send)(int end, void const* item, std::size_t bytes);
    ssize_t (*receive)(int end, void* item, std::size_t bytes);  ///< 0 bytes: nobody sends any more
    bool ends_with_writers;  ///< else somebody has to tell each consumer, by an empty message
};

Calls calls_of(std::string_view bound) {
    if (bound == bound_posix_mq)
        return {[](int end, void const* item, std::size_t bytes) -> ssize_t {
                    auto const* const message = static_cast<char const*>(item);
                    return ::mq_send(end, message, bytes, 0) == 0 ? static_cast<ssize_t>(bytes) : -1;
                },
                [](int end, void* item, std::size_t bytes) {
                    return ::mq_receive(end, static_cast<char*>(item), bytes, nullptr);
                },
                false};
    return {&::write, &::read, true};
}

/// Blocking sends and receives of whole items through two descriptors.
template <std::size_t N>
class Descriptors {
public:
    Descriptors(Calls const& calls, int read_end, int write_end)
        : calls_(calls), read_end_(read_end), write_end_(write_end) {}
    bool try_push(Payload<N> const& item) {
        check(again([&] { return calls_.send(write_end_, item.word.data(), N); }), "send");
        return true;
    }
    bool try_pop(Payload<N>& item) {
        if (ended_) return false;
        auto const received = again([&] { return calls_.receive(read_end_, item.word.data(), N); });
        ended_ = received == 0;
        if (!ended_) check(received, "receive");
        return !ended_;
    }

private:
    /// Calls until no signal comes between.
    template <class Call>
    static ssize_t again(Call&& call) {
        for (;;) {
            auto const moved = call();
            if (moved >= 0 || errno != EINTR) return moved;
        }
    }
    static void check(ssize_t moved, char const* what) {
        if (moved < 0) throw std::system_error(errno, std::generic_category(), what);
        if (moved != static_cast<ssize_t>(N))
            throw std::runtime_error(std::string(what) + ": only a part of an item");
    }

    Calls calls_;
    int read_end_;
    int write_end_;
    bool ended_ = false;
};

/// bound/pipe, bound/unix_socket, bound/posix_mq.
template <std::size_t N>
struct KernelQueueBound {
    static std::uint64_t bytes(Cell const&) { return 0; }
    static void create(Memory&, Cell const&, Initial&) {}
    static void work(Bench& bench, Memory&, Stages& stages, std::uint32_t worker) {
        auto& control = bench.control;
        bool const producer = worker < control.producers;
        auto const calls = calls_of(control.variant.view());
        // An end is seen only when nobody could send any more.
        ::close(producer ? QueueEnds::there_read : QueueEnds::there_write);
        ::close(producer ? QueueEnds::back_write : QueueEnds::back_read);
        Descriptors<N> there(calls, QueueEnds::there_read, QueueEnds::there_write);
        Descriptors<N> back(calls, QueueEnds::back_read, QueueEnds::back_write);
        stages.until_start();
        if (control.mode == Mode::pingpong) {
            if (producer)
                initiate<N>(bench, there, back);
            else
                respond<N>(bench, there, back);
            stages.window_over();
        } else if (producer) {
            produce<N>(bench, there);
            stages.window_over();
            auto const done = control.producers_done.value.fetch_add(1, std::memory_order_acq_rel) + 1;
            // The last one's empty messages stand behind everybody's items.
            for (auto left = control.consumers;
                 !calls.ends_with_writers && done == control.producers && left > 0; --left)
                calls.send(QueueEnds::there_write, "", 0);
            ::close(QueueEnds::there_write);
        } else {
            consume<N>(bench, there, [&] { stages.window_over(); });
        }
    }
};

template <class Bound>
constexpr Subject subject_of() {
    return {&Bound::bytes, &Bound::create, &Bound::work};
}

}  // namespace

std::optional<Subject> find_bound(std::string_view name, std::uint32_t payload_bytes) {
    if (name == bound_cacheline) return subject_of<CachelineBound>();
    if (name == bound_fetch_add) return subject_of<AloneBound<FetchAdd>>();
    if (name == bound_cas) return subject_of<AloneBound<CompareExchange>>();
    if (name == bound_mutex) return subject_of<MutexBound>();
    if (name == bound_empty) return subject_of<AloneBound<Nothing>>();
    if (!is_kernel_queue(name)) return std::nullopt;
    switch (payload_bytes) {
        case 8:
            return subject_of<KernelQueueBound<8>>();
        case 64:
            return subject_of<KernelQueueBound<64>>();
        case 256:
            return subject_of<KernelQueueBound<256>>();
        case 1024:
            return subject_of<KernelQueueBound<1024>>();
        case 4096:
            return subject_of<KernelQueueBound<4096>>();
        default:
            return std::nullopt;
    }
}

}  // namespace zeroipc::bench
