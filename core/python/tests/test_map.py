"""Maps: what they promise, in one process and with C++."""

import random
import threading

import numpy as np
import pytest
from conftest import SEED, in_child
from zeroipc import Map, Memory, Outcome, errors


@pytest.mark.fast
def test_operations(memory):
    one = Map(memory, "it", 10, key_dtype="u4", value_dtype="f8")
    assert one.insert(1, 2.5) is Outcome.INSERTED and one.insert(1, 3.5) is Outcome.PRESENT
    assert one.find(1) == 2.5 and one.find(2) is None and 1 in one and 2 not in one
    assert one.insert_or_assign(1, 4.5) is Outcome.ASSIGNED and one[1] == 4.5
    assert one.compare_exchange(1, 4.0, 5.0) == (Outcome.DIFFERENT, 4.5)
    assert one.compare_exchange(1, 4.5, 5.0) == (Outcome.ASSIGNED, 4.5)
    assert one.compare_exchange(2, 4.5, 5.0) == (Outcome.ABSENT, None)
    assert one.update(1, lambda value: value * 2) is Outcome.ASSIGNED and one[1] == 10.0
    assert one.update(2, lambda value: value * 2) is Outcome.ABSENT
    one[3] = 1.0
    assert sorted(one) == [1, 3] and sorted(one.values()) == [1.0, 10.0] and one.was_size() == 2
    assert one.erase(1) and not one.erase(1)
    del one[3]
    with pytest.raises(KeyError):
        one[3]
    with pytest.raises(KeyError):
        del one[3]
    assert one.was_empty()
    assert one.put_many(np.arange(5), np.arange(5) / 2) == 5 and dict(one.items()) == {i: i / 2 for i in range(5)}


@pytest.mark.fast
def test_it_agrees_with_a_dictionary(memory):
    """Long enough for blocks to come and go; afterwards nothing is lost."""
    rng = random.Random(SEED)
    made = Map(memory, "it", 60, key_dtype="u8", value_dtype="i4", handle_slots=3, seed=4)
    handles = [made, Map(memory, "it", key_dtype="u8", value_dtype="i4")]
    model = {}
    for n in range(15000):
        one, key, action = rng.choice(handles), rng.randrange(100) << 16, rng.randrange(6)
        if action < 2 and (key in model or len(model) < 60):
            assert one.insert_or_assign(key, n) is (Outcome.ASSIGNED if key in model else Outcome.INSERTED)
            model[key] = n
        elif action == 2 and (key in model or len(model) < 60):
            assert one.insert(key, n) is (Outcome.PRESENT if key in model else Outcome.INSERTED)
            model.setdefault(key, n)
        elif action == 3:
            assert one.find(key) == model.get(key)
        elif action > 3:
            assert one.erase(key) == (model.pop(key, None) is not None)
    assert dict(made.items()) == model and made.was_size() == len(model)
    for key in list(model):
        assert made.erase(key)
    _check_empty_and_whole(made)


def _check_empty_and_whole(one):
    """Nothing is reserved, and every block is in the pool."""
    table = one._map
    assert all(table.words.load(table.header_at(b)) & (1 << 30) - 1 == 0 for b in range(table.bucket_count))
    assert [table.words.load_half(table._owner_at(b)) for b in range(table.block_count)] == [0] * table.block_count


@pytest.mark.fast
def test_it_takes_its_capacity_and_then_is_full(memory):
    one = Map(memory, "it", 50, key_dtype="u4", value_dtype="u4", handle_slots=1, seed=1)
    results = [one.insert(i, i) for i in range(500)]
    assert set(results[:50]) == {Outcome.INSERTED} and Outcome.FULL in results
    with pytest.raises(MemoryError):
        one.put_many(range(1000, 2000), range(1000)) == 1000 or one.__setitem__(results.index(Outcome.FULL), 1)
    assert all(one.find(i) == i for i in range(50))


KEYS = [
    ("i1", -1), ("u8", 2**64 - 1), ("S16", b"text"), ("S3", b"abc"), ("S13", b"thirteen char"), ("U2", "äö"), ("?", True),
    ([("a", "i4"), ("b", "S4")], (3, b"xy")), ("(3,)u2", [1, 2, 3]),
]  # fmt: skip


@pytest.mark.fast
@pytest.mark.parametrize("dtype, key", KEYS, ids=[str(dtype) for dtype, _ in KEYS])
def test_keys_of_every_kind(memory, dtype, key):
    one = Map(memory, "it", 4, key_dtype=dtype, value_dtype="S40")
    one[key] = b"v" * 39
    assert one[key] == b"v" * 39
    (found,) = one
    found = found.item() if isinstance(found, np.void) else found
    assert (found.tolist() if isinstance(found, np.ndarray) else found) == key


