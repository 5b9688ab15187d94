#include "doctor_command.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>

#include "doctor.hpp"

namespace zeroipc::bench {

namespace {

using nlohmann::json;

json to_json(std::vector<Finding> const& findings, std::ptrdiff_t spoilers) {
    json list = json::array();
    for (auto const& finding : findings)
        list.push_back({{"check", finding.check},
                        {"state", to_string(finding.state)},
                        {"found", finding.found},
                        {"effect", finding.effect},
                        {"remedy", finding.remedy.empty() ? json(nullptr) : json(finding.remedy)}});
    return {{"schema", "zeroipc-doctor/1"}, {"spoils", spoilers}, {"findings", std::move(list)}};
}

void print(std::vector<Finding> const& findings) {
    for (auto const& finding : findings) {
        std::cout << std::left << std::setw(9) << to_string(finding.state) << finding.check << ": "
                  << finding.found;
        if (finding.state != Finding::State::ok)
            std::cout << (finding.state == Finding::State::unknown ? "; if bad: " : "; ") << finding.effect
                      << "  ->  " << finding.remedy;
        std::cout << '\n';
    }
}

}  // namespace

int doctor_command(int argc, char** argv) {
    CLI::App app(
        "Says what spoils measurements on this machine and how to mend it. Changes nothing.\n"
        "Exit status: 0 nothing spoils, 1 something does, 2 wrong usage.",
        "zeroipc-bench doctor");
    bool as_json = false;
    std::string root = "/";
    app.add_flag("--json", as_json, "As one JSON object");
    app.add_option("--root", root, "Read /proc, /sys and /dev below this folder")
        ->check(CLI::ExistingDirectory);
    try {
        app.parse(argc, argv);
    } catch (CLI::ParseError const& wrong) {
        return app.exit(wrong) == 0 ? 0 : 2;
    }
    auto const findings = diagnose(Topology::this_machine(), root);
    auto const spoilers = std::count_if(findings.begin(), findings.end(), [](auto const& finding) {
        return finding.state == Finding::State::spoils;
    });
    if (as_json)
        std::cout << to_json(findings, spoilers).dump(2) << '\n';
    else
        print(findings);
    return spoilers == 0 ? 0 : 1;
}

}  // namespace zeroipc::bench
