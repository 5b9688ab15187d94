#pragma once
/// \file
/// What Google Benchmark is told, and what it says.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace zeroipc::bench {

/// The arguments that are Google Benchmark's, our defaults in front so that the user's win. Says which have
/// no meaning.
std::vector<std::string> benchmark_arguments(std::vector<std::string> const& rest, std::uint32_t rounds,
                                             std::string const& out);

/// Value of a flag of Google Benchmark: the last one counts, and without one the environment.
std::optional<std::string> last_value(std::vector<std::string> const& arguments, std::string const& flag,
                                      char const* variable);

bool only_lists(std::vector<std::string> const& arguments);

/// Google Benchmark writes the host's name and the program's path into its file; records of ours do not name
/// them. \throws std::runtime_error if the file was not written whole; it is removed then
void anonymise(std::filesystem::path const& file);

}  // namespace zeroipc::bench
