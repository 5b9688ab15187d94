# Registers the tests of what must not compile: the compiler must refuse each probe with our own message. The twin, the
# same lines without the mistakes, must compile: so no probe fails for another reason.
# Included by core/CMakeLists.txt; as a script (cmake -P) it runs one probe.
if(CMAKE_SCRIPT_MODE_FILE)
  separate_arguments(flags UNIX_COMMAND "${flags}")
  execute_process(COMMAND ${compiler} -std=c++20 -fsyntax-only ${flags} -I${include} ${source}
                  RESULT_VARIABLE result OUTPUT_VARIABLE text ERROR_VARIABLE text)
  string(FIND "${text}" "${expected}" at)
  if("${expected}" STREQUAL "")
    if(NOT result EQUAL 0)
      message(FATAL_ERROR "must compile, and does not: ${source}\n${text}")
    endif()
  elseif(result EQUAL 0)
    message(FATAL_ERROR "compiles, and must not: ${source}")
  elseif(at EQUAL -1)
    message(FATAL_ERROR "refused without saying '${expected}': ${source}\n${text}")
  endif()
  return()
endif()

set(zeroipc_probe_script ${CMAKE_CURRENT_LIST_FILE})
get_filename_component(zeroipc_probe_include ${CMAKE_CURRENT_LIST_DIR}/../include ABSOLUTE)

function(zeroipc_probe name expected code)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/must_not_compile/${name}.cpp)
  file(WRITE ${source} "#include <string>\n#include <zeroipc/zeroipc.hpp>\nusing namespace zeroipc;\n${code}\n")
  add_test(NAME core_must_not_compile.${name}
           COMMAND ${CMAKE_COMMAND} "-Dcompiler=${CMAKE_CXX_COMPILER}" "-Dflags=${CMAKE_CXX_FLAGS}"
                   "-Dinclude=${zeroipc_probe_include}" "-Dexpected=${expected}" "-Dsource=${source}"
                   -P ${zeroipc_probe_script})
  set_tests_properties(core_must_not_compile.${name} PROPERTIES LABELS medium TIMEOUT 120)
endfunction()

zeroipc_probe(unknown_policy "zeroipc: a type in the policy list is not a policy" [[
struct hasty {};
void f(Memory& m) { Queue<int, hasty> q(m, "q"); }
]])
zeroipc_probe(foreign_kind "zeroipc: this structure does not take a policy of that kind" [[
struct odd { struct policy_kind {}; static constexpr std::string_view name = "odd"; };
void f(Memory& m) { Queue<int, odd> q(m, "q"); }
]])
zeroipc_probe(double_policy "zeroipc: two policies of the same kind were given" [[
void f(Memory& m) { Queue<int, layout::compact, layout::padded> q(m, "q"); }
]])
# A name that does not exist: the message is the compiler's own, and it names the word.
zeroipc_probe(misspelt_policy "exponental" [[
void f(Memory& m) { Queue<int, backoff::exponental> q(m, "q"); }
]])
zeroipc_probe(not_shareable "shareable" [[
void f(Memory& m) { Queue<std::string> q(m, "q"); }
]])
zeroipc_probe(array_item "shareable" [[
void f(Memory& m) { Queue<char[8]> q(m, "q"); }
]])
zeroipc_probe(array_of_aligned "zeroipc: the elements of an Array begin 8 bytes behind" [[
struct alignas(16) wide { int v[4]; };
void f(Memory& m) { Array<wide> a(m, "a"); }
]])
zeroipc_probe(array_policy "zeroipc: this structure does not take a policy of that kind" [[
void f(Memory& m) { Array<int, layout::padded> a(m, "a"); }
]])
zeroipc_probe(array_padded_atomic "without_padding" [[
struct alignas(8) loose { int a; char b; };
void f(Memory& m) { Array<loose> a(m, "a"); a.store(0, loose{}); }
]])
zeroipc_probe(array_large_atomic "atomic_size" [[
struct large { int v[4]; };
void f(Memory& m) { Array<large> a(m, "a"); a.store(0, large{}); }
]])
zeroipc_probe(array_float_count "counting_element" [[
void f(Memory& m) { Array<float> a(m, "a"); a.fetch_add(0, 1.0F); }
]])
zeroipc_probe(foreign_algorithm "zeroipc: this algorithm belongs to another kind of structure" [[
void f(Memory& m) { Stack<int, algorithm::exchange> s(m, "s", 4); }
]])
zeroipc_probe(key_with_padding "map_key" [[
struct padded { char a; int b; };
void f(Memory& m) { Map<padded, int> x(m, "x", 4); }
]])
zeroipc_probe(key_of_floating_point "map_key" [[
void f(Memory& m) { Map<double, int> x(m, "x", 4); }
]])
zeroipc_probe(twins "" [[
struct hasty : backoff::none {};
struct odd { using policy_kind = policy::backoff_kind; static constexpr std::string_view name = "odd"; void operator()() {} };
struct text { char bytes[8]; };
void f(Memory& m) {
    Stack<int, algorithm::treiber> s(m, "s", 4);
    Map<text, int, algorithm::buckets> x(m, "x", 4);
    Queue<int, hasty> a(m, "a");
    Queue<int, odd> b(m, "b");
    Queue<int, layout::padded, backoff::none> c(m, "c");
    Queue<int, backoff::exponential> d(m, "d");
    Queue<text> e(m, "e");
    struct alignas(8) wide { int v[4]; };
    struct alignas(8) tight { int a; int b; };
    Array<wide> g(m, "g");
    Array<tight, ordering::seq_cst> h(m, "h");
    h.store(0, tight{});
    Array<int> i(m, "i");
    i.fetch_add(0, 1);
}
]])
