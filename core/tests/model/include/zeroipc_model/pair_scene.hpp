#pragma once
/// \file
/// Two containers, and two threads: each puts into one and looks into the other. One of them must find something.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "container_scene.hpp"

namespace zeroipc::model {

/// \tparam Policies of a queue or stack.
template <class Policies>
class pair_scene final : public scenario {
    using ring = ring_on_model<Policies>;
    static constexpr std::uint32_t slots = 2;

public:
    pair_scene()
        : geometry_(ring::geometry(capacity, slots)),
          each_((geometry_.total + 63) / 64 * 64),
          shared_(2 * each_) {}

    [[nodiscard]] unsigned threads() const override { return 2; }
    [[nodiscard]] std::byte* base() override { return shared_.base(); }
    [[nodiscard]] std::size_t bytes() const override { return shared_.bytes(); }

    void prepare() override {
        shared_.clear();
        handles_.clear();
        for (unsigned which = 0; which < 2; ++which) {
            auto* const at = base() + which * each_;
            if constexpr (requires { ring::initialise(at, geometry_); }) ring::initialise(at, geometry_);
            // One that puts in, and one that takes out.
            handles_.push_back(std::make_unique<ring>(at, geometry_, 0));
            handles_.push_back(std::make_unique<ring>(at, geometry_, 1));
        }
        found_[0] = found_[1] = false;
    }

    void run(unsigned t) override {
        auto& machine = *explorer::active();
        std::uint64_t item = 7;
        machine.begin_operation("put in");
        bool const in = handles_[2 * t]->try_push(&item);
        machine.end_operation(in ? "yes" : "full");
        if (!in) machine.fail("full, though it was empty");
        machine.begin_operation("look into the other");
        found_[t] = handles_[2 * (1 - t) + 1]->try_pop(&item);
        machine.end_operation(found_[t] ? "found" : "empty");
    }

    std::string check() override {
        return found_[0] || found_[1] ? std::string()
                                      : std::string("not linearizable: both are said to be empty");
    }

private:
    static constexpr std::uint64_t capacity = Policies::algorithm::min_capacity;

    decltype(ring::geometry(1, 1)) geometry_;
    std::size_t each_;
    structure_bytes shared_;
    std::vector<std::unique_ptr<ring>> handles_;
    bool found_[2] = {};
};

}  // namespace zeroipc::model
