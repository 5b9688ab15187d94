"""The invariants of an exchange ring, on a private copy (core/format/queue.md, "Repair")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional

from .._atomics import Words
from .._exchange_bytes import EXCHANGE, PENDING, Shape, signed, true_ends
from .rules import Findings
from .snapshot import Snapshot

_LAG: int = EXCHANGE["index_step"]


@dataclass
class _Role:
    slot: int
    role: str
    own: int
    gain: int

    def __str__(self) -> str:
        return f"handle slot {self.slot}, {self.role}"


class QueueCheck:
    """One look at one queue."""

    def __init__(self, copy: Snapshot, findings: Findings) -> None:
        self.words = Words(copy.mapping)
        self.shape = Shape(copy.place)
        self.findings = findings
        self.cells = [self.words.load(self.shape.cell(i)) for i in range(self.shape.capacity)]
        self.owner: Dict[int, str] = {}  # of each buffer

    def run(self, is_of_one_moment: bool) -> None:
        """Copies that are not of one moment show only what is wrong at every moment."""
        shape, fault = self.shape, self.findings.fault
        for i, value in enumerate(self.cells):
            buffer = shape.buffer_of(value, i)
            if buffer >= shape.buffers:
                fault("queue.cell", f"cell {i} names buffer {buffer} of {shape.buffers}")
            elif is_of_one_moment and buffer in self.owner:
                fault("queue.cell", f"cell {i} names buffer {buffer}, and so does {self.owner[buffer]}")
            self.owner.setdefault(buffer, f"cell {i}")
        pending = self._records(is_of_one_moment)
        if is_of_one_moment:
            self._indices()
            self._spares(pending)

    def _indices(self) -> None:
        shape, fault = self.shape, self.findings.fault
        head, tail = self.words.load(shape.head), self.words.load(shape.tail)
        ends = true_ends(shape, self.cells, tail)
        if ends is None:
            return fault("queue.turns", "the cells' turns fall more than once from one cell to the next: no order gives that")
        for name, index, end in (("head", head, ends[0]), ("tail", tail, ends[1])):
            if not 0 <= signed(end - index) <= _LAG:
                fault("queue.indices", f"{name} is {index}, where the cells' turns give {end}")
        return None

    def _records(self, is_of_one_moment: bool) -> List[_Role]:
        """What handle slots say that they own; those in the middle of an exchange are told apart later."""
        shape, load, fault = self.shape, self.words.load, self.findings.fault
        roles: List[_Role] = []
        self.settled: List[_Role] = []
        for slot in range(shape.handle_slots):
            for i, role in enumerate(("out", "in")):
                record = load(shape.record(slot, role))
                own, gain = record >> 1 ^ shape.first_spare(slot) + i, -1
                if own >= shape.buffers:
                    fault("queue.slot", f"handle slot {slot}, {role}: names buffer {own} of {shape.buffers}")
                    continue
                if not record & PENDING:
                    self.settled.append(_Role(slot, role, own, own))
                    continue
                cell = load(shape.record(slot, "position")) & (shape.capacity - 1)
                gain = shape.buffer_of(load(shape.record(slot, "expected")), cell)
                if gain < shape.buffers:
                    roles.append(_Role(slot, role, own, gain))
                elif is_of_one_moment:  # else these words may be of two exchanges
                    fault("queue.pending", f"handle slot {slot}, {role}: was about to get buffer {gain} of {shape.buffers}")
        return roles

    def _spares(self, pending: List[_Role]) -> None:
        for role in self.settled:
            if role.own in self.owner:
                self.findings.fault("queue.slot", f"{role}: owns buffer {role.own}, and so does {self.owner[role.own]}")
            self.owner.setdefault(role.own, str(role))
        # As repair does: a role of whose two buffers one is somebody else's has the other one.
        progress = True
        while pending and progress:
            progress = False
            for role in list(pending):
                mine = self._decided(role)
                if mine is not None:
                    self.owner[mine] = str(role)
                    pending.remove(role)
                    progress = True
        for role in pending:
            text = f"{role}: owns neither buffer {role.own} nor {role.gain} for sure, one of which it must"
            self.findings.fault("queue.pending", text)

    def _decided(self, role: _Role) -> Optional[int]:
        free = [buffer for buffer in {role.own, role.gain} if buffer not in self.owner]
        return free[0] if len(free) == 1 else None
