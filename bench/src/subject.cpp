#include "zeroipc/bench/subject.hpp"

#include "bounds.hpp"
#include "zeroipc/bench/languages.hpp"
#include "zeroipc/bench/peers.hpp"
#include "zeroipc/bench/subject_table.hpp"

namespace zeroipc::bench {

namespace {

std::optional<Subject> find_in(SubjectTable const& table, std::string_view variant) {
    auto const at = table.find(variant);
    if (at == table.end()) return std::nullopt;
    return at->second;
}

/// Tables are made when they are first asked for.
template <std::size_t N>
std::optional<Subject> find_queue(std::string_view variant) {
    static SubjectTable const table = queue_subjects<N>();
    return find_in(table, variant);
}
template <std::size_t N>
std::optional<Subject> find_stack_or_map(std::string_view variant) {
    static SubjectTable const stacks = stack_subjects<N>();
    static SubjectTable const maps = map_subjects<N>();
    return find_in(variant.starts_with("map/") ? maps : stacks, variant);
}

}  // namespace

std::vector<std::uint32_t> payload_sizes(std::string_view structure) {
    if (structure == "stack" || structure == "map") return {8, 64};
    return {8, 64, 256, 1024, 4096};
}

std::optional<Subject> find_subject(std::string_view variant, std::uint32_t payload_bytes) {
    if (variant.starts_with("bound/")) return find_bound(variant, payload_bytes);
    if (variant.starts_with("peer/")) return find_peer(variant, payload_bytes);
    if (variant.starts_with("lang/")) return find_language(variant, payload_bytes);
    bool const mixed = variant.starts_with("stack/") || variant.starts_with("map/");
    switch (payload_bytes) {
        case 8:
            return mixed ? find_stack_or_map<8>(variant) : find_queue<8>(variant);
        case 64:
            return mixed ? find_stack_or_map<64>(variant) : find_queue<64>(variant);
        case 256:
            return mixed ? std::nullopt : find_queue<256>(variant);
        case 1024:
            return mixed ? std::nullopt : find_queue<1024>(variant);
        case 4096:
            return mixed ? std::nullopt : find_queue<4096>(variant);
        default:
            return std::nullopt;
    }
}

}  // namespace zeroipc::bench
