"""The cases of core/format/conformance, played by the package; and that a wrong one is caught."""

import copy
import sys

import pytest
from conformance import CASES, cases_of, files, play

pytestmark = pytest.mark.fast

sys.path.insert(0, str(CASES))
from cases import generated  # noqa: E402

ALL = [(f"{file.stem}: {case['name']}", case) for file in files() for case in cases_of(file)]


def test_they_are_all_there():
    assert len(ALL) > 50 and len({name for name, _ in ALL}) == len(ALL)
    assert sum(len(case["steps"]) for _, case in ALL) > 1000


@pytest.mark.parametrize("case", [case for _, case in ALL], ids=[name for name, _ in ALL])
def test_case(name, case):
    play(case, name)


def test_the_generated_ones_are_those_of_the_seed():
    """What the models expect stands in the file; only the hashes of bytes were added."""
    recorded = cases_of(CASES / "generated.json")
    for case in recorded:
        for step in case["steps"]:
            if step["do"] == "bytes":
                assert len(step["expect"].pop("fnv1a64")) == 16
    assert recorded == generated()


def _planted(*steps):
    """A case on a queue "q" of one item."""
    ok = {"result": "ok"}
    made = {"kind": "queue", "name": "q", "capacity": 1, "item_bytes": 4, "handle_slots": 2}
    first = [
        {"do": "create_segment", "as": "s", "name": "@", "bytes": 4096, "max_entries": 2, "expect": ok},
        {"do": "create", "as": "q", "on": "s", **made, "expect": ok},
    ]
    return {"name": "planted", "steps": first + list(copy.deepcopy(steps))}


PUSH = {"do": "try_push", "on": "q", "item": "01020304", "expect": {"result": "ok"}}
POP = {"do": "try_pop", "on": "q", "expect": {"result": "ok", "item": "01020304"}}


def test_a_right_case_passes(name):
    play(_planted(PUSH, POP), name)


@pytest.mark.parametrize(
    "steps, says",
    [
        ([{**PUSH, "expect": {"result": "full"}}], 'answered {"result": "ok"}'),
        ([PUSH, {**POP, "expect": {"result": "ok", "item": "01020305"}}], "answered"),
        ([PUSH, {**POP, "expect": {**POP["expect"], "more": 1}}], "answered"),
        ([PUSH, {**POP, "expect": {"result": "ok"}}], "answered"),
        ([{**PUSH, "do": "try_shove"}], "no operation 'try_shove'"),
        ([{**PUSH, "colour": "red"}], "fields .'colour'. were not read"),
        ([{k: v for k, v in PUSH.items() if k != "item"}], "item"),
        ([{**PUSH, "item": "0102"}], "bytes"),
        ([{**PUSH, "on": "s"}], "nothing that this can be done on"),
        ([{k: v for k, v in PUSH.items() if k != "expect"}], "expect"),
        ([{"do": "bytes", "name": "@", "expect": {"result": "ok", "fnv1a64": "0"}}], "answered"),
    ],
)
def test_a_wrong_case_is_caught(name, steps, says):
    with pytest.raises((AssertionError, ValueError, KeyError), match=says):
        play(_planted(*steps), name)
