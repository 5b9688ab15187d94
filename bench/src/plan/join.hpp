#pragma once

#include <cstddef>
#include <sstream>
#include <string>
#include <vector>

namespace zeroipc::bench {

/// A list in a message.
template <class T>
std::string join(std::vector<T> const& items) {
    std::ostringstream text;
    for (std::size_t i = 0; i < items.size(); ++i) text << (i == 0 ? "" : ", ") << items[i];
    return text.str();
}

}  // namespace zeroipc::bench
