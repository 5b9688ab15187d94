#include "disassembly.hpp"

#include <link.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <set>
#include <sstream>
#include <system_error>

#include "process.hpp"

namespace zeroipc::bench {

namespace {

/// Where the executable lies in memory, less where it says that it lies.
std::uintptr_t load_offset() {
    std::uintptr_t offset = 0;
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* at) {
            *static_cast<std::uintptr_t*>(at) = info->dlpi_addr;
            return 1;  // the executable is the first one
        },
        &offset);
    return offset;
}

/// objdump's text from an address of the executable on.
std::string dump_from(std::uintptr_t address) {
    constexpr std::uintptr_t most_bytes = 32768;  // of a function: much more than any operation has
    std::array<char, 64> begin{};
    std::array<char, 64> end{};
    std::snprintf(begin.data(), begin.size(), "--start-address=0x%zx", address);
    std::snprintf(end.data(), end.size(), "--stop-address=0x%zx", address + most_bytes);
    MemoryFile const output;
    int status = -1;
    // Our executable, not objdump's own.
    auto const self = "/proc/" + std::to_string(::getpid()) + "/exe";
    try {
        auto const pid = start_program(
            {"objdump", "--disassemble", "--demangle", "--no-show-raw-insn", begin.data(), end.data(), self},
            output.descriptor());
        ::waitpid(pid, &status, 0);
    } catch (std::system_error const& failure) {
        throw NoDisassembly(std::string("there is no objdump here (") + failure.code().message() +
                            "); Debian: apt-get install binutils");
    }
    auto text = read_all(output.descriptor());
    if (status != 0) throw NoDisassembly("objdump failed: " + text.substr(0, 500));
    return text;
}

/// The address of the function that a call, or the jump to a last call, names as "ADDRESS <symbol>"; nothing if it is no
/// such, goes to a shared library, into the middle of a function, or to what is neither ours nor an atomic's.
std::optional<std::uintptr_t> callee_of(std::string_view instruction) {
    auto const space = instruction.find(' ');
    auto const name = instruction.substr(0, space);
    static constexpr std::array calls{"call", "callq", "bl", "jmp", "jmpq", "b"};
    if (space == std::string_view::npos || std::find(calls.begin(), calls.end(), name) == calls.end())
        return std::nullopt;
    std::string const target(instruction.substr(space + 1));
    auto const says = [&](char const* text) { return target.find(text) != std::string::npos; };
    bool const ours = says("zeroipc::") || says("std::atomic") || says("std::__atomic");
    if (!ours || says("<zeroipc::error::") || says("@plt") || says("+0x")) return std::nullopt;
    char* end = nullptr;
    auto const address = std::strtoull(target.c_str(), &end, 16);
    if (end == target.c_str() || *end != ' ') return std::nullopt;
    return static_cast<std::uintptr_t>(address);
}

/// Reads functions one after the other, each once.
class Reader {
public:
    /// Adds the function and those it calls, if they or what they call have ordered instructions. \return whether.
    bool add(std::uintptr_t address, std::vector<Function>& functions, int depth = 0) {
        constexpr int deepest = 6;
        constexpr std::size_t most = 80;
        if (seen_.size() >= most || depth > deepest || !seen_.insert(address).second) return false;
        auto function = function_in(dump_from(address));
        if (!function) {
            if (depth == 0)
                throw NoDisassembly("the program has no symbols (it was stripped); build it anew");
            return false;
        }
        std::vector<Function> called;
        bool ordered = depth == 0;  // an operation itself is shown anyway
        for (auto const& instruction : function->instructions) {
            ordered = ordered || !instruction.ordered.empty();
            if (auto const callee = callee_of(instruction.text))
                ordered = add(*callee, called, depth + 1) || ordered;
        }
        if (!ordered) return false;
        functions.push_back(std::move(*function));
        std::move(called.begin(), called.end(), std::back_inserter(functions));
        return true;
    }

private:
    std::set<std::uintptr_t> seen_;
};

}  // namespace

