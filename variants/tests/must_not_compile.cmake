# What must not compile of the catalogue, as core/tests/must_not_compile.cmake has it of core; the last probe is the twin.
function(zeroipc_variants_probe name expected code)
  zeroipc_probe_of(variants zeroipc/variants/variant.hpp "${PROJECT_SOURCE_DIR}/core/include;${PROJECT_SOURCE_DIR}/variants/include"
                   "${name}" "${expected}" "${code}")
endfunction()

# An algorithm without a source, and so told by the concept from one that states all.
set(unsourced [[
struct unsourced {
    using policy_kind = policy::algorithm_kind;
    using access = exchange_access;
    static constexpr std::string_view structure = "queue", name = "unsourced", progress = "lock-free";
    static constexpr std::uint32_t id = 1000;
    static constexpr std::uint64_t min_capacity = 1;
    static constexpr bool has_handles = true, can_sleep = true, takes_ordering = true, takes_backoff = true;
    static constexpr bool kill_safe = true, linearizable_negatives = true;
};
]])
zeroipc_variants_probe(undescribed_algorithm "zeroipc: an algorithm in the catalogue states structure" [[
struct quick : algorithm::exchange { static constexpr std::string_view progress = "quick"; };
auto name = variants::queue_variant<quick>::name();
]])
zeroipc_variants_probe(unsourced_algorithm "zeroipc: an algorithm in the catalogue states structure" "${unsourced}
auto name = variants::queue_variant<unsourced>::name();
")
# Layouts of which an algorithm makes nothing.
zeroipc_variants_probe(nothing_to_spread "zeroipc: this algorithm has no row of slots to spread; take a layout without slot_bytes" [[
#include <zeroipc/variants/layouts.hpp>
void f(Memory& m) { Map<int, int, layout::spread> x(m, "x"); }
]])
zeroipc_variants_probe(nothing_to_reorder "zeroipc: this algorithm's slots keep their order; take a layout without place_of" [[
#include <zeroipc/variants/layouts.hpp>
void f(Memory& m) { Stack<int, layout::remapped> s(m, "s"); }
]])
string(APPEND unsourced [[
#include <zeroipc/variants/layouts.hpp>
struct sourced : unsourced { static constexpr std::string_view source = "Nobody 1970"; };
struct quick : algorithm::exchange { static constexpr std::string_view progress = "lock-free"; };
auto name = variants::queue_variant<quick>::name() + variants::queue_variant<sourced>::name();
void f(Memory& m) {
    Map<int, int, layout::padded64> x(m, "x");
    Stack<int, layout::spread> s(m, "s");
    Queue<int, layout::remapped> q(m, "q");
}
]])
zeroipc_variants_probe(twins "" "${unsourced}")
