#pragma once
/// \file
/// Which ordered access of the library a step of the model is, and weakening one of them. An access that goes
/// through an ordering policy is known by its number (`exchange_access::commits` is Q2), any other by its place in
/// the source, and by the number that the comment above it gives.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "memory.hpp"

namespace zeroipc {
enum class exchange_access : int;
enum class treiber_access : int;
enum class bucket_access : int;
}  // namespace zeroipc

namespace zeroipc::model {

enum class kind { load, store, modify, fence };

/// The letter of a list of numbered accesses.
template <class Access>
inline constexpr char letter_of = 'A';
template <>
inline constexpr char letter_of<exchange_access> = 'Q';
template <>
inline constexpr char letter_of<treiber_access> = 'L';
template <>
inline constexpr char letter_of<bucket_access> = 'M';

/// A place in the source: of the call whose default argument this is. (As std::source_location, which clang 14 lacks.)
struct place {
    char const* file = "";
    char const* function = "";
    unsigned line = 0;
    static constexpr place current(char const* in_file = __builtin_FILE(),
                                   char const* in_function = __builtin_FUNCTION(),
                                   unsigned at_line = __builtin_LINE()) noexcept {
        return {in_file, in_function, at_line};
    }
};

/// The access that an ordering policy is just making.
struct access_in_hand {
    char letter = 0;
    int number = 0;
    place const* caller = nullptr;
};
/// Of the running thread of the model.
inline access_in_hand in_hand{};

/// Where the library's headers lie, for the numbers in their comments. Empty: where the compiler says, whose paths may
/// be relative, or mapped to others.
inline std::string headers_folder{};

/// One ordered access of the library.
struct site {
    kind what = kind::load;
    char letter = 0;        ///< of the list of accesses; 0: known by its place
    int number = 0;         ///< in that list, or the line
    char const* file = "";  ///< where it is known by its place
    char const* function = "";
    unsigned ordinal = 1;  ///< among those of one text

    /// While it lives, accesses are the numbered one.
    class named {
    public:
        template <class Access>
        explicit named(Access access) noexcept : before_(in_hand) {
            in_hand = {letter_of<Access>, static_cast<int>(access), nullptr};
        }
        explicit named(place const& caller) noexcept : before_(in_hand) {
            in_hand = {0, static_cast<int>(caller.line), &caller};
        }
        ~named() { in_hand = before_; }
        named(named const&) = delete;
        named& operator=(named const&) = delete;

    private:
        access_in_hand before_;
    };

    static site of(kind what, place const& at) noexcept {
        auto const& known = in_hand;
        if (known.letter != 0) return {what, known.letter, known.number, "", ""};
        auto const& from = known.caller != nullptr ? *known.caller : at;
        return {what, 0, static_cast<int>(from.line), from.file, from.function};
    }

    bool operator==(site const& other) const noexcept {
        return what == other.what && letter == other.letter && number == other.number &&
               (letter != 0 || std::string_view(file) == other.file);
    }

