#pragma once
/// \file
/// The C library under test: handles that close themselves, and results that say what was wrong.

#include <zeroipc.h>

#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "zeroipc_c_handles.hpp"
#include "zeroipc_golden.hpp"
#include "zeroipc_testing.hpp"

namespace zeroipc::testing::c {

/// For set-up, in any process: throws unless the call was done.
inline void must(zeroipc_result result) {
    if (result != ZEROIPC_OK)
        throw std::runtime_error(std::string(zeroipc_message(result)) + ": " + zeroipc_detail());
}

/// What a call gives that hands out a handle through its last argument.
template <class T, class Call, class... Args>
owned<T> got(Call&& call, Args&&... args) {
    T* one = nullptr;
    must(call(std::forward<Args>(args)..., &one));
    return owned<T>(one);
}

inline owned<zeroipc_memory> create(std::string const& name, std::uint64_t bytes,
                                    std::uint32_t max_entries = 64) {
    zeroipc_memory_options options{};
    options.max_entries = max_entries;
    return got<zeroipc_memory>(zeroipc_memory_create, name.c_str(), bytes, &options);
}
inline owned<zeroipc_memory> open(std::string const& name) {
    return got<zeroipc_memory>(zeroipc_memory_open, name.c_str(), nullptr);
}
inline owned<zeroipc_queue> queue(owned<zeroipc_memory> const& memory, char const* name,
                                  std::size_t item = 8) {
    return got<zeroipc_queue>(zeroipc_queue_open, memory.get(), name, item);
}
inline owned<zeroipc_stack> stack(owned<zeroipc_memory> const& memory, char const* name,
                                  std::size_t item = 8) {
    return got<zeroipc_stack>(zeroipc_stack_open, memory.get(), name, item);
}
inline owned<zeroipc_map> map(owned<zeroipc_memory> const& memory, char const* name, std::size_t key = 8,
                              std::size_t value = 8) {
    return got<zeroipc_map>(zeroipc_map_open, memory.get(), name, key, value);
}

/// A queue "q", a stack "s", a map "m", each with three handle slots.
inline owned<zeroipc_queue> make_queue(owned<zeroipc_memory> const& memory, std::uint64_t capacity,
                                       std::size_t bytes = 8) {
    return got<zeroipc_queue>(zeroipc_queue_create, memory.get(), "q", capacity, bytes, 3U);
}
inline owned<zeroipc_stack> make_stack(owned<zeroipc_memory> const& memory, std::uint64_t capacity,
                                       std::size_t bytes = 8) {
    return got<zeroipc_stack>(zeroipc_stack_create, memory.get(), "s", capacity, bytes, 3U);
}
inline owned<zeroipc_map> make_map(owned<zeroipc_memory> const& memory, std::uint64_t capacity,
                                   std::size_t key = 8, std::size_t value = 8) {
    zeroipc_map_options const options{3, 1, 5};
    return got<zeroipc_map>(zeroipc_map_create, memory.get(), "m", capacity, key, value, &options);
}

/// Operations on 8-byte items, with their answers.
inline zeroipc_result push(zeroipc_queue* q, std::uint64_t item) { return zeroipc_queue_try_push(q, &item); }
inline zeroipc_result push(zeroipc_stack* s, std::uint64_t item) { return zeroipc_stack_try_push(s, &item); }
inline zeroipc_result pop(zeroipc_queue* q, std::uint64_t& item) { return zeroipc_queue_try_pop(q, &item); }
inline zeroipc_result pop(zeroipc_stack* s, std::uint64_t& item) { return zeroipc_stack_try_pop(s, &item); }

/// Takes everything out.
template <class Handle>
std::vector<std::uint64_t> drain(Handle* from) {
    std::vector<std::uint64_t> items;
    std::uint64_t item = 0;
    while (pop(from, item) == ZEROIPC_OK) items.push_back(item);
    return items;
}

inline nlohmann::json json_of(std::string const& file) {
    std::ifstream in(std::string(ZEROIPC_FORMAT_DIR) + "/" + file);
    INFO("reading " << file);
    REQUIRE(in);
    return nlohmann::json::parse(in);
}

/// A golden image, by its file's name.
inline std::string image_of(std::string const& file, std::uint64_t bytes) {
    return golden_image(std::string(ZEROIPC_FORMAT_DIR) + "/golden/" + file, bytes);
}
using testing::listing;

}  // namespace zeroipc::testing::c
