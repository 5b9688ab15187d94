#include "killing.hpp"

#include <sys/wait.h>
#include <zeroipc/variants/catalogue.hpp>

#include <algorithm>
#include <csignal>
#include <random>
#include <stdexcept>

#include "subjects.hpp"
#include "zeroipc/bench/plan.hpp"

namespace zeroipc::bench {

char const* to_string(Inside inside) {
    static constexpr std::array names{"none", "push", "pop", "insert", "assign", "erase", "update", "find"};
    return names.at(static_cast<std::size_t>(inside));
}

KillSubject const& find_kill_subject(std::string_view variant) {
    auto const structure = structure_of(variant);
    auto const& table = structure == "map"     ? map_kill_table()
                        : structure == "stack" ? stack_kill_table()
                                               : queue_kill_table();
    auto const at = table.find(variant);
    if (at == table.end())
        throw std::invalid_argument("this program has no variant " + std::string(variant) + " to kill on");
    return at->second;
}

KillPlan draw_kill(Cell const& cell, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    auto const unit = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
    auto const first = cell.victim == "consumer" ? cell.producers : 0;
    auto const many = cell.victim == "producer" ? cell.producers : cell.workers() - first;
    KillPlan plan;
    plan.victim = first + static_cast<std::uint32_t>(unit() * many);
    plan.at = 0.4 + 0.2 * unit();
    return plan;
}

std::uint64_t kill_seed(std::uint64_t session_seed, std::string_view cell_key, std::uint32_t round) {
    // FNV-1a over the cell's name, mixed with the rest; 53 bits, which every reader of JSON keeps.
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (char const c : cell_key) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    std::mt19937_64 random(session_seed ^ hash ^ (std::uint64_t{round} << 32));
    return random() >> 11;
}

bool claims_kill_safety(std::string const& variant) {
    auto const* const info = info_of(variant);
    return info != nullptr && info->kill_safe;
}

Killing::Killing(Cell const& cell, Control& control, KillBoard& board, std::uint64_t seed,
                 std::chrono::nanoseconds watchdog)
    : cell_(cell),
      control_(control),
      board_(board),
      seed_(seed),
      plan_(draw_kill(cell, seed)),
      claims_(claims_kill_safety(cell.variant)),
      clock_(control.clock),
      // A survivor that is stuck is a result, and soon known, unless the variant says that there is none: then it is a
      // fault, and not to be confused with a busy machine.
      patience_(claims_ ? watchdog / 2
                        : std::min<std::chrono::nanoseconds>(std::chrono::seconds(2), watchdog / 6)) {
    board_.victim = plan_.victim;
    // The newcomer is the dead one's successor in every way, its CPU included; nobody is left when the examiner comes.
    for (auto const process : {newcomer_of(cell.workers()), examiner_of(cell.workers())})
        control_.cpus.at(process) = control_.cpus.at(plan_.victim);
}

bool Killing::pushes(std::uint32_t worker) const {
    if (cell_.consumers == 0) return false;
    return worker < cell_.producers ||
           (worker == newcomer_of(cell_.workers()) && plan_.victim < cell_.producers);
}

std::chrono::nanoseconds Killing::time_of_kill() {
    auto const start = control_.start_at.value.load(std::memory_order_acquire);
    if (start == 0) return std::chrono::milliseconds(1);
    auto const at = start + control_.clock.to_ticks(plan_.at * static_cast<double>(cell_.window_ns));
    auto const now = clock_.ticks();
    if (now >= at) return {};
    return std::chrono::nanoseconds(1 + static_cast<std::int64_t>(control_.clock.to_ns(at - now)));
}

bool Killing::stands_still() {
    std::uint64_t moved = ended_.size() + (examined_ ? 1 : 0) + board_.exam.accepted;
    for (std::uint32_t i = 0; i <= examiner_of(cell_.workers()); ++i) {
        auto const& process = board_.processes[i];
        moved += process.line.done() + process.remarks.left.load(std::memory_order_relaxed) +
                 (process.remarks.open_end.load(std::memory_order_relaxed) != 0 ? 1 : 0);
    }
    auto const now = std::chrono::steady_clock::now();
    auto const window_end =
        control_.start_at.value.load() + control_.clock.to_ticks(static_cast<double>(cell_.window_ns));
    if (moved != moved_ || clock_.ticks() < window_end) {
        moved_ = moved;
        last_move_ = now;
        return false;
    }
    // Half of it will do later: what has not moved until then is not waited for in vain a second time.
    if (now - last_move_ < (board_.is_given_up() ? patience_ / 2 : patience_)) return false;
    last_move_ = now;
    // First whoever still looks around is told to stop; later those are ended that do not.
    return board_.give_up.value.exchange(1) != 0;
}

bool Killing::expects(std::uint32_t worker, int status) {
    auto const& report = control_.reports[worker];
    bool const killed = board_.killed_at.value.load() != 0;
    auto& done = control_.producers_done.value;
    if (killed && worker == plan_.victim && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
        gone_at_ = clock_.ticks();
        if (pushes(worker)) done.fetch_add(1, std::memory_order_release);
        board_.call_newcomer();
        return true;
    }
    if (!killed || gone_at_ == 0 || (report.failed == 0 && !ended_.contains(worker))) return false;
    // Nobody shall wait for it either.
    if (pushes(worker)) done.fetch_add(1, std::memory_order_release);
    return true;
}

bool Killing::wants_examiner() {
    if (gone_at_ == 0 || examined_) return false;
    return examined_ = true;
}

double Killing::behind_start_ns(std::uint64_t ticks) const {
    return static_cast<double>(static_cast<std::int64_t>(ticks - control_.start_at.value.load())) /
           control_.clock.ticks_per_ns;
}

KillResult Killing::finish(std::uint64_t initial_items, std::uint64_t initial_sum) {
    KillResult result;
    auto const killed_at = board_.killed_at.value.load();
    result.claims_kill_safety = claims_;
    result.seed = seed_;
    result.plan = plan_;
    result.planned_ns = plan_.at * static_cast<double>(cell_.window_ns);
    result.killed_ns = behind_start_ns(killed_at);
    result.death_ns = control_.clock.to_ns(gone_at_ - killed_at);
    result.inside = board_.processes[plan_.victim].line.inside();
    // Who is no more has no report.
    auto& report = control_.reports[plan_.victim];
    report.end = killed_at;
    report.successes = board_.processes[plan_.victim].line.done();
    collect_survivors(result);
    collect_newcomer(result);
    account(result, initial_items, initial_sum);
    return result;
}

}  // namespace zeroipc::bench
