#include "zeroipc/bench/subject.hpp"

#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "zeroipc/bench/peers.hpp"
#include "zeroipc/bench/subject_table.hpp"

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
    static void work(Bench& bench, Memory&, Stages& stages, std::uint32_t) {
        Step step(bench);
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
    explicit FetchAdd(Bench& bench) : counter_(bench.control.counter.value) {}
    void operator()() noexcept { counter_.fetch_add(1, std::memory_order_acq_rel); }
    [[nodiscard]] std::uint64_t sum() const noexcept { return 0; }

private:
    std::atomic<std::uint64_t>& counter_;
};

/// bound/cas: the same by compare-exchange, tried again until it succeeds.
class CompareExchange {
public:
    explicit CompareExchange(Bench& bench) : counter_(bench.control.counter.value) {}
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
    explicit Nothing(Bench& bench) : index_(bench.role_index) {}
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

/// bound/pipe: blocking reads and writes of whole items, which a pipe keeps whole up to 4096 bytes.
template <std::size_t N>
class Pipe {
public:
    Pipe(int read_end, int write_end) : read_end_(read_end), write_end_(write_end) {}
    bool try_push(Payload<N> const& item) {
        for (;;) {
            auto const n = ::write(write_end_, item.word.data(), N);
            if (n == static_cast<ssize_t>(N)) return true;
            if (n >= 0) throw std::runtime_error("the pipe took only a part of an item");
            if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "write to pipe");
        }
    }
    bool try_pop(Payload<N>& item) {
        for (;;) {
            auto const n = ::read(read_end_, item.word.data(), N);
            if (n == static_cast<ssize_t>(N)) return true;
            if (n == 0) return false;  // every writer is gone
            if (n > 0) throw std::runtime_error("the pipe gave only a part of an item");
            if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "read from pipe");
        }
    }

private:
    int read_end_;
    int write_end_;
};

template <std::size_t N>
struct PipeBound {
    static std::uint64_t bytes(Cell const&) { return 0; }
    static void create(Memory&, Cell const&, Initial&) {}
    static void work(Bench& bench, Memory&, Stages& stages, std::uint32_t worker) {
        bool const producer = worker < bench.control.producers;
        // An end of file is seen only when nobody could write any more.
        ::close(producer ? PipeEnds::there_read : PipeEnds::there_write);
        ::close(producer ? PipeEnds::back_write : PipeEnds::back_read);
        Pipe<N> there(PipeEnds::there_read, PipeEnds::there_write);
        Pipe<N> back(PipeEnds::back_read, PipeEnds::back_write);
        stages.until_start();
        if (bench.control.mode == Mode::pingpong) {
            if (producer)
                initiate<N>(bench, there, back);
            else
                respond<N>(bench, there, back);
            stages.window_over();
        } else if (producer) {
            produce<N>(bench, there);
            stages.window_over();
            ::close(PipeEnds::there_write);
            bench.control.producers_done.value.fetch_add(1, std::memory_order_release);
        } else {
            consume<N>(bench, there, [&] { stages.window_over(); });
        }
    }
};

template <class Bound>
constexpr Subject subject_of() {
    return {&Bound::bytes, &Bound::create, &Bound::work};
}

std::optional<Subject> find_in(SubjectTable const& table, std::string_view variant) {
    auto const at = table.find(variant);
    if (at == table.end()) return std::nullopt;
    return at->second;
}

/// Tables are made when they are first asked for.
template <std::size_t N>
std::optional<Subject> find_queue(std::string_view variant) {
    if (variant == bound_pipe) return subject_of<PipeBound<N>>();
    static SubjectTable const table = queue_subjects<N>();
    return find_in(table, variant);
}
template <std::size_t N>
std::optional<Subject> find_stack_or_map(std::string_view variant) {
    static SubjectTable const stacks = stack_subjects<N>();
    static SubjectTable const maps = map_subjects<N>();
    return find_in(variant.starts_with("map/") ? maps : stacks, variant);
}

}  // namespace

std::vector<std::uint32_t> payload_sizes(std::string_view structure) {
    if (structure == "stack" || structure == "map") return {8, 64};
    return {8, 64, 256, 1024, 4096};
}

std::optional<Subject> find_subject(std::string_view variant, std::uint32_t payload_bytes) {
    if (variant == bound_fetch_add) return subject_of<AloneBound<FetchAdd>>();
    if (variant == bound_cas) return subject_of<AloneBound<CompareExchange>>();
    if (variant == bound_empty) return subject_of<AloneBound<Nothing>>();
    if (variant == bound_cacheline) return subject_of<CachelineBound>();
    if (variant.starts_with("peer/")) return find_peer(variant, payload_bytes);
    bool const mixed = variant.starts_with("stack/") || variant.starts_with("map/");
    switch (payload_bytes) {
        case 8:
            return mixed ? find_stack_or_map<8>(variant) : find_queue<8>(variant);
        case 64:
            return mixed ? find_stack_or_map<64>(variant) : find_queue<64>(variant);
        case 256:
            return mixed ? std::nullopt : find_queue<256>(variant);
        case 1024:
            return mixed ? std::nullopt : find_queue<1024>(variant);
        case 4096:
            return mixed ? std::nullopt : find_queue<4096>(variant);
        default:
            return std::nullopt;
    }
}

}  // namespace zeroipc::bench
