"""`zeroipc create`, `repair` and `unlink` where they refuse, or cannot do all."""

import json
import os

import pytest
from conftest import place
from test_command import _fill, _newer
from zeroipc import Array, Memory
from zeroipc._format import HEADER_BYTES
from zeroipc.command import changing
from zeroipc.errors import InvalidArgument

pytestmark = pytest.mark.fast


def test_unlink_is_for_segments(name, run):
    os.mkfifo("/dev/shm" + name)
    try:
        for command in (["unlink", name, "--force"], ["check", name]):
            status, out, err = run(*command)
            assert status == 1 and "no shared-memory object" in out + err and "zeroipc list" in out + err
        assert os.path.exists("/dev/shm" + name)
    finally:
        os.unlink("/dev/shm" + name)


@pytest.mark.parametrize("size", [0, HEADER_BYTES])
def test_unlink_of_what_says_nothing_needs_force(name, run, size):
    place(name, bytes(size))
    status, _, err = run("unlink", name)
    assert status == 2 and "--force" in err and os.path.exists("/dev/shm" + name)
    assert run("unlink", name, "--force")[0] == 0 and not os.path.exists("/dev/shm" + name)


@pytest.mark.parametrize("refused", [
    ["--capacity", "3", "--dtype", "u4"], ["--capacity", "4", "--dtype", "zz"], ["--capacity", "4", "--dtype", "u4", "--seed", "5"],
    ["--capacity", "65536", "--dtype", "u4"],
])  # fmt: skip
def test_a_refused_structure_leaves_no_segment(name, run, refused):
    """One that was there before stays."""
    command = ["create", name, "queue", "q", "--size", "64k", *refused]
    assert run(*command)[0] == 2 and not os.path.exists("/dev/shm" + name)
    assert run("create", name, "--size", "64k")[0] == 0
    assert run(*command)[0] == 2 and os.path.exists("/dev/shm" + name)


def test_a_refused_structure_leaves_what_others_use(name, run, monkeypatch):
    """Somebody has found the new segment meanwhile."""
    found = []

    def meet(memory, arguments):
        found.append(Memory(name))
        raise InvalidArgument("refused")

    monkeypatch.setattr(changing, "_create", meet)
    assert run("create", name, "queue", "q", "--size", "64k", "--capacity", "4", "--dtype", "u4")[0] == 2
    assert found and os.path.exists("/dev/shm" + name)


def _overwritten(body):
    body[:8] = (1 << 40).to_bytes(8, "little")


def test_repair_says_what_is_corrupt(name, memory, run):
    """Also of bytes that are no kind of structure."""
    memory._add("nothing", 512, _overwritten)
    memory._add("newer", 512, lambda body: _newer(body, 8, {0: 9, 4: 1, 8: 1, 12: 8}))
    Array(memory, "a", 3, dtype="i4")
    memory.close()
    assert run("check", name)[0] == 1
    status, out, _ = run("repair", name, "--yes")
    nothing, *others = out.splitlines()
    assert status == 1 and nothing.startswith("nothing: ") and "make it anew" in nothing
    assert others == ["newer: nothing to repair", "a: nothing to repair"]
    status, out, err = run("repair", name, "nothing", "--yes")
    assert (status, out) == (1, "") and "make it anew" in err


def test_repair_says_what_is_done_when_somebody_comes(name, memory, run, monkeypatch):
    _fill(memory)
    memory.close()
    repair, came = changing._repair, []

    def repairs(mine, structure):
        if structure.name == "s":
            came.append(Memory(name))
        return repair(mine, structure)

    monkeypatch.setattr(changing, "_repair", repairs)
    status, out, _ = run("repair", name, "--yes", "--json")
    rows = {one["structure"]: one for one in json.loads(out)["structures"]}
    assert status == 2 and rows["q"]["settled"] == 0 and rows["a"]["problem"] is None
    assert all(rows[one]["settled"] is None and "others use segment" in rows[one]["problem"] for one in "sm")
