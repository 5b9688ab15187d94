# The libraries on Arm: fast tests of core, of C and of the variants, cross-compiled, linked statically and run by QEMU's user
# emulation.
#   cmake -Droot=<tree> -Dwork=<folder> -P aarch64.cmake
# Left out is what asks more of the kernel than user emulation gives (tests tagged [kernel]): it passes madvise and fork on in its
# own way, and knows no robust list, by which the kernel takes mutexes from the dead. And what takes minutes there: the
# kills of operations_kill and map_kill, and hostile bytes.
# The cross compiler must not see /usr/include: the headers of Catch2 and nlohmann-json, which are the same everywhere, are
# linked into a folder of their own.
cmake_minimum_required(VERSION 3.22)
find_program(compiler NAMES aarch64-linux-gnu-g++)
find_program(c_compiler NAMES aarch64-linux-gnu-gcc)
find_program(emulator NAMES qemu-aarch64-static qemu-aarch64)
find_path(catch NAMES catch2/catch.hpp PATHS /usr/include /usr/local/include)
find_path(json NAMES nlohmann/json.hpp PATHS /usr/include /usr/local/include)
foreach(needed IN ITEMS compiler c_compiler emulator catch json)
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
            -DZEROIPC_GOLDEN_DIR="${root}/core/format/golden/variants"
            -DZEROIPC_VARIANTS_PAGE="${root}/variants/docs/variants.md")
# object(NAME SOURCE...): compiles what several programs have in common.
function(object name)
  must(${compile} -c -o ${work}/${name}.o ${ARGN})
endfunction()
# on_arm(NAME SOURCE...): compiles that test, and runs it. A program that is not done in ten minutes, where one takes at most two,
# is ended with all its processes and run once more, and what it had said is shown. Seen once in seven runs of one program: a
# process of QEMU 7.2 waited for a mutex in the emulator's own memory, for good. Twice is a failure.
function(on_arm name)
  must(${compile} -o ${work}/${name} ${ARGN} ${work}/main.o)
  set(run timeout -k 10 600 ${emulator} ${work}/${name} "[fast]~[kernel]" --durations yes)
  attempt(${run})
  if(status EQUAL 124 OR status EQUAL 137)
    message("${name}: not done in 600 s, and run once more; it had said:\n${output}")
    attempt(${run})
  endif()
  ended_well(${run})
  string(REGEX MATCH "(All tests passed|test cases:)[^\n]*" verdict "${output}")
  message("${name}: ${verdict}")
  file(REMOVE ${work}/${name})
endfunction()

object(main ${root}/cmake/catch_main.cpp)
foreach(test IN ITEMS table memory array queue queue_batch queue_zero_copy queue_kill queue_repair stack stack_kill map policy
                      repair lessons format)
  on_arm(${test} ${root}/core/tests/${test}_test.cpp)
endforeach()

# The C library.
include(${root}/core/c/cmake/format_header.cmake)
zeroipc_format_header(${root}/core/format/layout.json ${work}/include/zeroipc_format.h)
include(${root}/core/c/cmake/sources.cmake)
set(c_include -I${root}/core/c/include -I${root}/core/c/src -I${root}/core/c/tests/include)
foreach(source IN LISTS zeroipc_c_sources)
  get_filename_component(name ${source} NAME_WE)
  must(${c_compiler} -std=c11 -O1 -pthread -D_POSIX_C_SOURCE=200809L ${c_include} -I${work}/include -c -o ${work}/c_${name}.o
       ${root}/core/c/${source})
  list(APPEND c_objects ${work}/c_${name}.o)
endforeach()
foreach(test IN ITEMS memory golden structures)
  on_arm(c_${test} ${c_include} ${root}/core/c/tests/${test}_test.cpp ${c_objects})
endforeach()

object(catalogue ${root}/variants/src/catalogue.cpp)
object(conformance ${root}/variants/tests/conformance_test.cpp)
foreach(test IN ITEMS catalogue policies format golden faults)
  on_arm(variants_${test} ${root}/variants/tests/${test}_test.cpp ${work}/catalogue.o)
endforeach()
foreach(structure IN ITEMS queue stack map)
  on_arm(variants_conformance_${structure} -DZEROIPC_STRUCTURE=${structure} ${root}/variants/tests/conformance/subjects.cpp
         ${work}/conformance.o ${work}/catalogue.o)
endforeach()
file(REMOVE_RECURSE ${work})
