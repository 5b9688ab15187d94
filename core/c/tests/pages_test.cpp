// The C library: page tables, huge pages, the hook for NUMA, and memory that is not to be had.

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <string>
#include <utility>

#include "zeroipc_c_testing.hpp"
#include "zeroipc_mount_testing.hpp"

namespace {

namespace testing = zeroipc::testing;
namespace c = zeroipc::testing::c;

constexpr std::uint64_t some_bytes = (8 << 20) + 12288;

zeroipc_memory_options wish(bool prefault, bool huge_pages = false) {
    zeroipc_memory_options options{};
    options.prefault = prefault;
    options.huge_pages = huge_pages;
    return options;
}

c::owned<zeroipc_memory> make(std::string const& name, zeroipc_memory_options const& options,
                              std::uint64_t bytes = some_bytes) {
    return c::got<zeroipc_memory>(zeroipc_memory_create, name.c_str(), bytes, &options);
}
c::owned<zeroipc_memory> open(std::string const& name, zeroipc_memory_options const& options) {
    return c::got<zeroipc_memory>(zeroipc_memory_open, name.c_str(), &options);
}

std::uint64_t present(c::owned<zeroipc_memory> const& memory) {
    return testing::mapping_bytes(zeroipc_memory_base(memory.get()), "Rss");
}

/// In its page tables, counted right, and allocated.
bool whole(c::owned<zeroipc_memory> const& memory) {
    auto const huge = testing::mapping_bytes(zeroipc_memory_base(memory.get()), "ShmemPmdMapped");
    auto const allocated = testing::raw_object(zeroipc_memory_name(memory.get())).status().st_blocks * 512;
    return present(memory) == some_bytes && zeroipc_memory_huge_page_bytes(memory.get()) == huge &&
           allocated >= static_cast<blkcnt_t>(some_bytes);
}

/// Counts its calls, and answers with `answer`.
struct hook {
    explicit hook(int with, std::string fill = {}) : answer(with), glutton(std::move(fill)) {
        options.context = this;
        options.before_allocation = [](void* context, void* mapped, std::uint64_t length) {
            auto& self = *static_cast<hook*>(context);
            ++self.calls;
            self.address = mapped;
            self.bytes = length;
            if (!self.glutton.empty()) std::ofstream(self.glutton) << std::string(900 << 10, 'x');
            return self.answer;
        };
    }
    int answer;
    std::string glutton;
    int calls = 0;
    void* address = nullptr;
    std::uint64_t bytes = 0;
    zeroipc_memory_options options{};
};

}  // namespace

TEST_CASE("C: prefaulting fills this mapping's page tables and changes no byte", "[fast][kernel]") {
    testing::segment_name const name;
    testing::segment_name const plain;
    auto const memory = make(name, wish(true));
    auto const control = make(plain, wish(false));
    CHECK(present(memory) == some_bytes);
    CHECK(present(control) < some_bytes / 2);
    auto const before = testing::raw_object(name).bytes();
    CHECK(before == testing::raw_object(plain).bytes());

    // Each mapping has its own page tables.
    CHECK(present(open(name, wish(false))) < some_bytes / 2);
    CHECK(present(open(name, wish(true))) == some_bytes);
    auto const options = wish(true);
    CHECK(present(c::got<zeroipc_memory>(zeroipc_memory_open_or_create, name.c_str(), std::uint64_t{64},
                                         &options)) == some_bytes);
    CHECK(testing::raw_object(name).bytes() == before);
}

TEST_CASE("C: huge pages are obtained, or said not to be", "[fast][kernel]") {
    testing::segment_name const name;
    CHECK(whole(make(name, wish(false, true))));  // as this machine has it, the answer may be either
    c::must(zeroipc_memory_remove(name.c_str()));
    int const without = testing::in_mount("huge=never", [&] {
        auto const memory = make(name, wish(false, true));
        return whole(memory) && zeroipc_memory_huge_page_bytes(memory.get()) == 0 ? 0 : 1;
    });
    if (without == 80) {
        WARN("no mount namespace: not tested");
        return;
    }
    CHECK(without == 0);
    int const with = testing::in_mount("huge=advise", [&] {
        if (!testing::gives_huge_pages(name, some_bytes)) return 81;
        {  // only on demand
            auto const plain = make(name, wish(true));
            if (!whole(plain) || zeroipc_memory_huge_page_bytes(plain.get()) != 0) return 1;
            c::must(zeroipc_memory_remove(name.c_str()));
        }
        auto const memory = make(name, wish(false, true));
        if (!whole(memory) || zeroipc_memory_huge_page_bytes(memory.get()) != 8 << 20) return 2;
        auto const opened = open(name, wish(true, true));
        return whole(opened) && zeroipc_memory_huge_page_bytes(opened.get()) == 8 << 20 ? 0 : 3;
    });
    if (with == 81)
        WARN("this machine gives no huge pages: not tested that they are obtained");
    else
        CHECK(with == 0);
}

