"""The command `zeroipc`, with segments that the library makes, living owners and killed ones."""

import json
import os
import pathlib
import signal
import time

import numpy as np
import pytest
from conftest import contents, fork, in_child, place
from zeroipc import Array, Map, Memory, Queue, Stack
from zeroipc.command.counts import Counters
from zeroipc.command.describe import describe
from zeroipc.command.main import main
from zeroipc.command.segment import View

pytestmark = pytest.mark.fast

READING = [
    ["list"], ["list", "--json"], ["show", "NAME"], ["show", "NAME", "--json"], ["check", "NAME"],
    *[["dump", "NAME", one] for one in ("q", "s", "m", "a")],
    *[["follow", "NAME", one, "--interval", "0.01", "--count", "2"] for one in ("q", "s", "m")],
]  # fmt: skip


def _fill(memory):
    with Queue(memory, "q", 8, dtype="u4") as queue, Stack(memory, "s", 8, dtype="f8") as stack:
        queue.put_many([3, 4, 5])
        stack.put_many([1.5, 2.5])
    with Map(memory, "m", 8, key_dtype="S16", value_dtype="i2") as table:
        table["one"] = 1
        table["two"] = -2
    Array(memory, "a", 3, dtype="i4").fill(-7)


def test_reading_writes_nothing(name, memory, run):
    _fill(memory)
    before = contents(name)
    for command in READING:
        status, out, err = run(*[name if part == "NAME" else part for part in command])
        if command[0] == "list":  # it warns of others' segments, too
            err = "".join(line for line in err.splitlines() if name in line)
        assert (status, err) == (0, "") and out, command
    assert contents(name) == before
    lines = [line for line in pathlib.Path("/proc/self/maps").read_text().splitlines() if line.endswith(name)]
    view = View(name)
    mapped = [line for line in pathlib.Path("/proc/self/maps").read_text().splitlines() if line.endswith(name)]
    assert [line.split()[1] for line in set(mapped) - set(lines)] == ["r--s"] and view.size


def test_reading_needs_no_right_to_write(name, memory):
    """Mode 0400, as a user who is not root, with somebody else attached."""
    _fill(memory)
    os.chmod("/dev/shm" + name, 0o400)
    if os.getuid() == 0:
        os.chown("/dev/shm" + name, 65534, 65534)

    def reads():
        if os.getuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        for command in READING:
            if command[0] != "list":
                assert main([name if part == "NAME" else part for part in command]) == 0, command
        assert main(["repair", name, "--yes"]) == 2

    assert in_child(reads) == 0


def test_show_and_list_tell_who_is_there(name, run):
    arrived, arrive = os.pipe()
    with Memory.create(name, 1 << 20) as memory:
        _fill(memory)

    def holds():
        with Memory(name) as mine, Queue(mine, "q", dtype="u4"), Stack(mine, "s", dtype="f8"):
            os.write(arrive, b".")
            time.sleep(100)

    pid = fork(holds)
    os.read(arrived, 1)
    try:
        shown = json.loads(run("show", name, "--json")[1])
        assert shown["attached"] and [one["pid"] for one in shown["processes"]] == [pid]
        by_name = {one["name"]: one for one in shown["structures"]}
        for one in "qs":
            assert by_name[one]["handles"] == [{"slot": 0, "alive": True, "pids": [pid], "in_operation": False}]
        assert by_name["m"]["handles"] == [] and by_name["a"]["handles"] is None
        assert {key: one["current"] for key, one in by_name.items()} == {"q": 3, "s": 2, "m": 2, "a": 3}
        assert {key: one["kind"] for key, one in by_name.items()} == {"q": "queue", "s": "stack", "m": "map", "a": "array"}
        assert {key: one["item_size"] for key, one in by_name.items()} == {"q": 4, "s": 8, "m": 2, "a": 4}
        assert by_name["m"]["key_size"] == 16
        row = next(one for one in json.loads(run("list", "--json")[1]) if one["segment"] == name)
        assert [one["pid"] for one in row["processes"]] == [pid] and row["structures"] == ["q", "s", "m", "a"]
        assert f"{pid} (" in run("list")[1] and "alive" in run("show", name)[1]
        status, _, err = run("unlink", name)
        assert status == 2 and str(pid) in err and contents(name)
        assert run("repair", name, "--yes")[0] == 2
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    shown = json.loads(run("show", name, "--json")[1])
    assert not shown["attached"] and not any(one["handles"] for one in shown["structures"])
    assert run("unlink", name[1:])[0] == 0 and not os.path.exists("/dev/shm" + name)
    assert run("unlink", name)[0] == 2


