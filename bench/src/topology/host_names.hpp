#pragma once

#include <string>
#include <string_view>

namespace zeroipc::bench {

/// hwloc XML without the info attributes that may say which machine it is: only known harmless ones stay. Pure.
std::string without_host_names(std::string_view xml);

}  // namespace zeroipc::bench
