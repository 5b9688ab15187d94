# zeroipc_measure: what workers measure beside throughput, and what can isolate them.
find_path(ZEROIPC_LIBPFM_INCLUDE perfmon/pfmlib_perf_event.h)
find_library(ZEROIPC_LIBPFM_LIBRARY pfm)
mark_as_advanced(ZEROIPC_LIBPFM_INCLUDE ZEROIPC_LIBPFM_LIBRARY)

add_library(zeroipc_measure STATIC src/commands/doctor.cpp
  src/measure/energy.cpp src/measure/isolation.cpp src/measure/perf_counters.cpp src/measure/steady.cpp)
target_compile_features(zeroipc_measure PUBLIC cxx_std_20)
target_include_directories(zeroipc_measure PUBLIC include)
target_link_libraries(zeroipc_measure PUBLIC zeroipc_placement PRIVATE zeroipc_options)
if(ZEROIPC_LIBPFM_INCLUDE AND ZEROIPC_LIBPFM_LIBRARY)
  message(STATUS "zeroipc-bench takes names of hardware events from libpfm4")
  set_source_files_properties(src/measure/perf_counters.cpp PROPERTIES COMPILE_DEFINITIONS ZEROIPC_HAS_LIBPFM)
  target_include_directories(zeroipc_measure SYSTEM PRIVATE ${ZEROIPC_LIBPFM_INCLUDE})
  target_link_libraries(zeroipc_measure PRIVATE ${ZEROIPC_LIBPFM_LIBRARY})
else()
  message(STATUS "zeroipc-bench knows generic hardware events only: libpfm4 (libpfm4-dev) is not installed")
endif()

if(ZEROIPC_BUILD_TESTS)
  foreach(part IN ITEMS histogram steady intervals fairness hiccups energy perf isolation doctor)
    zeroipc_add_test(bench_${part} tests/${part}_test.cpp LABELS fast LIBS zeroipc_measure)
  endforeach()
endif()
