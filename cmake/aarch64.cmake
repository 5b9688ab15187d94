# The library on Arm: fast tests of core and of the variants, cross-compiled, linked statically and run by QEMU's user emulation.
#   cmake -Droot=<tree> -Dwork=<folder> -P aarch64.cmake
# Left out is what asks more of the kernel than user emulation gives (tests tagged [kernel]): it passes madvise and fork on in its
# own way, and knows no robust list, by which the kernel takes mutexes from the dead. And what steps through each access of an
# operation, for it takes minutes.
# The cross compiler must not see /usr/include: the headers of Catch2 and nlohmann-json, which are the same everywhere, are
# linked into a folder of their own.
cmake_minimum_required(VERSION 3.22)
find_program(compiler NAMES aarch64-linux-gnu-g++)
find_program(emulator NAMES qemu-aarch64-static qemu-aarch64)
find_path(catch NAMES catch2/catch.hpp PATHS /usr/include /usr/local/include)
find_path(json NAMES nlohmann/json.hpp PATHS /usr/include /usr/local/include)
foreach(needed IN ITEMS compiler emulator catch json)
  if(NOT ${needed})
    message("skipped: no ${needed} for aarch64 (Debian: apt-get install g++-aarch64-linux-gnu qemu-user-static catch2 nlohmann-json3-dev)")
    return()
  endif()
endforeach()
file(REMOVE_RECURSE ${work})
file(MAKE_DIRECTORY ${work}/include)
file(CREATE_LINK ${catch}/catch2 ${work}/include/catch2 SYMBOLIC)
file(CREATE_LINK ${json}/nlohmann ${work}/include/nlohmann SYMBOLIC)

include(${CMAKE_CURRENT_LIST_DIR}/must.cmake)

set(compile ${compiler} -std=c++20 -O1 -pthread -static -I${root}/core/include -I${root}/core/tests/include
            -I${root}/variants/include -I${work}/include -DZEROIPC_FORMAT_DIR="${root}/core/format"
            -DZEROIPC_GOLDEN_DIR="${root}/core/format/golden/variants")
# object(NAME SOURCE...): compiles what several programs have in common.
function(object name)
  must(${compile} -c -o ${work}/${name}.o ${ARGN})
endfunction()
# on_arm(NAME SOURCE...): compiles that test, and runs it.
function(on_arm name)
  must(${compile} -o ${work}/${name} ${ARGN} ${work}/main.o)
  must(${emulator} ${work}/${name} "[fast]~[kernel]")
  string(REGEX MATCH "(All tests passed|test cases:)[^\n]*" verdict "${output}")
  message("${name}: ${verdict}")
  file(REMOVE ${work}/${name})
endfunction()

object(main ${root}/cmake/catch_main.cpp)
foreach(test IN ITEMS table memory array queue queue_batch queue_zero_copy queue_repair stack map policy repair lessons format)
  on_arm(${test} ${root}/core/tests/${test}_test.cpp)
endforeach()

object(catalogue ${root}/variants/src/catalogue.cpp)
object(conformance ${root}/variants/tests/conformance_test.cpp)
foreach(test IN ITEMS policies format golden)
  on_arm(variants_${test} ${root}/variants/tests/${test}_test.cpp ${work}/catalogue.o)
endforeach()
foreach(structure IN ITEMS queue stack map)
  on_arm(variants_conformance_${structure} -DZEROIPC_STRUCTURE=${structure} ${root}/variants/tests/conformance/subjects.cpp
         ${work}/conformance.o ${work}/catalogue.o)
endforeach()
file(REMOVE_RECURSE ${work})
