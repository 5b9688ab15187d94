"""What kills left is put in order, exactly, by who is alone with the segment: core/format's sections "Repair"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, List

from ._atomics import Words
from ._bucket_map import BucketMap
from ._exchange_bytes import Shape, true_ends
from ._structure import Kind, Place, refuse_repair
from ._treiber import TreiberStack
from .errors import Corrupt
from .memory import Memory


def repair(memory: Memory, kind: Kind, place: Place, work: Callable[[Any, Place], int]) -> int:
    """Runs `work` on a structure to which nobody else is attached. Returns what had no owner before."""
    state = memory._attachment()
    with state.alone() as is_alone:
        if not is_alone:
            raise refuse_repair(kind, place.name, memory.name)
        return work(state.mapping, place)


def repair_stack(mapping: Any, place: Place) -> int:
    """Settles every handle slot and gives the spare nodes back to the free list. May be killed and run again."""
    released = 0
    for slot in range(place.geometry.spec.handle_slots):
        stack = TreiberStack(mapping, place, slot, settled=False)
        if not stack.recover():
            raise Corrupt(f"stack '{place.name}': a handle slot names a node that does not exist; make it anew")
        released += stack.release_spare()
    return released


def repair_map(mapping: Any, place: Place) -> int:
    """Settles every handle slot, frees what nobody holds, takes empty blocks out. May be killed and run again."""
    for slot in range(place.geometry.spec.handle_slots):
        if not BucketMap(mapping, place, slot).recover(lambda other: True):
            raise Corrupt(f"map '{place.name}': a handle slot names what does not exist; make it anew")
    return BucketMap(mapping, place, 0).sweep()


@dataclass
class _Role:
    """One of the two spares of a slot."""

    record: int
    slot: int
    home: int


class _QueueRepair:
    """All is examined first; each store behind that leaves a state that another repair, or recovery, brings to its end."""

    def __init__(self, mapping: Any, place: Place) -> None:
        self.words = words = Words(mapping)
        self.shape = shape = Shape(place)
        self.cells = [words.load(shape.cell(i)) for i in range(shape.capacity)]  # (Q8)
        self.owned = [False] * shape.buffers  # buffers that a cell or a settled role is known to have
        for i, value in enumerate(self.cells):
            buffer = shape.buffer_of(value, i)
            if buffer >= shape.buffers or self.owned[buffer]:
                raise self.corrupt("a cell names a buffer that does not exist, or that another one names")
            self.owned[buffer] = True
        found = true_ends(shape, self.cells, words.load(shape.tail))
        if found is None:
            raise self.corrupt("the cells' turns are not in order")
        self.head, self.tail = found

    def corrupt(self, what: str) -> Corrupt:
        return Corrupt(f"queue: {what}; a peer overwrote it: make it anew")

    def is_free(self, buffer: int) -> bool:
        return buffer < self.shape.buffers and not self.owned[buffer]

    def run(self) -> int:
        shape, words = self.shape, self.words
        roles = [
            _Role(shape.record(slot, role), slot, shape.first_spare(slot) + i)
            for slot in range(shape.handle_slots)
            for i, role in enumerate(("out", "in"))
        ]
        rest: List[_Role] = []
        for role in roles:
            value = words.load(role.record)
            spare = value >> 1 ^ role.home
            if value & 1 or not self.is_free(spare):
                rest.append(role)
            else:
                self.owned[spare] = True
        changed = len(rest)
        while self.settle_by_evidence(rest):
            pass
        for role in rest:  # as many free buffers as roles, and nothing tells one from another: honest processes leave none
            self.settle(role, self.owned.index(False))
        words.store(shape.head, self.head)  # (Q4)
        words.store(shape.tail, self.tail)  # (Q4)
        return changed

    def settle_by_evidence(self, rest: List[_Role]) -> bool:
        """Settles a pending role of whose two buffers one is somebody else's. Returns whether there was one."""
        shape, words = self.shape, self.words
        for role in rest:
            value = words.load(role.record)
            if not value & 1:
                continue
            own = value >> 1 ^ role.home
            i = words.load(shape.record(role.slot, "position")) & (shape.capacity - 1)
            gain = shape.buffer_of(words.load(shape.record(role.slot, "expected")), i)
            if self.is_free(own) != self.is_free(gain):
                self.settle(role, own if self.is_free(own) else gain)
                rest.remove(role)
                return True
        return False

    def settle(self, role: _Role, buffer: int) -> None:
        self.owned[buffer] = True
        self.words.store(role.record, (buffer ^ role.home) << 1)  # (Q7)


def repair_queue(mapping: Any, place: Place) -> int:
    """Every buffer has its owner again, head and tail are exact; items stay. May be killed and run again."""
    return _QueueRepair(mapping, place).run()
