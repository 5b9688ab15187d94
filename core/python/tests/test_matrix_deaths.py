"""Sleepers woken, and dead handles recovered, from every language to every other one. (C and C++, and C++ and Python, at each
step: core/c/tests/kill_test.cpp and test_kills.py.)"""

import ctypes
import errno
import mmap
import os
import platform
import random
import signal
import time

import pytest
from census import owners
from conftest import SEED, fork, place
from workers import OTHERS, PAIRS, Shape, Worker, data, held, make, open_it, pool, start_offset  # noqa: F401  (a fixture)
from zeroipc import Map, Memory, Queue, Stack
from zeroipc._format import LAYOUT

PATIENCE = 20000  # ms; against hangs
SYS_FUTEX = {"x86_64": 202, "aarch64": 98}[platform.machine()]
FUTEX_WAIT, FUTEX_CMP_REQUEUE = 0, 4
FUTEX = ctypes.CDLL(None, use_errno=True).syscall


class Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("ns", ctypes.c_long)]


def futex(address, operation, value, fourth, other=None, expected=0):
    return FUTEX(
        ctypes.c_long(SYS_FUTEX), ctypes.c_void_p(address), ctypes.c_int(operation), ctypes.c_uint32(value),
        fourth, ctypes.c_void_p(other), ctypes.c_uint32(expected),
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

    def sleepers(self):
        """How many the kernel has there: it is asked to move them all to where they are, which disturbs none."""
        many = ctypes.c_void_p(1000)
        return futex(self.address, FUTEX_CMP_REQUEUE, 0, many, self.address, self.value())


def bystander(word):
    """A process that sleeps on the word beside another one, by the system call itself. Its status is 0 if it is woken."""
    limit = Timespec(PATIENCE // 1000, 0)

    def sleep():
        while futex(word.address, FUTEX_WAIT, word.value(), ctypes.byref(limit)) != 0:
            # The word changed between the look at it and the call.
            assert ctypes.get_errno() == errno.EAGAIN, os.strerror(ctypes.get_errno())

    pid = fork(sleep)
    # The other one wakes by itself now and then, and sleeps again; the bystander does not.
    until(lambda: word.sleepers() == 2, "the bystander does not sleep")
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


WAITS = {  # what the sleeper waits for, and what the other one does
    "item": ("items_wait", ["push", "push_many"]),
    "space": ("space_wait", ["pop", "pop_many"]),
    "key": ("keys_wait", ["insert"]),
}
CASES = [
    (kind, waits_for, wakes_by)
    for kind, waits in (("queue", ["item", "space"]), ("stack", ["item", "space"]), ("map", ["key"]))
    for waits_for in waits
    for wakes_by in WAITS[waits_for][1]
]


@pytest.mark.fast
@pytest.mark.parametrize("sleeper, waker", PAIRS)
@pytest.mark.parametrize("kind, waits_for, wakes_by", CASES)
def test_a_sleeper_is_woken(name, pool, kind, waits_for, wakes_by, sleeper, waker):
    """The kernel has it asleep on the format's word; and what the other does there wakes whoever sleeps, a bystander too."""
    shape = Shape(kind, 8, 4)
    sleeping, waking = pool(sleeper, 0), pool(waker, 1)
    make(sleeping, name, shape)
    open_it(waking, name, shape)
    word = FutexWord(name, start_offset(name) + LAYOUT[kind]["layouts"]["compact"][WAITS[waits_for][0]])
    if waits_for == "key":
        sleeping.begin("wait", on="it", key=data(1), timeout_ms=PATIENCE)
    elif waits_for == "item":
        sleeping.begin("pop", on="it", timeout_ms=PATIENCE)
    else:
        assert waking.ask("push_many", on="it", items=[data(i) for i in range(4)])["result"] == "ok"
        sleeping.begin("push", on="it", item=data(9), timeout_ms=PATIENCE)
    until(lambda: word.sleepers() == 1, f"{sleeper} does not sleep on the word")
    pid = bystander(word)
    waking.must(wakes_by, on="it", **{
        "insert": {"key": data(1), "value": data(5)},
        "push": {"item": data(5), "timeout_ms": PATIENCE},
        "push_many": {"items": [data(5)]},
        "pop": {"timeout_ms": PATIENCE},
        "pop_many": {"most": 1},
    }[wakes_by])  # fmt: skip
    assert os.waitpid(pid, 0)[1] == 0, f"{waker} woke nobody on the word"
    if waits_for == "space":
        assert sleeping.end() == {"result": "ok"}
        left = [1, 2, 3, 9] if kind == "queue" else [9, 2, 1, 0]
        assert held(waking, shape) == [data(i) for i in left]
    else:
        assert sleeping.end() == {"result": "ok", "item" if waits_for == "item" else "value": data(5)}


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
    # "nobody may trace" (C's worker, where ptrace is forbidden) is no reason to pass: nothing would have been tested.
    assert seen["result"] == "ok", f"{seen['result']}: let processes trace their children (a container: --cap-add SYS_PTRACE)"
    assert seen["states"] > 2 * len(script)
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
