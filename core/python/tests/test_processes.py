"""What a process does to its handles: forks, threads, signals, the interpreter's end; and what the package needs."""

import gc
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import zeroipc
from census import owners
from conftest import fork, in_child
from mortal import Steps
from zeroipc import Array, Map, Memory, Queue, Stack, errors

PACKAGE = pathlib.Path(zeroipc.__file__).resolve().parents[1]


@pytest.mark.fast
def test_a_forked_child_is_refused(memory):
    queue, stack = Queue(memory, "q", 4, dtype="u4"), Stack(memory, "s", 4, dtype="u4")
    table, array = Map(memory, "m", 4, key_dtype="u4", value_dtype="u4"), Array(memory, "a", 4, dtype="u4")

    def child():
        uses = [
            lambda: queue.push(1), lambda: queue.try_pop(), lambda: queue.put_many([1]), lambda: queue.was_size(),
            lambda: queue.pop(0.1), lambda: stack.try_peek(), lambda: stack.get_many(1), lambda: table.find(1),
            lambda: table.insert(1, 1), lambda: list(table), lambda: array.load(0), lambda: array.view, lambda: array[0],
            lambda: memory.find("q"), lambda: memory.entries(), lambda: Queue(memory, "q", dtype="u4"),
            lambda: Array(memory, "b", 4, dtype="u4"), lambda: Queue.repair(memory, "q", dtype="u4"),
        ]  # fmt: skip
        for n, use in enumerate(uses):
            with pytest.raises(errors.Forked):
                use()
                print(f"use {n} was not refused")
        queue.close()
        memory.close()
        with Memory(memory.name) as mine, Queue(mine, "q", dtype="u4") as ours:
            assert ours.handle_slot == 1, "the parent's handle is taken for dead"
            ours.push(5)

    assert in_child(child) == 0
    assert queue.pop() == 5


@pytest.mark.fast
def test_a_child_does_not_keep_its_parents_locks(name):
    """The parent dies, its child lives: the handle is free, and the segment can be repaired."""
    reader, writer = os.pipe()
    with Memory.create(name, 1 << 16) as memory:
        Queue(memory, "q", 4, dtype="u4", handle_slots=1).close()

    def parent():
        queue = Queue(Memory(name), "q", dtype="u4")

        def child():
            os.write(writer, str(os.getpid()).encode())
            time.sleep(100)

        fork(child)
        time.sleep(0.05)
        queue.push(1)
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(parent) == signal.SIGKILL
    grandchild = int(os.read(reader, 20))
    try:
        with Memory(name) as memory:
            assert Queue.repair(memory, "q", dtype="u4") == 0
            assert Queue(memory, "q", dtype="u4").pop(0.1) == 1
    finally:
        os.kill(grandchild, signal.SIGKILL)
        os.close(reader)
        os.close(writer)


@pytest.mark.fast
def test_repair_wants_to_be_alone(memory):
    queue = Queue(memory, "q", 4, dtype="u4")
    with pytest.raises(errors.Busy):
        Queue.repair(memory, "q", dtype="u4")
    queue.close()
    with Memory(memory.name):
        with pytest.raises(errors.Busy):
            Queue.repair(memory, "q", dtype="u4")
    assert Queue.repair(memory, "q", dtype="u4") == 0


