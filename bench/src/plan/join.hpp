#pragma once

#include <cstddef>
#include <sstream>
#include <string>

namespace zeroipc::bench {

/// A list in a message.
template <class Items>
std::string join(Items const& items) {
    std::ostringstream text;
    for (std::size_t i = 0; i < items.size(); ++i) text << (i == 0 ? "" : ", ") << items[i];
    return text.str();
}

}  // namespace zeroipc::bench
