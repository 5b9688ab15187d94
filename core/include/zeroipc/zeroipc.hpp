#pragma once
/// \file
/// Everything: segments and the structures in them.

#include "array.hpp"
#include "map.hpp"
#include "memory.hpp"
#include "queue.hpp"
#include "stack.hpp"
