#pragma once
/// \file
/// The machine code of operations, by objdump, and which of its instructions order memory.

#include <cstddef>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace zeroipc::bench {

struct Instruction {
    std::string text;     ///< as objdump writes it, white space made single
    std::string ordered;  ///< its name if it is atomic or a fence ("lock cmpxchg", "dmb"); else empty
};

/// A function's instructions; a compiler may set its cold part apart, as a function of its own.
struct Function {
    std::string name;
    std::vector<Instruction> instructions;
};

/// An operation: its own function, then those that it calls and that have ordered instructions, callers first.
struct Disassembly {
    std::vector<Function> functions;
    [[nodiscard]] std::size_t instructions() const;
    /// How many there are of each ordered instruction.
    [[nodiscard]] std::map<std::string, std::size_t> ordered() const;
};

/// Why there is no listing.
class NoDisassembly : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The name under which an instruction counts as ordered: locked instructions, xchg with memory, mfence; exclusive and
/// ordered loads and stores, atomics and barriers of Arm, and calls of their outlined
/// forms; and calls of pthread's mutex. Empty: a plain one.
std::string ordered_name(std::string_view instruction);

/// A line of objdump's: "  addr:\tinstruction". Nothing for other lines.
std::optional<Instruction> instruction_in(std::string_view line);

/// The first function in objdump's text: up to the next one's headline. Nothing if it has no headline.
std::optional<Function> function_in(std::string_view text);

/// Disassembles what begins at `code` in this program's own executable, and what it calls.
/// \throws NoDisassembly: objdump (Debian: binutils) is not there, or failed
Disassembly disassemble(void const* code);

}  // namespace zeroipc::bench
