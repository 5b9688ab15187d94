#include <zeroipc/queue.hpp>
#include <zeroipc/stack.hpp>
#include <zeroipc_model/container_scenes.hpp>
#include <zeroipc_model/map_scene.hpp>
#include <catch2/catch.hpp>
#include <cstdio>

namespace {
using namespace zeroipc::model;
void all_of(std::vector<scene_plan> const& plans) {
    for (auto const& plan : plans) {
        auto const begin = std::chrono::steady_clock::now();
        effort how; how.executions = 3000000;
        auto const r = explore_scene(plan, how);
        std::printf("%-45s %6.2f s  %s\n", plan.name.c_str(), std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(), r.line().c_str());
        std::fflush(stdout);
        if (!r.right) std::printf("%s\n", r.text.c_str());
        CHECK(r.right);
    }
}
TEST_CASE("queue", "[fast]") { all_of(container_scenes<zeroipc::exchange_ring<on_model<zeroipc::detail::queue_policies<>>, 8>>({})); }
TEST_CASE("stack", "[fast]") { all_of(container_scenes<zeroipc::treiber_stack<on_model<zeroipc::detail::stack_policies<>>, 8>>({false})); }
TEST_CASE("map", "[fast]") { all_of(map_scenes<zeroipc::bucket_map<on_model<zeroipc::detail::map_policies<>>, 8, 8>>(true)); }
}
