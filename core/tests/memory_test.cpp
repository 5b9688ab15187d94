/// \file
/// Segments: made, opened, refused, half made, raced for, forked, and the bytes that they are.

#include <sys/statvfs.h>
#include <sys/time.h>
#include <zeroipc/zeroipc.hpp>

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "zeroipc_mount_testing.hpp"
#include "zeroipc_testing.hpp"
#include "zeroipc_traced.hpp"

namespace {

using namespace zeroipc;
using namespace zeroipc::testing;
using namespace std::chrono_literals;

// --- bytes
// -----------------------------------------------------------------------------------------------------------

TEST_CASE("the bytes of a fresh segment", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 10000, {.max_entries = 3});
    raw_object const object(name);
    CHECK(object.size() == 10000);
    CHECK(object.bytes().substr(0, 4) == "ZIPC");
    CHECK(object.read<std::uint32_t>(0) == 0x4350495a);
    CHECK(object.read<std::uint32_t>(4) == ((3U << 16) | 1));  // max_entries, version
    CHECK(object.read<std::uint32_t>(8) == 0);                 // count
    CHECK(object.read<std::uint32_t>(12) == 192);              // 16 + 3 * 40 = 136, on the next 64
    auto const all = object.bytes();
    CHECK(all.find_first_not_of('\0', 16) == std::string::npos);
    CHECK(memory.bytes() == 10000);
    CHECK(memory.max_entries() == 3);
    CHECK(memory.name() == name.str());
    CHECK(memory.free_bytes() == 10000 - 192);
    CHECK(memory.entries().empty());

    memory.add("first", 100, [](std::byte* at) { at[0] = std::byte{7}; });
    memory.add("second", 1, [](std::byte*) {});
    CHECK(object.read<std::uint32_t>(8) == 2);
    CHECK(object.read<std::uint32_t>(12) == 192 + 128 + 1);
    CHECK(object.bytes().substr(16, 6) == std::string("first\0", 6));
    CHECK(object.read<std::uint32_t>(16 + 32) == 192);
    CHECK(object.read<std::uint32_t>(16 + 36) == 100);
    CHECK(object.bytes().substr(56, 7) == std::string("second\0", 7));
    CHECK(object.read<std::uint32_t>(56 + 32) == 192 + 128);
    CHECK(object.read<std::uint32_t>(56 + 36) == 1);
    CHECK(object.read<std::uint8_t>(192) == 7);
}

TEST_CASE("the format's numbers, literally", "[fast]") {
    CHECK(format::magic == 0x4350495a);
    CHECK(format::unfinished == 0x6350495a);
    CHECK(format::version == 1);
    CHECK(sizeof(format::header) == 16);
    CHECK(offsetof(format::header, magic) == 0);
    CHECK(offsetof(format::header, version_and_entries) == 4);
    CHECK(offsetof(format::header, count) == 8);
    CHECK(offsetof(format::header, next) == 12);
    CHECK(sizeof(format::entry) == 40);
    CHECK(offsetof(format::entry, name) == 0);
    CHECK(offsetof(format::entry, offset) == 32);
    CHECK(offsetof(format::entry, size) == 36);
    CHECK(sizeof(format::descriptor) == 64);
    CHECK(offsetof(format::descriptor, kind) == 0);
    CHECK(offsetof(format::descriptor, algorithm) == 4);
    CHECK(offsetof(format::descriptor, layout) == 8);
    CHECK(offsetof(format::descriptor, item_size) == 12);
    CHECK(offsetof(format::descriptor, item_stride) == 16);
    CHECK(offsetof(format::descriptor, cell_stride) == 20);
    CHECK(offsetof(format::descriptor, handle_slots) == 24);
    CHECK(offsetof(format::descriptor, key_size) == 28);
    CHECK(offsetof(format::descriptor, seed) == 32);
    CHECK(offsetof(format::descriptor, reserved) == 40);
    CHECK(format::table_end(1) == 64);
    CHECK(format::table_end(64) == 2624);
    CHECK(format::table_end(65535) == 2621440);
}

TEST_CASE("a segment is for its owner alone, whatever the umask", "[fast]") {
    for (mode_t const mask : {mode_t{0}, mode_t{077}, mode_t{0777}}) {
        segment_name const name;
        auto const before = ::umask(mask);
        { auto const memory = Memory::create(name, 4096, {.max_entries = 1}); }
        ::umask(before);
        CHECK((raw_object(name).status().st_mode & 07777) == 0600);
    }
    segment_name const name;
    auto const memory = Memory::create(name, 4096, {.max_entries = 1, .mode = 0640});
    CHECK((raw_object(name).status().st_mode & 07777) == 0640);
}

TEST_CASE("names work with and without the slash", "[fast]") {
    segment_name const name;
    auto const memory = Memory::create(name.str().substr(1), 4096, {.max_entries = 1});
    CHECK(memory.name() == name.str());
    CHECK(Memory::open(name.str()).bytes() == 4096);
    CHECK(Memory::open(name.str().substr(1)).bytes() == 4096);
    CHECK(Memory::unlink(name.str().substr(1)));
    CHECK_FALSE(Memory::unlink(name));
    check_refused(errc::not_found, {name.str()}, [&] { Memory::open(name); });
}

TEST_CASE("the smallest segments, and the largest table", "[fast]") {
    for (std::uint32_t const entries : {1U, 2U, 65535U}) {
        segment_name const name;
        auto const end = format::table_end(entries);
        {
            auto memory = Memory::create(name, end, {.max_entries = entries});
            CHECK(memory.free_bytes() == 0);
            check_refused(errc::segment_full, {"'x'", "1 bytes"},
                          [&] { memory.add("x", 1, [](std::byte*) {}); });
        }
        CHECK(Memory::open(name).max_entries() == entries);
    }
}

// --- refusals
// --------------------------------------------------------------------------------------------------------

