#include <zeroipc/variants/catalogue.hpp>

#include "containers.hpp"

namespace zeroipc::bench {

ExplainedTable explained_stacks() {
    return explained_containers<variants::stack_catalogue, detail::stack_shape, 8, 64>();
}

}  // namespace zeroipc::bench
