"""How a segment is opened or made (core/format/segment.md)."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import Any, Iterator, Optional, Tuple

from . import _attachment as attaching
from ._attachment import Attachment, Descriptor
from ._format import ATTACHED_BYTE, BYTES_BELOW, CREATION_BYTE, ENTRIES_MOST, HEADER, HEADER_BYTES, MAGIC
from ._format import UNFINISHED, VERSION, table_end
from ._object import State, check_header, checked_path, linked_size, state_of
from ._table import Table
from .errors import Exists, InvalidArgument, NoSpace, NotASegment, NotFound, TooLarge


@contextmanager
def creation_lock(fd: int, patience: float, what: str) -> Iterator[None]:
    attaching.lock(fd, CREATION_BYTE, True, patience, what)
    try:
        yield
    finally:
        attaching.unlock(fd, CREATION_BYTE)


def _check_request(path: str, size: int, max_entries: int) -> None:
    if not 1 <= max_entries <= ENTRIES_MOST:
        raise InvalidArgument(f"max_entries {max_entries} for segment '{path}': use 1 to {ENTRIES_MOST}")
    if size >= BYTES_BELOW:
        raise TooLarge(f"segment '{path}' of {size} bytes; the format ends below {BYTES_BELOW} (4 GiB)")
    if size < table_end(max_entries):
        raise InvalidArgument(
            f"segment '{path}' of {size} bytes cannot hold its table of {max_entries} entries; "
            f"give it at least {table_end(max_entries)}"
        )


def _open(path: str, flags: int, mode: int, what: str) -> Optional[Descriptor]:
    """None if there is no such object, or, with O_EXCL, if there is one."""
    try:
        return Descriptor(path, flags, mode)
    except (FileNotFoundError, FileExistsError):
        return None
    except OSError as error:
        raise attaching.system_error(error.errno, what) from None


def obtain(
    name: str, how: str, size: int, max_entries: int, mode: int, patience: float
) -> Tuple[Attachment, Table]:
    """Opens ("open"), makes ("create"), or opens or makes ("either") a segment."""
    path = checked_path(name)
    what = f"cannot {'create' if how == 'create' else 'open'} segment '{path}'"
    if how == "create":
        _check_request(path, size, max_entries)
    while True:
        descriptor = _open(path, os.O_RDWR, 0, what)
        if descriptor is None:
            if how == "open":
                raise NotFound(f"there is no segment '{path}'; create it first")
            _check_request(path, size, max_entries)
            descriptor = _open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode, what)
            if descriptor is None:
                continue  # made by somebody else just now
        try:
            if how == "open":
                found = _attach(descriptor, path, patience, what)
            else:
                found = _make(descriptor, path, how, size, max_entries, mode, patience, what)
        except BaseException:
            descriptor.close()
            raise
        if found is not None:
            return found
        descriptor.close()  # its name was removed between opening and locking: begin again


def _attach(descriptor: Descriptor, path: str, patience: float, what: str) -> Optional[Tuple[Attachment, Table]]:
    fd = descriptor.fd
    attaching.lock(fd, ATTACHED_BYTE, False, patience, what)
    size = linked_size(fd)
    if size is None:
        return None
    if state_of(fd, size) is not State.FINISHED:
        # A maker is at work, or died at it; or another program's object. Size and header are read in two steps, so only
        # under the creation lock do they belong together.
        with creation_lock(fd, patience, what):
            size = linked_size(fd)
            if size is None:
                return None
            if state_of(fd, size) is State.UNFINISHED:
                raise NotFound(f"segment '{path}' was never finished by its creator; create it anew")
    size = linked_size(fd)  # it may have been finished after its size was read; from then on it keeps its size
    if size is None:
        return None
    max_entries = check_header(fd, size, path)
    return _mapped(descriptor, attaching.map_object(descriptor, size, what), path, max_entries)


def _mapped(descriptor: Descriptor, mapping: Any, path: str, max_entries: int) -> Tuple[Attachment, Table]:
    table = Table(mapping, max_entries)
    table.acquire()
    return Attachment(descriptor, mapping, path), table


def _make(
    descriptor: Descriptor, path: str, how: str, size: int, max_entries: int, mode: int, patience: float, what: str
) -> Optional[Tuple[Attachment, Table]]:
    fd = descriptor.fd
    with creation_lock(fd, patience, what):
        found = linked_size(fd)
        if found is None:
            return None
        state = state_of(fd, found)
        if state is State.FOREIGN:
            raise NotASegment(
                f"object '{path}' of {found} bytes exists and was not made by ZeroIPC; use another name"
            )
        if state is State.UNFINISHED:
            _check_request(path, size, max_entries)
            # Ours to make: fresh, or left by a maker that died. Every other process waits for the lock.
            try:
                return _finish(descriptor, path, size, max_entries, mode, patience, what)
            except BaseException:
                if linked_size(fd) is not None:  # ours only: somebody may have made another one of that name
                    os.unlink("/dev/shm" + path)
                raise
        if how == "create":
            raise Exists(f"segment '{path}' exists; open it, or unlink it first")
    return _attach(descriptor, path, patience, what)


def _finish(
    descriptor: Descriptor, path: str, size: int, max_entries: int, mode: int, patience: float, what: str
) -> Tuple[Attachment, Table]:
    """Fills a fresh object, under the creation lock."""
    fd = descriptor.fd
    attaching.lock(fd, ATTACHED_BYTE, False, patience, what)
    try:
        os.ftruncate(fd, 0)  # whatever a dead maker left
        os.fchmod(fd, mode)
        room = os.fstatvfs(fd)
        if room.f_blocks != 0 and size > room.f_bavail * room.f_frsize:
            raise NoSpace(
                f"segment '{path}' needs {size} bytes, and shared memory has {room.f_bavail * room.f_frsize} free; "
                "remove old segments, or make it larger"
            )
        attaching.reserve(fd, size, what)
        # Its size comes by way of a header that says "unfinished": so it is unfinished at each point.
        os.ftruncate(fd, HEADER_BYTES)
        os.pwrite(fd, UNFINISHED.to_bytes(4, "little"), 0)
        os.ftruncate(fd, size)
    except OSError as error:
        raise attaching.system_error(error.errno, what) from None
    mapping = attaching.map_object(descriptor, size, what)
    table = Table(mapping, max_entries)
    head = HEADER.pack(UNFINISHED, VERSION | max_entries << 16, 0, table_end(max_entries))
    table.bytes[4:8] = head[4:8]
    table.publish(0, table_end(max_entries))
    table.finish(MAGIC)
    return Attachment(descriptor, mapping, path), table
