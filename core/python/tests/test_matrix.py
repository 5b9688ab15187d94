"""Every structure between every two languages, and all three at once: processes that live at the same time. (Each operation
by itself is in the conformance cases.)"""

import random

import pytest
from conftest import GOLDEN, SEED, golden, place
from hostile_program import spoil
from workers import KINDS, LANGUAGES, PAIRS, Shape, data, held, make, open_it, pool  # noqa: F401  (a fixture)
from zeroipc import Memory
from zeroipc._format import LAYOUT

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


def _opened(worker, name, described):
    """How a language finds a segment and the structure in it."""
    worker.must("reset")
    s = described["structure"]
    keys = {"key_bytes": 8} if s["kind"] == "map" else {}
    found = [worker.ask("open_segment", as_="memory", name=name)]
    if found[0]["result"] == "ok":
        found.append(worker.ask("facts", on="memory"))
        for entry in found[1].get("entries", []):
            entry[0] = ""  # spoiled names need not be text
        named = {"kind": s["kind"], "name": s["name"], "item_bytes": s["item_size"], **keys}
        found.append(worker.ask("open", as_="it", on="memory", **named))
    return found


def _other_layout(spoiled, s):
    """Whether it names a layout that Python reads as it finds it, and the others where they are asked for it."""
    if s["kind"] == "array":
        return False
    layout = s["offset"] + {"queue": 24, "stack": 16, "map": 8}[s["kind"]] + LAYOUT["descriptor"]["fields"]["layout"]["offset"]
    return spoiled[layout : layout + 4] in (b"\2\0\0\0", b"\3\0\0\0")


#: What is spoiled first, whatever the seed: offset, bytes, and the verdict.
_SURE = [
    (0, b"", "ok"),
    (0, b"XIPC", "not_a_segment"),
    (4, b"\x09", "version_mismatch"),
    (6, b"\xff\xff", "truncated"),
    (8, b"\xff", "corrupt"),
    (16, b"another", "not_found"),
    (16 + 32, b"\x01", "corrupt"),
]
#: In the two handle slots of the stack: an operation that there is not.
_SURE_OF = {"stack-compact-3x8": [(256, b"\5" + bytes(63) + b"\5", "ok")]}


@pytest.mark.medium
@pytest.mark.parametrize("stem", GOLDEN)
def test_hostile_bytes_have_one_verdict(name, pool, stem):
    """Each language opens, or refuses by the same cause, the same spoiled images."""
    rng = random.Random(f"{SEED} {stem}")
    workers = [pool(language) for language in LANGUAGES]
    described, images = golden(stem)
    causes = {}
    sure = _SURE + _SURE_OF.get(stem, [])
    for round_ in range(len(sure) + 400):
        spoiled = bytearray(rng.choice(images))
        if round_ < len(sure):
            at, value, _ = sure[round_]
            spoiled[at : at + len(value)] = value
        else:
            spoil(rng, spoiled, rng.choice([0, 0, 8, 128]))
            if rng.random() < 0.1:
                spoiled = spoiled[: rng.randrange(len(spoiled))]
        if _other_layout(spoiled, described["structure"]):
            continue
        verdicts = []
        for worker in workers:
            place(name, bytes(spoiled))
            verdicts.append(_opened(worker, name, described))
            Memory.unlink(name)
        assert verdicts[0] == verdicts[1] == verdicts[2], (round_, verdicts, bytes(spoiled).hex())
        cause = verdicts[0][-1]["result"]
        assert round_ >= len(sure) or cause == sure[round_][2], (round_, cause)
        causes[cause] = causes.get(cause, 0) + 1
    for worker in workers:
        worker.must("reset")
    print(f"verdicts: {causes}")
