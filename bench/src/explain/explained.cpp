#include "explained.hpp"

#include <algorithm>

#include "parts.hpp"

namespace zeroipc::bench {

void Beginnings::add(char const* name, std::uint64_t offset) { parts_.push_back({name, offset, 0}); }

std::vector<Part> Beginnings::up_to(std::uint64_t total) && {
    std::stable_sort(parts_.begin(), parts_.end(),
                     [](auto const& a, auto const& b) { return a.offset < b.offset; });
    for (std::size_t i = 0; i < parts_.size(); ++i)
        parts_[i].bytes = (i + 1 < parts_.size() ? parts_[i + 1].offset : total) - parts_[i].offset;
    std::erase_if(parts_, [](auto const& part) { return part.bytes == 0; });
    return std::move(parts_);
}

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
