"""The timed loops as compiled: each has its variant's operation in it, whatever its neighbours in the file are.

ctest calls it with ZEROIPC_HARNESS, the program zeroipc-bench of a release build by GCC. Compilers have a budget for what they make part
of its caller, and without measures against it a variant that is late in a file pays for calls that an earlier one is spared: then
variants of equal code differ, and a change of one moves the others.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import pytest

SIZES = {"Queue": 5, "Stack": 2, "Map": 2}  # of items
WAITING_SIZES = 2
LOOP = re.compile(r"zeroipc::bench::(?P<loop>(?:push|pop)_(?:singly|batches)|call_(?:push|pop|operation)|work_unstamped)<"
                  r"|zeroipc::bench::(?P<step>MapWorker)<.*>::operator\(\)\(\)"
                  r"|zeroipc::bench::WaitingChannel<\d+ul>::(?P<wait>CalledQueue)<.*>::(?:push|pop)\(")
OURS = re.compile(r"zeroipc::(?P<structure>Queue|Stack|Map)<.*zeroipc::bench::Payload<(?P<bytes>\d+)ul>, (?P<policies>.*?)"
                  r"zeroipc::observer::counting>")
CALL = re.compile(r"(?:(?:bnd|notrack|addr32|ds|rex\.W) )*(?P<how>callq?|j\w+|bl?|b\.\w+|blr|br)\s+(?P<where>.*)")
# What a loop may call of the program: the harness' looks, and what an operation does seldom, which is never inlined in the source.
RARE = re.compile(r"zeroipc::bench::(Looks::|Bench::spin)"
                  r"|zeroipc::detail::(corrupt|no_progress|refuse_misuse)\(|zeroipc::detail::container<.*>::refuse\("
                  r"|zeroipc::detail::attachment::throw_forked\(|zeroipc::detail::waiters<.*>::wake_all"
                  r"|zeroipc::.*::(corrupt|no_progress|stopped|failed)\("
                  r"|zeroipc::backoff::rest<.*>::tpause_until\(")  # for processors that have it: code of another target
# Policies of calls that wait, of which attempts make nothing: the same code.
EQUAL = re.compile(r"(zeroipc::waiting::\w+(<[^>]*>)?, )?")


@dataclass
class Loop:
    name: str
    kind: str
    structure: str
    payload: str
    policies: str
    at: int
    instructions: list[str] = field(default_factory=list)

    def called(self) -> set[str]:
        """Functions that it calls or jumps to; of an indirect call what objdump says of it."""
        targets = set()
        for instruction in self.instructions:
            call = CALL.match(instruction)
            if call is None:
                continue
            target = re.match(r"[0-9a-f]+ <(.*?)(?:\+0x[0-9a-f]+)?>$", call["where"])
            if target is None:
                if not call["how"].startswith("j"):  # a jump through a table of its own is no call
                    targets.add(instruction)
            elif target[1] not in (self.name, self.name + " [clone .cold]"):
                targets.add(target[1])
        return targets


def read_loops(program: str) -> list[Loop]:
    """Our structures' loops in the program, with their instructions; not those of peers, and where kills come between calls."""
    found = []
    current = None
    with subprocess.Popen(["objdump", "-d", "-C", "--no-show-raw-insn", program], stdout=subprocess.PIPE, text=True) as listing:
        for line in listing.stdout:
            if line.startswith("  "):
                if current is not None:
                    current.instructions.append(line.split("\t", 1)[1].rstrip())
            elif line.endswith(">:\n"):
                at, name = line[:-3].split(" <", 1)
                loop, ours = LOOP.search(name), OURS.search(name)
                current = None
                if loop and ours and "::Marked" not in name and "Recorded" not in name and "[clone .cold]" not in name:
                    kind = loop["loop"] or loop["step"] or loop["wait"]
                    current = Loop(name, kind, ours["structure"], ours["bytes"], ours["policies"], int(at, 16))
                    found.append(current)
    assert listing.returncode == 0
    return found


@pytest.fixture(scope="module")
def loops() -> list[Loop]:
    if shutil.which("objdump") is None:
        pytest.fail("there is no objdump here: install Debian's package binutils")
    return read_loops(os.environ["ZEROIPC_HARNESS"])


def test_every_variant_has_its_loops(loops: list[Loop]):
    listed = subprocess.run([os.environ["ZEROIPC_HARNESS"], "--list"], capture_output=True, text=True, check=True).stdout
    variants = Counter(line.split("/")[0] for line in listed.splitlines())
    seen = Counter((loop.structure, loop.kind) for loop in loops)
    expected = Counter()
    for kind in ("push_singly", "pop_singly", "push_batches", "pop_batches", "call_push", "call_pop"):
        expected["Queue", kind] = variants["queue"] * SIZES["Queue"]
    expected["Queue", "CalledQueue"] = variants["queue"] * WAITING_SIZES * 2
    for kind in ("work_unstamped", "call_operation", "call_pop"):
        expected["Stack", kind] = variants["stack"] * SIZES["Stack"]
    for kind in ("work_unstamped", "call_operation", "MapWorker"):
        expected["Map", kind] = variants["map"] * SIZES["Map"]
    assert seen == expected


def test_no_timed_loop_calls_an_operation(loops: list[Loop]):
    wrong = []
    for loop in loops:
        called = loop.called()
        if not loop.kind.startswith(("call_", "CalledQueue", "MapWorker")):
            assert any("Looks::look(" in target for target in called), f"{loop.name} calls {called}"
        own_step = "zeroipc::bench::" + loop.name[loop.name.index("MapWorker<"):] if "MapWorker<" in loop.name else ""
        for target in sorted(called):
            is_step = loop.kind in ("work_unstamped", "call_operation") and loop.structure == "Map" \
                and target.endswith(">::operator()()") and own_step.startswith(target.removesuffix("::operator()()"))
            if not target.endswith("@plt") and not RARE.search(target) and not is_step:
                wrong.append(f"{loop.name}\n  calls {target}")
    assert not wrong, f"{len(wrong)}, such as\n" + "\n".join(wrong[:10])


def test_variants_of_equal_code_have_equal_loops(loops: list[Loop]):
    groups = defaultdict(list)
    for loop in loops:
        if EQUAL.fullmatch(loop.policies) and loop.kind != "CalledQueue":
            groups[loop.kind, loop.structure, loop.payload].append(loop)
    assert sum(len(group) > 1 for group in groups.values()) > 20

    def code(loop: Loop) -> tuple[str, ...]:
        return tuple(instruction.split()[0] for instruction in loop.instructions)

    for group in groups.values():
        first = group[0]
        for other in group[1:]:
            assert other.at % 64 == first.at % 64, f"begin apart in a cache line:\n{other.name}\n{first.name}"
            assert code(other) == code(first), f"{len(code(other))} instructions, and {len(code(first))}:\n{other.name}\n{first.name}"