@pytest.mark.fast
def test_a_handle_is_one_threads(memory):
    """Two threads on one handle: each operation is done whole or refused."""
    queue = Queue(memory, "q", 1024, dtype="u4")
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    done, refused = [], []

    def push(first):
        for i in range(250):  # so that all together find room
            try:
                queue.try_push(first + i)
                done.append(first + i)
            except errors.Misuse:
                refused.append(i)

    threads = [threading.Thread(target=push, args=(1000 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)
    assert sorted(queue.get_many(9999).tolist()) == sorted(done)
    assert owners(queue) == [1] * len(owners(queue))


@pytest.mark.fast
def test_a_thread_each_with_a_handle_of_its_own(memory):
    END = 2**32 - 1  # one for each consumer, behind everything
    Queue(memory, "q", 16, dtype="u4").close()
    taken = [[] for _ in range(3)]

    def produce(first):
        with Queue(memory, "q", dtype="u4") as queue:
            for i in range(400):
                assert queue.push(first + i, timeout=60)

    def consume(into):
        with Queue(memory, "q", dtype="u4") as queue:
            while (item := queue.pop(timeout=60)) != END:
                assert item is not None, "nothing came for a minute"
                into.append(item)

    producers = [threading.Thread(target=produce, args=(1000 * n,), daemon=True) for n in range(3)]
    consumers = [threading.Thread(target=consume, args=(into,), daemon=True) for into in taken]
    for thread in producers + consumers:
        thread.start()
    for thread in producers:
        thread.join(60)
    with Queue(memory, "q", dtype="u4") as queue:
        for _ in consumers:
            assert queue.push(END, timeout=60)
    for thread in consumers:
        thread.join(60)
    assert not any(thread.is_alive() for thread in producers + consumers), "a thread hangs"
    assert sorted(sum(taken, [])) == [1000 * n + i for n in range(3) for i in range(400)]


OPERATIONS = {
    "push": lambda one: one.try_push(9),
    "pop": lambda one: one.try_pop(),
    "insert": lambda one: one.insert(9, 9),
    "assign": lambda one: one.insert_or_assign(1, 9),
    "erase": lambda one: one.erase(1),
}


@pytest.mark.fast
@pytest.mark.parametrize("kind, operation", [(Queue, "push"), (Queue, "pop"), (Stack, "push"), (Stack, "pop"),
                                             (Map, "insert"), (Map, "assign"), (Map, "erase")])  # fmt: skip
def test_an_interruption_at_each_step(memory, kind, operation):
    """Ctrl-C comes as an exception between any two steps; the handle goes on, and loses nothing."""
    if kind is Map:
        one = Map(memory, "it", 8, key_dtype="u8", value_dtype="u8", handle_slots=2)
        one[1] = 1
    else:
        one = kind(memory, "it", 4, dtype="u8", handle_slots=2)
        one.push(1)
    step, ended = 0, False
    while not ended:
        step += 1

        def interrupt(now, _name):
            if now == step:
                raise KeyboardInterrupt

        for place in ("before", "after"):
            with Steps(**{place: interrupt}):
                try:
                    OPERATIONS[operation](one)
                    ended = True
                except KeyboardInterrupt:
                    pass
            if kind is Map:
                assert one.find(1) in (None, 1, 9)
                one.erase(9)
                one[1] = 1
            else:
                left = one.get_many(9).tolist()
                assert sorted(left) in ([], [1], [1, 9])
                assert [one.try_push(i) for i in range(5)] == [True] * 4 + [False]
                one.get_many(9)
                one.push(1)
            counts = owners(one)
            assert counts == [1] * len(counts), (step, place)
    assert step > 5


def _run(code, *arguments):
    environment = dict(os.environ, PYTHONPATH=str(PACKAGE))
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60, env=environment
    )


@pytest.mark.fast
def test_the_interpreters_end(name):
    """With handles, views and sleeping threads of both sorts left open, it ends in order, and frees its slots."""
    code = """
import sys, threading, zeroipc
memory = zeroipc.Memory(sys.argv[1], size=1 << 16)
queue = zeroipc.Queue(memory, "q", 4, dtype="u4", handle_slots=4)
view = zeroipc.Array(memory, "a", 4, dtype="u4").view
sleeper = zeroipc.Queue(memory, "q", dtype="u4")
threading.Thread(target=sleeper.pop, daemon=True).start()
worker = zeroipc.Queue(memory, "q", dtype="u4")
def work():
    while True:
        worker.try_push(1)
threading.Thread(target=work, daemon=True).start()
print("done")
"""
    found = _run(code, name)
    assert (found.returncode, found.stdout, found.stderr) == (0, "done\n", "")
    with Memory(name) as memory:
        handles = [Queue(memory, "q", dtype="u4") for _ in range(4)]
        assert [handle.handle_slot for handle in handles] == [0, 1, 2, 3]


@pytest.mark.fast
def test_without_libatomic_it_says_so():
    code = """
import ctypes, ctypes.util
def absent(*_):
    raise OSError("no such file")
ctypes.PyDLL = absent
import zeroipc
"""
    found = _run(code)
    assert found.returncode == 1 and "ImportError: zeroipc needs libatomic" in found.stderr
    assert "apt-get install libatomic1" in found.stderr


@pytest.mark.fast
def test_nothing_is_left_open(name):
    """Descriptors and mappings go with their last user."""

    def count():
        gc.collect()
        with open("/proc/self/maps") as maps:
            return len(os.listdir("/proc/self/fd")), maps.read().count(name)

    before = count()
    for _ in range(20):
        memory = Memory(name, size=1 << 16)
        if "q" not in memory:
            Queue(memory, "q", 4, dtype="u4")
        queue = Queue(memory, "q", dtype="u4")
        queue.push(1)
        queue.pop()
        view = Array(memory, "a", 4, dtype=np.uint32).view if "a" not in memory else None
        del memory, queue, view
    assert count() == before


@pytest.mark.medium
def test_it_can_be_installed(tmp_path, name):
    """By pip, from the folder, into a virtual environment; then it works without the source tree."""
    source, place = tmp_path / "source", tmp_path / "place"
    source.mkdir()
    for part in ("zeroipc", "share", "pyproject.toml"):
        subprocess.run(["cp", "-r", str(PACKAGE / part), str(source)], check=True)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}

    def run(*command):
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=100)

    # NumPy and pip are the system's; without a pip of its own, the standard library is enough to make it (no python3-venv).
    made = run(sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", str(place))
    assert made.returncode == 0, made.stdout + made.stderr
    made = run(str(place / "bin/python"), "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index",
               "--disable-pip-version-check", str(source))  # fmt: skip
    assert made.returncode == 0, made.stderr
    code = """
import sys, zeroipc
with zeroipc.Memory(sys.argv[1], size=1 << 16) as memory:
    queue = zeroipc.Queue(memory, "q", 4, dtype="u4")
    queue.push(7)
    print(queue.pop(), zeroipc.__file__)
"""
    found = run(str(place / "bin/python"), "-c", code, name)
    assert found.stderr == "" and found.stdout.startswith(f"7 {place}")
    (package,) = place.glob("lib/python3*/site-packages/zeroipc")
    assert (package / "py.typed").exists()
    for part in ("share/man/man1/zeroipc.1", "share/bash-completion/completions/zeroipc"):
        assert (place / part).read_bytes()
    found = run(str(place / "bin/zeroipc"), "--version")
    assert (found.returncode, found.stdout, found.stderr) == (0, f"zeroipc {zeroipc.__version__}\n", "")
    found = run(str(place / "bin/zeroipc"), "show", name)
    assert found.returncode == 0 and "q" in found.stdout, found.stderr


@pytest.mark.fast
def test_the_example():
    found = _run((PACKAGE / "example.py").read_text())
    assert (found.returncode, found.stdout, found.stderr) == (0, "42\n", "")
