# zeroipc_placement: what the harness knows of machines: topology, placement, pinning, environment.
find_package(PkgConfig REQUIRED)
if(NOT TARGET PkgConfig::HWLOC)
  pkg_check_modules(HWLOC REQUIRED IMPORTED_TARGET GLOBAL hwloc>=2.5)
endif()
if(NOT TARGET PkgConfig::NUMA)
  pkg_check_modules(NUMA REQUIRED IMPORTED_TARGET GLOBAL numa)
endif()
if(NOT TARGET nlohmann_json::nlohmann_json)
  find_package(nlohmann_json 3.9 REQUIRED)
endif()

add_library(zeroipc_placement STATIC
  ${CMAKE_CURRENT_LIST_DIR}/src/environment.cpp
  ${CMAKE_CURRENT_LIST_DIR}/src/huge_pages.cpp
  ${CMAKE_CURRENT_LIST_DIR}/src/machine_files.cpp
  ${CMAKE_CURRENT_LIST_DIR}/src/pinning.cpp
  ${CMAKE_CURRENT_LIST_DIR}/src/placement.cpp
  ${CMAKE_CURRENT_LIST_DIR}/src/placement/orders.cpp
  ${CMAKE_CURRENT_LIST_DIR}/src/placement/roles.cpp
  ${CMAKE_CURRENT_LIST_DIR}/src/separation.cpp
  ${CMAKE_CURRENT_LIST_DIR}/src/topology.cpp
  ${CMAKE_CURRENT_LIST_DIR}/src/topology/host_names.cpp
  ${CMAKE_CURRENT_LIST_DIR}/src/topology/shape.cpp)
target_compile_features(zeroipc_placement PUBLIC cxx_std_20)
target_include_directories(zeroipc_placement PUBLIC ${CMAKE_CURRENT_LIST_DIR}/include)
target_link_libraries(zeroipc_placement
  PUBLIC PkgConfig::HWLOC PkgConfig::NUMA nlohmann_json::nlohmann_json
  PRIVATE zeroipc_options)

# The command that draws it.
add_library(zeroipc_topology_command STATIC
  ${CMAKE_CURRENT_LIST_DIR}/src/commands/topology_command.cpp
  ${CMAKE_CURRENT_LIST_DIR}/src/commands/topology_drawing.cpp)
zeroipc_talks(${CMAKE_CURRENT_LIST_DIR}/src/commands/topology_command.cpp ${CMAKE_CURRENT_LIST_DIR}/src/commands/topology_drawing.cpp
  ${CMAKE_CURRENT_LIST_DIR}/src/environment.cpp)
target_include_directories(zeroipc_topology_command PUBLIC ${CMAKE_CURRENT_LIST_DIR}/src)
target_link_libraries(zeroipc_topology_command PUBLIC zeroipc_placement PRIVATE CLI11::CLI11 zeroipc_options)

# The build as environment() reports it. Of one file only, so that a new revision does not rebuild everything.
# ZEROIPC_REVISION is set by whoever includes this, or is left undefined: then the revision is unknown.
string(TOUPPER "${CMAKE_BUILD_TYPE}" zeroipc_build_type_upper)
string(STRIP "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${zeroipc_build_type_upper}}" zeroipc_build_flags)
string(REPLACE "\"" "'" zeroipc_build_flags "${zeroipc_build_flags}")
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/src/environment.cpp PROPERTIES COMPILE_DEFINITIONS
  "ZEROIPC_BUILD_FLAGS=\"${zeroipc_build_flags}\";ZEROIPC_BUILD_TYPE=\"${CMAKE_BUILD_TYPE}\"")
set_property(SOURCE ${CMAKE_CURRENT_LIST_DIR}/src/environment.cpp APPEND PROPERTY COMPILE_DEFINITIONS
  "ZEROIPC_BUILD_SANITIZERS=\"${ZEROIPC_SANITIZE}\"")
if(ZEROIPC_REVISION)
  set_property(SOURCE ${CMAKE_CURRENT_LIST_DIR}/src/environment.cpp APPEND PROPERTY COMPILE_DEFINITIONS
    "ZEROIPC_REVISION=\"${ZEROIPC_REVISION}\"")
endif()

if(ZEROIPC_BUILD_TESTS)
  foreach(name IN ITEMS topology placement placement_roles pinning huge_pages environment separation topology_command)
    zeroipc_add_test(bench_${name}_test ${CMAKE_CURRENT_LIST_DIR}/tests/${name}_test.cpp
      LABELS fast LIBS zeroipc_topology_command zeroipc_placement)
    target_compile_definitions(bench_${name}_test PRIVATE
      ZEROIPC_BENCH_TEST_DATA="${CMAKE_CURRENT_LIST_DIR}/tests/data")
  endforeach()
endif()
