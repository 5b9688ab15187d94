#pragma once
/// \file
/// A map's history, key by key: each key is a register that may be absent.

#include <cstdint>
#include <optional>
#include <vector>

#include "container.hpp"

namespace zeroipc::bench::monitor {

/// What one key's operations say of each other. Finds: wrong values, stale reads, false "absent", false "present".
/// \param operations of one key, by their call; "full" ones left out.
Violation compare_reads(History const& history, std::vector<std::uint32_t> const& operations);

/// Looks for an order of one key's operations. Adds to the judgement's steps and returns. \return false with the reason in
/// the judgement if there is none, or none was found in `limit` steps.
bool order_key(History const& history, std::vector<std::uint32_t> const& operations, std::uint64_t limit,
               Judgement& judgement);

/// Finds "full" at a time when fewer keys than the capacity can have been inside.
/// \param keys the operations of each key, as above.
Violation compare_fulls(History const& history, std::vector<std::vector<std::uint32_t>> const& keys);

/// Whether an operation can have made an absent key present, or a present one absent.
bool may_add(Operation const& op);
bool may_remove(Operation const& op);
/// Whether it says that the key was absent (present) at the moment when it took effect.
bool saw_absent(Operation const& op);
bool saw_present(Operation const& op);
/// Whether it leaves the key absent (present) for certain.
bool left_absent(Operation const& op);
bool left_present(Operation const& op);
/// The value that it says the key had, and the one that it gave the key for certain.
std::optional<std::uint64_t> value_seen(Operation const& op);
std::optional<std::uint64_t> value_left(Operation const& op);

}  // namespace zeroipc::bench::monitor
