#include "zeroipc/bench/history.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

namespace zeroipc::bench {

namespace {

static_assert(std::endian::native == std::endian::little, "binary histories are little endian");

constexpr std::string_view magic = "zeroipc-history 1";
constexpr std::array<std::string_view, 3> structures{"queue", "stack", "map"};
constexpr std::array<std::string_view, 7> actions{"push",  "pop",  "insert",  "assign",
                                                  "erase", "find", "exchange"};
constexpr std::array<std::string_view, 9> answers{"pending", "done",      "inserted", "assigned", "present",
                                                  "absent",  "different", "full",     "empty"};

template <std::size_t N>
std::string all_of(std::array<std::string_view, N> const& names) {
    std::string text;
    for (auto const name : names) text += (text.empty() ? "" : ", ") + std::string(name);
    return text;
}

template <class E, std::size_t N>
E named(std::array<std::string_view, N> const& names, std::string const& text, char const* what) {
    auto const at = std::find(names.begin(), names.end(), text);
    if (at == names.end())
        throw HistoryError(std::string(what) + " '" + text + "'; use one of " + all_of(names));
    return static_cast<E>(at - names.begin());
}

/// Answers that an action can have, beside pending.
std::span<Answer const> answers_of(Action action) {
    using enum Answer;
    static constexpr std::array push{done, full};
    static constexpr std::array pop{done, empty};
    static constexpr std::array insert{inserted, present, full};
    static constexpr std::array assign{inserted, assigned, full};
    static constexpr std::array look{done, absent};
    static constexpr std::array exchange{assigned, different, absent, full};
    switch (action) {
        case Action::push:
            return push;
        case Action::pop:
            return pop;
        case Action::insert:
            return insert;
        case Action::assign:
            return assign;
        case Action::exchange:
            return exchange;
        case Action::erase:
        case Action::find:
            break;
    }
    return look;
}

nlohmann::ordered_json header_of(History const& history, Encoding encoding) {
    nlohmann::ordered_json header{{"structure", to_string(history.structure)}};
    if (history.capacity != never) header["capacity"] = history.capacity;
    header["operations"] = history.operations.size();
    header["encoding"] = encoding == Encoding::binary ? "binary" : "lines";
    header["ticks_per_ns"] = history.ticks_per_ns;
    header["skew_ns"] = history.skew_ns;
    header["clock"] = history.clock;
    header["variant"] = history.variant;
    header["seed"] = history.seed;
    auto workers = nlohmann::ordered_json::array();
    for (auto const& worker : history.workers)
        workers.push_back({{"cpu", worker.cpu}, {"killed", worker.killed}});
    header["workers"] = std::move(workers);
    return header;
}

nlohmann::ordered_json line_of(Operation const& op) {
    nlohmann::ordered_json line{{"worker", op.worker}, {"call", op.call}};
    if (op.answer != Answer::pending) line["return"] = op.ret;
    line["action"] = to_string(op.action);
    line["answer"] = to_string(op.answer);
    if (op.action >= Action::insert) line["key"] = op.key;
    line["value"] = op.value;
    if (op.action == Action::exchange) line["expected"] = op.other;
    return line;
}

Operation operation_of(nlohmann::json const& line) {
    Operation op;
    op.worker = line.value("worker", std::uint16_t{0});
    op.call = line.at("call").get<std::uint64_t>();
    op.action = named<Action>(actions, line.at("action").get<std::string>(), "action");
    op.answer = named<Answer>(answers, line.at("answer").get<std::string>(), "answer");
    op.ret = op.answer == Answer::pending ? never : line.at("return").get<std::uint64_t>();
    op.key = line.value("key", std::uint32_t{0});
    op.value = line.value("value", std::uint64_t{0});
    op.other = line.value("expected", std::uint64_t{0});
    return op;
}

History history_of(nlohmann::json const& header) {
    History history;
    history.structure = named<Structure>(structures, header.at("structure").get<std::string>(), "structure");
    history.capacity = header.value("capacity", never);
    history.ticks_per_ns = header.value("ticks_per_ns", 1.0);
    history.skew_ns = header.value("skew_ns", 0.0);
    history.clock = header.value("clock", std::string("unknown"));
    history.variant = header.value("variant", std::string("unknown"));
    history.seed = header.value("seed", std::uint64_t{0});
    for (auto const& worker : header.value("workers", nlohmann::json::array()))
        history.workers.push_back({worker.value("cpu", -1), worker.value("killed", false)});
    if (!(history.ticks_per_ns > 0))
        throw HistoryError("ticks_per_ns is " + std::to_string(history.ticks_per_ns) +
                           "; use a number above 0");
    return history;
}

void read_lines(std::istream& in, std::uint64_t count, History& history) {
    std::string line;
    while (history.operations.size() < count) {
        if (!std::getline(in, line))
            throw HistoryError("the header announces " + std::to_string(count) + " operations and " +
                               std::to_string(history.operations.size()) + " are there");
        if (line.empty()) continue;
        try {
            history.operations.push_back(operation_of(nlohmann::json::parse(line)));
        } catch (std::exception const& wrong) {
            throw HistoryError("operation " + std::to_string(history.operations.size()) + ": " +
                               wrong.what());
        }
    }
}

/// In pieces, so that a header that lies about the number costs no memory.
void read_binary(std::istream& in, std::uint64_t count, History& history) {
    constexpr std::uint64_t piece = 1U << 16;
    auto& operations = history.operations;
    while (operations.size() < count) {
        auto const begin = operations.size();
        auto const n = std::min<std::uint64_t>(piece, count - begin);
        operations.resize(begin + n);
        auto const bytes = static_cast<std::streamsize>(n * sizeof(Operation));
        in.read(reinterpret_cast<char*>(operations.data() + begin), bytes);
        if (in.gcount() != bytes)
            throw HistoryError(
                "the header announces " + std::to_string(count) + " operations and only " +
                std::to_string(begin + static_cast<std::uint64_t>(in.gcount()) / sizeof(Operation)) +
                " are there whole");
    }
}

}  // namespace

std::string_view to_string(Structure structure) noexcept {
    return structures[static_cast<std::size_t>(structure)];
}
std::string_view to_string(Action action) noexcept { return actions[static_cast<std::size_t>(action)]; }
std::string_view to_string(Answer answer) noexcept { return answers[static_cast<std::size_t>(answer)]; }

void validate(History const& history) {
    for (std::size_t i = 0; i < history.operations.size(); ++i) {
        auto const& op = history.operations[i];
        auto const wrong = [&](std::string const& why) {
            throw HistoryError("operation " + std::to_string(i) + ": " + why);
        };
        auto const action = static_cast<std::size_t>(op.action);
        auto const answer = static_cast<std::size_t>(op.answer);
        if (action >= actions.size()) wrong("action " + std::to_string(action) + "; below 7 are known");
        if (answer >= answers.size()) wrong("answer " + std::to_string(answer) + "; below 9 are known");
        bool const of_map = op.action >= Action::insert;
        if (of_map != (history.structure == Structure::map))
            wrong("a " + std::string(to_string(history.structure)) + " has no " +
                  std::string(to_string(op.action)));
        auto const possible = answers_of(op.action);
        if (op.answer != Answer::pending &&
            std::find(possible.begin(), possible.end(), op.answer) == possible.end())
            wrong(std::string(to_string(op.action)) + " does not answer '" +
                  std::string(to_string(op.answer)) + "'");
        if (op.answer == Answer::pending && op.ret != never)
            wrong("pending, and returned at " + std::to_string(op.ret));
        if (op.answer != Answer::pending && op.ret == never) wrong("has an answer and no return");
        if (op.ret < op.call)
            wrong("called at " + std::to_string(op.call) + ", returned before, at " + std::to_string(op.ret));
        if (op.worker >= history.workers.size() && !history.workers.empty())
            wrong("worker " + std::to_string(op.worker) + " of " + std::to_string(history.workers.size()));
    }
}

void write_history(std::filesystem::path const& file, History const& history, Encoding encoding) {
    validate(history);
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out << magic << '\n' << header_of(history, encoding).dump() << '\n';
    if (encoding == Encoding::binary)
        out.write(reinterpret_cast<char const*>(history.operations.data()),
                  static_cast<std::streamsize>(history.operations.size() * sizeof(Operation)));
    else
        for (auto const& op : history.operations) out << line_of(op).dump() << '\n';
    out.close();
    if (!out)
        throw HistoryError("cannot write " + file.string() + "; check the folder and the free space there");
}

History read_history(std::filesystem::path const& file) {
    auto const failed = [&](std::string const& why) { return HistoryError(file.string() + ": " + why); };
    std::ifstream in(file, std::ios::binary);
    if (!in) throw failed("cannot be opened for reading");
    std::string line(magic.size(), '\0');
    in.read(line.data(), static_cast<std::streamsize>(line.size()));
    if (line != magic || in.get() != '\n')
        throw failed("does not begin with '" + std::string(magic) +
                     "': no history, or one of another version");
    if (!std::getline(in, line)) throw failed("ends before its header");
    try {
        auto const header = nlohmann::json::parse(line);
        auto history = history_of(header);
        auto const count = header.at("operations").get<std::uint64_t>();
        auto const encoding = header.value("encoding", std::string("lines"));
        if (encoding == "binary")
            read_binary(in, count, history);
        else if (encoding == "lines")
            read_lines(in, count, history);
        else
            throw HistoryError("encoding '" + encoding + "'; use binary or lines");
        in.peek();
        if (in.good()) throw HistoryError("goes on behind the last of its operations");
        validate(history);
        return history;
    } catch (std::exception const& wrong) {
        throw failed(wrong.what());
    }
}

std::string describe_value(std::uint64_t value) {
    return std::to_string(value >> 48) + ":" + std::to_string(value & ((std::uint64_t{1} << 48) - 1));
}

std::string describe(History const& history, std::size_t operation) {
    auto const& op = history.operations[operation];
    std::uint64_t first = never;
    for (auto const& other : history.operations) first = std::min(first, other.call);
    auto const at = [&](std::uint64_t ticks) {
        std::array<char, 48> text{};
        std::snprintf(text.data(), text.size(), "%.3f us",
                      static_cast<double>(ticks - first) / history.ticks_per_ns / 1e3);
        return std::string(text.data());
    };
    std::string text = "operation " + std::to_string(operation) + ", worker " + std::to_string(op.worker);
    if (op.worker < history.workers.size()) {
        auto const& worker = history.workers[op.worker];
        if (worker.cpu >= 0) text += " on CPU " + std::to_string(worker.cpu);
        if (worker.killed && op.answer == Answer::pending) text += " (killed in it)";
    }
    text += ", from " + at(op.call) + (op.ret == never ? " on" : " to " + at(op.ret)) + ": " +
            std::string(to_string(op.action)) + "(";
    bool const known = op.answer == Answer::done || op.answer == Answer::different;
    bool const out = op.action == Action::pop || op.action == Action::find || op.action == Action::erase;
    if (op.action >= Action::insert) text += "key " + std::to_string(op.key);
    if (op.action == Action::exchange) text += ", " + describe_value(op.other);
    if (!out && op.answer != Answer::different)
        text += (op.action >= Action::insert ? ", " : "") + describe_value(op.value);
    text += ") -> " + std::string(to_string(op.answer));
    if (known && op.action != Action::erase && (out || op.answer == Answer::different))
        text += " " + describe_value(op.value);
    return text;
}

}  // namespace zeroipc::bench
