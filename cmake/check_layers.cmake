# Dependencies run one way: core <- variants <- bench, and scripts read results only.
#   cmake -DROOT=<source tree> -P check_layers.cmake
function(check folder forbidden why)
  file(GLOB_RECURSE files ${ROOT}/${folder}/*.hpp ${ROOT}/${folder}/*.cpp ${ROOT}/${folder}/*.h ${ROOT}/${folder}/*.c ${ROOT}/${folder}/*.py)
  if(NOT files)
    message(SEND_ERROR "no files in ${folder}: this test looks in the wrong place")
  endif()
  foreach(file IN LISTS files)
    file(STRINGS ${file} lines REGEX "${forbidden}")
    if(lines)
      message(SEND_ERROR "${file}: ${why}: ${lines}")
    endif()
  endforeach()
endfunction()

check(core/include "^ *#include *[<\"]zeroipc/(variants|bench)/" "core knows neither variants nor bench")
check(core/include "^ *#include *<(hwloc|numa|nlohmann|CLI|benchmark|catch2|toml\\+\\+|boost|tbb)"
  "the library includes only the standard library and the system")
check(core/c/src "^ *#include *[<\"][^>\"]*\\.hpp" "the C library knows nothing of the C++ one")
check(variants "^ *#include *[<\"]zeroipc/bench/" "variants do not know bench")
check(variants/include "^ *#include *<(hwloc|numa|nlohmann|CLI|benchmark|catch2|toml\\+\\+|boost|tbb)"
  "variants include only core, the standard library and the system")
check(scripts "^ *(import|from) +(subprocess|ctypes).*zeroipc-bench" "reports read results, they do not run the harness")
