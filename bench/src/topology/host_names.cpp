#include "host_names.hpp"

namespace zeroipc::bench {

namespace {

/// Info attributes that say what a machine is and not which, each between spaces. Everything else is dropped
/// from an exported file: host and process names, cgroup paths, serial numbers, asset tags, and whatever a
/// later hwloc may add.
constexpr std::string_view harmless_infos =
    " Architecture Backend OSName OSRelease hwlocVersion SyntheticDescription Inclusive MemoryMode "
    "ClusterMode"
    " CPUModel CPUVendor CPUFamilyNumber CPUModelNumber CPUStepping"
    " CPUImplementer CPUArchitecture CPUVariant CPUPart CPURevision"
    " CoreType FrequencyMaxMHz FrequencyBaseMHz LinuxCapacity ";

bool is_harmless(std::string_view info_element) {
    constexpr std::string_view name_is = "name=\"";
    auto const start = info_element.find(name_is);
    if (start == std::string_view::npos) return false;
    auto const rest = info_element.substr(start + name_is.size());
    std::string const name(rest.substr(0, rest.find('"')));
    return harmless_infos.find(' ' + name + ' ') != std::string_view::npos;
}

}  // namespace

std::string without_host_names(std::string_view xml) {
    std::string result;
    while (true) {
        auto const start = xml.find("<info ");
        auto const end = start == std::string_view::npos ? start : xml.find('>', start);
        if (end == std::string_view::npos) return result.append(xml);
        auto const element = xml.substr(start, end + 1 - start);  // '>' is escaped inside values
        result.append(xml.substr(0, start));
        if (is_harmless(element)) {
            result.append(element);
        } else {
            result.erase(result.find_last_not_of(" \t\r\n") + 1);  // with it goes the line that it stood on
        }
        xml.remove_prefix(end + 1);
    }
}

}  // namespace zeroipc::bench
