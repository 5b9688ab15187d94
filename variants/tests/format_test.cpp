/// \file
/// The constants of the variants' bytes are those of core/format/layout.json.

#include <zeroipc/variants/mutex_ring.hpp>
#include <zeroipc/variants/seed_literal.hpp>
#include <zeroipc/variants/ticket_ring.hpp>

#include <catch2/catch.hpp>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "zeroipc_testing.hpp"

namespace {

using zeroipc::Queue;
using zeroipc::testing::ring_of;

std::uint64_t number(char const* pointer) {
    static auto const all = nlohmann::json::parse(std::ifstream(ZEROIPC_FORMAT_DIR "/layout.json"));
    return all.at(nlohmann::json::json_pointer(pointer)).get<std::uint64_t>();
}

TEST_CASE("the other queue algorithms have the constants of layout.json", "[fast]") {
    using ticket = zeroipc::variants::algorithm::ticket;
    using mutex = zeroipc::variants::algorithm::mutex;
    using sketch = zeroipc::variants::algorithm::seed_literal;
    CHECK(number("/queue/algorithms/ticket") == ticket::id);
    CHECK(number("/queue/algorithms/mutex") == mutex::id);
    CHECK(number("/queue/algorithms/seed_literal") == sketch::id);
    CHECK(number("/queue/ticket/capacity_least") == ticket::min_capacity);
    struct odd {
        char bytes[13];
    };
    auto const sequence = number("/queue/ticket/sequence_bytes");
    auto const up = [](std::uint64_t bytes, std::uint64_t to) { return (bytes + to - 1) / to * to; };
    CHECK(ring_of<Queue<odd, ticket>>::item_stride ==
          sequence + up(13, number("/queue/ticket/item_alignment")));
    CHECK(ring_of<Queue<odd, mutex>>::item_stride == up(13, number("/queue/mutex/item_alignment")));
    CHECK(ring_of<Queue<odd, sketch>>::item_stride == up(13, number("/queue/seed_literal/item_alignment")));
}

}  // namespace
