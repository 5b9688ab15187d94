"""The linked stack: the algorithm of Stack. Bytes and argument: core/format/stack.md, whose names of accesses stand here.

Two lists share one pool of nodes: the stack, and the free nodes. A list's word holds the first node, the handle slot that
stored it, and a tag that grows with each commit. Who is about to replace a value that another handle stored first notes it in
its own row of witnesses: so it can be told after a death whether the dead one's last commit took effect.
"""

from __future__ import annotations

from typing import Any, Optional

from ._structure import Place
from ._treiber_nodes import GIVE_BACK, NOTHING, POP, PUSH, REFILL, TreiberNodes, pack


class TreiberStack(TreiberNodes):
    """The stack as one handle sees it: for one thread at a time. The slot must be locked and recovered."""

    def __init__(self, mapping: Any, place: Place, slot: int, settled: bool = True) -> None:
        super().__init__(mapping, place, slot)
        self.settled = True  #: False after an exception in an operation: the slot's state may be in the middle of something
        if settled:
            self._read_spare()

    def _read_spare(self) -> None:
        doing, first, second = self.unpack(self.words.load(self.state_at))
        if doing != NOTHING or second != 0 or first > self.count:
            raise self.corrupt("a handle slot names a node that does not exist")
        self.spare = first

    def resettle(self) -> None:
        """Behind an exception in an operation: finds out what this handle owns, as recovery does for a dead one's."""
        if not self.recover():
            raise self.corrupt("a handle slot names a node that does not exist")
        self.settled = True

    def try_push(self, data: bytes) -> bool:
        """Lock-free. False: the stack was full at one moment. Commit: (L2) on the top word."""
        words, top = self.words, self.top
        if self.spare == 0 and not self.may_refill():
            return False
        node = self.node(self.spare)
        words.write(node + 8, data)  # behind what took the node: (L7)
        now = words.load(top)  # (L1)
        for _ in range(self.patience):
            below = now & self.first_mask
            depth = self.depth(below)
            if depth >= self.capacity:
                again = words.load(top)  # (L3)
                if again == now:
                    self.settle(self.spare, 0)
                    return False
                now = again
                continue
            words.store(node, (depth + 1) << 32 | below)
            if self.commit(top, now, self.spare, pack(PUSH, self.spare, 0)):
                self.settle(0, 0)
                return True
            now = words.found
        raise self.no_progress()

    def try_pop(self) -> Optional[bytes]:
        """Lock-free. None: the stack was empty at one moment. Commit: (L2) on the top word."""
        words, top = self.words, self.top
        now = words.load(top)  # (L1)
        for _ in range(self.patience):
            first = now & self.first_mask
            below = self.below(first)
            if first == 0 or below > self.count:  # of the latter: the node is in other hands by now, or
                again = words.load(top)  # (L3)
                if again == now:
                    if first != 0:
                        raise self.corrupt("a link names a node that does not exist")
                    self.settle(self.spare, 0)
                    return None
                now = again
                continue
            if self.commit(top, now, below, pack(POP, self.spare, 0)):
                data = words.read(self.node(first) + 8, self.item)
                self.settle(first, self.spare)
                if self.second != 0:
                    self.give_back()
                return data
            now = words.found
        raise self.no_progress()

    def try_peek(self) -> Optional[bytes]:
        """A copy of the item on top. Lock-free. None: the stack was empty at one moment."""
        words, top = self.words, self.top
        for _ in range(self.patience):
            now = words.load(top)  # (L1)
            first = now & self.first_mask
            if first > self.count:
                raise self.corrupt("the top names a node that does not exist")
            data = words.read(self.node(first) + 8, self.item) if first else None
            if words.load(top) == now:  # behind the reading: (L8), (L3)
                return data
        raise self.no_progress()

    def push_many(self, data: memoryview, count: int) -> int:
        """So many pushes; each commits by itself."""
        size = self.item
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
            now = self.words.load(self.top)  # (L1)
            depth = self.depth(now & self.first_mask)
            if self.words.load(self.top) == now:
                break
        return min(depth, self.capacity)

    def recover(self) -> bool:
        """Takes over the slot, whose lock was just got: decides which nodes its last owner had, exactly. May be killed and
        run again, beside living handles. False only if the slot's bytes are impossible."""
        words = self.words
        doing, first, second = self.unpack(words.load(self.state_at))
        expected = words.load(self.expected_at)
        gain = self._first_of(doing, expected)
        if first > self.count or second > self.count or gain > self.count:
            return False
        which = self.top if doing in (PUSH, POP) else self.free
        if doing != NOTHING and self.happened(which, expected):
            if doing == PUSH:
                first = 0
            elif doing == POP:
                first, second = gain, first
            elif doing == REFILL:
                first = gain
            elif doing == GIVE_BACK:
                second = 0
        self.settle(first, second)
        if self.second != 0:
            self.give_back()
        return True

    def release_spare(self) -> bool:
        """For repair: puts the spare into the free list. False if there is none."""
        if self.spare == 0:
            return False
        self.spare, self.second = 0, self.spare
        self.give_back()
        return True
