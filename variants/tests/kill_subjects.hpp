#pragma once
/// \file
/// What zeroipc-kill can kill users of: the catalogue's variants, compiled a kind of structure at a time.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "zeroipc_kill_report.hpp"

namespace zeroipc::testing {

/// One variant.
struct kill_subject {
    std::string name;
    bool kill_safe = false;
    bool wrong_on_purpose = false;
    std::uint64_t min_capacity = 1;
    std::uint64_t most_workers = ~std::uint64_t{0};  ///< that may push, or that may pop
    std::function<kill_report(kill_plan const&, kill_watch const&)> run;
};

std::vector<kill_subject> queue_kill_subjects();
std::vector<kill_subject> stack_kill_subjects();
std::vector<kill_subject> map_kill_subjects();

}  // namespace zeroipc::testing
