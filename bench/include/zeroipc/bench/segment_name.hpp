#pragma once
/// \file
/// Segments of the harness: their names, and that they go away.

#include <array>
#include <csignal>
#include <string>

namespace zeroipc::bench {

/// SIGINT, SIGTERM and SIGCHLD: waited for instead of handled.
sigset_t watched_signals();

/// The name of a segment of this process, gone with the object.
class SegmentName {
public:
    SegmentName();
    SegmentName(SegmentName const&) = delete;
    SegmentName& operator=(SegmentName const&) = delete;
    SegmentName(SegmentName&&) = delete;
    SegmentName& operator=(SegmentName&&) = delete;
    ~SegmentName();
    [[nodiscard]] std::string const& text() const { return name_; }

    /// What a run of a peer may have beside its segment; gone with it, and swept with it.
    static constexpr std::array<char const*, 2> besides{"there", "back"};
    static std::string beside(std::string const& segment, char const* which);

private:
    std::string name_;
};

/// Removes segments of processes that were killed: theirs is the name, and nobody has them mapped.
void remove_stale_segments();

}  // namespace zeroipc::bench
