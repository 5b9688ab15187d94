"""Spoiled segments, in a process of its own: `hostile_program.py NAME FIRST LAST` tries the seeds from FIRST to LAST.

Each takes a golden image, spoils it by rules that the seed chooses (fields take bad values, bits flip, bytes and words are
random, the object is cut), before it is opened or while it is open, and uses it. The outcome is an error of ours or
spoiled data; anything else ends the process with another status.
"""

import contextlib
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import zeroipc  # noqa: E402
from conftest import GOLDEN, contents, golden, open_structure, place  # noqa: E402
from zeroipc import Array, Map, Memory  # noqa: E402
from zeroipc._bucket_map import BucketMap  # noqa: E402
from zeroipc._exchange import ExchangeRing  # noqa: E402
from zeroipc._treiber import TreiberStack  # noqa: E402

BAD = [0, 1, 2, 3, 7, 8, 63, 64, 255, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1]


def spoil(rng, data, start):
    """Changes some bytes from `start` on."""
    for _ in range(rng.choice([1, 1, 2, 5, 30])):
        rule = rng.randrange(5)
        if rule == 0:
            data[rng.randrange(start, len(data))] ^= 1 << rng.randrange(8)
        elif rule == 1:
            data[rng.randrange(start, len(data))] = rng.randrange(256)
        else:
            size = rng.choice([4, 8])
            at = rng.randrange(start, len(data) - 7) // size * size
            if rule == 2:
                value = rng.choice(BAD) & (1 << 8 * size) - 1
            elif rule == 3:
                value = rng.getrandbits(8 * size)
            else:
                other = rng.randrange(len(data) - 7) // size * size
                value = int.from_bytes(data[other : other + size], "little")
            if at >= start:
                data[at : at + size] = value.to_bytes(size, "little")


@contextlib.contextmanager
def hasty(rounds=200):
    """Within it, an operation that makes no progress gives up soon."""
    rings = (ExchangeRing, TreiberStack, BucketMap)
    before = [ring.patience for ring in rings]
    for ring in rings:
        ring.patience = rounds
    try:
        yield
    finally:
        for ring, patience in zip(rings, before):
            ring.patience = patience


def use(rng, memory, one):
    for _ in range(12):
        action = rng.randrange(8)
        if isinstance(one, Array):
            index = rng.randrange(len(one))
            one.fetch_add(index, 5)
            one.compare_exchange(index, 1, 2)
            one.view[index] = 3
            list(one)
        elif isinstance(one, Map):
            key = rng.randrange(12)
            [lambda: one.insert(key, 1), lambda: one.insert_or_assign(key, 2), lambda: one.find(key), lambda: one.erase(key),
             lambda: one.update(key, lambda v: v), lambda: list(one.items()), lambda: one.was_size(),
             lambda: one.wait_for(key, 0)][action]()  # fmt: skip
        else:
            [lambda: one.try_push(1), lambda: one.try_pop(), lambda: one.put_many([1, 2, 3]), lambda: one.get_many(9),
             lambda: one.was_size(), lambda: one.push(1, 0), lambda: one.pop(0),
             lambda: getattr(one, "try_peek", one.was_empty)()][action]()  # fmt: skip
    memory.entries()


def attempt(name, seed):
    """Returns the cause of the first error, or "" if there was none."""
    rng = random.Random(seed)
    described, images = golden(rng.choice(GOLDEN))
    data = bytearray(rng.choice(images))
    early = rng.random() < 0.7
    if early:
        spoil(rng, data, rng.choice([0, 8, 128]))
        if rng.random() < 0.1:
            data = data[: rng.randrange(len(data))]
    place(name, data)
    try:
        with Memory(name, patience=0.01) as memory:
            if rng.random() < 0.1:
                try:
                    Array(memory, "more", 1, dtype="u1")
                except zeroipc.ZeroIPCError:
                    pass
            with open_structure(memory, described) as one:
                if not early:
                    spoiled = bytearray(contents(name))
                    spoil(rng, spoiled, 128)
                    with open("/dev/shm" + name, "r+b") as file:
                        file.write(spoiled)
                use(rng, memory, one)
    except zeroipc.ZeroIPCError as error:
        return error.cause
    finally:
        Memory.unlink(name)
    return ""


if __name__ == "__main__":
    name, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    counts = {}
    with hasty():
        for seed in range(first, last):
            print(seed, file=sys.stderr, flush=True)
            cause = attempt(name, seed)
            counts[cause] = counts.get(cause, 0) + 1
    print(counts)
