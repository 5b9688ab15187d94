// The format as data (format/layout.json), as pages (format/*.md) and as golden images, against the C++ that
// implements it.

#include <zeroipc/zeroipc.hpp>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iomanip>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "zeroipc_golden.hpp"
#include "zeroipc_map_testing.hpp"
#include "zeroipc_testing.hpp"

namespace {

using nlohmann::json;
using zeroipc::Memory;
using zeroipc::Queue;
using zeroipc::Stack;
namespace format = zeroipc::format;
namespace testing = zeroipc::testing;

std::string const directory = ZEROIPC_FORMAT_DIR;

std::string text_of(std::string const& file) {
    std::ifstream in(directory + "/" + file);
    INFO("reading " << file);
    REQUIRE(in);
    std::ostringstream all;
    all << in.rdbuf();
    return all.str();
}

json const& constants() {
    static json const all = json::parse(text_of("layout.json"));
    return all;
}

/// The number at a JSON pointer.
std::uint64_t number(std::string const& pointer) {
    INFO(pointer);
    return constants().at(json::json_pointer(pointer)).get<std::uint64_t>();
}

struct field {
    std::uint64_t offset;
    std::uint64_t bytes;
};

field field_at(std::string const& pointer) {
    return {number(pointer + "/offset"), number(pointer + "/bytes")};
}

void check_field(std::string const& pointer, std::size_t offset, std::size_t bytes) {
    INFO(pointer);
    CHECK(field_at(pointer).offset == offset);
    CHECK(field_at(pointer).bytes == bytes);
}

template <class U>
U value_at(std::string const& bytes, std::uint64_t offset) {
    U value{};
    REQUIRE(offset + sizeof value <= bytes.size());
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

std::uint64_t align_up(std::uint64_t value, std::uint64_t to) { return (value + to - 1) / to * to; }

std::string image_of(std::string const& file, std::uint64_t bytes) {
    return testing::golden_image(directory + "/golden/" + file, bytes);
}
using testing::listing;

/// What a process would leave that is killed next to its commit.
struct snapshots {
    Memory const* memory = nullptr;
    std::string before;
    std::string after;

    [[nodiscard]] std::string take() const {
        return memory == nullptr
                   ? std::string()
                   : std::string(reinterpret_cast<char const*>(memory->base()), memory->bytes());
    }
};
snapshots commits;

constexpr bool is_commit(zeroipc::exchange_access access) {
    return access == zeroipc::exchange_access::commits;
}
constexpr bool is_commit(zeroipc::treiber_access access) {
    return access == zeroipc::treiber_access::commits;
}

struct ordering_with_snapshots : zeroipc::ordering::acq_rel {
    template <class Atomics, auto Access, class Word, class V>
    static bool exchange_if(Word& word, V& expected, V desired) {
        bool const commit = is_commit(Access);
        if (commit) commits.before = commits.take();
        bool const done = acq_rel::exchange_if<Atomics, Access>(word, expected, desired);
        if (commit) commits.after = commits.take();
        return done;
    }
};

/// Where a queue of the exchange ring has its parts, from the numbers of layout.json alone.
struct parts {
    std::uint64_t slots;
    std::uint64_t cells;
    std::uint64_t buffers;
    std::uint64_t total;
};

parts expected_parts(std::string const& layout, std::uint64_t capacity, std::uint64_t slots,
                     std::uint64_t item_size) {
    auto const ring = [](char const* key) { return number(std::string("/queue/exchange/") + key); };
    auto const body = number("/queue/layouts/" + layout + "/body");
    auto const cells = body + number("/queue/layouts/" + layout + "/line") * slots;
    auto const buffers = align_up(cells + ring("cell_bytes") * capacity, ring("buffers_alignment"));
    auto const count = capacity + ring("spares_per_slot") * slots;
    return {body, cells, buffers, buffers + align_up(item_size, ring("item_alignment")) * count};
}

template <std::size_t Bytes>
struct item {
    std::array<unsigned char, Bytes> bytes;
};

template <class Q>
void check_parts(std::string const& layout) {
    using ring = testing::ring_of<Q>;
    constexpr auto size = sizeof(typename Q::value_type);
    CHECK(ring::item_stride == align_up(size, number("/queue/exchange/item_alignment")));
    CHECK(ring::cell_stride == number("/queue/exchange/cell_bytes"));
    for (std::uint64_t capacity = 1; capacity <= 4096; capacity *= 4) {
        for (std::uint32_t const slots : {1U, 2U, 64U, 1000U}) {
            INFO(layout << ", capacity " << capacity << ", " << slots << " slots, items of " << size
                        << " bytes");
            auto const is = ring::geometry(capacity, slots);
            auto const expected = expected_parts(layout, capacity, slots, size);
            CHECK(is.slots == expected.slots);
            CHECK(is.cells == expected.cells);
            CHECK(is.buffers == expected.buffers);
            CHECK(is.total == expected.total);
            CHECK(Q::bytes_for(capacity, {slots}) == expected.total);
        }
    }
}

/// Each layout has a number of its own. (Those from 3 on are the variants', and tested there.)
void check_numbers_differ(nlohmann::json const& layouts) {
    std::set<std::uint64_t> numbers;
    for (auto const& one : layouts) numbers.insert(one.at("number").get<std::uint64_t>());
    CHECK(numbers.size() == layouts.size());
}

template <class Layout>
void check_layout() {
    std::string const at = "/queue/layouts/" + std::string(Layout::name) + "/";
    INFO(at);
    CHECK(number(at + "number") == Layout::id);
    CHECK(number(at + "head") == Layout::head_offset);
    CHECK(number(at + "tail") == Layout::tail_offset);
    CHECK(number(at + "items_wait") == Layout::items_wait_offset);
    CHECK(number(at + "space_wait") == Layout::space_wait_offset);
    CHECK(number(at + "body") == Layout::body_offset);
    CHECK(number(at + "line") == Layout::line);
    CHECK(constants().at("queue").at("layouts").at(std::string(Layout::name)).size() == 7);

    using ring = testing::ring_of<Queue<std::uint64_t, Layout>>;
    CHECK(ring::item_stride == 8);
    check_parts<Queue<item<1>, Layout>>(std::string(Layout::name));
    check_parts<Queue<std::uint64_t, Layout>>(std::string(Layout::name));
    check_parts<Queue<item<100>, Layout>>(std::string(Layout::name));
}

json const& golden_array() {
    static json const one = json::parse(text_of("golden/array-5x4.json"));
    return one;
}

json const& golden() {
    static json const one = json::parse(text_of("golden/queue-compact-4x8.json"));
    return one;
}

std::vector<std::uint64_t> items_of(json const& stage) {
    return stage.at("items").get<std::vector<std::uint64_t>>();
}

template <class Q>
std::vector<std::uint64_t> drain(Q& queue) {
    std::vector<std::uint64_t> items;
    while (auto const one = queue.try_pop()) {
        items.push_back(*one);
        REQUIRE(items.size() <= queue.capacity());
    }
    return items;
}

/// Where a stack has its parts, from the numbers of layout.json alone.
struct stack_parts {
    std::uint64_t slots;
    std::uint64_t witnesses;
    std::uint64_t row;
    std::uint64_t nodes;
    std::uint64_t total;
};

stack_parts expected_stack(std::string const& layout, std::uint64_t capacity, std::uint64_t slots,
                           std::uint64_t item_size) {
    auto const is = [](std::string const& key) { return number("/stack/treiber/" + key); };
    auto const body = number("/stack/layouts/" + layout + "/body");
    auto const line = number("/stack/layouts/" + layout + "/line");
    auto const witnesses = body + line * slots;
    auto const row = align_up(is("witnesses_per_slot") * is("witness_bytes") * slots, line);
    auto const nodes = witnesses + row * slots;
    auto const stride = is("node/item/offset") + align_up(item_size, is("item_alignment"));
    return {body, witnesses, row, nodes, nodes + stride * (capacity + is("nodes_per_slot") * slots)};
}

template <class S>
void check_stack_parts(std::string const& layout) {
    using ring = testing::ring_of<S>;
    constexpr auto size = sizeof(typename S::value_type);
    CHECK(ring::item_stride == number("/stack/treiber/node/item/offset") +
                                   align_up(size, number("/stack/treiber/item_alignment")));
    CHECK(ring::cell_stride == 0);
    for (auto const capacity : testing::sizes({1, 2, 3, 1000}))
        for (std::uint32_t const slots : {1U, 3U, 32U, 1000U}) {
            INFO(layout << ", capacity " << capacity << ", " << slots << " slots, items of " << size
                        << " bytes");
            auto const is = ring::geometry(capacity, slots);
            auto const expected = expected_stack(layout, capacity, slots, size);
            CHECK(is.slots == expected.slots);
            CHECK(is.witnesses == expected.witnesses);
            CHECK(is.row == expected.row);
            CHECK(is.nodes == expected.nodes);
            CHECK(is.total == expected.total);
            CHECK(S::bytes_for(capacity, {slots}) == expected.total);
        }
}

template <class Layout>
void check_stack_layout() {
    std::string const at = "/stack/layouts/" + std::string(Layout::name) + "/";
    INFO(at);
    CHECK(number(at + "number") == Layout::id);
    CHECK(number(at + "top") == Layout::top_offset);
    CHECK(number(at + "free") == Layout::free_offset);
    CHECK(number(at + "items_wait") == Layout::items_wait_offset);
    CHECK(number(at + "space_wait") == Layout::space_wait_offset);
    CHECK(number(at + "body") == Layout::body_offset);
    CHECK(number(at + "line") == Layout::line);
    CHECK(constants().at("stack").at("layouts").at(std::string(Layout::name)).size() == 7);
    check_stack_parts<Stack<item<1>, Layout>>(std::string(Layout::name));
    check_stack_parts<Stack<std::uint64_t, Layout>>(std::string(Layout::name));
    check_stack_parts<Stack<item<100>, Layout>>(std::string(Layout::name));
}

json const& stack_golden() {
    static json const one = json::parse(text_of("golden/stack-compact-3x8.json"));
    return one;
}

/// An image without head and tail, which are lower bounds, once they are known to be good ones.
std::string without_indices(std::string image, json const& stage) {
    auto const queue = golden().at("structure").at("offset").get<std::uint64_t>();
    std::array<char const*, 2> const indices{"head", "tail"};
    for (std::size_t i = 0; i < 2; ++i) {
        auto const at = queue + number(std::string("/queue/layouts/compact/") + indices[i]);
        auto const done = stage.at("done").at(i).get<std::uint64_t>();
        INFO(indices[i]);
        CHECK(done - value_at<std::uint64_t>(image, at) <= number("/queue/exchange/index_step"));
        image.replace(at, 8, 8, '\0');
    }
    return image;
}

/// The numbered accesses that a page's tables list, each with its partners: rows `| (X1) | ... | partners |`.
std::map<std::string, std::set<std::string>> edges_of(std::string const& page) {
    std::map<std::string, std::set<std::string>> all;
    std::regex const label(R"(\(([A-Z]\d+)\))");
    std::istringstream lines(text_of(page));
    for (std::string line; std::getline(lines, line);) {
        if (line.rfind("| (", 0) != 0) continue;
        auto const last = line.rfind('|', line.size() - 2);
        std::smatch name;
        REQUIRE(std::regex_search(line, name, label));
        auto const own = name[1].str();
        INFO(page << ": " << own << " stands in two rows");
        REQUIRE(all.count(own) == 0);
        auto& partners = all[own];
        auto const column = line.substr(last);
        for (std::sregex_iterator it(column.begin(), column.end(), label), end; it != end; ++it)
            partners.insert((*it)[1]);
    }
    return all;
}

}  // namespace

TEST_CASE("the segment's constants are those of layout.json", "[fast]") {
    CHECK(number("/format_version") == format::version);
    CHECK(constants().at("byte_order") == "little");
    CHECK(number("/segment/magic_u32") == format::magic);
    CHECK(number("/segment/unfinished_u32") == format::unfinished);
    for (auto const& [key, value] :
         {std::pair("magic", format::magic), std::pair("unfinished_magic", format::unfinished)}) {
        std::string bytes(4, '\0');
        std::memcpy(bytes.data(), &value, 4);
        CHECK(constants().at("segment").at(key) == bytes);
    }

    CHECK(number("/segment/header_bytes") == format::header_bytes);
    CHECK(number("/segment/header_bytes") == sizeof(format::header));
    check_field("/segment/header/magic", offsetof(format::header, magic), sizeof(format::header::magic));
    check_field("/segment/header/version_and_entries", offsetof(format::header, version_and_entries),
                sizeof(format::header::version_and_entries));
    check_field("/segment/header/count", offsetof(format::header, count), sizeof(format::header::count));
    check_field("/segment/header/next", offsetof(format::header, next), sizeof(format::header::next));
    check_field("/segment/cursor", offsetof(format::header, count), sizeof(std::uint64_t));
    CHECK(number("/segment/version_bits") + number("/segment/max_entries_bits") == 32);

    CHECK(number("/segment/entry_bytes") == format::entry_bytes);
    CHECK(number("/segment/entry_bytes") == sizeof(format::entry));
    check_field("/segment/entry/name", offsetof(format::entry, name), format::name_bytes);
    check_field("/segment/entry/offset", offsetof(format::entry, offset), sizeof(format::entry::offset));
    check_field("/segment/entry/size", offsetof(format::entry, size), sizeof(format::entry::size));
    CHECK(number("/segment/structure_alignment") == format::structure_alignment);

    CHECK(number("/segment/locks/creation") == zeroipc::detail::creation_byte);
    CHECK(number("/segment/locks/attached") == zeroipc::detail::attached_byte);
    CHECK(number("/segment/limits/bytes_below") == format::segment_limit);
    CHECK(number("/segment/limits/max_entries_most") == format::max_entries_limit);
    CHECK(number("/segment/limits/max_entries_most") == (1U << number("/segment/max_entries_bits")) - 1);
    CHECK(number("/segment/limits/name_bytes_most") == format::name_bytes - 1);

    for (std::uint32_t const n : {1U, 2U, 64U, 65535U})
        CHECK(format::table_end(n) ==
              align_up(number("/segment/header_bytes") + number("/segment/entry_bytes") * n,
                       number("/segment/structure_alignment")));
}

TEST_CASE("the descriptor's constants are those of layout.json", "[fast]") {
    using format::descriptor;
    CHECK(number("/descriptor/bytes") == sizeof(descriptor));
    std::string const at = "/descriptor/fields/";
    check_field(at + "kind", offsetof(descriptor, kind), sizeof(descriptor::kind));
    check_field(at + "algorithm", offsetof(descriptor, algorithm), sizeof(descriptor::algorithm));
    check_field(at + "layout", offsetof(descriptor, layout), sizeof(descriptor::layout));
    check_field(at + "item_size", offsetof(descriptor, item_size), sizeof(descriptor::item_size));
    check_field(at + "item_stride", offsetof(descriptor, item_stride), sizeof(descriptor::item_stride));
    check_field(at + "cell_stride", offsetof(descriptor, cell_stride), sizeof(descriptor::cell_stride));
    check_field(at + "handle_slots", offsetof(descriptor, handle_slots), sizeof(descriptor::handle_slots));
    check_field(at + "key_size", offsetof(descriptor, key_size), sizeof(descriptor::key_size));
    check_field(at + "seed", offsetof(descriptor, seed), sizeof(descriptor::seed));
    check_field(at + "reserved", offsetof(descriptor, reserved), sizeof(descriptor::reserved));
    CHECK(constants().at("descriptor").at("fields").size() == 10);

    CHECK(number("/descriptor/kinds/array") == static_cast<std::uint32_t>(format::kind::array));
    CHECK(number("/descriptor/kinds/queue") == static_cast<std::uint32_t>(format::kind::queue));
    CHECK(number("/descriptor/kinds/stack") == static_cast<std::uint32_t>(format::kind::stack));
    CHECK(number("/descriptor/kinds/map") == static_cast<std::uint32_t>(format::kind::map));
    CHECK(constants().at("descriptor").at("kinds").size() == 4);
}

TEST_CASE("the queue's constants are those of layout.json", "[fast]") {
    CHECK(number("/queue/algorithms/exchange") == zeroipc::algorithm::exchange::id);
    CHECK(number("/queue/limits/capacity_most") == Queue<int>::max_capacity);
    CHECK(number("/queue/limits/handle_slots_most") == zeroipc::detail::most_handle_slots);
    CHECK_NOTHROW(
        Queue<int>::bytes_for(1, {static_cast<std::uint32_t>(number("/queue/limits/handle_slots_least"))}));
    check_layout<zeroipc::layout::compact>();
    check_layout<zeroipc::layout::padded>();
    check_field("/queue/header/head", zeroipc::layout::compact::head_offset, sizeof(std::uint64_t));
    check_field("/queue/header/tail", zeroipc::layout::compact::tail_offset, sizeof(std::uint64_t));
    CHECK(number("/queue/header_bytes") == field_at("/queue/header/capacity").offset + 8);
    CHECK(number("/queue/descriptor_offset") == number("/queue/header_bytes"));
    check_numbers_differ(constants().at("queue").at("layouts"));
}

TEMPLATE_TEST_CASE("a fresh queue says what it is where layout.json says", "[fast]", zeroipc::layout::compact,
                   zeroipc::layout::padded) {
    testing::segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    Queue<item<13>, TestType> const queue(memory, "q", 16, {3});
    auto const bytes = testing::raw_object(name).bytes().substr(memory.find("q")->offset);
    auto const description = bytes.substr(number("/queue/descriptor_offset"), number("/descriptor/bytes"));
    auto const says = [&](char const* key) {
        auto const where = field_at(std::string("/descriptor/fields/") + key);
        return where.bytes == 8 ? value_at<std::uint64_t>(description, where.offset)
                                : value_at<std::uint32_t>(description, where.offset);
    };
    CHECK(says("kind") == number("/descriptor/kinds/queue"));
    CHECK(says("algorithm") == number("/queue/algorithms/exchange"));
    CHECK(says("layout") == number("/queue/layouts/" + std::string(TestType::name) + "/number"));
    CHECK(says("item_size") == 13);
    CHECK(says("item_stride") == 16);
    CHECK(says("cell_stride") == number("/queue/exchange/cell_bytes"));
    CHECK(says("handle_slots") == 3);
    CHECK(says("key_size") == 0);
    CHECK(says("seed") == 0);
    auto const reserved = field_at("/descriptor/fields/reserved");
    CHECK(description.substr(reserved.offset, reserved.bytes) == std::string(reserved.bytes, '\0'));
    CHECK(value_at<std::uint64_t>(bytes, number("/queue/header/capacity/offset")) == 16);
    // All else is zero.
    auto rest = bytes;
    rest.replace(number("/queue/header/capacity/offset"), 8, 8, '\0');
    rest.replace(number("/queue/descriptor_offset"), number("/descriptor/bytes"), number("/descriptor/bytes"),
                 '\0');
    CHECK(rest.find_first_not_of('\0') == std::string::npos);
}

TEST_CASE("the array's constants are those of layout.json", "[fast]") {
    using zeroipc::Array;
    CHECK(number("/array/header_bytes") == Array<int>::header_bytes);
    CHECK(number("/array/elements_offset") == Array<int>::header_bytes);
    CHECK(field_at("/array/header/capacity").offset == 0);
    CHECK(field_at("/array/header/capacity").bytes == Array<int>::header_bytes);
    CHECK(number("/array/element_alignment_most") == alignof(std::uint64_t));
    CHECK(number("/array/limits/bytes_below") == format::segment_limit);
    auto const least = number("/array/limits/capacity_least");
    CHECK(Array<item<13>>::bytes_for(least) == number("/array/elements_offset") + 13 * least);
    CHECK_THROWS(Array<item<13>>::bytes_for(least - 1));
    CHECK(constants().at("array").size() == 5);
}

TEST_CASE("a futex word has the bits of layout.json", "[fast]") {
    using waiters = zeroipc::detail::waiters<zeroipc::atomics::native>;
    auto const bit = (1U << number("/queue/futex_word/sleeping_bits")) - 1;
    auto const step = number("/queue/futex_word/wake_step");
    zeroipc::observer::counting observer;
    waiters::word word{0};
    CHECK(waiters::announce(word) == bit);
    waiters::notify<true>(word, observer);
    CHECK(word.load() == step);
    CHECK(waiters::announce(word) == (step | bit));
    waiters::notify<false>(word, observer);
    waiters::notify<false>(word, observer);  // nobody sleeps: not counted
    CHECK(word.load() == 2 * step);
    CHECK(waiters::longest.count() ==
          static_cast<std::int64_t>(number("/queue/futex_word/longest_sleep_ms")));
}

TEST_CASE("the words of a used queue are those of the page's formulas", "[fast]") {
    // Capacity, handle slots, and the bits of a buffer number: the least b with 2^b >= capacity + 2 slots.
    struct shape {
        std::uint64_t capacity;
        std::uint32_t slots;
        unsigned bits;
    };
    for (auto const& s : {shape{1, 1, 2}, shape{2, 1, 2}, shape{2, 3, 3}, shape{8, 4, 4}, shape{8, 5, 5}}) {
        INFO("capacity " << s.capacity << ", " << s.slots << " handle slots");
        testing::segment_name const name;
        auto memory = Memory::create(name, 1 << 16);
        Queue<std::uint64_t> queue(memory, "q", s.capacity, {s.slots});
        auto const at = memory.find("q")->offset;
        auto const where = expected_parts("compact", s.capacity, s.slots, 8);
        auto const word = [&](std::uint64_t offset) {
            return value_at<std::uint64_t>(
                std::string(reinterpret_cast<char const*>(memory.base()), memory.bytes()), at + offset);
        };
        auto const slot = [&](char const* key) {
            return word(where.slots + number(std::string("/queue/exchange/slot/") + key + "/offset"));
        };

        // One handle: the spare goes into the cell, and what the cell had is the next spare.
        std::uint64_t spare = s.capacity;
        std::vector<std::uint64_t> cell(s.capacity);
        for (std::uint64_t i = 0; i < s.capacity; ++i) cell[i] = i;
        std::uint64_t expected = 0;
        for (std::uint64_t position = 0; position < s.capacity; ++position) {
            REQUIRE(queue.try_push(position + 100));
            auto const i = position % s.capacity;
            CHECK(word(where.cells + 8 * i) == ((std::uint64_t{1} << s.bits) | (spare ^ i)));
            CHECK(word(where.buffers + 8 * spare) == position + 100);
            std::swap(spare, cell[i]);
            CHECK(slot("out") == (spare ^ s.capacity) << number("/queue/exchange/pending_bits"));
            CHECK(slot("position") == position);
            CHECK(slot("expected") == expected);
        }
        std::uint64_t taken = s.capacity + 1;
        CHECK(slot("in") == 0);
        REQUIRE(queue.try_pop() == 100);
        CHECK(word(where.cells) == ((std::uint64_t{2} << s.bits) | taken));
        std::swap(taken, cell[0]);
        CHECK(slot("in") == (taken ^ (s.capacity + 1)) << 1);
        // The indices are lower bounds.
        CHECK(1 - word(number("/queue/layouts/compact/head")) <= number("/queue/exchange/index_step"));
        CHECK(s.capacity - word(number("/queue/layouts/compact/tail")) <=
              number("/queue/exchange/index_step"));
        CHECK(word(number("/queue/header/capacity/offset")) == s.capacity);
    }
}

TEST_CASE("a fresh segment has the bytes of the golden images", "[fast]") {
    auto const bytes = golden().at("bytes").get<std::uint64_t>();
    auto const& structure = golden().at("structure");
    REQUIRE(golden().at("format_version") == format::version);

    testing::segment_name const name;
    zeroipc::memory_options options;
    options.max_entries = golden().at("max_entries").get<std::uint32_t>();
    auto memory = Memory::create(name, bytes, options);
    Queue<std::uint64_t, ordering_with_snapshots> queue(memory, structure.at("name").get<std::string>(),
                                                        structure.at("capacity").get<std::uint64_t>(),
                                                        {structure.at("handle_slots").get<std::uint32_t>()});
    auto const entry = memory.entries().at(0);
    CHECK(entry.name == structure.at("name"));
    CHECK(entry.offset == structure.at("offset"));
    CHECK(entry.size == structure.at("size"));

    commits.memory = &memory;
    bool killed = false;
    for (auto const& stage : golden().at("stages")) {
        auto const operation = stage.at("operation").get<std::string>();
        INFO(stage.dump());
        auto now = [&] { return testing::raw_object(name).bytes(); };
        std::string found;
        if (operation == "make") {
            found = now();
        } else if (operation == "push") {
            REQUIRE(queue.try_push(stage.at("item").get<std::uint64_t>()));
            found = now();
        } else if (operation == "pop") {
            REQUIRE(queue.try_pop() == stage.at("item").get<std::uint64_t>());
            found = now();
        } else {
            REQUIRE(operation == "kill");
            if (!killed) REQUIRE(queue.try_push(stage.at("item").get<std::uint64_t>()));
            killed = true;
            found = stage.at("when") == "before" ? commits.before : commits.after;
        }
        auto const image = "golden/" + stage.at("image").get<std::string>();
        // After a change of the format that is meant: run once with this set, and read the difference.
        if (std::getenv("ZEROIPC_WRITE_GOLDEN") != nullptr)
            std::ofstream(directory + "/" + image) << listing(found);
        auto const expected = image_of(stage.at("image").get<std::string>(), bytes);
        CHECK(listing(without_indices(found, stage)) == listing(without_indices(expected, stage)));
    }
    commits.memory = nullptr;
}

TEST_CASE("golden images open, and give their items", "[fast]") {
    auto const bytes = golden().at("bytes").get<std::uint64_t>();
    auto const& structure = golden().at("structure");
    auto const queue_name = structure.at("name").get<std::string>();
    auto const capacity = structure.at("capacity").get<std::uint64_t>();
    auto const slots = structure.at("handle_slots").get<std::uint32_t>();
    for (auto const& stage : golden().at("stages")) {
        INFO(stage.dump());
        testing::segment_name const name;
        testing::raw_object const object(name, bytes);
        object.write_bytes(0, image_of(stage.at("image").get<std::string>(), bytes));

        auto memory = Memory::open(name);
        CHECK(memory.max_entries() == golden().at("max_entries"));
        Queue<std::uint64_t> queue(memory, queue_name);
        CHECK(queue.capacity() == capacity);
        CHECK(queue.handle_slot() == 0);
        auto const at =
            structure.at("offset").get<std::uint64_t>() + expected_parts("compact", capacity, slots, 8).slots;
        for (std::size_t i = 0; i < 2; ++i)
            CHECK(object.read<std::uint64_t>(at + 8 * i) ==
                  stage.at("slot_words").at(i).get<std::uint64_t>());
        CHECK(testing::conserved<decltype(queue)>(memory, queue_name, capacity, slots));

        CHECK(drain(queue) == items_of(stage));
        std::vector<std::uint64_t> const fill{11, 12, 13, 14};
        for (auto const one : fill) CHECK(queue.try_push(one));
        CHECK_FALSE(queue.try_push(15));
        Queue<std::uint64_t> other(memory, queue_name);
        CHECK(drain(other) == fill);
        CHECK(testing::conserved<decltype(queue)>(memory, queue_name, capacity, slots));
    }
}

/// The page shows every line of the images that lies behind the segment's own header and table, and no others.
void check_shows(std::string const& page_name, json const& all) {
    auto const page = text_of(page_name);
    std::set<std::string> shown;
    for (auto const& stage : all.at("stages")) {
        std::istringstream lines(text_of("golden/" + stage.at("image").get<std::string>()));
        for (std::string line; std::getline(lines, line);) {
            INFO(line);
            if (line >= "00000080") CHECK(page.find(line) != std::string::npos);
            shown.insert(line);
        }
    }
    std::regex const is_line("^[0-9a-f]{8} ( [0-9a-f]{2}){16}");
    std::istringstream lines(page);
    for (std::string line; std::getline(lines, line);) {
        std::smatch found;
        if (!std::regex_search(line, found, is_line)) continue;
        INFO(line);
        CHECK(shown.count(found.str()) == 1);
    }
}

TEST_CASE("the pages show the golden bytes", "[fast]") {
    check_shows("queue.md", golden());
    check_shows("array.md", golden_array());
    check_shows("stack.md", stack_golden());
}

TEST_CASE("an array has the bytes of the golden images", "[fast]") {
    auto const bytes = golden_array().at("bytes").get<std::uint64_t>();
    auto const& structure = golden_array().at("structure");
    auto const array_name = structure.at("name").get<std::string>();
    REQUIRE(golden_array().at("format_version") == format::version);
    REQUIRE(structure.at("item_size") == sizeof(std::uint32_t));
    testing::segment_name const name;
    zeroipc::memory_options options;
    options.max_entries = golden_array().at("max_entries").get<std::uint32_t>();
    auto memory = Memory::create(name, bytes, options);
    zeroipc::Array<std::uint32_t> array(memory, array_name, structure.at("capacity").get<std::uint64_t>());
    CHECK(memory.entries().at(0).offset == structure.at("offset"));
    CHECK(memory.entries().at(0).size == structure.at("size"));
    for (auto const& stage : golden_array().at("stages")) {
        INFO(stage.dump());
        auto const operation = stage.at("operation").get<std::string>();
        if (operation == "store")
            array.store(stage.at("index").get<std::uint64_t>(), stage.at("value").get<std::uint32_t>());
        else if (operation == "fetch_add")
            CHECK(array.fetch_add(stage.at("index").get<std::uint64_t>(),
                                  stage.at("value").get<std::uint32_t>()) == stage.at("gives"));
        else
            REQUIRE(operation == "make");
        auto const image = stage.at("image").get<std::string>();
        auto const found = testing::raw_object(name).bytes();
        if (std::getenv("ZEROIPC_WRITE_GOLDEN") != nullptr)
            std::ofstream(directory + "/golden/" + image) << listing(found);
        CHECK(listing(found) == listing(image_of(image, bytes)));

        // And back: the image opens, and gives its elements.
        testing::segment_name const copy;
        testing::raw_object(copy, bytes).write_bytes(0, image_of(image, bytes));
        auto opened = Memory::open(copy);
        zeroipc::Array<std::uint32_t> const read(opened, array_name);
        CHECK(std::vector<std::uint32_t>(read.begin(), read.end()) ==
              stage.at("elements").get<std::vector<std::uint32_t>>());
    }
}

TEST_CASE("every ordering edge of the pages is named at both ends", "[fast]") {
    auto const page = GENERATE(as<std::string>{}, "segment.md", "array.md", "queue.md", "queue_more.md",
                               "stack.md", "map.md");
    auto const edges = edges_of(page);
    REQUIRE_FALSE(edges.empty());
    for (auto const& [own, partners] : edges) {
        for (auto const& partner : partners) {
            INFO(page << ": (" << own << ") names (" << partner << ")");
            REQUIRE(edges.count(partner) == 1);
            CHECK(edges.at(partner).count(own) == 1);
        }
    }
    std::map<std::string, std::string> const expected{
        {"segment.md", "T1 T2 T3 T4 "},
        {"array.md", "A1 A2 A3 A4 "},
        {"queue.md", "Q1 Q2 Q3 Q4 Q5 Q6 Q7 Q8 S1 S2 S3 W1 W2 W3 W4 "},
        {"queue_more.md", "D1 D2 F1 F2 F3 F4 F5 N1 N2 P1 P2 "},
        {"stack.md", "L1 L2 L3 L4 L5 L6 L7 L8 "},
        {"map.md", "M1 M10 M11 M2 M3 M4 M5 M6 M7 M8 M9 "}};
    std::string names;
    for (auto const& [own, partners] : edges) names += own + " ";
    CHECK(names == expected.at(page));
}

TEST_CASE("the stack's constants are those of layout.json", "[fast]") {
    CHECK(number("/stack/algorithms/treiber") == zeroipc::algorithm::treiber::id);
    CHECK(number("/stack/limits/capacity_least") == zeroipc::algorithm::treiber::min_capacity);
    CHECK(number("/stack/limits/capacity_most") == Stack<int>::max_capacity);
    CHECK(number("/stack/limits/handle_slots_most") == zeroipc::detail::most_handle_slots);
    CHECK_NOTHROW(
        Stack<int>::bytes_for(1, {static_cast<std::uint32_t>(number("/stack/limits/handle_slots_least"))}));
    check_stack_layout<zeroipc::layout::compact>();
    check_stack_layout<zeroipc::layout::padded>();
    check_field("/stack/header/top", zeroipc::layout::compact::top_offset, sizeof(std::uint64_t));
    CHECK(number("/stack/header_bytes") == field_at("/stack/header/capacity").offset + 8);
    CHECK(number("/stack/descriptor_offset") == number("/stack/header_bytes"));
    check_numbers_differ(constants().at("stack").at("layouts"));
    CHECK(number("/stack/treiber/doing_bits") + number("/stack/treiber/first_bits") +
              number("/stack/treiber/second_bits") ==
          64);
    CHECK(number("/stack/treiber/slot_bytes") == field_at("/stack/treiber/slot/expected").offset + 8);
}

TEMPLATE_TEST_CASE("a fresh stack says what it is where layout.json says", "[fast]", zeroipc::layout::compact,
                   zeroipc::layout::padded) {
    testing::segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    Stack<item<13>, TestType> const stack(memory, "s", 17, {3});
    auto const bytes = testing::raw_object(name).bytes().substr(memory.find("s")->offset);
    auto const description = bytes.substr(number("/stack/descriptor_offset"), number("/descriptor/bytes"));
    auto const says = [&](char const* key) {
        return value_at<std::uint32_t>(description,
                                       field_at(std::string("/descriptor/fields/") + key).offset);
    };
    CHECK(says("kind") == number("/descriptor/kinds/stack"));
    CHECK(says("algorithm") == number("/stack/algorithms/treiber"));
    CHECK(says("layout") == number("/stack/layouts/" + std::string(TestType::name) + "/number"));
    CHECK(says("item_size") == 13);
    CHECK(says("item_stride") == 24);
    CHECK(says("cell_stride") == 0);
    CHECK(says("handle_slots") == 3);
    CHECK(value_at<std::uint64_t>(bytes, number("/stack/header/capacity/offset")) == 17);
    // All else is zero.
    auto rest = bytes;
    rest.replace(number("/stack/header/capacity/offset"), 8, 8, '\0');
    rest.replace(number("/stack/descriptor_offset") + field_at("/descriptor/fields/kind").offset, 28, 28,
                 '\0');
    CHECK(rest.find_first_not_of('\0') == std::string::npos);
}

TEST_CASE("the words of a used stack are those of the page's formulas", "[fast]") {
    struct shape {
        std::uint64_t capacity;
        std::uint32_t slots;
        unsigned node_bits;
        unsigned slot_bits;
    };
    for (auto const& s : {shape{1, 1, 2, 1}, shape{3, 2, 3, 2}, shape{4, 2, 4, 2}, shape{8, 4, 5, 3}}) {
        INFO("capacity " << s.capacity << ", " << s.slots << " handle slots");
        testing::segment_name const name;
        auto memory = Memory::create(name, 1 << 16);
        Stack<std::uint64_t> stack(memory, "s", s.capacity, {s.slots});
        auto const at = memory.find("s")->offset;
        auto const where = expected_stack("compact", s.capacity, s.slots, 8);
        auto const word = [&](std::uint64_t offset) {
            std::uint64_t value = 0;
            std::memcpy(&value, memory.base() + at + offset, 8);
            return value;
        };
        auto const list_word = [&](std::uint64_t tag, std::uint64_t field) {
            return tag << (s.node_bits + s.slot_bits) | std::uint64_t{1} << s.node_bits | field;
        };
        auto const state = [&] { return word(where.slots + number("/stack/treiber/slot/state/offset")); };
        auto const doing_bits = number("/stack/treiber/doing_bits");
        // One handle: it takes node after node from the free list, 1 first.
        for (std::uint64_t n = 1; n <= s.capacity; ++n) {
            REQUIRE(stack.try_push(n + 100));
            CHECK(word(number("/stack/layouts/compact/top")) == list_word(n, n));
            CHECK(word(number("/stack/layouts/compact/free")) == list_word(n, n));  // node n + 1, less 1
            auto const node = where.nodes + 16 * (n - 1);
            CHECK(word(node) == (n << 32 | (n - 1)));
            CHECK(word(node + number("/stack/treiber/node/item/offset")) == n + 100);
            CHECK(state() == 0);
            CHECK(word(where.slots + number("/stack/treiber/slot/expected/offset")) ==
                  (n == 1 ? 0 : list_word(n - 1, n - 1)));
        }
        REQUIRE(stack.try_pop() == s.capacity + 100);
        CHECK(state() == s.capacity << doing_bits);
        if (s.capacity == 1) continue;
        // The second one that is popped is the new spare; the first one goes back, before the next free one.
        REQUIRE(stack.try_pop() == s.capacity + 99);
        CHECK(state() == (s.capacity - 1) << doing_bits);
        CHECK(word(number("/stack/layouts/compact/free")) == list_word(s.capacity + 1, s.capacity - 1));
        CHECK(word(where.nodes + 16 * (s.capacity - 1)) == 0);  // its successor is its neighbour
    }
}

TEST_CASE("a fresh segment with a stack has the bytes of the golden images", "[fast]") {
    auto const bytes = stack_golden().at("bytes").get<std::uint64_t>();
    auto const& structure = stack_golden().at("structure");
    testing::segment_name const name;
    zeroipc::memory_options options;
    options.max_entries = stack_golden().at("max_entries").get<std::uint32_t>();
    auto memory = Memory::create(name, bytes, options);
    auto const called = structure.at("name").get<std::string>();
    using stack = Stack<std::uint64_t, ordering_with_snapshots>;
    std::vector<stack> handles;
    handles.emplace_back(memory, called, structure.at("capacity").get<std::uint64_t>(),
                         zeroipc::stack_options{structure.at("handle_slots").get<std::uint32_t>()});
    handles.emplace_back(memory, called);
    auto const entry = memory.entries().at(0);
    CHECK(entry.offset == structure.at("offset"));
    CHECK(entry.size == structure.at("size"));

    commits.memory = &memory;
    bool killed = false;
    for (auto const& stage : stack_golden().at("stages")) {
        INFO(stage.dump());
        auto const operation = stage.at("operation").get<std::string>();
        std::string found;
        if (operation == "push")
            REQUIRE(handles.at(stage.at("through").get<std::size_t>())
                        .try_push(stage.at("item").get<std::uint64_t>()));
        if (operation == "pop")
            REQUIRE(handles.at(stage.at("through").get<std::size_t>()).try_pop() ==
                    stage.at("item").get<std::uint64_t>());
        if (operation == "kill") {
            if (!killed)
                REQUIRE(handles.at(stage.at("through").get<std::size_t>())
                            .try_push(stage.at("item").get<std::uint64_t>()));
            killed = true;
            found = stage.at("when") == "before" ? commits.before : commits.after;
        } else {
            found = testing::raw_object(name).bytes();
        }
        auto const image = stage.at("image").get<std::string>();
        if (std::getenv("ZEROIPC_WRITE_GOLDEN") != nullptr)
            std::ofstream(directory + "/golden/" + image) << listing(found);
        CHECK(listing(found) == listing(image_of(image, bytes)));
    }
    CHECK(killed);
    commits.memory = nullptr;
}

TEST_CASE("golden images of a stack open, and give their items", "[fast]") {
    auto const bytes = stack_golden().at("bytes").get<std::uint64_t>();
    auto const& structure = stack_golden().at("structure");
    auto const called = structure.at("name").get<std::string>();
    auto const capacity = structure.at("capacity").get<std::uint64_t>();
    auto const slots = structure.at("handle_slots").get<std::uint32_t>();
    for (auto const& stage : stack_golden().at("stages")) {
        INFO(stage.dump());
        testing::segment_name const name;
        testing::raw_object const object(name, bytes);
        object.write_bytes(0, image_of(stage.at("image").get<std::string>(), bytes));
        auto memory = Memory::open(name);
        Stack<std::uint64_t> stack(memory, called);
        CHECK(stack.capacity() == capacity);
        CHECK(stack.handle_slot() == 0);
        auto const at =
            structure.at("offset").get<std::uint64_t>() + expected_stack("compact", capacity, slots, 8).slots;
        CHECK(object.read<std::uint64_t>(at) == stage.at("slot_words").at(0).get<std::uint64_t>());
        CHECK(testing::conserved<decltype(stack)>(memory, called, capacity, slots));
        CHECK(drain(stack) == items_of(stage));
        for (std::uint64_t const one : {11U, 12U, 13U}) CHECK(stack.try_push(one));
        CHECK_FALSE(stack.try_push(14));
        Stack<std::uint64_t> other(memory, called);
        CHECK(drain(other) == std::vector<std::uint64_t>{13, 12, 11});
        CHECK(testing::conserved<decltype(stack)>(memory, called, capacity, slots));
    }
}

// ---------------------------------------------------------------------------------------------------------

namespace {

using zeroipc::Map;

json const& golden_map() {
    static json const one = json::parse(text_of("golden/map-compact-2x8.json"));
    return one;
}

/// Where a map has its parts, from the numbers of layout.json alone.
struct map_parts {
    std::uint64_t stride, cell, bucket_count, block_count;
    std::uint64_t slots, owners, buckets, blocks, total;
};

map_parts expected_map(std::string const& layout, std::uint64_t capacity, std::uint64_t slots,
                       std::uint64_t key_size, std::uint64_t value_size) {
    auto const n = [](char const* key) { return number(std::string("/map/buckets/") + key); };
    auto const line = number("/map/layouts/" + layout + "/line");
    map_parts p{};
    p.stride = align_up(key_size, n("word_bytes")) + align_up(value_size, n("word_bytes"));
    p.cell = align_up(n("bucket/slots/offset") + n("inline_slots") * p.stride, line);
    p.bucket_count = capacity * n("buckets_per_capacity/times") / n("buckets_per_capacity/divided_by") +
                     n("buckets_per_capacity/plus");
    p.block_count =
        std::min(capacity, capacity / n("blocks_per_capacity/divided_by") + n("blocks_per_capacity/plus")) +
        slots;
    p.slots = number("/map/layouts/" + layout + "/body");
    p.owners = p.slots + line * slots;
    p.buckets = align_up(p.owners + n("owner_bytes") * p.block_count, line);
    p.blocks = p.buckets + p.cell * p.bucket_count;
    p.total = p.blocks + n("block_slots") * p.stride * p.block_count;
    return p;
}

template <class M>
void check_map_parts(std::string const& layout) {
    using table = testing::table_of<M>;
    constexpr auto key_size = sizeof(typename M::key_type);
    constexpr auto value_size = sizeof(typename M::mapped_type);
    for (std::uint64_t const capacity : {1U, 2U, 3U, 76U, 77U, 1000U, 4096U})
        for (std::uint32_t const slots : {1U, 2U, 64U, 1000U}) {
            INFO(layout << ", capacity " << capacity << ", " << slots << " slots, " << key_size << " and "
                        << value_size << " bytes");
            auto const is = table::geometry(capacity, slots);
            auto const expected = expected_map(layout, capacity, slots, key_size, value_size);
            CHECK(table::item_stride == expected.stride);
            CHECK(table::cell_stride == expected.cell);
            CHECK(is.bucket_count == expected.bucket_count);
            CHECK(is.block_count == expected.block_count);
            CHECK(is.slots == expected.slots);
            CHECK(is.owners == expected.owners);
            CHECK(is.buckets == expected.buckets);
            CHECK(is.blocks == expected.blocks);
            CHECK(is.total == expected.total);
            CHECK(M::bytes_for(capacity, {.handle_slots = slots}) == expected.total);
        }
}

template <class Layout>
void check_map_layout() {
    std::string const name(Layout::name);
    std::string const at = "/map/layouts/" + name + "/";
    CHECK(number(at + "number") == Layout::id);
    CHECK(number(at + "keys_wait") == Layout::items_wait_offset);
    CHECK(number(at + "body") == Layout::body_offset);
    CHECK(number(at + "line") == Layout::line);
    check_map_parts<Map<std::uint64_t, std::uint64_t, Layout>>(name);
    check_map_parts<Map<item<3>, item<1>, Layout>>(name);
    check_map_parts<Map<item<12>, item<100>, Layout>>(name);
}

/// Takes the bytes around each commit of a map, which is the last change of a header in an insertion.
struct map_snapshots : zeroipc::ordering::acq_rel {
    template <class Atomics, auto Access, class Word, class V>
    static bool exchange_if(Word& word, V& expected, V desired) {
        bool const change = Access == zeroipc::bucket_access::commits;
        if (change) commits.before = commits.take();
        bool const done = acq_rel::exchange_if<Atomics, Access>(word, expected, desired);
        if (change) commits.after = commits.take();
        return done;
    }
};

}  // namespace

/// What only the map itself knows: records, owners and marks.
struct map_internals : zeroipc::detail::bucket_blocks<zeroipc::detail::map_policies<>, 8, 8> {
    static bool right() {
        CHECK(patience == number("/map/buckets/patience_rounds"));
        CHECK(mark == number("/map/buckets/link_mark"));
        CHECK(in_pool == number("/map/buckets/owners/pool"));
        CHECK(in_bucket == number("/map/buckets/owners/bucket"));
        CHECK(sizeof(slot_record) == number("/map/buckets/slot_bytes"));
        check_field("/map/buckets/slot/reserved", offsetof(slot_record, reserved), sizeof(word));
        check_field("/map/buckets/slot/block", offsetof(slot_record, block), sizeof(word));
        CHECK(static_cast<std::uint64_t>(step::in) == number("/map/buckets/steps/in"));
        CHECK(static_cast<std::uint64_t>(step::claim) == number("/map/buckets/steps/claim"));
        CHECK(static_cast<std::uint64_t>(step::out) == number("/map/buckets/steps/out"));
        unsigned at = 0;
        auto const place = [&](char const* field) {
            auto const bits = number(std::string("/map/buckets/block_record_bits/") + field);
            return std::exchange(at, at + static_cast<unsigned>(bits));
        };
        std::uint64_t value = std::uint64_t{1} << place("present");
        value |= std::uint64_t{2} << place("step");
        value |= std::uint64_t{1} << place("link");
        value |= std::uint64_t{0x2abcdef1} << place("block");
        value |= std::uint64_t{0x31234567} << place("bucket");
        CHECK(at == 64);
        CHECK(pack({0x2abcdef1, 0x31234567, 1, step::out}) == value);
        auto const back = unpack(value);
        return back.block == 0x2abcdef1 && back.bucket == 0x31234567 && back.k == 1 && back.what == step::out;
    }
};

TEST_CASE("the words of a used map are those of the page's formulas", "[fast]") {
    auto const bytes = golden_map().at("bytes").get<std::uint64_t>();
    auto const at = golden_map().at("structure").at("offset").get<std::uint64_t>();
    auto const p = expected_map("compact", 2, 2, 8, 8);
    auto const in_bucket = [](char const* key) {
        return number(std::string("/map/buckets/bucket/") + key + "/offset");
    };
    // Keys 2, 3, 5 and 6 are in bucket 0; for the replacement of one another slot was free.
    auto const used = image_of("map-compact-2x8.6.hex", bytes);
    auto const header = value_at<std::uint64_t>(used, at + p.buckets + in_bucket("header"));
    CHECK(header >> 30 == 1);
    CHECK((header & 0x7fff) == 15);
    CHECK((header >> 15 & 0x7fff) == 15);
    auto const link = value_at<std::uint32_t>(used, at + p.buckets + in_bucket("link_0"));
    REQUIRE(link >= 1);
    REQUIRE(link <= p.block_count);
    CHECK(value_at<std::uint32_t>(used, at + p.buckets + in_bucket("link_1")) == 0);
    CHECK(value_at<std::uint32_t>(used, at + p.owners + 4 * (link - 1)) == 1);
    CHECK(value_at<std::uint64_t>(used, at + p.blocks + 6 * p.stride * (link - 1)) == 6);
    CHECK(value_at<std::uint64_t>(used, at + p.blocks + 6 * p.stride * (link - 1) + 8) == 60);
    CHECK(value_at<std::uint64_t>(used, at + p.buckets + p.cell + in_bucket("slots")) == 1);
    // The block went back to the pool with key 6.
    auto const shrunk = image_of("map-compact-2x8.8.hex", bytes);
    CHECK(value_at<std::uint32_t>(shrunk, at + p.buckets + in_bucket("link_0")) == 0);
    CHECK(value_at<std::uint32_t>(shrunk, at + p.owners + 4 * (link - 1)) == 0);
    // A slot of bucket 1 is reserved for key 1, and the handle says so.
    auto const killed = image_of("map-compact-2x8.9.hex", bytes);
    CHECK(value_at<std::uint64_t>(killed, at + p.slots + number("/map/buckets/slot/reserved/offset")) ==
          1 + (std::uint64_t{1} << number("/map/buckets/reserved_slot_bits")));
    CHECK((value_at<std::uint64_t>(killed, at + p.buckets + p.cell) & 0x3fffffff) == 0x8000);
}

TEST_CASE("the map's constants are those of layout.json", "[fast]") {
    using header = zeroipc::detail::bucket_header;
    CHECK(number("/map/algorithms/buckets") == zeroipc::algorithm::buckets::id);
    CHECK(number("/map/limits/capacity_least") == zeroipc::algorithm::buckets::min_capacity);
    CHECK(number("/map/limits/capacity_most") == Map<int, int>::max_capacity);
    CHECK(number("/map/limits/handle_slots_most") == zeroipc::detail::most_handle_slots);
    CHECK(number("/map/header_bytes") == field_at("/map/header/capacity").offset + 8);
    CHECK(number("/map/descriptor_offset") == number("/map/header_bytes"));
    CHECK(number("/map/buckets/inline_slots") == header::inline_slots);
    CHECK(number("/map/buckets/block_slots") == header::block_slots);
    CHECK(number("/map/buckets/blocks_per_bucket") == header::blocks);
    auto const valid = number("/map/buckets/header_bits/valid");
    CHECK(valid == header::slots);
    CHECK(header{}.reserve(0).value == std::uint64_t{1} << valid);
    CHECK(header{}.reserve(0).validate(0).value == ((std::uint64_t{1} << valid) | 1));
    CHECK(header{}.close(1).value == 1);
    auto const version = valid + number("/map/buckets/header_bits/busy");
    CHECK(header{}.reserve(0).vacate(1).value == std::uint64_t{1} << version);
    CHECK(version + number("/map/buckets/header_bits/version") == 64);
    CHECK(header::block_mask(1) == 0x3fU << 9);
    check_map_layout<zeroipc::layout::compact>();
    check_map_layout<zeroipc::layout::padded>();
    CHECK(constants().at("map").size() == 11);
    CHECK(map_internals::right());
}

TEST_CASE("the hash is that of layout.json and map.md", "[fast]") {
    auto const page = text_of("map.md");
    for (auto const& one : constants().at("map").at("hash_vectors")) {
        INFO(one.dump());
        auto const seed = one.at("seed").get<std::uint64_t>();
        auto const key = one.at("key").get<std::vector<std::uint64_t>>();
        auto const expected = one.at("hash").get<std::uint64_t>();
        auto const is = key.size() == 1 ? zeroipc::hash(std::array{key[0]}, seed)
                                        : zeroipc::hash(std::array{key.at(0), key.at(1)}, seed);
        CHECK(is == expected);
        CHECK(zeroipc::bucket_of(is, 1000) == one.at("bucket_of_1000"));
        std::ostringstream text;
        text << "| 0x" << std::hex << expected << " | " << std::dec << one.at("bucket_of_1000") << " |";
        CHECK(page.find(text.str()) != std::string::npos);
    }
    CHECK(zeroipc::image_of(zeroipc::fixed_string<8>("one"))[0] == 0x656e6f);
    CHECK(zeroipc::image_of(item<3>{{1, 2, 3}}) == std::array<std::uint64_t, 1>{0x030201});
}

TEMPLATE_TEST_CASE("a fresh map says what it is where layout.json says", "[fast]", zeroipc::layout::compact,
                   zeroipc::layout::padded) {
    testing::segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    Map<item<12>, item<13>, TestType> const map(memory, "m", 16, {3, 0x1122334455667788});
    auto const bytes = testing::raw_object(name).bytes().substr(memory.find("m")->offset);
    auto const description = bytes.substr(number("/map/descriptor_offset"), number("/descriptor/bytes"));
    auto const says = [&](char const* key) {
        auto const where = field_at(std::string("/descriptor/fields/") + key);
        return where.bytes == 8 ? value_at<std::uint64_t>(description, where.offset)
                                : value_at<std::uint32_t>(description, where.offset);
    };
    auto const expected = expected_map(std::string(TestType::name), 16, 3, 12, 13);
    CHECK(says("kind") == number("/descriptor/kinds/map"));
    CHECK(says("algorithm") == number("/map/algorithms/buckets"));
    CHECK(says("layout") == number("/map/layouts/" + std::string(TestType::name) + "/number"));
    CHECK(says("item_size") == 13);
    CHECK(says("key_size") == 12);
    CHECK(says("item_stride") == expected.stride);
    CHECK(says("cell_stride") == expected.cell);
    CHECK(says("handle_slots") == 3);
    CHECK(says("seed") == 0x1122334455667788);
    CHECK(value_at<std::uint64_t>(bytes, number("/map/header/capacity/offset")) == 16);
    auto rest = bytes;
    rest.replace(number("/map/header/capacity/offset"), 8, 8, '\0');
    rest.replace(number("/map/descriptor_offset"), number("/descriptor/bytes"), number("/descriptor/bytes"),
                 '\0');
    CHECK(rest.find_first_not_of('\0') == std::string::npos);
}

TEST_CASE("a fresh map has the bytes of the golden images", "[fast]") {
    auto const bytes = golden_map().at("bytes").get<std::uint64_t>();
    auto const& structure = golden_map().at("structure");
    testing::segment_name const name;
    zeroipc::memory_options options;
    options.max_entries = golden_map().at("max_entries").get<std::uint32_t>();
    auto memory = Memory::create(name, bytes, options);
    Map<std::uint64_t, std::uint64_t, map_snapshots> map(
        memory, structure.at("name").get<std::string>(), structure.at("capacity").get<std::uint64_t>(),
        {structure.at("handle_slots").get<std::uint32_t>(), structure.at("seed").get<std::uint64_t>()});
    CHECK(memory.entries().at(0).offset == structure.at("offset"));
    CHECK(memory.entries().at(0).size == structure.at("size"));
    commits.memory = &memory;
    bool killed = false;
    for (auto const& stage : golden_map().at("stages")) {
        INFO(stage.dump());
        auto const operation = stage.at("operation").get<std::string>();
        auto const n = [&](char const* key) { return stage.at(key).get<std::uint64_t>(); };
        if (operation == "insert")
            REQUIRE(map.insert(n("key"), n("value")) == zeroipc::outcome::inserted);
        else if (operation == "assign")
            REQUIRE(map.insert_or_assign(n("key"), n("value")) == zeroipc::outcome::assigned);
        else if (operation == "erase")
            REQUIRE(map.erase(n("key")));
        auto found = testing::raw_object(name).bytes();
        if (operation == "kill") {
            if (!killed) REQUIRE(map.insert(n("key"), n("value")) == zeroipc::outcome::inserted);
            killed = true;
            found = stage.at("when") == "before" ? commits.before : commits.after;
        }
        auto const image = stage.at("image").get<std::string>();
        // After a change of the format that is meant: run once with this set, and read the difference.
        if (std::getenv("ZEROIPC_WRITE_GOLDEN") != nullptr)
            std::ofstream(directory + "/golden/" + image) << listing(found);
        CHECK(listing(found) == listing(image_of(image, bytes)));
    }
    commits.memory = nullptr;
}

TEST_CASE("golden images of a map open, and give their pairs", "[fast]") {
    using map_type = Map<std::uint64_t, std::uint64_t>;
    auto const bytes = golden_map().at("bytes").get<std::uint64_t>();
    auto const& structure = golden_map().at("structure");
    auto const map_name = structure.at("name").get<std::string>();
    for (auto const& stage : golden_map().at("stages")) {
        INFO(stage.dump());
        testing::segment_name const name;
        testing::raw_object const object(name, bytes);
        object.write_bytes(0, image_of(stage.at("image").get<std::string>(), bytes));
        auto memory = Memory::open(name);
        map_type map(memory, map_name);
        CHECK(map.handle_slot() == 0);
        CHECK(map.capacity() == structure.at("capacity"));
        CHECK(testing::census_of<map_type>(memory, map_name, 2, 2).right());
        std::map<std::uint64_t, std::uint64_t> pairs;
        for (auto const& pair : stage.at("pairs")) {
            pairs[pair.at(0).get<std::uint64_t>()] = pair.at(1).get<std::uint64_t>();
            CHECK(map.find(pair.at(0).get<std::uint64_t>()) == pair.at(1).get<std::uint64_t>());
        }
        std::map<std::uint64_t, std::uint64_t> found;
        for (auto const& [key, value] : map) CHECK(found.emplace(key, value).second);
        CHECK(found == pairs);
        for (auto const& [key, value] : pairs) CHECK(map.erase(key));
        CHECK(testing::census_of<map_type>(memory, map_name, 2, 2).all_in_pool());
    }
}
