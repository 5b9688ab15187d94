#pragma once
/// \file
/// Litmus tests: a few threads on a few words, and every outcome that they can have.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "atomics.hpp"
#include "explorer.hpp"

namespace zeroipc::model {

/// What the threads of a litmus test share, and what they note.
struct litmus_state {
    struct alignas(8) cells {
        word<std::uint64_t> x, y, z;
        std::uint64_t payload;
        word<std::uint32_t> futex;
        std::uint32_t unused;
    };
    cells shared;
    std::array<std::uint64_t, 6> r;

    word<std::uint64_t>& x = shared.x;
    word<std::uint64_t>& y = shared.y;
    word<std::uint64_t>& z = shared.z;

    void write(std::uint64_t value) { atomics::write_payload(&shared.payload, &value, 8); }
    std::uint64_t read() {
        std::uint64_t value = 0;
        atomics::read_payload(&value, &shared.payload, 8);
        return value;
    }
};

/// A litmus test. Its outcomes are the registers' values, "0 1", in the order of their numbers; "race" or another
/// fault is an outcome as well, which ends the search.
struct litmus {
    std::string name;
    std::string rule;  ///< of the model, that it shows
    std::vector<std::function<void(litmus_state&)>> threads;
    unsigned registers;
    std::set<std::string> outcomes;                  ///< exactly these
    std::function<void(litmus_state&)> at_end = {};  ///< notes what is left in memory
};

/// Threads on those words.
class words_scenario : public scenario {
public:
    explicit words_scenario(std::vector<std::function<void(litmus_state&)>> threads)
        : threads_(std::move(threads)) {}

    [[nodiscard]] unsigned threads() const final { return static_cast<unsigned>(threads_.size()); }
    void prepare() final {
        new (&state_.shared) litmus_state::cells{};
        state_.r.fill(0);
    }
    [[nodiscard]] std::byte* base() final { return reinterpret_cast<std::byte*>(&state_.shared); }
    [[nodiscard]] std::size_t bytes() const final { return sizeof state_.shared; }
    void run(unsigned t) final { threads_[t](state_); }
    [[nodiscard]] std::string name_of(std::size_t offset) const final {
        static char const* const names[] = {"x", "y", "z", "payload", "futex"};
        return names[offset / 8];
    }

protected:
    litmus_state state_{};

private:
    std::vector<std::function<void(litmus_state&)>> threads_;
};

class litmus_scenario final : public words_scenario {
public:
    explicit litmus_scenario(litmus const& test) : words_scenario(test.threads), test_(test) {}

    std::string check() override {
        if (test_.at_end) test_.at_end(state_);
        std::string outcome;
        for (unsigned i = 0; i < test_.registers; ++i)
            outcome += (i == 0 ? "" : " ") + std::to_string(state_.r[i]);
        seen.insert(outcome);
        return {};
    }

    std::set<std::string> seen;

private:
    litmus const& test_;
};

/// Every outcome of a test, under these rules. A fault ends the search: it is the last outcome.
inline std::set<std::string> outcomes_of(litmus const& test, rules const& model = {},
                                         std::string* text = nullptr) {
    litmus_scenario scene(test);
    settings how;
    how.preemptions = 99;
    how.stale = 99;
    how.executions = 3'000'000;
    how.model = model;
    explorer machine(how);
    auto const v = machine.explore(scene);
    if (text != nullptr) *text = v.text();
    if (!v.right)
        scene.seen.insert(v.what.substr(0, v.what.find(':')));
    else if (!v.exhausted)
        scene.seen.insert("(not exhausted)");
    return scene.seen;
}

}  // namespace zeroipc::model
