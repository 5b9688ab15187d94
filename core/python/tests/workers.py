"""Processes of each language, for the tests between languages: they play steps as the conformance cases have them."""

import json
import os
import pathlib
import sys
from typing import NamedTuple

import pytest
from conftest import FORMAT, HERE, Peer

LANGUAGES = ["cpp", "c", "python"]
PAIRS = [(a, b) for a in LANGUAGES for b in LANGUAGES]
OTHERS = [(a, b) for a, b in PAIRS if a != b]
KINDS = ["array", "queue", "stack", "map"]


def program_of(language):
    if language == "python":
        return [sys.executable, str(HERE / "worker.py")]
    variable = f"ZEROIPC_WORKER_{language.upper()}"
    program = os.environ.get(variable)
    if not program:
        pytest.fail(f"{variable} names no program: build the target zeroipc_worker_{language}, and name it so")
    return [program, str(FORMAT / "golden")]


class Worker(Peer):
    """A process of one language."""

    def __init__(self, language):
        super().__init__(*program_of(language))
        self.language = language
        self.busy = False

    def begin(self, do, **fields):
        """Begins a step; `end` waits for its answer."""
        self.busy = True
        self.start(json.dumps({"do": do, **{key.rstrip("_"): value for key, value in fields.items()}}))

    def end(self):
        answer = self.answer()
        assert answer is not None, f"{self.language}: the process ended with status {self.process.wait()}"
        self.busy = False
        found = json.loads(answer)
        assert found["result"] != "broken", f"{self.language}: {found['why']}"
        return found

    def ask(self, do, **fields):
        self.begin(do, **fields)
        return self.end()

    def must(self, do, **fields):
        """The answer to a step that succeeds."""
        found = self.ask(do, **fields)
        assert found["result"] in ("ok", "inserted", "assigned"), f"{self.language}: {do} {fields}: {found}"
        return found


@pytest.fixture(scope="module")
def pool():
    """Up to two processes a language, started when first asked for."""
    started = {}

    def get(language, which=0):
        if (language, which) in started and started[language, which].busy:  # a test failed in the middle
            one = started.pop((language, which))
            one.process.kill()
            one.close()
        if (language, which) not in started:
            started[language, which] = Worker(language)
        started[language, which].must("reset")
        return started[language, which]

    yield get
    for one in started.values():
        one.close()


class Shape(NamedTuple):
    """A structure "it", as the steps name it."""

    kind: str
    item_bytes: int
    capacity: int
    key_bytes: int = 8
    handle_slots: int = 4

    def named(self):
        found = {"kind": self.kind, "name": "it", "item_bytes": self.item_bytes}
        return {**found, "key_bytes": self.key_bytes} if self.kind == "map" else found

    def made(self):
        found = {**self.named(), "capacity": self.capacity}
        if self.kind != "array":
            found["handle_slots"] = self.handle_slots
        return {**found, "seed": 5} if self.kind == "map" else found


def make(worker, name, shape, size=1 << 16):
    worker.must("create_segment", as_="memory", name=name, bytes=size, max_entries=2)
    worker.must("create", as_="it", on="memory", **shape.made())


def open_it(worker, name, shape, as_="it"):
    if as_ == "it":
        worker.must("open_segment", as_="memory", name=name)
    worker.must("open", as_=as_, on="memory", **shape.named())


def held(worker, shape, as_="it"):
    """What a structure holds, in the order in which it comes out; containers are then empty."""
    if shape.kind == "map":
        return worker.must("pairs", on=as_)["pairs"]
    return worker.ask("pop_many", on=as_, most=1000)["items"]


def data(n, size=8):
    """A number's bytes."""
    return n.to_bytes(size, "little").hex()


def start_offset(name):
    return int.from_bytes(pathlib.Path("/dev/shm" + name).read_bytes()[16 + 32 : 16 + 36], "little")