TEST_CASE("names that no system holds are refused", "[fast]") {
    auto const before = objects();
    std::vector<std::string> bad{"",
                                 "/",
                                 "//",
                                 "//x",
                                 "a/b",
                                 "/a/b",
                                 "/a/",
                                 "a b",
                                 " a",
                                 "a ",
                                 "/a\tb",
                                 "a\nb",
                                 "a\x7f",
                                 ".",
                                 "..",
                                 "/.",
                                 "/..",
                                 std::string(255, 'n'),
                                 std::string("\x01")};
    for (auto const& name : bad) {
        INFO("name '" << name << "'");
        check_refused(errc::invalid_name, {"'" + name + "'"}, [&] { Memory::create(name, 4096); });
        check_refused(errc::invalid_name, {"'" + name + "'"}, [&] { Memory::open(name); });
        check_refused(errc::invalid_name, {"'" + name + "'"}, [&] { Memory::open_or_create(name, 4096); });
        check_refused(errc::invalid_name, {"'" + name + "'"}, [&] { Memory::unlink(name); });
    }
    CHECK(objects() == before);
    std::string longest = "/" + prefix();
    longest.resize(255, 'n');
    { auto const memory = Memory::create(longest, 4096); }
    CHECK(Memory::unlink(longest));
}

TEST_CASE("sizes and tables out of range are refused, and nothing is made", "[fast]") {
    segment_name const name;
    auto const both = [&](errc cause, std::initializer_list<std::string_view> mentions, std::uint64_t bytes,
                          std::uint32_t entries) {
        INFO(bytes << " bytes, " << entries << " entries");
        auto const before = objects();
        check_refused(cause, mentions, [&] { Memory::create(name, bytes, {.max_entries = entries}); });
        check_refused(cause, mentions,
                      [&] { Memory::open_or_create(name, bytes, {.max_entries = entries}); });
        CHECK(objects() == before);
    };
    constexpr std::uint64_t four_gib = std::uint64_t{1} << 32;
    both(errc::too_large, {"4294967296", name.str()}, four_gib, 64);
    both(errc::too_large, {"4294967297"}, four_gib + 1, 64);
    both(errc::too_large, {"18446744073709551615"}, std::numeric_limits<std::uint64_t>::max(), 64);
    both(errc::invalid_argument, {" 0 bytes", "2624"}, 0, 64);
    both(errc::invalid_argument, {" 2623 bytes", "2624"}, 2623, 64);
    both(errc::invalid_argument, {" 63 bytes", "64"}, 63, 1);
    both(errc::invalid_argument, {"max_entries 0"}, 1 << 20, 0);
    both(errc::invalid_argument, {"max_entries 65536"}, 1 << 20, 65536);
    both(errc::invalid_argument, {"max_entries 4294967295"}, 1 << 20, 0xffffffff);
}

TEST_CASE("creating what exists is refused and harms nothing", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    Queue<int> queue(memory, "q", 4);
    queue.push(1);
    auto const before = raw_object(name).bytes();
    auto const inode = raw_object(name).status().st_ino;
    check_refused(errc::exists, {name.str()}, [&] { Memory::create(name, 1 << 16); });
    check_refused(errc::exists, {name.str()}, [&] { Memory::create(name, 4096, {.max_entries = 1}); });
    CHECK(raw_object(name).bytes() == before);
    CHECK(raw_object(name).status().st_ino == inode);
    // The segment describes itself: other wishes change nothing.
    auto const again = Memory::open_or_create(name, 99999, {.max_entries = 7});
    CHECK(again.bytes() == 1 << 16);
    CHECK(again.max_entries() == 64);
    CHECK(raw_object(name).bytes() == before);
    CHECK(queue.pop() == 1);
}

TEST_CASE("opening what is not there is refused, and nothing is made", "[fast]") {
    segment_name const name;
    auto const before = objects();
    check_refused(errc::not_found, {name.str()}, [&] { Memory::open(name); });
    CHECK(objects() == before);
    CHECK_FALSE(Memory::unlink(name));
}

/// All three ways in refuse the object, and it is as before.
void refused_and_unchanged(errc cause, std::initializer_list<std::string_view> mentions,
                           std::string const& name, errc when_creating) {
    auto const before = raw_object(name).bytes();
    auto const inode = raw_object(name).status().st_ino;
    check_refused(cause, mentions, [&] { Memory::open(name); });
    check_refused(cause, mentions, [&] { Memory::open_or_create(name, 1 << 16); });
    check_refused(when_creating, {name}, [&] { Memory::create(name, 1 << 16); });
    CHECK(raw_object(name).bytes() == before);
    CHECK(raw_object(name).status().st_ino == inode);
}

TEST_CASE("a foreign object is refused, byte for byte unharmed", "[fast]") {
    for (std::string const& start :
         {std::string("GIF89a etc."), std::string("ZIP"), std::string("zipc"), std::string("\0ZIPC", 5),
          std::string("CPIZ"), std::string(3, '\0'), std::string(17, '\0'), std::string(4096, '\0')}) {
        for (std::uint64_t const size : sizes({start.size(), 5000})) {
            if (size < start.size()) continue;
            INFO("begins with '" << start.substr(0, 20) << "', " << size << " bytes");
            segment_name const name;
            {
                raw_object const object(name, size);
                object.write_bytes(0, start);
            }
            refused_and_unchanged(errc::not_a_segment, {name.str()}, name, errc::not_a_segment);
        }
    }
}

TEST_CASE("spoiled headers are refused, each for its reason", "[fast]") {
    segment_name const name;
    { auto const memory = Memory::create(name, 1 << 16); }
    raw_object const object(name);
    auto const good = object.bytes();
    auto const spoiled = [&](errc cause, std::initializer_list<std::string_view> mentions, std::uint64_t at,
                             std::uint32_t value) {
        INFO("u32 " << value << " at " << at);
        object.write(at, value);
        refused_and_unchanged(cause, mentions, name, errc::exists);
        object.write_bytes(0, good);
    };
    constexpr std::uint32_t entries = 64U << 16;
    spoiled(errc::version_mismatch, {"version 0", "reads 1"}, 4, entries | 0);
    spoiled(errc::version_mismatch, {"version 2", "reads 1"}, 4, entries | 2);
    spoiled(errc::version_mismatch, {"version 65535"}, 4, entries | 0xffff);
    spoiled(errc::corrupt, {"0 entries"}, 4, 1);                          // max_entries 0
    spoiled(errc::truncated, {"65536 bytes", "2621440"}, 4, 0xffff0001);  // a table beyond the object
    spoiled(errc::corrupt, {"65 of 64"}, 8, 65);                          // count above max_entries
    spoiled(errc::corrupt, {"4294967295 of 64"}, 8, 0xffffffff);
    spoiled(errc::corrupt, {"next free byte 0"}, 12, 0);  // structures inside the table
    spoiled(errc::corrupt, {"next free byte 2623"}, 12, 2623);
    spoiled(errc::truncated, {"65537"}, 12, 65537);  // structures beyond the object
    spoiled(errc::truncated, {"4294967295"}, 12, 0xffffffff);
    CHECK(Memory::open(name).bytes() == 1 << 16);
}

