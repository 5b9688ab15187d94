"""What the command answers, and how: little memory, whole JSON, errors by their name, advice."""

import errno
import json
import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from conftest import contents, place
from test_command_shell import COMMAND, ENVIRONMENT
from zeroipc import Array, Map, Memory, Queue, Stack
from zeroipc.command import look, show
from zeroipc.command.main import main
from zeroipc.errors import Corrupt

pytestmark = pytest.mark.fast


def _peak(monkeypatch, *arguments):
    """Bytes that the command took at most, its output thrown away."""
    with open(os.devnull, "w") as nowhere:
        monkeypatch.setattr(sys, "stdout", nowhere)
        tracemalloc.start()
        try:
            assert main(list(arguments)) == 0
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            monkeypatch.undo()


@pytest.mark.parametrize("options", [["--limit", "1"], ["--limit", "1", "--json"], [], ["--json"]], ids=" ".join)
def test_dump_takes_little_memory(name, run, monkeypatch, options):
    """Of an array none for its size, of others one copy."""
    with Memory.create(name, 1 << 21) as memory:
        Array(memory, "a", 1000, dtype="V1000")
        with Stack(memory, "s", 100, dtype="V4096") as stack:
            stack.push(np.void(bytes(4096)))
            size = memory.find("s").size
    _peak(monkeypatch, "dump", name, "a", *options)  # what is only made once
    made = _peak(monkeypatch, "show", name) + 400000  # with what is on its way to the output
    assert _peak(monkeypatch, "dump", name, "a", *options) < made
    assert _peak(monkeypatch, "dump", name, "s", *options) < made + size


def test_json_of_a_dump_is_whole(name, memory, run):
    with Map(memory, "m", 4, key_dtype="S4", value_dtype="u4,f8") as table, Queue(memory, "q", 4, dtype="u4"):
        table["one"], table["two"] = (1, 1.5), (2, 2.5)
    Array(memory, "a", 3, dtype="u4")
    for options in (["a"], ["a", "--limit", "0"], ["q"], ["m"], ["m", "--dtype", "u4,f8", "--key-dtype", "S4"], ["m", "--limit", "1"]):
        status, out, _ = run("dump", name, *options, "--json")
        assert status == 0 and out == json.dumps(json.loads(out), indent=2) + "\n", options
    assert json.loads(run("dump", name, "a", "--limit", "1", "--json")[1])["count"] == 3
    assert run("dump", name, "a", "--limit", "2")[1] == "INDEX  VALUE\n    0  0\n    1  0\n"


def test_what_the_system_refuses_is_not_the_answer(run, monkeypatch):
    def refuses():
        raise PermissionError(errno.EACCES, "Permission denied", "/proc")

    monkeypatch.setattr(show, "processes", refuses)
    status, out, err = run("list")
    assert (status, out) == (2, "") and "/proc" in err and "cannot write" not in err


def test_names_that_the_terminal_cannot_show(name, memory):
    Array(memory, "größe", 1, dtype="u4")
    for command in (["show", name], ["show", name, "--names"]):
        found = subprocess.run(
            [*COMMAND, *command], capture_output=True, text=True, env=dict(ENVIRONMENT, PYTHONIOENCODING="ascii:strict"), timeout=60
        )
        assert (found.returncode, found.stderr) == (0, "") and "gr\\xf6\\xdfe" in found.stdout, command


def test_follow_ends_when_the_segment_is_removed(name, memory, run, monkeypatch):
    Queue(memory, "q", 4, dtype="u4").close()
    monkeypatch.setattr(look.time, "sleep", lambda seconds: Memory.unlink(name))
    status, out, err = run("follow", name, "q", "--interval", "0.01", "--count", "3")
    assert (status, out) == (2, "") and "was removed" in err


@pytest.mark.parametrize("count", [1, 2])
def test_faults_are_counted_in_words(name, memory, run, count):
    data = bytearray(contents(name))
    for i in range(count):
        data[16 + 40 * (i + 2)] = 1
    place(name, data)
    status, out, _ = run("check", name)
    assert status == 1 and out.splitlines()[-1] == f"{name}: {count} fault{'s' if count > 1 else ''}"


def test_show_calls_corrupt_what_has_notes_too(name, memory, run, monkeypatch):
    """A stack that is larger than it need be, whose size cannot be told."""
    Stack(memory, "s", 4, dtype="u8").close()
    entry = memory.find("s")
    data = bytearray(contents(name))
    data[52:56] = (entry.size + 64).to_bytes(4, "little")
    data[12:16] = (entry.offset + entry.size + 64).to_bytes(4, "little")
    place(name, data)
    status, out, _ = run("show", name, "--json")
    assert status == 0 and "are needed" in json.loads(out)["structures"][0]["problem"]

    def raises(mapping, structure):
        raise Corrupt("a peer overwrote it")

    monkeypatch.setattr(show, "size", raises)
    status, out, err = run("show", name, "--json")
    (shown,) = json.loads(out)["structures"]
    assert (status, shown["corrupt"]) == (1, True) and "are needed" in shown["problem"] and "overwrote" in shown["problem"]
