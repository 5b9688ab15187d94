#pragma once
/// \file
/// The clock frequency's governor and turbo: read for every run (see environment.hpp), set only when asked.

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace zeroipc::bench {

struct FrequencyWish {
    std::optional<std::string> governor;  ///< of every CPU
    std::optional<bool> turbo;
};

/// Governor and turbo as wished while the object lives; with its end each file has again what it had. A process that is
/// killed restores nothing: the environment of the next run says what it left.
class FrequencySetting {
public:
    /// Throws std::runtime_error, with everything as it was, where the machine has no such setting, the kernel refuses it
    /// or does not keep it: names the file, the value and what to do. Files are those below root.
    explicit FrequencySetting(FrequencyWish const& wish, std::filesystem::path const& root = "/");
    FrequencySetting(FrequencySetting const&) = delete;
    FrequencySetting& operator=(FrequencySetting const&) = delete;
    ~FrequencySetting() { restore(); }

private:
    void set(std::filesystem::path const& file, std::string const& value, std::string const& what);
    void restore() noexcept;

    std::vector<std::pair<std::filesystem::path, std::string>> before_;  ///< in the order of setting
};

}  // namespace zeroipc::bench