    /// "(Q2)", or "(L7) in treiber_stack.hpp, try_push".
    [[nodiscard]] std::string text() const {
        if (letter != 0) return std::string("(") + letter + std::to_string(number) + ")";
        std::string const name(function);  // GCC adds a template's arguments
        auto const tag = tag_above();
        return (tag.empty() ? std::string() : tag + " ") + "in " + header() + ", " +
               name.substr(0, name.find('<')) +
               (ordinal > 1 ? " (" + std::to_string(ordinal) + ")" : std::string());
    }

private:
    /// The file's name, without its folders.
    [[nodiscard]] std::string header() const {
        std::string const path(file);
        return path.substr(path.rfind('/') + 1);
    }
    [[nodiscard]] std::filesystem::path path_of_header() const {
        if (!headers_folder.empty())
            for (auto const& entry : std::filesystem::recursive_directory_iterator(headers_folder))
                if (entry.path().filename() == header()) return entry.path();
        return file;
    }
    /// The number in the comment next above, or in the line itself; empty where the header can't be read.
    [[nodiscard]] std::string tag_above() const {
        static std::map<std::string, std::vector<std::string>> files;
        auto& lines = files[header()];
        if (lines.empty()) {
            std::ifstream in(path_of_header());
            for (std::string line; std::getline(in, line);) lines.push_back(line);
            if (lines.empty()) lines.emplace_back();
        }
        // "// (L7) release fence: ..." begins the comment; other numbers in it are partners'.
        for (int line = number; line > std::max(0, number - 5); --line) {
            if (static_cast<std::size_t>(line) > lines.size()) continue;
            auto const& text = lines[static_cast<std::size_t>(line) - 1];
            auto const at = text.find("// (");
            if (at == std::string::npos) continue;
            auto const end = text.find(')', at);
            auto const tag = text.substr(at + 3, end == std::string::npos ? 0 : end - at - 2);
            if (tag.size() >= 4 && tag.size() <= 5 && tag[1] >= 'A' && tag[1] <= 'Z' && tag[2] >= '0' &&
                tag[2] <= '9')
                return tag;
        }
        return {};
    }
};

/// What is taken from an access.
enum class loss {
    acquire,          ///< a load or exchange no longer acquires
    release,          ///< a store or exchange no longer releases
    failing_acquire,  ///< nor does an exchange that fails
    total_order,      ///< seq_cst becomes acq_rel
    all,              ///< the fence is not there
};

inline std::string_view name_of(loss what) noexcept {
    switch (what) {
        case loss::acquire:
            return "no acquire";
        case loss::release:
            return "no release";
        case loss::failing_acquire:
            return "no acquire when it fails";
        case loss::total_order:
            return "acq_rel for seq_cst";
        case loss::all:
            return "no fence";
    }
    return "?";
}

/// One access weakened in one way.
struct mutation {
    site where;
    loss what = loss::all;
    [[nodiscard]] std::string text() const { return where.text() + ": " + std::string(name_of(what)); }
};

/// What all models of this program share: which accesses were met, and which one is weakened.
struct sites {
    /// Null: none is weakened.
    static inline mutation const* active = nullptr;
    /// Whether that one was made since somebody said that it was not.
    static inline bool made = false;
    /// Null: nobody asks. Otherwise every way to weaken an access that is met is noted here.
    static inline std::vector<mutation>* met = nullptr;

    static std::memory_order weakened(site const& here, std::memory_order order) {
        if (met != nullptr) note(here, order);
        if (active == nullptr || !(active->where == here)) return order;
        made = true;
        return without(order, active->what);
    }
    static std::memory_order weakened_failure(site const& here, std::memory_order order) {
        if (met != nullptr && acquires(order)) add({here, loss::failing_acquire});
        if (active == nullptr || !(active->where == here) || active->what != loss::failing_acquire)
            return order;
        return std::memory_order_relaxed;
    }

private:
    static void add(mutation const& one) {
        for (auto const& known : *met)
            if (known.where == one.where && known.what == one.what) return;
        met->push_back(one);
    }
    static void note(site const& here, std::memory_order order) {
        if (here.what == kind::fence) add({here, loss::all});
        if (order == std::memory_order_seq_cst) add({here, loss::total_order});
        if (here.what == kind::fence) return;
        if (here.what != kind::store && acquires(order)) add({here, loss::acquire});
        if (here.what != kind::load && releases(order)) add({here, loss::release});
    }
    static std::memory_order without(std::memory_order order, loss what) noexcept {
        switch (what) {
            case loss::all:
                return std::memory_order_relaxed;
            case loss::total_order:
                return order == std::memory_order_seq_cst ? std::memory_order_acq_rel : order;
            case loss::acquire:
                return releases(order) ? std::memory_order_release : std::memory_order_relaxed;
            case loss::release:
                return acquires(order) ? std::memory_order_acquire : std::memory_order_relaxed;
            case loss::failing_acquire:
                return order;
        }
        return order;
    }
};

}  // namespace zeroipc::model
