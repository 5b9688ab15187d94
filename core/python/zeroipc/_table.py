"""A view of the table of a mapped segment. It keeps its own copy of what cannot change, and believes nothing that can."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Optional, Tuple

from ._atomics import Words
from ._format import ALIGNMENT, CURSOR, ENTRY, ENTRY_BYTES, HEADER_BYTES, NAME_MOST, table_end
from .errors import Corrupt, InvalidName


@dataclass(frozen=True)
class Entry:
    """A structure's place: checked to lie inside the segment and behind the table."""

    name: str
    offset: int  #: bytes from the segment's start
    size: int  #: bytes


def checked_name(name: str) -> bytes:
    """A structure's name as the table has it."""
    data = name.encode("utf-8", "surrogateescape")
    if not 1 <= len(data) <= NAME_MOST or any(c < 0x20 or c == 0x7F for c in data):
        raise InvalidName(
            f"structure name {name!r} has {len(data)} bytes; use 1 to {NAME_MOST}, without control characters"
        )
    return data


class Table:
    """The table of names. Lookups are lock-free."""

    def __init__(self, mapping: Any, max_entries: int) -> None:
        self.max_entries = max_entries
        self.size = len(mapping)
        self.bytes = memoryview(mapping).cast("B")
        self._words = Words(mapping)
        self._mutex = threading.Lock()  # for the words, which one thread at a time uses

    def cursor(self) -> Tuple[int, int]:
        """Published entries, and the next free byte: one word, (T1)."""
        with self._mutex:
            word = self._words.load(CURSOR)
        count, following = word & 0xFFFFFFFF, word >> 32
        if count > self.max_entries or not table_end(self.max_entries) <= following <= self.size:
            raise Corrupt(
                f"table says {count} entries (of {self.max_entries}) and next free byte {following} "
                f"(of {self.size}); the segment was overwritten: make it anew"
            )
        return count, following

    def publish(self, count: int, following: int) -> None:
        """Makes a written entry, and the structure behind it, visible: (T2). Only under the creation lock."""
        with self._mutex:
            self._words.store(CURSOR, count | following << 32)

    def finish(self, magic: int) -> None:
        """From here on the segment exists: (T3)."""
        with self._mutex:
            self._words.store_half(0, magic)

    def acquire(self) -> None:
        """Behind the magic stands the rest: (T4)."""
        with self._mutex:
            self._words.load_half(0)

    def place(self, i: int) -> int:
        """Offset of entry i, published or draft."""
        return HEADER_BYTES + ENTRY_BYTES * i

    def raw(self, i: int) -> Tuple[bytes, int, int]:
        at = self.place(i)
        name, offset, size = ENTRY.unpack(bytes(self.bytes[at : at + ENTRY_BYTES]))
        return name, offset, size

    def at(self, i: int) -> Tuple[bytes, int, int]:
        """Entry i, checked: name, offset, size."""
        name, offset, size = self.raw(i)
        length = name.find(0)
        if (
            length < 1
            or offset % ALIGNMENT != 0
            or offset < table_end(self.max_entries)
            or offset + size > self.size
        ):
            raise Corrupt(
                f"table entry {i} (offset {offset}, size {size}) does not lie in the segment's {self.size} bytes; "
                "the segment was overwritten: make it anew"
            )
        return name[:length], offset, size

    def find(self, name: str) -> Optional[Entry]:
        wanted = name.encode("utf-8", "surrogateescape")
        for i in range(self.cursor()[0]):
            found, offset, size = self.at(i)
            if found == wanted:
                return Entry(name, offset, size)
        return None
