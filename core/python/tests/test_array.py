"""Arrays: plain and atomic access, alone and together with C++."""

import numpy as np
import pytest
from conftest import in_child
from zeroipc import Array, Memory, errors


@pytest.mark.fast
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"])
def test_atomic_integers(memory, dtype):
    array = Array(memory, "data", 5, dtype=dtype)
    most = int(np.iinfo(dtype).max)
    array.store(1, most)
    assert array.fetch_add(1, 1) == most
    assert array.load(1) == int(np.iinfo(dtype).min)  # wraps
    assert array.fetch_sub(1, 1) == int(np.iinfo(dtype).min) and array[1] == most
    assert array.exchange(1, 6) == most
    assert array.compare_exchange(1, 5, 7) == (False, 6)
    assert array.compare_exchange(1, 6, 7) == (True, 6)
    assert array.fetch_and(1, 3) == 7 and array.fetch_or(1, 8) == 3 and array.fetch_xor(1, 1) == 11
    assert array.view.tolist() == [0, 10, 0, 0, 0] == list(array)
    assert len(array) == array.capacity == 5


@pytest.mark.fast
def test_atomic_numbers_of_other_kinds(memory):
    pair = np.dtype([("a", "i4"), ("b", "u4")])
    pairs = Array(memory, "pairs", 3, dtype=pair)
    pairs.store(2, (-1, 7))
    assert pairs.load(2).tolist() == (-1, 7)
    assert pairs.compare_exchange(2, (-1, 7), (5, 6))[0] and pairs[2].tolist() == (5, 6)
    floats = Array(memory, "floats", 3, dtype="f8")
    floats.store(0, 2.5)
    assert floats.exchange(0, -1.0) == 2.5 and floats.load(0) == -1.0
    with pytest.raises(errors.InvalidArgument):
        floats.fetch_add(0, 1)
    with pytest.raises(errors.InvalidArgument):
        Array(memory, "texts", 3, dtype="S3").load(0)
    with pytest.raises(errors.InvalidArgument):
        Array(memory, "objects", 3, dtype=object)


@pytest.mark.fast
def test_indices_are_checked(memory):
    array = Array(memory, "data", 5, dtype="u4")
    for index in (-1, 5, 1 << 70):
        with pytest.raises(errors.OutOfRange):
            array.load(index)
        with pytest.raises(errors.OutOfRange):
            array.compare_exchange(index, 0, 1)
    with pytest.raises(IndexError):
        array[5]
    with pytest.raises(errors.OutOfRange):
        array[5] = 1


@pytest.mark.fast
def test_making_and_opening(memory):
    with pytest.raises(errors.InvalidCapacity):
        Array(memory, "data", 0, dtype="u4")
    with pytest.raises(errors.TooLarge):
        Array(memory, "data", 1 << 30, dtype="u4")
    with pytest.raises(errors.NotFound):
        Array(memory, "data", dtype="u4")
    with Array(memory, "data", 5, dtype="u4") as array:
        array.fill(3)
    with pytest.raises(errors.Misuse):
        array.load(0)
    with pytest.raises(errors.Misuse):
        array.view
    with pytest.raises(errors.WrongItemSize):
        Array(memory, "data", dtype="u8")
    assert Array(memory, "data", dtype=np.int32).view.sum() == 15


@pytest.mark.fast
def test_a_view_outlives_everything(name):
    memory = Memory.create(name, 1 << 20)
    array = Array(memory, "data", 1000, dtype="u4")
    view = array.view
    array.close()
    memory.close()
    del array, memory
    view[:] = 7
    with Memory(name) as again:
        assert (Array(again, "data", dtype="u4").view == 7).all()


@pytest.mark.medium
def test_no_update_is_lost(memory, new_peer):
    """Two C++ processes and two of ours count on one word."""
    array = Array(memory, "data", 4, dtype="u4")
    peers = [new_peer(), new_peer()]
    for peer in peers:
        peer("open", memory.name)
        peer("array-open", "data")
        peer.start("array-count", 1, 10_000_000)

    def ours():
        mine = Array(Memory(memory.name), "data", dtype="u4")
        for _ in range(20_000):
            mine.fetch_add(1, 1)
        for _ in range(5_000):
            seen = mine.load(1)
            done = False
            while not done:
                done, seen = mine.compare_exchange(1, seen, (seen + 1) % 2**32)

    assert in_child(lambda: [ours() for _ in range(1)]) == 0
    ours()
    assert [peer.answer() for peer in peers] == ["ok", "ok"]
    assert array.load(1) == 20_050_000
    assert array.view.tolist() == [0, 20_050_000, 0, 0]


@pytest.mark.fast
def test_with_cpp(name, peer):
    peer("make", name, 1 << 16)
    peer("array-make", "data", 9)
    with Memory(name) as memory:
        array = Array(memory, "data", dtype=np.uint32)
        assert len(array) == 9
        array.store(8, 2**32 - 1)
        assert peer("array-load", 8) == str(2**32 - 1)
        peer("array-store", 0, 5)
        assert array.load(0) == array[0] == 5
