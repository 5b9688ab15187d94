#include "zeroipc/bench/frequency.hpp"

#include <cerrno>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include "../machine_files.hpp"

namespace zeroipc::bench {

namespace {

namespace fs = std::filesystem;

/// \return 0, or the error of the system.
int write_to(fs::path const& path, std::string const& value) {
    errno = 0;
    std::ofstream file(path);
    file << value << std::flush;
    if (file) return 0;
    return errno != 0 ? errno : EIO;
}

}  // namespace

FrequencySetting::FrequencySetting(FrequencyWish const& wish, fs::path const& root) {
    Files const files(root);
    fs::path const cpus = root / "sys/devices/system/cpu";
    try {
        if (wish.governor) {
            bool any = false;
            for (auto const& name : files.list("sys/devices/system/cpu")) {
                auto const file = cpus / name / "cpufreq/scaling_governor";
                std::error_code ignored;
                if (!name.starts_with("cpu") || name == "cpufreq" || !fs::exists(file, ignored)) continue;
                any = true;
                set(file, *wish.governor, "the governor");
            }
            if (!any)
                throw std::runtime_error(
                    "the governor cannot be set to " + *wish.governor +
                    ": no CPU of this machine has a cpufreq/scaling_governor; leave --governor out");
        }
        if (wish.turbo) {
            auto const value = [&](bool on) { return on ? "1" : "0"; };
            if (files.exists("sys/devices/system/cpu/intel_pstate/no_turbo"))
                set(cpus / "intel_pstate/no_turbo", value(!*wish.turbo), "turbo");
            else if (files.exists("sys/devices/system/cpu/cpufreq/boost"))
                set(cpus / "cpufreq/boost", value(*wish.turbo), "turbo");
            else
                throw std::runtime_error(
                    "turbo cannot be set: this machine has neither intel_pstate/no_turbo nor cpufreq/boost; "
                    "leave "
                    "--turbo out");
        }
    } catch (...) {
        restore();
        throw;
    }
}

void FrequencySetting::set(fs::path const& file, std::string const& value, std::string const& what) {
    Files const files(file.parent_path());
    auto const name = file.filename().string();
    auto const before = files.text(name);
    if (before == value) return;
    auto const refused = [&](std::string const& why) {
        return std::runtime_error(what + " cannot be set: writing " + value + " to " + file.string() + ": " +
                                  why);
    };
    if (!before) throw refused("what it has now cannot be read, so that it could not be restored");
    if (int const error = write_to(file, value); error != 0) {
        auto const choice = files.text("scaling_available_governors");
        throw refused(std::generic_category().message(error) +
                      (error == EACCES || error == EPERM || error == EROFS
                           ? "; it needs root, outside a container"
                       : name == "scaling_governor" && choice ? "; there are: " + *choice
                                                              : ""));
    }
    before_.emplace_back(file, *before);
    if (auto const now = files.text(name); now != value)
        throw refused("it has " + now.value_or("nothing") + " afterwards; something else sets it");
}

void FrequencySetting::restore() noexcept {
    for (; !before_.empty(); before_.pop_back()) {
        try {
            static_cast<void>(write_to(before_.back().first, before_.back().second));
        } catch (...) {  // NOLINT(bugprone-empty-catch): the others are restored nevertheless
        }
    }
}

}  // namespace zeroipc::bench
