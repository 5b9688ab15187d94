"""What the tests share: segments of their own, golden images, a C++ process, and deaths on demand."""

import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))

import zeroipc  # noqa: E402
from zeroipc.command import main as command  # noqa: E402

FORMAT = HERE.parents[1] / "format"
SEED = int(os.environ.get("ZEROIPC_SEED", "20261127"))
PATIENCE = 60  # seconds for an answer; against hangs


def pytest_collection_modifyitems(items):
    for item in items:
        if sum(1 for mark in item.iter_markers() if mark.name in ("fast", "medium")) != 1:
            raise pytest.UsageError(f"{item.nodeid} needs exactly one of the marks fast and medium")


@pytest.fixture
def name():
    """A segment's name, which is gone afterwards."""
    made = f"/zeroipc-python-{os.getpid()}"
    zeroipc.Memory.unlink(made)
    yield made
    zeroipc.Memory.unlink(made)


@pytest.fixture
def memory(name):
    with zeroipc.Memory.create(name, 1 << 20) as made:
        yield made


class Peer:
    """A process that does what it is told, a line a command: C++ (peer.cpp), or any language (test_matrix.py)."""

    def __init__(self, *program):
        self.process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self._command, self._read = "", b""

    def start(self, *command):
        """Begins a command; `answer` waits for its end."""
        self._command = " ".join(str(part) for part in command)
        self.process.stdin.write(self._command.encode() + b"\n")

    def answer(self):
        """The answer to a command; None if the process has died. One that says nothing for long is killed."""
        end = time.monotonic() + PATIENCE
        while b"\n" not in self._read:
            ready, _, _ = select.select([self.process.stdout], [], [], max(end - time.monotonic(), 0))
            if not ready:
                self.process.kill()
                self.process.wait()
                pytest.fail(f"{self.process.args[0]} said nothing for {PATIENCE} s, and was killed, in: {self._command}")
            more = os.read(self.process.stdout.fileno(), 1 << 16)
            if not more:
                return None
            self._read += more
        line, self._read = self._read.split(b"\n", 1)
        return line.decode() or None

    def __call__(self, *command):
        self.start(*command)
        found = self.answer()
        assert found is not None, f"the process ended in {command}: status {self.process.wait()}"
        return found

    def died(self):
        return self.process.wait() == -signal.SIGKILL

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def new_peer():
    """Starts C++ processes; they are gone afterwards."""
    program = os.environ.get("ZEROIPC_PYTHON_PEER")
    if not program:
        pytest.fail("ZEROIPC_PYTHON_PEER names no program: build the target zeroipc_python_peer, and name it so")
    peers = []

    def start():
        peers.append(Peer(program))
        return peers[-1]

    yield start
    for one in peers:
        one.close()


@pytest.fixture
def peer(new_peer):
    return new_peer()


def fork(action):
    """Runs `action` in a process of its own, which ends with status 0 if it came to its end. Returns the process's number."""
    pid = os.fork()
    if pid != 0:
        return pid
    signal.alarm(100)  # should this process be forgotten, or hang
    status = 1
    try:
        action()
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


def in_child(action):
    """The same, to its end. Returns the process's wait status."""
    return os.waitpid(fork(action), 0)[1]


def golden(stem):
    """The description of a golden segment, which may be one of `variants/`, and its images in their order."""
    file = FORMAT / "golden" / f"{stem}.json"
    described = json.loads(file.read_text())
    return described, [image(file.parent / stage["image"], described["bytes"]) for stage in described["stages"]]


def image(file, size):
    """The bytes of a .hex file (core/format/layout.md)."""
    data = bytearray(size)
    for line in (FORMAT / "golden" / file).read_text().splitlines():
        offset, *values = line.split()
        at = int(offset, 16)
        data[at : at + len(values)] = bytes(int(value, 16) for value in values)
    return bytes(data)


def place(name, data):
    """Makes an object with these bytes."""
    path = "/dev/shm" + name
    with open(path, "wb") as file:
        file.write(data)


def contents(name):
    return pathlib.Path("/dev/shm" + name).read_bytes()


#: Of the algorithms for comparison.
VARIANTS = sorted(f"variants/{path.stem}" for path in (FORMAT / "golden/variants").glob("*.json"))
GOLDEN = ["array-5x4", "queue-compact-4x8", "stack-compact-3x8", "map-compact-2x8"]


def open_structure(memory, described):
    """The structure of a golden segment, opened."""
    s = described["structure"]
    number = {4: "u4", 8: "u8"}[s["item_size"]]
    if s["kind"] == "map":
        return zeroipc.Map(memory, s["name"], key_dtype="u8", value_dtype=number)
    types = {"array": zeroipc.Array, "queue": zeroipc.Queue, "stack": zeroipc.Stack}
    return types[s["kind"]](memory, s["name"], dtype=number)


@pytest.fixture
def run(capsys):
    """Runs the command; returns status, output, errors."""

    def call(*arguments):
        capsys.readouterr()
        try:
            status = command.main(list(arguments))
        except SystemExit as end:  # argparse's own refusals
            status = end.code
        found = capsys.readouterr()
        return status, found.out, found.err

    return call
