"""Every structure between every two languages, and all three at once: processes that live at the same time. (Each operation
by itself is in the conformance cases.)"""

import random

import pytest
from conftest import SEED
from workers import KINDS, LANGUAGES, PAIRS, Shape, data, held, make, open_it, pool  # noqa: F401  (a fixture)

COUNT = 60
PAYLOADS = {"scalar": (8, 8), "struct": (8, 24), "odd": (5, 13)}  # bytes of keys and of items


def shape_of(kind, payload):
    key_bytes, item_bytes = PAYLOADS[payload]
    return Shape(kind, item_bytes, 16 if kind in ("queue", "stack") else 64, key_bytes)


@pytest.mark.fast
@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("makes", ["first makes", "second makes"])
@pytest.mark.parametrize("first, second", PAIRS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_first_produces_for_the_second(name, pool, kind, first, second, makes, payload):
    shape = shape_of(kind, payload)
    producer, consumer = pool(first, 0), pool(second, 1)
    maker, opener = (producer, consumer) if makes == "first makes" else (consumer, producer)
    make(maker, name, shape)
    open_it(opener, name, shape)
    work = {"on": "it", "kind": kind, "first": 7, "count": COUNT}
    if kind == "array":
        producer.must("produce", **work)
        found = consumer.must("consume", **work)["numbers"]
    else:
        consumer.begin("consume", **work)
        producer.must("produce", **work)
        found = consumer.end().get("numbers")
    assert (sorted(found) if kind == "stack" else found) == list(range(7, 7 + COUNT))
    if kind == "map":
        left = held(consumer, shape)
        assert held(producer, shape) == left and len(left) == COUNT
        for key, _ in left:
            consumer.must("erase", on="it", key=key)
        assert held(producer, shape) == []
    elif kind != "array":
        assert producer.must("size", on="it")["size"] == 0


ROTATIONS = [LANGUAGES[i:] + LANGUAGES[:i] for i in range(3)]


@pytest.mark.fast
@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("consumer, one, other", ROTATIONS)
def test_two_produce_for_a_third(name, pool, consumer, one, other, payload):
    """All three on one queue: each item once, and each producer's in their order."""
    shape, count = shape_of("queue", payload), 1000
    taking = pool(consumer)
    make(taking, name, shape)
    giving = [pool(one), pool(other)]
    for n, worker in enumerate(giving):
        open_it(worker, name, shape)
        worker.begin("produce", on="it", kind="queue", first=n << 32, count=count)
    found = taking.must("consume", on="it", kind="queue", first=0, count=2 * count)["numbers"]
    for worker in giving:
        assert worker.end() == {"result": "ok"}
    for n in range(2):
        assert [number for number in found if number >> 32 == n] == list(range(n << 32, (n << 32) + count))
    assert taking.must("size", on="it")["size"] == 0


@pytest.mark.fast
@pytest.mark.parametrize("maker", LANGUAGES)
@pytest.mark.parametrize("kind", ["array", "map"])
def test_all_three_count(name, pool, kind, maker):
    """They update one value, and insert keys of their own beside it."""
    shape, times = Shape(kind, 8, 200), 1000
    workers = {language: pool(language) for language in LANGUAGES}
    make(workers[maker], name, shape)
    for language, worker in workers.items():
        if language != maker:
            open_it(worker, name, shape)
    if kind == "map":
        workers[maker].must("insert", on="it", key=data(1), value=data(0))
    for worker in workers.values():
        worker.begin("count", on="it", kind=kind, key=data(1), times=times)
    for worker in workers.values():
        assert worker.end() == {"result": "ok"}
    if kind == "array":
        for worker in workers.values():
            assert worker.must("load", on="it", index=1)["item"] == data(3 * times)
        return
    for n, worker in enumerate(workers.values()):
        worker.begin("produce", on="it", kind="map", first=100 * (n + 1), count=50)
    for worker in workers.values():
        assert worker.end() == {"result": "ok"}
    expected = {100 * (n + 1) + i: 100 * (n + 1) + i for n in range(3) for i in range(50)} | {1: 3 * times}
    for worker in workers.values():
        assert held(worker, shape) == sorted([data(key), data(value)] for key, value in expected.items())


@pytest.mark.fast
def test_one_key_has_one_hash(pool):
    rng = random.Random(SEED)
    workers = [pool(language) for language in LANGUAGES]
    for _ in range(300):
        step = {"key": rng.randbytes(rng.randrange(1, 40)).hex(), "seed": rng.choice([0, 1, rng.getrandbits(64)])}
        answers = [worker.must("hash", **step)["hash"] for worker in workers]
        assert answers[0] == answers[1] == answers[2], step
