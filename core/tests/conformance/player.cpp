#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "conformance.hpp"
#include "zeroipc_golden.hpp"
#include "zeroipc_processes.hpp"

namespace zeroipc::testing::conformance {

std::string cause_name(int cause) {
    static constexpr std::array names{"invalid_name",    "invalid_argument", "invalid_capacity",
                                      "too_large",       "not_found",        "exists",
                                      "no_permission",   "no_space",         "segment_full",
                                      "table_full",      "not_a_segment",    "version_mismatch",
                                      "truncated",       "corrupt",          "wrong_kind",
                                      "wrong_item_size", "no_handle_slot",   "busy",
                                      "forked",          "system",           "out_of_range",
                                      "misuse",          "no_memory"};
    return names.at(static_cast<std::size_t>(cause) - 1);
}

std::string hex(bytes const& data) {
    std::string text;
    for (char const one : data) {
        text += "0123456789abcdef"[static_cast<unsigned char>(one) >> 4];
        text += "0123456789abcdef"[static_cast<unsigned char>(one) & 15];
    }
    return text;
}

bytes unhex(std::string const& text) {
    bytes data;
    for (std::size_t at = 0; at < text.size(); at += 2) {
        auto const pair = text.substr(at, 2);
        if (pair.size() < 2 || pair.find_first_not_of("0123456789abcdef") != std::string::npos)
            throw std::runtime_error("'" + text + "' is not bytes in hexadecimal digits");
        data += static_cast<char>(std::stoul(pair, nullptr, 16));
    }
    return data;
}

void fields::all_are_read() const {
    for (auto const& [key, value] : all_.items())
        if (std::find(read_.begin(), read_.end(), key) == read_.end())
            throw std::runtime_error("field '" + key + "' was not read");
}

namespace {

json ok() { return {{"result", "ok"}}; }
json done_or(bool done, char const* otherwise) { return {{"result", done ? "ok" : otherwise}}; }
json got_or(bool done, char const* key, bytes const& item, char const* otherwise) {
    return done ? json{{"result", "ok"}, {key, hex(item)}} : json{{"result", otherwise}};
}

shape shape_of(fields& f, bool made) {
    shape s;
    s.kind = f.get<std::string>("kind");
    s.name = f.get<std::string>("name");
    s.item_bytes = f.get<std::size_t>("item_bytes");
    if (s.kind == "map") s.key_bytes = f.get<std::size_t>("key_bytes");
    if (!made) return s;
    s.capacity = f.get<number>("capacity");
    if (s.kind != "array") s.handle_slots = f.get<std::uint32_t>("handle_slots");
    if (s.kind == "map") s.seed = f.get<number>("seed");
    return s;
}

std::string object_of(std::string const& name) { return "/dev/shm/" + name.substr(name[0] == '/'); }

/// Fowler, Noll and Vo's hash of 1991, variant 1a, 64 bits.
number fnv1a64(bytes const& all) {
    number h = 0xcbf29ce484222325U;
    for (char const one : all) h = (h ^ static_cast<unsigned char>(one)) * 0x100000001b3U;
    return h;
}

using operations = std::map<std::string, player::operation>;

void add_segments(operations& all) {
    auto const create = [](auto how) {
        return [how](player& p, fields& f) {
            auto const name = p.name_of(f.get<std::string>("name"));
            auto const size = f.get<number>("bytes");
            auto const as = f.get<std::string>("as");
            p.keep(as, how(name, size, f.get<std::uint32_t>("max_entries")));
            return ok();
        };
    };
    all["create_segment"] = create(&language::create);
    all["open_or_create_segment"] = create(&language::open_or_create);
    all["open_segment"] = [](player& p, fields& f) {
        auto const as = f.get<std::string>("as");
        p.keep(as, language::open(p.name_of(f.get<std::string>("name"))));
        return ok();
    };
    all["remove_segment"] = [](player& p, fields& f) {
        language::remove(p.name_of(f.get<std::string>("name")));
        return ok();
    };
    all["facts"] = [](player& p, fields& f) {
        auto& one = p.on<segment>(f);
        json entries = json::array();
        for (auto const& e : one.entries()) entries.push_back({e.name, e.offset, e.size});
        return json{{"result", "ok"},
                    {"bytes", one.size()},
                    {"max_entries", one.max_entries()},
                    {"free_bytes", one.free_bytes()},
                    {"entries", entries}};
    };
    all["find_structure"] = [](player& p, fields& f) {
        auto const e = p.on<segment>(f).find(f.get<std::string>("name"));
        return json{{"result", "ok"}, {"offset", e.offset}, {"size", e.size}};
    };
    all["close"] = [](player& p, fields& f) {
        p.let_go(f.get<std::string>("on"));
        return ok();
    };
    all["create"] = [](player& p, fields& f) {
        auto const as = f.get<std::string>("as");
        auto const s = shape_of(f, true);
        p.keep(as, p.on<segment>(f).create(s), s);
        return ok();
    };
    all["open"] = [](player& p, fields& f) {
        auto const as = f.get<std::string>("as");
        auto const s = shape_of(f, false);
        p.keep(as, p.on<segment>(f).open(s), s);
        return ok();
    };
    all["repair"] = [](player& p, fields& f) {
        auto const s = shape_of(f, false);
        return json{{"result", "ok"}, {"reclaimed", p.on<segment>(f).repair(s)}};
    };
}

/// What no library does: bytes are set and looked at.
void add_bytes(operations& all) {
    all["set_image"] = [](player& p, fields& f) {
        auto const name = p.name_of(f.get<std::string>("name"));
        auto const size = f.get<number>("bytes");
        raw_object(name, size)
            .write_bytes(0, golden_image(p.images() + "/" + f.get<std::string>("image"), size));
        return ok();
    };
    all["set_bytes"] = [](player& p, fields& f) {
        auto const name = p.name_of(f.get<std::string>("name"));
        raw_object(name).write_bytes(f.get<number>("offset"), f.data("data"));
        return ok();
    };
    all["set_length"] = [](player& p, fields& f) {
        auto const name = p.name_of(f.get<std::string>("name"));
        auto const size = f.get<number>("bytes");
        if (std::filesystem::exists(object_of(name)))
            raw_object(name).resize(size);
        else
            raw_object(name, size);
        return ok();
    };
    all["bytes"] = [](player& p, fields& f) {
        auto const found = fnv1a64(raw_object(p.name_of(f.get<std::string>("name"))).bytes());
        char text[17];
        std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(found));
        return json{{"result", "ok"}, {"fnv1a64", text}};
    };
}

void add_array(operations& all) {
    all["read"] = [](player& p, fields& f) {
        return got_or(true, "item", p.on<array>(f).read(f.get<number>("index")), "");
    };
    all["write"] = [](player& p, fields& f) {
        p.on<array>(f).write(f.get<number>("index"), f.data("item"));
        return ok();
    };
    all["load"] = [](player& p, fields& f) {
        return got_or(true, "item", p.on<array>(f).load(f.get<number>("index")), "");
    };
    all["store"] = [](player& p, fields& f) {
        p.on<array>(f).store(f.get<number>("index"), f.data("item"));
        return ok();
    };
    all["exchange"] = [](player& p, fields& f) {
        return got_or(true, "item", p.on<array>(f).exchange(f.get<number>("index"), f.data("item")), "");
    };
    all["array_compare_exchange"] = [](player& p, fields& f) {
        auto expected = f.data("expected");
        bool const same =
            p.on<array>(f).compare_exchange(f.get<number>("index"), expected, f.data("desired"));
        return json{{"result", same ? "ok" : "different"}, {"item", hex(expected)}};
    };
    for (std::string const name : {"fetch_add", "fetch_sub", "fetch_and", "fetch_or", "fetch_xor"})
        all[name] = [name](player& p, fields& f) {
            return got_or(true, "item", p.on<array>(f).fetch(name, f.get<number>("index"), f.data("item")),
                          "");
        };
    all["array_capacity"] = [](player& p, fields& f) {
        return json{{"result", "ok"}, {"capacity", p.on<array>(f).capacity()}};
    };
}

void add_items(operations& all) {
    all["try_push"] = [](player& p, fields& f) {
        return done_or(p.on<items>(f).try_push(f.data("item")), "full");
    };
    all["try_pop"] = [](player& p, fields& f) {
        bytes item;
        bool const done = p.on<items>(f).try_pop(item);
        return got_or(done, "item", item, "empty");
    };
    all["try_peek"] = [](player& p, fields& f) {
        bytes item;
        bool const done = p.on<items>(f).try_peek(item);
        return got_or(done, "item", item, "empty");
    };
    all["push"] = [](player& p, fields& f) {
        return done_or(p.on<items>(f).push(f.data("item"), f.get<int>("timeout_ms")), "timeout");
    };
    all["pop"] = [](player& p, fields& f) {
        bytes item;
        bool const done = p.on<items>(f).pop(item, f.get<int>("timeout_ms"));
        return got_or(done, "item", item, "timeout");
    };
    all["push_many"] = [](player& p, fields& f) {
        bytes together;
        auto const given = f.get<std::vector<std::string>>("items");
        for (auto const& one : given) together += unhex(one);
        auto const count = p.on<items>(f).push_many(together);
        return json{{"result", count == given.size() ? "ok" : "full"}, {"count", count}};
    };
    all["pop_many"] = [](player& p, fields& f) {
        auto const most = f.get<std::size_t>("most");
        auto const size = p.item_bytes(f.get<std::string>("on"));
        auto const together = p.on<items>(f).pop_many(most);
        json found = json::array();
        for (std::size_t at = 0; at < together.size(); at += size)
            found.push_back(hex(together.substr(at, size)));
        return json{{"result", found.size() == most ? "ok" : "empty"}, {"items", found}};
    };
    all["size"] = [](player& p, fields& f) {
        return json{{"result", "ok"}, {"size", p.on<items>(f).size()}};
    };
    all["capacity"] = [](player& p, fields& f) {
        return json{{"result", "ok"}, {"capacity", p.on<items>(f).capacity()}};
    };
}

void add_map(operations& all) {
    all["find"] = [](player& p, fields& f) {
        bytes value;
        bool const found = p.on<pairs>(f).find(f.data("key"), value);
        return got_or(found, "value", value, "absent");
    };
    all["wait"] = [](player& p, fields& f) {
        bytes value;
        bool const found = p.on<pairs>(f).wait(f.data("key"), value, f.get<int>("timeout_ms"));
        return got_or(found, "value", value, "timeout");
    };
    all["insert"] = [](player& p, fields& f) {
        return json{{"result", p.on<pairs>(f).insert(f.data("key"), f.data("value"))}};
    };
    all["assign"] = [](player& p, fields& f) {
        return json{{"result", p.on<pairs>(f).assign(f.data("key"), f.data("value"))}};
    };
    all["compare_exchange"] = [](player& p, fields& f) {
        auto expected = f.data("expected");
        json answer{{"result", p.on<pairs>(f).compare_exchange(f.data("key"), expected, f.data("desired"))}};
        if (answer.at("result") == "different") answer["value"] = hex(expected);
        return answer;
    };
    all["update_xor"] = [](player& p, fields& f) {
        auto const mask = f.data("mask");
        return json{{"result", p.on<pairs>(f).update(f.data("key"), [&](bytes& value) {
                         for (std::size_t i = 0; i < value.size(); ++i)
                             value[i] = static_cast<char>(value[i] ^ mask.at(i));
                     })}};
    };
    all["erase"] = [](player& p, fields& f) {
        return done_or(p.on<pairs>(f).erase(f.data("key")), "absent");
    };
    all["pairs"] = [](player& p, fields& f) {
        auto all_of = p.on<pairs>(f).all();
        std::sort(all_of.begin(), all_of.end());
        json found = json::array();
        for (auto const& [key, value] : all_of) found.push_back({hex(key), hex(value)});
        return json{{"result", "ok"}, {"pairs", found}};
    };
    all["map_size"] = [](player& p, fields& f) {
        return json{{"result", "ok"}, {"size", p.on<pairs>(f).size()}};
    };
    all["map_capacity"] = [](player& p, fields& f) {
        return json{{"result", "ok"}, {"capacity", p.on<pairs>(f).capacity()}};
    };
}

operations const& every_operation() {
    static operations const all = [] {
        operations made;
        add_segments(made);
        add_bytes(made);
        add_array(made);
        add_items(made);
        add_map(made);
        return made;
    }();
    return all;
}

}  // namespace

