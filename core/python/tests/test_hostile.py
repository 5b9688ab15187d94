"""Spoiled segments: an error of ours or spoiled data, never a signal, a hang, or another exception."""

import ast
import pathlib
import subprocess
import sys
import threading

import pytest
from conftest import SEED
from zeroipc import Map, Queue, Stack, ZeroIPCError
from zeroipc._atomics import Words
from zeroipc._bucket_map import BucketMap
from zeroipc._exchange import ExchangeRing
from zeroipc._treiber import TreiberStack

PROGRAM = pathlib.Path(__file__).with_name("hostile_program.py")


def _tries(name, count):
    found = subprocess.run(
        [sys.executable, str(PROGRAM), name, str(SEED), str(SEED + count)], capture_output=True, text=True, timeout=300
    )
    last = found.stderr.split()[-1] if found.returncode > 0 else found.stderr[-2000:]
    assert found.returncode == 0, f"status {found.returncode}, seed {last}:\n{found.stderr[-3000:]}"
    counts = ast.literal_eval(found.stdout)
    assert sum(counts.values()) == count
    return counts


@pytest.mark.fast
def test_spoiled_segments(name):
    counts = _tries(name, 400)
    assert len(counts) > 5 and counts["corrupt"] > 20, counts


@pytest.mark.medium
def test_many_spoiled_segments(name):
    _tries(name, 3000)


@pytest.mark.medium
@pytest.mark.parametrize("kind", [Queue, Stack, Map], ids=["queue", "stack", "map"])
def test_words_that_change_all_the_time(memory, kind, monkeypatch):
    """Somebody writes numbers into a structure while it is used."""
    import random

    for ring in (ExchangeRing, TreiberStack, BucketMap):
        monkeypatch.setattr(ring, "patience", 200)
    rng = random.Random(SEED)
    if kind is Map:
        one = Map(memory, "it", 8, key_dtype="u8", value_dtype="u8", handle_slots=4)
    else:
        one = kind(memory, "it", 8, dtype="u8", handle_slots=4)
    entry = memory.find("it")
    stop = threading.Event()

    def spoils():
        words = Words(memory._attachment().mapping)
        while not stop.is_set():
            at = entry.offset + rng.randrange(entry.size - 7) // 8 * 8
            words.store(at, rng.choice([0, 1, 2**64 - 1, rng.getrandbits(64), rng.getrandbits(9)]))

    writer = threading.Thread(target=spoils)
    writer.start()
    try:
        for n in range(4000):
            try:
                if kind is Map:
                    [one.insert, one.insert_or_assign][n % 2](n % 9, n)
                    one.find(n % 9)
                    one.erase((n + 4) % 9)
                else:
                    one.try_push(n)
                    one.get_many(3)
                one.was_size()
            except ZeroIPCError:
                pass
    finally:
        stop.set()
        writer.join()
