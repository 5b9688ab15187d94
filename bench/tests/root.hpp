#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "folder.hpp"

namespace zeroipc::bench::testing {

/// A folder that stands for the root of a machine; gone with the object.
class Root {
public:
    Root& with(std::string const& name, std::string const& content) {
        std::filesystem::create_directories((folder_ / name).parent_path());
        std::ofstream(folder_ / name) << content;
        return *this;
    }
    [[nodiscard]] std::filesystem::path const& path() const { return folder_.path(); }

private:
    Folder folder_;
};

}  // namespace zeroipc::bench::testing
