#pragma once
/// \file
/// Golden images: segments as text (core/format/layout.md).

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iomanip>
#include <ios>
#include <sstream>
#include <stdexcept>
#include <string>

namespace zeroipc::testing {

/// The image in a .hex file. \throw std::runtime_error if the file is not there, or no such image.
inline std::string golden_image(std::string const& file, std::uint64_t bytes) {
    std::ifstream lines(file);
    if (!lines) throw std::runtime_error(file + ": can't be read");
    std::string image(bytes, '\0');
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::size_t offset = 0;
        words >> std::hex >> offset;
        for (unsigned i = 0; i < 16; ++i) {
            unsigned byte = 0x100;
            words >> byte;
            if (byte >= 0x100 || offset + i >= bytes)
                throw std::runtime_error(file + ": not an image of " + std::to_string(bytes) +
                                         " bytes: " + line);
            image[offset + i] = static_cast<char>(byte);
        }
    }
    return image;
}

/// As the .hex files have it, so that a failed comparison can be read.
inline std::string listing(std::string const& image) {
    std::ostringstream text;
    text << std::hex << std::setfill('0');
    for (std::size_t at = 0; at < image.size(); at += 16) {
        auto const part = image.substr(at, 16);
        if (part.find_first_not_of('\0') == std::string::npos) continue;
        text << std::setw(8) << at << ' ';
        for (char const byte : part)
            text << ' ' << std::setw(2) << unsigned{static_cast<unsigned char>(byte)};
        text << '\n';
    }
    return text.str();
}

}  // namespace zeroipc::testing
