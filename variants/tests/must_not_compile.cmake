# What must not compile of the catalogue, as core/tests/must_not_compile.cmake has it of core; the last probe is the twin.
function(zeroipc_variants_probe name expected code)
  zeroipc_probe_of(variants zeroipc/variants/variant.hpp "${PROJECT_SOURCE_DIR}/core/include;${PROJECT_SOURCE_DIR}/variants/include"
                   "${name}" "${expected}" "${code}")
endfunction()

zeroipc_variants_probe(undescribed_algorithm "zeroipc: an algorithm in the catalogue states structure" [[
struct quick : algorithm::exchange { static constexpr std::string_view progress = "quick"; };
auto name = variants::queue_variant<quick>::name();
]])
zeroipc_variants_probe(twins "" [[
struct quick : algorithm::exchange { static constexpr std::string_view progress = "lock-free"; };
auto name = variants::queue_variant<quick>::name();
]])
