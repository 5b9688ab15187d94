"""Processes are killed (SIGKILL) before each shared step of each operation, in either language, and the other one goes on:
nobody waits, at most the item in hand is missing, and every buffer, node and block has one owner again."""

import os
import random
import signal
import time

import pytest
from census import owners
from conftest import SEED, fork, in_child
from mortal import dies_before
from zeroipc import Map, Memory, Queue, Stack

STEPS = 60  # more than any operation here has


def _make(memory, kind, items):
    if kind is Map:
        # Two buckets, five blocks: so eight keys need blocks.
        made = Map(memory, "it", 2, key_dtype="u8", value_dtype="u8", handle_slots=3, seed=5)
        for i in range(items):
            made[i] = i
        return made
    made = kind(memory, "it", 4, dtype="u8", handle_slots=3)
    for i in range(items):
        made.push(i)
    return made


def _open(memory, kind):
    if kind is Map:
        return Map(memory, "it", key_dtype="u8", value_dtype="u8")
    return kind(memory, "it", dtype="u8")


def _contents(one):
    """What is in it, in the order in which it would come out."""
    if isinstance(one, Map):
        return sorted(one.items())
    return one.get_many(100).tolist()


OPERATIONS = {
    "push": lambda one: one.push(99, timeout=5),
    "pop": lambda one: one.pop(timeout=5),
    "pop pop push": lambda one: (one.try_pop(), one.try_pop(), one.try_push(99)),
    "insert": lambda one: one.insert(99, 99),
    "assign": lambda one: one.insert_or_assign(1, 99),
    "erase": lambda one: one.erase(1),
    "erase all": lambda one: [one.erase(i) for i in range(8)],
    "insert many": lambda one: [one.insert(100 + i, 99) for i in range(8)],
}


def _allowed(kind, operation, items):
    """What may be in it after an operation that was killed somewhere."""
    before = [(i, i) for i in range(items)] if kind is Map else list(range(items))
    if kind is Map:
        states = [before]
        if operation == "insert":
            states.append(before + [(99, 99)])
        if operation == "assign":
            states.append(sorted([(i, v) for i, v in before if i != 1] + [(1, 99)]))
        if operation == "erase":
            states.append([(i, v) for i, v in before if i != 1])
        if operation == "erase all":
            states += [before[n:] for n in range(len(before) + 1)]
        if operation == "insert many":
            states += [before + [(100 + i, 99) for i in range(n)] for n in range(9)]
        return states
    first_out = before if kind is Queue else before[::-1]
    pushed = (lambda s: s + [99]) if kind is Queue else (lambda s: [99] + s)
    if operation == "push":
        return [first_out, pushed(first_out)]
    if operation == "pop":
        return [first_out, first_out[1:]]
    return [first_out, first_out[1:], first_out[2:], pushed(first_out[2:])]


CASES = [
    (kind, operation, items)
    for kind, operations in ((Queue, ["push", "pop", "pop pop push"]), (Stack, ["push", "pop", "pop pop push"]))
    for operation in operations
    for items in ((0, 2) if operation == "push" else (2, 3))
] + [
    (Map, operation, items)
    for operation in ("insert", "assign", "erase", "erase all", "insert many")
    for items in (3, 8)
]
IDS = [f"{kind.__name__}-{operation}-{items}".replace(" ", "-") for kind, operation, items in CASES]


@pytest.mark.medium
@pytest.mark.parametrize("kind, operation, items", CASES, ids=IDS)
def test_ours_dies_before_each_step(name, kind, operation, items):
    """Its recovery is killed too, before one of its steps."""
    allowed = _allowed(kind, operation, items)
    # Of operations in a row, every third step: the same come again and again.
    for step in [*range(1, 40), *range(40, 1000, 3)]:
        with Memory.create(name, 1 << 16) as memory:
            survivor = _make(memory, kind, items)

            def action():
                one = _open(Memory(name), kind)
                with dies_before(step):
                    OPERATIONS[operation](one)

            def recovery(at):
                def open_it():
                    with dies_before(at):
                        _open(Memory(name), kind)

                return open_it

            status = in_child(action)
            assert status in (0, signal.SIGKILL)
            in_child(recovery(1 + step % 7))
            newcomer = _open(memory, kind)
            assert newcomer.handle_slot == 1, "the dead one's slot is parked"
            _check_counts(newcomer)
            found = _contents(survivor)
            assert found in allowed, (step, found)
            _check_works(newcomer, kind)
            _check_counts(newcomer)
            newcomer.close()
            survivor.close()
        Memory.unlink(name)
        if status == 0:
            break
    assert status == 0 and step > 5


