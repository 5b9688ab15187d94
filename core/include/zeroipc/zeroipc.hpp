#pragma once
/// \file
/// Everything: segments and the structures in them.

#include "memory.hpp"
#include "queue.hpp"
#include "stack.hpp"
