# Each public header stands alone and includes nothing but other headers of the library, the standard library, the
# compiler's, the C library's and the kernel's. Included by core/CMakeLists.txt; as a script (cmake -P) it checks one header,
# or with -Dlist that the list below is complete.
if(CMAKE_SCRIPT_MODE_FILE)
  cmake_minimum_required(VERSION 3.22)
endif()

# The C library's headers that lie directly in a system directory, beside everybody else's.
set(libc_headers
  alloca assert byteswap complex cpio ctype dirent dlfcn elf endian err errno error execinfo fcntl features features-time64
  fenv float fnmatch getopt grp iconv inttypes langinfo libgen libintl limits link locale malloc math memory mqueue nl_types
  poll pthread pwd regex sched search semaphore setjmp signal spawn stdc-predef stdint stdio stdlib string strings syscall
  sysexits syslog termios tgmath threads time uchar ucontext unistd utime wchar wctype)
set(libc_folders "arpa|asm|asm-generic|bits|gnu|linux|net|netinet|sys")

# Sets `kind` to what a system header belongs to, or to nothing.
function(owner_of path kind)
  get_filename_component(name ${path} NAME_WE)
  set(owner "")
  if(path MATCHES "/include/([^/]+/)?c\\+\\+/")
    set(owner "the standard library")
  elseif(path MATCHES "^/usr/(local/)?lib[^/]*/(gcc|llvm|clang)[^/]*/.*/include(-fixed)?/")
    set(owner "the compiler")
  elseif(path MATCHES "^/usr/include/([^/]*-linux-[^/]*/)?(${libc_folders})/")
    set(owner "the C library or the kernel")
  elseif(path MATCHES "^/usr/include/([^/]*-linux-[^/]*/)?[^/]+\\.h$" AND name IN_LIST libc_headers)
    set(owner "the C library")
  endif()
  set(${kind} "${owner}" PARENT_SCOPE)
endfunction()

if(CMAKE_SCRIPT_MODE_FILE AND DEFINED list)
  file(GLOB_RECURSE found RELATIVE ${include} ${include}/*)
  foreach(file IN LISTS found)
    if(NOT file IN_LIST list)
      message(SEND_ERROR "${file} is not in the list of headers in core/tests/headers_test.cmake")
    endif()
  endforeach()
  foreach(file IN LISTS list)
    if(NOT file IN_LIST found)
      message(SEND_ERROR "${file} is in the list of headers in core/tests/headers_test.cmake, and does not exist")
    endif()
  endforeach()
  return()
elseif(CMAKE_SCRIPT_MODE_FILE)
  # -H lists what is really included; -M would also list what a __has_include only looks for.
  execute_process(COMMAND ${compiler} -std=c++20 -fsyntax-only -Wall -Wextra -Werror -H -I${include} ${extra} ${source}
                  RESULT_VARIABLE result OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "does not compile on its own: ${source}\n${text}")
  endif()
  string(REGEX MATCHALL "(^|\n)\\.+ [^\n]+" lines "${text}")
  set(own 0)
  set(others 0)
  foreach(line IN LISTS lines)
    string(REGEX REPLACE "^\n?\\.+ " "" path "${line}")
    get_filename_component(path ${path} REALPATH)
    string(FIND ${path} ${include}/ at)
    owner_of(${path} owner)
    if(at EQUAL 0)
      math(EXPR own "${own} + 1")
    elseif(owner)
      math(EXPR others "${others} + 1")
    else()
      message(SEND_ERROR "${source} includes ${path}, which belongs to none of the library, the standard library, "
                         "the compiler, the C library and the kernel")
    endif()
  endforeach()
  if(own EQUAL 0 OR others EQUAL 0)
    message(FATAL_ERROR "found ${own} own and ${others} other headers: this test looks in the wrong place\n${text}")
  endif()
  message(STATUS "${own} own headers, ${others} of the system")
  return()
endif()

set(zeroipc_headers
  array.hpp atomics.hpp backoff.hpp bucket_map.hpp error.hpp exchange_ring.hpp hash.hpp layout.hpp map.hpp memory.hpp
  observer.hpp ordering.hpp policy.hpp queue.hpp repair.hpp shareable.hpp stack.hpp table.hpp treiber_stack.hpp waiting.hpp zeroipc.hpp
  detail/attachment.hpp detail/bucket_blocks.hpp detail/bucket_header.hpp detail/container.hpp detail/descriptor.hpp
  detail/exchange_repair.hpp detail/hand.hpp detail/object.hpp detail/pages.hpp detail/policies.hpp detail/structure.hpp)

set(zeroipc_headers_script ${CMAKE_CURRENT_LIST_FILE})
get_filename_component(zeroipc_headers_include ${CMAKE_CURRENT_LIST_DIR}/../include REALPATH)

function(zeroipc_header_test name code)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/headers/${name}.cpp)
  file(WRITE ${source} "${code}")
  add_test(NAME core_header.${name}
           COMMAND ${CMAKE_COMMAND} "-Dcompiler=${CMAKE_CXX_COMPILER}" "-Dinclude=${zeroipc_headers_include}"
                   "-Dextra=${ARGN}" "-Dsource=${source}" -P ${zeroipc_headers_script})
  set_tests_properties(core_header.${name} PROPERTIES LABELS fast TIMEOUT 120)
endfunction()

set(zeroipc_headers_full "")
foreach(header IN LISTS zeroipc_headers)
  string(REGEX REPLACE "\\.hpp$" "" name ${header})
  string(REPLACE "/" "." name ${name})
  zeroipc_header_test(${name} "#include <zeroipc/${header}>\n")
  list(APPEND zeroipc_headers_full zeroipc/${header})
endforeach()

add_test(NAME core_header.complete
         COMMAND ${CMAKE_COMMAND} "-Dinclude=${zeroipc_headers_include}" "-Dlist=${zeroipc_headers_full}"
                 -P ${zeroipc_headers_script})
set_tests_properties(core_header.complete PROPERTIES LABELS fast)

# The check itself: it finds a foreign header, in a folder that the compiler takes for the system's.
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/headers/foreign/numa.h "")
zeroipc_header_test(foreign_is_found "#include <numa.h>\n#include <zeroipc/error.hpp>\n"
                    -isystem${CMAKE_CURRENT_BINARY_DIR}/headers/foreign)
# CMake breaks the lines of its messages, where depends on the length of the path.
set_tests_properties(core_header.foreign_is_found PROPERTIES
  PASS_REGULAR_EXPRESSION "foreign/numa\\.h,[ \r\n]+which")
