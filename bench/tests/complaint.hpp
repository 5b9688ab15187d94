#pragma once
/// \file
/// What a plan is refused with.

#include <string>

#include "message_of.hpp"
#include "zeroipc/bench/plan.hpp"

namespace zeroipc::bench::testing {

/// What f refuses with; empty if it does not.
template <class F>
std::string complaint(F&& f) {
    return message_of<PlanError>(f);
}

}  // namespace zeroipc::bench::testing
