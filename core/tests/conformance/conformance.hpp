#pragma once
/// \file
/// One face for the library in any language, by bytes and names of results as core/format/conformance/README.md has them,
/// and who plays its steps.

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace zeroipc::testing::conformance {

using bytes = std::string;
using number = std::uint64_t;
using nlohmann::json;

/// The name of cause 1, 2, ...: zeroipc::errc, and the C library's results with their sign turned.
std::string cause_name(int cause);

/// What the steps say of a structure. Maps have keys; `seed` is theirs alone.
struct shape {
    std::string kind;
    std::string name;
    std::size_t item_bytes = 0;
    std::size_t key_bytes = 0;
    number capacity = 0;
    std::uint32_t handle_slots = 0;
    number seed = 0;
};

struct opened {
    opened() = default;
    opened(opened const&) = delete;
    opened& operator=(opened const&) = delete;
    virtual ~opened() = default;
};
struct array : opened {
    virtual number capacity() = 0;
    virtual bytes read(number index) = 0;
    virtual void write(number index, bytes const& item) = 0;
    virtual bytes load(number index) = 0;
    virtual void store(number index, bytes const& item) = 0;
    virtual bytes exchange(number index, bytes const& item) = 0;
    /// `expected` becomes what was there. \return whether it was as expected
    virtual bool compare_exchange(number index, bytes& expected, bytes const& desired) = 0;
    /// \param operation fetch_add, fetch_sub, fetch_and, fetch_or or fetch_xor
    virtual bytes fetch(std::string const& operation, number index, bytes const& item) = 0;
};
/// A queue or a stack.
struct items : opened {
    virtual number capacity() = 0;
    virtual number size() = 0;
    virtual bool try_push(bytes const& item) = 0;
    virtual bool try_pop(bytes& item) = 0;
    virtual bool try_peek(bytes& item) = 0;  ///< of a stack
    virtual std::size_t push_many(bytes const& all) = 0;
    virtual bytes pop_many(std::size_t most) = 0;
    virtual bool push(bytes const& item, int timeout_ms) = 0;
    virtual bool pop(bytes& item, int timeout_ms) = 0;
};
/// A map. Changes return the names of their outcomes.
struct pairs : opened {
    virtual number capacity() = 0;
    virtual number size() = 0;
    virtual bool find(bytes const& key, bytes& value) = 0;
    virtual bool wait(bytes const& key, bytes& value, int timeout_ms) = 0;
    virtual std::string insert(bytes const& key, bytes const& value) = 0;
    virtual std::string assign(bytes const& key, bytes const& value) = 0;
    virtual std::string compare_exchange(bytes const& key, bytes& expected, bytes const& desired) = 0;
    virtual std::string update(bytes const& key, std::function<void(bytes&)> const& change) = 0;
    virtual bool erase(bytes const& key) = 0;
    virtual std::vector<std::pair<bytes, bytes>> all() = 0;  ///< in any order
};
struct entry {
    std::string name;
    std::uint32_t offset;
    std::uint32_t size;
};
struct segment : opened {
    virtual number size() = 0;
    virtual std::uint32_t max_entries() = 0;
    virtual number free_bytes() = 0;
    virtual std::vector<entry> entries() = 0;
    virtual entry find(std::string const& name) = 0;  ///< error: not_found
    virtual std::unique_ptr<opened> create(shape const& of) = 0;
    virtual std::unique_ptr<opened> open(shape const& of) = 0;
    virtual number repair(shape const& of) = 0;
};

/// A library. Whichever is linked defines these.
struct language {
    static std::unique_ptr<segment> create(std::string const& name, number size, std::uint32_t max_entries);
    static std::unique_ptr<segment> open(std::string const& name);
    static std::unique_ptr<segment> open_or_create(std::string const& name, number size,
                                                   std::uint32_t max_entries);
    static void remove(std::string const& name);
    static number hash(std::vector<number> const& key, number seed);
    /// The format's name of what an error of this library says; "" of any other exception.
    static std::string cause_of(std::exception const& error);
};

std::string hex(bytes const& data);
bytes unhex(std::string const& text);

/// A step's fields. What nobody reads is an error.
class fields {
public:
    explicit fields(json const& of) : all_(of) {}
    template <class T>
    T get(char const* key) {
        read_.push_back(key);
        return all_.at(key).get<T>();
    }
    template <class T>
    T get(char const* key, T otherwise) {
        return all_.contains(key) ? get<T>(key) : otherwise;
    }
    bytes data(char const* key) { return unhex(get<std::string>(key)); }
    void all_are_read() const;

private:
    json const& all_;
    std::vector<std::string> read_;
};

/// Plays steps, and gives what the library answered in the form of their `expect`.
class player {
public:
    using operation = std::function<json(player&, fields&)>;

    /// \param own stands for `@` in the names of segments; \param images the folder of golden images
    player(std::string own, std::string images) : own_(std::move(own)), images_(std::move(images)) {}
    player(player const&) = delete;
    player& operator=(player const&) = delete;
    /// Removes the segments that it named.
    ~player();

    /// \throw std::exception for an unknown operation, an unread or missing field, a field of another type
    json perform(json const& step);
    /// More operations than the cases have.
    void add(std::string const& name, operation what) { more_[name] = std::move(what); }

    std::string name_of(std::string const& name);
    template <class T>
    T& on(fields& f) {
        auto const name = f.get<std::string>("on");
        auto const found = opened_.find(name);
        auto* const one = found == opened_.end() ? nullptr : dynamic_cast<T*>(found->second.get());
        if (one == nullptr) throw std::runtime_error("'" + name + "' is nothing that this can be done on");
        return *one;
    }
    /// Bytes of a payload of the structure that `on` names.
    number item_bytes(std::string const& on) { return shapes_.at(on).item_bytes; }
    number key_bytes(std::string const& on) { return shapes_.at(on).key_bytes; }
    std::string const& images() const { return images_; }
    void keep(std::string const& as, std::unique_ptr<opened> one, shape const& of = {});
    void let_go(std::string const& name);
    /// Closes all that is open.
    void reset() { opened_.clear(); }

private:
    std::string own_;
    std::string images_;
    std::map<std::string, operation> more_;
    std::vector<std::string> named_;
    std::map<std::string, shape> shapes_;
    std::map<std::string, std::unique_ptr<opened>> opened_;
};

/// Plays a case to its end. \throw std::runtime_error at the first step that is answered otherwise than expected, with what
/// its bytes are where these are compared.
void play(json const& one, std::string const& own, std::string const& images);

/// The payload of number n, filled as this language fills one of that size: a number, a struct (24 bytes), or bytes.
bytes item_of(number n, std::size_t size);
number number_of(bytes const& item);

}  // namespace zeroipc::testing::conformance
