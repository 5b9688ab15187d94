/// \file
/// libFuzzer's entry: one program (zeroipc_hostile_program.hpp) over the structure ZEROIPC_FUZZ_PART.

#include <cstddef>
#include <cstdint>

#include "zeroipc_hostile_program.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace zeroipc::testing::hostile;
    run_program(part::ZEROIPC_FUZZ_PART, {data, size});
    return 0;
}
