"""One mapping of one segment: descriptor, memory, the locks held through it, and what a fork does to it.

Locks are Linux open-file-description locks: the kernel drops them when the last descriptor, and the last mapping, of that
open file is gone, thus at the latest when its process ends, however it ends.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
import threading
import time
import weakref
from typing import Any, Iterator, NoReturn, Optional, Set, Type
from contextlib import contextmanager

from ._format import ATTACHED_BYTE
from .errors import Busy, Exists, Forked, NoPermission, NoSpace, NotFound, SystemFailure, ZeroIPCError

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
_PROT_READ, _PROT_READ_WRITE, _MAP_SHARED, _MAP_FAILED, _MADV_DONTFORK = 1, 3, 1, ctypes.c_void_p(-1).value, 10
_KEEP_SIZE = 1
_PART_OF_PAGES = 4 << 20  # a signal undoes what it interrupts, so space is reserved in parts

_FLOCK = struct.Struct("hhqqi4x")  # struct flock of 64-bit Linux

_CAUSES = {
    errno.EACCES: NoPermission,
    errno.EPERM: NoPermission,
    errno.EROFS: NoPermission,
    errno.ENOENT: NotFound,
    errno.EEXIST: Exists,
    errno.ENOSPC: NoSpace,
}


def system_error(number: Optional[int], what: str) -> ZeroIPCError:
    """An error of the operating system as one of our causes."""
    cause: Type[ZeroIPCError] = _CAUSES.get(number or 0, SystemFailure)
    return cause(f"{what}: {os.strerror(number or 0)}")


class _ForkRegistry:
    """What a forked child must let go of: a copy of a descriptor would keep its parent's locks alive."""

    def __init__(self) -> None:
        # Re-entrant, because a garbage collection may close a segment at any point, also under this lock.
        self.lock = threading.RLock()
        self.descriptors: Set[int] = set()
        self.attachments: "weakref.WeakSet[Attachment]" = weakref.WeakSet()
        self.generation = 0
        os.register_at_fork(before=self.lock.acquire, after_in_parent=self.lock.release, after_in_child=self._in_child)

    def _in_child(self) -> None:
        self.generation += 1
        for fd in self.descriptors:
            os.close(fd)
        self.descriptors.clear()
        for attachment in self.attachments:
            attachment.lose()
        self.lock.release()


registry = _ForkRegistry()


class Descriptor:
    """Owns the descriptor of an object, which a forked child closes at once."""

    def __init__(self, path: str, flags: int, mode: int) -> None:
        with registry.lock:  # so that no fork falls between opening and registering
            fd = os.open("/dev/shm" + path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
            registry.descriptors.add(fd)
            self.fd = fd
            self._close = weakref.finalize(self, _close_descriptor, fd, registry.generation)
        self._close.atexit = False  # the kernel does it

    def close(self) -> None:
        self._close()

    def __enter__(self) -> "Descriptor":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _close_descriptor(fd: int, generation: int) -> None:
    with registry.lock:
        # In a child, the fork closed it, and the number may be another file's by now.
        if generation == registry.generation:
            registry.descriptors.discard(fd)
            os.close(fd)


def map_object(descriptor: Descriptor, size: int, what: str, writable: bool = True) -> Any:
    """Maps an object for this process alone. Returns the bytes as a ctypes array, which views keep alive.

    Not by the module `mmap`: it would duplicate the descriptor out of our sight, and a forked child would keep the
    duplicate, and with it the locks.
    """
    with registry.lock:  # so that no fork falls in between
        protection = _PROT_READ_WRITE if writable else _PROT_READ
        address = _libc.mmap(None, size, protection, _MAP_SHARED, descriptor.fd, 0)
        if address is None or address == _MAP_FAILED:
            raise system_error(ctypes.get_errno(), f"{what}: cannot map {size} bytes")
        _libc.madvise(address, size, _MADV_DONTFORK)
        mapping = (ctypes.c_char * size).from_address(address)
        # The descriptor stays as long as somebody can reach the memory: who can is attached.
        finalizer = weakref.finalize(mapping, _unmap, address, size, registry.generation, descriptor)
    finalizer.atexit = False  # threads may be at work until the end
    return mapping


def _unmap(address: int, size: int, generation: int, descriptor: Descriptor) -> None:
    # In a forked child the range is not mapped, and may belong to somebody else.
    if generation == registry.generation:
        _libc.munmap(address, size)
    descriptor.close()


def reserve(fd: int, size: int, what: str) -> None:
    """Allocates all pages, beyond the object's end and without changing its size."""
    for start in range(0, size, _PART_OF_PAGES):
        while _libc.fallocate(fd, _KEEP_SIZE, start, min(_PART_OF_PAGES, size - start)) != 0:
            number = ctypes.get_errno()
            if number != errno.EINTR:
                raise system_error(number, f"{what}: cannot reserve {size} bytes of shared memory")


def is_locked(fd: int, byte: int) -> bool:
    """Whether another open file holds a lock on the byte. Takes none itself, so the descriptor may be for reading only."""
    try:
        answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0))
    except OSError as error:
        raise system_error(error.errno, f"cannot ask for the lock on byte {byte} of the segment") from None
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)


