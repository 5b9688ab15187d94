#pragma once
/// \file
/// Energy that the processor packages took, by the counters that the kernel shows below /sys/class/powercap.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace zeroipc::bench {

/// The packages' counters at one moment, in microjoules.
using EnergyReading = std::vector<std::uint64_t>;

/// Energy of all packages between two readings: whatever else the machine did is in it.
class EnergyMeter {
public:
    /// Looks for packages below root; does not throw on files that are missing or strange.
    explicit EnergyMeter(std::filesystem::path const& root = "/");

    [[nodiscard]] std::size_t packages() const noexcept { return packages_.size(); }
    /// Why there is nothing to read, and what to do; empty if there is.
    [[nodiscard]] std::string const& reason() const noexcept { return reason_; }

    /// Nothing if not every package can be read.
    [[nodiscard]] std::optional<EnergyReading> read() const;
    /// Joules from one reading to a later one of the same object. A counter that ran over once is understood; that
    /// takes minutes at full load, and more than once cannot be told. Nothing if a reading is missing, or a
    /// counter ran over and its range is unknown.
    [[nodiscard]] std::optional<double> joules(std::optional<EnergyReading> const& before,
                                               std::optional<EnergyReading> const& after) const;

private:
    struct Package {
        std::string file;                    ///< below the root
        std::optional<std::uint64_t> range;  ///< microjoules after which the counter begins again
    };
    std::filesystem::path root_;
    std::vector<Package> packages_;
    std::string reason_;
};

}  // namespace zeroipc::bench