TEST_CASE("a truncated object is refused", "[fast]") {
    segment_name const name;
    {
        auto memory = Memory::create(name, 1 << 16);
        memory.add("x", 10000, [](std::byte*) {});
    }
    raw_object const object(name);
    for (std::uint64_t const size : sizes({12623, 2624, 2623, 64, 17, 16})) {
        object.resize(size);
        INFO(size << " bytes left");
        refused_and_unchanged(errc::truncated, {name.str(), std::to_string(size) + " bytes", "12624"}, name,
                              errc::exists);
    }
    // Less than a header that begins with our magic: cut as well, and the message must not deny the magic.
    for (std::uint64_t const size : sizes({15, 8, 4})) {
        object.resize(size);
        INFO(size << " bytes left");
        refused_and_unchanged(errc::truncated, {name.str(), std::to_string(size) + " bytes"}, name,
                              errc::exists);
    }
}

TEST_CASE("a segment of another user is refused", "[fast]") {
    if (::geteuid() != 0) {
        segment_name const name;
        { auto const memory = Memory::create(name, 4096, {.max_entries = 1, .mode = 0}); }
        check_refused(errc::no_permission, {name.str()}, [&] { Memory::open(name); });
        return;
    }
    segment_name const name;
    { auto const memory = Memory::create(name, 4096, {.max_entries = 1}); }
    auto const before = raw_object(name).bytes();
    child stranger([&] {
        if (::setgid(65534) != 0 || ::setuid(65534) != 0) return 99;
        if (int const result =
                refused_in_child(errc::no_permission, {name.str()}, [&] { Memory::open(name); }))
            return result;
        if (int const result = refused_in_child(errc::no_permission, {name.str()},
                                                [&] { Memory::open_or_create(name, 1 << 16); }))
            return result;
        if (int const result =
                refused_in_child(errc::no_permission, {name.str()}, [&] { Memory::create(name, 1 << 16); }))
            return result;
        return refused_in_child(errc::no_permission, {name.str()}, [&] { Memory::unlink(name); });
    });
    CHECK(stranger.wait() == 0);
    CHECK(raw_object(name).bytes() == before);
}

TEST_CASE("two users share a segment of mode 0666", "[fast]") {
    // With fs.protected_regular a plain O_CREAT on another user's object in a sticky directory is refused;
    // opening it is not.
    if (::geteuid() != 0) {
        WARN("not root: not tested");
        return;
    }
    segment_name const name;
    child owner([&] {
        if (::setgid(65534) != 0 || ::setuid(65534) != 0) return 99;
        Memory::create(name, 1 << 16, {.mode = 0666});
        return 0;
    });
    REQUIRE(owner.wait() == 0);
    CHECK(Memory::open_or_create(name, 1 << 16).bytes() == 1 << 16);
    check_refused(errc::exists, {name.str()}, [&] { Memory::create(name, 1 << 16); });
}

std::size_t files_in_shm() {
    std::size_t count = 0;
    if (DIR* const all = ::opendir("/dev/shm")) {
        while (dirent const* const one = ::readdir(all)) count += one->d_name[0] != '.';
        ::closedir(all);
    }
    return count;
}

TEST_CASE("more than /dev/shm has is refused before the first touch", "[fast]") {
    segment_name const name;
    int const end = in_mount("size=1m", [&] {
        for (bool const or_open : {false, true})
            if (int const result = refused_in_child(errc::no_space, {name.str(), "2097152", " free"}, [&] {
                    or_open ? Memory::open_or_create(name, 2 << 20) : Memory::create(name, 2 << 20);
                }))
                return result;
        if (files_in_shm() != 0) return 81;
        // What fits goes through; all of it is there at once.
        {
            auto const memory = Memory::create(name, 1 << 19);
            struct statvfs room {};
            ::statvfs("/dev/shm", &room);
            if (room.f_bavail * room.f_frsize > 1 << 19) return 82;
            // Another one of that size would not fit any more, and does not harm the first.
            if (int const result = refused_in_child(errc::no_space, {"other"},
                                                    [&] { Memory::create("other", (1 << 19) + 4096); }))
                return result;
            if (files_in_shm() != 1) return 83;
        }
        Memory::unlink(name);
        // Somebody takes the room between the check and the reservation: the reservation has the last word.
        memory_options options;
        options.before_allocation = [](void*, std::size_t) {
            std::ofstream("/dev/shm/glutton") << std::string(900 << 10, 'x');
        };
        for (bool const huge : {false, true}) {
            options.huge_pages = huge;
            if (int const result = refused_in_child(errc::no_space, {name.str(), "524288"},
                                                    [&] { Memory::create(name, 1 << 19, options); }))
                return result;
            if (files_in_shm() != 1) return 84;
            ::unlink("/dev/shm/glutton");
        }
        return 0;
    });
    if (end != 80) {
        CHECK(end == 0);
        return;
    }
    struct statvfs room {};
    ::statvfs("/dev/shm", &room);
    auto const free = std::uint64_t{room.f_bavail} * room.f_frsize;
    if (room.f_blocks == 0 || free >= 0xffff0000) {
        WARN("no mount namespace, and /dev/shm has 4 GiB or more: not tested");
        return;
    }
    auto const before = objects();
    check_refused(errc::no_space, {name.str(), std::to_string(free + 65536)},
                  [&] { Memory::create(name, free + 65536); });
    CHECK(objects() == before);
}

