#include "explained.hpp"

namespace zeroipc::bench {

ExplainedSizes const& explained(std::string_view variant) {
    static auto const all = [] {
        auto table = explained_queues();
        table.merge(explained_stacks());
        table.merge(explained_maps());
        return table;
    }();
    return all.at(std::string(variant));
}

}  // namespace zeroipc::bench