def _set_lock(fd: int, byte: int, kind: int) -> bool:
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(kind, os.SEEK_SET, byte, 1, 0))
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise system_error(error.errno, f"cannot lock byte {byte} of the segment") from None
    return True


def try_lock(fd: int, byte: int, exclusive: bool) -> bool:
    """Takes the lock on one byte without waiting. False: another open file holds a conflicting one."""
    return _set_lock(fd, byte, fcntl.F_WRLCK if exclusive else fcntl.F_RDLCK)


def unlock(fd: int, byte: int) -> None:
    """Drops the lock on one byte."""
    _set_lock(fd, byte, fcntl.F_UNLCK)


def lock(fd: int, byte: int, exclusive: bool, patience: float, what: str) -> None:
    """As try_lock, trying for `patience` seconds. A holder that dies lets go at once; one that is stopped does not."""
    end = time.monotonic() + patience
    nap = 20e-6
    while not try_lock(fd, byte, exclusive):
        if time.monotonic() >= end:
            raise Busy(
                f"{what}: another process holds the lock since {patience} s; "
                "look for a stopped process that uses the segment (fuser), end it, try again"
            )
        time.sleep(nap)
        nap = min(2 * nap, 2e-3)


class Attachment:
    """What keeps mapping and locks alive; Memory and every handle hold it, so a handle may outlive its Memory."""

    def __init__(self, descriptor: Descriptor, mapping: Any, name: str) -> None:
        self.descriptor = descriptor
        self.mapping = mapping
        self.size: int = len(mapping)
        self.name = name
        self.forked = False
        self.mutex = threading.RLock()  # what the kernel's locks cannot arbitrate: threads on one open file
        self.handles: "weakref.WeakSet[Any]" = weakref.WeakSet()
        self._held: Set[int] = set()
        self._alone = False
        with registry.lock:
            registry.attachments.add(self)

    def lose(self) -> None:
        """In a forked child: memory and locks are the parent's alone."""
        self.forked = True
        for handle in self.handles:
            handle.lose()

    def refuse_forked(self) -> None:
        if self.forked:
            self.raise_forked()

    def raise_forked(self) -> NoReturn:
        raise Forked(
            f"segment '{self.name}' was opened before fork(), and its handles belong to the parent; "
            "open the segment and its structures anew in the child"
        )

    def try_hold(self, byte: int) -> bool:
        """Takes the exclusive lock of a handle slot. False: a living handle has it, in whatever process."""
        self.refuse_forked()
        with self.mutex:
            if self._alone:
                raise Busy(f"segment '{self.name}' is being repaired by another thread; open handles afterwards")
            if byte in self._held or not try_lock(self.descriptor.fd, byte, True):
                return False
            self._held.add(byte)
            return True

    def let_go(self, byte: int) -> None:
        if self.forked:
            return
        with self.mutex:
            self._held.discard(byte)
            unlock(self.descriptor.fd, byte)

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Makes this attachment the only one, if it is: yields whether. Who opens the segment meanwhile waits."""
        self.refuse_forked()
        with self.mutex:
            is_alone = not self._alone and not self._held and try_lock(self.descriptor.fd, ATTACHED_BYTE, True)
            self._alone = self._alone or is_alone
        try:
            yield is_alone
        finally:
            if is_alone:
                with self.mutex:
                    self._alone = False
                    try_lock(self.descriptor.fd, ATTACHED_BYTE, False)
