# Variants of a user's own join by one option: the example is configured, built, checked, measured and plotted as its guide says.
#   cmake -Dsource=<tree> -Dwork=<folder> -Dcompiler=<c++> -Dvariants=<header> -P own_variants.cmake
cmake_minimum_required(VERSION 3.22)
file(REMOVE_RECURSE ${work})
include(${source}/cmake/must.cmake)

must(${CMAKE_COMMAND} -S ${source} -B ${work} -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_COMPILER=${compiler}
     -DZEROIPC_FEW_VARIANTS=ON -DZEROIPC_EXTRA_VARIANTS=${variants})
set(targets zeroipc-bench zeroipc-check zeroipc-kill variants_catalogue variants_conformance_queue)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${work} --target help OUTPUT_VARIABLE all)
if(all MATCHES "variants_model_queue")
  list(APPEND targets variants_model_queue)
else()
  message("the explorer is left out: it is not built here")
endif()
must(${CMAKE_COMMAND} --build ${work} --target ${targets})
must(${work}/variants/variants_catalogue)
must(${work}/variants/variants_conformance_queue "[fast]")
if("variants_model_queue" IN_LIST targets)
  must(${work}/variants/variants_model_queue "[fast]")
endif()

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

# Measured, and in the report, where there is a python that can make one.
must(${work}/bench/zeroipc-bench --variant queue/spinlock/acq_rel/exp/compact --rounds 2 --window 20 --out ${work}/run)
execute_process(COMMAND bash -c "source '${source}/scripts/lib/setup.sh' && zeroipc_pick_python \"\${ZEROIPC_PYTHON_MODULES[@]}\""
                RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
if(status EQUAL 0)
  must(${source}/scripts/report ${work}/run --quiet)
  file(READ ${work}/run/report.md report)
  # In Markdown an underscore may be written with a backslash before it.
  string(REPLACE "\\" "" report "${report}")
  if(NOT report MATCHES "queue/spinlock/acq_rel/exp/compact")
    message(FATAL_ERROR "report.md does not name queue/spinlock/acq_rel/exp/compact:\n${report}")
  endif()
else()
  message("the report is skipped: no python3 here can make it")
endif()
file(REMOVE_RECURSE ${work})
