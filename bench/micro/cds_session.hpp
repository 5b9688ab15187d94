#pragma once
/// \file
/// What libcds wants before its containers are used: itself, a garbage collector, and the thread made known to both.

#include <cds/gc/hp.h>
#include <cds/init.h>

namespace zeroipc::micro {

/// Hold one beside each container of libcds, in front of it. Only for the main thread.
class cds_session {
public:
    cds_session() { static started const once; }

private:
    struct started {
        started() {
            cds::Initialize();
            // Never ended: maps that live until the end of the process still use it.
            static auto const* const collector = new cds::gc::HP;
            static_cast<void>(collector);
            cds::threading::Manager::attachThread();
        }
    };
};

}  // namespace zeroipc::micro
