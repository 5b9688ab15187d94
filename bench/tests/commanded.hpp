#pragma once
/// \file
/// Commands of the program, called within a test.

#include <sstream>
#include <string>
#include <vector>

namespace zeroipc::bench::testing {

struct Commanded {
    int status;
    std::string out, err;
};

/// What `command`, a function as `doctor_command`, does with its name and these arguments.
template <class Command>
Commanded commanded(Command command, char const* name, std::vector<char const*> arguments) {
    arguments.insert(arguments.begin(), name);
    std::ostringstream out;
    std::ostringstream err;
    int const status = command(static_cast<int>(arguments.size()), arguments.data(), out, err);
    return {status, out.str(), err.str()};
}

}  // namespace zeroipc::bench::testing
