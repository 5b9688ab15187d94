"""Sleepers woken, and dead handles recovered, from every language to every other one. (C and C++, and C++ and Python, at each
step: core/c/tests/kill_test.cpp and test_kills.py.)"""

import ctypes
import mmap
import os
import platform
import random
import signal
import time

import pytest
from census import owners
from conftest import SEED, fork, place
from workers import OTHERS, PAIRS, Shape, Worker, data, held, make, open_it, start_offset
from zeroipc import Map, Memory, Queue, Stack
from zeroipc._format import LAYOUT

PATIENCE = 20000  # ms; against hangs
SYS_FUTEX = {"x86_64": 202, "aarch64": 98}[platform.machine()]
FUTEX_WAIT, FUTEX_WAKE = 0, 1


def futex(address, operation, value, timeout=None):
    call = ctypes.CDLL(None).syscall
    return call(
        ctypes.c_long(SYS_FUTEX), ctypes.c_void_p(address), ctypes.c_int(operation), ctypes.c_uint32(value),
        timeout, None, ctypes.c_int(0),
    )  # fmt: skip


def until(condition, what):
    """Waits for something that is bound to happen."""
    end = time.monotonic() + PATIENCE / 1000
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.0005)


class FutexWord:
    """The half word of a segment on which a structure's users sleep."""

    def __init__(self, name, offset):
        with open("/dev/shm" + name, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._at = ctypes.c_uint32.from_buffer(self._map, offset)
        self.address = ctypes.addressof(self._at)

    def value(self):
        return self._at.value

    def has_a_sleeper(self):
        """Whether the kernel has one there. It is woken for that, and sleeps again."""
        return futex(self.address, FUTEX_WAKE, 1) == 1


def bystander(word):
    """A process that sleeps on the word, by the system call itself. Its status is 0 if it is woken by one."""
    seen = word.value()

    class Timespec(ctypes.Structure):
        _fields_ = [("seconds", ctypes.c_long), ("ns", ctypes.c_long)]

    limit = Timespec(PATIENCE // 1000, 0)
    reader, writer = os.pipe()

    def sleep():
        os.write(writer, b"x")
        assert futex(word.address, FUTEX_WAIT, seen, ctypes.byref(limit)) == 0

    pid = fork(sleep)
    os.read(reader, 1)
    os.close(reader)
    os.close(writer)

    def sleeps():
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] in "SZ"

    until(sleeps, "the bystander does not sleep")
    return pid


@pytest.fixture
def start():
    """Starts processes of this test alone."""
    started = []

    def begin(language):
        started.append(Worker(language))
        return started[-1]

    yield begin
    for one in started:
        one.close()


@pytest.mark.fast
@pytest.mark.parametrize("sleeper, waker", PAIRS)
@pytest.mark.parametrize("kind", ["queue", "stack", "map"])
def test_a_sleeper_is_woken(name, start, kind, sleeper, waker):
    """The kernel has it asleep on the format's word; and what the other does there wakes whoever sleeps, a bystander too."""
    shape = Shape(kind, 8, 4)
    sleeping, waking = start(sleeper), start(waker)
    make(sleeping, name, shape)
    open_it(waking, name, shape)
    places = LAYOUT[kind]["layouts"]["compact"]
    word = FutexWord(name, start_offset(name) + places["keys_wait" if kind == "map" else "items_wait"])
    if kind == "map":
        sleeping.begin("wait", on="it", key=data(1), timeout_ms=PATIENCE)
    else:
        sleeping.begin("pop", on="it", timeout_ms=PATIENCE)
    until(word.has_a_sleeper, f"{sleeper} does not sleep on the word")
    pid = bystander(word)
    if kind == "map":
        waking.must("insert", on="it", key=data(1), value=data(5))
    else:
        waking.must("push", on="it", item=data(5), timeout_ms=PATIENCE)
    assert os.waitpid(pid, 0)[1] == 0, f"{waker} woke nobody on the word"
    assert sleeping.end() == {"result": "ok", "value" if kind == "map" else "item": data(5)}


def _check_recovered(worker, name, shape):
    """Every handle slot is to be had, every buffer, node and block has one owner, and the whole capacity is there."""
    for i in range(1, shape.handle_slots):
        open_it(worker, name, shape, as_=f"more {i}")
    with Memory(name) as memory:
        worker.must("close", on="more 1")
        types = {"queue": Queue, "stack": Stack}
        if shape.kind == "map":
            look = Map(memory, "it", key_dtype="u8", value_dtype="u8")
        else:
            look = types[shape.kind](memory, "it", dtype="u8")
        counts = owners(look)
        look.close()
    assert counts == [1] * len(counts)
    n = range(1, shape.capacity + 1)
    if shape.kind == "map":
        for key, _ in held(worker, shape):
            worker.must("erase", on="it", key=key)
        assert all(worker.ask("insert", on="it", key=data(i), value=data(i))["result"] == "inserted" for i in n)
    else:
        found = worker.ask("push_many", on="it", items=[data(i) for i in range(shape.capacity + 1)])
        assert found == {"result": "full", "count": shape.capacity}


@pytest.mark.medium
@pytest.mark.parametrize("dying, heir", OTHERS)
@pytest.mark.parametrize("kind", ["queue", "stack", "map"])
def test_one_is_killed_at_work_and_the_other_recovers(name, start, kind, dying, heir):
    """At random moments."""
    rng = random.Random(f"{SEED} {kind} {dying} {heir}")
    shape = Shape(kind, 8, 8, handle_slots=2)
    survivor = start(heir)
    make(survivor, name, shape, 1 << 18)
    for round_ in range(1, 5):
        victim = start(dying)
        open_it(victim, name, shape)
        victim.begin("churn", on="it", kind=kind, first=round_ << 40)
        assert victim.end() == {"result": "working"}
        time.sleep(rng.uniform(0.001, 0.02))
        victim.process.kill()
        assert victim.process.wait() == -signal.SIGKILL
        found = [pair[1] for pair in held(survivor, shape)] if kind == "map" else held(survivor, shape)
        numbers = [int.from_bytes(bytes.fromhex(item), "little") for item in found]
        assert all(number >> 40 == round_ for number in numbers) and len(set(numbers)) == len(numbers)
        if kind == "queue":
            assert numbers == sorted(numbers)
        _check_recovered(survivor, name, shape)
        survivor.must("reset")
        open_it(survivor, name, shape)
        if kind == "map":
            for key, _ in held(survivor, shape):
                survivor.must("erase", on="it", key=key)
        else:
            held(survivor, shape)


SCRIPTS = {
    "queue": [["push", 9], ["pop"], ["pop"], ["push", 10], ["push", 11]],
    "stack": [["push", 9], ["pop"], ["pop"], ["push", 10], ["push", 11]],
    "map": [["insert", 9, 90], ["assign", 1, 11], ["erase", 2], ["insert", 2, 21], ["erase", 9]],
}


def _after(kind, items, step):
    """What a structure holds behind a step of a script, as `held` gives it."""
    what, *numbers = step
    if kind == "map":
        pairs = dict(items) | {data(numbers[0]): data(numbers[-1])}
        if what == "erase":
            del pairs[data(numbers[0])]
        return sorted([key, value] for key, value in pairs.items())
    if what == "pop":
        return items[1:]
    return [data(numbers[0])] + items if kind == "stack" else items + [data(numbers[0])]


@pytest.mark.medium
@pytest.mark.parametrize("dying, heir", [("c", "python"), ("python", "c")])
@pytest.mark.parametrize("kind", SCRIPTS)
def test_one_is_killed_at_each_step_and_the_other_recovers(name, start, tmp_path, kind, dying, heir):
    """Behind each machine instruction of C, and each shared step of Python: what they leave then is what is recovered."""
    shape = Shape(kind, 8, 4, handle_slots=2)
    survivor, victim = start(heir), start(dying)
    make(survivor, name, shape, 8192)
    for i in (1, 2, 3):
        if kind == "map":
            survivor.must("insert", on="it", key=data(i), value=data(10 * i))
        else:
            survivor.must("try_push", on="it", item=data(i))
    survivor.must("reset")
    script = [[what, *(data(n) for n in numbers)] for what, *numbers in SCRIPTS[kind]]
    seen = victim.ask("states", segment=name, **shape.named(), folder=str(tmp_path), script=script)
    if seen["result"] == "nobody may trace":
        pytest.skip("this machine lets nobody trace")
    assert seen["result"] == "ok" and seen["states"] > 2 * len(script)
    allowed = {"queue": [[data(i) for i in (1, 2, 3)]], "stack": [[data(i) for i in (3, 2, 1)]]}
    steps = allowed.get(kind, [sorted([data(i), data(10 * i)] for i in (1, 2, 3))])
    for step in SCRIPTS[kind]:
        steps.append(_after(kind, steps[-1], step))
    at = 0
    for n in range(seen["states"]):
        place(name, (tmp_path / str(n)).read_bytes())
        open_it(survivor, name, shape)
        found = held(survivor, shape)
        assert found in steps[at:], (n, at, found)  # never back
        at = steps.index(found, at)
        _check_recovered(survivor, name, shape)
        survivor.must("reset")
        Memory.unlink(name)
    assert at == len(steps) - 1
