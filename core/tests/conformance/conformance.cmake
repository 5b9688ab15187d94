# The cases of format/conformance, and the worker processes of the tests between languages: the same sources, linked with a
# library of each language. (Python's are core/python/tests/conformance.py and worker.py.)
set(zeroipc_conformance_dir ${CMAKE_CURRENT_LIST_DIR})

function(zeroipc_add_conformance test worker language)
  cmake_parse_arguments(arg "" "" "LIBS;INCLUDES" ${ARGN})
  add_library(${test}_player STATIC EXCLUDE_FROM_ALL ${zeroipc_conformance_dir}/player.cpp ${language})
  target_compile_options(${test}_player PRIVATE $<$<CONFIG:Release>:-O1>)
  target_include_directories(${test}_player PUBLIC ${zeroipc_conformance_dir} PRIVATE ${arg_INCLUDES})
  target_link_libraries(${test}_player PUBLIC zeroipc_testing nlohmann_json::nlohmann_json ${arg_LIBS} PRIVATE zeroipc_options)

  zeroipc_add_test(${test} ${zeroipc_conformance_dir}/conformance_test.cpp LIGHT LABELS fast LIBS ${test}_player)
  target_compile_definitions(${test} PRIVATE ZEROIPC_FORMAT_DIR="${CMAKE_CURRENT_SOURCE_DIR}/format")

  add_executable(${worker} ${zeroipc_conformance_dir}/worker.cpp)
  target_link_libraries(${worker} PRIVATE ${test}_player zeroipc_options)
endfunction()

zeroipc_add_conformance(core_conformance zeroipc_worker_cpp ${zeroipc_conformance_dir}/cpp_language.cpp)
zeroipc_add_conformance(c_conformance zeroipc_worker_c ${CMAKE_CURRENT_SOURCE_DIR}/c/tests/c_language.cpp
                        LIBS zeroipc::c
                        INCLUDES ${CMAKE_CURRENT_SOURCE_DIR}/c/tests/include ${CMAKE_CURRENT_SOURCE_DIR}/c/src)