def test_unlink_by_force_and_not_of_others(name, memory, run):
    assert run("unlink", name)[0] == 2
    assert run("unlink", name, "--force", "--json") == (0, json.dumps({"segment": name, "removed": True}, indent=2) + "\n", "")
    place(name, b"something else, of another program")
    assert run("unlink", name, "--force")[0] == 1 and contents(name)
    assert run("check", name)[0] == 1 and run("show", name)[0] == 1


def test_counters(name, memory):
    _fill(memory)
    view = View(name)
    counters = {one.name: Counters(view.mapping, describe(view.bytes, one)) for one in view.entries() if one.name != "a"}
    assert all(one.rates(1) is None for one in counters.values())
    with Queue(memory, "q", dtype="u4") as queue, Stack(memory, "s", dtype="f8") as stack:
        for _ in range(11):
            assert queue.try_push(1) and queue.try_pop() is not None
            assert stack.try_push(1) and stack.try_pop() is not None
        queue.push(1)
        stack.pop()
    with Map(memory, "m", key_dtype="S16", value_dtype="i2") as table:
        table["one"] = 3
        table["three"] = 3
        table["four"] = 3
        del table["two"]
    assert counters["q"].rates(2) == {"pushes": 6, "pops": 5.5}
    assert counters["s"].rates(2) == {"pushes": 5.5, "pops": 6}
    assert counters["m"].rates(1) == {"slots_freed": 2, "keys_more": 1}
    assert counters["q"].rates(1) == {"pushes": 0, "pops": 0}


