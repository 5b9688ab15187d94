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
    {"Stack", "(L2)", "no acquire",
     "what its success replaces was acquired by (L1) or by its own last failure, which read the same value. "
     "`minimal` leaves it out"},
    {"Stack", "(L4)", "no acquire",
     "only the value counts: a witness is unique, and is compared with what the dead one stored. `minimal` "
     "leaves it out"},
    {"Stack", "(L6)", "no release",
     "a successor comes behind it by the kernel's lock. `minimal` leaves it out"},
    {"Map", "(M2)", "no acquire",
     "what it replaces was acquired by (M1) or is compared with what (M1) acquired; a slot's bytes are read "
     "behind (M1) alone. `minimal` leaves it out"},
    {"Map", "(M2)", "no acquire when it fails",
     "the value is compared, and tried again: nothing is read behind it but by (M1). `minimal` leaves it "
     "out"},
    {"Map", "(M3)", "no acquire",
     "a negative answer reads no bytes; that it is current is the fence's work. `minimal` leaves it out"},
    {"Map", "(M4)", "no acquire",
     "the acquire fence (M11) stands behind it; and who makes a slot valid has read the link before. "
     "`minimal` leaves it out"},
    {"Map", "(M5)", "no acquire", "as (M4)"},
    {"Map", "(M5)", "no acquire when it fails", "the value is not used"},
    {"Map", "(M6)", "no acquire",
     "a block's bytes are written behind a commit of the header that links it, not behind its owner word. "
     "`minimal` leaves it out"},
    {"Map", "(M6)", "no release", "as (M6), no acquire"},
    {"Map", "(M6)", "no acquire when it fails", "the value is not used"},
    {"Map", "(M7)", "no release", "as (M6)"},
    {"Map", "(M9)", "no release",
     "a name that is seen to go too early does no harm: the header is changed by an exchange of exactly what "
     "was read. `minimal` leaves it out"},
    {"Map", "(M11) in bucket_map.hpp, locate (2)", "no fence",
     "before the answer \"absent\" stands the fence of confirmed_absent, before a commit the exchange: both "
     "look at the header again"},
    {"", "(W1) in waiting.hpp, announce", "no acquire",
     "what the sleeper looks at next it reads by accesses that acquire themselves"},
    {"", "(W1) in waiting.hpp, announce", "no release", "the word carries nothing but itself"},
    {"", "(W1) in waiting.hpp, announce", "acq_rel for seq_cst",
     "the fence behind it, or the one before the attempt's negative answer, puts it in the total order"},
    {"", "(W1) in waiting.hpp, announce", "no fence",
     "the attempt behind it is negative only behind a seq_cst fence of its own. An algorithm without one "
     "needs it"},
    {"", "(W1) in waiting.hpp, announce (2)", "acq_rel for seq_cst", "as the fence left out altogether"},
    {"", "(W4) in waiting.hpp, wake_all", "no acquire", "the word carries nothing but itself"},
    {"", "(W4) in waiting.hpp, wake_all", "no release",
     "as its acquire: the sleeper looks at the structure itself when it wakes"},
};

}  // namespace zeroipc::model
