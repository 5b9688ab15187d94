"""The command as the shell runs it: Ctrl-C, closed pipes, completion, and a manual page that knows every option."""

import argparse
import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest
from zeroipc import Array, Memory, Queue
from zeroipc.command.arguments import parser

PACKAGE = pathlib.Path(__file__).resolve().parents[1]
ENVIRONMENT = dict(os.environ, PYTHONPATH=str(PACKAGE))
ENVIRONMENT.pop("PYTHONUNBUFFERED", None)  # with it, Python takes a write that a closed pipe cut short for a whole one
COMMAND = [sys.executable, "-m", "zeroipc"]
COMPLETION = PACKAGE / "share/zeroipc"

pytestmark = pytest.mark.medium


def _commands():
    """Each command's name and its options."""
    (choices,) = [action.choices for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return {name: sorted(o for action in one._actions for o in action.option_strings if o != "-h") for name, one in choices.items()}


def test_ctrl_c_ends_follow(name, memory):
    Queue(memory, "q", 4, dtype="u4").close()
    process = subprocess.Popen(
        [*COMMAND, "follow", name, "q", "--interval", "0.01"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
    )  # fmt: skip
    assert "PUSHES/S" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "") and out[-1:] in ("", "\n") and "\x1b" not in out


@pytest.mark.parametrize("command", ["dump NAME a", "dump NAME a --json", "follow NAME q --interval 0.01"])
def test_a_closed_pipe_is_silent(name, memory, command):
    Array(memory, "a", 100000, dtype=np.uint8).close()
    Queue(memory, "q", 4, dtype="u4").close()
    line = f"{' '.join(COMMAND)} {command.replace('NAME', name)} | head -n 1"
    found = subprocess.run(["bash", "-c", f"set -o pipefail; {line}"], capture_output=True, text=True, env=ENVIRONMENT, timeout=60)
    assert (found.returncode, found.stderr) == (141, "") and len(found.stdout.splitlines()) == 1


def test_output_that_cannot_be_written_is_said(name, memory):
    found = subprocess.run([*COMMAND, "show", name], stdout=open("/dev/full", "w"), stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    assert found.returncode == 2 and found.stderr.startswith("zeroipc: cannot write") and found.stderr.count("\n") == 1


def _completed(tmp_path, *words):
    """What bash is offered for the last word."""
    program = tmp_path / "zeroipc"
    program.write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
    program.chmod(0o755)
    script = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _zeroipc_complete; printf "%s\\n" "${COMPREPLY[@]}"'
    found = subprocess.run(
        ["bash", "-c", script, "bash", str(COMPLETION), str(program), *words],
        capture_output=True, text=True, env=ENVIRONMENT, timeout=60,
    )  # fmt: skip
    assert found.stderr == ""
    return sorted(found.stdout.split("\n")[:-1])


def test_completion(name, memory, tmp_path):
    Array(memory, "one two", 1, dtype="u4")
    Array(memory, "other", 1, dtype="u4")
    assert _completed(tmp_path, "") == sorted(_commands())
    assert _completed(tmp_path, "cr") == ["create"]
    assert _completed(tmp_path, "show", name[:-1]) == [name] and _completed(tmp_path, "show", name[1:-1]) == [name[1:]]
    assert _completed(tmp_path, "dump", "--dtype", "u4", name, "o") == ["one\\ two", "other"]
    assert _completed(tmp_path, "check", name, "ot") == ["other"]
    assert _completed(tmp_path, "create", name, "") == ["array", "map", "queue", "stack"]
    assert _completed(tmp_path, "create", name, "queue", "q", "--layout", "padded") == ["padded", "padded64"]
    assert _completed(tmp_path, "list", "") == [""]


@pytest.mark.parametrize("command", _commands())
def test_completion_and_manual_know_every_option(tmp_path, command):
    options = _commands()[command]
    assert _completed(tmp_path, command, "--") == options
    manual = (PACKAGE / "share/zeroipc.1").read_text().replace("\\-", "-")
    assert f"\n.B {command}\n" in manual
    assert [option for option in options if f" {option} " not in manual.replace("\n", " \n").replace('"', " ")] == []


def test_manual_has_no_mistakes():
    """Where there is a formatter."""
    for formatter in (["mandoc", "-T", "lint", "-W", "warning"], ["groff", "-man", "-ww", "-z", "-T", "utf8"]):
        try:
            found = subprocess.run([*formatter, str(PACKAGE / "share/zeroipc.1")], capture_output=True, text=True)
        except FileNotFoundError:
            continue
        assert (found.returncode, found.stdout, found.stderr) == (0, "", ""), formatter


def test_help_and_mistakes():
    for arguments, status in ((["--help"], 0), (["check", "--help"], 0), ([], 2), (["nonsense"], 2), (["show"], 2)):
        found = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, env=ENVIRONMENT)
        assert found.returncode == status and "usage: zeroipc" in found.stdout + found.stderr, arguments
    found = subprocess.run([*COMMAND, "show", "none-of-that-name"], capture_output=True, text=True, env=ENVIRONMENT)
    assert (found.returncode, found.stdout) == (2, "") and "zeroipc list" in found.stderr
    assert not Memory.unlink("none-of-that-name")
