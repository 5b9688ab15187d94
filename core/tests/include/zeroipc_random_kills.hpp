#pragma once
/// \file
/// Kills at random moments as a Catch2 test.

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>

#include "zeroipc_kills.hpp"

namespace zeroipc::testing {

/// Kills workers at random moments beside two survivors, and checks everything. \param crowd workers that are alive
/// at once
template <class Workload>
void random_kills(std::uint64_t kills, std::uint64_t capacity, std::uint64_t crowd = 2) {
    watchdog const limit(60 + static_cast<unsigned>(kills * crowd / 5));
    kill_plan plan{.kills = kills, .capacity = capacity, .crowd = crowd, .seed = seed() + kills + capacity};
    if (sanitized) plan.patience *= 4;
    auto const r = kill_run<Workload>(plan, {}).run();
    std::printf(
        "%llu kills, %llu inside an operation (%.0f %%), %llu while opening: %llu missing; survivors did "
        "%llu "
        "operations\n",
        static_cast<unsigned long long>(r.kills), static_cast<unsigned long long>(r.inside),
        100.0 * static_cast<double>(r.inside) / static_cast<double>(r.kills),
        static_cast<unsigned long long>(r.opening), static_cast<unsigned long long>(r.sum.missing),
        static_cast<unsigned long long>(r.operations));
    for (auto const& one : r.faults) UNSCOPED_INFO(one);
    CHECK(r.faults.empty());
    CHECK(r.kills == kills);
    CHECK(r.inside > 0);
    CHECK(r.sum.full_capacity);
}

}  // namespace zeroipc::testing
