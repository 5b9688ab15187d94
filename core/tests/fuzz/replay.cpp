/// \file
/// zeroipc-fuzz-replay: the fuzzer's programs without a fuzzer, by any compiler. Runs files, and random programs.

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "zeroipc_hostile_program.hpp"

namespace {

namespace fs = std::filesystem;
using namespace zeroipc::testing;
using namespace zeroipc::testing::hostile;

constexpr std::string_view usage =
    "usage: zeroipc-fuzz-replay PART FILE|FOLDER...        runs these programs over PART of a hostile "
    "segment\n"
    "       zeroipc-fuzz-replay PART --random N [SEED]     runs N random programs\n\n"
    "PART is array, queue, stack or map. A program is any bytes: core/docs/kills-and-fuzzing.md.\n\n"
    "  zeroipc-fuzz-replay queue core/tests/fuzz/corpus/queue\n"
    "  zeroipc-fuzz-replay map crash-0123456789abcdef\n"
    "  zeroipc-fuzz-replay stack --random 100000 7\n\n"
    "Exit status: 0 all ran, 1 one did not (or a signal: the fault itself), 2 wrong usage.\n";

std::uint64_t number(std::string_view text) {
    std::uint64_t value = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
        throw std::invalid_argument("'" + std::string(text) + "' is no number");
    return value;
}

part part_of(std::string_view name) {
    auto const at = std::find(part_names.begin() + 1, part_names.end(), name);
    if (at == part_names.end())
        throw std::invalid_argument("'" + std::string(name) + "' is no part; use array, queue, stack or map");
    return static_cast<part>(at - part_names.begin());
}

/// One program, for which a minute is far too long: what hangs ends by SIGALRM.
void run_one(part which, std::vector<unsigned char> const& bytes) {
    ::alarm(60);
    run_program(which, bytes);
    ::alarm(0);
}

std::uint64_t run_files(part which, fs::path const& where) {
    std::vector<fs::path> files;
    if (fs::is_directory(where))
        for (auto const& entry : fs::directory_iterator(where)) files.push_back(entry.path());
    else
        files.push_back(where);
    std::sort(files.begin(), files.end());
    for (auto const& file : files) {
        std::ifstream in(file, std::ios::binary);
        if (!in) throw std::runtime_error("cannot read " + file.string());
        std::vector<unsigned char> const bytes{std::istreambuf_iterator<char>(in), {}};
        std::printf("%s\n", file.filename().c_str());  // the last one said is the one that fails
        std::fflush(stdout);
        run_one(which, bytes);
    }
    return files.size();
}

int run(std::vector<std::string_view> const& arguments) {
    if (arguments.size() == 1 && (arguments[0] == "--help" || arguments[0] == "-h")) {
        std::printf("%s", usage.data());
        return 0;
    }
    if (arguments.size() < 2) throw std::invalid_argument("name a part and what to run; --help shows how");
    auto const which = part_of(arguments[0]);
    std::uint64_t ran = 0;
    if (arguments[1] == "--random") {
        if (arguments.size() < 3 || arguments.size() > 4)
            throw std::invalid_argument("--random takes a number of programs and perhaps a seed");
        auto const count = number(arguments[2]);
        auto const chosen = arguments.size() == 4 ? number(arguments[3]) : seed();
        for (; ran < count; ++ran) {
            random_source random(ran, chosen);
            run_one(which, random_program(random));
        }
    } else {
        for (std::size_t i = 1; i < arguments.size(); ++i) ran += run_files(which, arguments[i]);
    }
    std::printf("%llu programs ran over %s\n", static_cast<unsigned long long>(ran), arguments[0].data());
    return ran > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run({argv + 1, argv + argc});
    } catch (std::invalid_argument const& wrong) {
        std::fprintf(stderr, "zeroipc-fuzz-replay: %s\n", wrong.what());
        return 2;
    } catch (std::exception const& failure) {
        std::fprintf(stderr, "zeroipc-fuzz-replay: %s\n", failure.what());
        return 1;
    }
}
