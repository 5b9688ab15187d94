"""The command `zeroipc` beside kills, busy users and spoiled bytes."""

import json
import os
import random
import signal

import pytest
from conftest import GOLDEN, SEED, VARIANTS, fork, golden, in_child, place
from hostile_program import spoil
from mortal import dies_before
from zeroipc import Map, Memory, Queue, Stack

pytestmark = pytest.mark.medium

OPERATIONS = {
    "queue": (lambda m: Queue(m, "it", dtype="u8"), lambda one: (one.push(9), one.pop(), one.pop())),
    "stack": (lambda m: Stack(m, "it", dtype="u8"), lambda one: (one.pop(), one.pop(), one.push(9))),
    "map": (
        lambda m: Map(m, "it", key_dtype="u8", value_dtype="u8"),
        lambda one: ([one.insert(100 + i, 1) for i in range(4)], one.insert_or_assign(1, 2), [one.erase(i) for i in range(8)]),
    ),
}


def _make(memory, kind):
    if kind == "map":
        with Map(memory, "it", 2, key_dtype="u8", value_dtype="u8", handle_slots=3, seed=5) as table:
            for i in range(8):
                table[i] = i
    else:
        with {"queue": Queue, "stack": Stack}[kind](memory, "it", 4, dtype="u8", handle_slots=3) as one:
            one.put_many([1, 2, 3])


@pytest.mark.parametrize("kind", OPERATIONS)
def test_a_death_at_any_step_is_sound_and_shown(name, kind, run):
    """Killed before each step: no fault, before repair and behind it; a dead owner in the middle is shown as one."""
    opened, work = OPERATIONS[kind]
    seen_dead = 0
    for step in [*range(1, 20), *range(20, 400, 5)]:
        with Memory.create(name, 1 << 16) as memory:
            _make(memory, kind)

        def action():
            one = opened(Memory(name))
            with dies_before(step):
                work(one)

        status = in_child(action)
        assert run("check", name)[:2] == (0, f"{name}: sound\n"), step
        (shown,) = json.loads(run("show", name, "--json")[1])["structures"]
        dead = [one for one in shown["handles"] if not one["alive"]]
        seen_dead += len(dead)
        assert all(one["in_operation"] and one["pids"] == [] for one in dead) and not shown["corrupt"]
        before = run("dump", name, "it")[1]
        assert run("repair", name, "it", "--yes")[0] == 0
        (shown,) = json.loads(run("show", name, "--json")[1])["structures"]
        assert shown["handles"] == [] and run("dump", name, "it")[1] == before
        assert run("check", name)[0] == 0
        Memory.unlink(name)
        if status == 0:
            break
    assert status == 0 and step > 10 and seen_dead > 3


@pytest.mark.parametrize("kind", OPERATIONS)
def test_busy_structures_are_sound(name, kind, run):
    with Memory.create(name, 1 << 16) as memory:
        _make(memory, kind)
    opened, work = OPERATIONS[kind]

    def works():
        one = opened(Memory(name))
        while True:
            if kind == "map":
                work(one)
            else:
                one.try_push(7)
                one.try_pop()

    pids = [fork(works) for _ in range(2)]
    try:
        for _ in range(10):
            for command in (["check", name], ["show", name], ["dump", name, "it"]):
                status, out, err = run(*command)
                assert status == 0 and (err == "" or "in use" in err), (out, err)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    assert run("check", name)[0] == 0


def test_spoiled_segments_end_in_a_message(name, run):
    rng = random.Random(SEED)
    statuses = set()
    kinds = [golden(stem) for stem in GOLDEN + VARIANTS]
    for i in range(200):
        described, images = kinds[i % len(kinds)]
        data = bytearray(rng.choice(images))
        spoil(rng, data, rng.choice([0, 8, 128]))
        place(name, data)
        it = described["structure"]["name"]
        follow = ["follow", name, it, "--count", "1", "--interval", "0.01"]
        for command in (["check", name], ["show", name], ["dump", name, it], ["list"], follow):
            status, _, err = run(*command)
            assert status in (0, 1, 2) and (status == 0 or err or command[0] == "check")
            statuses.add((command[0], status))
    assert {("check", 0), ("check", 1), ("show", 1), ("dump", 1)} <= statuses
