#pragma once
/// \file
/// A recorded history: who called what when, and what came back. The file's format is described in
/// bench/docs/checking.md.

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace zeroipc::bench {

/// A history that cannot be read or makes no sense: the message says where, and what was expected.
class HistoryError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

enum class Structure : std::uint8_t { queue, stack, map };

enum class Action : std::uint8_t { push, pop, insert, assign, erase, find, exchange };

/// What an operation returned. `pending`: it never did.
enum class Answer : std::uint8_t {
    pending,
    done,       ///< push, pop, erase, find
    inserted,   ///< insert, assign
    assigned,   ///< assign, exchange
    present,    ///< insert
    absent,     ///< erase, find, exchange
    different,  ///< exchange
    full,       ///< push, insert, assign, exchange
    empty,      ///< pop
};

inline constexpr std::uint64_t never = ~std::uint64_t{0};

/// One operation. It took effect at one moment from `call` to `ret`; if pending, at one moment from `call` on, or
/// never.
struct Operation {
    std::uint64_t call = 0;  ///< ticks
    std::uint64_t ret = 0;   ///< ticks; `never` if pending
    std::uint64_t value =
        0;  ///< put in, taken out, found, or (exchange) desired; of `different` the one found
    std::uint64_t other = 0;  ///< exchange: the expected value
    std::uint32_t key = 0;    ///< map only
    std::uint16_t worker = 0;
    Action action = Action::push;
    Answer answer = Answer::pending;
};
static_assert(sizeof(Operation) == 40, "operations are written as they are: see bench/docs/checking.md");

/// Who called. A worker that was killed has at most one pending operation, its last.
struct Recorder {
    int cpu = -1;
    bool killed = false;
};

struct History {
    Structure structure = Structure::queue;
    std::uint64_t capacity = never;  ///< items or keys; `never`: unbounded
    double ticks_per_ns = 1.0;
    std::string variant;     ///< for people
    std::string clock;       ///< for people
    double skew_ns = 0;      ///< by how much each interval was widened at either end, at most
    std::uint64_t seed = 0;  ///< of the recording
    std::vector<Recorder> workers;
    std::vector<Operation> operations;
};

std::string_view to_string(Structure structure) noexcept;
std::string_view to_string(Action action) noexcept;
std::string_view to_string(Answer answer) noexcept;

/// \throws HistoryError if an operation is none of its structure's, has an answer that it cannot have, ends before
/// it begins, or names a worker that is not listed.
void validate(History const& history);

/// How the operations stand in the file: as they are in memory (little endian), or as a JSON object a line.
enum class Encoding : std::uint8_t { binary, lines };

/// Writes a history, header first. \throws HistoryError
void write_history(std::filesystem::path const& file, History const& history,
                   Encoding encoding = Encoding::binary);

/// Reads and validates one of either encoding. \throws HistoryError
History read_history(std::filesystem::path const& file);

/// "worker 3 push(2:17) -> full"; values as worker:counter.
std::string describe(History const& history, std::size_t operation);
std::string describe_value(std::uint64_t value);

}  // namespace zeroipc::bench
