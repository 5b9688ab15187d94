"""Queues and stacks together with C++ processes, and across languages."""

import os
import threading
import time

import numpy as np
import pytest
from conftest import fork
from mortal import Steps
from zeroipc import Memory, Queue, Stack

BOTH = pytest.mark.parametrize("kind", [Queue, Stack], ids=["queue", "stack"])


def _traffic(kind, name, first, count):
    with Memory(name) as memory, kind(memory, "it", dtype="u8") as mine:
        for i in range(count):
            mine.push(first + i)


@pytest.mark.medium
@BOTH
def test_processes_of_both_languages(memory, kind, new_peer):
    """Two producers of each language, a consumer of each: every item comes once, a queue's in their producer's order."""
    noun = kind.__name__.lower()
    count = 4000
    one = kind(memory, "it", 64, dtype="u8")
    peers = [new_peer() for _ in range(3)]
    for peer in peers:
        peer("open", memory.name)
        peer(f"{noun}-open", "it")
    peers[0].start(f"{noun}-push-range", 1 << 32, count)
    peers[1].start(f"{noun}-push-range", 2 << 32, count)
    peers[2].start(f"{noun}-pop-range", 2 * count)
    taken = []

    def consume():
        for _ in range(2 * count):
            taken.append(one.pop(timeout=60))

    consumer = threading.Thread(target=consume)
    consumer.start()
    pids = [fork(lambda p=p: _traffic(kind, memory.name, p << 32, count)) for p in (3, 4)]
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0]
    consumer.join(100)
    theirs = [int(item) for item in peers[2].answer().split()]
    assert [peer.answer() for peer in peers[:2]] == ["ok", "ok"]
    assert sorted(taken + theirs) == [p << 32 | i for p in range(1, 5) for i in range(count)]
    if kind is Queue:
        for items in (taken, theirs):
            for producer in range(1, 5):
                of = [item for item in items if item >> 32 == producer]
                assert of == sorted(of)


@pytest.mark.fast
@BOTH
def test_with_cpp(name, kind, peer):
    noun = kind.__name__.lower()
    peer("make", name, 1 << 20)
    peer(f"{noun}-make", "it", 4)
    with Memory(name) as memory, kind(memory, "it", dtype="u8") as ours:
        assert peer(f"{noun}-pop") == "none"
        assert ours.push(2**64 - 1) and peer(f"{noun}-pop") == str(2**64 - 1)
        for i in range(4):
            assert (peer(f"{noun}-push", i) == "yes") if i % 2 else ours.try_push(i)
        assert not ours.try_push(9) and peer(f"{noun}-push", 9) == "no"
        items = [ours.pop(), int(peer(f"{noun}-pop")), ours.pop(), int(peer(f"{noun}-pop"))]
        assert items == ([0, 1, 2, 3] if kind is Queue else [3, 2, 1, 0])


@pytest.mark.fast
@BOTH
def test_sleepers_of_either_language_are_woken(name, kind, peer):
    """Each is woken in far less than the time that it would wait; that it slept at all is seen from the futex word."""
    noun = kind.__name__.lower()
    peer("make", name, 1 << 20)
    peer(f"{noun}-make", "it", 4)
    with Memory(name) as memory, kind(memory, "it", dtype="u8") as ours:
        waits, words = ours._items_wait, ours._items_wait._words
        before = words.load_half(waits._offset)
        peer.start(f"{noun}-pop-wait", 20000)
        _until(lambda: words.load_half(waits._offset) & 1)
        ours.push(7)
        assert peer.answer() == "7" and words.load_half(waits._offset) & ~1 > before
        found = []
        sleeper = threading.Thread(target=lambda: found.append(ours.pop(timeout=20)))
        sleeper.start()
        _until(lambda: words.load_half(waits._offset) & 1)
        assert peer(f"{noun}-push", 8) == "yes"
        sleeper.join(20)
        assert found == [8]


@pytest.mark.fast
@BOTH
def test_a_batch_of_nothing_wakes_nobody(memory, kind):
    one = kind(memory, "it", 2, dtype="u4")
    waits = [one._items_wait, one._space_wait]

    def announced():
        return [wait._words.load_half(wait._offset) for wait in waits]

    for wait in waits:
        wait._words.or_half(wait._offset, 1)
    before = announced()
    assert one.get_many(3).size == 0 and one.put_many([]) == 0 and announced() == before
    assert one.put_many([1, 2, 3]) == 2  # wakes who waits for items, once
    assert announced() == [2, before[1]]
    assert one.put_many([4]) == 0 and one.get_many(0).size == 0 and announced() == [2, before[1]]


@pytest.mark.fast
@BOTH
def test_a_commit_wakes_once_whoever_announced_that_he_sleeps(memory, kind):
    one = kind(memory, "it", 4, dtype="u8")
    waits, seen = one._items_wait, []
    with Steps(before=lambda _, name: seen.append(name)):
        one.push(1)
        assert "futex_wake" not in seen
        waits._words.or_half(waits._offset, 1)
        one.push(2)
        one.push(3)
    assert seen.count("futex_wake") == 1 and waits._words.load_half(waits._offset) == 2


def _until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "nobody announces that he will sleep"
        time.sleep(0.001)


@pytest.mark.fast
def test_structures_in_a_cpp_queue(memory, peer):
    dtype = np.dtype([("number", "i4"), ("label", "S4"), ("value", "f8")])
    ours = Queue(memory, "it", 4, dtype=dtype)
    peer("open", memory.name)
    peer("records-open", "it")
    ours.push((-3, b"abc", 2.5))
    assert peer("records-pop") == "-3 abc 2.5"
    peer("records-push", 4, "wxyz", -0.5)
    assert ours.pop().item() == (4, b"wxyz", -0.5)
