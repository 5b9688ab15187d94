# The library in other languages as subjects. A Python worker loads stages and loops as a library; it lies beside the program with
# the script that loads it and the package that it measures.
enable_language(C)
target_sources(zeroipc_bench PRIVATE src/languages/languages.cpp src/languages/c.cpp)
zeroipc_times(src/languages/c.cpp src/languages/python_worker.cpp)
target_link_libraries(zeroipc_bench PRIVATE zeroipc::c)

set(zeroipc_languages ${CMAKE_CURRENT_BINARY_DIR}/languages)
configure_file(src/languages/worker.py ${zeroipc_languages}/worker.py COPYONLY)
file(CREATE_LINK ${CMAKE_SOURCE_DIR}/core/python/zeroipc ${zeroipc_languages}/zeroipc SYMBOLIC)

# An interpreter without a sanitizer cannot load what has one.
if(NOT ZEROIPC_SANITIZE)
  set_target_properties(zeroipc_worker zeroipc_placement zeroipc_measure PROPERTIES POSITION_INDEPENDENT_CODE ON)
  add_library(zeroipc_bench_python MODULE src/languages/python_worker.cpp)
  target_link_libraries(zeroipc_bench_python PRIVATE zeroipc_worker zeroipc::variants zeroipc_measure zeroipc_placement zeroipc_options)
  target_include_directories(zeroipc_bench_python PRIVATE include)
  set_target_properties(zeroipc_bench_python PROPERTIES
    OUTPUT_NAME zeroipc-bench-python LIBRARY_OUTPUT_DIRECTORY ${zeroipc_languages})
  add_dependencies(zeroipc_bench zeroipc_bench_python)
endif()

# They fail where no python3 has NumPy: a skipped test would read as a passed one.
if(ZEROIPC_BUILD_TESTS AND NOT ZEROIPC_SANITIZE)
  zeroipc_add_test(bench_languages tests/languages_test.cpp LABELS fast medium LIBS zeroipc_bench)
  target_compile_definitions(bench_languages PRIVATE ZEROIPC_BENCH_PROGRAM="$<TARGET_FILE:zeroipc-bench>"
    ZEROIPC_RECORD_SCHEMA="${CMAKE_SOURCE_DIR}/results/schema/record.schema.json")
  add_dependencies(bench_languages zeroipc-bench)
endif()
