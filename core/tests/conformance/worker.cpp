// A process of one language in the tests between languages: plays a step a line (JSON, as the conformance cases have them),
// and answers each by a line. It knows more steps than the cases: many items at once, work until it is killed, and the states
// behind each of its instructions.
//   zeroipc_worker_cpp|zeroipc_worker_c FOLDER_OF_GOLDEN_IMAGES

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>

#include "conformance.hpp"
#include "payload.hpp"
#include "zeroipc_stepped.hpp"

namespace zeroipc::testing::conformance {

bytes item_of(number n, std::size_t size) {
    bytes item(size, '\0');
    if (size == sizeof(record)) {
        record one{n, static_cast<std::uint32_t>(n * 7), static_cast<float>(n % 1000) / 4, {}};
        char text[8] = {};
        std::snprintf(text, sizeof text, "%u", static_cast<unsigned>(n % 1000));
        std::memcpy(one.text, text, sizeof text);
        std::memcpy(item.data(), &one, sizeof one);
        return item;
    }
    for (std::size_t i = 0; i < size; ++i) item[i] = static_cast<char>(i < 8 ? n >> (8 * i) : n * 31 + i);
    return item;
}

number number_of(bytes const& item) {
    number n = 0;
    std::memcpy(&n, item.data(), std::min(item.size(), sizeof n));
    return n;
}

namespace {

constexpr int patience_ms = 20000;

/// Whether an item is that of its number.
bool is_whole(bytes const& item) { return item == item_of(number_of(item), item.size()); }

/// Puts items or pairs of the numbers from `first` on in, waiting for room.
json produce(player& p, fields& f) {
    auto const on = f.get<std::string>("on");
    auto const kind = f.get<std::string>("kind");
    auto const first = f.get<number>("first");
    auto const count = f.get<number>("count");
    auto const size = p.item_bytes(on);
    for (number n = first; n < first + count; ++n) {
        bool done = true;
        if (kind == "array")
            p.on<array>(f).write(n - first, item_of(n, size));
        else if (kind == "map")
            done = p.on<pairs>(f).insert(item_of(n, p.key_bytes(on)), item_of(n, size)) == "inserted";
        else
            done = p.on<items>(f).push(item_of(n, size), patience_ms);
        if (!done) return {{"result", "stopped"}, {"at", n}};
    }
    return {{"result", "ok"}};
}

/// Takes items out, waiting for them, or looks at pairs and elements. Gives their numbers.
json consume(player& p, fields& f) {
    auto const on = f.get<std::string>("on");
    auto const kind = f.get<std::string>("kind");
    auto const first = f.get<number>("first");
    auto const count = f.get<number>("count");
    std::vector<number> numbers;
    for (number n = first; n < first + count; ++n) {
        bytes item;
        bool done = true;
        if (kind == "array")
            item = p.on<array>(f).read(n - first);
        else if (kind == "map")
            done = p.on<pairs>(f).wait(item_of(n, p.key_bytes(on)), item, patience_ms);
        else
            done = p.on<items>(f).pop(item, patience_ms);
        if (!done) return {{"result", "stopped"}, {"at", n}};
        if (!is_whole(item)) return {{"result", "spoiled"}, {"item", hex(item)}};
        numbers.push_back(number_of(item));
    }
    return {{"result", "ok"}, {"numbers", numbers}};
}

/// Adds 1 to a value of a map, or an element of an array.
json count(player& p, fields& f) {
    auto const times = f.get<number>("times");
    auto const key = f.data("key");
    bytes const one = item_of(1, 8);
    for (number i = 0; i < times; ++i)
        if (f.get<std::string>("kind") == "array")
            p.on<array>(f).fetch("fetch_add", number_of(key), one);
        else
            p.on<pairs>(f).update(key, [](bytes& value) { value = item_of(number_of(value) + 1, 8); });
    return {{"result", "ok"}};
}

/// Says that it works, and works until it is killed, on items and pairs whose numbers begin with `first`.
json churn(player& p, fields& f) {
    auto const on = f.get<std::string>("on");
    auto const kind = f.get<std::string>("kind");
    auto const first = f.get<number>("first");
    auto const size = p.item_bytes(on);
    std::cout << json{{"result", "working"}} << std::endl;
    for (number n = 0;; ++n) {
        bytes item;
        if (kind == "map") {
            auto const key = item_of(n % 8, p.key_bytes(on));
            p.on<pairs>(f).assign(key, item_of(first + n, size));
            p.on<pairs>(f).erase(item_of((n + 3) % 8, p.key_bytes(on)));
        } else {
            p.on<items>(f).try_push(item_of(first + n, size));
            if (n % 3 != 0) p.on<items>(f).try_pop(item);
        }
    }
}

json hash(player&, fields& f) {
    auto key = f.data("key");
    key.resize((key.size() + 7) / 8 * 8, '\0');
    std::vector<number> words(key.size() / 8);
    std::memcpy(words.data(), key.data(), key.size());
    return {{"result", "ok"}, {"hash", language::hash(words, f.get<number>("seed"))}};
}

/// An operation of a script: its name, then its payloads.
void act(opened& on, std::vector<bytes> const& what) {
    bytes item;
    auto* const map = dynamic_cast<pairs*>(&on);
    auto* const container = dynamic_cast<items*>(&on);
    if (what.at(0) == "insert") map->insert(what.at(1), what.at(2));
    if (what.at(0) == "assign") map->assign(what.at(1), what.at(2));
    if (what.at(0) == "erase") map->erase(what.at(1));
    if (what.at(0) == "push") container->try_push(what.at(1));
    if (what.at(0) == "pop") container->try_pop(item);
}

/// A process opens a structure and does what the script says. The bytes of the segment behind each of its instructions, as
/// far as they changed, go to the files 0, 1, ... of a folder: what a kill there leaves.
json states(player&, fields& f) {
    shape s;
    auto const name = f.get<std::string>("segment");
    s.kind = f.get<std::string>("kind");
    s.name = f.get<std::string>("name");
    s.item_bytes = f.get<std::size_t>("item_bytes");
    s.key_bytes = f.get<std::size_t>("key_bytes", 0);
    auto const folder = f.get<std::string>("folder");
    std::vector<std::vector<bytes>> script;
    for (auto const& step : f.get<std::vector<std::vector<std::string>>>("script")) {
        auto& one = script.emplace_back(1, step.at(0));
        for (std::size_t i = 1; i < step.size(); ++i) one.push_back(unhex(step[i]));
    }
    raw_object const object(name);
    auto const seen = step_through(
        [&](tracee const& traced) {
            auto const memory = language::open(name);
            auto const handle = memory->open(s);
            traced.begin();
            for (auto const& step : script) act(*handle, step);
            traced.end();
        },
        [&] { return std::optional<std::string>(object.bytes()); });
    if (seen.instructions == 0) return {{"result", "nobody may trace"}};
    for (std::size_t i = 0; i < seen.states.size(); ++i)
        std::ofstream(folder + "/" + std::to_string(i), std::ios::binary) << seen.states[i];
    return {{"result", seen.ended ? "ok" : "ended"}, {"states", seen.states.size()}};
}

int work(char const* images) {
    player p("/", images);
    p.add("produce", produce);
    p.add("consume", consume);
    p.add("count", count);
    p.add("churn", churn);
    p.add("hash", hash);
    p.add("states", states);
    // Python does it with less patience.
    p.add("hastily", [](player& of, fields& f) { return of.perform(f.get<json>("step")); });
    p.add("reset", [](player& of, fields&) {
        of.reset();
        return json{{"result", "ok"}};
    });
    // Hostile names need not be text.
    auto const say = [](json const& answer) {
        std::cout << answer.dump(-1, ' ', false, json::error_handler_t::replace) << std::endl;
    };
    for (std::string line; std::getline(std::cin, line);) try {
            say(p.perform(json::parse(line)));
        } catch (std::exception const& error) {
            say({{"result", "broken"}, {"why", line + ": " + error.what()}});
        }
    return 0;
}

}  // namespace
}  // namespace zeroipc::testing::conformance

int main(int count, char** words) {
    if (count != 2) {
        std::cerr << "usage: " << words[0] << " FOLDER_OF_GOLDEN_IMAGES\n";
        return 2;
    }
    return zeroipc::testing::conformance::work(words[1]);
}
