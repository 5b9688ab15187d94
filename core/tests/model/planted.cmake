# One ordering of the shipped headers is weakened in a copy; the explorer, built against the copy, must find it. Without
# a change it must find nothing. Run as a script: cmake -Dplant=NAME ... -P planted.cmake
set(copy ${work}/${plant})
file(REMOVE_RECURSE ${copy})
file(COPY ${include}/zeroipc DESTINATION ${copy})

# One place: two faults at once would not tell which of them is noticed.
function(weaken header from to)
  file(READ ${copy}/zeroipc/${header} text)
  string(FIND "${text}" "${from}" at)
  string(FIND "${text}" "${from}" last REVERSE)
  if(at EQUAL -1 OR NOT at EQUAL last)
    message(FATAL_ERROR "${header} does not have '${from}' once: tell this test what to weaken")
  endif()
  string(REPLACE "${from}" "${to}" text "${text}")
  file(WRITE ${copy}/zeroipc/${header} "${text}")
endfunction()

if(plant STREQUAL "exchange_without_release")
  # Every commit of every structure, in the default ordering.
  weaken(ordering.hpp "expected, desired, std::memory_order_acq_rel," "expected, desired, std::memory_order_acquire,")
elseif(plant STREQUAL "negative_without_fence")
  # The default ordering's: the one behind its read-modify-writes.
  set(above "return operation(std::memory_order_acq_rel);
    }
    template <class Atomics>
    static void before_negative() noexcept {
        ")
  weaken(ordering.hpp "${above}Atomics::fence(std::memory_order_seq_cst);" "${above}Atomics::fence(std::memory_order_acq_rel);")
elseif(plant STREQUAL "waker_without_fence")
  # (W3). The sleeper's own fence, in (W1), is one that no scene needs: mutations.md.
  weaken(waiting.hpp "Atomics::fence_after_rmw();\n        else" ";\n        else")
elseif(NOT plant STREQUAL "nothing")
  message(FATAL_ERROR "unknown: ${plant}")
endif()

execute_process(COMMAND ${compiler} -std=c++20 -O1 -I${copy} -I${model} -I${testing} ${source} -o ${copy}/explore -lboost_context
                RESULT_VARIABLE result OUTPUT_VARIABLE text ERROR_VARIABLE text)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "does not compile:\n${text}")
endif()
execute_process(COMMAND ${copy}/explore RESULT_VARIABLE result OUTPUT_VARIABLE text ERROR_VARIABLE text)
string(REGEX MATCH "^[^\n]*" first "${text}")
message(STATUS "${first}")
if(plant STREQUAL "nothing")
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "the headers as they are were found wrong:\n${text}")
  endif()
elseif(NOT result EQUAL 1)
  message(FATAL_ERROR "the planted fault was not found (exit ${result}):\n${text}")
endif()
