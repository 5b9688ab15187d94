"""The linked stack: the algorithm of Stack. Bytes and argument: core/format/stack.md, whose names of accesses stand here.

Two lists share one pool of nodes: the stack, and the free nodes. A list's word holds the first node, the handle slot that
stored it, and a tag that grows with each commit. Who is about to replace a value that another handle stored first notes it in
its own row of witnesses: so it can be told after a death whether the dead one's last commit took effect.

All accesses are sequentially consistent, so the format's fences (L7) and (L8) are in them.
"""

from __future__ import annotations

from typing import Any, Optional, Tuple

from ._atomics import Words
from ._format import LAYOUT, MASK64, align
from ._structure import Geometry, Place, Spec
from .errors import Corrupt

_TREIBER = LAYOUT["stack"]["treiber"]
_SLOT = _TREIBER["slot"]
_DOING = _TREIBER["doing"]
_NOTHING, _PUSH, _POP = _DOING["nothing"], _DOING["push"], _DOING["pop"]
_REFILL, _GIVE_BACK = _DOING["refill"], _DOING["give_back"]
_FIRST_SHIFT: int = _TREIBER["doing_bits"]
_SECOND_SHIFT: int = _FIRST_SHIFT + _TREIBER["first_bits"]
_NODE_MASK = (1 << _TREIBER["first_bits"]) - 1
_HALF = 0xFFFFFFFF
_NONE = -1  # no node at all, not even "none"


def geometry(spec: Spec) -> Geometry:
    line = spec.layout["line"]
    slots = spec.layout["body"]
    rows = slots + line * spec.handle_slots
    row = align(_TREIBER["witnesses_per_slot"] * _TREIBER["witness_bytes"] * spec.handle_slots, line)
    nodes = rows + row * spec.handle_slots
    stride = _TREIBER["node"]["item"]["offset"] + align(spec.item_size, _TREIBER["item_alignment"])
    count = spec.capacity + _TREIBER["nodes_per_slot"] * spec.handle_slots
    parts = {"rows": rows, "row": row, "nodes": nodes, "count": count}
    return Geometry(spec, stride, 0, slots, nodes + stride * count, parts)


def _pack(doing: int, first: int, second: int) -> int:
    return doing | first << _FIRST_SHIFT | second << _SECOND_SHIFT


