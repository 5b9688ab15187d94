"""The nodes of the linked stack: its two lists, and what a commit on either leaves for who comes after a death. Bytes and
argument: core/format/stack.md, whose names of accesses stand here.

All accesses are sequentially consistent, so the format's fences (L7) and (L8) are in them.
"""

from __future__ import annotations

from typing import Any, Tuple

from ._atomics import Words
from ._format import LAYOUT, MASK64, align
from ._structure import Geometry, Place, Spec
from .errors import Corrupt

TREIBER = LAYOUT["stack"]["treiber"]
_SLOT = TREIBER["slot"]
_DOING = TREIBER["doing"]
NOTHING, PUSH, POP = _DOING["nothing"], _DOING["push"], _DOING["pop"]
REFILL, GIVE_BACK = _DOING["refill"], _DOING["give_back"]
_FIRST_SHIFT: int = TREIBER["doing_bits"]
_SECOND_SHIFT: int = _FIRST_SHIFT + TREIBER["first_bits"]
_NODE_MASK = (1 << TREIBER["first_bits"]) - 1
HALF = 0xFFFFFFFF
NONE = -1  # no node at all, not even "none"


def geometry(spec: Spec) -> Geometry:
    line = spec.layout["line"]
    slots = spec.layout["body"]
    rows = slots + line * spec.handle_slots
    row = align(TREIBER["witnesses_per_slot"] * TREIBER["witness_bytes"] * spec.handle_slots, line)
    nodes = rows + row * spec.handle_slots
    stride = TREIBER["node"]["item"]["offset"] + align(spec.item_size, TREIBER["item_alignment"])
    count = spec.capacity + TREIBER["nodes_per_slot"] * spec.handle_slots
    parts = {"rows": rows, "row": row, "nodes": nodes, "count": count}
    return Geometry(spec, stride, 0, slots, nodes + stride * count, parts)


def pack(doing: int, first: int, second: int) -> int:
    return doing | first << _FIRST_SHIFT | second << _SECOND_SHIFT


