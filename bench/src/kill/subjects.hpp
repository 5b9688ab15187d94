#pragma once
/// \file
/// What kill cells do on each variant, behind one table of functions. Compiled a structure a source file.

#include <zeroipc/memory.hpp>
#include <zeroipc/variants/catalogue.hpp>

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "zeroipc/bench/kill_workload.hpp"
#include "zeroipc/bench/subject_table.hpp"

namespace zeroipc::bench {

struct KillSubject {
    /// A worker's whole part, or the newcomer's.
    void (*work)(KillPart&, Memory&) = nullptr;
    /// Empties and refills the structure when all others are gone.
    void (*examine)(KillPart&, Memory&) = nullptr;
};

using KillTable = std::map<std::string, KillSubject, std::less<>>;

KillTable const& queue_kill_table();
KillTable const& stack_kill_table();
KillTable const& map_kill_table();

/// \throws std::invalid_argument if the catalogue has no such variant.
KillSubject const& find_kill_subject(std::string_view variant);

template <class Catalogue, template <class> class Parts>
KillTable kill_table() {
    KillTable table;
    variants::for_each_variant<Catalogue>([&]<class Variant>() {
        table.emplace(Variant::name(), KillSubject{&Parts<Variant>::work, &Parts<Variant>::examine});
    });
    return table;
}

}  // namespace zeroipc::bench
