/// \file
/// The variants of one kind of structure (ZEROIPC_STRUCTURE is queue, stack or map) for zeroipc-kill.

#include "kill_subjects.hpp"

#include <zeroipc/variants/catalogue.hpp>
#include <zeroipc/zeroipc.hpp>

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "zeroipc_item_kills.hpp"
#include "zeroipc_map_kills.hpp"

#define ZEROIPC_JOIN_(a, b) a##b
#define ZEROIPC_JOIN(a, b) ZEROIPC_JOIN_(a, b)

namespace zeroipc::testing {

namespace {

template <class Workload, class Variant>
kill_subject subject_of() {
    kill_subject one;
    one.name = Variant::name();
    one.kill_safe = Variant::kill_safe;
    one.wrong_on_purpose = Variant::unsafe;
    one.min_capacity = Variant::algorithm::min_capacity;
    for (std::uint64_t const most : {Variant::max_producers, Variant::max_consumers})
        if (most != variants::any_number) one.most_workers = std::min(one.most_workers, most);
    one.run = [](kill_plan const& plan, kill_watch const& watch) {
        return kill_run<Workload>(plan, watch).run();
    };
    return one;
}

}  // namespace

std::vector<kill_subject> ZEROIPC_JOIN(ZEROIPC_STRUCTURE, _kill_subjects)() {
    std::vector<kill_subject> all;
    variants::for_each_variant<variants::ZEROIPC_JOIN(ZEROIPC_STRUCTURE, _catalogue)>([&]<class Variant>() {
        if constexpr (Variant::structure == std::string_view("map"))
            all.push_back(
                subject_of<map_kills<typename Variant::template type<std::uint64_t, wide_value>>, Variant>());
        else
            all.push_back(subject_of<item_kills<typename Variant::template type<std::uint64_t>>, Variant>());
    });
    return all;
}

}  // namespace zeroipc::testing
