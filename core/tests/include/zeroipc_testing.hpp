#pragma once
/// \file
/// What the test programs share: processes, counts, and checks of errors.
///
/// Catch2's assertions belong to the test's own process and thread. A forked child reports by its exit status
/// or through shared<T>, and leaves by _exit.

#include <zeroipc/zeroipc.hpp>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "zeroipc_census.hpp"
#include "zeroipc_processes.hpp"

namespace zeroipc::testing {

/// A small file's text, as /proc has them.
inline std::string text_of(std::string const& path) {
    std::string text;
    if (std::FILE* const file = std::fopen(path.c_str(), "r")) {
        char part[4096];
        for (std::size_t got = 0; (got = std::fread(part, 1, sizeof part, file)) > 0;) text.append(part, got);
        std::fclose(file);
    }
    return text;
}

/// Bytes that /proc/self/smaps says under `key` of the mapping that begins at `base`, e.g. "Rss": what this
/// process has in its page tables.
inline std::uint64_t mapping_bytes(void const* base, std::string const& key) {
    char start[32];
    std::snprintf(start, sizeof start, "%lx-",
                  static_cast<unsigned long>(reinterpret_cast<std::uintptr_t>(base)));
    auto const all = "\n" + text_of("/proc/self/smaps");
    auto const mapping = all.find(std::string("\n") + start);
    auto const field = all.find("\n" + key + ":", mapping);
    if (mapping == std::string::npos || field == std::string::npos)
        throw std::runtime_error("/proc/self/smaps does not say " + key + " of " + start);
    return std::strtoull(all.c_str() + field + key.size() + 2, nullptr, 10) * 1024;
}

/// What `action` throws, if it throws one of ours.
template <class Action>
std::optional<error> thrown_by(Action&& action) {
    try {
        action();
    } catch (error const& e) {
        return e;
    }
    return std::nullopt;
}

/// Checks that `action` throws that cause, and that the message names what it should.
template <class Action>
void check_refused(errc cause, std::initializer_list<std::string_view> mentions, Action&& action) {
    auto const refusal = thrown_by(std::forward<Action>(action));
    INFO("expected: " << make_error_code(cause).message());
    REQUIRE(refusal);
    INFO("message: " << refusal->what());
    CHECK(refusal->code() == cause);
    for (auto const text : mentions) CHECK_THAT(refusal->what(), Catch::Contains(std::string(text)));
}

/// For children: 0 if `action` throws that cause and says the words; else an exit status that tells why not.
template <class Action>
int refused_in_child(errc cause, std::initializer_list<std::string_view> mentions, Action&& action) {
    auto const refusal = thrown_by(std::forward<Action>(action));
    if (!refusal) return 110;
    for (auto const text : mentions)
        if (std::string_view(refusal->what()).find(text) == std::string_view::npos) {
            std::fprintf(stderr, "child: '%s' does not say '%s'\n", refusal->what(),
                         std::string(text).c_str());
            return 111;
        }
    if (refusal->cause() != cause) std::fprintf(stderr, "child: %s\n", refusal->what());
    return refusal->cause() == cause ? 0 : 100;
}

}  // namespace zeroipc::testing
