"""The bytes of the exchange ring, and who owns which of its buffers after a death: core/format/queue.md."""

from __future__ import annotations

from typing import List, Optional, Tuple

from ._atomics import Words
from ._format import LAYOUT, MASK64, align
from ._structure import Geometry, Place, Spec

EXCHANGE = LAYOUT["queue"]["exchange"]
PENDING = 1
_SLOT = EXCHANGE["slot"]


def geometry(spec: Spec) -> Geometry:
    slots = spec.layout["body"]
    cells = slots + spec.layout["line"] * spec.handle_slots
    buffers = align(cells + EXCHANGE["cell_bytes"] * spec.capacity, EXCHANGE["buffers_alignment"])
    stride = align(spec.item_size, EXCHANGE["item_alignment"])
    count = spec.capacity + EXCHANGE["spares_per_slot"] * spec.handle_slots
    parts = {"cells": cells, "buffers": buffers, "count": count}
    return Geometry(spec, stride, EXCHANGE["cell_bytes"], slots, buffers + stride * count, parts)


def signed(difference: int) -> int:
    """A difference of two numbers modulo 2^64, read as two's complement."""
    difference &= MASK64
    return difference - (1 << 64) if difference >> 63 else difference


class Shape:
    """The places of a ring's parts in its segment, and the packing of turn and buffer in a cell."""

    def __init__(self, place: Place) -> None:
        g = place.geometry
        spec = g.spec
        self.capacity = spec.capacity
        self.handle_slots = spec.handle_slots
        self.buffers = g.parts["count"]
        self.head = place.offset + spec.layout["head"]
        self.tail = place.offset + spec.layout["tail"]
        self.cells = place.offset + g.parts["cells"]
        self.buffers_at = place.offset + g.parts["buffers"]
        self.slots = place.offset + g.slots
        self.line: int = spec.layout["line"]
        self.lap_shift = spec.capacity.bit_length() - 1
        self.turn_shift = (self.buffers - 1).bit_length()
        self.turn_mask = MASK64 >> self.turn_shift
        self.buffer_mask = (1 << self.turn_shift) - 1

    def cell(self, i: int) -> int:
        return self.cells + 8 * i

    def record(self, slot: int, field: str) -> int:
        return self.slots + self.line * slot + int(_SLOT[field]["offset"])

    def first_spare(self, slot: int) -> int:
        return self.capacity + 2 * slot

    def buffer_of(self, value: int, cell: int) -> int:
        return (value & self.buffer_mask) ^ cell

    def ahead(self, value: int, turn: int) -> int:
        """How many turns a cell's word is ahead of `turn`: modular, so turns may wrap."""
        difference = ((value >> self.turn_shift) - turn) & self.turn_mask
        return difference - self.turn_mask - 1 if difference > self.turn_mask >> 1 else difference


def recover(words: Words, shape: Shape, slot: int) -> bool:
    """Takes over a slot whose lock was just got: decides which buffers its last owner had. False: undecided, park it."""
    home = shape.first_spare(slot)
    return _recover_role(words, shape, slot, "out", home) and _recover_role(words, shape, slot, "in", home + 1)


def _recover_role(words: Words, shape: Shape, slot: int, role: str, home: int) -> bool:
    record = words.load(shape.record(slot, role))
    own = record >> 1 ^ home
    if own >= shape.buffers:
        return False
    if not record & PENDING:
        return True
    i = words.load(shape.record(slot, "position")) & (shape.capacity - 1)
    expected = words.load(shape.record(slot, "expected"))
    gain = shape.buffer_of(expected, i)
    if gain >= shape.buffers:
        return False
    value = words.load(shape.cell(i))  # (Q8)
    ahead = shape.ahead(value, expected >> shape.turn_shift)
    mine: Optional[int] = None
    if ahead == 0:
        mine = own  # nobody committed there yet
    elif ahead == 1:
        mine = gain if shape.buffer_of(value, i) == own else own  # it was the dead one if its spare stands there
    elif ahead > 1:
        mine = _orphan(words, shape, slot, own, gain)
    if mine is None:
        return False
    words.store(shape.record(slot, role), (mine ^ home) << 1)  # (Q7)
    return True


def _orphan(words: Words, shape: Shape, slot: int, own: int, gain: int) -> Optional[int]:
    """Only positive evidence counts: whichever of the two is seen in a cell or as a settled spare is in circulation."""

    def answer(buffer: int) -> Optional[int]:
        return gain if buffer == own else own if buffer == gain else None

    if own == gain:
        return None
    for i in range(shape.capacity):
        found = answer(shape.buffer_of(words.load(shape.cell(i)), i))  # (Q8)
        if found is not None:
            return found
    for other in range(shape.handle_slots):
        if other == slot:
            continue
        for role, home in (("out", shape.first_spare(other)), ("in", shape.first_spare(other) + 1)):
            record = words.load(shape.record(other, role))  # (Q6)
            found = None if record & PENDING else answer(record >> 1 ^ home)
            if found is not None:
                return found
    return None


def true_ends(shape: Shape, cells: List[int], tail: int) -> Optional[Tuple[int, int]]:
    """Head and tail as the cells' words have them, of the positions possible the nearest to the tail that stands there. None: the
    cells' turns are not in order."""
    turns = [value >> shape.turn_shift for value in cells]
    ends = _end(shape, [turn >> 1 for turn in turns]), _end(shape, [(turn + 1 & shape.turn_mask) >> 1 for turn in turns])
    if ends[0] is None or ends[1] is None:
        return None
    # Turns tell positions up to their period only; the index that stands there is near.
    spare_bits = 64 - (shape.lap_shift + 63 - shape.turn_shift)
    size = ((ends[1] - ends[0]) << spare_bits & MASK64) >> spare_bits
    true_tail = (tail + (signed((ends[1] - tail) << spare_bits) >> spare_bits)) & MASK64
    return (true_tail - size) & MASK64, true_tail


def _end(shape: Shape, seen: List[int]) -> Optional[int]:
    """Where the pushes (or pops) end, modulo the turns' period, from how many each cell has seen: the cells of the last lap,
    which come first, one more than the others."""
    most, n = seen[0], 1
    while n < shape.capacity and seen[n] == most:
        n += 1
    if any(one != (most - 1 & shape.turn_mask >> 1) for one in seen[n:]):
        return None
    return ((most - 1) << shape.lap_shift) + n
