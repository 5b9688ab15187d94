#pragma once
/// \file
/// A folder for a test's files.

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace zeroipc::bench::testing {

namespace fs = std::filesystem;

/// A folder of its own, gone with the object.
class Folder {
public:
    Folder() {
        auto pattern = (fs::temp_directory_path() / "zeroipc-program-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr)
            throw std::system_error(errno, std::generic_category(), "mkdtemp");
        path_ = pattern;
    }
    Folder(Folder const&) = delete;
    Folder& operator=(Folder const&) = delete;
    Folder(Folder&&) = delete;
    Folder& operator=(Folder&&) = delete;
    ~Folder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    [[nodiscard]] fs::path operator/(std::string const& name) const { return path_ / name; }
    [[nodiscard]] fs::path const& path() const { return path_; }

private:
    fs::path path_;
};

}  // namespace zeroipc::bench::testing
