#include "zeroipc/bench/languages.hpp"

#include <unistd.h>
#include <zeroipc/error.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <system_error>

#include "parts.hpp"
#include "zeroipc/bench/mix.hpp"

namespace zeroipc::bench {

namespace {

namespace fs = std::filesystem;

/// What Python workers consist of lies beside the program: worker.py, its library, and the package zeroipc.
fs::path folder() { return fs::read_symlink("/proc/self/exe").parent_path() / "languages"; }
constexpr char const* python_variable = "ZEROIPC_PYTHON";
constexpr char const* script = "worker.py";
constexpr char const* library = "libzeroipc-bench-python.so";

/// Our C++ default of the structure, which makes and fills what workers of all languages use.
Subject default_of(std::string_view name) {
    auto const structure = structure_of(name);
    for (auto const& info : variants::list())
        if (info.is_default && info.structure == structure)
            return *find_subject(info.name, language_payload_bytes);
    throw std::logic_error("no default " + std::string(structure));
}

std::uint64_t bytes(Cell const& cell) {
    if (cell.structure() == "map" && language_named(cell.variant)->needs_python() &&
        parse_mix(cell.mix)->modify != 0)
        throw error(errc::invalid_argument,
                    "mix " + cell.mix +
                        ": workers in Python do not modify values in one step; use a mix "
                        "without m, such as r90i5e5, ycsb-a or ycsb-c");
    return default_of(cell.variant).bytes(cell);
}

void create(Memory& memory, Cell const& cell, Initial& initial) {
    default_of(cell.variant).create(memory, cell, initial);
}

void work(Bench& bench, Memory& memory, Stages& stages, std::uint32_t worker) {
    auto const& language = *language_named(bench.control.variant.view());
    auto const& mine = worker < bench.control.producers ? language.producers : language.consumers;
    if (mine == "python") become_python(memory, worker);
    if (mine == "c")
        work_in_c(bench, memory, stages, worker);
    else
        default_of(language.name).work(bench, memory, stages, worker);
}

std::vector<LanguageInfo> list() {
    std::vector<LanguageInfo> all;
    for (auto const* const structure : {"/queue", "/stack", "/map"})
        for (auto const* const language : {"c", "python"})
            all.push_back({std::string("lang/") + language + structure, language, language});
    for (auto const* const other : {"c", "python"}) {
        all.push_back({"lang/cpp-to-" + std::string(other) + "/queue", "cpp", other});
        all.push_back({"lang/" + std::string(other) + "-to-cpp/queue", other, "cpp"});
    }
    return all;
}

std::string title(std::string const& language) {
    return language == "c" ? "the C library" : language == "cpp" ? "our C++ default" : "the Python library";
}

std::string quoted(std::string const& text) {
    std::string all = "'";
    for (char const c : text) all += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return all + "'";
}

/// The interpreter that was named, or those that may do.
std::vector<std::string> interpreters() {
    auto const* const named = std::getenv(python_variable);
    if (named != nullptr && *named != 0) return {named};
    return {"python3", "/usr/bin/python3"};
}

/// What a command prints last, of a traceback its sense; and whether it succeeded.
std::pair<bool, std::string> last_line_of(std::string const& command) {
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "re"), &::pclose);
    if (!pipe) return {false, std::system_category().message(errno)};
    std::string said;
    for (int c = 0; (c = std::fgetc(pipe.get())) != EOF;) said += static_cast<char>(c);
    bool const succeeded = ::pclose(pipe.release()) == 0;
    while (said.ends_with('\n')) said.pop_back();
    return {succeeded, said.substr(said.rfind('\n') + 1)};
}

PythonCheck try_python() {
    if (!fs::exists(folder() / library))
        return {std::nullopt,
                std::string(library) + " is not beside this program: a build under sanitizers has none"};
    std::string why_not;
    for (auto const& python : interpreters()) {
        auto const [succeeded, said] =
            last_line_of(quoted(python) + " -B " + quoted(folder() / script) + " --check 2>&1");
        if (succeeded) {
            ::setenv(python_variable, python.c_str(), 1);  // for the workers
            return {said, ""};
        }
        why_not += (why_not.empty() ? "" : "; ") + python + " says: " + said;
    }
    return {std::nullopt, why_not};
}

}  // namespace

std::string LanguageInfo::source() const {
    if (producers == consumers) return title(producers) + ", on the bytes of our C++ default";
    return "producers by " + title(producers) + ", consumers by " + title(consumers);
}

std::vector<LanguageInfo> const& languages() {
    static std::vector<LanguageInfo> const all = list();
    return all;
}

LanguageInfo const* language_named(std::string_view name) {
    auto const& all = languages();
    auto const at = std::find_if(all.begin(), all.end(), [&](auto const& one) { return one.name == name; });
    return at == all.end() ? nullptr : &*at;
}

std::optional<Subject> find_language(std::string_view name, std::uint32_t payload_bytes) {
    if (payload_bytes != language_payload_bytes || language_named(name) == nullptr) return std::nullopt;
    return Subject{&bytes, &create, &work};
}

PythonCheck const& check_python() {
    static PythonCheck const found = try_python();
    return found;
}

std::optional<std::string> why_missing(LanguageInfo const& language) {
    if (!language.needs_python() || check_python().versions) return std::nullopt;
    return language.name + " cannot run: " + check_python().why_not +
           "; install python3-numpy and libatomic1, or name another interpreter by ZEROIPC_PYTHON";
}

void become_python(Memory const& memory, std::uint32_t worker) {
    auto const python = interpreters().front();
    auto const at = folder();
    auto const index = std::to_string(worker);
    auto const parent = std::to_string(::getppid());
    auto const file = (at / script).string();
    auto const loaded = (at / library).string();
    // Caches would be written beside the package, in whoever's tree that is.
    ::execlp(python.c_str(), python.c_str(), "-B", file.c_str(), loaded.c_str(), memory.name().c_str(),
             index.c_str(), parent.c_str(), static_cast<char*>(nullptr));
    throw std::system_error(errno, std::generic_category(), "cannot start " + python);
}

}  // namespace zeroipc::bench
