// What `zeroipc-bench explain` says: its bytes against real segments, its reading of objdump's text, its command line.

#include <unistd.h>
#include <zeroipc/memory.hpp>
#include <zeroipc/variants/catalogue.hpp>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "commanded.hpp"
#include "commands/explain_command.hpp"
#include "explain/disassembly.hpp"
#include "explain/explained.hpp"
#include "folder.hpp"
#include "zeroipc/bench/peers.hpp"
#include "zeroipc/bench/subject.hpp"

using namespace zeroipc::bench;
using zeroipc::bench::testing::Commanded;
using zeroipc::bench::testing::commanded;
using zeroipc::bench::testing::Folder;
namespace fs = std::filesystem;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using nlohmann::json;

namespace {

Commanded explain(std::vector<char const*> arguments) {
    return commanded(explain_command, "explain", std::move(arguments));
}

std::uint64_t sum_of(std::vector<Part> const& parts) {
    return std::accumulate(parts.begin(), parts.end(), std::uint64_t{0},
                           [](std::uint64_t sum, Part const& part) { return sum + part.bytes; });
}

/// Programs are looked for in this folder alone.
class PathOnly {
public:
    explicit PathOnly(std::string const& folder) : before_(std::getenv("PATH")) {
        ::setenv("PATH", folder.c_str(), 1);
    }
    PathOnly(PathOnly const&) = delete;
    PathOnly& operator=(PathOnly const&) = delete;
    PathOnly(PathOnly&&) = delete;
    PathOnly& operator=(PathOnly&&) = delete;
    ~PathOnly() { ::setenv("PATH", before_.c_str(), 1); }

private:
    std::string before_;
};

/// Whether code can be looked at, and is worth it: without optimisation, every access is some calls away.
bool shows_code() {
#if defined(__OPTIMIZE__)
    return std::system("objdump --version > /dev/null 2>&1") == 0;
#else
    return false;
#endif
}

/// A shell script in the place of a program.
void write_program(fs::path const& file, std::string const& script) {
    std::ofstream(file) << "#!/bin/sh\n" << script;
    fs::permissions(file, fs::perms::owner_all);
}

}  // namespace

TEST_CASE("the parts of every variant add up to what it takes in a segment", "[fast]") {
    std::size_t compared = 0;
    for (auto const& info : zeroipc::variants::list())
        for (auto const& [payload, about] : explained(info.name)) {
            INFO(info.name << ", " << payload << " bytes");
            Cell cell;
            cell.variant = info.name;
            cell.payload_bytes = payload;
            cell.capacity = 64;
            cell.filled_percent = 0;
            auto const name = "/zeroipc-test-" + std::to_string(::getpid()) + "-explain";
            auto const subject = find_subject(info.name, payload);
            REQUIRE(subject);
            auto const total = zeroipc::format::table_end(8) + subject->bytes(cell) + 4096;
            auto segment = zeroipc::Memory::create(name, total, zeroipc::memory_options{.max_entries = 8});
            zeroipc::Memory::unlink(name);
            Initial initial;
            subject->create(segment, cell, initial);
            auto const* const made = info.structure == "queue" ? "there" : info.structure.c_str();
            auto const place = segment.find(made);
            REQUIRE(place);
            auto const parts = about.parts(cell.capacity, about.usual_handles);
            CHECK(sum_of(parts) == place->size);
            std::uint64_t end = 0;
            for (auto const& part : parts) {
                CHECK(part.offset == end);
                CHECK(part.bytes > 0);
                end = part.offset + part.bytes;
            }
            ++compared;
        }
    CHECK(compared >= zeroipc::variants::list().size());
}

TEST_CASE("the default queue's parts are those of the format", "[fast]") {
    std::ifstream file(ZEROIPC_LAYOUT);
    auto const format = json::parse(file);
    auto const& queue = format["queue"];
    auto const& compact = queue["layouts"]["compact"];
    std::uint64_t const capacity = 1024;
    std::uint64_t const slots = 64;
    auto const bytes = [](json const& number) { return number.get<std::uint64_t>(); };
    Folder const nothing;
    PathOnly const path(nothing.path().string());  // no code here
    auto const outcome = explain({"queue", "--payload", "64", "--json"});
    REQUIRE(outcome.status == 0);
    auto const said = json::parse(outcome.out);
    std::map<std::string, std::uint64_t> parts;
    for (auto const& part : said["bytes"]["parts"]) parts[part["name"]] = part["bytes"];
    CHECK(parts["header"] == bytes(queue["header_bytes"]));
    CHECK(parts["descriptor"] == bytes(format["descriptor"]["bytes"]));
    CHECK(parts["header"] + parts["descriptor"] + parts["waiting words and padding"] ==
          bytes(compact["body"]));
    CHECK(parts["handle slots"] == slots * bytes(compact["line"]));
    CHECK(parts["cells"] == capacity * bytes(queue["exchange"]["cell_bytes"]));
    CHECK(parts["buffers"] == 64 * (capacity + slots * bytes(queue["exchange"]["spares_per_slot"])));
    CHECK(parts.size() == 6);
    auto const total = said["bytes"]["total"].get<double>();
    CHECK(said["bytes"]["an_item"].get<double>() == Approx(total / 1024));
}

