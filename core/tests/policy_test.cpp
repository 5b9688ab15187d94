/// \file
/// Policies: any order, defaults, names, and the concepts that refuse everything else. What must not compile
/// is must_not_compile.cmake's.

#include <zeroipc/zeroipc.hpp>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace {

using namespace zeroipc;

struct not_a_policy {};
struct nameless {
    using policy_kind = policy::backoff_kind;
};
struct own_backoff {
    using policy_kind = policy::backoff_kind;
    static constexpr std::string_view name = "own";
    void operator()() noexcept {}
};

static_assert(policy::any_policy<backoff::none> && policy::any_policy<layout::padded> &&
              policy::any_policy<own_backoff>);
static_assert(!policy::any_policy<not_a_policy> && !policy::any_policy<nameless> && !policy::any_policy<int>);
static_assert(policy::of_kind<backoff::none, policy::backoff_kind>);
static_assert(!policy::of_kind<backoff::none, policy::layout_kind>);
static_assert(!policy::of_kind<not_a_policy, policy::layout_kind>);

// Each kind has a concept: what the algorithms use of such a policy.
static_assert(policy::backoff_policy<own_backoff> && policy::backoff_policy<backoff::exponential>);
static_assert(!policy::backoff_policy<nameless> && !policy::backoff_policy<layout::padded>);
struct impatient {
    using policy_kind = policy::backoff_kind;
    static constexpr std::string_view name = "impatient";
};
static_assert(!policy::backoff_policy<impatient>);
static_assert(policy::layout_policy<layout::compact> && policy::layout_policy<layout::padded>);
static_assert(!policy::layout_policy<own_backoff>);
static_assert(policy::observer_policy<observer::none> && policy::observer_policy<observer::counting>);
static_assert(policy::atomics_policy<atomics::native>);
template <class W, class Atomics = atomics::native>
inline constexpr bool waits = policy::waiting_policy<W, Atomics, observer::none>;
static_assert(waits<waiting::spin> && waits<waiting::yield> && waits<waiting::futex>);
template <class O, class Access>
inline constexpr bool orders = policy::ordering_policy<O, atomics::native, Access>;
static_assert(orders<ordering::acq_rel, exchange_access> && orders<ordering::seq_cst, treiber_access> &&
              orders<ordering::fences, bucket_access> && orders<ordering::acq_rel, array_access>);
// A policy may know the accesses of one algorithm only.
struct of_arrays : ordering::acq_rel {
    template <class Atomics, array_access Access, class Word>
    static auto load(Word const& word) noexcept {
        return word.load(std::memory_order_acquire);
    }
};
static_assert(orders<of_arrays, array_access> && !orders<of_arrays, exchange_access>);

template <class... Ps>
using chosen = detail::queue_policies<Ps...>;

// Defaults.
static_assert(std::is_same_v<chosen<>::algorithm, algorithm::exchange>);
static_assert(std::is_same_v<chosen<>::layout, layout::compact>);
static_assert(std::is_same_v<chosen<>::ordering, ordering::acq_rel>);
static_assert(std::is_same_v<chosen<>::backoff, backoff::exponential>);
static_assert(std::is_same_v<chosen<>::waiting, waiting::futex>);
static_assert(std::is_same_v<chosen<>::observer, observer::none>);
static_assert(std::is_same_v<chosen<>::atomics, atomics::native>);

// One given, wherever it stands, changes that one and no other.
template <class P>
inline constexpr bool only_layout_changed = std::is_same_v<typename P::layout, layout::padded>&&
    std::is_same_v<typename P::ordering, ordering::acq_rel>&&
        std::is_same_v<typename P::algorithm, algorithm::exchange>&&
            std::is_same_v<typename P::backoff, backoff::exponential>;
static_assert(only_layout_changed<chosen<layout::padded>>);

// Any order.
template <class P>
inline constexpr bool all_as_wished = std::is_same_v<typename P::layout, layout::padded>&& std::is_same_v<
    typename P::ordering, ordering::fences>&& std::is_same_v<typename P::backoff, own_backoff>&&
    std::is_same_v<typename P::waiting, waiting::spin>&&
        std::is_same_v<typename P::observer, observer::counting>&&
            std::is_same_v<typename P::algorithm, algorithm::exchange>;
static_assert(
    all_as_wished<chosen<layout::padded, ordering::fences, own_backoff, waiting::spin, observer::counting>>);
static_assert(
    all_as_wished<chosen<observer::counting, waiting::spin, own_backoff, ordering::fences, layout::padded>>);
