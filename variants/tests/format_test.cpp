/// \file
/// The constants of the variants' bytes are those of core/format/layout.json.

#include <zeroipc/variants/catalogue.hpp>

#include <catch2/catch.hpp>
#include <cstdint>
#include <string>

#include "format_number.hpp"
#include "zeroipc_testing.hpp"

namespace {

using zeroipc::Queue;
using zeroipc::testing::number;
using zeroipc::testing::ring_of;

TEST_CASE("the other queue algorithms have the constants of layout.json", "[fast]") {
    using ticket = zeroipc::variants::algorithm::ticket;
    using mutex = zeroipc::variants::algorithm::mutex;
    using sketch = zeroipc::variants::algorithm::seed_literal;
    using faa = zeroipc::variants::algorithm::faa;
    using scq = zeroipc::variants::algorithm::scq;
    using spsc = zeroipc::variants::algorithm::spsc;
    using spsc_batch = zeroipc::variants::algorithm::spsc_batch;
    using two_lock = zeroipc::variants::algorithm::two_lock;
    CHECK(number("/queue/algorithms/ticket") == ticket::id);
    CHECK(number("/queue/algorithms/mutex") == mutex::id);
    CHECK(number("/queue/algorithms/seed_literal") == sketch::id);
    CHECK(number("/queue/algorithms/faa") == faa::id);
    CHECK(number("/queue/algorithms/scq") == scq::id);
    CHECK(number("/queue/algorithms/spsc") == spsc::id);
    CHECK(number("/queue/algorithms/spsc") == spsc_batch::id);
    CHECK(number("/queue/algorithms/two_lock") == two_lock::id);
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
    CHECK(ring_of<Queue<odd, spsc>>::item_stride == up(13, number("/queue/spsc/item_alignment")));
    CHECK(ring_of<Queue<odd, two_lock>>::item_stride == up(13, number("/queue/two_lock/item_alignment")));
    CHECK(ring_of<Queue<odd, faa>>::item_stride ==
          number("/queue/faa/turn_bytes") + up(13, number("/queue/faa/item_alignment")));
    auto const body = number("/queue/layouts/compact/body");
    auto const line = number("/queue/layouts/compact/line");
    CHECK(Queue<odd, faa>::bytes_for(4) ==
          body + line * number("/queue/faa/lines") + 4 * ring_of<Queue<odd, faa>>::item_stride);

    auto const g = ring_of<Queue<odd, scq>>::geometry(4, 9);
    CHECK(g.half == 16);  // the least power of two that is neither below the capacity nor below the handles
    CHECK(ring_of<Queue<odd, scq>>::geometry(64, 9).half == 64);
    CHECK(g.slots == body + line * number("/queue/scq/lines"));
    CHECK(g.entries == g.slots + 9 * line);
    CHECK(g.items == up(g.entries + 4 * g.half * number("/queue/scq/entry_bytes"),
                        number("/queue/scq/items_alignment")));
    CHECK(ring_of<Queue<odd, scq>>::item_stride == up(13, number("/queue/scq/item_alignment")));
    CHECK(g.total == g.items + 4 * ring_of<Queue<odd, scq>>::item_stride);
}

TEST_CASE("the other algorithms of stack and map have the constants of layout.json", "[fast]") {
    using mutex = zeroipc::variants::algorithm::stack_mutex;
    using striped = zeroipc::variants::algorithm::striped;
    struct odd {
        char bytes[13];
    };
    CHECK(number("/stack/algorithms/mutex") == mutex::id);
    CHECK(number("/stack/mutex/item_alignment") == 8);
    CHECK(ring_of<zeroipc::Stack<odd, mutex>>::item_stride == 16);

    auto const stack_body = number("/stack/layouts/compact/body");
    auto const stack_line = number("/stack/layouts/compact/line");
    using elimination = zeroipc::variants::algorithm::elimination;
    using with_offers = ring_of<zeroipc::Stack<odd, elimination>>;
    CHECK(number("/stack/algorithms/elimination") == elimination::id);
    CHECK(with_offers::handles_a_place == number("/stack/elimination/handles_a_place"));
    auto const linked = ring_of<zeroipc::Stack<odd>>::geometry(100, 9);
    auto const offers = with_offers::geometry(100, 9);
    CHECK(offers.nodes == linked.nodes);
    CHECK(offers.offers == (linked.total + stack_line - 1) / stack_line * stack_line);
    CHECK(offers.board == offers.offers + 9 * stack_line);
    CHECK(offers.places == 2);
    CHECK(with_offers::geometry(100, 1).places == number("/stack/elimination/places_least"));
    CHECK(with_offers::geometry(100, 1000).places == number("/stack/elimination/places_most"));
    CHECK(offers.total == offers.board + 2 * stack_line);

    using combining = zeroipc::variants::algorithm::flat_combining;
    using combined = ring_of<zeroipc::Stack<odd, combining>>;
    CHECK(number("/stack/algorithms/flat_combining") == combining::id);
    CHECK(combined::item_stride == 16);
    auto const records = combined::geometry(100, 9);
    CHECK(records.slots == stack_body + stack_line * number("/stack/flat_combining/lines"));
    CHECK(records.records == records.slots + 9 * stack_line);
    CHECK(records.items == records.records + 9 * stack_line);
    CHECK(records.total == records.items + 16 * 100);
    {
        zeroipc::testing::segment_name const name;
        auto memory = zeroipc::Memory::create(name, 1 << 16);
        zeroipc::Stack<std::uint64_t, combining> s(memory, "s", 4, {3});
        s.try_push(77);
        auto const start = memory.find("s")->offset;
        auto const g = ring_of<decltype(s)>::geometry(4, 3);
        zeroipc::testing::raw_object const raw(name);
        auto const first = start + stack_body;
        CHECK(raw.read<std::uint64_t>(first + number("/stack/flat_combining/first_line/lock/offset")) == 0);
        CHECK(raw.read<std::uint64_t>(first + number("/stack/flat_combining/first_line/used/offset")) == 1);
        CHECK(raw.read<std::uint64_t>(start + g.records +
                                      number("/stack/flat_combining/record/state/offset")) ==
              number("/stack/flat_combining/states/answer_yes"));
        CHECK(raw.read<std::uint64_t>(start + g.records +
                                      number("/stack/flat_combining/record/item/offset")) == 77);
        CHECK(raw.read<std::uint64_t>(start + g.items) == 77);
        CHECK(raw.read<std::uint64_t>(start + number("/stack/layouts/compact/top")) == 1);
    }

    CHECK(number("/map/algorithms/striped") == striped::id);
    using map = zeroipc::Map<std::uint64_t, odd, striped>;
    using table = striped::table<map::policies, 8, 13>;
    CHECK(table::item_stride == number("/map/striped/link_bytes") + number("/map/striped/word_bytes") + 16);
    auto const body = number("/map/layouts/compact/body");
    auto const line = number("/map/layouts/compact/line");
    auto const g = table::geometry(100, 0, 7);
    CHECK(g.stripes == number("/map/striped/stripes_most"));
    CHECK(table::geometry(5, 0, 7).stripes == 8);
    CHECK(g.mutexes == body);
    CHECK(g.pool == body + line * 65);  // a mutex of 40 bytes a line, and the pool's
    CHECK(g.buckets == g.pool + line);
    CHECK(g.nodes % number("/map/striped/nodes_alignment") == 0);
    CHECK(g.nodes - (g.buckets + number("/map/striped/bucket_bytes") * 100) < 64);
    CHECK(g.total == g.nodes + table::item_stride * 164);

    zeroipc::testing::segment_name const name;
    auto memory = zeroipc::Memory::create(name, 1 << 16);
    map m(memory, "m", 100);
    m.insert(1, {});
    m.insert(2, {});
    m.erase(1);
    auto const at = memory.find("m")->offset + g.pool;
    zeroipc::testing::raw_object const raw(name);
    CHECK(raw.read<std::uint64_t>(at + number("/map/striped/pool/first_free/offset")) == 1);
    CHECK(raw.read<std::uint64_t>(at + number("/map/striped/pool/ever_used/offset")) == 2);
    CHECK(raw.read<std::uint64_t>(at + number("/map/striped/pool/died/offset")) == 0);
}

TEST_CASE("the map of chains has the constants of layout.json", "[fast]") {
    using chained = zeroipc::variants::algorithm::chained;
    struct odd {
        char bytes[13];
    };
    using map = zeroipc::Map<std::uint64_t, odd, chained>;
    using table = chained::table<map::policies, 8, 13>;
    CHECK(number("/map/algorithms/chained") == chained::id);
    CHECK(table::item_stride == 2 * number("/map/chained/word_bytes") + 16);
    auto const body = number("/map/layouts/compact/body");
    auto const line = number("/map/layouts/compact/line");
    auto const g = table::geometry(100, 5, 7);
    CHECK(g.node_count == 100 + 100 / number("/map/chained/nodes_per_capacity/divided_by") +
                              number("/map/chained/nodes_per_capacity/plus") +
                              5 * number("/map/chained/nodes_per_handle"));
    CHECK(g.slots == body);
    CHECK(g.heads == body + 5 * line);
    CHECK(g.nodes % number("/map/chained/nodes_alignment") == 0);
    CHECK(g.nodes - (g.heads + number("/map/chained/bucket_bytes") * 100) < 64);
    CHECK(g.total == g.nodes + table::item_stride * g.node_count);

    // One bucket, 13 nodes, two handle slots: a word has 4 bits of node, 2 of handle slot, the kind, the tag.
    zeroipc::testing::segment_name const name;
    auto memory = zeroipc::Memory::create(name, 1 << 16);
    map m(memory, "m", 1, {2, 1});
    m.insert(2, {});
    m.insert(1, {});
    m.erase(2);
    auto const at = memory.find("m")->offset;
    auto const one = table::geometry(1, 2, 1);
    zeroipc::testing::raw_object const raw(name);
    auto const word = [&](std::uint64_t offset) { return raw.read<std::uint64_t>(at + offset); };
    CHECK(one.node_count == 13);
    auto const packed = [](std::uint64_t tag, std::uint64_t kind, std::uint64_t by, std::uint64_t next) {
        return tag << 8 | kind << 6 | by << 4 | next;
    };
    CHECK(word(one.heads) == packed(2, 0, 0, 2));
    CHECK(word(one.nodes + table::item_stride) == packed(3, number("/map/chained/kinds/live"), 0, 0));
    CHECK(word(one.nodes) == packed(3, number("/map/chained/kinds/marked"), 1, 0));
    CHECK(word(one.slots + number("/map/chained/slot/state/offset")) ==
          1U << number("/map/chained/state_bits/what"));  // nothing, with node 1 as spare
    CHECK(word(one.nodes + 3 * table::item_stride) == packed(0, number("/map/chained/kinds/free"), 0, 0));
}

TEST_CASE("the map by open addressing has the constants of layout.json", "[fast]") {
    using open = zeroipc::variants::algorithm::open_addressing;
    struct odd {
        char bytes[13];
    };
    using map = zeroipc::Map<std::uint64_t, odd, open>;
    using table = open::table<map::policies, 8, 13>;
    CHECK(number("/map/algorithms/open") == open::id);
    CHECK(table::item_stride == 2 * number("/map/open/word_bytes") + 16);
    CHECK(table::cell_stride ==
          number("/map/open/word_bytes") + number("/map/open/group_cells") * table::item_stride);
    CHECK(table::reach == number("/map/open/cells_of_home"));
    CHECK(64 - table::reach == number("/map/open/version_bits"));
    auto const g = table::geometry(100, 5, 7);
    CHECK(g.slots == number("/map/layouts/compact/body"));
    CHECK(g.groups == g.slots + 5 * number("/map/layouts/compact/line"));
    CHECK(g.total == g.groups + table::cell_stride * (100 + number("/map/open/groups_more")));

    zeroipc::testing::segment_name const name;
    auto memory = zeroipc::Memory::create(name, 1 << 16);
    map m(memory, "m", 1, {2, 1});
    m.insert(2, {});
    m.insert(1, {});
    m.erase(2);
    m.insert_or_assign(1, {});
    auto const at = memory.find("m")->offset;
    auto const one = table::geometry(1, 2, 1);
    zeroipc::testing::raw_object const raw(name);
    auto const word = [&](std::uint64_t offset) { return raw.read<std::uint64_t>(at + offset); };
    CHECK(word(one.groups) == (std::uint64_t{2} << 40 | 1));  // cell 0 again, behind two that were cleared
    // Two bits of handle slot, and the tag.
    CHECK(word(one.groups + 8) == (3 << 2 | 1));
    CHECK(word(one.groups + 8 + table::item_stride) == 2 << 2);
    CHECK(word(one.groups + 8 + 2 * table::item_stride) == 0);
    CHECK(word(one.slots + number("/map/open/slot/mine_place/offset")) == 0);
    CHECK(word(one.slots + number("/map/open/slot/mine_word/offset")) == (3 << 2 | 1));
    CHECK(word(one.slots + number("/map/open/slot/old_place/offset")) == 0);
    CHECK(word(one.slots + number("/map/open/slot/old_word/offset")) == (1 << 2 | 1));
}

/// A word of a fresh SCQ queue of capacity 2, 4 handle slots: N is 4.
TEST_CASE("a fresh SCQ queue has its places where layout.json says", "[fast]") {
    using scq = zeroipc::variants::algorithm::scq;
    using queue = Queue<std::uint64_t, scq>;
    zeroipc::testing::segment_name const name;
    auto memory = zeroipc::Memory::create(name, 1 << 14);
    queue const q(memory, "q", 2, {4});
    auto const at = memory.find("q")->offset;
    zeroipc::testing::raw_object const raw(name);
    auto const word = [&](std::uint64_t offset) { return raw.read<std::uint64_t>(at + offset); };
    auto const body = number("/queue/layouts/compact/body");
    auto const line = number("/queue/layouts/compact/line");
    auto const line_of = [&](char const* pointer) { return body + line * number(pointer); };
    CHECK(word(0) == 8);
    CHECK(word(8) == 8);
    CHECK(word(line_of("/queue/scq/full/threshold/line")) == ~std::uint64_t{0});
    CHECK(word(line_of("/queue/scq/free/head/line")) == 8);
    CHECK(word(line_of("/queue/scq/free/tail/line")) == 10);
    CHECK(word(line_of("/queue/scq/free/threshold/line")) == 11);
    // An entry: 3 bits of index, 1 bit of safety, the cycle.
    auto const entries = body + line * (number("/queue/scq/lines") + 4);
    for (std::uint64_t i = 0; i < 8; ++i) {
        CHECK(word(entries + 8 * i) == (8 | 7));
        CHECK(word(entries + 64 + 8 * i) == (i < 2 ? 16 | 8 | i : 8 | 7));
    }
}

}  // namespace
