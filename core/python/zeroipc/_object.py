"""The object behind a segment: its name, how far it is made, its header."""

from __future__ import annotations

import os
from enum import Enum
from typing import Optional

from ._format import BYTES_BELOW, HEADER, HEADER_BYTES, MAGIC, UNFINISHED, VERSION, table_end
from .errors import Corrupt, InvalidName, NotASegment, TooLarge, Truncated, VersionMismatch


def checked_path(name: str) -> str:
    """The object's name with its slash."""
    path = name if name.startswith("/") else "/" + name
    data = os.fsencode(path)
    bad = len(data) < 2 or len(data) > 255 or path in ("/.", "/..")
    if bad or any(c == 0x2F or c <= 0x20 or c == 0x7F for c in data[1:]):
        raise InvalidName(
            f"segment name {name!r}: use 1 to 254 bytes without slashes, blanks or control characters"
        )
    return path


class State(Enum):
    """What stands in an object."""

    FINISHED = 1
    UNFINISHED = 2
    FOREIGN = 3


def state_of(fd: int, size: int) -> State:
    """Only under the creation lock is `UNFINISHED` a death rather than work in progress."""
    if size == 0:
        return State.UNFINISHED
    head = os.pread(fd, HEADER_BYTES, 0)
    magic = int.from_bytes(head[:4], "little")
    if len(head) < 4:
        return State.FOREIGN
    if magic == MAGIC:
        return State.FINISHED
    # A maker may die between giving the object its first bytes and marking them.
    blank = size == HEADER_BYTES and head == bytes(HEADER_BYTES)
    return State.UNFINISHED if magic == UNFINISHED or blank else State.FOREIGN


def linked_size(fd: int) -> Optional[int]:
    """The object's size, or None if its name was removed meanwhile."""
    info = os.fstat(fd)
    return info.st_size if info.st_nlink > 0 else None


def check_header(fd: int, size: int, path: str) -> int:
    """Returns max_entries, once everything that the header says is known to be possible."""
    head = os.pread(fd, HEADER_BYTES, 0)
    if len(head) < 4 or int.from_bytes(head[:4], "little") != MAGIC:
        raise NotASegment(
            f"object '{path}' of {size} bytes does not begin with 'ZIPC'; another program made it, use another name"
        )
    if len(head) < HEADER_BYTES:
        raise Truncated(f"segment '{path}' has only {size} bytes, less than its header; it was cut: make it anew")
    _, version_and_entries, count, following = HEADER.unpack(head)
    version, max_entries = version_and_entries & 0xFFFF, version_and_entries >> 16
    if version != VERSION:
        raise VersionMismatch(f"segment '{path}' has format version {version}, this library reads {VERSION}")
    if size >= BYTES_BELOW:
        raise TooLarge(f"segment '{path}' has {size} bytes; the format ends below 4 GiB")
    end = table_end(max_entries)
    if size < end or size < following:
        raise Truncated(
            f"segment '{path}' has {size} bytes, but its table ends at {end} and its structures at {following}; "
            "it was cut: make it anew"
        )
    if max_entries == 0 or count > max_entries or following < end:
        raise Corrupt(
            f"segment '{path}' says {count} of {max_entries} entries, next free byte {following}; "
            "it was overwritten: make it anew"
        )
    return int(max_entries)
