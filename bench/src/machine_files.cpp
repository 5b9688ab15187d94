#include "machine_files.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <sstream>

namespace zeroipc::bench {

namespace {

constexpr std::string_view space = " \t\r\n";

}  // namespace

std::string trimmed(std::string_view text) {
    auto const first = text.find_first_not_of(space);
    if (first == std::string_view::npos) return {};
    return std::string(text.substr(first, text.find_last_not_of(space) + 1 - first));
}

bool has_word(std::string const& text, std::string_view word) {
    std::istringstream words(text);
    return std::find(std::istream_iterator<std::string>(words), {}, word) !=
           std::istream_iterator<std::string>();
}

bool Files::exists(std::string const& name) const {
    std::error_code error;
    return std::filesystem::exists(root_ / name, error);
}

Text Files::text(std::string const& name) const {
    std::ifstream file(root_ / name, std::ios::binary);
    if (!file) return std::nullopt;
    std::string content;
    for (std::array<char, 4096> part{}; file.read(part.data(), part.size()) || file.gcount() > 0;) {
        content.append(part.data(), static_cast<std::size_t>(file.gcount()));
    }
    if (file.bad()) return std::nullopt;  // a folder, or a kernel file that refuses to be read
    std::replace_if(
        content.begin(), content.end(),
        [](unsigned char c) {
            return c >= 0x7f || (c < 0x20 && space.find(static_cast<char>(c)) == space.npos);
        },
        '?');
    return trimmed(content);
}

Text Files::value(std::string const& name, std::string_view key, char separator) const {
    auto const content = text(name);
    if (!content) return std::nullopt;
    std::istringstream lines(*content);
    for (std::string line; std::getline(lines, line);) {
        auto const split = line.find(separator);
        if (split == std::string::npos || trimmed(line.substr(0, split)) != key) continue;
        return trimmed(line.substr(split + 1));
    }
    return std::nullopt;
}

std::vector<std::string> Files::list(std::string const& folder) const {
    std::vector<std::string> names;
    std::error_code error;
    for (std::filesystem::directory_iterator entry(root_ / folder, error), end; !error && entry != end;
         entry.increment(error)) {
        names.push_back(entry->path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::set<std::string> Files::cpufreq(std::string const& name) const {
    std::set<std::string> values;
    for (std::string const& cpu : list("sys/devices/system/cpu")) {
        if (!cpu.starts_with("cpu")) continue;
        auto const content =
            text((std::filesystem::path("sys/devices/system/cpu") / cpu / "cpufreq" / name).string());
        if (content && !content->empty()) values.insert(*content);
    }
    return values;
}

}  // namespace zeroipc::bench