TEST_CASE("a hook that throws leaves nothing behind", "[fast]") {
    segment_name const name;
    auto const before = objects();
    memory_options options;
    options.before_allocation = [](void*, std::size_t) { throw std::runtime_error("no"); };
    CHECK_THROWS_AS(Memory::create(name, 1 << 16, options), std::runtime_error);
    CHECK_THROWS_AS(Memory::open_or_create(name, 1 << 16, options), std::runtime_error);
    CHECK(objects() == before);
    CHECK(Memory::create(name, 1 << 16).bytes() == 1 << 16);
}

TEST_CASE("a creation that fails removes its own object and no other", "[fast]") {
    segment_name const name;
    memory_options options;
    std::optional<Memory> other;
    // While we are at it, somebody removes the half-made object and makes a segment of the same name.
    options.before_allocation = [&](void*, std::size_t) {
        Memory::unlink(name);
        other = Memory::create(name, 8192);
        throw std::runtime_error("no");
    };
    CHECK_THROWS_AS(Memory::create(name, 1 << 16, options), std::runtime_error);
    CHECK(objects().size() >= 1);
    auto const again = thrown_by([&] { CHECK(Memory::open(name).bytes() == 8192); });
    CHECK_FALSE(again);
}

TEST_CASE("the hook runs before any page of the segment exists, and afterwards all do", "[fast]") {
    segment_name const name;
    std::uint64_t const bytes = 1 << 20;
    blkcnt_t blocks = -1;
    std::size_t length = 0;
    void* where = nullptr;
    std::string resident(bytes / 4096, '\1');
    memory_options options;
    options.before_allocation = [&](void* at, std::size_t size) {
        blocks = raw_object(name).status().st_blocks;
        where = at;
        length = size;
        ::mincore(at, size, reinterpret_cast<unsigned char*>(resident.data()));
    };
    auto memory = Memory::create(name, bytes, options);
    CHECK(where == memory.base());
    CHECK(length == bytes);
    CHECK(blocks == 0);
    CHECK(std::count_if(resident.begin(), resident.end(), [](char c) { return (c & 1) != 0; }) == 0);
    CHECK(raw_object(name).status().st_blocks == static_cast<blkcnt_t>(bytes / 512));
}

// --- half made
// -------------------------------------------------------------------------------------------------------

TEST_CASE("what a dead creator leaves is not there, and the next creator takes it over", "[fast]") {
    struct remains {
        char const* what;
        std::uint64_t size;
        std::string start;
    };
    std::vector<remains> const all{
        {"nothing", 0, ""},
        {"an empty header", 16, ""},
        {"the mark", 16, "ZIPc"},
        {"the mark and the size", 1 << 16, "ZIPc"},
        {"all but the magic", 1 << 16, std::string("ZIPc\1\0\x40\0\0\0\0\0\x40\x0a\0\0", 16)},
        {"the mark and another size", 4 << 20, "ZIPc"}};
    for (auto const& left : all)
        for (bool const or_open : {false, true}) {
            INFO(left.what);
            segment_name const name;
            {
                raw_object const object(name, left.size);
                object.write_bytes(0, left.start);
                if (left.size > 4096) object.write_bytes(4000, std::string(96, 'x'));
            }
            auto const before = raw_object(name).bytes();
            check_refused(errc::not_found, {name.str()}, [&] { Memory::open(name); });
            CHECK(raw_object(name).bytes() == before);
            auto memory = or_open ? Memory::open_or_create(name, 1 << 16) : Memory::create(name, 1 << 16);
            CHECK(memory.bytes() == 1 << 16);
            CHECK(memory.entries().empty());
            // Nothing of the dead one shines through.
            CHECK(raw_object(name).bytes().find_first_not_of('\0', 16) == std::string::npos);
            Queue<int> queue(memory, "q", 4);
            queue.push(1);
            CHECK(Queue<int>(memory, "q").pop() == 1);
        }
}

TEST_CASE("an opener waits for a creator at work", "[fast]") {
    segment_name const name;
    shared<std::atomic<int>> stage;
    child creator([&] {
        memory_options options;
        options.before_allocation = [&](void*, std::size_t) {
            *stage = 1;
            until([&] { return *stage == 2; });
            nap(20ms);
        };
        auto const memory = Memory::create(name.str(), 1 << 16, options);
        until([&] { return *stage == 3; });
    });
    until([&] { return *stage == 1; });
    check_refused(errc::busy, {name.str()}, [&] { Memory::open(name, 5ms); });
    check_refused(errc::busy, {name.str()}, [&] { Memory::create(name, 1 << 16, {.patience = 5ms}); });
    *stage = 2;
    CHECK(Memory::open(name).bytes() == 1 << 16);
    *stage = 3;
    CHECK(creator.wait() == 0);
}

/// Opens again and again; whatever is found must be absent or whole.
struct opener_report {
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> opened{0};
    std::atomic<std::uint64_t> absent{0};
    std::atomic<std::uint64_t> wrong{0};
    std::atomic<int> cause{0};
    std::atomic<char> message[300]{};
};

void keep_opening(std::string const& name, opener_report& report) {
    while (!report.stop) {
        try {
            auto memory = Memory::open(name);
            bool good = memory.bytes() == 1 << 16 && memory.max_entries() == 64;
            for (auto const& entry : memory.entries()) good = good && entry.name == "q";
            if (memory.find("q")) Queue<std::uint64_t>(memory, "q").try_push(1);
            ++(good ? report.opened : report.wrong);
        } catch (error const& e) {
            if (e.cause() == errc::not_found) {
                ++report.absent;
            } else if (report.wrong++ == 0) {
                report.cause = static_cast<int>(e.cause());
                for (std::size_t i = 0; i < 299 && e.what()[i] != 0; ++i) report.message[i] = e.what()[i];
            }
        }
    }
}

void check(opener_report& report) {
    std::string text;
    for (auto const& c : report.message)
        if (c != 0) text += c;
    INFO("first wrong answer: " << text);
    CHECK(report.wrong == 0);
}

