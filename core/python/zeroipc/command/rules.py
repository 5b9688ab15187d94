"""What `check` looks at: every fault that it reports is against one of these rules. Each has a test that breaks it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List

RULES: Dict[str, str] = {
    "segment.header": "magic, version, entries and lengths are possible, and the object is as long as they say",
    "table.name": "a name has 1 to 31 bytes, no control characters, and zeros behind it",
    "table.unique": "no two structures have one name",
    "table.place": "a structure begins at the first multiple of 64 behind the one before it, and ends in the segment",
    "table.next": "the next free byte is the one behind the last structure",
    "table.draft": "a structure that is being made begins where the next one would, and fits",
    "table.unused": "entries that were never used are zeros",
    "segment.free": "bytes that no structure has are zeros",
    "structure.kind": "the kind's number is that of what stands there",
    "structure.algorithm": "the algorithm's number is that of what stands there",
    "structure.layout": "the layout's number is that of what stands there",
    "structure.capacity": "the capacity is in its range, and a power of two where it must be",
    "structure.handle_slots": "the number of handle slots is in its range",
    "structure.item_size": "items have a size",
    "structure.key_size": "maps have keys, others have none and no seed",
    "structure.stride": "strides are those that the sizes give",
    "structure.size": "the structure is as large as capacity and slots need",
    "queue.cell": "a cell's buffer exists, and is in no other cell",
    "queue.turns": "positions get done in order, so the cells' turns fall once",
    "queue.indices": "0 to capacity items lie between head and tail, and head and tail are at most 8 behind what is done",
    "queue.slot": "a handle slot's spares exist, and are nobody else's",
    "queue.pending": "of what a handle was about to exchange, it can be told what it owns",
    "stack.list": "the words of both lists name nodes and authors that exist",
    "stack.link": "links name nodes that exist, and lead to an end",
    "stack.depth": "a node's depth is one more than that of the node below it, and at most the capacity",
    "stack.slot": "a handle slot says what it does, with nodes that exist",
    "stack.owner": "each node is in one list or one handle's hands",
    "stack.top": "a stack that is an array holds 0 to capacity items",
    "map.link": "a bucket's links name blocks or handles that exist, and no block is linked twice",
    "map.owner": "a block is in the pool, in the bucket that links it, or in the hands of the handle that says so",
    "map.slot": "whatever is not free stands in a bucket, or in a block that the bucket has",
    "map.reserved": "a reserved slot is named by the handle that writes it",
    "map.closing": "a slot that is closing has its block in a handle's hands",
    "map.bucket": "a key stands in the bucket that its hash gives",
    "map.unique": "no key is there twice",
    "map.padding": "keys and values are filled up with zeros",
    "map.handle": "a handle slot's words name a bucket, slot and block that exist",
}


@dataclass(frozen=True)
class Finding:
    """A fault, or, without a rule, a note: something that need not be wrong."""

    where: str  #: a structure's name; "" for the segment
    rule: str
    text: str


class Findings:
    """Collects what is found out about one structure; of one rule only the first few."""

    MOST = 10

    def __init__(self, where: str) -> None:
        self.where = where
        self.found: List[Finding] = []
        self._counts: Dict[str, int] = {}

    def fault(self, rule: str, text: str) -> None:
        assert rule in RULES
        self._counts[rule] = self._counts.get(rule, 0) + 1
        if self._counts[rule] <= self.MOST:
            self.found.append(Finding(self.where, rule, text))

    def note(self, text: str) -> None:
        self.found.append(Finding(self.where, "", text))

    def clear(self) -> None:
        """Forgets what is found: it is looked at anew."""
        self.found.clear()
        self._counts.clear()

    def all(self) -> List[Finding]:
        for rule, count in self._counts.items():
            if count > self.MOST:
                self.found.append(Finding(self.where, rule, f"and {count - self.MOST} more"))
        self._counts.clear()
        return self.found
