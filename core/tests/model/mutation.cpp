/// \file
/// zeroipc-mutation: weakens every ordered access of the default queue, stack and map, one at a time, and writes down
/// which scene notices, or why the access is not needed there.

#include <zeroipc/map.hpp>
#include <zeroipc/queue.hpp>
#include <zeroipc/stack.hpp>
#include <zeroipc_model/container_scenes.hpp>
#include <zeroipc_model/map_scene.hpp>
#include <zeroipc_model/mutants.hpp>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "mutation_arguments.hpp"

namespace {

using namespace zeroipc::model;

struct subject {
    std::string name;
    std::vector<scene_plan> plans;
};

std::vector<subject> subjects() {
    return {{"Queue", container_scenes<zeroipc::detail::queue_policies<>>()},
            {"Stack", container_scenes<zeroipc::detail::stack_policies<>>()},
            {"Map", map_scenes<zeroipc::detail::map_policies<>>()}};
}

/// One line of the page. What no scene notices has its argument instead.
struct row {
    std::string structure, access, loss, scene, how;
    bool caught = false;
};

std::string_view argument_for(std::string const& structure, std::string const& access,
                              std::string_view loss) {
    for (auto const& one : mutation_arguments)
        if ((one.structure.empty() || one.structure == structure) && one.access == access && one.loss == loss)
            return one.why;
    return {};
}

row row_of(subject const& of, mutant const& one) {
    auto const access = one.change.where.text();
    auto const loss = name_of(one.change.what);
    return {of.name,
            access,
            std::string(loss),
            one.caught ? one.scene : "-",
            one.caught ? one.how : std::string(argument_for(of.name, access, loss)),
            one.caught};
}

/// What stands before the tables.
std::string head_of(std::vector<row> const& rows) {
    auto const caught = std::count_if(rows.begin(), rows.end(), [](row const& r) { return r.caught; });
    std::ostringstream out;
    out << R"(# Ordered accesses of queue, stack and map, weakened

Written by `zeroipc-mutation --whole --write core/docs/mutations.md` (with `--structure Map` its rows only); a test checks
that it is true. Each access that a scene of the default queue, stack or map makes, and that is more than relaxed, is
weakened in one way at a time, in the library's own headers on the explorer ([proof.md](proof.md)). Either a scene notices,
or the table says why the access is not needed within the bounds. The default keeps all of them; the ordering `minimal`
leaves out those marked so, and the explorer checks it as a whole like any other variant.

An access that goes through the ordering policy is known by its number: where one number stands in several places, as (M1)
does, all of them are weakened together, and one place alone may be needed less than its number. Any other is known by its
function, a second one there by (2).

Not in the tables, for no scene makes them: (A1) to (A4) of arrays, each a single operation on one word with the order
that it states; (T1) to (T4), by which a table's entries and a segment are published, and which threads and processes that
create and open at once test; and what `repair` does, to which nobody else is attached.

)" << rows.size()
        << " ways to weaken an access; " << caught << " are noticed, "
        << rows.size() - static_cast<std::size_t>(caught) << " are not needed.\n";
    return out.str();
}

void write_page(std::ostream& out, std::vector<row> const& rows) {
    out << head_of(rows);
    std::string structure;
    for (auto const& r : rows) {
        if (r.structure != structure) {
            structure = r.structure;
            out << "\n## " << structure
                << "\n\n| access | weakened | noticed by the scene | as, or why it is not needed "
                   "|\n|---|---|---|---|\n";
        }
        out << "| " << r.access << " | " << r.loss << " | " << r.scene << " | " << r.how << " |\n";
    }
}

std::vector<row> read_page(std::string const& file) {
    std::ifstream in(file);
    if (!in) throw std::runtime_error(file + ": can't be read");
    std::vector<row> rows;
    std::string structure;
    for (std::string line; std::getline(in, line);) {
        if (line.rfind("## ", 0) == 0) structure = line.substr(3);
        if (line.rfind("| ", 0) != 0 || line.rfind("| access", 0) == 0) continue;
        std::vector<std::string> cells;
        for (std::size_t at = 2; at < line.size();) {
            auto const end = line.find(" | ", at);
            cells.push_back(line.substr(at, (end == std::string::npos ? line.size() - 2 : end) - at));
            at = end == std::string::npos ? line.size() : end + 3;
        }
        if (cells.size() != 4) throw std::runtime_error(file + ": a row without four cells: " + line);
        rows.push_back({structure, cells[0], cells[1], cells[2], cells[3], cells[2] != "-"});
    }
    return rows;
}

int complaints = 0;
void complain(std::string const& what) {
    ++complaints;
    std::printf("%s\n", what.c_str());
}

