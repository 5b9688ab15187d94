"""The command beside busy users: copies whose words are not of one moment are planted, so that nothing here depends on luck."""

import dataclasses
import itertools
import json

import pytest
from conftest import golden, place
from zeroipc import Array, Map, Queue, Stack
from zeroipc._exchange_bytes import PENDING, Shape
from zeroipc._format import DESCRIPTION, DESCRIPTION_FIELDS, KINDS, LAYOUT, known_layouts
from zeroipc._structure import Spec
from zeroipc.command import check, check_table, look
from zeroipc.command.check_table import TableCheck
from zeroipc.command.geometries import COUNTED, GEOMETRIES
from zeroipc.command.snapshot import take

pytestmark = pytest.mark.fast


def _put(copy, at, value):
    copy.bytes[at : at + 8] = value.to_bytes(8, "little")


def _get(copy, at):
    return int.from_bytes(copy.bytes[at : at + 8], "little")


def _counted(algorithm):
    """A queue for comparison of capacity 4, with nothing in it."""
    queue = LAYOUT["queue"]
    layout = known_layouts("queue")["compact"]
    geometry = GEOMETRIES["queue"][algorithm](Spec(4, 0, layout, 8, 0, 0))
    fields = dict.fromkeys(DESCRIPTION_FIELDS, 0)
    fields.update(kind=KINDS["queue"], algorithm=queue["algorithms"][algorithm], layout=queue["layouts"]["compact"]["number"])
    fields.update(item_size=8, item_stride=geometry.item_stride, cell_stride=geometry.cell_stride)

    def initialise(body):
        at = queue["descriptor_offset"]
        body[at : at + DESCRIPTION.size] = DESCRIPTION.pack(*fields.values())
        at = queue["header"]["capacity"]["offset"]
        body[at : at + 8] = (4).to_bytes(8, "little")

    return lambda memory: memory._add("it", geometry.total, initialise)


def _indices(head, tail):
    def change(copy):
        layout = copy.place.geometry.spec.layout
        _put(copy, layout["head"], head)
        _put(copy, layout["tail"], tail)

    return change


def _exchange(memory):
    with Queue(memory, "it", 4, dtype="u8", handle_slots=3) as queue:
        queue.put_many([1, 2, 3])


def _two_exchanges(copy):
    """A handle is in an exchange, and what it expects is of the next one, at another cell."""
    shape = Shape(copy.place)
    _put(copy, shape.record(0, "out"), PENDING)
    _put(copy, shape.record(0, "position"), 0)
    beyond = next(value for value in itertools.count() if shape.buffer_of(value, 0) >= shape.buffers)
    _put(copy, shape.record(0, "expected"), beyond)


def _stack(memory):
    with Stack(memory, "it", 4, dtype="u8", handle_slots=3) as stack:
        stack.put_many([1, 2, 3])


def _freed_below(copy):
    """The node below the top's is free by now: its link means something else."""
    g = copy.place.geometry
    top = _get(copy, g.spec.layout["top"]) & (1 << g.parts["count"].bit_length()) - 1
    node = g.parts["nodes"] + g.item_stride * (top - 1)
    _put(copy, node, _get(copy, node) | 0xFFFFFFFF)


def _map(memory):
    with Map(memory, "it", 2, key_dtype="u8", value_dtype="u8", handle_slots=3, seed=5) as table:
        for i in range(8):
            table[i] = i


def _block_gone(copy):
    """The first bucket with a block had it taken out meanwhile."""
    g = copy.place.geometry
    for bucket in range(g.parts["bucket_count"]):
        at = g.parts["buckets"] + g.cell_stride * bucket
        if _get(copy, at + 8):
            return _put(copy, at + 8, 0)
    raise AssertionError("no bucket has a block")


def _chained(memory):
    described, images = golden("variants/map-chained-2x8")
    memory.close()
    place(memory.name, max(images, key=lambda image: sum(map(bool, image))))


def _chain_in_circles(copy):
    g = copy.place.geometry
    heads = [_get(copy, g.parts["heads"] + 8 * i) for i in range(g.spec.capacity)]
    mask = (1 << g.parts["count"].bit_length()) - 1
    node = next(head & mask for head in heads if head & mask)
    at = g.parts["nodes"] + g.item_stride * (node - 1)
    _put(copy, at, _get(copy, at) & ~mask | node)


