#pragma once

#include <hwloc.h>

#include <map>
#include <string>

namespace zeroipc::bench {

/// Efficiency of each CPU of a known kind, by the kernel's number.
using Kinds = std::map<unsigned, int>;

/// The structure below an object as text: see Topology::shape().
std::string describe(hwloc_obj_t object, Kinds const& kinds);

}  // namespace zeroipc::bench
