// Each ordered access of the format stands in the C sources under its number, and names there the partners that the page gives
// it.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "zeroipc_c_testing.hpp"

namespace {

std::regex const label(R"(\(([TAQLMW]\d+)\))");

std::string text_of(std::filesystem::path const& file) {
    std::ifstream in(file);
    INFO("reading " << file);
    REQUIRE(in);
    std::ostringstream all;
    all << in.rdbuf();
    return all.str();
}

std::set<std::string> labels_in(std::string const& text) {
    std::set<std::string> found;
    for (std::sregex_iterator it(text.begin(), text.end(), label), end; it != end; ++it)
        found.insert((*it)[1]);
    return found;
}

/// The tables' rows `| (X1) | what | order | partners |`.
std::map<std::string, std::set<std::string>> partners_by_the_pages() {
    std::map<std::string, std::set<std::string>> all;
    for (char const* page : {"segment.md", "array.md", "queue.md", "stack.md", "map.md"}) {
        std::istringstream lines(text_of(std::filesystem::path(ZEROIPC_FORMAT_DIR) / page));
        for (std::string line; std::getline(lines, line);) {
            if (line.rfind("| (", 0) != 0 || std::count(line.begin(), line.end(), '|') != 5) continue;
            auto const which = labels_in(line.substr(0, line.find('|', 1)));
            auto const last = line.rfind('|', line.size() - 2);
            if (which.size() == 1) all[*which.begin()] = labels_in(line.substr(last));
        }
    }
    return all;
}

/// The sources' comments, each on one line.
std::vector<std::string> comments() {
    std::vector<std::string> all;
    for (auto const& file : std::filesystem::directory_iterator(ZEROIPC_C_SOURCES)) {
        auto const text = text_of(file.path());
        for (std::size_t at = 0; (at = text.find("/*", at)) != std::string::npos;) {
            auto const end = text.find("*/", at);
            all.push_back(
                std::regex_replace(text.substr(at, end - at), std::regex(R"(\s*\n\s*\*?\s*)"), " "));
            at = end;
        }
    }
    return all;
}

}  // namespace

TEST_CASE("C: every ordered access is numbered, and names its partners as the format does", "[fast]") {
    auto const pages = partners_by_the_pages();
    CHECK(pages.size() == 39);
    auto const all = comments();
    for (auto const& [access, partners] : pages) {
        INFO("(" << access << ")");
        std::set<std::string> named;
        bool numbered = false;
        for (auto const& comment : all) {
            auto const at = comment.find("(" + access + ")");
            if (at == std::string::npos) continue;
            numbered = true;
            auto const partner = comment.find("Partner", at);
            if (partner == std::string::npos) continue;
            auto const some = labels_in(comment.substr(partner, comment.find('.', partner) - partner));
            named.insert(some.begin(), some.end());
        }
        CHECK(numbered);
        CHECK(named == partners);
    }
}
