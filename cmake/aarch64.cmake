# The library on Arm: fast tests of core, cross-compiled, linked statically and run by QEMU's user emulation.
#   cmake -Droot=<tree> -Dwork=<folder> -P aarch64.cmake
# The cross compiler must not see /usr/include: Catch2's header, which is the same everywhere, is linked into a folder of its own.
find_program(compiler NAMES aarch64-linux-gnu-g++)
find_program(emulator NAMES qemu-aarch64-static qemu-aarch64)
find_path(catch NAMES catch2/catch.hpp PATHS /usr/include /usr/local/include)
foreach(needed IN ITEMS compiler emulator catch)
  if(NOT ${needed})
    message("skipped: no ${needed} for aarch64 (Debian: apt-get install g++-aarch64-linux-gnu qemu-user-static catch2)")
    return()
  endif()
endforeach()
file(REMOVE_RECURSE ${work})
file(MAKE_DIRECTORY ${work}/include)
file(CREATE_LINK ${catch}/catch2 ${work}/include/catch2 SYMBOLIC)

include(${CMAKE_CURRENT_LIST_DIR}/must.cmake)

set(compile ${compiler} -std=c++20 -O1 -pthread -static -I${root}/core/include -I${root}/core/tests/include -I${work}/include)
must(${compile} -c -o ${work}/main.o ${root}/cmake/catch_main.cpp)
foreach(test IN ITEMS table memory array queue queue_batch queue_zero_copy stack map policy header)
  if(NOT EXISTS ${root}/core/tests/${test}_test.cpp)
    continue()
  endif()
  must(${compile} -o ${work}/${test} ${root}/core/tests/${test}_test.cpp ${work}/main.o)
  # Tests tagged [kernel] look at what madvise and fork do to mappings, which user emulation does not pass on as it is.
  must(${emulator} ${work}/${test} "[fast]~[kernel]")
  string(REGEX MATCH "(All tests passed|test cases:)[^\n]*" verdict "${output}")
  message("${test}: ${verdict}")
endforeach()
file(REMOVE_RECURSE ${work})