TEST_CASE("a half-made segment is taken over while others open it", "[fast]") {
    watchdog const limit(120);
    segment_name const name;
    shared<opener_report> report;
    std::vector<child> openers;
    for (int i = 0; i < 2; ++i) openers.emplace_back([&] { keep_opening(name.str(), *report); });
    for (std::uint64_t round = 0; round < rounds(800); ++round) {
        ::shm_unlink(name.c_str());
        std::string const start = round % 3 == 0 ? "" : "ZIPc";
        {
            // As a creator dies: full size with the mark, in one moment.
            segment_name const draft;
            {
                raw_object const object(draft, round % 3 == 1 ? 16 : round % 3 == 2 ? 1 << 16 : 0);
                object.write_bytes(0, start);
            }
            std::rename(("/dev/shm" + draft.str()).c_str(), ("/dev/shm" + name.str()).c_str());
        }
        auto const memory = Memory::create(name, 1 << 16);
        auto const opened = report->opened.load();
        if (round % 16 == 0) until([&] { return report->opened != opened; });
    }
    report->stop = true;
    for (auto& one : openers) CHECK(one.wait() == 0);
    check(*report);
    CHECK(report->opened > 0);
}

void kill_creators(std::uint64_t kills) {
    watchdog const limit(60 + static_cast<unsigned>(kills));
    random_source random(kills);
    segment_name const name;
    shared<opener_report> report;
    std::vector<child> openers;
    for (int i = 0; i < 2; ++i) openers.emplace_back([&] { keep_opening(name.str(), *report); }, 900);
    std::uint64_t half_made = 0;
    for (std::uint64_t i = 0; i < kills; ++i) {
        shared<std::atomic<std::uint64_t>> made;
        child creator([&] {
            for (;;) {
                try {
                    auto memory = Memory::create(name.str(), 1 << 16);
                    Queue<std::uint64_t> queue(memory, "q", 4, {8});
                    ++*made;
                } catch (error const& e) {
                    if (e.cause() != errc::exists) {
                        std::fprintf(stderr, "creator: %s\n", e.what());
                        return 1;
                    }
                }
                Memory::unlink(name.str());
            }
        });
        until([&] { return *made > 0; });
        nap(std::chrono::nanoseconds(random.below(1000000)));
        creator.kill();
        REQUIRE(creator.wait() == -SIGKILL);
        half_made += thrown_by([&] { Memory::open(name); }).has_value();
    }
    report->stop = true;
    for (auto& one : openers) CHECK(one.wait() == 0);
    check(*report);
    std::printf("%llu creators killed, %llu left no segment; openers opened %llu, found none %llu\n",
                static_cast<unsigned long long>(kills), static_cast<unsigned long long>(half_made),
                static_cast<unsigned long long>(report->opened.load()),
                static_cast<unsigned long long>(report->absent.load()));
    Memory::unlink(name);
    CHECK(Memory::create(name, 1 << 16).bytes() == 1 << 16);
}

TEST_CASE("30 creators are killed while others open", "[fast]") { kill_creators(30); }
TEST_CASE("300 creators are killed while others open", "[medium]") { kill_creators(300); }

/// What an object is after each machine instruction of its creation: a kill at that instruction leaves just
/// this.
TEST_CASE("a creator is killed at each machine instruction", "[medium]") {
    memory_options options;
    options.huge_pages = GENERATE(false, true);
    watchdog const limit(300);
    segment_name const name;
    auto const states = states_of(
        "a creation",
        [&](tracee t) {
            { auto const warm = Memory::create(name.str(), 1 << 14, options); }  // lazy binding is done
            Memory::unlink(name.str());
            t.begin();
            auto const memory = Memory::create(name.str(), 1 << 14, options);
            t.end();
        },
        [&]() -> std::optional<std::string> {
            if (::access(("/dev/shm" + name.str()).c_str(), F_OK) != 0) return std::nullopt;
            return raw_object(name).bytes();
        });
    if (!states) return;
    REQUIRE(states->size() >= 5);
    CHECK(states->back().substr(0, 4) == "ZIPC");
    for (auto const& state : *states) {
        INFO(state.size() << " bytes, begins with '" << state.substr(0, 4) << "'");
        segment_name const copy;
        {
            raw_object const object(copy, state.size());
            object.write_bytes(0, state);
        }
        bool const whole = state.substr(0, 4) == "ZIPC";
        if (whole) {
            CHECK(Memory::open(copy).bytes() == 1 << 14);
        } else {
            check_refused(errc::not_found, {copy.str()}, [&] { Memory::open(copy); });
            CHECK(Memory::create(copy, 1 << 14).entries().empty());
        }
    }
}

// --- races to create
// -------------------------------------------------------------------------------------------------

struct race {
    std::atomic<std::uint64_t> round{0};
    std::atomic<std::uint64_t> done{0};
    std::atomic<std::uint64_t> creators{0};
    std::atomic<std::uint64_t> failures{0};
};

void race_to_create(std::uint64_t count) {
    watchdog const limit(120);
    constexpr std::uint64_t racers = 4;
    segment_name const name;
    shared<race> track;
    std::vector<child> all;
    for (std::uint64_t r = 0; r < racers; ++r)
        all.emplace_back([&, r] {
            for (std::uint64_t round = 1; round <= count; ++round) {
                until([&] { return track->round >= round; });
                try {
                    bool made = false;
                    memory_options options;
                    options.before_allocation = [&](void*, std::size_t) { made = true; };
                    auto memory = Memory::open_or_create(name.str(), 1 << 16, options);
                    track->creators += made;
                    // All four are in the same one: each adds its own entry, and all of them are there.
                    memory.add("of " + std::to_string(r), 64, [](std::byte*) {});
                    ++track->done;
                    until([&] { return track->done >= round * racers || track->failures > 0; });
                    auto const entries = memory.entries();
                    if (entries.size() != racers) ++track->failures;
                } catch (error const& e) {
                    std::fprintf(stderr, "racer: %s\n", e.what());
                    ++track->failures;
                    return 1;
                }
            }
            return 0;
        });
    for (std::uint64_t round = 1; round <= count; ++round) {
        ::shm_unlink(name.c_str());
        track->round = round;
        until([&] { return track->done >= round * racers || track->failures > 0; });
        if (track->failures > 0) break;
        // Everybody has looked before the name goes.
        if (round % 2 == 0) nap(100us);
    }
    for (auto& one : all) CHECK(one.wait() == 0);
    CHECK(track->failures == 0);
    CHECK(track->creators == count);
}

