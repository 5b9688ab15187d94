#include "zeroipc/bench/energy.hpp"

#include "../machine_files.hpp"

namespace zeroipc::bench {

EnergyMeter::EnergyMeter(std::filesystem::path const& root) : root_(root) {
    Files const files(root);
    std::string const folder = "sys/class/powercap";
    for (auto const& zone : files.list(folder)) {
        // intel-rapl-mmio shows the same packages once more; the whole board (psys) and parts of a package, which
        // are named otherwise, are no packages.
        if (!zone.starts_with("intel-rapl:")) continue;
        auto const place = folder + '/' + zone;
        if (!files.text(place + "/name").value_or("").starts_with("package")) continue;
        packages_.push_back(
            {place + "/energy_uj", number<std::uint64_t>(files.text(place + "/max_energy_range_uj"))});
    }
    if (packages_.empty())
        reason_ = "this machine shows no energy counters (no package below /sys/class/powercap/intel-rapl*)";
    else if (!read())
        reason_ =
            "the energy counters cannot be read: chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj, "
            "as root";
}

std::optional<EnergyReading> EnergyMeter::read() const {
    if (packages_.empty()) return std::nullopt;
    EnergyReading reading;
    for (auto const& package : packages_) {
        auto const microjoules = number<std::uint64_t>(Files(root_).text(package.file));
        if (!microjoules) return std::nullopt;
        reading.push_back(*microjoules);
    }
    return reading;
}

std::optional<double> EnergyMeter::joules(std::optional<EnergyReading> const& before,
                                          std::optional<EnergyReading> const& after) const {
    if (!before || !after || packages_.empty()) return std::nullopt;
    std::uint64_t microjoules = 0;
    for (std::size_t i = 0; i < packages_.size(); ++i) {
        auto const from = before->at(i);
        auto const to = after->at(i);
        auto const& range = packages_[i].range;
        if (to < from && (!range || *range < from)) return std::nullopt;
        microjoules += to < from ? *range - from + to : to - from;
    }
    return static_cast<double>(microjoules) / 1e6;
}

}  // namespace zeroipc::bench
