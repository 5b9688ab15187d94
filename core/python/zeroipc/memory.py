"""A shared-memory segment: made, opened, unlinked; named structures are put into it and found in it."""

from __future__ import annotations

import os
from typing import Callable, Iterator, List, Optional

from ._attachment import Attachment, system_error
from ._format import ALIGNMENT, NAME_BYTES, align
from ._making import creation_lock, obtain
from ._object import checked_path
from ._table import Entry, Table, checked_name
from .errors import Corrupt, Exists, Misuse, SegmentFull, TableFull

__all__ = ["Entry", "Memory"]

_ADD_PATIENCE = 10.0


class Memory:
    """A mapped segment. Thread-safe; may be opened several times in one process, each at its own address.

    `Memory(name)` opens the segment; `Memory(name, size=bytes)` opens it, or makes it if there is none. `create` and `open`
    do one of the two. Closing unmaps, once no structure and no view uses it any more; the segment itself lives until
    `Memory.unlink(name)`. After fork() the child's copy is unusable and says so (`Forked`).
    """

    def __init__(
        self,
        name: str,
        size: Optional[int] = None,
        *,
        max_entries: int = 64,
        mode: int = 0o600,
        patience: float = 10.0,
    ) -> None:
        """Opens the segment, or makes it if `size` is given and there is none: of several processes exactly one makes it.

        `size` is in bytes, below 4 GiB, the table included. The other options matter only where it is made, `patience`
        apart: how many seconds to wait for a process that is making it. Raises NotFound, InvalidName, InvalidArgument,
        TooLarge, NotASegment, VersionMismatch, Truncated, Corrupt, NoSpace, NoPermission, Busy.
        """
        self._take(*obtain(name, "open" if size is None else "either", size or 0, max_entries, mode, patience))

    def _take(self, state: Attachment, table: Table) -> None:
        self._name, self._size, self._max_entries = state.name, state.size, table.max_entries
        self._state: Optional[Attachment] = state
        self._table: Optional[Table] = table

    @classmethod
    def create(
        cls, name: str, size: int, *, max_entries: int = 64, mode: int = 0o600, patience: float = 10.0
    ) -> "Memory":
        """Makes a segment; its memory is reserved at once and reads as zeros. Raises Exists if there is one."""
        memory = cls.__new__(cls)
        memory._take(*obtain(name, "create", size, max_entries, mode, patience))
        return memory

    @classmethod
    def open(cls, name: str, *, patience: float = 10.0) -> "Memory":
        """Opens a segment that is there. Waits for a maker at work. Raises NotFound if there is none."""
        return cls(name, patience=patience)

    @staticmethod
    def unlink(name: str) -> bool:
        """Removes the name; processes that have the segment mapped keep it. False if there was none."""
        path = checked_path(name)
        try:
            os.unlink("/dev/shm" + path)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise system_error(error.errno, f"cannot unlink segment '{path}'") from None
        return True

    @property
    def name(self) -> str:
        return self._name

    @property
    def size(self) -> int:
        """Bytes of the segment."""
        return self._size

    @property
    def max_entries(self) -> int:
        return self._max_entries

    @property
    def free_bytes(self) -> int:
        """Bytes that structures can still take: an upper bound for the next one."""
        following = align(self._usable_table().cursor()[1], ALIGNMENT)
        return max(self.size - following, 0)

    def entries(self) -> List[Entry]:
        """The structures in it, oldest first."""
        table = self._usable_table()
        found = [table.at(i) for i in range(table.cursor()[0])]
        return [Entry(name.decode("utf-8", "surrogateescape"), offset, size) for name, offset, size in found]

    def find(self, structure: str) -> Optional[Entry]:
        """Looks a structure up by name. Lock-free, O(entries)."""
        return self._usable_table().find(structure)

    def __contains__(self, structure: str) -> bool:
        return self.find(structure) is not None

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries())

    def close(self) -> None:
        """Gives the segment up. Structures that were opened in it go on, and keep it mapped, until they are closed."""
        self._state = self._table = None

    def __enter__(self) -> "Memory":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<zeroipc.Memory '{self.name}' of {self.size} bytes{', closed' if self._state is None else ''}>"

    def _attachment(self) -> Attachment:
        """For structures: what keeps mapping and locks alive."""
        if self._state is None:
            raise Misuse(f"segment '{self.name}' was closed here; open it anew")
        self._state.refuse_forked()
        return self._state

    def _usable_table(self) -> Table:
        self._attachment()
        assert self._table is not None
        return self._table

    def _add(self, structure: str, size: int, initialise: Callable[[memoryview], None]) -> Entry:
        """Puts a structure of that many zeroed bytes into the segment; `initialise` writes its first bytes before any
        other process can find it. A maker that dies inside leaves nothing but zeroing work for the next one."""
        state, table, name = self._attachment(), self._usable_table(), checked_name(structure)
        with state.mutex, creation_lock(state.descriptor.fd, _ADD_PATIENCE, f"cannot add to segment '{state.name}'"):
            if table.find(structure) is not None:
                raise Exists(
                    f"segment '{state.name}' has a structure '{structure}' already; open it, or choose another name"
                )
            count, following = table.cursor()
            if count == table.max_entries:
                raise TableFull(
                    f"segment '{state.name}' holds {count} structures and has no entry left for '{structure}'; "
                    "make it with a larger max_entries"
                )
            offset = align(following, ALIGNMENT)
            room = max(state.size - offset, 0)
            if size > room:
                raise SegmentFull(
                    f"structure '{structure}' needs {size} bytes, and segment '{state.name}' of {state.size} has "
                    f"{room} left; make it larger"
                )
            self._clear_draft(table, count, offset)
            at = table.place(count)
            # The draft stands before the body is touched, so that whoever comes after a death knows what to clear.
            table.bytes[at : at + NAME_BYTES] = bytes(NAME_BYTES)
            table.bytes[at + NAME_BYTES : at + NAME_BYTES + 4] = offset.to_bytes(4, "little")
            table.bytes[at + NAME_BYTES + 4 : at + NAME_BYTES + 8] = size.to_bytes(4, "little")
            initialise(table.bytes[offset : offset + size])
            table.bytes[at : at + len(name)] = name
            table.publish(count + 1, offset + size)
        return Entry(structure, offset, size)

    def _clear_draft(self, table: Table, i: int, offset: int) -> None:
        """Zeroes what a dead maker may have written. Its draft must begin where the next structure does."""
        _, begins, size = table.raw(i)
        if begins == 0 and size == 0:
            return
        if begins != offset or size > self.size - offset:
            raise Corrupt(
                f"segment '{self.name}' has a draft entry at offset {begins} of {size} bytes where {offset} is the "
                "next free byte; the segment was overwritten: make it anew"
            )
        part = bytes(1 << 20)
        for start in range(offset, offset + size, len(part)):
            length = min(len(part), offset + size - start)
            table.bytes[start : start + length] = part[:length]
