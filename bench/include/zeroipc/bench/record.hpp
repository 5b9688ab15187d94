#pragma once
/// \file
/// Runs as JSON: one record a run (results/schema/record.schema.json).

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "cell.hpp"
#include "coordinator.hpp"

namespace zeroipc::bench {

/// Where in a plan a run stands.
struct RunPlace {
    std::string run;  ///< of the invocation
    std::uint32_t round = 0;
    std::uint32_t position = 0;  ///< in the round
    std::uint64_t seed = 0;
};

nlohmann::json to_record(Cell const& cell, RunResult const& result, RunPlace const& place);

/// Operations a second of a throughput run, or 0.
double operations_per_s(Cell const& cell, RunResult const& result);

/// Appends records to a file, a line each, each on the disk before the next run begins.
class RecordWriter {
public:
    /// \throws std::system_error naming the file.
    explicit RecordWriter(std::filesystem::path file);
    void append(nlohmann::json const& record);

private:
    std::filesystem::path file_;
    std::ofstream out_;
};

/// Writes a small file whole or not at all. \throws std::system_error naming the file.
void write_file(std::filesystem::path const& file, std::string const& text);

}  // namespace zeroipc::bench
