#pragma once
/// \file
/// Example of a policy of one's own: a backoff of 1, 2, 3, ... pauses, at most Most.

#include <zeroipc/atomics.hpp>
#include <zeroipc/policy.hpp>
#include <zeroipc/variants/backoffs.hpp>

#include <cstdint>
#include <string_view>

namespace own {

template <std::uint32_t Most>
struct linear {
    using policy_kind = zeroipc::policy::backoff_kind;
    static constexpr zeroipc::variants::detail::numbered_name full_name{"linear", Most};
    static constexpr std::string_view name = full_name.view();  // the parameter is part of it

    void operator()() noexcept {
        if (pauses_ < Most) ++pauses_;
        zeroipc::atomics::cpu_relax(pauses_);
    }

private:
    std::uint32_t pauses_ = 0;  // an object lives as long as one operation
};

}  // namespace own
