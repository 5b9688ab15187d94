# zeroipc_explain: what `zeroipc-bench explain` knows of variants, their machine code, and perf.
add_library(zeroipc_explain STATIC src/commands/explain_command.cpp src/commands/explanation.cpp
  src/explain/disassembly.cpp src/explain/explained.cpp src/explain/maps.cpp src/explain/perf.cpp src/explain/process.cpp
  src/explain/queues.cpp src/explain/stacks.cpp src/explain/watched_run.cpp)
zeroipc_talks(src/commands/explain_command.cpp src/commands/explanation.cpp src/explain/disassembly.cpp src/explain/perf.cpp
  src/explain/process.cpp src/explain/watched_run.cpp)
target_include_directories(zeroipc_explain PUBLIC src)
target_link_libraries(zeroipc_explain PUBLIC zeroipc_bench PRIVATE CLI11::CLI11 zeroipc_options)

if(ZEROIPC_BUILD_TESTS)
  zeroipc_add_test(bench_explain tests/explain_test.cpp LABELS fast LIBS zeroipc_explain)
  target_compile_definitions(bench_explain PRIVATE ZEROIPC_LAYOUT="${PROJECT_SOURCE_DIR}/core/format/layout.json")
  zeroipc_add_test(bench_explain_program tests/explain_program_test.cpp LABELS fast LIBS zeroipc_bench)
  target_compile_definitions(bench_explain_program PRIVATE ZEROIPC_BENCH_PROGRAM="$<TARGET_FILE:zeroipc-bench>")
  add_dependencies(bench_explain_program zeroipc-bench)
endif()
