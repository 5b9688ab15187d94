# Registers the tests of what must not compile: the compiler must refuse each probe with our own message. The twin, the
# same lines without the mistakes, must compile: so no probe fails for another reason.
# Included by core/CMakeLists.txt, and the function by variants/tests/must_not_compile.cmake; as a script (cmake -P) it runs
# one probe.
if(CMAKE_SCRIPT_MODE_FILE)
  separate_arguments(flags UNIX_COMMAND "${flags}")
  list(TRANSFORM include PREPEND -I)
  execute_process(COMMAND ${compiler} -std=c++20 -fsyntax-only ${flags} ${include} ${source}
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

# A probe of a layer of the project, which includes that header, and has those folders on the include path.
function(zeroipc_probe_of layer header include name expected code)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/must_not_compile/${name}.cpp)
  file(WRITE ${source} "#include <${header}>\n#include <string>\nusing namespace zeroipc;\n${code}\n")
  add_test(NAME ${layer}_must_not_compile.${name}
           COMMAND ${CMAKE_COMMAND} "-Dcompiler=${CMAKE_CXX_COMPILER}" "-Dflags=${CMAKE_CXX_FLAGS}"
                   "-Dinclude=${include}" "-Dexpected=${expected}" "-Dsource=${source}"
                   -P ${CMAKE_CURRENT_FUNCTION_LIST_FILE})
  set_tests_properties(${layer}_must_not_compile.${name} PROPERTIES LABELS medium TIMEOUT 120)
endfunction()

function(zeroipc_probe name expected code)
  zeroipc_probe_of(core zeroipc/zeroipc.hpp "${PROJECT_SOURCE_DIR}/core/include" "${name}" "${expected}" "${code}")
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
# Policies that an algorithm has no use for. Its twin leaves the choice.
zeroipc_probe(fixed_ordering "zeroipc: this algorithm fixes its memory ordering; leave the ordering policy out" [[
struct fixed : algorithm::exchange { static constexpr bool takes_ordering = false; };
void f(Memory& m) { Queue<int, fixed, ordering::acq_rel> q(m, "q"); }
]])
zeroipc_probe(no_race "zeroipc: this algorithm has no race to back off from; leave the backoff policy out" [[
struct alone : algorithm::exchange { static constexpr bool takes_backoff = false; };
void f(Memory& m) { Queue<int, alone, backoff::none> q(m, "q"); }
]])
zeroipc_probe(wakes_nobody "zeroipc: this algorithm wakes nobody; use waiting::yield or waiting::spin" [[
struct silent : algorithm::exchange { static constexpr bool can_sleep = false; };
void f(Memory& m) { Queue<int, silent, waiting::futex> q(m, "q"); }
]])
# Policies of the right kind and name that lack something of it.
zeroipc_probe(incomplete_backoff "zeroipc: this backoff lacks operator()()" [[
struct idle { using policy_kind = policy::backoff_kind; static constexpr std::string_view name = "idle"; };
void f(Memory& m) { Queue<int, idle> q(m, "q"); }
]])
zeroipc_probe(incomplete_waiting "zeroipc: this waiting lacks sleeps or wait" [[
struct idle { using policy_kind = policy::waiting_kind; static constexpr std::string_view name = "idle"; static constexpr bool sleeps = false; };
void f(Memory& m) { Stack<int, idle> s(m, "s"); }
]])
zeroipc_probe(incomplete_layout "zeroipc: this layout lacks one of id, head_offset" [[
struct loose { using policy_kind = policy::layout_kind; static constexpr std::string_view name = "loose"; static constexpr std::uint32_t id = 1000; };
void f(Memory& m) { Map<int, int, loose> x(m, "x"); }
]])
zeroipc_probe(incomplete_observer "zeroipc: this observer lacks one of retry, help" [[
struct blind { using policy_kind = policy::observer_kind; static constexpr std::string_view name = "blind"; void retry() {} };
void f(Memory& m) { Queue<int, blind> q(m, "q"); }
]])
zeroipc_probe(incomplete_ordering "zeroipc: this ordering lacks one of load, store" [[
struct vague { using policy_kind = policy::ordering_kind; static constexpr std::string_view name = "vague"; };
void f(Memory& m) { Queue<int, vague> q(m, "q"); }
]])
zeroipc_probe(incomplete_array_ordering "zeroipc: this ordering lacks one of load, store" [[
struct vague { using policy_kind = policy::ordering_kind; static constexpr std::string_view name = "vague"; };
void f(Memory& m) { Array<int, vague> a(m, "a"); }
]])
zeroipc_probe(incomplete_atomics "zeroipc: these atomics lack one of word" [[
struct half { using policy_kind = policy::atomics_kind; static constexpr std::string_view name = "half"; template <class V> using word = std::atomic<V>; };
void f(Memory& m) { Queue<int, half> q(m, "q"); }
]])
zeroipc_probe(twins "" [[
struct hasty : backoff::none {};
struct odd { using policy_kind = policy::backoff_kind; static constexpr std::string_view name = "odd"; void operator()() {} };
struct text { char bytes[8]; };
struct fixed : algorithm::exchange { static constexpr bool takes_ordering = false; };
struct alone : algorithm::exchange { static constexpr bool takes_backoff = false; };
struct silent : algorithm::exchange { static constexpr bool can_sleep = false; };
struct busy { using policy_kind = policy::backoff_kind; static constexpr std::string_view name = "busy"; void operator()() {} };
struct dozing : waiting::yield { static constexpr std::string_view name = "dozing"; };
struct loose : layout::compact { static constexpr std::string_view name = "loose"; static constexpr std::uint32_t id = 1000; };
struct seeing { using policy_kind = policy::observer_kind; static constexpr std::string_view name = "seeing"; void retry() {} void help() {} void backoff() {} void system_call() {} };
struct vague : ordering::acq_rel { static constexpr std::string_view name = "vague"; };
struct half : atomics::native { static constexpr std::string_view name = "half"; };
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
    Queue<int, fixed, backoff::none> j(m, "j");
    Queue<int, alone, ordering::seq_cst> k(m, "k");
    Queue<int, silent, waiting::spin> l(m, "l");
    Queue<int, busy, seeing, vague> n(m, "n");
    Stack<int, dozing> o(m, "o");
    Map<int, int, loose> p(m, "p");
    Array<int, vague> r(m, "r");
    Queue<int, half> t(m, "t");
}
]])