def test_follow_says_where_nothing_counts(name, memory, run):
    _fill(memory)
    status, out, err = run("follow", name, "a")
    assert status == 2 and out == "" and "no counters" in err
    status, out, err = run("follow", name, "q", "--interval", "0.01", "--count", "2", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert len(rows) == 2 and rows[1]["pushes_per_s"] == rows[1]["pops_per_s"] == 0 and rows[1]["current"] == 3


def test_dump(name, memory, run):
    _fill(memory)

    def items(*arguments):
        found = json.loads(run("dump", name, *arguments, "--json")[1])
        return found.get("items", found.get("pairs"))

    assert items("q") == [3, 4, 5] and items("q", "--limit", "1") == [3]
    assert items("q", "--dtype", "i2,u1,V1") == [[3, 0, "\\x00"], [4, 0, "\\x00"], [5, 0, "\\x00"]]
    assert items("s", "--dtype", "f8") == [2.5, 1.5] and items("a", "--dtype", "i4") == [-7, -7, -7]
    assert items("a") == [2**32 - 7] * 3
    assert sorted(items("m", "--key-dtype", "S16", "--dtype", "i2")) == [["one", 1], ["two", -2]]
    assert ["6f6e65" + "00" * 13, 1] in items("m")
    assert "2.5" in run("dump", name, "s", "--dtype", "f8")[1]
    for wrong in (["q", "--dtype", "u8"], ["q", "--dtype", "nonsense"], ["q", "--dtype", "O"], ["none"], ["q", "--key-dtype", "u4"]):
        status, out, err = run("dump", name, *wrong)
        assert (status, out) == (2, "") and err.startswith("zeroipc: "), wrong
    Array(memory, "odd", 2, dtype=np.dtype("V3"))
    assert items("odd") == ["000000", "000000"]


def test_create(name, run):
    assert run("create", name)[0] == 2
    assert run("create", name, "--size", "64k", "--max-entries", "5", "--mode", "640")[0] == 0
    assert os.stat("/dev/shm" + name).st_mode & 0o777 == 0o640 and run("create", name, "--size", "64k")[0] == 2
    for command in (
        ["queue", "q", "--capacity", "8", "--dtype", "u4", "--handle-slots", "3", "--layout", "padded"],
        ["stack", "s", "--capacity", "7", "--dtype", "u4,f8"], ["array", "a", "--capacity", "9", "--dtype", "f4"],
        ["map", "m", "--capacity", "7", "--key-dtype", "S8", "--dtype", "u8", "--seed", "5", "--handle-slots", "2"],
    ):  # fmt: skip
        assert run("create", name, *command)[::2] == (0, ""), command
    for command in (
        ["queue", "x", "--capacity", "7", "--dtype", "u4"], ["queue", "q", "--capacity", "8", "--dtype", "u4"],
        ["queue", "x", "--dtype", "u4"], ["map", "x", "--capacity", "7", "--dtype", "u4"], ["heap", "x"],
        ["array", "x", "--capacity", "7", "--dtype", "u4", "--layout", "padded"], ["--size", "1Q"], ["--size", "4G"],
        ["array", "x", "--capacity", "7", "--dtype", "u4", "--key-dtype", "u4"],
    ):  # fmt: skip
        assert run("create", name, *command)[0] == 2, command
    with Memory(name) as memory, Queue(memory, "q", dtype="u4") as queue, Map(memory, "m", key_dtype="S8", value_dtype="u8") as m:
        assert memory.max_entries == 5 and (queue.capacity, queue.layout, queue.handle_slots) == (8, "padded", 3)
        assert (m.capacity, m.handle_slots) == (7, 2) and Array(memory, "a", dtype="f4").capacity == 9
    assert run("check", name)[0] == 0
    Memory.unlink(name)
    assert run("create", name, "queue", "q", "--capacity", "8", "--dtype", "u4", "--size", "1M")[0] == 0
    assert run("show", name, "--names")[1] == "q\n"


def test_repair_asks(name, memory, run, monkeypatch):
    _fill(memory)
    memory.close()
    monkeypatch.setattr("sys.stdin", open(os.devnull))
    status, _, err = run("repair", name)
    assert status == 2 and "--yes" in err
    assert run("repair", name, "none", "--yes")[0] == 2
    status, out, err = run("repair", name, "--yes", "--json")
    settled = {one["structure"]: one["settled"] for one in json.loads(out)["structures"]}
    assert status == 0 and settled["a"] is None and set(settled) == set("qsma")


def _newer(data, at, fields):
    for field, value in fields.items():
        data[at + field : at + field + 4] = value.to_bytes(4, "little")


def test_what_is_unknown_is_shown(name, memory, run):
    """A kind, an algorithm and a layout that later formats may add: no fault."""
    kind = memory._add("kind", 512, lambda body: _newer(body, 8, {0: 9, 4: 1, 8: 1, 12: 8}))
    algorithm = memory._add("algorithm", 512, lambda body: _newer(body, 24, {0: 2, 4: 50, 8: 1, 12: 8}))
    memory._add("layout", 512, lambda body: (_newer(body, 24, {0: 2, 4: 1, 8: 4, 12: 8, 24: 1}), _newer(body, 16, {0: 2})))
    assert kind.size == algorithm.size == 512
    status, out, _ = run("show", name, "--json")
    found = {one["name"]: (one["kind"], one["algorithm"], one["layout"], one["current"]) for one in json.loads(out)["structures"]}
    assert status == 0 and found["kind"] == ("unknown", None, None, None)
    assert found["algorithm"] == ("queue", "50", "compact", None) and found["layout"] == ("queue", "exchange", "spread", None)
    status, out, _ = run("check", name)
    assert status == 0 and out.count("note: ") == 3
    status, _, err = run("dump", name, "kind")
    assert status == 2 and "use the version that made it" in err


def test_names_of_others_do_not_reach_the_terminal(name, memory, run):
    Array(memory, "plain", 1, dtype="u4")
    data = bytearray(contents(name))
    data[16:21] = b"\x1b[2J\xff"
    place(name, data)
    for command in (["list"], ["show", name], ["check", name], ["show", name, "--names"]):
        _, out, err = run(*command)
        assert "\x1b" not in out + err and "\udcff" not in out + err
        assert command[0] == "check" or "\\x1b[2J\\xff" in out
