#pragma once
/// \file
/// Runs a scenario of a few threads many times, each time with other decisions: who goes on, which store a load
/// reads, who dies. Bounded exhaustive, random, or PCT (Burckhardt, Kothari, Musuvathi, Nagarakatte, ASPLOS 2010:
/// random priorities and d changes of them). A failure is a string of choices, which replays it with a trace.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "fibers.hpp"
#include "memory.hpp"
#include "sites.hpp"

namespace zeroipc::model {

/// What is explored. All functions but run() are called outside of the model: there, words are plain memory.
class scenario {
public:
    virtual ~scenario() = default;
    [[nodiscard]] virtual unsigned threads() const = 0;
    /// Makes the shared bytes, and forgets the last run.
    virtual void prepare() = 0;
    [[nodiscard]] virtual std::byte* base() = 0;
    [[nodiscard]] virtual std::size_t bytes() const = 0;
    /// What thread t does.
    virtual void run(unsigned t) = 0;
    /// When all have ended or died. \return what is wrong, or nothing.
    virtual std::string check() = 0;
    /// For traces.
    [[nodiscard]] virtual std::string name_of(std::size_t offset) const {
        return "byte " + std::to_string(offset);
    }
};

enum class strategy { exhaustive, random, pct, replay };

/// How to explore, and how far.
struct settings {
    strategy how = strategy::exhaustive;
    unsigned preemptions = 3;              ///< exhaustive: times that a thread is stopped which could go on
    unsigned stale = 2;                    ///< decisions that a strong machine would not take, in one run
    std::uint64_t executions = 1'000'000;  ///< at most
    std::uint64_t seed = 1;
    unsigned changes = 3;   ///< PCT: of priorities
    unsigned steps = 4000;  ///< in one run, at most
    /// Step before which a thread dies; 0: never.
    std::array<unsigned, most_threads> death{};
    bool timeouts = false;  ///< whether a sleeper may have to wait for the end of its time
    std::string replay{};   ///< a schedule as in verdict, for strategy::replay
    rules model{};
};

struct verdict {
    bool right = true;
    bool exhausted = false;  ///< everything within the bounds was seen
    std::uint64_t executions = 0;
    std::string what{};      ///< the failure
    std::string schedule{};  ///< that leads to it: who takes how many steps, and what was chosen
    std::string trace{};
    std::array<unsigned, most_threads> steps{};  ///< the most that each thread took
    std::array<bool, most_threads> died{};       ///< in some run
    unsigned longest_operation = 0;              ///< steps

    /// For a person: nothing if it is right. \param scene what the schedule belongs to.
    [[nodiscard]] std::string text(std::string const& scene = {}) const {
        if (right) return {};
        return what + "\n(run " + std::to_string(executions) + "; replay: " + scene + schedule + ")\n" +
               trace;
    }
};

/// The one machine on which models run. Not for several threads of the program.
class explorer final : decisions {
public:
    /// The one that runs a scenario just now, or checks it; or null.
    static explorer* active() noexcept { return active_; }

    explicit explorer(settings how) : how_(std::move(how)), memory_(*this, how_.model), random_(how_.seed) {}

    verdict explore(scenario& what) {
        scenario_ = &what;
        result_ = {};
        tracing_ = how_.how == strategy::replay;
        if (tracing_) read_plan(how_.replay);
        shared_.assign(what.bytes() / 4, 0);
        stack_.clear();
        for (;;) {
            found_shared_ = false;
            ++result_.executions;
            run_once();
            if (failed_) {
                result_.right = false;
                result_.what = failure_;
                result_.schedule = schedule();
                if (how_.how == strategy::replay)
                    result_.trace = trace_;
                else
                    trace_it();
                return result_;
            }
            if (how_.how == strategy::replay) return result_;
            if (how_.how == strategy::exhaustive) {
                // Steps at places that one thread alone uses are no points of decision. One turned out to be shared:
                // then all that was seen was seen with too few.
                if (found_shared_)
                    stack_.clear();
                else if (!next_branch()) {
                    result_.exhausted = true;
                    return result_;
                }
            }
            if (result_.executions >= how_.executions) return result_;
        }
    }

    // --- for the threads of the model -----------------------------------------------------------------------

    [[nodiscard]] bool inside() const noexcept { return running_ != nobody; }
    [[nodiscard]] unsigned self() const noexcept { return running_; }
    [[nodiscard]] memory& words() noexcept { return memory_; }
    [[nodiscard]] std::uint64_t now() const noexcept { return time_; }

