#!/usr/bin/env python3
"""What operations cost: medians over rounds in one process, microseconds of CPU time, as a table for core/docs/python.md.

The cell CAS is one compare-and-swap through ctypes as one would write it (argument types, a fresh expected value by reference):
what the others are multiples of. The rounds of all cells are interleaved, so that what else runs on the machine meets all alike.
"""

import ctypes
import os
import pathlib
import statistics
import sys
import time
import timeit

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import numpy as np  # noqa: E402
from zeroipc import Array, Map, Memory, Queue, Stack  # noqa: E402
from zeroipc._atomics import Words  # noqa: E402

ROUNDS, ITEMS = 21, 1000


def cells(memory):
    """Each cell: its name, what to do, how often a round, and how many operations that is."""
    queue = Queue(memory, "q", 1024, dtype=np.int64)
    stack = Stack(memory, "s", 1024, dtype=np.int64)
    table = Map(memory, "m", 1024, key_dtype="u8", value_dtype="u8")
    array = Array(memory, "a", 8, dtype=np.int64)
    items = np.arange(ITEMS)
    table.put_many(np.arange(500), np.arange(500))
    place = (ctypes.c_uint64 * 8)()
    words = Words(place)
    swap = ctypes.CDLL("libatomic.so.1")["__atomic_compare_exchange_8"]
    swap.restype = ctypes.c_bool
    swap.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int, ctypes.c_int]
    address = ctypes.addressof(place)

    def compare_and_swap():
        expected = ctypes.c_uint64(0)
        swap(address, ctypes.byref(expected), 0, 5, 5)

    return [
        ("CAS", compare_and_swap, 5000, 1),
        ("CAS, as here", lambda: words.cas(0, 0, 0), 5000, 1),
        ("Queue, push and pop", lambda: (queue.try_push(1), queue.try_pop()), 1000, 1),
        ("Queue, batches of 1000, an item in or out", lambda: (queue.put_many(items), queue.get_many(ITEMS)), 2, 2 * ITEMS),
        ("Stack, push and pop", lambda: (stack.try_push(1), stack.try_pop()), 1000, 1),
        ("Map, find", lambda: table.find(7), 1000, 1),
        ("Map, insert and erase", lambda: (table.insert(9999, 1), table.erase(9999)), 300, 1),
        ("Array, fetch_add", lambda: array.fetch_add(1, 1), 2000, 1),
    ]


def main():
    name = f"/zeroipc-measure-{os.getpid()}"
    try:
        with Memory.create(name, 1 << 20) as memory:
            every = cells(memory)
            samples = {cell[0]: [] for cell in every}
            for _ in range(ROUNDS):
                for cell, action, number, operations in every:
                    took = timeit.timeit(action, number=number, timer=time.process_time)
                    samples[cell].append(took / number / operations * 1e6)
    finally:
        Memory.unlink(name)
    print(f"Python {sys.version.split()[0]}, NumPy {np.__version__}, {ROUNDS} rounds\n")
    print("| | µs | of a CAS in the same round |\n|---|---|---|")
    for cell, took in samples.items():
        ratios = sorted(a / b for a, b in zip(took, samples["CAS"]))
        low, high = ratios[ROUNDS // 4], ratios[-1 - ROUNDS // 4]
        print(f"| {cell} | {statistics.median(took):.2f} | {statistics.median(ratios):.1f} [{low:.1f}, {high:.1f}] |")


if __name__ == "__main__":
    main()
