#include <zeroipc/variants/catalogue.hpp>

#include "parts.hpp"

namespace zeroipc::bench {

namespace {

using Word = std::uint64_t;

template <class Map>
[[gnu::noinline]] bool find(Map& map, Word const& key, Word& value) {
    return map.find(key, value);
}
template <class Map>
[[gnu::noinline]] outcome insert(Map& map, Word const& key, Word const& value) {
    return map.insert(key, value);
}
template <class Map>
[[gnu::noinline]] bool erase(Map& map, Word const& key) {
    return map.erase(key);
}

template <class Variant, std::size_t... Sizes>
ExplainedSizes explained_map() {
    using map = typename Variant::template type<Word, Word>;
    std::vector<Operation> const operations{{"find", reinterpret_cast<void const*>(&find<map>)},
                                            {"insert", reinterpret_cast<void const*>(&insert<map>)},
                                            {"erase", reinterpret_cast<void const*>(&erase<map>)}};
    return {{Sizes, explained_as<detail::map_shape<typename Variant::policies, sizeof(Word), Sizes>>(
                        operations)}...};
}

}  // namespace

ExplainedTable explained_maps() {
    ExplainedTable table;
    variants::for_each_variant<variants::map_catalogue>(
        [&]<class Variant>() { table.emplace(Variant::name(), explained_map<Variant, 8, 64>()); });
    return table;
}

}  // namespace zeroipc::bench