TEST_CASE("instructions that order memory are told from others", "[fast]") {
    auto const name = [](char const* instruction) { return ordered_name(instruction); };
    CHECK(name("lock cmpxchg %rdx,(%rdi)") == "lock cmpxchg");
    CHECK(name("lock orq $0x0,(%rsp)") == "lock orq");
    CHECK(name("xchg %rax,(%rdi)") == "xchg");
    CHECK(name("xchg %ax,%ax").empty());  // fills up
    CHECK(name("mfence") == "mfence");
    CHECK(name("mov %rax,(%rdi)").empty());
    CHECK(name("cmpxchg %rdx,(%rdi)").empty());
    CHECK(name("ldar x0, [x1]") == "ldar");
    CHECK(name("ldaxr x0, [x1]") == "ldaxr");
    CHECK(name("stlr x0, [x1]") == "stlr");
    CHECK(name("stlxr w2, x0, [x1]") == "stlxr");
    CHECK(name("casal x0, x1, [x2]") == "casal");
    CHECK(name("ldaddal x0, x1, [x2]") == "ldaddal");
    CHECK(name("dmb ish") == "dmb");
    CHECK(name("ldr x0, [x1]").empty());
    CHECK(name("bl 4005d0 <__aarch64_cas8_acq_rel>") == "__aarch64_cas8_acq_rel");
    CHECK(name("bl 4005d0 <other>").empty());
    CHECK(name("call 12a0 <pthread_mutex_trylock@plt>") == "pthread_mutex_trylock");
}

TEST_CASE("objdump's text is read up to the next function", "[fast]") {
    auto const function = function_in(
        "\nprogram:     file format elf64-x86-64\n\n\nDisassembly of section .text:\n\n"
        "00000000000011d0 <push(Item const&)>:\n"
        "    11d0:\tmov    (%rdi),%rax\n"
        "    11d3:\tlock cmpxchg %rdx,(%rdi)\n"
        "    11d8:\tjne    11d0 <push(Item const&)+0x3>\n"
        "    11d8:\tret\n"
        "    11d9:\tnopl   0x0(%rax)\n"
        "    11dd:\tdata16 cs nopw 0x0(%rax,%rax,1)\n\n"
        "00000000000011e0 <pop(Item&)>:\n"
        "    11e0:\tmfence\n");
    REQUIRE(function);
    CHECK(function->name == "push(Item const&)");
    std::vector<std::string> texts;
    for (auto const& one : function->instructions) texts.push_back(one.text + "|" + one.ordered);
    CHECK(texts == std::vector<std::string>{"mov (%rdi),%rax|", "lock cmpxchg %rdx,(%rdi)|lock cmpxchg",
                                            "jne 11d0 <+0x3>|", "ret|"});
    CHECK_FALSE(function_in("objdump: no such file\n"));
    CHECK_FALSE(instruction_in("Disassembly of section .text:"));
}

TEST_CASE("operations are found in the program itself, their commits marked", "[fast]") {
    if (!shows_code()) {
        WARN("skipped: not optimised, or objdump is not here (Debian: apt-get install binutils)");
        return;
    }
    auto const said = [](char const* variant) {
        auto const outcome = explain({variant, "--json"});
        INFO(outcome.err);
        REQUIRE(outcome.status == 0);
        return json::parse(outcome.out);
    };
    auto const ordered = [](json const& operation) {
        std::size_t sum = 0;
        for (auto const& [name, count] : operation["ordered"].items()) sum += count.get<std::size_t>();
        return sum;
    };
    for (auto const* const variant : {"stack", "map"}) {
        INFO(variant);
        auto const operations = said(variant)["operations"];
        CHECK(operations.size() == (variant == std::string("map") ? 3 : 2));
        for (auto const& [name, operation] : operations.items()) {
            INFO(name);
            CHECK(operation["instructions"].get<std::size_t>() > 10);
            if (name != "find") CHECK(ordered(operation) >= 1);
            std::size_t marked = 0;
            for (auto const& function : operation["functions"])
                for (auto const& one : function["instructions"]) marked += one["ordered"].is_null() ? 0U : 1U;
            CHECK(marked == ordered(operation));
        }
    }
    auto const weak = said("queue/exchange/acq_rel/exp/compact")["operations"]["push"];
    auto const fenced = said("queue/exchange/dmb/exp/compact")["operations"]["push"];
    CHECK(ordered(fenced) > ordered(weak));  // a fence an access
    auto const locks = said("queue/mutex/-/-/compact")["operations"]["push"]["ordered"];
    CHECK(locks.contains("pthread_mutex_trylock"));
}

