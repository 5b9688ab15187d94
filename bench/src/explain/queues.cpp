#include <zeroipc/variants/catalogue.hpp>

#include "containers.hpp"

namespace zeroipc::bench {

ExplainedTable explained_queues() {
    return explained_containers<variants::queue_catalogue, detail::queue_shape, 8, 64, 256, 1024, 4096>();
}

}  // namespace zeroipc::bench
