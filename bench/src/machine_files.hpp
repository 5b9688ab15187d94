#pragma once
/// \file
/// Reads what the kernel tells in files, below a root, so that tests can supply their own.

#include <charconv>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace zeroipc::bench {

using Text = std::optional<std::string>;

/// Without space around it.
std::string trimmed(std::string_view text);

bool has_word(std::string const& text, std::string_view word);

/// The whole text as a number, or nothing.
template <class Number>
std::optional<Number> number(Text const& text) {
    Number value{};
    if (!text) return std::nullopt;
    auto const [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    return error == std::errc() && end == text->data() + text->size() ? std::optional(value) : std::nullopt;
}

/// The files of one root. Nothing here throws on files that are missing or strange.
class Files {
public:
    explicit Files(std::filesystem::path root) : root_(std::move(root)) {}

    bool exists(std::string const& name) const;

    /// Content without surrounding space; what is not plain ASCII becomes '?', for JSON must be valid UTF-8.
    Text text(std::string const& name) const;

    /// Value of the first line "key<separator>value".
    Text value(std::string const& name, std::string_view key, char separator) const;

    /// Names in a folder, sorted; empty where there is none.
    std::vector<std::string> list(std::string const& folder) const;

    /// The same cpufreq file of every CPU: distinct contents.
    std::set<std::string> cpufreq(std::string const& name) const;

    std::filesystem::path const& root() const { return root_; }

private:
    std::filesystem::path root_;
};

}  // namespace zeroipc::bench
