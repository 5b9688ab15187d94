#pragma once
/// \file
/// Why an ordered access that no scene needs is not needed. Within the bounds of the explorer; the default keeps them.

#include <string_view>

namespace zeroipc::model {

struct mutation_argument {
    std::string_view structure;
    std::string_view access;
    std::string_view loss;
    std::string_view why;
};

inline constexpr mutation_argument mutation_arguments[] = {
    {"Queue", "(Q1)", "no acquire",
     "either (Q1) or (Q2) must acquire the gained buffer: they read the same value of one word. `minimal` "
     "keeps (Q1)"},
    {"Queue", "(Q2)", "no acquire", "as (Q1); `minimal` leaves it out"},
    {"Queue", "(Q2)", "no acquire when it fails",
     "the value is not used: the loop reads the cell again by (Q1). `minimal` leaves it out"},
    {"Queue", "(Q3)", "no acquire",
     "the index is a hint: the cell decides, by (Q1) and (Q2). `minimal` leaves it out"},
    {"Queue", "(Q4)", "no acquire", "as (Q3)"},
    {"Queue", "(Q4)", "no release", "as (Q3)"},
    {"Queue", "(Q4)", "no acquire when it fails", "as (Q3)"},
    {"Queue", "(Q5)", "no acquire",
     "a negative answer reads no payload; that it is current is the fence's work. `minimal` leaves it out"},
    {"Queue", "(Q6)", "no acquire",
     "only the value counts: whose buffer it is. It can't be from before the dead handle had the buffer, "
     "which the dead one acquired with it, and the kernel hands on. `minimal` leaves it out"},
    {"Queue", "(Q7)", "no release", "as (Q6)"},
    {"Queue", "(Q8)", "no acquire",
     "as (Q6): the cell's value tells, and what the heir gets was acquired by the dead one. `minimal` leaves "
     "it out"},
    {"Queue", "(W3) in waiting.hpp, announce", "no acquire",
     "what the sleeper looks at next, it reads behind its own fences"},
};

}  // namespace zeroipc::model