TEST_CASE("of four processes that open or create at once, exactly one creates", "[fast]") {
    race_to_create(rounds(100));
}
TEST_CASE("of four processes that open or create at once, exactly one creates, 2000 times", "[medium]") {
    race_to_create(rounds(2000));
}

// --- fork, exec, lifetimes
// -------------------------------------------------------------------------------------------

TEST_CASE("two Memory objects on one segment have their own addresses and the same data", "[fast]") {
    segment_name const name;
    auto one = Memory::create(name, 1 << 16);
    auto two = Memory::open(name);
    auto three = Memory::open_or_create(name, 1 << 16);
    CHECK(one.base() != two.base());
    CHECK(two.base() != three.base());
    Queue<std::uint64_t> a(one, "q", 4);
    Queue<std::uint64_t> b(two, "q");
    Queue<std::uint64_t> c(three, "q");
    CHECK(a.handle_slot() == 0);
    CHECK(b.handle_slot() == 1);
    CHECK(c.handle_slot() == 2);
    for (std::uint64_t i = 0; i < 100; ++i) {
        a.push(i);
        b.push(i + 1000);
        CHECK(c.pop() == i);
        CHECK(a.pop() == i + 1000);
    }
    CHECK(two.entries().size() == 1);
    CHECK(three.find("q")->offset == one.find("q")->offset);
}

TEST_CASE("a structure outlives its Memory object", "[fast]") {
    segment_name const name;
    std::optional<Memory> memory(Memory::create(name, 1 << 16));
    Queue<int> queue(*memory, "q", 4);
    memory.reset();
    queue.push(5);
    CHECK(queue.pop() == 5);
    Memory::unlink(name);
    queue.push(6);
    CHECK(queue.pop() == 6);
}

TEST_CASE("Memory moves", "[fast]") {
    segment_name const name;
    auto one = Memory::create(name, 1 << 16);
    auto* const base = one.base();
    auto two = std::move(one);
    CHECK(two.base() == base);
    segment_name const other;
    auto three = Memory::create(other, 4096, {.max_entries = 1});
    three = std::move(two);
    CHECK(three.base() == base);
    CHECK(three.name() == name.str());
    static_assert(!std::is_copy_constructible_v<Memory> && !std::is_copy_assignable_v<Memory>);
}

TEST_CASE("unlinking a segment in use keeps it for who has it", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    Queue<int> queue(memory, "q", 4);
    CHECK(Memory::unlink(name));
    queue.push(1);
    auto second = Memory::create(name, 1 << 16);
    CHECK(second.entries().empty());
    CHECK(queue.pop() == 1);
}

TEST_CASE("a forked child cannot use what it inherited, and can open anew", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    Queue<int> queue(memory, "q", 4, {3});
    queue.push(1);
    child heir([&] {
        int item = 0;
        for (auto const& use : std::initializer_list<std::function<void()>>{
                 [&] { static_cast<void>(memory.base()); }, [&] { static_cast<void>(memory.free_bytes()); },
                 [&] { static_cast<void>(memory.entries()); }, [&] { static_cast<void>(memory.find("q")); },
                 [&] { memory.add("x", 1, [](std::byte*) {}); }, [&] { queue.try_push(2); },
                 [&] { queue.push(2); }, [&] { queue.push(2, 1ms); }, [&] { queue.try_pop(item); },
                 [&] { static_cast<void>(queue.try_pop()); }, [&] { static_cast<void>(queue.pop(1ms)); },
                 [&] { static_cast<void>(queue.pop()); }, [&] { static_cast<void>(queue.was_size()); },
                 [&] { static_cast<void>(queue.was_empty()); }, [&] { Queue<int> const q(memory, "q"); },
                 [&] { Queue<int> const q(memory, "new", 4); }})
            if (int const result = refused_in_child(errc::forked, {name.str(), "fork"}, use)) return result;
        auto mine = Memory::open(name.str());
        Queue<int> anew(mine, "q");
        if (anew.handle_slot() != 1) return 10;  // slot 0 is still the parent's
        anew.push(2);
        // Grandchildren as well.
        child grandchild([&] {
            if (int const result = refused_in_child(errc::forked, {}, [&] { anew.push(1); })) return result;
            if (int const result = refused_in_child(errc::forked, {}, [&] { queue.push(1); })) return result;
            auto own = Memory::open(name.str());
            return Queue<int>(own, "q").handle_slot() == 2 ? 0 : 11;
        });
        return grandchild.wait();
    });
    CHECK(heir.wait() == 0);
    CHECK(queue.pop() == 1);
    CHECK(queue.pop() == 2);
}