/// The page names each way to weaken an access, each scene that it names notices, everything else has its argument, and
/// what stands before the tables is what their rows say. \param only of this structure; empty: of all.
void check_page(std::string const& file, std::string const& only, bool whole) {
    auto rows = read_page(file);
    std::ifstream in(file);
    std::string const page{std::istreambuf_iterator<char>(in), {}};
    if (page.rfind(head_of(rows), 0) != 0)
        complain(file + ": its text or its totals are others than what its tables say; write it anew");
    std::size_t checked = 0;
    for (auto const& of : subjects()) {
        if (!only.empty() && of.name != only) continue;
        for (auto const& change : mutations_of(of.plans)) {
            auto const text = of.name + ": " + change.text();
            auto const found = std::find_if(rows.begin(), rows.end(), [&](row const& r) {
                return r.structure == of.name && r.access == change.where.text() &&
                       r.loss == name_of(change.what);
            });
            if (found == rows.end()) {
                complain(text + ": the page does not name it; write it anew");
                continue;
            }
            row const was = *found;
            rows.erase(found);
            ++checked;
            if (was.caught) {
                auto const plan = std::find_if(of.plans.begin(), of.plans.end(),
                                               [&](auto const& p) { return p.name == was.scene; });
                if (plan == of.plans.end() || !hunt({*plan}, change, everything).caught)
                    complain(text + ": the scene '" + was.scene + "' does not notice it any more");
            } else {
                auto const why = argument_for(of.name, was.access, was.loss);
                if (why.empty())
                    complain(text + ": nobody notices, and no argument says why it is not needed");
                else if (was.how != why)
                    complain(text + ": the page gives another argument than mutation_arguments.hpp");
                if (whole) {
                    auto const again = hunt(of.plans, change, once_more);
                    if (again.caught)
                        complain(text + ": is noticed by '" + again.scene + "' after all: " + again.how);
                }
            }
        }
    }
    for (auto const& r : rows)
        if (only.empty() || r.structure == only)
            complain(r.structure + ": " + r.access + ": " + r.loss + ": there is no such access any more");
    std::printf("%zu ways to weaken an access checked\n", checked);
}

constexpr int usage_error = 2;

}  // namespace

int main(int argc, char** argv) {
    std::string write;
    std::string check;
    std::string only;
    bool whole = false;
    CLI::App app(
        "Weakens each ordered access of the default queue, stack and map, one at a time, and looks which "
        "scene "
        "notices.");
    app.add_option("--structure", only, "Only this one")->check(CLI::IsMember({"Queue", "Stack", "Map"}));
    app.add_flag(
        "--whole", whole,
        "Also within each scene's full bounds, where smaller ones show nothing; with --check, of each scene "
        "the first 200,000 runs, and 5,000 for each step of a death: minutes");
    auto* const to_write =
        app.add_option("--write", write,
                       "Write the page (Markdown) to this file; with --structure its rows, the others stay");
    app.add_option("--check", check, "Check that the page in this file is true")->excludes(to_write);
    app.footer(
        "exit status: 0 all is well; 1 something survives without an argument, or the page is not true; 2 "
        "bad usage");
    try {
        app.parse(argc, argv);
    } catch (CLI::ParseError const& wrong) {
        return app.exit(wrong) == 0 ? 0 : usage_error;
    }
    try {
        headers_folder = ZEROIPC_HEADERS;
        if (!check.empty()) {
            check_page(check, only, whole);
            return complaints == 0 ? 0 : 1;
        }
        std::vector<row> const known = write.empty() || only.empty() ? std::vector<row>{} : read_page(write);
        std::vector<row> rows;
        for (auto const& of : subjects()) {
            if (!only.empty() && of.name != only) {
                std::copy_if(known.begin(), known.end(), std::back_inserter(rows),
                             [&](row const& r) { return r.structure == of.name; });
                continue;
            }
            for (auto const& change : mutations_of(of.plans)) {
                auto const seen = hunt(of.plans, change, whole ? everything : nowhere);
                rows.push_back(row_of(of, seen));
                auto const& r = rows.back();
                std::printf("%-6s %-55s %s\n", of.name.c_str(), change.text().c_str(),
                            r.caught        ? (r.scene + ": " + r.how).c_str()
                            : r.how.empty() ? "SURVIVES"
                                            : "not needed");
                for (auto const& scene : seen.not_exhausted)
                    std::printf("       (not all runs within the bounds of: %s)\n", scene.c_str());
                std::fflush(stdout);
                if (!r.caught && r.how.empty()) ++complaints;
            }
        }
        if (!write.empty()) {
            std::ofstream out(write);
            write_page(out, rows);
            if (!out.flush()) throw std::runtime_error(write + ": can't be written");
        }
    } catch (std::exception const& e) {
        std::fprintf(stderr, "zeroipc-mutation: %s\n", e.what());
        return 1;
    }
    return complaints == 0 ? 0 : 1;
}
