"""Queues and stacks: what they promise, in one process and with C++."""

import random
import threading
import time

import numpy as np
import pytest
from conftest import SEED
from zeroipc import Queue, Stack, errors

BOTH = pytest.mark.parametrize("kind", [Queue, Stack], ids=["queue", "stack"])


@pytest.mark.fast
@BOTH
def test_full_and_empty(memory, kind):
    one = kind(memory, "it", 4, dtype="i8")
    assert one.try_pop() is None and one.was_empty()
    assert [one.try_push(i) for i in range(5)] == [True] * 4 + [False]
    assert one.was_size() == 4
    assert one.pop(0.01) is not None
    assert one.push(9) and not one.push(9, timeout=0.01)
    expected = [1, 2, 3, 9] if kind is Queue else [9, 2, 1, 0]
    assert list(iter(one.try_pop, None)) == expected
    assert one.pop(timeout=0.01) is None


@pytest.mark.fast
@BOTH
def test_it_agrees_with_a_list(memory, kind):
    """Random operations through several handles, also in batches; counters begin anew in no lap that matters."""
    rng = random.Random(SEED)
    handles = [kind(memory, "it", 8, dtype="u4", handle_slots=3)] + [kind(memory, "it", dtype="u4") for _ in range(2)]
    model = []
    taken = (lambda: model.pop(0)) if kind is Queue else (lambda: model.pop())
    for n in range(4000):
        one = rng.choice(handles)
        action = rng.randrange(5)
        if action < 2:
            done = one.try_push(n)
            assert done == (len(model) < 8)
            model += [n] * done
        elif action == 2:
            assert one.try_pop() == (taken() if model else None)
        elif action == 3:
            items = [n + i for i in range(rng.randrange(6))]
            done = one.put_many(np.array(items, dtype="u4"))
            assert done == min(len(items), 8 - len(model))
            model += items[:done]
        else:
            most = rng.randrange(6)
            assert one.get_many(most).tolist() == [taken() for _ in range(min(most, len(model)))]
        assert one.was_size() == len(model)


ITEMS = [
    ("i1", -5), ("u2", 65535), ("f4", 1.5), ("f8", -2.25), ("?", True), ("i8", -(2**63)), ("u8", 2**64 - 1), (">u4", 7),
    ("S5", b"abc"), ("U3", "äöü"), ("c16", 1 + 2j), ("(2,2)i4", [[1, 2], [3, 4]]), ([("a", "i2"), ("b", "S3")], (3, b"xy")),
    ("S100", b"x" * 100), ("datetime64[s]", np.datetime64("2026-11-27T00:00:00")),
]  # fmt: skip


@pytest.mark.fast
@BOTH
@pytest.mark.parametrize("dtype, item", ITEMS, ids=[str(dtype) for dtype, _ in ITEMS])
def test_items_of_every_kind(memory, kind, dtype, item):
    one = kind(memory, "it", 4, dtype=dtype)
    assert one.push(item)
    found = one.pop()
    if isinstance(found, np.void):
        found = found.item()
    assert (found.tolist() if isinstance(found, np.ndarray) else found) == item
    same = np.zeros(3, dtype=one.dtype)
    same[:] = item
    assert one.put_many(same) == 3
    assert (one.get_many(9) == same).all()


@pytest.mark.fast
@BOTH
def test_what_is_no_item_is_refused(memory, kind):
    one = kind(memory, "it", 4, dtype="u1")
    for bad in (256, -1, "x", None, 1.5):
        with pytest.raises(errors.InvalidArgument):
            one.push(bad)
    with pytest.raises(errors.InvalidArgument):
        one.put_many([[1, 2]])
    texts = kind(memory, "texts", 4, dtype="S4")
    with pytest.raises(errors.InvalidArgument):
        texts.push(b"12345")  # NumPy would cut it
    with pytest.raises(errors.InvalidArgument):
        kind(memory, "objects", 4, dtype=object)
    assert one.was_size() == texts.was_size() == 0


