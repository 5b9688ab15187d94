# The README's example is the one that is compiled and run: the text between ```cpp fences equals the file's.
file(READ ${ROOT}/README.md readme)
file(READ ${ROOT}/core/examples/queue.cpp example)
string(FIND "${readme}" "```cpp\n${example}```" at)
if(at EQUAL -1)
  message(FATAL_ERROR "README.md does not show core/examples/queue.cpp as it is")
endif()
