// The other language in the tests of the Python package: does what it is told, a line a command, and answers each by a line.
//
// Queues, stacks and maps are those that ship, on an atomics policy that can die before a chosen shared step: "die K" ends the
// process by SIGKILL before the K-th step from there.

#include <zeroipc/zeroipc.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>

#include "zeroipc_mortal.hpp"

namespace {

using zeroipc::Memory;
using zeroipc::testing::fate;
using zeroipc::testing::mortal;
using word = std::uint64_t;
using milliseconds = std::chrono::milliseconds;
using text = zeroipc::fixed_string<16>;

struct record {
    std::int32_t number;
    char label[4];
    double value;
};

using Array = zeroipc::Array<std::uint32_t>;
using Queue = zeroipc::Queue<word, mortal>;
using Records = zeroipc::Queue<record>;
using Stack = zeroipc::Stack<word, mortal>;
using Map = zeroipc::Map<word, word, mortal>;
using Texts = zeroipc::Map<text, std::int32_t>;

/// What is open, at most one of each kind.
struct opened {
    std::optional<Memory> memory;
    std::unique_ptr<Array> array;
    std::unique_ptr<Queue> queue;
    std::unique_ptr<Records> records;
    std::unique_ptr<Stack> stack;
    std::unique_ptr<Map> map;
    std::unique_ptr<Texts> texts;
};

template <class V>
V next(std::istream& in) {
    V value{};
    if (!(in >> value)) throw std::runtime_error("an argument is missing");
    return value;
}

template <class V>
std::string shown(std::optional<V> const& value) {
    return value ? std::to_string(*value) : "none";
}

std::string shown(zeroipc::outcome result) {
    static char const* const names[] = {"inserted", "assigned", "present", "absent", "different", "full"};
    return names[static_cast<int>(result)];
}

using command = std::function<std::string(opened&, std::istream&)>;
using commands = std::map<std::string, command>;

/// Queue and stack alike.
template <class T>
void add_container(commands& all, std::string const& name, std::unique_ptr<T> opened::*of) {
    all[name + "-open"] = [=](opened& o, std::istream& in) {
        o.*of = std::make_unique<T>(*o.memory, next<std::string>(in));
        return std::to_string((o.*of)->handle_slot());
    };
    all[name + "-close"] = [=](opened& o, std::istream&) {
        (o.*of).reset();
        return std::string("ok");
    };
    all[name + "-push"] = [=](opened& o, std::istream& in) {
        return std::string((o.*of)->try_push(next<word>(in)) ? "yes" : "no");
    };
    all[name + "-pop"] = [=](opened& o, std::istream&) { return shown((o.*of)->try_pop()); };
    all[name + "-push-wait"] = [=](opened& o, std::istream& in) {
        auto const item = next<word>(in);
        return std::string((o.*of)->push(item, milliseconds(next<int>(in))) ? "yes" : "no");
    };
    all[name + "-pop-wait"] = [=](opened& o, std::istream& in) {
        return shown((o.*of)->pop(milliseconds(next<int>(in))));
    };
    // Items FIRST, FIRST + 1, ...; each put in behind a wait.
    all[name + "-push-range"] = [=](opened& o, std::istream& in) {
        auto const first = next<word>(in);
        auto const count = next<word>(in);
        for (word i = 0; i < count; ++i) (o.*of)->push(first + i);
        return std::string("ok");
    };
    all[name + "-pop-range"] = [=](opened& o, std::istream& in) {
        std::ostringstream items;
        for (auto count = next<word>(in); count > 0; --count) items << (o.*of)->pop() << ' ';
        return items.str();
    };
    all[name + "-make"] = [=](opened& o, std::istream& in) {
        auto const what = next<std::string>(in);
        auto const capacity = next<word>(in);
        o.*of = std::make_unique<T>(*o.memory, what, capacity);
        return std::string("ok");
    };
}

template <class K, class T>
void add_map(commands& all, std::string const& name, std::unique_ptr<T> opened::*of) {
    using V = typename T::mapped_type;
    auto const key = [](std::istream& in) {
        if constexpr (std::is_same_v<K, text>)
            return text(next<std::string>(in));
        else
            return next<K>(in);
    };
    all[name + "-make"] = [=](opened& o, std::istream& in) {
        auto const what = next<std::string>(in);
        o.*of = std::make_unique<T>(*o.memory, what, next<word>(in));
        return std::string("ok");
    };
    all[name + "-open"] = [=](opened& o, std::istream& in) {
        o.*of = std::make_unique<T>(*o.memory, next<std::string>(in));
        return std::to_string((o.*of)->handle_slot());
    };
    all[name + "-close"] = [=](opened& o, std::istream&) {
        (o.*of).reset();
        return std::string("ok");
    };
    all[name + "-insert"] = [=](opened& o, std::istream& in) {
        auto const k = key(in);
        return shown((o.*of)->insert(k, next<V>(in)));
    };
    all[name + "-assign"] = [=](opened& o, std::istream& in) {
        auto const k = key(in);
        return shown((o.*of)->insert_or_assign(k, next<V>(in)));
    };
    all[name + "-find"] = [=](opened& o, std::istream& in) { return shown((o.*of)->find(key(in))); };
    all[name + "-find-wait"] = [=](opened& o, std::istream& in) {
        auto const k = key(in);
        return shown((o.*of)->find(k, milliseconds(next<int>(in))));
    };
    all[name + "-erase"] = [=](opened& o, std::istream& in) {
        return std::string((o.*of)->erase(key(in)) ? "yes" : "no");
    };
    all[name + "-size"] = [=](opened& o, std::istream&) { return std::to_string((o.*of)->was_size()); };
    // Adds 1 to the key's value, COUNT times.
    all[name + "-count"] = [=](opened& o, std::istream& in) {
        auto const k = key(in);
        for (auto count = next<word>(in); count > 0; --count)
            (o.*of)->update(k, [](V const& v) { return static_cast<V>(v + 1); });
        return std::string("ok");
    };
}

commands every_command() {
    commands all;
    all["make"] = [](opened& o, std::istream& in) {
        auto const name = next<std::string>(in);
        o.memory = Memory::create(name, next<word>(in));
        return std::string("ok");
    };
    all["open"] = [](opened& o, std::istream& in) {
        o.memory = Memory::open(next<std::string>(in));
        return std::string("ok");
    };
    all["close"] = [](opened& o, std::istream&) {
        o = opened{};
        return std::string("ok");
    };
    all["die"] = [](opened&, std::istream& in) {
        fate::now().last = fate::now().taken + next<word>(in);
        return std::string("ok");
    };
    all["array-make"] = [](opened& o, std::istream& in) {
        auto const name = next<std::string>(in);
        o.array = std::make_unique<Array>(*o.memory, name, next<word>(in));
        return std::string("ok");
    };
    all["array-open"] = [](opened& o, std::istream& in) {
        o.array = std::make_unique<Array>(*o.memory, next<std::string>(in));
        return std::to_string(o.array->capacity());
    };
    all["array-load"] = [](opened& o, std::istream& in) {
        return std::to_string(o.array->load(next<word>(in)));
    };
    all["array-store"] = [](opened& o, std::istream& in) {
        auto const i = next<word>(in);
        o.array->store(i, next<std::uint32_t>(in));
        return std::string("ok");
    };
    // Adds 1 to an element, COUNT times.
    all["array-count"] = [](opened& o, std::istream& in) {
        auto const i = next<word>(in);
        for (auto count = next<word>(in); count > 0; --count) o.array->fetch_add(i, 1);
        return std::string("ok");
    };
    add_container(all, "queue", &opened::queue);
    add_container(all, "stack", &opened::stack);
    add_map<word>(all, "map", &opened::map);
    add_map<text>(all, "texts", &opened::texts);
    all["records-open"] = [](opened& o, std::istream& in) {
        o.records = std::make_unique<Records>(*o.memory, next<std::string>(in));
        return std::string("ok");
    };
    all["records-push"] = [](opened& o, std::istream& in) {
        record item{next<std::int32_t>(in), {}, 0};
        auto const label = next<std::string>(in);
        label.copy(item.label, sizeof item.label);
        item.value = next<double>(in);
        return std::string(o.records->try_push(item) ? "yes" : "no");
    };
    all["records-pop"] = [](opened& o, std::istream&) {
        record item{};
        if (!o.records->try_pop(item)) return std::string("none");
        std::ostringstream out;
        out << item.number << ' ' << std::string(item.label, ::strnlen(item.label, sizeof item.label)) << ' '
            << item.value;
        return out.str();
    };
    return all;
}

}  // namespace

int main() {
    auto const all = every_command();
    opened o;
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream in(line);
        std::string name;
        in >> name;
        try {
            auto const found = all.find(name);
            if (found == all.end()) throw std::runtime_error("there is no such command");
            std::cout << found->second(o, in) << std::endl;
        } catch (zeroipc::error const& e) {
            std::cout << "error " << static_cast<int>(e.cause()) << ' ' << e.what() << std::endl;
        } catch (std::exception const& e) {
            std::cerr << "peer: " << line << ": " << e.what() << std::endl;
            return 1;
        }
    }
    return 0;
}