static_assert(all_as_wished<chosen<own_backoff, layout::padded, observer::counting, algorithm::exchange,
                                   ordering::fences, waiting::spin>>);

// The structure sees the same.
static_assert(std::is_same_v<Queue<int, own_backoff, layout::padded>::policies::backoff, own_backoff>);

// An item is its bytes.
static_assert(shareable<int> && !shareable<char[3]> && !shareable<int const> && !shareable<std::string> &&
              !shareable<int&>);
struct alignas(64) line {
    char bytes[64];
};
struct alignas(128) two_lines {
    char bytes[128];
};
static_assert(shareable<line> && !shareable<two_lines>);

// The default observer costs no bytes, in any structure.
static_assert(std::is_empty_v<observer::none>);
static_assert(sizeof(Queue<int>) < sizeof(Queue<int, observer::counting>));
static_assert(sizeof(Stack<int>) < sizeof(Stack<int, observer::counting>));
static_assert(sizeof(Map<int, int>) < sizeof(Map<int, int, observer::counting>));

// Queue, Stack and Map have the same defaults but for the algorithm, and take the same kinds.
template <class P>
inline constexpr bool has_the_defaults = std::is_same_v<typename P::layout, layout::compact>&& std::is_same_v<
    typename P::ordering, ordering::acq_rel>&& std::is_same_v<typename P::backoff, backoff::exponential>&&
    std::is_same_v<typename P::waiting, waiting::futex>&& std::is_same_v<
        typename P::observer, observer::none>&& std::is_same_v<typename P::atomics, atomics::native>;
static_assert(has_the_defaults<Queue<int>::policies> && has_the_defaults<Stack<int>::policies> &&
              has_the_defaults<Map<int, int>::policies>);
static_assert(std::is_same_v<Stack<int>::algorithm, algorithm::treiber> &&
              std::is_same_v<Map<int, int>::algorithm, algorithm::buckets>);
static_assert(
    std::is_same_v<Stack<int, own_backoff, layout::padded>::policies::backoff, own_backoff> &&
    std::is_same_v<Stack<int, layout::padded, own_backoff>::policies::layout, layout::padded> &&
    std::is_same_v<Map<int, int, waiting::spin, layout::padded>::policies::layout, layout::padded> &&
    std::is_same_v<Map<int, int, layout::padded, waiting::spin>::policies::waiting, waiting::spin>);

TEST_CASE("policies have the names that variants and reports use", "[fast]") {
    CHECK(ordering::acq_rel::name == "acq_rel");
    CHECK(ordering::seq_cst::name == "seq_cst");
    CHECK(ordering::fences::name == "fences");
    CHECK(backoff::none::name == "none");
    CHECK(backoff::pause::name == "pause");
    CHECK(backoff::exponential::name == "exp");
    CHECK(backoff::yield::name == "yield");
    CHECK(layout::compact::name == "compact");
    CHECK(layout::padded::name == "padded");
    CHECK(waiting::spin::name == "spin");
    CHECK(waiting::yield::name == "yield");
    CHECK(waiting::futex::name == "futex");
    CHECK(observer::none::name == "none");
    CHECK(observer::counting::name == "counting");
    CHECK(algorithm::exchange::name == "exchange");
    CHECK(atomics::native::name == "native");
}

TEST_CASE("numbers that stand in shared memory are pinned", "[fast]") {
    CHECK(algorithm::exchange::id == 1);
    CHECK(layout::compact::id == 1);
    CHECK(layout::padded::id == 2);
    CHECK(static_cast<std::uint32_t>(format::kind::array) == 1);
    CHECK(static_cast<std::uint32_t>(format::kind::queue) == 2);
    CHECK(static_cast<std::uint32_t>(format::kind::stack) == 3);
    CHECK(static_cast<std::uint32_t>(format::kind::map) == 4);
}

TEST_CASE("every cause has a text of its own", "[fast]") {
    std::string seen;
    for (int i = 1; i <= static_cast<int>(errc::misuse); ++i) {
        auto const text = error_category().message(i);
        CHECK(text != "unknown error");
        CHECK(seen.find("|" + text + "|") == std::string::npos);
        seen += "|" + text + "|";
    }
    CHECK(error_category().message(0) == "unknown error");
    CHECK(error(errc::exists, "detail").code() == errc::exists);
}

TEST_CASE("backoff policies come back, and the exponential one is bounded", "[fast]") {
    backoff::exponential wait;
    for (int i = 0; i < 100; ++i) wait();
    backoff::yield{}();
    backoff::pause{}();
    backoff::none{}();
}

}  // namespace
