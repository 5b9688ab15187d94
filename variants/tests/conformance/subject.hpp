#pragma once
/// \file
/// What the conformance suite sees of a variant: a structure that takes items and gives them back, by virtual calls. So
/// the suite is compiled once, and of each variant only what is behind these calls (subjects.cpp).

#include <zeroipc/memory.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace zeroipc::testing::conformance {

/// What taking an item out gave.
enum class taken {
    nothing,  ///< and the variable that it would have gone to is as it was
    item,     ///< one, of which each byte is right
    torn      ///< bytes that make no item, or a change where nothing was taken
};

/// A handle on a structure whose items are numbers; stored is a pattern of bytes made from the number.
class items {
public:
    virtual ~items() = default;
    items() = default;
    items(items const&) = delete;
    items& operator=(items const&) = delete;
    items(items&&) = delete;
    items& operator=(items&&) = delete;

    /// \return false if there was no space for it
    virtual bool put(std::uint64_t item) = 0;
    /// Takes an item out: of a map the expected one; of a queue or stack, which one is the structure's affair. Patterns
    /// of less than 8 bytes cannot tell their number: they are compared with the expected one's.
    virtual taken take(std::uint64_t expected, std::uint64_t& item) = 0;
    bool takes(std::uint64_t expected) {
        std::uint64_t item = 0;
        return take(expected, item) == taken::item && item == expected;
    }
};

/// The same with everything else that the suite asks for, of items of 8 bytes.
class subject : public items {
public:
    virtual bool put_within(std::uint64_t item, std::chrono::milliseconds limit) = 0;
    virtual taken take_within(std::uint64_t expected, std::uint64_t& item,
                              std::chrono::milliseconds limit) = 0;
    /// In one call. \return how many. Maps have no batches, and throw.
    virtual std::size_t put_n(std::span<std::uint64_t const> all) = 0;
    /// In one call, at most so many. \return what came, or nothing if bytes were torn
    virtual std::optional<std::vector<std::uint64_t>> take_n(std::size_t most) = 0;
    [[nodiscard]] virtual std::uint64_t was_size() const = 0;
    [[nodiscard]] virtual bool was_empty() const = 0;
    [[nodiscard]] virtual std::uint64_t capacity() const = 0;
};

/// How one variant's structures are made (with eight handle slots) and opened. As the constructors, these throw.
struct variant {
    std::string name;
    bool kill_safe = false;
    bool unsafe = false;
    bool uses_kernel_locks = false;  ///< robust mutexes, which the kernel takes from the dead
    bool many_producers = true;      ///< or one
    bool many_consumers = true;
    std::uint64_t min_capacity = 1;
    std::uint32_t algorithm_id = 0;
    std::uint32_t layout_id = 0;

    std::unique_ptr<subject> (*make)(Memory& memory, std::uint64_t capacity, std::string_view name) = nullptr;
    std::unique_ptr<subject> (*open)(Memory& memory, std::string_view name) = nullptr;

    struct size {
        std::size_t bytes = 0;
        std::unique_ptr<items> (*make)(Memory& memory, std::uint64_t capacity,
                                       std::string_view name) = nullptr;
        std::unique_ptr<items> (*open)(Memory& memory, std::string_view name) = nullptr;
    };
    /// Of items that it is tried with, 3 bytes first; of one of each algorithm and layout, and of the default, more.
    std::vector<size> sizes;

    [[nodiscard]] bool both_roles() const { return many_producers && many_consumers; }
};

/// The kind of structure that this program tests.
struct kind {
    std::string_view noun;
    bool ordered = false;     ///< first in, first out
    bool last_first = false;  ///< last in, first out
    bool keyed = false;
    bool exact_full = true;  ///< holds as many as its capacity, and no more
};

kind the_kind();
std::vector<variant> const& the_variants();

/// The items within, as they went in.
using model = std::deque<std::uint64_t>;
/// Which of them comes out next; of a map any will do, for take() asks by the key.
inline std::uint64_t next_out(model& m) {
    auto const at = the_kind().ordered      ? m.begin()
                    : the_kind().last_first ? m.end() - 1
                                            : m.begin() + static_cast<std::ptrdiff_t>(m.size() / 3);
    auto const item = *at;
    m.erase(at);
    return item;
}

}  // namespace zeroipc::testing::conformance