player::~player() {
    opened_.clear();
    for (auto const& name : named_) std::remove(object_of(name).c_str());
}

std::string player::name_of(std::string const& name) {
    if (name.rfind('@', 0) != 0) return name;
    auto const own = own_ + name.substr(1);
    if (own.find('/', 1) == std::string::npos) named_.push_back(own);
    return own;
}

void player::keep(std::string const& as, std::unique_ptr<opened> one, shape const& of) {
    if (!opened_.emplace(as, std::move(one)).second) throw std::runtime_error("'" + as + "' is open already");
    shapes_[as] = of;
}

void player::let_go(std::string const& name) {
    if (opened_.erase(name) == 0) throw std::runtime_error("'" + name + "' is not open");
}

json player::perform(json const& step) {
    fields f(step);
    f.get<json>("expect", {});
    auto const name = f.get<std::string>("do");
    auto const& all = every_operation();
    auto const found = all.find(name);
    auto const mine = more_.find(name);
    if (found == all.end() && mine == more_.end())
        throw std::runtime_error("there is no operation '" + name + "'");
    json answer;
    try {
        answer = (found == all.end() ? mine : found)->second(*this, f);
    } catch (std::exception const& error) {
        auto const cause = language::cause_of(error);
        if (cause.empty()) throw;
        answer = {{"result", cause}};
    }
    f.all_are_read();
    return answer;
}

void play(json const& one, std::string const& own, std::string const& images) {
    fields f(one);
    auto const name = f.get<std::string>("name");
    auto const steps = f.get<json>("steps");
    f.all_are_read();
    player p(own, images);
    for (std::size_t i = 0; i < steps.size(); ++i) {
        auto const& step = steps[i];
        auto const where = name + ", step " + std::to_string(i + 1) + ", " + step.dump() + ": ";
        json answer;
        try {
            answer = p.perform(step);
        } catch (std::exception const& error) {
            throw std::runtime_error(where + error.what());
        }
        if (answer == step.at("expect")) continue;
        auto text = where + "answered " + answer.dump();
        if (step.at("do") == "bytes") text += "\n" + listing(raw_object(p.name_of(step.at("name"))).bytes());
        throw std::runtime_error(text);
    }
}

}  // namespace zeroipc::testing::conformance
