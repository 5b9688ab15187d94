#include <zeroipc/variants/catalogue.hpp>

#include <set>

namespace zeroipc::variants {

std::vector<variant_info> const& list() {
    static std::vector<variant_info> const all = [] {
        std::vector<variant_info> infos;
        std::set<std::string> structures;
        for_each_variant([&]<class Variant>() {
            variant_info info;
            info.name = Variant::name();
            info.structure = Variant::structure;
            info.is_default = structures.insert(info.structure).second;
            info.kill_safe = Variant::kill_safe;
            info.linearizable_negatives = Variant::linearizable_negatives;
            info.uses_kernel_locks = Variant::uses_kernel_locks;
            info.unsafe = Variant::unsafe;
            info.max_producers = Variant::max_producers;
            info.max_consumers = Variant::max_consumers;
            info.progress = Variant::progress;
            info.source = Variant::source;
            info.takes = Variant::takes;
            using backoff = typename Variant::policies::backoff;
            if constexpr (requires { backoff::mechanism(); })
                info.note = std::string(backoff::name) + " is " + std::string(backoff::mechanism());
            infos.push_back(std::move(info));
        });
        return infos;
    }();
    return all;
}

}  // namespace zeroipc::variants