TEST_CASE("C: huge pages or not, the same bytes", "[fast]") {
    testing::segment_name const one;
    testing::segment_name const two;
    auto const plain = make(one, wish(false));
    auto const huge = make(two, wish(false, true));
    CHECK(testing::raw_object(one).bytes() == testing::raw_object(two).bytes());
}

TEST_CASE("C: the hook sees the fresh mapping, once, and its errno leaves nothing behind", "[fast]") {
    testing::segment_name const name;
    auto const before = testing::objects();
    for (bool const huge : {false, true}) {
        hook refuses(EPERM);
        refuses.options.huge_pages = huge;
        zeroipc_memory* none = nullptr;
        CHECK(zeroipc_memory_create(name.c_str(), 1 << 16, &refuses.options, &none) == ZEROIPC_NO_PERMISSION);
        CHECK(std::string(zeroipc_detail()).find("cannot place the memory of") != std::string::npos);
        CHECK(zeroipc_memory_open_or_create(name.c_str(), 1 << 16, &refuses.options, &none) ==
              ZEROIPC_NO_PERMISSION);
        CHECK(refuses.calls == 2);
        CHECK(testing::objects() == before);
    }
    hook agrees(0);
    auto const memory = make(name, agrees.options);
    CHECK(agrees.calls == 1);
    CHECK(agrees.address == zeroipc_memory_base(memory.get()));
    CHECK(agrees.bytes == some_bytes);
    auto const opened =
        c::got<zeroipc_memory>(zeroipc_memory_open_or_create, name.c_str(), some_bytes, &agrees.options);
    CHECK(agrees.calls == 1);
}

TEST_CASE("C: memory that is taken meanwhile is an error, not a signal", "[fast][kernel]") {
    int const cramped = testing::in_mount("size=1m", [&] {
        std::string const name = "/zeroipc-c-cramped";
        zeroipc_memory* memory = nullptr;
        if (zeroipc_memory_create(name.c_str(), 2 << 20, nullptr, &memory) != ZEROIPC_NO_SPACE) return 1;
        if (!testing::objects().empty()) return 2;
        // Somebody takes the room between the check and the reservation.
        for (bool const huge : {false, true}) {
            hook eats(0, "/dev/shm/glutton");
            eats.options.huge_pages = huge;
            if (zeroipc_memory_create(name.c_str(), 1 << 19, &eats.options, &memory) != ZEROIPC_NO_SPACE)
                return 3;
            if (eats.calls != 1 || ::access(("/dev/shm" + name).c_str(), F_OK) == 0) return 4;
            ::unlink("/dev/shm/glutton");
        }
        return 0;
    });
    if (cramped == 80)
        WARN("no mount namespace: not tested");
    else
        CHECK(cramped == 0);
}

TEST_CASE("C: prefaulting an object that was cut is an error, not a signal", "[fast][kernel]") {
    testing::segment_name const name;
    make(name, wish(false));
    if (::madvise(nullptr, 0, zeroipc::detail::populate_write) != 0) {
        WARN("this kernel does not fill page tables on request: not tested");
        return;
    }
    // Its header and table stay, so that only filling the page tables can find that it was cut.
    testing::shared<std::atomic<bool>> stop;
    testing::child cutter([&] {
        testing::raw_object const object(name);
        while (!stop->load()) {
            object.resize(1 << 16);
            object.resize(some_bytes);
        }
        return 0;
    });
    testing::child opener(
        [&] {
            auto const options = wish(true);
            for (bool found = false; !found;) {
                zeroipc_memory* memory = nullptr;
                auto const result = zeroipc_memory_open(name.c_str(), &options, &memory);
                zeroipc_memory_close(memory);
                // Whole again when it is asked for its length: then nothing tells a cut from a lack of memory.
                if (result != ZEROIPC_OK && result != ZEROIPC_TRUNCATED && result != ZEROIPC_NO_SPACE)
                    return -static_cast<int>(result);
                found = result == ZEROIPC_TRUNCATED;
            }
            return 0;
        },
        60);
    CHECK(opener.wait() == 0);
    *stop = true;
    CHECK(cutter.wait() == 0);
}
