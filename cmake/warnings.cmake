# zeroipc_options: what every target built in this tree is compiled with. Installed headers do not carry it.
find_package(Threads REQUIRED)
add_library(zeroipc_options INTERFACE)
target_compile_options(zeroipc_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-align -Wimplicit-fallthrough
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor -Woverloaded-virtual>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 sees overlaps in std::string operator+ that are not there (GCC bug 105329).
  target_compile_options(zeroipc_options INTERFACE -Wno-restrict)
endif()
if(ZEROIPC_WERROR)
  target_compile_options(zeroipc_options INTERFACE -Werror)
endif()
if(ZEROIPC_SANITIZE)
  target_compile_options(zeroipc_options INTERFACE
    -fsanitize=${ZEROIPC_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(zeroipc_options INTERFACE -fsanitize=${ZEROIPC_SANITIZE})
endif()
target_link_libraries(zeroipc_options INTERFACE Threads::Threads rt)

if(ZEROIPC_BUILD_TESTS)
  # Catch2 2.13 with its main in one object, shared by all test programs.
  find_package(Catch2 2.13 REQUIRED)
  add_library(zeroipc_catch_main OBJECT ${CMAKE_CURRENT_LIST_DIR}/catch_main.cpp)
  target_link_libraries(zeroipc_catch_main PUBLIC Catch2::Catch2 PRIVATE zeroipc_options)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Under AddressSanitizer GCC 12 suspects the standard library's regular expressions, which Catch2 uses.
    target_compile_options(zeroipc_catch_main PRIVATE -Wno-maybe-uninitialized)
  endif()
endif()

# zeroipc_calculates(FILE...): sources that calculate much and race for nothing are optimised under sanitizers, too.
function(zeroipc_calculates)
  if(ZEROIPC_SANITIZE)
    set_property(SOURCE ${ARGN} APPEND PROPERTY COMPILE_OPTIONS -O1)
  endif()
endfunction()

# zeroipc_talks(FILE...): sources that read a command line or files and print, of many instantiations that run once: a release
# build optimises them a little only. Never what is timed.
function(zeroipc_talks)
  set_property(SOURCE ${ARGN} APPEND PROPERTY COMPILE_OPTIONS $<$<CONFIG:Release>:-O1>)
endfunction()

# zeroipc_times(FILE...): sources with loops that are timed, which shall not depend on their neighbours. A function with attribute
# flatten takes in all that it calls; but in GCC not a callee that an earlier pass has made a copy of, with other parameters or
# constants for them. And the same code begins at the same place in a cache line.
function(zeroipc_times)
  set(options -falign-functions=64)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Where so much code becomes one function, GCC 12 suspects values that are never read of being uninitialised.
    list(APPEND options -fno-ipa-sra -fno-ipa-cp -Wno-maybe-uninitialized)
  endif()
  set_property(SOURCE ${ARGN} APPEND PROPERTY COMPILE_OPTIONS ${options})
endfunction()

# zeroipc_add_test(NAME FILE [OWN_MAIN] [LIGHT] LABELS fast [medium slow stress] [LIBS ...]): one Catch2 program, with a main
# of its own if so said, and one ctest test for each label, which runs the cases of that tag. A label without a case fails,
# and so does a case without a label.
# LIGHT: a release build optimises it a little only, for it has many instantiations, which run for a short time each. So it is
# with every test of a folder that sets ZEROIPC_LIGHT_TESTS.
function(zeroipc_add_test name file)
  cmake_parse_arguments(arg "OWN_MAIN;LIGHT" "" "LABELS;LIBS" ${ARGN})
  add_executable(${name} ${file})
  if(arg_LIGHT OR ZEROIPC_LIGHT_TESTS)
    target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  endif()
  if(arg_OWN_MAIN)
    target_link_libraries(${name} PRIVATE zeroipc_options Catch2::Catch2 ${arg_LIBS})
  else()
    target_link_libraries(${name} PRIVATE zeroipc_options zeroipc_catch_main ${arg_LIBS})
  endif()
  foreach(label IN LISTS arg_LABELS)
    # Against hangs only: a machine may be busy.
    set(timeout 900)
    if(ZEROIPC_SANITIZE OR label MATCHES "slow|stress")
      set(timeout 3600)
    endif()
    add_test(NAME ${name}.${label} COMMAND ${name} --warn NoTests --durations yes --min-duration 1 "[${label}]")
    set_tests_properties(${name}.${label} PROPERTIES LABELS ${label} TIMEOUT ${timeout})
  endforeach()
  string(REPLACE ";" "]~[" known "~[${arg_LABELS}]")
  add_test(NAME ${name}.labelled COMMAND ${name} --list-test-names-only "${known}")
  set_tests_properties(${name}.labelled PROPERTIES LABELS fast PASS_REGULAR_EXPRESSION "^[ \\n]*$")
endfunction()
