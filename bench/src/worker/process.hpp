#pragma once

#include <zeroipc/memory.hpp>

#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>

#include "zeroipc/bench/control.hpp"
#include "zeroipc/bench/isolation.hpp"
#include "zeroipc/bench/pinning.hpp"
#include "zeroipc/bench/subject.hpp"
#include "zeroipc/bench/topology.hpp"

namespace zeroipc::bench {

/// What the workers of one process share: the mapping, and what is done once in it by whoever comes first.
class Process {
public:
    Process(Memory& memory, Control& control)
        : memory_(memory), control_(control), topology_(read_topology(memory, control)) {
        subject_ = find_subject(control.variant.view(), control.payload_bytes);
        if (!subject_)
            throw std::logic_error("this program has no variant " + std::string(control.variant.view()));
    }

    /// Makes, in the process of all workers, and fills what is not in the segment. Its pages come to lie where the first worker runs.
    void make() {
        if (subject_->make == nullptr) return;
        pin_this_thread(topology_, control_.cpus[0]);
        Initial initial;
        made_ = subject_->make(control_, initial);
        control_.made_items = initial.items;
        control_.made_sum = initial.sum;
    }

    Prefault prefault_once() {
        std::call_once(prefaulted_, [&] { prefault_ = prefault(memory_.base(), memory_.bytes()); });
        return prefault_;
    }
    Outcome const& lock_once() {
        std::call_once(locked_, [&] { lock_ = lock_memory(); });
        return lock_;
    }

    [[nodiscard]] Memory& memory() const { return memory_; }
    [[nodiscard]] Control& control() const { return control_; }
    [[nodiscard]] Topology const& topology() const { return topology_; }
    [[nodiscard]] Subject const& subject() const { return *subject_; }
    [[nodiscard]] void* made() const { return made_.get(); }

private:
    /// The coordinator discovered the machine; doing it again in each process would cost more than the window.
    static Topology read_topology(Memory& memory, Control const& control) {
        auto const* const xml = reinterpret_cast<char const*>(memory.base() + control.topology_offset);
        return Topology::from_xml_buffer(std::string(xml, control.topology_bytes), true);
    }

    Memory& memory_;
    Control& control_;
    Topology topology_;
    std::optional<Subject> subject_;
    std::shared_ptr<void> made_;
    std::once_flag prefaulted_;
    std::once_flag locked_;
    Prefault prefault_ = Prefault::touch;
    Outcome lock_;
};

}  // namespace zeroipc::bench
