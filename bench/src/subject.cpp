#include "zeroipc/bench/subject.hpp"

#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "zeroipc/bench/queue_subject.hpp"

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
    static void create(Memory&, Cell const&) {}
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

/// bound/fetch_add: every worker increments one counter.
struct FetchAddBound {
    static std::uint64_t bytes(Cell const&) { return 0; }
    static void create(Memory&, Cell const&) {}
    static void work(Bench& bench, Memory&, Stages& stages, std::uint32_t) {
        auto& counter = bench.control.counter.value;
        stages.until_start();
        std::uint64_t done = 0;
        std::uint64_t now = 0;
        do {
            for (int i = 0; i < attempts_a_look; ++i) counter.fetch_add(1, std::memory_order_acq_rel);
            done += attempts_a_look;
            now = bench.look();
        } while (now < bench.window_end && !bench.abandoned());
        bench.report.end = now;
        bench.report.successes = done;
        bench.report.items = done;
        stages.window_over();
    }
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
    static void create(Memory&, Cell const&) {}
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

template <std::size_t N>
std::optional<Subject> find_for(std::string_view variant) {
    if (variant == bound_pipe) return subject_of<PipeBound<N>>();
    static SubjectTable const table = queue_subjects<N>();
    auto const at = table.find(variant);
    if (at == table.end()) return std::nullopt;
    return at->second;
}

}  // namespace

std::vector<std::uint32_t> payload_sizes() { return {8, 64, 256, 1024, 4096}; }

std::optional<Subject> find_subject(std::string_view variant, std::uint32_t payload_bytes) {
    if (variant == bound_fetch_add) return subject_of<FetchAddBound>();
    if (variant == bound_cacheline) return subject_of<CachelineBound>();
    switch (payload_bytes) {
        case 8:
            return find_for<8>(variant);
        case 64:
            return find_for<64>(variant);
        case 256:
            return find_for<256>(variant);
        case 1024:
            return find_for<1024>(variant);
        case 4096:
            return find_for<4096>(variant);
        default:
            return std::nullopt;
    }
}

}  // namespace zeroipc::bench
