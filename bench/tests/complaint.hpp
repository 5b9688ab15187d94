#pragma once
/// \file
/// What a plan is refused with.

#include <string>

#include "zeroipc/bench/plan.hpp"

namespace zeroipc::bench::testing {

/// What f refuses with; empty if it does not.
template <class F>
std::string complaint(F&& f) {
    try {
        f();
    } catch (PlanError const& error) {
        return error.what();
    }
    return {};
}

}  // namespace zeroipc::bench::testing
