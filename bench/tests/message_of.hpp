#pragma once
/// \file
/// What goes wrong, as text.

#include <string>

namespace zeroipc::bench::testing {

/// The message of the Error that f throws; empty if it throws nothing.
template <class Error, class F>
std::string message_of(F&& f) {
    try {
        f();
    } catch (Error const& error) {
        return error.what();
    }
    return {};
}

}  // namespace zeroipc::bench::testing
