"""The exchange ring: the algorithm of Queue. Bytes and argument: core/format/queue.md, whose names of accesses stand here.

A cell holds a turn and the number of the one payload buffer that it owns; a handle owns two buffers more, its spares. To push
is to fill the own out-spare in private and to swap it into a cell by one compare-and-swap, to pop is to swap the own in-spare
for the filled buffer. That is the operation's only commit (Q2).
"""

from __future__ import annotations

import ctypes
from typing import Any, Optional

from ._atomics import Words, cas_8, load_8, store_8
from ._format import LAYOUT, MASK64, align
from ._structure import Geometry, Place, Spec
from .errors import Corrupt

_EXCHANGE = LAYOUT["queue"]["exchange"]
_SLOT = _EXCHANGE["slot"]
_INDEX_STEP: int = _EXCHANGE["index_step"]
_PENDING = 1


def geometry(spec: Spec) -> Geometry:
    slots = spec.layout["body"]
    cells = slots + spec.layout["line"] * spec.handle_slots
    buffers = align(cells + _EXCHANGE["cell_bytes"] * spec.capacity, _EXCHANGE["buffers_alignment"])
    stride = align(spec.item_size, _EXCHANGE["item_alignment"])
    count = spec.capacity + _EXCHANGE["spares_per_slot"] * spec.handle_slots
    parts = {"cells": cells, "buffers": buffers, "count": count}
    return Geometry(spec, stride, _EXCHANGE["cell_bytes"], slots, buffers + stride * count, parts)


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


class _Role:
    """What differs between pushing and popping."""

    def __init__(self, index: int, parity: int, record: int, home: int) -> None:
        self.index = index  #: tail or head
        self.parity = parity  #: of the turn that is waited for: even to push (empty), odd to pop (full)
        self.record = record
        self.record_at = ctypes.c_void_p()
        self.home = home
        self.spare = 0
        self.seen = 0  #: a position below which all is done


