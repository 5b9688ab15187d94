# Hostile bytes as programs: replayed by every compiler, and searched for by libFuzzer where a clang has it.

# Mappings with guards on either side, for whoever links it.
add_library(zeroipc_guarded OBJECT ${CMAKE_CURRENT_LIST_DIR}/guarded_mmap.cpp)
target_link_libraries(zeroipc_guarded PRIVATE zeroipc_options)
target_link_options(zeroipc_guarded INTERFACE -Wl,--wrap=mmap -Wl,--wrap=munmap)

add_executable(zeroipc-fuzz-replay ${CMAKE_CURRENT_LIST_DIR}/replay.cpp)
target_link_libraries(zeroipc-fuzz-replay PRIVATE zeroipc::zeroipc zeroipc_testing zeroipc_guarded zeroipc_options)

set(ZEROIPC_FUZZ_PARTS array queue stack map)
foreach(part IN LISTS ZEROIPC_FUZZ_PARTS)
  add_test(NAME core_fuzz_replay_${part}.fast
           COMMAND zeroipc-fuzz-replay ${part} ${CMAKE_CURRENT_LIST_DIR}/corpus/${part})
  set_tests_properties(core_fuzz_replay_${part}.fast PROPERTIES LABELS fast TIMEOUT 300)
endforeach()

# libFuzzer comes with clang. The library is headers only, so that clang builds the targets whatever compiles the rest.
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  set(ZEROIPC_FUZZ_CXX ${CMAKE_CXX_COMPILER})
else()
  find_program(ZEROIPC_FUZZ_CXX clang++ DOC "A clang++ with libFuzzer")
endif()
set(fuzz_flags -std=c++20 -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all)
set(fuzz_works FALSE)
if(ZEROIPC_FUZZ_CXX)
  set(probe ${CMAKE_CURRENT_BINARY_DIR}/fuzz_probe)
  file(WRITE ${probe}.cpp "#include <span>\n#include <cstdint>\n#include <cstddef>\nextern \"C\" int LLVMFuzzerTestOneInput(std::uint8_t const*, std::size_t) { return 0; }\n")
  execute_process(COMMAND ${ZEROIPC_FUZZ_CXX} ${fuzz_flags} ${probe}.cpp -o ${probe}
                  RESULT_VARIABLE fuzz_status OUTPUT_QUIET ERROR_QUIET)
  if(fuzz_status EQUAL 0)
    set(fuzz_works TRUE)
  endif()
endif()
if(NOT fuzz_works)
  message(STATUS "no clang++ with libFuzzer (Debian: clang, libclang-rt-dev): hostile segments are searched for by "
                 "random programs only, and the 15-second runs of each target are left out")
  return()
endif()

# Not part of "all": built when a test or somebody asks for them.
add_custom_target(core_fuzz)
add_test(NAME core_fuzz.build COMMAND ${CMAKE_COMMAND} --build ${CMAKE_BINARY_DIR} --target core_fuzz)
set_tests_properties(core_fuzz.build PROPERTIES LABELS slow FIXTURES_SETUP core_fuzz TIMEOUT 900)
foreach(part IN LISTS ZEROIPC_FUZZ_PARTS)
  set(program ${CMAKE_CURRENT_BINARY_DIR}/fuzz/core_fuzz_${part})
  set(sources ${CMAKE_CURRENT_LIST_DIR}/fuzz.cpp ${CMAKE_CURRENT_LIST_DIR}/guarded_mmap.cpp)
  # One translation unit, so that one dependency file says it all.
  add_custom_command(OUTPUT ${program}
    COMMAND ${ZEROIPC_FUZZ_CXX} ${fuzz_flags} -DZEROIPC_FUZZ_PART=${part} -I${CMAKE_CURRENT_SOURCE_DIR}/include
            -I${CMAKE_CURRENT_SOURCE_DIR}/tests/include -MMD -MT ${program} -MF ${program}.d
            ${CMAKE_CURRENT_LIST_DIR}/fuzz.cpp -include ${CMAKE_CURRENT_LIST_DIR}/guarded_mmap.cpp
            -Wl,--wrap=mmap -Wl,--wrap=munmap -lrt -o ${program}
    DEPENDS ${sources} DEPFILE ${program}.d VERBATIM
    COMMENT "Building the fuzz target of ${part}")
  add_custom_target(core_fuzz_${part} DEPENDS ${program})
  add_dependencies(core_fuzz core_fuzz_${part})
  # New inputs go to the build folder; the corpus is only read.
  set(found ${CMAKE_CURRENT_BINARY_DIR}/fuzz/found_${part})
  file(MAKE_DIRECTORY ${found})
  add_test(NAME core_fuzz_${part}.slow
           COMMAND ${program} -max_total_time=15 -timeout=60 -max_len=512 -len_control=10 -print_final_stats=1
                   -artifact_prefix=${found}- ${found} ${CMAKE_CURRENT_LIST_DIR}/corpus/${part})
  set_tests_properties(core_fuzz_${part}.slow PROPERTIES LABELS slow FIXTURES_REQUIRED core_fuzz TIMEOUT 300)
endforeach()