TEST_CASE("a child that destroys what it inherited does not harm its parent", "[fast]") {
    segment_name const name;
    auto memory = std::make_unique<Memory>(Memory::create(name, 1 << 16));
    auto queue = std::make_unique<Queue<int>>(*memory, "q", 4, queue_options{2});
    child heir([&] {
        // New descriptors and mappings may come to stand where the inherited ones were.
        auto mine = Memory::open(name.str());
        auto* const block =
            ::mmap(nullptr, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        std::memset(block, 1, 1 << 16);
        queue.reset();
        memory.reset();
        static_cast<char*>(block)[5] = 2;
        Queue<int> own(mine, "q");
        return own.handle_slot() == 1 && mine.entries().size() == 1 ? 0 : 1;
    });
    CHECK(heir.wait() == 0);
    queue->push(1);
    CHECK(queue->pop() == 1);
    // The parent's handle slot is still locked.
    auto other = Memory::open(name);
    CHECK(Queue<int>(other, "q").handle_slot() == 1);
}

TEST_CASE("a parent's locks die with it although its child lives", "[fast][kernel]") {
    for (bool const during_creation : {false, true}) {
        segment_name const name;
        shared<std::atomic<int>> stage;
        shared<std::atomic<int>> grandchild_pid;
        if (!during_creation) {
            auto memory = Memory::create(name, 1 << 16);
            Queue<int> const queue(memory, "q", 4, {1});
        }
        child parent([&] {
            auto const have_child = [&] {
                pid_t const pid = ::fork();
                if (pid == 0) {
                    ::alarm(100);
                    *grandchild_pid = ::getpid();
                    *stage = 1;
                    for (;;) nap(1s);
                }
                for (;;) nap(1s);
            };
            if (during_creation) {
                memory_options options;
                options.before_allocation = [&](void*, std::size_t) { have_child(); };
                Memory::create(name.str(), 1 << 16, options);
            } else {
                auto memory = Memory::open(name.str());
                Queue<int> const queue(memory, "q");
                have_child();
            }
        });
        until([&] { return *stage == 1; });
        if (!during_creation) {
            auto memory = Memory::open(name);
            check_refused(errc::no_handle_slot, {"'q'", "all 1 "}, [&] { Queue<int> const q(memory, "q"); });
        }
        parent.kill();
        CHECK(parent.wait() == -SIGKILL);
        CHECK(::kill(*grandchild_pid, 0) == 0);  // it lives
        if (during_creation) {
            CHECK(Memory::create(name, 1 << 16, {.patience = 5000ms}).bytes() == 1 << 16);
        } else {
            auto memory = Memory::open(name);
            CHECK(Queue<int>(memory, "q").handle_slot() == 0);
        }
        ::kill(*grandchild_pid, SIGKILL);
    }
}

TEST_CASE("a child that is forked while another thread opens segments inherits no mapping of them",
          "[fast][kernel]") {
    // A mapping alone would keep the parent's locks alive beyond its death.
    watchdog const limit(100);
    segment_name const name;
    { auto const memory = Memory::create(name, 1 << 16); }
    shared<std::atomic<std::uint64_t>> inherited;
    child busy([&] {
        std::atomic<bool> stop{false};
        std::thread opener([&] {
            while (!stop) Memory::open(name.str());
        });
        for (std::uint64_t i = 0; i < rounds(400); ++i) {
            pid_t const pid = ::fork();
            if (pid == 0) {
                if (text_of("/proc/self/maps").find(name.str()) != std::string::npos) ++*inherited;
                ::_exit(0);
            }
            ::waitpid(pid, nullptr, 0);
        }
        stop = true;
        opener.join();
    });
    CHECK(busy.wait() == 0);
    CHECK(*inherited == 0);
}

TEST_CASE("a program that is executed keeps no lock", "[fast]") {
    segment_name const name;
    {
        auto memory = Memory::create(name, 1 << 16);
        Queue<int> const queue(memory, "q", 4, {1});
    }
    child program([&] {
        auto memory = Memory::open(name.str());
        Queue<int> const queue(memory, "q");
        ::execl("/bin/sleep", "sleep", "100", static_cast<char*>(nullptr));
        return 1;
    });
    auto memory = Memory::open(name);
    auto const proc = "/proc/" + std::to_string(program.pid());
    until([&] { return text_of(proc + "/comm") == "sleep\n"; });
    // The name shows a moment before the kernel has closed the descriptors.
    until([&] {
        try {
            return Queue<int>(memory, "q").handle_slot() == 0;
        } catch (error const& taken) {
            if (taken.cause() != errc::no_handle_slot) throw;
            return false;
        }
    });
    CHECK_THAT(text_of(proc + "/maps"), !Catch::Contains(name.str().substr(1)));
}

TEST_CASE("a signal timer does not keep a large segment from being made", "[fast]") {
    // The kernel undoes a reservation that a signal interrupts: in one piece it would never come to its end.
    watchdog const limit(60);
    segment_name const name;
    child busy(
        [&] {
            std::signal(SIGVTALRM, [](int) {});
            std::signal(SIGPROF, [](int) {});
            itimerval const often{{0, 2000}, {0, 2000}};
            ::setitimer(ITIMER_PROF, &often, nullptr);
            auto const memory = Memory::create(name.str(), 256 << 20);
            itimerval const never{};
            ::setitimer(ITIMER_PROF, &never, nullptr);
            return memory.bytes() == 256 << 20 ? 0 : 1;
        },
        20);
    CHECK(busy.wait() == 0);
}

// --- pages
// -----------------------------------------------------------------------------------------------------------

TEST_CASE("prefaulting fills this mapping's page tables and changes no byte", "[fast][kernel]") {
    constexpr std::uint64_t bytes = (8 << 20) + 4096;
    segment_name const name;
    auto const memory = Memory::create(name, bytes, {.prefault = true});
    CHECK(mapping_bytes(memory.base(), "Rss") == bytes);
    segment_name const plain;
    auto const control = Memory::create(plain, bytes);
    CHECK(mapping_bytes(control.base(), "Rss") < bytes / 2);
    CHECK(raw_object(name).bytes() == raw_object(plain).bytes());

    // Each mapping has its own page tables.
    auto const before = raw_object(name).bytes();
    CHECK(mapping_bytes(Memory::open(name).base(), "Rss") < bytes / 2);
    CHECK(mapping_bytes(Memory::open(name, {.prefault = true}).base(), "Rss") == bytes);
    auto const made = Memory::open_or_create(name, bytes, {.prefault = true});
    CHECK(mapping_bytes(made.base(), "Rss") == bytes);
    CHECK(raw_object(name).bytes() == before);

    // And so without the kernel's help.
    auto const touched = Memory::open(name);
    detail::touch_pages(touched.base(), bytes);
    CHECK(mapping_bytes(touched.base(), "Rss") == bytes);
}

TEST_CASE("touching pages never writes: a peer may be at work on them", "[fast]") {
    segment_name const name;
    auto const memory = Memory::create(name, 1 << 20);
    child reader([&] {
        raw_object const object(name);
        void* const at = ::mmap(nullptr, 1 << 20, PROT_READ, MAP_SHARED, object.fd(), 0);
        detail::touch_pages(static_cast<std::byte*>(at), 1 << 20);
        return mapping_bytes(at, "Rss") == 1 << 20 ? 0 : 1;
    });
    CHECK(reader.wait() == 0);
}

TEST_CASE("prefaulting an object that was cut is an error, not a signal", "[fast][kernel]") {
    segment_name const name;
    auto const memory = Memory::create(name, 1 << 20);
    raw_object const object(name);
    object.resize(1 << 16);
    if (!detail::can_populate()) return;
    check_refused(errc::truncated, {name.str(), "1048576", "65536"},
                  [&] { detail::populate(object.fd(), memory.base(), 1 << 20, name); });
    CHECK_NOTHROW(detail::populate(object.fd(), memory.base(), 1 << 16, name));
}

TEST_CASE("huge pages are obtained, or said not to be", "[fast][kernel]") {
    constexpr std::uint64_t bytes = (8 << 20) + 12288;
    segment_name const name;
    auto const whole = [&](Memory const& memory) {
        return mapping_bytes(memory.base(), "Rss") == bytes &&
               memory.huge_page_bytes() == mapping_bytes(memory.base(), "ShmemPmdMapped") &&
               raw_object(name).status().st_blocks * 512 >= static_cast<blkcnt_t>(bytes);
    };
    {  // as this machine has it, the answer may be either
        auto const memory = Memory::create(name, bytes, {.huge_pages = true});
        CHECK(whole(memory));
        Memory::unlink(name);
    }
    int const without = in_mount("huge=never", [&] {
        auto const memory = Memory::create(name, bytes, {.huge_pages = true});
        return whole(memory) && memory.huge_page_bytes() == 0 ? 0 : 1;
    });
    if (without == 80) {
        WARN("no mount namespace: not tested");
        return;
    }
    CHECK(without == 0);
    int const with = in_mount("huge=advise", [&] {
        if (!gives_huge_pages(name, bytes)) return 81;
        // Only on demand.
        {
            auto const plain = Memory::create(name, bytes, {.prefault = true});
            if (!whole(plain) || plain.huge_page_bytes() != 0) return 1;
            Memory::unlink(name);
        }
        auto const memory = Memory::create(name, bytes, {.huge_pages = true});
        if (!whole(memory)) return 2;
        if (memory.huge_page_bytes() != 8 << 20) return 3;
        if (memory.entries().size() != 0 || memory.free_bytes() == 0) return 4;
        auto const opened = Memory::open(name, {.prefault = true, .huge_pages = true});
        if (!whole(opened) || opened.huge_page_bytes() != 8 << 20) return 5;
        return 0;
    });
    if (with == 81)
        WARN("this machine gives no huge pages: not tested that they are obtained");
    else
        CHECK(with == 0);
}

// --- alone
// -----------------------------------------------------------------------------------------------------------

TEST_CASE("who is alone on a segment can know it", "[fast]") {
    watchdog const limit(60);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    auto const& mine = memory.attachment();
    CHECK(mine->try_be_alone());
    CHECK(mine->try_be_alone());  // the first one is over
    {
        auto const alone = mine->try_be_alone();
        REQUIRE(alone);
        CHECK_FALSE(mine->try_be_alone());
    }
    {  // a second open file of this process counts
        auto const second = Memory::open(name);
        CHECK_FALSE(mine->try_be_alone());
        CHECK_FALSE(second.attachment()->try_be_alone());
    }
    {  // so does a handle
        Queue<int> const queue(memory, "q", 4);
        CHECK_FALSE(mine->try_be_alone());
    }
    CHECK(mine->try_be_alone());
    {  // an array has no handle slot
        Array<int> const array(memory, "a", 4);
        CHECK(mine->try_be_alone());
    }
    shared<std::atomic<bool>> opened;
    child other([&] {
        auto const theirs = Memory::open(name.str());
        *opened = true;
        for (;;) nap(1s);
    });
    until([&] { return opened->load(); });
    CHECK_FALSE(mine->try_be_alone());
    CHECK_FALSE(mine->try_be_alone());
    other.kill();
    CHECK(other.wait() == -SIGKILL);
    CHECK(mine->try_be_alone());
}

TEST_CASE("who opens a segment that somebody uses alone waits", "[fast]") {
    watchdog const limit(60);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    { Queue<int> const queue(memory, "q", 4); }
    shared<std::atomic<int>> stage;
    auto alone = memory.attachment()->try_be_alone();
    REQUIRE(alone);
    // No handles through this attachment meanwhile; it would not be alone with them.
    check_refused(errc::busy, {name.str(), "alone"}, [&] { Queue<int> const q(memory, "q"); });
    child other([&] {
        if (int const result =
                refused_in_child(errc::busy, {name.str()}, [&] { Memory::open(name.str(), 20ms); }))
            return result;
        if (int const result = refused_in_child(errc::busy, {name.str()}, [&] {
                Memory::open_or_create(name.str(), 1 << 16, {.patience = 20ms});
            }))
            return result;
        *stage = 1;
        auto theirs = Memory::open(name.str());
        if (*stage != 2) return 1;
        Queue<int> queue(theirs, "q");
        queue.push(5);
        return 0;
    });
    until([&] { return *stage == 1; });
    nap(20ms);
    auto moved = std::move(alone);
    alone.reset();
    nap(20ms);
    *stage = 2;
    moved.reset();
    CHECK(other.wait() == 0);
    CHECK(Queue<int>(memory, "q").pop() == 5);
}

TEST_CASE("the right to be alone does not go to a child, and ends with its holder", "[fast]") {
    watchdog const limit(60);
    segment_name const name;
    { auto const memory = Memory::create(name, 1 << 16); }
    shared<std::atomic<bool>> holds;
    child holder([&] {
        auto const memory = Memory::open(name.str());
        auto alone = memory.attachment()->try_be_alone();
        if (!alone) return 1;
        child heir([&] {
            alone.reset();  // must not touch its parent's lock
            return refused_in_child(errc::forked, {},
                                    [&] { static_cast<void>(memory.attachment()->try_be_alone()); });
        });
        if (int const result = heir.wait()) return result;
        *holds = true;
        for (;;) nap(1s);
    });
    until([&] { return holds->load(); });
    check_refused(errc::busy, {}, [&] { Memory::open(name, 10ms); });
    holder.kill();
    CHECK(holder.wait() == -SIGKILL);
    CHECK(Memory::open(name).attachment()->try_be_alone());
}

}  // namespace
