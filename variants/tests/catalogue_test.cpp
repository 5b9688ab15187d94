/// \file
/// The catalogue as data: names, defaults, claims.

#include <zeroipc/variants/catalogue.hpp>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <tuple>

namespace {

using namespace zeroipc;

TEST_CASE("names are unique and of five parts, or of six where waiting differs", "[fast]") {
    auto const& all = variants::list();
    REQUIRE(all.size() == std::tuple_size_v<variants::catalogue>);
    std::set<std::string> names;
    for (auto const& one : all) {
        INFO(one.name);
        CHECK(names.insert(one.name).second);
        auto const slashes = std::count(one.name.begin(), one.name.end(), '/');
        CHECK((slashes == 4 || slashes == 5));
        CHECK(one.name.find("//") == std::string::npos);
        CHECK(one.name.front() != '/');
        CHECK(one.name.back() != '/');
        CHECK(one.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_/-") == std::string::npos);
        CHECK(one.name.substr(0, one.name.find('/')) == one.structure);
        CHECK_FALSE(one.progress.empty());
        CHECK_FALSE(one.source.empty());
        CHECK_FALSE(one.takes.empty());
        CHECK(one.max_producers > 0);
        CHECK(one.max_consumers > 0);
        CHECK_FALSE((one.unsafe && one.kill_safe));
        // Who waits for a lock of the kernel is not lock-free.
        CHECK_FALSE((one.uses_kernel_locks && one.progress != "blocking"));
    }
}

/// How many variants of a structure are ours; a user's own stand behind them.
std::size_t ours_of(std::string const& structure) {
    using namespace variants;
    if (structure == "queue") return std::tuple_size_v<variants::detail::ours<listed::queue_variants>>;
    if (structure == "stack") return std::tuple_size_v<variants::detail::ours<listed::stack_variants>>;
    return std::tuple_size_v<variants::detail::ours<listed::map_variants>>;
}

TEST_CASE("the page of the variants explains each part of each name", "[fast]") {
    std::ifstream file(ZEROIPC_VARIANTS_PAGE);
    std::string const page(std::istreambuf_iterator<char>(file), {});
    REQUIRE(page.find("# The variants") == 0);
    std::map<std::string, std::size_t> seen;
    for (auto const& one : variants::list()) {
        if (++seen[one.structure] > ours_of(one.structure)) continue;
        std::istringstream parts(one.name);
        std::string part;
        std::getline(parts, part, '/');  // the structure
        while (std::getline(parts, part, '/')) {
            INFO(one.name << ": " << part);
            CHECK((part == "-" || page.find("| `" + part + "` |") != std::string::npos));
        }
    }
}

TEST_CASE("each structure has one default, which stands first and claims all", "[fast]") {
    std::set<std::string> structures;
    for (auto const& one : variants::list()) {
        INFO(one.name);
        bool const first = structures.insert(one.structure).second;
        CHECK(one.is_default == first);
        if (!first) continue;
        CHECK(one.kill_safe);
        CHECK(one.linearizable_negatives);
        CHECK(one.progress == "lock-free");
        CHECK_FALSE(one.unsafe);
        CHECK(one.max_producers == variants::any_number);
        CHECK(one.max_consumers == variants::any_number);
        CHECK(one.name.ends_with("/acq_rel/exp/compact"));
    }
    CHECK(structures == std::set<std::string>{"map", "queue", "stack"});
    CHECK(variants::list().front().name == "queue/exchange/acq_rel/exp/compact");
}

/// An algorithm that does not say from whom it is.
struct anonymous {
    using policy_kind = policy::algorithm_kind;
    static constexpr std::string_view structure = "queue";
    static constexpr std::string_view name = "anonymous";
    static constexpr std::uint32_t id = 99;
    static constexpr std::uint64_t min_capacity = 1;
    static constexpr bool has_handles = false;
    static constexpr bool can_sleep = false;
    static constexpr bool takes_ordering = false;
    static constexpr bool takes_backoff = false;
    static constexpr bool kill_safe = false;
    static constexpr bool linearizable_negatives = false;
    static constexpr std::string_view progress = "blocking";
};
struct signed_by_its_author : anonymous {
    static constexpr std::string_view source = "Nobody 1970";
};
struct of_words : signed_by_its_author {
    static constexpr std::string_view takes = "items of 8 bytes";
};
struct of_unknown_progress : signed_by_its_author {
    static constexpr std::string_view progress = "quick";
};
static_assert(!variants::described<anonymous>);
static_assert(variants::described<signed_by_its_author>);
static_assert(!variants::described<of_unknown_progress>);
static_assert(variants::described<algorithm::exchange> && variants::described<algorithm::treiber> &&
              variants::described<algorithm::buckets>);

TEST_CASE("what an algorithm does not state has the weakest meaning that is usual", "[fast]") {
    CHECK_FALSE(variants::detail::unsafe<anonymous>());
    CHECK_FALSE(variants::detail::uses_kernel_locks<anonymous>());
    CHECK(variants::detail::max_producers<anonymous>() == variants::any_number);
    CHECK(variants::detail::max_consumers<anonymous>() == variants::any_number);
    CHECK(variants::detail::takes<anonymous>() == "trivially copyable items of any size");
    CHECK(variants::detail::takes<of_words>() == "items of 8 bytes");
    CHECK(variants::detail::takes<variants::algorithm::open_addressing>().starts_with("keys with unique"));
    CHECK(variants::detail::uses_kernel_locks<variants::algorithm::mutex>());
    CHECK(variants::detail::unsafe<variants::algorithm::seed_literal>());
}

}  // namespace
