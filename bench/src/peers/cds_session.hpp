#pragma once
/// \file
/// What libcds wants before its containers are used: itself, a garbage collector, and each thread made known to both.

#include <cds/gc/hp.h>
#include <cds/init.h>

namespace zeroipc::bench {

/// Each thread holds one beside each container of libcds that it uses, in front of it. Nothing is ever ended: what lives
/// until the end of the process still uses it.
class cds_session {
public:
    cds_session() {
        static library const once;
        static thread_local thread const once_a_thread;
    }

private:
    struct library {
        library() {
            cds::Initialize();
            static auto const* const collector = new cds::gc::HP;
            static_cast<void>(collector);
        }
    };
    struct thread {
        thread() { cds::threading::Manager::attachThread(); }
    };
};

}  // namespace zeroipc::bench