class TreiberNodes:
    """Base of TreiberStack: for one thread at a time, and one handle slot."""

    #: Rounds after which a loop gives up with Corrupt: more than losing every race to honest peers takes.
    patience: int = TREIBER["patience_rounds"]

    def __init__(self, mapping: Any, place: Place, slot: int) -> None:
        g = place.geometry
        spec = g.spec
        self.words = Words(mapping)
        self.item = spec.item_size
        self._stride = g.item_stride
        self.capacity = spec.capacity
        self.handle_slots = spec.handle_slots
        self.count = g.parts["count"]
        self.top = place.offset + spec.layout["top"]
        self.free = place.offset + spec.layout["free"]
        self._rows = place.offset + g.parts["rows"]
        self._row = g.parts["row"]
        self._nodes = place.offset + g.parts["nodes"]
        self.state_at = place.offset + g.slots + spec.layout["line"] * slot + _SLOT["state"]["offset"]
        self.expected_at = self.state_at - _SLOT["state"]["offset"] + _SLOT["expected"]["offset"]
        self.node_bits = self.count.bit_length()
        self.tag_shift = self.node_bits + spec.handle_slots.bit_length()
        self.first_mask = (1 << self.node_bits) - 1
        self.author_mask = (1 << spec.handle_slots.bit_length()) - 1
        self.me = slot + 1
        self.spare = 0  #: node in hand, or 0
        self.second = 0  # node to be given back, or 0

    @staticmethod
    def unpack(state: int) -> Tuple[int, int, int]:
        return state & ((1 << _FIRST_SHIFT) - 1), state >> _FIRST_SHIFT & _NODE_MASK, state >> _SECOND_SHIFT

    def corrupt(self, what: str) -> Corrupt:
        return Corrupt(f"stack: {what}; a peer overwrote it: make it anew")

    def no_progress(self) -> Corrupt:
        return self.corrupt(f"no progress was possible for {self.patience} rounds")

    def node(self, n: int) -> int:
        return self._nodes + self._stride * (n - 1)

    def depth(self, n: int) -> int:
        """Of a node in the stack. Anything, if it is in other hands by now: the commit, or the second look, tells."""
        if n == 0 or n > self.count:
            return 0 if n == 0 else self.capacity
        return self.words.load(self.node(n)) >> 32

    def below(self, n: int) -> int:
        if n > self.count:
            raise self.corrupt("the top names a node that does not exist")
        return self.words.load(self.node(n)) & HALF if n else 0

    # The free list's word and links are relative, so that zeroed memory is the list 1, 2, 3, ...
    def free_node(self, value: int) -> int:
        field = value & self.first_mask
        return field + 1 if field < self.count else 0

    def free_field(self, n: int) -> int:
        return n - 1 if n else self.count

    def next_free(self, n: int) -> int:
        following = ((self.words.load(self.node(n)) & HALF) + n + 1) & HALF
        if following == self.count + 1:
            return 0
        return following if following <= self.count else NONE

    def _first_of(self, doing: int, value: int) -> int:
        """What a pop or a refill that replaced the value gained."""
        if doing == POP:
            return value & self.first_mask
        return self.free_node(value) if doing == REFILL else 0

    def commit(self, which: int, now: int, first: int, state: int) -> bool:
        """Replaces a list's first node: (L2). If it fails, `found` of the words is the value found."""
        words = self.words
        # Only an undertaker reads these two, after our death. `expected` may change first: towards it we have done nothing.
        words.store(self.expected_at, now)
        words.store(self.state_at, state)
        author = now >> self.node_bits & self.author_mask
        if author not in (0, self.me) and author <= self.handle_slots:
            words.store(self.witness(self.me, author, which), now)
        following = ((now >> self.tag_shift) + 1) << self.tag_shift & MASK64 | self.me << self.node_bits | first
        return words.cas(which, now, following)

    def witness(self, row: int, author: int, which: int) -> int:
        at = self._rows + self._row * (row - 1) + 16 * (author - 1)
        return at + int(TREIBER["witness"]["top" if which == self.top else "free"])

    def settle(self, first: int, second: int) -> None:
        """Records what is in hand, with nothing in progress: (L6)."""
        if first == 0:
            first, second = second, 0
        self.words.store(self.state_at, pack(NOTHING, first, second))
        self.spare, self.second = first, second

    def may_refill(self) -> bool:
        """Gets a spare node. False: the stack was full at one moment; then nodes need not be free."""
        words, top = self.words, self.top
        now = words.load(top)  # (L1)
        for _ in range(self.patience):
            if self.depth(now & self.first_mask) < self.capacity:
                self.refill()
                return True
            again = words.load(top)  # (L3)
            if again == now:
                return False
            now = again
        raise self.no_progress()

    def refill(self) -> None:
        words, free = self.words, self.free
        now = words.load(free)  # (L1)
        for _ in range(self.patience):
            first = self.free_node(now)
            following = self.next_free(first) if first else NONE
            if following == NONE:
                # Capacity and hands together leave one free at every moment.
                again = words.load(free)  # (L3)
                if again == now:
                    raise self.corrupt("the free list does not hold the nodes that are free")
                now = again
                continue
            if self.commit(free, now, self.free_field(following), pack(REFILL, 0, 0)):
                self.settle(first, 0)
                return
            now = words.found
        raise self.no_progress()

    def give_back(self) -> None:
        """Puts the second node in hand into the free list."""
        words, free, second = self.words, self.free, self.second
        now = words.load(free)  # (L1)
        for _ in range(self.patience):
            following = self.free_node(now) or self.count + 1
            words.store(self.node(second), (following - second - 1) & HALF)
            if self.commit(free, now, self.free_field(second), pack(GIVE_BACK, self.spare, second)):
                self.settle(self.spare, 0)
                return
            now = words.found
        raise self.no_progress()

    def happened(self, which: int, expected: int) -> bool:
        """Whether the dead owner of this slot replaced `expected` before it died."""

        def follows(value: int) -> bool:
            tags = MASK64 >> self.tag_shift
            next_tag = ((expected >> self.tag_shift) + 1) & tags
            return value >> self.node_bits & self.author_mask == self.me and value >> self.tag_shift == next_tag

        now = self.words.load(which)  # (L5)
        if now == expected:
            return False
        if follows(now):
            return True
        rows = range(1, self.handle_slots + 1)
        return any(follows(self.words.load(self.witness(row, self.me, which))) for row in rows)  # (L4)
