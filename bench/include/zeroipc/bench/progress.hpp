#pragma once
/// \file
/// Progress of a long run on standard error: a bar with the time left on a terminal, plain lines elsewhere.

#include <chrono>
#include <cstddef>
#include <string>

namespace zeroipc::bench {

class Progress {
public:
    explicit Progress(std::size_t total);
    Progress(Progress const&) = delete;
    Progress& operator=(Progress const&) = delete;
    Progress(Progress&&) = delete;
    Progress& operator=(Progress&&) = delete;
    ~Progress();

    /// About to start the next of `total` steps.
    void begin(std::string const& what);
    void end_step();
    /// A line that stays.
    void say(std::string const& line);

private:
    void clear();
    void draw() const;
    [[nodiscard]] std::string left() const;

    std::size_t total_;
    std::size_t done_ = 0;
    std::size_t next_line_ = 0;
    bool terminal_;
    std::string what_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// "1 min 20 s".
std::string format_duration(std::chrono::duration<double> time);

}  // namespace zeroipc::bench
