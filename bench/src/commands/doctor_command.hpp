#pragma once

namespace zeroipc::bench {

/// `zeroipc-bench doctor`: prints what spoils measurements on this machine and how to mend it; mends nothing.
/// \param argv the arguments from the word "doctor" on.
/// \return exit status: 0 if nothing spoils, 1 if something does, 2 for wrong usage.
int doctor_command(int argc, char** argv);

}  // namespace zeroipc::bench
