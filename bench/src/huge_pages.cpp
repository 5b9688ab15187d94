#include "zeroipc/bench/huge_pages.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

namespace zeroipc::bench {

namespace {

constexpr std::array<std::string_view, 5> keys{
    "ShmemPmdMapped:", "FilePmdMapped:", "AnonHugePages:", "Shared_Hugetlb:", "Private_Hugetlb:"};

/// Takes a number off the front of the text.
template <class Number>
bool take(std::string_view& text, Number& number, int base) {
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    if (error != std::errc()) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
}

struct Mapping {
    std::uintptr_t begin = 0, end = 0;
    long long huge = 0;
    bool says = false;  // whether one of the keys was there

    /// The line that begins a mapping: "7f0000000000-7f0000200000 rw-s ...".
    static std::optional<Mapping> started_by(std::string_view line) {
        Mapping mapping;
        if (!take(line, mapping.begin, 16) || !line.starts_with('-')) return std::nullopt;
        line.remove_prefix(1);
        if (!take(line, mapping.end, 16) || !line.starts_with(' ')) return std::nullopt;
        return mapping;
    }

    /// A line of it: "AnonHugePages:      2048 kB".
    void read(std::string_view line) {
        auto const key =
            std::find_if(keys.begin(), keys.end(), [&](auto name) { return line.starts_with(name); });
        if (key == keys.end()) return;
        line.remove_prefix(std::min(line.find_first_not_of(' ', key->size()), line.size()));
        long long kibibytes = 0;
        if (!take(line, kibibytes, 10)) return;
        huge += kibibytes * 1024;
        says = true;
    }
};

/// Adds mappings up, in the order of addresses.
class Range {
public:
    Range(std::uintptr_t begin, std::uintptr_t end) : known_to_(begin), end_(end) {}

    void add(Mapping const& mapping) {
        auto const first = std::max(mapping.begin, known_to_);
        auto const last = std::min(mapping.end, end_);
        if (first >= last || first != known_to_ || !mapping.says) return;
        auto const inside = static_cast<long long>(last - first);
        auto const outside = static_cast<long long>(mapping.end - mapping.begin) - inside;
        // The huge pages may be inside or outside: known only where all or none of it is huge.
        if (std::max(0LL, mapping.huge - outside) != std::min(mapping.huge, inside)) return;
        huge_ += std::min(mapping.huge, inside);
        known_to_ = last;
    }

    std::optional<long long> huge() const { return known_to_ == end_ ? std::optional(huge_) : std::nullopt; }

private:
    std::uintptr_t known_to_, end_;
    long long huge_ = 0;
};

}  // namespace

std::optional<long long> huge_page_bytes(std::string_view smaps, std::uintptr_t begin, std::uintptr_t end) {
    Range range(begin, end);
    Mapping current;
    while (!smaps.empty()) {
        auto const line = smaps.substr(0, smaps.find('\n'));
        smaps.remove_prefix(std::min(line.size() + 1, smaps.size()));
        if (auto const next = Mapping::started_by(line)) {
            range.add(current);
            current = *next;
        } else {
            current.read(line);
        }
    }
    range.add(current);
    return range.huge();
}

std::optional<long long> huge_page_bytes(void const* base, std::size_t bytes) {
    std::ostringstream text;
    text << std::ifstream("/proc/self/smaps").rdbuf();
    auto const begin = reinterpret_cast<std::uintptr_t>(base);
    return huge_page_bytes(text.str(), begin, begin + bytes);
}

}  // namespace zeroipc::bench
