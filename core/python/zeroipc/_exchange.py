"""The exchange ring: the algorithm of Queue. Bytes and argument: core/format/queue.md, whose names of accesses stand here.

A cell holds a turn and the number of the one payload buffer that it owns; a handle owns two buffers more, its spares. To push
is to fill the own out-spare in private and to swap it into a cell by one compare-and-swap, to pop is to swap the own in-spare
for the filled buffer. That is the operation's only commit (Q2).
"""

from __future__ import annotations

import ctypes
from typing import Any, Optional

from ._atomics import Words, cas_8, load_8, store_8
from ._exchange_bytes import EXCHANGE, PENDING, Shape, recover, signed
from ._format import MASK64
from ._structure import Place
from .errors import Corrupt

_INDEX_STEP: int = EXCHANGE["index_step"]


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
    patience: int = EXCHANGE["patience_rounds"]

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
        return self._exchange(self._out, 1, data, None) == 1

    def try_pop(self) -> Optional[bytearray]:
        """Lock-free. None: the queue was empty at one moment."""
        item = bytearray()
        return item if self._exchange(self._in, 1, None, item) else None

    def push_many(self, data: memoryview, count: int) -> int:
        """So many pushes; each commits by itself."""
        return self._exchange(self._out, count, data, None)

    def pop_many(self, out: bytearray, most: int) -> int:
        """So many pops; each commits by itself."""
        return self._exchange(self._in, most, None, out)

    def _exchange(self, role: _Role, count: int, data: Any, out: Optional[bytearray]) -> int:
        """All operations are one: exchange the own spare for the buffer of the first cell that is not done, `count` times.

        Pushes come with `data`, pops with `out`. Returns how many were done before a negative answer.
        """
        shape, at, number, hints, buffers = self.shape, self._at, self._number, self._hints, self._buffers
        shift, lap, turn_mask, buffer_mask = shape.turn_shift, shape.lap_shift, shape.turn_mask, shape.buffer_mask
        index_mask, buffer_count, parity, home = shape.capacity - 1, shape.buffers, role.parity, role.home
        size, stride, record_at, position_at, expected_at = (
            self._item, self._stride, role.record_at, self._position_at, self._expected_at
        )  # fmt: skip
        store, compare_and_swap, desired, expected, expected_ref = (
            store_8, cas_8, self._desired, self._expected, self._expected_ref
        )  # fmt: skip
        first_cell = self._words.base + shape.cells
        position, spare, n, rounds = role.seen, role.spare, 0, self.patience
        patience = rounds
        if data is not None and count:
            buffers[stride * spare : stride * spare + size] = data[:size]
        try:
            while n < count:
                if rounds == 0:
                    raise Corrupt(f"queue: no progress was possible for {patience} rounds; a peer overwrote it: make it anew")
                rounds -= 1
                i = position & index_mask
                turn = ((position >> lap) * 2 + parity) & turn_mask
                at.value = first_cell + 8 * i
                value = hints[i]
                if value >> shift != turn:
                    value = load_8(at, 5)  # (Q1)
                    ahead = shape.ahead(value, turn)
                    if ahead > 0:
                        position = self._behind(role, position, ahead)
                        continue
                    if ahead < 0:
                        # A hint of full or empty. It is the answer if the cell still says so, and the index knows of nothing
                        # later: a handle that slept through half of the turns' period sees the sign reversed.
                        again = load_8(at, 5)  # (Q5)
                        shared = self._words.load(role.index)  # (Q5)
                        if signed(shared - position) > 0:
                            position = shared
                        elif again == value:
                            return n
                        continue
                gain = (value & buffer_mask) ^ i
                if gain >= buffer_count:
                    if load_8(at, 5) == value:
                        raise Corrupt("queue: a cell names a buffer that does not exist; a peer overwrote it: make it anew")
                    continue
                # Only an undertaker reads the next three, after our death; it must find them complete or not pending.
                number.value = position
                store(position_at, number, 5)
                number.value = expected.value = value
                store(expected_at, number, 5)
                number.value = (spare ^ home) << 1 | PENDING
                store(record_at, number, 5)
                desired.value = (turn + 1) << shift | (spare ^ i)  # what is more than 64 bits falls off
                if not compare_and_swap(at, expected_ref, desired, 5, 5):  # (Q2), the commit
                    number.value = (spare ^ home) << 1
                    store(record_at, number, 5)  # (Q7)
                    continue
                spare = gain
                number.value = (spare ^ home) << 1
                store(record_at, number, 5)  # (Q7)
                position = (position + 1) & MASK64
                if not position & _INDEX_STEP - 1:
                    self._raise(role.index, position)
                n += 1
                rounds = patience
                begin = stride * spare
                if out is not None:
                    out += buffers[begin : begin + size]
                elif n < count:
                    buffers[begin : begin + size] = data[n * size : n * size + size]
            return n
        finally:  # after an exception these may be wrong: then resettle() renews the spare
            role.spare, role.seen = spare, position

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
        now = (n - _INDEX_STEP) & MASK64  # most probably
        # A hostile peer may lower it again and again; it is a hint, and not worth more than this.
        for _ in range(1000):
            if self._words.cas(index, now, n):  # (Q4)
                return
            now = self._words.found
            if signed(n - now) <= 0:
                return

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