@pytest.mark.fast
@BOTH
def test_making_and_opening(memory, kind):
    with pytest.raises(errors.InvalidCapacity):
        kind(memory, "it", 0, dtype="u4")
    if kind is Queue:
        with pytest.raises(errors.InvalidCapacity):
            kind(memory, "it", 3, dtype="u4")
    with pytest.raises(errors.TooLarge):
        kind(memory, "it", 1 << 28, dtype="S1000")
    with pytest.raises(errors.InvalidArgument):
        kind(memory, "it", 4, dtype="u4", handle_slots=1001)
    with pytest.raises(errors.InvalidArgument):
        kind(memory, "it", 4, dtype="u4", layout="remapped")
    with pytest.raises(errors.NotFound):
        kind(memory, "it", dtype="u4")
    kind(memory, "it", 4, dtype="u4", handle_slots=2)
    with pytest.raises(errors.WrongItemSize):
        kind(memory, "it", dtype="u8")
    with pytest.raises(errors.WrongKind):
        ({Queue: Stack, Stack: Queue}[kind])(memory, "it", dtype="u4")


@pytest.mark.fast
@BOTH
def test_handle_slots_are_given_back(memory, kind):
    first = kind(memory, "it", 4, dtype="u4", handle_slots=2)
    with kind(memory, "it", dtype="u4") as second:
        assert {first.handle_slot, second.handle_slot} == {0, 1}
        with pytest.raises(errors.NoHandleSlot):
            kind(memory, "it", dtype="u4")
    third = kind(memory, "it", dtype="u4")
    assert third.handle_slot == second.handle_slot
    del first  # so does the garbage collection
    assert kind(memory, "it", dtype="u4").handle_slot == 0
    with pytest.raises(errors.Misuse):
        second.push(1)
    second.close()


@pytest.mark.fast
@BOTH
def test_a_sleeper_is_woken(memory, kind):
    one, other = kind(memory, "it", 1, dtype="u4"), kind(memory, "it", dtype="u4")
    found = []
    sleeper = threading.Thread(target=lambda: found.append(other.pop(timeout=20)))
    sleeper.start()
    time.sleep(0.02)
    one.push(5)
    sleeper.join(20)
    assert found == [5]


@pytest.mark.fast
@pytest.mark.parametrize("start", [2**32 - 3, 2**61 - 2, 2**64 - 5])
def test_queue_counters_near_their_wrap(memory, start):
    """A queue that has done so many operations: head, tail, and each cell in its lap."""
    made = Queue(memory, "it", 4, dtype="u4", handle_slots=2)
    shape, words = made._ring.shape, made._ring._words
    made.close()
    for at in (shape.head, shape.tail):
        words.store(at, start)
    for i in range(4):
        lap = (start + (i - start) % 4) // 4  # of the first position from start on that uses cell i
        words.store(shape.cell(i), (2 * lap & shape.turn_mask) << shape.turn_shift)
    queue = Queue(memory, "it", dtype="u4")
    for i in range(40):
        assert queue.try_push(2 * i) and queue.try_push(2 * i + 1)
        assert queue.was_size() == 2 and queue.get_many(5).tolist() == [2 * i, 2 * i + 1]
    assert [queue.try_push(i) for i in range(5)] == [True] * 4 + [False]


@pytest.mark.fast
def test_indices_lag_by_eight_at_most(memory):
    """So walks stay short, whoever was killed: core/format/queue.md, helping."""
    handles = [Queue(memory, "it", 4, dtype="u4"), Queue(memory, "it", dtype="u4")]
    shape, words = handles[0]._ring.shape, handles[0]._ring._words
    for done in range(60):
        assert 0 <= done - words.load(shape.tail) <= 8 and 0 <= done - words.load(shape.head) <= 8
        assert handles[done % 3 > 0].push(done) and handles[done % 5 > 2].pop() == done


@pytest.mark.fast
def test_stack_tags_near_their_wrap(memory):
    made = Stack(memory, "it", 3, dtype="u4", handle_slots=2)
    ring = made._ring
    for at in (ring.top, ring.free):
        ring.words.store(at, ring.words.load(at) | (2**64 - 1) >> ring.tag_shift << ring.tag_shift)
    for i in range(9):
        assert [made.try_push(j) for j in range(4)] == [True] * 3 + [False]
        assert made.try_peek() == 2 and made.get_many(9).tolist() == [2, 1, 0]
