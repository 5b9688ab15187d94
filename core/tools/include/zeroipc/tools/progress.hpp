#pragma once
/// \file
/// Progress of a long run on standard error: a bar with the time left on a terminal, plain lines elsewhere.

#include <chrono>
#include <cstddef>
#include <string>

namespace zeroipc::tools {

class Progress {
public:
    /// \param unit what the steps are, for the plain lines: "runs"
    explicit Progress(std::size_t total, std::string unit = "runs");
    Progress(Progress const&) = delete;
    Progress& operator=(Progress const&) = delete;
    Progress(Progress&&) = delete;
    Progress& operator=(Progress&&) = delete;
    ~Progress();

    /// About to start the next of `total` steps.
    void begin(std::string const& what);
    void end_step();
    /// Steps that will not be done.
    void skip(std::size_t steps);
    /// A line that stays.
    void say(std::string const& line);

    /// Takes the bar away until the next step, so that something can be written to the terminal.
    void hide();

private:
    void draw() const;
    [[nodiscard]] std::string left() const;

    std::size_t total_;
    std::string unit_;
    std::size_t done_ = 0;
    std::size_t next_line_ = 0;
    bool terminal_;
    std::string what_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    mutable std::chrono::steady_clock::time_point drawn_;
};

/// "1 min 20 s".
std::string format_duration(std::chrono::duration<double> time);

}  // namespace zeroipc::tools
