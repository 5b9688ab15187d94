# attempt(COMMAND...): runs it for a test's script; sets `status` and `output`, all that it said.
function(attempt)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE out ERROR_VARIABLE out)
  set(status "${result}" PARENT_SCOPE)
  set(output "${out}" PARENT_SCOPE)
endfunction()

# ended_well(COMMAND...): fails with all that the last attempt said unless it ended well.
function(ended_well)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${ARGN}\nended with ${status}:\n${output}")
  endif()
endfunction()

# must(COMMAND...): an attempt that ends well; sets `output`.
function(must)
  attempt(${ARGN})
  ended_well(${ARGN})
  set(output "${output}" PARENT_SCOPE)
endfunction()