    /// Before each shared step of the running thread. \param at where it works; null: a fence; \param decision whether
    /// others may come between this step and the one before it.
    void step(void const* at, bool decision) {
        auto const t = running_;
        if (++steps_[t] == how_.death[t]) die();
        ++in_operation_[t];
        if (at != nullptr && !memory_.holds(at)) fail("an access outside of the structure");
        if (how_.how == strategy::replay)
            decision = true;
        else if (at != nullptr && decision)
            decision = is_shared(at);
        if (decision && !just_chosen_[t]) reschedule();
        if (decision) just_chosen_[t] = false;
        if (++time_ > how_.steps) fail("no end after " + std::to_string(how_.steps) + " steps");
        taken_.push_back(static_cast<std::uint8_t>(t));
        if (in_operation_[t] == 1) began_[t] = time_;
        for (unsigned u = 0; u < threads_; ++u)
            if (u != t && state_[u] == state::yielded) state_[u] = state::ready;
        memory_.tick(t);
    }

    /// After a step that changed shared memory.
    void changed() noexcept {
        idle_ = 0;
        looked_in_vain_.fill(false);
    }

    /// The running thread can't go on before somebody else did something.
    void yield() {
        if (++idle_ > idle_limit)
            fail("no progress: thread " + std::to_string(running_) + " waits, and nobody changes anything" +
                 the_dead());
        state_[running_] = state::yielded;
        looked_in_vain_[running_] = true;
        give_way();
    }

    /// Sleeps if the word is still `seen`: until woken, or until nothing else goes on.
    void futex_wait(void* at, std::uint32_t seen) {
        step(at, true);
        std::uint32_t now = 0;
        std::memcpy(&now, at, 4);  // the kernel looks at the newest value, under its lock
        note("futex wait", at, {now, 0, 0, false}, now == seen ? "sleeps" : "does not sleep");
        if (now != seen) return;
        state_[running_] = state::asleep;
        asleep_on_[running_] = at;
        give_way();
    }
    void futex_wake(void* at) {
        step(at, true);
        note("futex wake", at, {}, "");
        for (unsigned u = 0; u < threads_; ++u)
            if (state_[u] == state::asleep && asleep_on_[u] == at) state_[u] = state::ready;
    }

    /// Waits until a thread has died or ended. \return whether it died: then all that it did is known here.
    bool await_death(unsigned other) {
        while (state_[other] != state::dead && state_[other] != state::over) {
            state_[running_] = state::mourning;
            give_way();
        }
        if (state_[other] != state::dead) return false;
        memory_.learn_all(running_, other);
        return true;
    }
    /// Asks the kernel. \return whether it died, or ended and closed its handle; if so, all that it did is known here.
    bool is_gone(unsigned other) {
        step(nullptr, true);
        if (state_[other] != state::dead && state_[other] != state::over) return false;
        memory_.learn_all(running_, other);
        return true;
    }

    /// Decisions of this run so far that a strong machine would not have taken.
    [[nodiscard]] bool was_strong() const noexcept {
        return std::all_of(chosen_.begin(), chosen_.end(), [](auto one) { return one == 0; });
    }
    /// When the running operation took its first step.
    [[nodiscard]] std::uint64_t began() const noexcept { return began_[running_]; }
    [[nodiscard]] bool has_died(unsigned t) const noexcept { return state_[t] == state::dead; }

    void begin_operation(std::string_view name) {
        in_operation_[running_] = 0;
        began_[running_] = time_ + 1;
        if (tracing_) trace_ += "      t" + std::to_string(running_) + "  -- " + std::string(name) + "\n";
    }
    void end_operation(std::string_view result) {
        result_.longest_operation = std::max(result_.longest_operation, in_operation_[running_]);
        if (tracing_) trace_ += "      t" + std::to_string(running_) + "  -> " + std::string(result) + "\n";
    }

    [[noreturn]] void fail(std::string const& what) override {
        failed_ = true;
        failure_ = what;
        for (;;) fibers_.pause();
    }