class TreiberStack:
    """The stack as one handle sees it: for one thread at a time. The slot must be locked and recovered."""

    #: Rounds after which a loop gives up with Corrupt: more than losing every race to honest peers takes.
    patience: int = _TREIBER["patience_rounds"]

    def __init__(self, mapping: Any, place: Place, slot: int, settled: bool = True) -> None:
        g = place.geometry
        spec = g.spec
        self.settled = True  #: False after an exception in an operation: the slot's state may be in the middle of something
        self._words = Words(mapping)
        self._item = spec.item_size
        self._stride = g.item_stride
        self._capacity = spec.capacity
        self._handle_slots = spec.handle_slots
        self._count = g.parts["count"]
        self._top = place.offset + spec.layout["top"]
        self._free = place.offset + spec.layout["free"]
        self._rows = place.offset + g.parts["rows"]
        self._row = g.parts["row"]
        self._nodes = place.offset + g.parts["nodes"]
        self._state_at = place.offset + g.slots + spec.layout["line"] * slot + _SLOT["state"]["offset"]
        self._expected_at = self._state_at - _SLOT["state"]["offset"] + _SLOT["expected"]["offset"]
        self._node_bits = self._count.bit_length()
        self._tag_shift = self._node_bits + spec.handle_slots.bit_length()
        self._first_mask = (1 << self._node_bits) - 1
        self._author_mask = (1 << spec.handle_slots.bit_length()) - 1
        self._me = slot + 1
        self.spare = 0  #: node in hand, or 0
        self._second = 0  # node to be given back, or 0
        if settled:
            self._read_spare()

    def _read_spare(self) -> None:
        doing, first, second = self._unpack(self._words.load(self._state_at))
        if doing != _NOTHING or second != 0 or first > self._count:
            raise self._corrupt("a handle slot names a node that does not exist")
        self.spare = first

    def resettle(self) -> None:
        """Behind an exception in an operation: finds out what this handle owns, as recovery does for a dead one's."""
        if not self.recover():
            raise self._corrupt("a handle slot names a node that does not exist")
        self.settled = True

    def try_push(self, data: bytes) -> bool:
        """Lock-free. False: the stack was full at one moment. Commit: (L2) on the top word."""
        words, top = self._words, self._top
        if self.spare == 0 and not self._may_refill():
            return False
        node = self._node(self.spare)
        words.write(node + 8, data)  # behind what took the node: (L7)
        now = words.load(top)  # (L1)
        for _ in range(self.patience):
            below = now & self._first_mask
            depth = self._depth(below)
            if depth >= self._capacity:
                again = words.load(top)  # (L3)
                if again == now:
                    self._settle(self.spare, 0)
                    return False
                now = again
                continue
            words.store(node, (depth + 1) << 32 | below)
            if self._commit(top, now, self.spare, _pack(_PUSH, self.spare, 0)):
                self._settle(0, 0)
                return True
            now = words.found
        raise self._no_progress()

    def try_pop(self) -> Optional[bytes]:
        """Lock-free. None: the stack was empty at one moment. Commit: (L2) on the top word."""
        words, top = self._words, self._top
        now = words.load(top)  # (L1)
        for _ in range(self.patience):
            first = now & self._first_mask
            below = self._below(first)
            if first == 0 or below > self._count:  # of the latter: the node is in other hands by now, or
                again = words.load(top)  # (L3)
                if again == now:
                    if first != 0:
                        raise self._corrupt("a link names a node that does not exist")
                    self._settle(self.spare, 0)
                    return None
                now = again
                continue
            if self._commit(top, now, below, _pack(_POP, self.spare, 0)):
                data = words.read(self._node(first) + 8, self._item)
                self._settle(first, self.spare)
                if self._second != 0:
                    self._give_back()
                return data
            now = words.found
        raise self._no_progress()

    def try_peek(self) -> Optional[bytes]:
        """A copy of the item on top. Lock-free. None: the stack was empty at one moment."""
        words, top = self._words, self._top
        for _ in range(self.patience):
            now = words.load(top)  # (L1)
            first = now & self._first_mask
            if first > self._count:
                raise self._corrupt("the top names a node that does not exist")
            data = words.read(self._node(first) + 8, self._item) if first else None
            if words.load(top) == now:  # behind the reading: (L8), (L3)
                return data
        raise self._no_progress()

    def push_many(self, data: memoryview, count: int) -> int:
        """So many pushes; each commits by itself."""
        size = self._item
        for n in range(count):
            if not self.try_push(bytes(data[n * size : n * size + size])):
                return n
        return count

    def pop_many(self, out: bytearray, most: int) -> int:
        """So many pops; each commits by itself."""
        for n in range(most):
            data = self.try_pop()
            if data is None:
                return n
            out += data
        return most

    def was_size(self) -> int:
        """Items in it at one moment, 0 to capacity: each node knows its depth. Lock-free."""
        depth = 0
        for _ in range(self.patience):
            now = self._words.load(self._top)  # (L1)
            depth = self._depth(now & self._first_mask)
            if self._words.load(self._top) == now:
                break
        return min(depth, self._capacity)

    def recover(self) -> bool:
        """Takes over the slot, whose lock was just got: decides which nodes its last owner had, exactly. May be killed and
        run again, beside living handles. False only if the slot's bytes are impossible."""
        words = self._words
        doing, first, second = self._unpack(words.load(self._state_at))
        expected = words.load(self._expected_at)
        gain = self._first_of(doing, expected)
        if first > self._count or second > self._count or gain > self._count or doing > _GIVE_BACK:
            return False
        which = self._top if doing in (_PUSH, _POP) else self._free
        if doing != _NOTHING and self._happened(which, expected):
            if doing == _PUSH:
                first = 0
            elif doing == _POP:
                first, second = gain, first
            elif doing == _REFILL:
                first = gain
            else:
                second = 0
        self._settle(first, second)
        if self._second != 0:
            self._give_back()
        return True

    def release_spare(self) -> bool:
        """For repair: puts the spare into the free list. False if there is none."""
        if self.spare == 0:
            return False
        self.spare, self._second = 0, self.spare
        self._give_back()
        return True

    # --- parts -------------------------------------------------------------------------------------------------

    @staticmethod
    def _unpack(state: int) -> Tuple[int, int, int]:
        return state & ((1 << _FIRST_SHIFT) - 1), state >> _FIRST_SHIFT & _NODE_MASK, state >> _SECOND_SHIFT

    def _corrupt(self, what: str) -> Corrupt:
        return Corrupt(f"stack: {what}; a peer overwrote it: make it anew")

    def _no_progress(self) -> Corrupt:
        return self._corrupt(f"no progress was possible for {self.patience} rounds")

    def _node(self, n: int) -> int:
        return self._nodes + self._stride * (n - 1)

    def _depth(self, n: int) -> int:
        """Of a node in the stack. Anything, if it is in other hands by now: the commit, or the second look, tells."""
        if n == 0 or n > self._count:
            return 0 if n == 0 else self._capacity
        return self._words.load(self._node(n)) >> 32

    def _below(self, n: int) -> int:
        if n > self._count:
            raise self._corrupt("the top names a node that does not exist")
        return self._words.load(self._node(n)) & _HALF if n else 0

    # The free list's word and links are relative, so that zeroed memory is the list 1, 2, 3, ...
    def _free_node(self, value: int) -> int:
        field = value & self._first_mask
        return field + 1 if field < self._count else 0

    def _free_field(self, n: int) -> int:
        return n - 1 if n else self._count

    def _next_free(self, n: int) -> int:
        following = ((self._words.load(self._node(n)) & _HALF) + n + 1) & _HALF
        if following == self._count + 1:
            return 0
        return following if following <= self._count else _NONE

    def _first_of(self, doing: int, value: int) -> int:
        """What a pop or a refill that replaced the value gained."""
        if doing == _POP:
            return value & self._first_mask
        return self._free_node(value) if doing == _REFILL else 0

    def _commit(self, which: int, now: int, first: int, state: int) -> bool:
        """Replaces a list's first node: (L2). If it fails, `found` of the words is the value found."""
        words = self._words
        # Only an undertaker reads these two, after our death. `expected` may change first: towards it we have done nothing.
        words.store(self._expected_at, now)
        words.store(self._state_at, state)
        author = now >> self._node_bits & self._author_mask
        if author not in (0, self._me) and author <= self._handle_slots:
            words.store(self._witness(self._me, author, which), now)
        following = ((now >> self._tag_shift) + 1) << self._tag_shift & MASK64 | self._me << self._node_bits | first
        return words.cas(which, now, following)

    def _witness(self, row: int, author: int, which: int) -> int:
        at = self._rows + self._row * (row - 1) + 16 * (author - 1)
        return at + int(_TREIBER["witness"]["top" if which == self._top else "free"])

    def _settle(self, first: int, second: int) -> None:
        """Records what is in hand, with nothing in progress: (L6)."""
        if first == 0:
            first, second = second, 0
        self._words.store(self._state_at, _pack(_NOTHING, first, second))
        self.spare, self._second = first, second

    def _may_refill(self) -> bool:
        """Gets a spare node. False: the stack was full at one moment; then nodes need not be free."""
        words, top = self._words, self._top
        now = words.load(top)  # (L1)
        for _ in range(self.patience):
            if self._depth(now & self._first_mask) < self._capacity:
                self._refill()
                return True
            again = words.load(top)  # (L3)
            if again == now:
                return False
            now = again
        raise self._no_progress()

    def _refill(self) -> None:
        words, free = self._words, self._free
        now = words.load(free)  # (L1)
        for _ in range(self.patience):
            first = self._free_node(now)
            following = self._next_free(first) if first else _NONE
            if following == _NONE:
                # Capacity and hands together leave one free at every moment.
                again = words.load(free)  # (L3)
                if again == now:
                    raise self._corrupt("the free list does not hold the nodes that are free")
                now = again
                continue
            if self._commit(free, now, self._free_field(following), _pack(_REFILL, 0, 0)):
                self._settle(first, 0)
                return
            now = words.found
        raise self._no_progress()

    def _give_back(self) -> None:
        """Puts the second node in hand into the free list."""
        words, free, second = self._words, self._free, self._second
        now = words.load(free)  # (L1)
        for _ in range(self.patience):
            following = self._free_node(now) or self._count + 1
            words.store(self._node(second), (following - second - 1) & _HALF)
            if self._commit(free, now, self._free_field(second), _pack(_GIVE_BACK, self.spare, second)):
                self._settle(self.spare, 0)
                return
            now = words.found
        raise self._no_progress()

    def _happened(self, which: int, expected: int) -> bool:
        """Whether the dead owner of this slot replaced `expected` before it died."""

        def follows(value: int) -> bool:
            tags = MASK64 >> self._tag_shift
            next_tag = ((expected >> self._tag_shift) + 1) & tags
            return value >> self._node_bits & self._author_mask == self._me and value >> self._tag_shift == next_tag

        now = self._words.load(which)  # (L5)
        if now == expected:
            return False
        if follows(now):
            return True
        rows = range(1, self._handle_slots + 1)
        return any(follows(self._words.load(self._witness(row, self._me, which))) for row in rows)  # (L4)