# What is made; what a torn copy says; the rule that it would break at one moment; whether dump would call it corrupt.
CASES = {
    **{f"{one}, too many": (_counted(one), _indices(2, 12), "queue.indices", True) for one in COUNTED},
    **{f"{one}, too few": (_counted(one), _indices(3, 1), "queue.indices", True) for one in COUNTED},
    "exchange": (_exchange, _two_exchanges, "queue.pending", False),
    "treiber": (_stack, _freed_below, "stack.link", True),
    "buckets": (_map, _block_gone, "map.owner", True),
    "chained": (_chained, _chain_in_circles, None, True),
}


@pytest.mark.parametrize("case", CASES)
def test_torn_copies_are_no_faults(name, memory, run, monkeypatch, case):
    make, change, rule, is_corrupt = CASES[case]
    make(memory)
    it = json.loads(run("show", name, "--json")[1])["structures"][0]["name"]
    assert run("check", name)[0] == 0 and run("dump", name, it)[0] == 0

    def plant(whole):
        def planted(view, place, size):
            copy = take(view, place, size)
            if size == place.geometry.total or rule:
                change(copy)
            return dataclasses.replace(copy, is_of_one_moment=whole)

        for module in (check, look):
            monkeypatch.setattr(module, "take", planted)

    plant(True)
    status, out, _ = run("check", name)
    assert (status, rule is None or f"[{rule}]" in out) == (int(rule is not None), True)
    assert run("dump", name, it)[0] == int(is_corrupt)
    plant(False)
    status, out, err = run("check", name)
    assert (status, err) == (0, "") and (rule is None or "note: in use" in out)
    status, out, err = run("dump", name, it, "--json")
    assert status == 0 and "in use" in err
    dumped = json.loads(out)
    assert dumped["of_one_moment"] is False and dumped["count"] == len(dumped.get("items", dumped.get("pairs")))
    expected = {"too many": 4, "too few": 0}.get(case.split(", ")[-1])
    assert expected in (None, dumped["count"])


def test_a_torn_map_shows_its_other_buckets(name, memory, run, monkeypatch):
    _map(memory)

    def planted(view, place, size):
        copy = dataclasses.replace(take(view, place, size), is_of_one_moment=False)
        _block_gone(copy)
        return copy

    everything = json.loads(run("dump", name, "it", "--json")[1])["pairs"]
    monkeypatch.setattr(look, "take", planted)
    some = json.loads(run("dump", name, "it", "--json")[1])["pairs"]
    assert 0 < len(some) < len(everything) and all(pair in everything for pair in some)


def _between_copy_and_scan(monkeypatch, act):
    """Does something each time the table was looked at and the bytes behind it are about to be."""
    scan = TableCheck._not_zero
    monkeypatch.setattr(TableCheck, "_not_zero", lambda self, begin: (act(), scan(self, begin))[1])


def test_structures_made_meanwhile_are_no_fault(name, memory, run, monkeypatch):
    """Published since the table was copied, or only begun."""
    made = iter(["a", "b"])
    _between_copy_and_scan(monkeypatch, lambda: [Array(memory, one, 5, dtype="u4") for one in [next(made, None)] if one])
    assert run("check", name)[:2] == (0, f"{name}: sound\n") and len(memory.entries()) == 2

    def die(body):
        body[:8] = b"begun..."
        raise InterruptedError

    def begin():
        if not memory.find("c") and not begun:
            begun.append(True)
            with pytest.raises(InterruptedError):
                memory._add("c", 64, die)

    begun = []
    monkeypatch.undo()
    _between_copy_and_scan(monkeypatch, begin)
    status, out, _ = run("check", name)
    assert status == 0 and begun and "being made, or its maker died" in out


def test_a_table_that_never_stands_still_is_said(name, memory, run, monkeypatch):
    look, numbers = check_table._look, itertools.count()
    monkeypatch.setattr(check_table, "_look", lambda view: look(view)[:-8] + next(numbers).to_bytes(8, "little"))
    for command in ("check", "show"):
        status, out, err = run(command, name)
        assert (status, out) == (2, "") and "stop who makes structures" in err