    [[nodiscard]] bool tracing() const noexcept { return tracing_; }
    void note(std::string_view what, void const* at, outcome_of_access const& did, std::string_view more) {
        if (!tracing_) return;
        auto number = std::to_string(time_);
        trace_ += std::string(5 - std::min<std::size_t>(5, number.size()), ' ') + number + " t" +
                  std::to_string(running_) + "  " + std::string(what);
        if (at != nullptr) {
            trace_ += " " + scenario_->name_of(memory_.offset_of(at));
            if (what.substr(0, 5) == "store" || what.substr(0, 5) == "write")
                trace_ += " = " + hex(did.wrote);
            else if (did.stored)
                trace_ += " " + hex(did.read) + " -> " + hex(did.wrote);
            else
                trace_ += " " + hex(did.read);
            if (did.age > 0)
                trace_ +=
                    did.stored ? " (behind newer ones)" : " (old: " + std::to_string(did.age) + " newer)";
        }
        if (!more.empty()) trace_ += "  " + std::string(more);
        trace_ += "\n";
    }

private:
    enum class state { ready, yielded, asleep, mourning, dead, over };
    static constexpr unsigned nobody = ~0U;
    static constexpr unsigned idle_limit = 200;
    struct choice {
        std::uint8_t taken;
        std::uint8_t of;
    };

    /// "0*5,1*3;01": thread 0 took five steps, then thread 1 three; the first choice was 0, the second 1.
    [[nodiscard]] std::string schedule() const {
        std::string text;
        for (std::size_t i = 0; i < taken_.size();) {
            auto end = i;
            while (end < taken_.size() && taken_[end] == taken_[i]) ++end;
            text += (i == 0 ? "" : ",") + std::to_string(taken_[i]) + "*" + std::to_string(end - i);
            i = end;
        }
        text += ";";
        for (auto const one : chosen_) text += static_cast<char>(one < 10 ? '0' + one : 'a' + (one - 10));
        return text;
    }
    void read_plan(std::string const& text) {
        plan_.clear();
        planned_choices_.clear();
        std::size_t at = 0;
        while (at < text.size() && text[at] != ';') {
            auto const thread = static_cast<std::uint8_t>(text[at] - '0');
            plan_.insert(plan_.end(), std::stoul(text.substr(at + 2)), thread);
            at = text.find_first_of(",;", at);
            if (at == std::string::npos) throw std::invalid_argument("'" + text + "' is no schedule");
            if (text[at] == ',') ++at;
        }
        for (++at; at < text.size(); ++at)
            planned_choices_.push_back(
                static_cast<std::uint8_t>(static_cast<unsigned char>(text[at]) <= '9'
                                              ? text[at] - '0'
                                              : static_cast<unsigned char>(text[at]) - 'a' + 10));
    }
    static std::string hex(std::uint64_t value) {
        static constexpr std::string_view digits = "0123456789abcdef";
        std::string text;
        do text.insert(text.begin(), digits[value & 15]);
        while ((value >>= 4) != 0);
        return "0x" + text;
    }

    void run_once() {
        failed_ = false;
        failure_.clear();
        trace_.clear();
        position_ = 0;
        taken_.clear();
        chosen_.clear();
        scenario_->prepare();
        memory_.reset(scenario_->base(), scenario_->bytes());
        threads_ = scenario_->threads();
        preemptions_ = how_.preemptions;
        stale_ = how_.stale;
        idle_ = 0;
        looked_in_vain_.fill(false);
        time_ = 0;
        timeouts_ = 0;
        for (unsigned t = 0; t < threads_; ++t) {
            state_[t] = state::ready;
            steps_[t] = in_operation_[t] = 0;
            just_chosen_[t] = at_a_step_[t] = false;
            fibers_.start(t, [this, t] { body(t); });
        }
        if (how_.how == strategy::pct) draw_priorities();
        active_ = this;
        for (unsigned next = pick(nobody); next != nobody && !failed_; next = next_) {
            running_ = next;
            next_ = nobody;
            if (fibers_.resume(next)) {
                state_[next] = state::over;
                wake_mourners();
                running_ = nobody;
                if (!failed_) next_ = pick(nobody);
            }
        }
        running_ = nobody;
        for (unsigned t = 0; t < threads_; ++t) {
            result_.steps[t] = std::max(result_.steps[t], steps_[t]);
            result_.died[t] = result_.died[t] || state_[t] == state::dead;
        }
        if (!failed_) {
            try {
                failure_ = scenario_->check();
            } catch (std::exception const& e) {
                failure_ = std::string("at the end: ") + e.what();
            }
            failed_ = !failure_.empty();
        }
        active_ = nullptr;
    }

