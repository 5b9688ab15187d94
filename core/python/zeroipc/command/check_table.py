"""The invariants of a segment's header and table (core/format/segment.md)."""

from __future__ import annotations

import time
from typing import List, Optional, Set, Tuple

import numpy as np

from .._format import ALIGNMENT, ENTRY, ENTRY_BYTES, HEADER, HEADER_BYTES, align, table_end
from .._table import Entry
from ..errors import Busy
from .rules import Findings
from .segment import View
from .snapshot import PAUSE, TRIES

_CHUNK = 64 << 20


def _look(view: View) -> bytes:
    return bytes(view.bytes[: HEADER_BYTES + ENTRY_BYTES * view.max_entries])


def _busy(view: View) -> Busy:
    return Busy(f"segment '{view.path}': its table changed at each of {TRIES} looks; stop who makes structures in it, and try again")


def _copy(view: View) -> bytes:
    """Header and table, the same at two looks: structures are rarely added. Raises Busy."""
    copy = _look(view)
    for _ in range(TRIES):
        again = _look(view)
        if again == copy:
            return copy
        copy = again
        time.sleep(PAUSE)
    raise _busy(view)


class TableCheck:
    """One look at a table. `entries` are the structures that can be looked into."""

    def __init__(self, view: View, findings: Findings) -> None:
        self.view, self.findings = view, findings
        self.entries: List[Entry] = []
        self.copy = b""  # header and table, as they were looked at

    def run(self) -> None:
        """All of it, and the bytes that no structure has. Raises Busy if the table never stands still."""
        for _ in range(TRIES):
            end = self.run_table()
            at = None if end is None else self._not_zero(end)
            if at is None:
                return
            # A structure that was begun since the table was copied is in the table before its bytes are touched.
            if _look(self.view) == self.copy:
                return self.findings.fault("segment.free", f"byte {at} belongs to no structure, and is not zero")
        raise _busy(self.view)

    def run_table(self) -> Optional[int]:
        """Returns where the bytes begin that no structure has. Raises Busy if the table never stands still."""
        view, fault = self.view, self.findings.fault
        self.findings.clear()
        self.entries = []
        copy = self.copy = _copy(view)
        count, following = HEADER.unpack(copy[:HEADER_BYTES])[2:]
        begin = table_end(view.max_entries)
        if count > view.max_entries or not begin <= following <= view.size:
            fault("segment.header", f"{count} of {view.max_entries} entries, next free byte {following} of {view.size}")
            return None
        names: Set[bytes] = set()
        end = begin
        for i in range(count):
            raw, offset, size = self._entry(copy, i)
            name = self._name(i, raw)
            if name in names:
                fault("table.unique", f"entry {i}: there is another structure of that name")
            names.add(name)
            if offset != align(end, ALIGNMENT):
                fault("table.place", f"entry {i}: begins at {offset}, where the one before it gives {align(end, ALIGNMENT)}")
            if size == 0 or offset + size > view.size:
                fault("table.place", f"entry {i}: {size} bytes at {offset}, in a segment of {view.size}")
            elif offset >= begin and offset % ALIGNMENT == 0:
                self.entries.append(Entry(name.decode("utf-8", "surrogateescape"), offset, size))
            end = offset + size
        if following != end:
            fault("table.next", f"the next free byte is {following}, and the last structure ends at {end}")
        draft_end = self._draft(copy, count, following) if count < view.max_entries else following
        for i in range(count + 1, view.max_entries):
            if any(copy[HEADER_BYTES + ENTRY_BYTES * i : HEADER_BYTES + ENTRY_BYTES * (i + 1)]):
                fault("table.unused", f"entry {i} was never used, and is not zeros")
        return int(max(following, draft_end))

    @staticmethod
    def _entry(copy: bytes, i: int) -> Tuple[bytes, int, int]:
        name, offset, size = ENTRY.unpack_from(copy, HEADER_BYTES + ENTRY_BYTES * i)
        return name, offset, size

    def _name(self, i: int, raw: bytes) -> bytes:
        length = raw.find(0)
        name = raw if length < 0 else raw[:length]
        if length < 0:
            self.findings.fault("table.name", f"entry {i}: its name does not end")
        elif length == 0:
            self.findings.fault("table.name", f"entry {i}: it has no name")
        elif any(raw[length:]):
            self.findings.fault("table.name", f"entry {i}: something stands behind its name's end")
        if any(c < 0x20 or c == 0x7F for c in name):
            self.findings.fault("table.name", f"entry {i}: its name has a control character")
        return name

    def _draft(self, copy: bytes, count: int, following: int) -> int:
        """The entry behind the last one: of a maker at work, or dead. Returns where its structure ends."""
        _, offset, size = self._entry(copy, count)
        if offset == 0 and size == 0:
            return following
        right = align(following, ALIGNMENT)
        # A maker writes the offset first.
        if offset != right or offset + size > self.view.size:
            text = f"a draft of {size} bytes at {offset}, where {right} is the next place, in {self.view.size} bytes"
            self.findings.fault("table.draft", text)
            return self.view.size
        self.findings.note(f"a structure of {size} bytes is being made, or its maker died: the next one clears it")
        return offset + size

    def _not_zero(self, begin: int) -> Optional[int]:
        """The first byte that is not zero: whoever makes a structure takes it for granted that all are."""
        view = self.view
        for start in range(begin, view.size, _CHUNK):
            part = np.frombuffer(view.bytes[start : min(start + _CHUNK, view.size)], dtype=np.uint8)
            if part.any():
                return start + int(np.flatnonzero(part)[0])
        return None