class ExchangeRing:
    """The ring as one handle sees it: for one thread at a time. The slot must be locked and recovered."""

    #: Rounds after which a loop gives up with Corrupt: more than losing every race to honest peers takes.
    patience: int = _EXCHANGE["patience_rounds"]

    def __init__(self, mapping: Any, place: Place, slot: int) -> None:
        shape = self.shape = Shape(place)
        self.settled = True  #: False after an exception in an operation: the slot's record may be in the middle of something
        self._slot = slot
        self._words = words = Words(mapping)
        memory = memoryview(mapping).cast("B")
        # Read without atomicity, as a hint only: what was read so is believed if a compare-and-swap of the whole word agrees.
        self._hints = memory[shape.cells : shape.cells + 8 * shape.capacity].cast("Q")
        self._item = place.geometry.spec.item_size
        self._stride = place.geometry.item_stride
        self._buffers = memory[shape.buffers_at : shape.buffers_at + self._stride * shape.buffers]
        home = shape.first_spare(slot)
        self._out = _Role(shape.tail, 0, shape.record(slot, "out"), home)
        self._in = _Role(shape.head, 1, shape.record(slot, "in"), home + 1)
        for role in (self._out, self._in):
            role.record_at.value = words.base + role.record
            role.seen = words.load(role.index)  # (Q3)
        self._position_at = ctypes.c_void_p(words.base + shape.record(slot, "position"))
        self._expected_at = ctypes.c_void_p(words.base + shape.record(slot, "expected"))
        self._at = ctypes.c_void_p()
        self._number, self._desired, self._expected = ctypes.c_uint64(), ctypes.c_uint64(), ctypes.c_uint64()
        self._expected_ref = ctypes.byref(self._expected)
        self._read_spares()

    def _read_spares(self) -> None:
        for role in (self._out, self._in):
            spare = self._words.load(role.record) >> 1 ^ role.home
            if spare >= self.shape.buffers:
                raise Corrupt("queue: a handle slot names a buffer that does not exist; a peer overwrote it: make it anew")
            role.spare = spare

    def resettle(self) -> None:
        """Behind an exception in an operation: finds out what this handle owns, as recovery does for a dead one's."""
        if not recover(self._words, self.shape, self._slot):
            raise Corrupt("queue: what this handle owns cannot be told after an interruption; close it and open another")
        self._read_spares()
        self.settled = True

    def try_push(self, data: Any) -> bool:
        """Lock-free. False: the queue was full at one moment."""
        at = self._stride * self._out.spare
        self._buffers[at : at + self._item] = data
        return self._commit(self._out)

    def try_pop(self) -> Optional[memoryview]:
        """Lock-free. The item where it lies, good until the next pop; None: the queue was empty at one moment."""
        if not self._commit(self._in):
            return None
        at = self._stride * self._in.spare
        return self._buffers[at : at + self._item]

    def push_many(self, data: memoryview, count: int) -> int:
        """So many pushes; each commits by itself."""
        size, stride, role, commit, buffers = self._item, self._stride, self._out, self._commit, self._buffers
        for n in range(count):
            at = stride * role.spare
            buffers[at : at + size] = data[n * size : n * size + size]
            if not commit(role):
                return n
        return count

    def pop_many(self, out: bytearray, most: int) -> int:
        """So many pops; each commits by itself."""
        size, stride, role, commit, buffers = self._item, self._stride, self._in, self._commit, self._buffers
        for n in range(most):
            if not commit(role):
                return n
            at = stride * role.spare
            out += buffers[at : at + size]
        return most

    def _commit(self, role: _Role) -> bool:
        """Both operations are one: exchange the own spare for the buffer of the first cell that is not done."""
        shape, at, number, hints = self.shape, self._at, self._number, self._hints
        shift, lap, turn_mask = shape.turn_shift, shape.lap_shift, shape.turn_mask
        first_cell = self._words.base + shape.cells
        position = role.seen
        for _ in range(self.patience):
            i = position & (shape.capacity - 1)
            turn = ((position >> lap) * 2 + role.parity) & turn_mask
            at.value = first_cell + 8 * i
            value = hints[i]
            if value >> shift != turn:
                value = load_8(at, 5)  # (Q1)
                ahead = shape.ahead(value, turn)
                if ahead > 0:
                    position = role.seen = self._behind(role, position, ahead)
                    continue
                if ahead < 0:
                    # A hint of full or empty. It is the answer if the cell still says so, and the index knows of nothing
                    # later: a handle that slept through half of the turns' period sees the sign reversed.
                    again = load_8(at, 5)  # (Q5)
                    shared = self._words.load(role.index)  # (Q5)
                    if signed(shared - position) > 0:
                        position = role.seen = shared
                    elif again == value:
                        return False
                    continue
            gain = (value & shape.buffer_mask) ^ i
            if gain >= shape.buffers:
                if load_8(at, 5) == value:
                    raise Corrupt("queue: a cell names a buffer that does not exist; a peer overwrote it: make it anew")
                continue
            # Only an undertaker reads the next three, after our death; it must find them complete or not pending.
            number.value = position
            store_8(self._position_at, number, 5)
            number.value = value
            store_8(self._expected_at, number, 5)
            number.value = (role.spare ^ role.home) << 1 | _PENDING
            store_8(role.record_at, number, 5)
            self._desired.value = ((turn + 1) & turn_mask) << shift | (role.spare ^ i)
            self._expected.value = value
            done = cas_8(at, self._expected_ref, self._desired, 5, 5)  # (Q2), the commit
            if done:
                role.spare = gain
            number.value = (role.spare ^ role.home) << 1
            store_8(role.record_at, number, 5)  # (Q7)
            if done:
                role.seen = position = (position + 1) & MASK64
                if position % _INDEX_STEP == 0:
                    self._raise(role.index, position)
                return True
        raise Corrupt(f"queue: no progress was possible for {self.patience} rounds; a peer overwrote it: make it anew")

    def _behind(self, role: _Role, position: int, ahead: int) -> int:
        """The first position that may not be done, given that the cell of `position` is `ahead` turns further."""
        following = (position + ((ahead - 1) // 2 << self.shape.lap_shift) + 1) & MASK64
        if following // _INDEX_STEP != position // _INDEX_STEP:
            # The shared index may know more than this walk, or less.
            shared = self._words.load(role.index)  # (Q3)
            if signed(shared - following) > 0:
                return shared
            self._raise(role.index, following)
        return following

    def _raise(self, index: int, n: int) -> None:
        """Raises a shared index to n, from whatever it is: by (Q4), never by a plain store."""
        now = self._words.load(index)
        # A hostile peer may lower it again and again; it is a hint, and not worth more than this.
        for _ in range(1000):
            if signed(n - now) <= 0 or self._words.cas(index, now, n):  # (Q4)
                return
            now = self._words.found

    def was_size(self) -> int:
        """Items in it: exact if nothing is popped meanwhile, else an estimate from above, 0 to capacity. Wait-free."""
        head = self._first_not_done(self._in)
        size = 0
        for _ in range(4):
            size = signed(self._first_not_done(self._out) - head)
            again = self._first_not_done(self._in)
            if again == head:
                break  # head stood still: the size is of when tail was read
            head = again
        return min(max(size, 0), self.shape.capacity)

    def _first_not_done(self, role: _Role) -> int:
        shape = self.shape
        position = self._words.load(role.index)  # (Q3)
        for _ in range(shape.capacity + 2 * _INDEX_STEP):
            value = self._words.load(shape.cell(position & (shape.capacity - 1)))  # (Q1)
            ahead = shape.ahead(value, (position >> shape.lap_shift) * 2 + role.parity)
            if ahead <= 0:
                break
            position = (position + ((ahead - 1) // 2 << shape.lap_shift) + 1) & MASK64
        return position


def recover(words: Words, shape: Shape, slot: int) -> bool:
    """Takes over a slot whose lock was just got: decides which buffers its last owner had. False: undecided, park it."""
    home = shape.first_spare(slot)
    return _recover_role(words, shape, slot, "out", home) and _recover_role(words, shape, slot, "in", home + 1)


def _recover_role(words: Words, shape: Shape, slot: int, role: str, home: int) -> bool:
    record = words.load(shape.record(slot, role))
    own = record >> 1 ^ home
    if own >= shape.buffers:
        return False
    if not record & _PENDING:
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
            found = None if record & _PENDING else answer(record >> 1 ^ home)
            if found is not None:
                return found
    return None
