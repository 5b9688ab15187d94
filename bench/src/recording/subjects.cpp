#include "subjects.hpp"

#include <zeroipc/variants/catalogue.hpp>

#include <array>
#include <cstddef>

namespace zeroipc::bench::recording {

namespace {

constexpr char const* place = "recorded";

template <class Options>
Options with_handles(std::uint32_t handles) {
    Options options;
    options.handle_slots = handles;
    return options;
}

std::uint64_t value_of(Job const& job, std::uint64_t count) {
    return std::uint64_t{job.worker} << 48 | count;
}

/// Queue or stack.
template <class S, class Options>
struct ContainerWork {
    static void push(S& s, Job& job, std::uint64_t value) {
        Operation call;
        call.worker = job.worker;
        call.action = Action::push;
        call.value = value;
        job.log.begin(call, job.clock);
        bool const in = s.try_push(value);
        job.log.end(in ? Answer::done : Answer::full, 0, job.clock);
    }
    static bool pop(S& s, Job& job) {
        Operation call;
        call.worker = job.worker;
        call.action = Action::pop;
        std::uint64_t value = 0;
        job.log.begin(call, job.clock);
        bool const out = s.try_pop(value);
        job.log.end(out ? Answer::done : Answer::empty, value, job.clock);
        return out;
    }
    static void work(Memory& memory, Job& job, void (*ready)()) {
        S s(memory, place);
        ready();
        // Three to five, so that in each phase the structure fills (empties), and the answers full and empty come.
        for (std::uint64_t i = 0; i < job.operations; ++i) {
            job.pace.keep(i);
            bool const filling = i / job.phase % 2 == 0;
            if (job.random() % 8 < (filling ? 5 : 3))
                push(s, job, value_of(job, i + 1));
            else
                pop(s, job);
        }
    }
    static void drain(Memory& memory, Job& job, void (* /*ready*/)()) {
        S s(memory, place);
        while (pop(s, job)) {
        }
    }
    static std::uint64_t bytes(std::uint64_t capacity, std::uint32_t handles) {
        return S::bytes_for(capacity, with_handles<Options>(handles));
    }
    static void create(Memory& memory, std::uint64_t capacity, std::uint32_t handles) {
        S const s(memory, place, capacity, with_handles<Options>(handles));
    }
};

Answer answer_of(outcome result) {
    switch (result) {
        case outcome::inserted:
            return Answer::inserted;
        case outcome::assigned:
            return Answer::assigned;
        case outcome::present:
            return Answer::present;
        case outcome::absent:
            return Answer::absent;
        case outcome::different:
            return Answer::different;
        case outcome::full:
            break;
    }
    return Answer::full;
}

template <class M>
struct MapWork {
    static void perform(M& map, Job& job, Operation call, std::vector<std::uint64_t>& seen) {
        call.worker = job.worker;
        std::uint64_t found = 0;
        auto answer = Answer::pending;
        job.log.begin(call, job.clock);
        switch (call.action) {
            case Action::insert:
                answer = answer_of(map.insert(call.key, call.value));
                break;
            case Action::assign:
                answer = answer_of(map.insert_or_assign(call.key, call.value));
                break;
            case Action::erase:
                answer = map.erase(call.key) ? Answer::done : Answer::absent;
                break;
            case Action::exchange:
                found = call.other;
                answer = answer_of(map.compare_exchange(call.key, found, call.value));
                break;
            default:
                answer = map.find(call.key, found) ? Answer::done : Answer::absent;
        }
        job.log.end(answer, found, job.clock);
        if (answer == Answer::done || answer == Answer::different) seen[call.key] = found;
        if (answer == Answer::inserted || answer == Answer::assigned) seen[call.key] = call.value;
    }
    static void work(Memory& memory, Job& job, void (*ready)()) {
        static constexpr std::array actions{Action::insert,   Action::assign,  Action::erase,
                                            Action::find,     Action::find,    Action::find,
                                            Action::exchange, Action::exchange};
        M map(memory, place);
        std::vector<std::uint64_t> seen(job.keys, 0);
        ready();
        for (std::uint64_t i = 0; i < job.operations; ++i) {
            job.pace.keep(i);
            Operation call;
            auto const dice = job.random();
            call.action = actions[dice % actions.size()];
            call.key = static_cast<std::uint32_t>(dice / actions.size() % job.keys);
            if (call.action != Action::find && call.action != Action::erase)
                call.value = value_of(job, i + 1);
            if (call.action == Action::exchange) call.other = seen[call.key];
            perform(map, job, call, seen);
        }
    }
    static void drain(Memory& memory, Job& job, void (* /*ready*/)()) {
        M map(memory, place);
        std::vector<std::uint64_t> seen(job.keys, 0);
        for (std::uint32_t key = 0; key < job.keys; ++key) {
            Operation call;
            call.action = Action::find;
            call.key = key;
            perform(map, job, call, seen);
        }
    }
    static std::uint64_t bytes(std::uint64_t capacity, std::uint32_t handles) {
        return M::bytes_for(capacity, with_handles<map_options>(handles));
    }
    static void create(Memory& memory, std::uint64_t capacity, std::uint32_t handles) {
        M const map(memory, place, capacity, with_handles<map_options>(handles));
    }
};

/// Recorded workers push and pop, all of them; a variant may have a limit to either.
template <class Variant>
constexpr bool for_everybody = Variant::max_producers > most_workers&& Variant::max_consumers > most_workers;

template <class Work, class Variant>
Subject subject_of(Structure structure, bool first) {
    // Some variants are wrong on purpose, whatever their answers are.
    return {Variant::name(),
            structure,
            first,
            Variant::kill_safe,
            Variant::linearizable_negatives && !Variant::unsafe,
            &Work::bytes,
            &Work::create,
            &Work::work,
            &Work::drain};
}

}  // namespace

std::vector<Subject> const& subjects() {
    static std::vector<Subject> const all = [] {
        std::vector<Subject> list;
        auto const add = [&]<class Work, class Variant>(Structure structure) {
            bool const first = list.empty() || list.back().structure != structure;  // the default comes first
            list.push_back(subject_of<Work, Variant>(structure, first));
        };
        variants::for_each_variant<variants::queue_catalogue>([&]<class Variant>() {
            using work = ContainerWork<typename Variant::template type<std::uint64_t>, queue_options>;
            if constexpr (for_everybody<Variant>) add.template operator()<work, Variant>(Structure::queue);
        });
        variants::for_each_variant<variants::stack_catalogue>([&]<class Variant>() {
            using work = ContainerWork<typename Variant::template type<std::uint64_t>, stack_options>;
            add.template operator()<work, Variant>(Structure::stack);
        });
        variants::for_each_variant<variants::map_catalogue>([&]<class Variant>() {
            using work = MapWork<typename Variant::template type<std::uint32_t, std::uint64_t>>;
            add.template operator()<work, Variant>(Structure::map);
        });
        return list;
    }();
    return all;
}

}  // namespace zeroipc::bench::recording
