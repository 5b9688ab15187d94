"""A segment as this command sees it: opened and mapped for reading only, no lock taken, not a byte written."""

from __future__ import annotations

import os
import stat
from typing import Dict, List

from .._attachment import Descriptor, map_object, system_error
from .._format import MAGIC, UNFINISHED
from .._object import State, check_header, checked_path, state_of
from .._table import Entry, Table
from ..errors import Corrupt, NotASegment, NotFound, TooLarge, Truncated, VersionMismatch

FOLDER = "/dev/shm"


def open_object(name: str, access: int = os.O_RDONLY, doing: str = "open") -> Descriptor:
    """The object behind a segment's name."""
    path = checked_path(name)
    try:
        descriptor = Descriptor(path, access | os.O_NONBLOCK, 0)
    except FileNotFoundError:
        raise NotFound(f"there is no segment '{path}'; `zeroipc list` shows those that there are") from None
    except OSError as error:
        raise system_error(error.errno, f"cannot {doing} segment '{path}'") from None
    if not stat.S_ISREG(os.fstat(descriptor.fd).st_mode):
        descriptor.close()
        raise NotASegment(f"'{path}' is no shared-memory object, and not made by ZeroIPC; `zeroipc list` shows the segments")
    return descriptor


class View:
    """A mapped segment, for reading. What a peer may write into it is checked where it is used; a peer that cuts the object while
    it is being read ends this process by SIGBUS, as any reader's."""

    def __init__(self, name: str) -> None:
        self.path = checked_path(name)
        self.descriptor = open_object(name)
        self.fd = self.descriptor.fd
        try:
            info = os.fstat(self.fd)
            self.size, self.identity = info.st_size, (info.st_dev, info.st_ino)
            if state_of(self.fd, self.size) is State.UNFINISHED:
                raise NotFound(f"segment '{self.path}' is being made, or was never finished by its maker; create it anew")
            self.max_entries = check_header(self.fd, self.size, self.path)
            self.mapping = map_object(self.descriptor, self.size, f"cannot open segment '{self.path}'", writable=False)
        except BaseException:
            self.descriptor.close()
            raise
        self.table = Table(self.mapping, self.max_entries)
        self.bytes = self.table.bytes

    def refuse_cut(self) -> None:
        """Behind a peer that has cut the object, touching it would end this process."""
        if os.fstat(self.fd).st_size < self.size:
            raise Truncated(f"segment '{self.path}' was cut to {os.fstat(self.fd).st_size} of {self.size} bytes; make it anew")

    def refuse_removed(self) -> None:
        """What is followed under a name that is gone, nobody new takes part in."""
        if os.fstat(self.fd).st_nlink == 0:
            raise NotFound(f"segment '{self.path}' was removed; who has it open keeps it, and the name may be made anew")

    def entries(self) -> List[Entry]:
        """The published structures. Raises Corrupt at the first entry that is impossible."""
        self.refuse_cut()
        found = [self.table.at(i) for i in range(self.table.cursor()[0])]
        return [Entry(name.decode("utf-8", "surrogateescape"), offset, size) for name, offset, size in found]

    def entry(self, structure: str) -> Entry:
        self.refuse_cut()
        found = self.table.find(structure)
        if found is None:
            raise no_structure(self.path, structure)
        return found

    def used(self) -> int:
        """Bytes up to the end of the last structure."""
        return self.table.cursor()[1]


def no_structure(path: str, structure: str) -> NotFound:
    return NotFound(f"segment '{path}' has no structure '{structure}'; `zeroipc show {path}` lists them")


def objects() -> Dict[str, bool]:
    """The names of this machine's segments: whether each is finished. Objects of others, and those we may not read, are none."""
    found: Dict[str, bool] = {}
    for name in sorted(os.listdir(FOLDER)):
        try:
            fd = os.open(f"{FOLDER}/{name}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            if stat.S_ISREG(os.fstat(fd).st_mode):
                magic = int.from_bytes(os.pread(fd, 4, 0), "little")
                if magic in (MAGIC, UNFINISHED):
                    found["/" + name] = magic == MAGIC
        except OSError:
            continue
        finally:
            os.close(fd)
    return found


def is_corrupt(error: BaseException) -> bool:
    """Whether an error says that the bytes are wrong, rather than the request."""
    return isinstance(error, (Corrupt, NotASegment, Truncated, VersionMismatch, TooLarge))
