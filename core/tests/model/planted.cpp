/// \file
/// Explores the three default algorithms, as the headers on the include path have them. Ends with 1, and says what is
/// wrong, as soon as something is. Built against copies of the headers in which one ordering was weakened.

#include <zeroipc/map.hpp>
#include <zeroipc/queue.hpp>
#include <zeroipc/stack.hpp>
#include <zeroipc_model/container_scenes.hpp>
#include <zeroipc_model/map_scene.hpp>

#include <cstdio>
#include <vector>

int main() {
    using namespace zeroipc;
    model::effort how;
    how.less_preemptions = 2;
    how.less_stale = 1;
    how.executions = 5'000;
    how.random = 500;
    for (auto const& plans : {model::container_scenes<zeroipc::detail::queue_policies<>>(),
                              model::container_scenes<zeroipc::detail::stack_policies<>>(),
                              model::map_scenes<zeroipc::detail::map_policies<>>()})
        for (auto const& plan : plans) {
            auto const result = model::explore_scene(plan, how);
            if (result.right) continue;
            std::printf("found: %s\n", result.text.c_str());
            return 1;
        }
    std::puts("nothing found");
    return 0;
}
