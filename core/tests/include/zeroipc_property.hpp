#pragma once
/// \file
/// Random sequences of operations against the standard containers, made shorter by rapidcheck when one fails.
///
/// For one more structure: a `subject` with a model, a list of operations, and one TEST_CASE that calls
/// holds<subject>(). The seed is ZEROIPC_SEED; it repeats a failure.

#include <rapidcheck.h>
#include <rapidcheck/detail/TestListenerAdapter.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <iomanip>
#include <ostream>
#include <sstream>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "zeroipc_testing.hpp"

namespace zeroipc::testing {

/// An operation: which one, on which of the two handles, and a number.
template <class What>
struct step {
    What what{};
    std::size_t handle = 0;
    std::uint64_t number = 0;
};

template <class What>
std::ostream& operator<<(std::ostream& out, step<What> const& s) {
    return out << name_of(s.what) << " on " << s.handle << " (" << s.number << ")";
}

/// Checks with rapidcheck that `Subject(capacity)`, taking any sequence of steps, agrees with its model: apply()
/// throws rapidcheck's failure where it does not. \tparam Subject with `what`, an enumeration of operations from
/// 0 to `count - 1`.
template <class Subject>
void holds(std::string const& description, int successes) {
    using one_step = step<typename Subject::what>;
    auto const any_step = rc::gen::map(
        rc::gen::tuple(rc::gen::inRange(0, static_cast<int>(Subject::what::count)),
                       rc::gen::inRange<std::size_t>(0, 2), rc::gen::inRange<std::uint64_t>(0, 12)),
        [](std::tuple<int, std::size_t, std::uint64_t> const& t) {
            return one_step{static_cast<typename Subject::what>(std::get<0>(t)), std::get<1>(t),
                            std::get<2>(t)};
        });
    rc::detail::TestParams parameters;
    parameters.seed = seed();
    parameters.maxSuccess = successes;
    parameters.maxSize = 200;
    // Given both, rapidcheck does not look for a configuration of its own, with another seed.
    rc::detail::TestListenerAdapter listener;
    auto const result = rc::detail::checkTestable(
        [&] {
            auto const capacity = std::uint64_t{1} << *rc::gen::inRange(0, 4);
            auto const steps = *rc::gen::container<std::vector<one_step>>(any_step);
            Subject subject(capacity);
            for (auto const& one : steps) subject.apply(one);
            subject.finish();
        },
        rc::detail::TestMetadata{description, description}, parameters, listener,
        std::unordered_map<std::string, rc::detail::Reproduce>());
    std::ostringstream text;
    rc::detail::printResultMessage(result, text);
    INFO(description << "; repeat with ZEROIPC_SEED=" << seed() << "\n" << text.str());
    CHECK(result.template is<rc::detail::SuccessResult>());
}

/// An item of N bytes that all tell its number.
template <std::size_t N>
struct item {
    std::array<unsigned char, N> bytes{};
    item() = default;
    explicit item(std::uint64_t number) {
        for (std::size_t i = 0; i < N; ++i) bytes[i] = static_cast<unsigned char>(number * 37 + i * 11);
    }
    bool operator==(item const&) const = default;
};

template <std::size_t N>
std::ostream& operator<<(std::ostream& out, item<N> const& i) {
    for (auto const byte : i.bytes) out << std::hex << std::setw(2) << std::setfill('0') << unsigned{byte};
    return out << std::dec;
}

template <template <std::size_t> class Subject>
void holds_for_all_sizes(std::string const& noun, int successes) {
    holds<Subject<1>>(noun + " of 1 byte", successes);
    holds<Subject<8>>(noun + " of 8 bytes", successes);
    holds<Subject<12>>(noun + " of 12 bytes", successes);
    holds<Subject<100>>(noun + " of 100 bytes", successes);
}

}  // namespace zeroipc::testing
