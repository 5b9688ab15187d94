# Variants of a user's own join by one option: the example is configured, built and checked as its guide says.
#   cmake -Dsource=<tree> -Dwork=<folder> -Dcompiler=<c++> -Dvariants=<header> -P own_variants.cmake
file(REMOVE_RECURSE ${work})
include(${source}/cmake/must.cmake)

must(${CMAKE_COMMAND} -S ${source} -B ${work} -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_COMPILER=${compiler}
     -DZEROIPC_FEW_VARIANTS=ON -DZEROIPC_EXTRA_VARIANTS=${variants})
must(${CMAKE_COMMAND} --build ${work} --target zeroipc-bench zeroipc-check zeroipc-kill variants_catalogue variants_conformance_queue)
must(${work}/variants/variants_catalogue)
must(${work}/variants/variants_conformance_queue "[fast]")

must(${work}/bench/zeroipc-bench --list)
foreach(name IN ITEMS queue/exchange/acq_rel/linear32/compact queue/spinlock/acq_rel/exp/compact
                      queue/spinlock/acq_rel/linear32/compact)
  if(NOT output MATCHES "${name}")
    message(FATAL_ERROR "zeroipc-bench --list does not name ${name}:\n${output}")
  endif()
endforeach()
must(${work}/variants/zeroipc-kill --kills 40 --slices 0 --variant queue/exchange/acq_rel/linear32/compact)
must(${work}/bench/zeroipc-bench --record ${work}/history --variant queue/spinlock/acq_rel/linear32/compact --operations 20000)
must(${work}/bench/zeroipc-check ${work}/history)
file(REMOVE_RECURSE ${work})
