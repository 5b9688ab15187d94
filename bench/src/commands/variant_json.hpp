#pragma once

#include <zeroipc/variants/catalogue.hpp>

#include <nlohmann/json.hpp>

namespace zeroipc::bench {

/// What the catalogue says of a variant.
inline nlohmann::json to_json(variants::variant_info const& v) {
    auto const limit = [](std::uint32_t handles) {
        return handles == variants::any_number ? nlohmann::json(nullptr) : nlohmann::json(handles);
    };
    return {{"name", v.name},
            {"structure", v.structure},
            {"is_default", v.is_default},
            {"kill_safe", v.kill_safe},
            {"linearizable_negatives", v.linearizable_negatives},
            {"uses_kernel_locks", v.uses_kernel_locks},
            {"unsafe", v.unsafe},
            {"max_producers", limit(v.max_producers)},
            {"max_consumers", limit(v.max_consumers)},
            {"progress", v.progress},
            {"source", v.source},
            {"takes", v.takes},
            {"note", v.note}};
}

}  // namespace zeroipc::bench