TEST_CASE("as text: what it is, its bytes, its code, marked", "[fast]") {
    Folder const nothing;
    std::optional<PathOnly> path;
    if (!shows_code()) path.emplace(nothing.path().string());
    auto const outcome = explain({"queue"});
    CHECK(outcome.status == 0);
    CHECK_THAT(outcome.out, StartsWith("queue/exchange/acq_rel/exp/compact (default)\n") &&
                                Contains("lock-free, kill-safe") && Contains("handle slots") &&
                                Contains("bytes an item"));
    if (path) return;
    CHECK_THAT(outcome.out, Contains("\npush: ") && Contains("\npop: ") && Contains("\n    * "));
    auto const lines = [](std::string const& text) { return std::count(text.begin(), text.end(), '\n'); };
    auto const full = explain({"queue", "--full"});
    CHECK(lines(full.out) > lines(outcome.out));
    CHECK_THAT(full.out, !Contains("      ...\n"));
}

TEST_CASE("without objdump the bytes are told, and what to install", "[fast]") {
    Folder const nothing;
    PathOnly const path(nothing.path().string());
    auto const outcome = explain({"stack"});
    CHECK(outcome.status == 0);
    CHECK_THAT(outcome.out,
               Contains("nodes") && Contains("code: unknown: ") && Contains("apt-get install binutils"));
    auto const said = json::parse(explain({"stack", "--json"}).out);
    CHECK(said["operations"] == "unknown");
    CHECK_THAT(said["why_no_code"].get<std::string>(), Contains("binutils"));
}

TEST_CASE("an objdump that fails is quoted", "[fast]") {
    Folder const folder;
    write_program(folder / "objdump", "echo 'it is broken'\nexit 7\n");
    PathOnly const path(folder.path().string());
    auto const outcome = explain({"map"});
    CHECK(outcome.status == 0);
    CHECK_THAT(outcome.out, Contains("objdump failed: it is broken"));
}

TEST_CASE("wrong usage says what is right", "[fast]") {
    Folder const nothing;
    PathOnly const path(nothing.path().string());
    auto const refused = [](std::vector<char const*> const& arguments) {
        auto const outcome = explain(arguments);
        CHECK(outcome.status == 2);
        CHECK(outcome.out.empty());
        return outcome.err;
    };
    CHECK_THAT(refused({"queue/exchang/acq_rel/exp/compact"}),
               Contains("no variant") && Contains("queue/exchange/acq_rel/exp/compact"));
    CHECK_THAT(refused({"queue/*"}), Contains("takes one variant") && Contains("'queue/*'"));
    CHECK_THAT(refused({"bound/pipe"}), Contains("bound/pipe is a bound"));
    for (auto const& peer : peers()) CHECK_THAT(refused({peer.name.c_str()}), Contains(peer.name + " is "));
    CHECK_THAT(refused({"queue", "--payload", "9"}),
               Contains("payload of 9 bytes") && Contains("8, 64, 256"));
    CHECK_THAT(refused({"queue", "--capacity", "1000"}), Contains("capacity 1000 is not a power of two"));
    CHECK_THAT(refused({"queue", "--handles", "0"}), Contains("0 handle slots"));
    CHECK_THAT(refused({"queue", "--", "-e", "cycles"}), Contains("--perf"));
    CHECK_THAT(refused({"queue", "--perf", "top"}), Contains("top"));
    CHECK_THAT(refused({"queue", "--perf", "stat", "--worker", "2"}), Contains("there is no worker 2"));
    CHECK_FALSE(refused({}).empty());
    CHECK_FALSE(refused({"queue", "--worker", "1"}).empty());
    auto const help = explain({"--help"});
    CHECK(help.status == 0);
    CHECK_THAT(help.out, Contains("Examples:") && Contains("Exit status"));
}