std::size_t Disassembly::instructions() const {
    std::size_t sum = 0;
    for (auto const& function : functions) sum += function.instructions.size();
    return sum;
}

std::map<std::string, std::size_t> Disassembly::ordered() const {
    std::map<std::string, std::size_t> counts;
    for (auto const& function : functions)
        for (auto const& instruction : function.instructions)
            if (!instruction.ordered.empty()) ++counts[instruction.ordered];
    return counts;
}

std::string ordered_name(std::string_view instruction) {
    static constexpr std::array fences{"mfence", "dmb"};
    // Arm: load-acquire and store-release with the exclusive ones, and the atomics of LSE.
    static constexpr std::array arm{"ldar", "ldapr", "ldaxr", "ldaxp", "ldxr", "ldxp",
                                    "stlr", "stlxr", "stlxp", "stxr",  "stxp", "cas",
                                    "swp",  "ldadd", "ldset", "ldclr", "ldeor"};
    auto const name = instruction.substr(0, instruction.find(' '));
    if (name == "lock") {
        auto const rest = instruction.substr(std::min(instruction.size(), std::size_t{5}));
        auto const operation = rest.substr(0, rest.find(' '));
        return "lock " + std::string(operation);
    }
    if (name.starts_with("xchg"))  // locked by itself where it has to do with memory
        return instruction.find('(') != std::string_view::npos ? "xchg" : "";
    if (auto const at = instruction.find("<pthread_mutex_"); at != std::string_view::npos)
        return std::string(instruction.substr(at + 1, instruction.find_first_of("@>", at) - at - 1));
    if (name == "bl") {  // to the outlined atomics, which choose between the forms when the program runs
        auto const at = instruction.find("<__aarch64_");
        if (at == std::string_view::npos) return "";
        return std::string(instruction.substr(at + 1, instruction.find('>', at) - at - 1));
    }
    if (std::find(fences.begin(), fences.end(), name) != fences.end()) return std::string(name);
    bool const one =
        std::any_of(arm.begin(), arm.end(), [&](char const* begin) { return name.starts_with(begin); });
    return one ? std::string(name) : "";
}

std::optional<Instruction> instruction_in(std::string_view line) {
    // "   11d9:\tlock cmpxchg %rdx,(%rdi)"
    auto const tab = line.find(":\t");
    if (tab == std::string_view::npos || line.find_first_not_of(" 0123456789abcdef") != tab)
        return std::nullopt;
    std::istringstream words{std::string(line.substr(tab + 2))};
    Instruction instruction;
    for (std::string word; words >> word;) instruction.text += (instruction.text.empty() ? "" : " ") + word;
    if (instruction.text.empty()) return std::nullopt;
    instruction.ordered = ordered_name(instruction.text);
    return instruction;
}

std::optional<Function> function_in(std::string_view text) {
    // "00000000000011d0 <name>:"
    std::optional<Function> function;
    std::istringstream lines{std::string(text)};
    for (std::string line; std::getline(lines, line);) {
        auto const open = line.find(" <");
        if (open != std::string::npos && line.ends_with(">:") &&
            line.find_first_not_of("0123456789abcdef") == open) {
            if (function) break;
            function = Function{line.substr(open + 2, line.size() - open - 4), {}};
        } else if (auto instruction = instruction_in(line); instruction && function) {
            auto& shown = instruction->text;  // where it names its own function, the distance says enough
            if (auto const at = shown.find("<" + function->name + "+"); at != std::string::npos)
                shown.erase(at + 1, function->name.size());
            function->instructions.push_back(std::move(*instruction));
        }
    }
    // Behind the last one comes what fills up to the next function's boundary.
    while (function && !function->instructions.empty()) {
        auto const& last = function->instructions.back().text;
        if (last.find("nop") == std::string::npos && last != "xchg %ax,%ax") break;
        function->instructions.pop_back();
    }
    return function;
}

Disassembly disassemble(void const* code) {
    Disassembly result;
    Reader().add(reinterpret_cast<std::uintptr_t>(code) - load_offset(), result.functions);
    return result;
}

}  // namespace zeroipc::bench