    void body(unsigned t) {
        in_hand = {};
        try {
            scenario_->run(t);
        } catch (std::exception const& e) {
            failed_ = true;
            failure_ = "thread " + std::to_string(t) + ": " + e.what();
        }
    }

    // --- decisions ------------------------------------------------------------------------------------------

    /// The branch of the tree that is taken now.
    unsigned branch(unsigned n) {
        if (position_ == stack_.size()) stack_.push_back({0, static_cast<std::uint8_t>(n)});
        auto const& one = stack_[position_++];
        if (one.of == n) return one.taken;
        lost("the scenario is not deterministic: it does not replay");
        return 0;
    }
    bool next_branch() {
        while (!stack_.empty() && stack_.back().taken + 1U == stack_.back().of) stack_.pop_back();
        if (stack_.empty()) return false;
        ++stack_.back().taken;
        return true;
    }
    unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }

    unsigned choose(unsigned n) override {
        unsigned which = 0;
        if (how_.how == strategy::replay) {
            auto const planned =
                chosen_.size() < planned_choices_.size() ? planned_choices_[chosen_.size()] : 0U;
            which = planned < n ? planned : 0;
        } else if (stale_ > 0) {
            which = how_.how == strategy::exhaustive ? branch(n) : below(4) == 0 ? 1 + below(n - 1) : 0;
            if (which > 0) --stale_;
        }
        chosen_.push_back(static_cast<std::uint8_t>(which));
        return which;
    }

    bool is_shared(void const* at) {
        auto& users = shared_[memory_.offset_of(at) / 4];
        auto const before = users;
        users = static_cast<std::uint8_t>(users | 1U << running_);
        if (std::has_single_bit(users)) return false;
        if (users != before && std::has_single_bit(before)) found_shared_ = true;
        return true;
    }

    /// Another thread may go on here.
    void reschedule() {
        if (how_.how == strategy::exhaustive && preemptions_ == 0) return;
        if (how_.how == strategy::pct) change_priority();
        auto const next = pick(running_);
        if (next == running_) return;
        next_ = next;
        at_a_step_[running_] = true;
        switch_away();
        at_a_step_[running_] = false;
    }
    /// Another thread must go on here, if there is one.
    void give_way() {
        next_ = pick(nobody);
        if (next_ == running_ && next_ != nobody) return;
        switch_away();
    }
    void switch_away() {
        auto const kept = in_hand;
        fibers_.pause();
        in_hand = kept;
    }
    void die() {
        note("dies", nullptr, {}, "");
        state_[running_] = state::dead;
        wake_mourners();
        next_ = pick(nobody);
        for (;;) fibers_.pause();
    }
    void wake_mourners() {
        for (unsigned u = 0; u < threads_; ++u)
            if (state_[u] == state::mourning) state_[u] = state::ready;
    }

    /// Who goes on. \param current the running thread if it could; it comes first. \return nobody if all have ended.
    unsigned pick(unsigned current) {
        std::array<unsigned, most_threads> options{};
        unsigned n = 0;
        if (current != nobody) options[n++] = current;
        for (;;) {
            // Two that wait must not keep a third one from what they wait for.
            for (unsigned t = 0; t < threads_ && current == nobody; ++t)
                if (state_[t] == state::ready && !looked_in_vain_[t]) options[n++] = t;
            if (n > 0 && current == nobody) break;
            for (unsigned t = 0; t < threads_; ++t)
                if (t != current && state_[t] == state::ready) options[n++] = t;
            if (n > 0) break;
            if (!revive()) return nobody;
        }
        unsigned which = 0;
        if (n > 1) switch (how_.how) {
                case strategy::exhaustive:
                    which = branch(n);
                    if (current != nobody && which != 0) --preemptions_;
                    break;
                case strategy::random:
                    which = current == nobody || below(3) == 0 ? below(n) : 0;
                    break;
                case strategy::pct:
                    for (unsigned i = 1; i < n; ++i)
                        if (priority_[options[i]] > priority_[options[which]]) which = i;
                    break;
                case strategy::replay:
                    for (unsigned i = 0; i < n && taken_.size() < plan_.size(); ++i)
                        if (options[i] == plan_[taken_.size()]) which = i;
                    break;
            }
        // Who is chosen before it has come to its next step need not be chosen again there.
        if (options[which] != current) just_chosen_[options[which]] = !at_a_step_[options[which]];
        return options[which];
    }

