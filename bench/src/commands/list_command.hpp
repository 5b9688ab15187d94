#pragma once
/// \file
/// zeroipc-bench --list.

namespace zeroipc::bench {

/// Prints variants, bounds, peers and languages: a line each, or as a JSON array (without the bounds).
/// \return the exit status.
int list_variants(bool as_json);

}  // namespace zeroipc::bench
