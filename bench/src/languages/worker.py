"""A worker of zeroipc-bench that is a Python process: `worker.py LIBRARY SEGMENT INDEX PARENT`.

The library has the harness's stages, loops and books, which call the operations that are handed out here. With `--check` it
says which versions would run.
"""

import ctypes
import platform
import sys

import numpy as np
from zeroipc import Map, Memory, Outcome, Queue, Stack

PAIR = np.dtype([("key", "u8"), ("value", "u8")])


def open_container(kind, memory, name):
    """Queues and stacks: operations on one item, then on as many as a buffer holds."""
    handle = kind(memory, name, dtype=np.uint64)

    def put(buffer):
        return handle.put_many(np.frombuffer(buffer, np.uint64))

    def get(buffer):
        taken = handle.get_many(len(buffer) // 8)
        np.frombuffer(buffer, np.uint64)[: len(taken)] = taken
        return len(taken)

    return handle.try_push, handle.try_pop, put, get


def open_map(memory, name):
    """A map's operations; then all that it holds, counted and copied; then what its outcomes are."""
    handle = Map(memory, name, key_dtype=np.uint64, value_dtype=np.uint64)
    pairs = []

    def count():
        pairs[:] = handle.items()
        return len(pairs)

    def copy(buffer):
        np.frombuffer(buffer, PAIR)[:] = pairs

    operations = handle.find, handle.insert, handle.insert_or_assign, handle.erase, count, copy
    return (*operations, Outcome.INSERTED, Outcome.ASSIGNED, Outcome.PRESENT)


def open_structure(segment, structure, name):
    """Where this process has the segment, and the structure's operations in the order of python_worker.cpp."""
    memory = Memory.open(segment)
    operations = open_map(memory, name) if structure == "map" else open_container({"queue": Queue, "stack": Stack}[structure], memory, name)
    return (ctypes.addressof(memory._attachment().mapping), *operations)


def main(library, segment, index, parent):
    work = ctypes.PyDLL(library).zeroipc_bench_python_worker
    work.argtypes = [ctypes.c_char_p, ctypes.c_uint32, ctypes.c_int, *[ctypes.py_object] * 3]
    return work(segment.encode(), int(index), int(parent), open_structure, None, True)


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        print(f"{platform.python_implementation()} {platform.python_version()}, NumPy {np.__version__}")
    else:
        sys.exit(main(*sys.argv[1:]))
