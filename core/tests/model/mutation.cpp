#include <cstdio>
#include <cstring>
#include <zeroipc/map.hpp>
#include <zeroipc/queue.hpp>
#include <zeroipc/stack.hpp>
#include <zeroipc_model/container_scenes.hpp>
#include <zeroipc_model/map_scene.hpp>
#include <zeroipc_model/mutants.hpp>

using namespace zeroipc::model;

int main(int argc, char** argv) {
    bool const whole = argc > 2;
    std::vector<scene_plan> plans;
    if (!strcmp(argv[1], "queue")) plans = container_scenes<zeroipc::detail::queue_policies<>>();
    if (!strcmp(argv[1], "stack")) plans = container_scenes<zeroipc::detail::stack_policies<>>();
    if (!strcmp(argv[1], "map")) plans = map_scenes<zeroipc::detail::map_policies<>>();
    for (auto const& one : mutations_of(plans)) {
        auto const begin = std::chrono::steady_clock::now();
        auto const m = hunt(plans, one, whole);
        std::printf("%-70s %s  %s: %s (%.1f s)\n", one.text().c_str(), m.caught ? "caught" : "SURVIVES",
                    m.scene.c_str(), m.how.c_str(),
                    std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
        std::fflush(stdout);
    }
}
