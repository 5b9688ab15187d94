#pragma once
/// \file
/// The subjects of each structure by variant, compiled for one payload size a source file.

#include <zeroipc/observer.hpp>

#include <functional>
#include <map>
#include <string>

#include "subject.hpp"

namespace zeroipc::bench {

using SubjectTable = std::map<std::string, Subject, std::less<>>;

/// A variant whose handles count what is beside the fast path: lost races, backoff, system calls.
template <class Variant>
using Counted = typename Variant::template on<observer::counting>;

template <std::size_t N>
SubjectTable queue_subjects();
template <std::size_t N>
SubjectTable stack_subjects();
template <std::size_t N>
SubjectTable map_subjects();

}  // namespace zeroipc::bench
