#pragma once
/// \file
/// zeroipc-bench --list.

namespace zeroipc::bench {

/// Prints variants, bounds and peers: a line each, or as a JSON array (variants and peers).
/// \return the exit status.
int list_variants(bool as_json);

}  // namespace zeroipc::bench
