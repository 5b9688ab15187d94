"""The timed loops as compiled: each has its variant's operation in it, whatever its neighbours in the file are.

ctest calls it with ZEROIPC_HARNESS, the program zeroipc-bench of a release build. Compilers have a budget for what they make part of
its caller, and without measures against it a variant that is late in a file pays for calls that an earlier one is spared: then
variants of equal code differ by a few per cent, and a change of one moves the others.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import defaultdict

import pytest

LOOP = re.compile(r"zeroipc::bench::(?P<loop>(?:push|pop)_(?:singly|batches)|call_(?:push|pop|operation)|work_unstamped)<"
                  r"|zeroipc::bench::(?P<map>MapWorker)<.*>::operator\(\)\(\)$")
OURS = re.compile(r"zeroipc::(?P<structure>Queue|Stack|Map)<.*zeroipc::bench::Payload<(?P<bytes>\d+)ul>, (?P<policies>.*?)"
                  r"zeroipc::observer::counting>")
# What a loop may call: what the system has; the harness' looks; and what an operation does seldom, never inlined in the source.
RARE = re.compile(r"zeroipc::bench::(Looks::|Bench::spin)"
                  r"|zeroipc::detail::(corrupt|no_progress|refuse_misuse)\(|zeroipc::detail::container<.*>::refuse\("
                  r"|zeroipc::detail::attachment::throw_forked\(|zeroipc::detail::waiters<.*>::wake_all"
                  r"|zeroipc::.*::(corrupt|no_progress|stopped|failed)\("
                  r"|zeroipc::backoff::rest<.*>::tpause_until\(")  # for processors that have it: code of another target
# Policies of calls that wait, of which attempts make nothing: the same code.
EQUAL = re.compile(r"(zeroipc::waiting::\w+(<[^>]*>)?, )?")


def ours_in(name: str) -> re.Match | None:
    """The structure whose operations the loop has; nothing for others' structures, and where calls are marked to kill between them."""
    return None if "::Marked" in name else OURS.search(name)


def functions_of(program: str) -> dict[str, list[str]]:
    """The instructions of each function of the program that is a loop."""
    found: dict[str, list[str]] = {}
    current = None
    with subprocess.Popen(["objdump", "-d", "-C", "--no-show-raw-insn", program], stdout=subprocess.PIPE, text=True) as listing:
        for line in listing.stdout:
            if line.startswith("  "):
                if current is not None:
                    current.append(line.split("\t", 1)[1].rstrip())
            elif line.endswith(">:\n"):
                name = line[line.index("<") + 1:-3]
                current = found.setdefault(name, []) if LOOP.search(name) and not name.endswith("[clone .cold]") else None
    assert listing.returncode == 0
    return found


def called(instructions: list[str], own: str) -> set[str]:
    targets = set()
    for instruction in instructions:
        target = re.match(r"(?:call|jmp|b|bl)\s+\S+ <(.*)>$", instruction)
        if target and "+0x" not in target[1] and target[1].removesuffix("@plt") != own:
            targets.add(target[1])
    return targets


@pytest.fixture(scope="module")
def loops() -> dict[str, list[str]]:
    if shutil.which("objdump") is None:
        pytest.skip("no objdump here: Debian's package binutils")
    return functions_of(os.environ["ZEROIPC_HARNESS"])


def test_no_timed_loop_calls_an_operation(loops: dict[str, list[str]]):
    seen = defaultdict(int)
    wrong = []
    for name, instructions in loops.items():
        ours = ours_in(name)
        if ours is None:
            continue
        what = LOOP.search(name)
        seen[ours["structure"], what["loop"] or what["map"]] += 1
        for target in sorted(called(instructions, name)):
            is_map_step = ours["structure"] == "Map" and "MapWorker<" in target and "operator()" in target
            if target.startswith("zeroipc::") or " zeroipc::" in target:
                if not RARE.search(target) and not is_map_step:
                    wrong.append(f"{name}\n  calls {target}")
    assert not wrong, "\n".join(wrong)
    for loop in ("push_singly", "pop_singly", "push_batches", "pop_batches", "call_push", "call_pop"):
        assert seen["Queue", loop] > 100, dict(seen)
    assert seen["Stack", "work_unstamped"] > 20, dict(seen)
    assert seen["Map", "MapWorker"] > 20, dict(seen)


def test_variants_of_equal_code_have_equal_loops(loops: dict[str, list[str]]):
    groups = defaultdict(list)
    for name, instructions in loops.items():
        ours = ours_in(name)
        what = LOOP.search(name)
        if ours and EQUAL.fullmatch(ours["policies"]):
            kinds = tuple(instruction.split()[0] for instruction in instructions if not instruction.startswith(("nop", "data16", "xchg   %ax")))
            groups[what["loop"] or what["map"], ours["structure"], ours["bytes"]].append((name, kinds))
    assert sum(len(group) > 1 for group in groups.values()) > 20
    for group in groups.values():
        name, kinds = group[0]
        for other, its in group[1:]:
            assert its == kinds, f"{len(its)} instructions, and {len(kinds)}:\n{other}\n{name}"