def _check_counts(one):
    counts = owners(one)
    assert counts == [1] * len(counts)


def _check_works(one, kind):
    """Its full capacity is there."""
    if kind is Map:
        for key, _ in list(one.items()):
            one.erase(key)
        assert all(one.insert(1000 + i, i).value == "inserted" for i in range(8))
        assert all(one.find(1000 + i) == i for i in range(8))
        assert all(one.erase(1000 + i) for i in range(8))
    else:
        assert [one.try_push(i) for i in range(5)] == [True] * 4 + [False]
        assert sorted(one.get_many(9).tolist()) == [0, 1, 2, 3]


CPP = [(kind, operation, items) for kind, operation, items in CASES if " " not in operation]


@pytest.mark.medium
@pytest.mark.parametrize("kind, operation, items", CPP, ids=[i for i, c in zip(IDS, CASES) if c in CPP])
def test_cpp_dies_before_each_step(name, new_peer, kind, operation, items):
    noun = kind.__name__.lower()
    words = {"push": [99], "pop": [], "insert": [99, 99], "assign": [1, 99], "erase": [1]}[operation]
    allowed = _allowed(kind, operation, items)
    for step in range(1, STEPS):
        with Memory.create(name, 1 << 16) as memory:
            survivor = _make(memory, kind, items)
            peer = new_peer()
            peer("open", name)
            assert peer(f"{noun}-open", "it") == "1"
            peer("die", step)
            peer.start(f"{noun}-{operation}", *words)
            ended = peer.answer() is not None
            if not ended:
                assert peer.died()
            peer.close()
            newcomer = _open(memory, kind)
            assert newcomer.handle_slot == 1
            _check_counts(newcomer)
            found = _contents(survivor)
            assert found in allowed, (step, found)
            _check_works(newcomer, kind)
            newcomer.close()
            survivor.close()
        Memory.unlink(name)
        if ended:
            break
    assert ended and step > 3


@pytest.mark.medium
@pytest.mark.parametrize("kind, operation, items", CPP, ids=[i for i, c in zip(IDS, CASES) if c in CPP])
def test_cpp_recovers_ours(name, new_peer, kind, operation, items):
    """A C++ process opens the handle slot of a dead one of ours, and finds everything in order."""
    noun = kind.__name__.lower()
    allowed = _allowed(kind, operation, items)
    peer = new_peer()
    for step in range(1, STEPS):
        with Memory.create(name, 1 << 16) as memory:
            survivor = _make(memory, kind, items)

            def action():
                one = _open(Memory(name), kind)
                with dies_before(step):
                    OPERATIONS[operation](one)

            status = in_child(action)
            peer("open", name)
            assert peer(f"{noun}-open", "it") == "1"
            _check_counts(survivor)
            found = _contents(survivor)
            assert found in allowed, (step, found)
            if kind is not Map:
                assert [peer(f"{noun}-push", i) for i in range(5)] == ["yes"] * 4 + ["no"]
                assert sorted(int(peer(f"{noun}-pop")) for _ in range(4)) == [0, 1, 2, 3]
            peer("close")
            survivor.close()
        Memory.unlink(name)
        if status == 0:
            break
    assert status == 0 and step > 5


def _works(name, kind, first):
    with Memory(name) as mine, kind(mine, "it", dtype="u8") as one:
        for i in range(1 << 30):
            one.try_push(first + i)
            one.try_pop()


@pytest.mark.medium
@pytest.mark.parametrize("kind", [Queue, Stack], ids=["queue", "stack"])
def test_kills_at_random_moments(name, kind):
    """Two at a time work until they are killed; the survivor goes on, and what it takes out is what they put in."""
    rng = random.Random(SEED)
    with Memory.create(name, 1 << 16) as memory:
        survivor = kind(memory, "it", 8, dtype="u8", handle_slots=8)
        for round_ in range(25):
            pids = [fork(lambda w=w: _works(name, kind, round_ << 40 | w << 32)) for w in range(2)]
            end = time.monotonic() + rng.uniform(0.005, 0.06)
            while time.monotonic() < end:
                survivor.try_push(1 << 63)
                item = survivor.try_pop()
                assert item is None or item == 1 << 63 or item >> 40 <= round_
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            for pid in pids:
                assert os.waitpid(pid, 0)[1] == signal.SIGKILL
        # A dead slot that names another dead one's buffers may wait for repair: everything is in its place after it.
        survivor.close()
        kind.repair(memory, "it", dtype="u8")
        last = kind(memory, "it", dtype="u8")
        _check_counts(last)
        last.get_many(100)
        assert [last.try_push(i) for i in range(9)] == [True] * 8 + [False]
        _check_counts(last)
