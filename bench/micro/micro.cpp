#include "micro.hpp"

#include <dirent.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <random>

namespace zeroipc::micro {
namespace {

bool failed = false;

}  // namespace

options& chosen() {
    static options one;
    return one;
}

void fail(benchmark::State& state, std::string const& why) {
    failed = true;
    state.SkipWithError(why.c_str());
}

bool any_failed() { return failed; }

std::string fresh_name() {
    static unsigned next = 0;
    return "/zeroipc-micro-" + std::to_string(::getpid()) + "-" + std::to_string(next++);
}

void sweep() {
    DIR* const all = ::opendir("/dev/shm");
    if (all == nullptr) return;
    while (dirent const* const one = ::readdir(all)) {
        int owner = 0;
        if (std::sscanf(one->d_name, "zeroipc-micro-%d-", &owner) == 1 && ::kill(owner, 0) != 0 &&
            errno == ESRCH)
            ::shm_unlink((std::string("/") + one->d_name).c_str());
    }
    ::closedir(all);
}

std::vector<std::uint64_t> shuffled_keys(std::uint64_t first, std::uint64_t count) {
    std::vector<std::uint64_t> keys(count);
    for (std::uint64_t i = 0; i < count; ++i) keys[i] = scattered(first + i);
    std::mt19937_64 engine(1);  // the same order in every run and for every peer
    std::shuffle(keys.begin(), keys.end(), engine);
    return keys;
}

}  // namespace zeroipc::micro