@pytest.mark.fast
def test_text_as_keys(memory):
    one = Map(memory, "it", 4, key_dtype="S16", value_dtype="i4")
    one["prix"] = 3
    assert one[b"prix"] == 3
    with pytest.raises(errors.InvalidArgument):
        one["x" * 17] = 1


@pytest.mark.fast
def test_what_may_not_be_a_key(memory):
    for dtype in ("f8", "c16", np.dtype([("a", "u1"), ("b", "u4")], align=True), [("a", "f4")]):
        with pytest.raises(errors.InvalidArgument):
            Map(memory, "it", 4, key_dtype=dtype, value_dtype="u4")
    with pytest.raises(errors.InvalidCapacity):
        Map(memory, "it", 0, key_dtype="u4", value_dtype="u4")
    Map(memory, "it", 4, key_dtype="u4", value_dtype="u4")
    for key, value in (("u8", "u4"), ("u4", "u8")):
        with pytest.raises(errors.WrongItemSize):
            Map(memory, "it", key_dtype=key, value_dtype=value)


@pytest.mark.fast
def test_a_change_that_fails_leaves_nothing_behind(memory):
    one = Map(memory, "it", 4, key_dtype="u4", value_dtype="u4", handle_slots=1)
    one[1] = 1

    def fails(_value):
        raise RuntimeError("no")

    def nested(_value):
        return one.find(1)

    with pytest.raises(RuntimeError):
        one.update(1, fails)
    with pytest.raises(errors.Misuse):
        one.update(1, nested)
    assert one[1] == 1 and one.update(1, lambda v: v + 1) is Outcome.ASSIGNED
    assert one.erase(1)
    _check_empty_and_whole(one)


@pytest.mark.fast
def test_waiting_for_a_key(memory):
    one = Map(memory, "it", 4, key_dtype="u4", value_dtype="u4")
    other = Map(memory, "it", key_dtype="u4", value_dtype="u4")
    assert one.wait_for(1, timeout=0.01) is None
    found = []
    sleeper = threading.Thread(target=lambda: found.append(other.wait_for(1, timeout=20)))
    sleeper.start()
    one[2] = 8
    one[1] = 7
    sleeper.join(20)
    assert found == [7]


@pytest.mark.fast
def test_with_cpp(name, peer):
    peer("make", name, 1 << 20)
    peer("map-make", "numbers", 300)
    peer("texts-make", "texts", 30)
    with Memory(name) as memory:
        numbers = Map(memory, "numbers", key_dtype="u8", value_dtype="u8")
        texts = Map(memory, "texts", key_dtype="S16", value_dtype="i4")
        for i in range(300):  # the same hash for the same key, or nothing would be found
            key = i << 16
            if i % 2:
                assert numbers.insert(key, i) is Outcome.INSERTED and peer("map-insert", key, 0) == "present"
            else:
                assert peer("map-insert", key, i) == "inserted" and numbers.insert(key, 0) is Outcome.PRESENT
        assert all(numbers.find(i << 16) == i for i in range(300)) and peer("map-size") == "300"
        assert all(peer("map-find", i << 16) == str(i) for i in range(300))
        assert dict(numbers.items()) == {i << 16: i for i in range(300)}
        for i in range(300):
            assert numbers.erase(i << 16) if i % 2 else peer("map-erase", i << 16) == "yes"
        _check_empty_and_whole(numbers)
        texts["apples"] = -3
        assert peer("texts-find", "apples") == "-3" and peer("texts-assign", "pears", 4) == "inserted"
        assert texts["pears"] == 4
        peer.start("map-find-wait", 5, 20000)
        numbers[5] = 6
        assert peer.answer() == "6"


@pytest.mark.medium
def test_processes_of_both_languages_count_on_one_key(memory, new_peer):
    ours = Map(memory, "it", 4, key_dtype="u8", value_dtype="u8")
    ours[1] = 0
    peers = [new_peer(), new_peer()]
    for peer in peers:
        peer("open", memory.name)
        peer("map-open", "it")
        peer.start("map-count", 1, 20000)

    def count():
        with Memory(memory.name) as mine, Map(mine, "it", key_dtype="u8", value_dtype="u8") as table:
            for _ in range(2000):
                assert table.update(1, lambda value: value + 1) is Outcome.ASSIGNED

    assert in_child(count) == 0
    count()
    assert [peer.answer() for peer in peers] == ["ok", "ok"]
    assert ours[1] == 44000
