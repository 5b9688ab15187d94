#include "explanation.hpp"

#include <zeroipc/table.hpp>

#include <algorithm>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <numeric>
#include <ostream>
#include <sstream>

#include "variant_json.hpp"

namespace zeroipc::bench {

namespace {

using nlohmann::json;

std::uint64_t total_of(std::vector<Part> const& parts) {
    return std::accumulate(parts.begin(), parts.end(), std::uint64_t{0},
                           [](std::uint64_t sum, Part const& part) { return sum + part.bytes; });
}

double bytes_an_item(Explanation const& e) {
    return static_cast<double>(total_of(e.parts)) / static_cast<double>(e.capacity);
}

json to_json(Disassembly const& code) {
    json functions = json::array();
    for (auto const& function : code.functions) {
        json instructions = json::array();
        for (auto const& one : function.instructions)
            instructions.push_back(
                {{"text", one.text}, {"ordered", one.ordered.empty() ? json(nullptr) : json(one.ordered)}});
        functions.push_back({{"name", function.name}, {"instructions", std::move(instructions)}});
    }
    return {{"instructions", code.instructions()},
            {"ordered", code.ordered()},
            {"functions", std::move(functions)}};
}

std::string limited(std::uint32_t handles, char const* verb) {
    auto const number = handles == variants::any_number ? std::string("any number") : std::to_string(handles);
    return number + " may " + verb;
}

void print_about(Explanation const& e, std::ostream& out) {
    auto const& v = e.variant;
    out << v.name << (v.is_default ? " (default)" : "") << (v.unsafe ? " (wrong on purpose)" : "") << '\n'
        << "  progress   " << v.progress << ", " << (v.kill_safe ? "kill-safe" : "kill-unsafe")
        << (v.uses_kernel_locks ? ", locks of the kernel or of pthread" : "") << '\n'
        << "  negatives  full, empty and absent are " << (v.linearizable_negatives ? "" : "not ")
        << "linearizable\n"
        << "  handles    " << limited(v.max_producers, "put in") << ", "
        << limited(v.max_consumers, "take out") << '\n'
        << "  takes      " << v.takes << '\n'
        << "  source     " << v.source << '\n';
    if (!v.note.empty()) out << "  here       " << v.note << '\n';
}

void print_bytes(Explanation const& e, std::ostream& out) {
    auto const total = total_of(e.parts);
    bool const has_handles = std::any_of(e.parts.begin(), e.parts.end(),
                                         [](Part const& part) { return part.name == "handle slots"; });
    out << "\nbytes: capacity " << e.capacity << ", items of " << e.payload_bytes;
    if (has_handles) out << ", " << e.handle_slots << " handle slots";
    out << "\n      offset       bytes  share\n";
    for (auto const& part : e.parts)
        out << std::setw(12) << part.offset << std::setw(12) << part.bytes << std::setw(6) << std::fixed
            << std::setprecision(1) << 100.0 * static_cast<double>(part.bytes) / static_cast<double>(total)
            << "%  " << part.name << '\n';
    out << "       total" << std::setw(12) << total << "         " << bytes_an_item(e)
        << " bytes an item; the segment adds " << format::header_bytes << " of its header, and "
        << format::entry_bytes << " of the table's entry\n";
}

/// Whether an instruction is shown: all, or those about an ordered one.
std::vector<bool> shown(Function const& function, bool full) {
    constexpr std::size_t about = 6;
    auto const n = function.instructions.size();
    std::vector<bool> result(n, full);
    for (std::size_t i = 0; i < n; ++i)
        if (!function.instructions[i].ordered.empty())
            for (std::size_t j = i - std::min(i, about); j < std::min(n, i + about + 1); ++j)
                result[j] = true;
    return result;
}

void print_code(std::string const& operation, Disassembly const& code, bool full, std::ostream& out) {
    out << '\n' << operation << ": " << code.instructions() << " instructions";
    std::string counts;
    for (auto const& [name, count] : code.ordered())
        counts += (counts.empty() ? "" : ", ") + std::to_string(count) + " x " + name;
    out << "; atomic or ordering: " << (counts.empty() ? "none" : counts) << '\n';
    for (auto const& function : code.functions) {
        out << "  " << function.name << '\n';
        auto const visible = shown(function, full || counts.empty());
        for (std::size_t i = 0; i < visible.size(); ++i) {
            auto const& one = function.instructions[i];
            if (visible[i])
                out << (one.ordered.empty() ? "      " : "    * ") << one.text << '\n';
            else if (i == 0 || visible[i - 1])
                out << "      ...\n";
        }
    }
}

void print_watched(Watched const& w, std::ostream& out) {
    out << '\n'
        << w.cell << ": worker " << w.worker << ", a " << w.role << " on CPU " << w.cpu << ", "
        << w.operations << " operations in the window; from its start to its end:";
    for (auto const& word : w.command) out << ' ' << word;
    out << '\n' << w.said;
}

}  // namespace

json to_json(Explanation const& e) {
    json parts = json::array();
    for (auto const& part : e.parts)
        parts.push_back({{"name", part.name}, {"offset", part.offset}, {"bytes", part.bytes}});
    json operations = json::object();
    for (auto const& [name, code] : e.operations) operations[name] = to_json(code);
    json watched = nullptr;
    if (e.watched)
        watched = {{"cell", e.watched->cell},
                   {"worker", e.watched->worker},
                   {"role", e.watched->role},
                   {"cpu", e.watched->cpu},
                   {"operations", e.watched->operations},
                   {"window_ns", e.watched->window_ns},
                   {"command", e.watched->command},
                   {"output", e.watched->said}};
    return {
        {"schema", "zeroipc-explain/1"},
        {"variant", to_json(e.variant)},
        {"payload_bytes", e.payload_bytes},
        {"capacity", e.capacity},
        {"handle_slots", e.handle_slots},
        {"bytes", {{"total", total_of(e.parts)}, {"an_item", bytes_an_item(e)}, {"parts", std::move(parts)}}},
        {"operations", e.why_no_code.empty() ? std::move(operations) : json("unknown")},
        {"why_no_code", e.why_no_code.empty() ? json(nullptr) : json(e.why_no_code)},
        {"perf", std::move(watched)}};
}

void print(Explanation const& e, bool full, std::ostream& out) {
    print_about(e, out);
    print_bytes(e, out);
    for (auto const& [name, code] : e.operations) print_code(name, code, full, out);
    if (!e.why_no_code.empty()) out << "\ncode: unknown: " << e.why_no_code << '\n';
    if (e.watched) print_watched(*e.watched, out);
}

}  // namespace zeroipc::bench
