# Tests of the C library. They link both libraries: what one writes, the other reads.
find_package(nlohmann_json 3.9 REQUIRED)
add_library(zeroipc_c_testing INTERFACE)
target_include_directories(zeroipc_c_testing INTERFACE ${CMAKE_CURRENT_LIST_DIR}/include src ${zeroipc_c_made})
target_link_libraries(zeroipc_c_testing INTERFACE zeroipc_testing nlohmann_json::nlohmann_json)
target_compile_definitions(zeroipc_c_testing INTERFACE ZEROIPC_FORMAT_DIR="${CMAKE_CURRENT_SOURCE_DIR}/../format")

zeroipc_add_test(c_memory tests/memory_test.cpp LABELS fast LIBS zeroipc::c zeroipc_c_testing)
zeroipc_add_test(c_pages tests/pages_test.cpp LABELS fast LIBS zeroipc::c zeroipc_c_testing)
zeroipc_add_test(c_golden tests/golden_test.cpp LABELS fast LIBS zeroipc::c zeroipc_c_testing)
zeroipc_add_test(c_edges tests/edges_test.cpp LABELS fast LIBS zeroipc::c zeroipc_c_testing)
target_compile_definitions(c_edges PRIVATE ZEROIPC_C_SOURCES="${CMAKE_CURRENT_SOURCE_DIR}/src")
zeroipc_add_test(c_structures tests/structures_test.cpp LABELS fast LIBS zeroipc::c zeroipc_c_testing)
zeroipc_add_test(c_model tests/model_test.cpp LABELS fast LIBS zeroipc::c zeroipc_c_testing)
zeroipc_add_test(c_interop tests/interop_test.cpp LABELS fast LIBS zeroipc::c zeroipc_c_testing)
zeroipc_add_test(c_kill tests/kill_test.cpp LABELS fast medium LIBS zeroipc::c zeroipc_c_testing)

# Loops that cannot end are given up soon.
zeroipc_add_c_library(zeroipc_c_hasty ZEROIPC_PATIENCE=4096)
set_target_properties(zeroipc_c_hasty PROPERTIES EXCLUDE_FROM_ALL ON)
zeroipc_add_test(c_hostile tests/hostile_test.cpp LABELS fast LIBS zeroipc_c_hasty zeroipc_guarded zeroipc_c_testing)

add_test(NAME c_example_queue COMMAND zeroipc_c_example_queue)
set_tests_properties(c_example_queue PROPERTIES LABELS fast PASS_REGULAR_EXPRESSION "^42\n$" RESOURCE_LOCK c_example_queue)
add_test(NAME c_example_array COMMAND zeroipc_c_example_array)
set_tests_properties(c_example_array PROPERTIES LABELS fast PASS_REGULAR_EXPRESSION "^42 of 140\n$")
add_test(NAME c_example_stack COMMAND zeroipc_c_example_stack)
set_tests_properties(c_example_stack PROPERTIES LABELS fast PASS_REGULAR_EXPRESSION "^42 before 41\n$")
add_test(NAME c_example_map COMMAND zeroipc_c_example_map)
set_tests_properties(c_example_map PROPERTIES LABELS fast PASS_REGULAR_EXPRESSION "^apples: 8\n$")

find_program(ZEROIPC_PKG_CONFIG pkg-config REQUIRED)
add_test(NAME c_install
         COMMAND ${CMAKE_COMMAND} "-Dsource=${CMAKE_CURRENT_SOURCE_DIR}" "-Dwork=${CMAKE_CURRENT_BINARY_DIR}/install_test"
                 "-Dgenerator=${CMAKE_GENERATOR}" "-Dcompiler=${CMAKE_C_COMPILER}" "-Dcxx=${CMAKE_CXX_COMPILER}"
                 "-Dpkg_config=${ZEROIPC_PKG_CONFIG}" -P ${CMAKE_CURRENT_SOURCE_DIR}/tests/install_test.cmake)
set_tests_properties(c_install PROPERTIES LABELS medium TIMEOUT 300 RESOURCE_LOCK c_example_queue)  # runs it, too

# Not a test: what an operation costs in C and in C++.
add_executable(zeroipc_c_compare EXCLUDE_FROM_ALL tests/compare.cpp)
target_link_libraries(zeroipc_c_compare PRIVATE zeroipc::c zeroipc::zeroipc zeroipc_options)
