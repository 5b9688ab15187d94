#pragma once
/// \file
/// The variants that this example adds. Configure with -DZEROIPC_EXTRA_VARIANTS=<this file>.

#include <tuple>

#include "linear_backoff.hpp"
#include "spinlock_ring.hpp"

struct zeroipc_extra_variants {
    using queues = std::tuple<zeroipc::variants::queue_variant<own::linear<32>>,
                              zeroipc::variants::queue_variant<own::spinlock>,
                              zeroipc::variants::queue_variant<own::spinlock, own::linear<32>>>;
    // using stacks = std::tuple<zeroipc::variants::stack_variant<...>>;
    // using maps = std::tuple<zeroipc::variants::map_variant<...>>;
};