    /// Nobody is ready. \return whether somebody is now.
    bool revive() {
        bool any = false;
        for (unsigned t = 0; t < threads_; ++t)
            if (state_[t] == state::yielded) {
                state_[t] = state::ready;
                any = true;
            }
        if (any) return true;
        for (unsigned t = 0; t < threads_; ++t) any = any || state_[t] == state::asleep;
        if (!any) {
            for (unsigned t = 0; t < threads_; ++t)
                if (state_[t] == state::mourning) lost("a thread waits for a death that does not come");
            return false;
        }
        // Time passes, and the sleepers look again by themselves.
        if (!how_.timeouts) {
            lost("lost wake-up: a thread sleeps, and nobody is left to wake it" + the_dead());
            return false;
        }
        if (++timeouts_ > 8) {
            lost("asleep for ever" + the_dead());
            return false;
        }
        for (unsigned t = 0; t < threads_; ++t)
            if (state_[t] == state::asleep) state_[t] = state::ready;
        return true;
    }
    void lost(std::string what) {
        if (failed_) return;
        failed_ = true;
        failure_ = std::move(what);
    }
    [[nodiscard]] std::string the_dead() const {
        std::string text;
        for (unsigned t = 0; t < threads_; ++t)
            if (state_[t] == state::dead)
                text += "; thread " + std::to_string(t) + " is dead since before its step " +
                        std::to_string(how_.death[t]);
        return text;
    }

    void draw_priorities() {
        std::array<unsigned, most_threads> order{};
        for (unsigned t = 0; t < threads_; ++t) order[t] = t;
        std::shuffle(order.begin(), order.begin() + threads_, random_);
        for (unsigned t = 0; t < threads_; ++t) priority_[order[t]] = static_cast<int>(t) + 1;
        auto const length = std::max(8U, longest_run_);
        change_at_.clear();
        for (unsigned i = 0; i < how_.changes; ++i) change_at_.push_back(1 + below(length));
        lowest_ = 0;
        decided_ = 0;
    }
    void change_priority() {
        ++decided_;
        longest_run_ = std::max(longest_run_, decided_);
        if (std::find(change_at_.begin(), change_at_.end(), decided_) != change_at_.end())
            priority_[running_] = lowest_--;
    }

    /// The same once more, with a trace.
    void trace_it() {
        auto const kept = how_;
        auto const seen = result_;
        how_.how = strategy::replay;
        read_plan(seen.schedule);
        tracing_ = true;
        run_once();
        tracing_ = false;
        how_ = kept;
        result_ = seen;
        result_.trace = failed_ && failure_ == seen.what ? trace_ : "(it did not replay)\n" + trace_;
    }

    static inline explorer* active_ = nullptr;

    settings how_;
    memory memory_;
    fibers<most_threads> fibers_;
    std::mt19937_64 random_;
    scenario* scenario_ = nullptr;
    verdict result_;
    std::vector<choice> stack_;
    std::size_t position_ = 0;
    std::vector<std::uint8_t> taken_;   ///< which thread took each step
    std::vector<std::uint8_t> chosen_;  ///< what was chosen, one after the other
    std::vector<std::uint8_t> plan_;    ///< the same, to replay
    std::vector<std::uint8_t> planned_choices_;
    std::vector<std::uint8_t> shared_;  ///< which threads use each four bytes
    bool found_shared_ = false;
    unsigned threads_ = 0;
    unsigned running_ = nobody;
    unsigned next_ = nobody;
    std::array<state, most_threads> state_{};
    std::array<bool, most_threads> just_chosen_{};
    std::array<bool, most_threads> at_a_step_{};  ///< paused just before a step
    std::array<void*, most_threads> asleep_on_{};
    std::array<unsigned, most_threads> steps_{};
    std::array<unsigned, most_threads> in_operation_{};
    std::array<std::uint64_t, most_threads> began_{};
    unsigned preemptions_ = 0;
    unsigned stale_ = 0;
    unsigned idle_ = 0;
    std::array<bool, most_threads> looked_in_vain_{};  ///< has yielded, and nobody has changed anything since
    unsigned timeouts_ = 0;
    std::uint64_t time_ = 0;
    bool failed_ = false;
    std::string failure_;
    bool tracing_ = false;
    std::string trace_;
    std::array<int, most_threads> priority_{};
    std::vector<unsigned> change_at_;
    int lowest_ = 0;
    unsigned decided_ = 0;
    unsigned longest_run_ = 0;
};

}  // namespace zeroipc::model
