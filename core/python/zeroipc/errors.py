"""What can go wrong: one class for each cause of the format. Full, empty and time-out are results, never errors."""

from __future__ import annotations

from typing import ClassVar, Dict, Type


class ZeroIPCError(Exception):
    """Base of all errors of this package. The message says cause, value and remedy."""

    cause: ClassVar[str] = ""  #: the format's name of the cause


class InvalidName(ZeroIPCError, ValueError):
    """A segment's or structure's name that the system or the table cannot hold."""

    cause = "invalid_name"


class InvalidArgument(ZeroIPCError, ValueError):
    """An option outside its range, or a type or item that shared memory cannot hold."""

    cause = "invalid_argument"


class InvalidCapacity(ZeroIPCError, ValueError):
    """0, or not a power of two where one is needed."""

    cause = "invalid_capacity"


class TooLarge(ZeroIPCError, ValueError):
    """A segment or structure of 4 GiB or more."""

    cause = "too_large"


class NotFound(ZeroIPCError, LookupError):
    """No segment, or no structure, of that name."""

    cause = "not_found"


class Exists(ZeroIPCError):
    """There is one of that name already."""

    cause = "exists"


class NoPermission(ZeroIPCError):
    """The system refused access."""

    cause = "no_permission"


class NoSpace(ZeroIPCError):
    """The file system behind shared memory has too little room."""

    cause = "no_space"


class SegmentFull(ZeroIPCError):
    """Too few free bytes in the segment."""

    cause = "segment_full"


class TableFull(ZeroIPCError):
    """Every table entry of the segment is used."""

    cause = "table_full"


class NotASegment(ZeroIPCError):
    """The object exists, but ZeroIPC did not make it."""

    cause = "not_a_segment"


class VersionMismatch(ZeroIPCError):
    """Made by an incompatible version of the format."""

    cause = "version_mismatch"


class Truncated(ZeroIPCError):
    """The object is shorter than its header says."""

    cause = "truncated"


class Corrupt(ZeroIPCError):
    """Shared bytes that no honest peer writes."""

    cause = "corrupt"


class WrongKind(ZeroIPCError):
    """Another kind of structure, algorithm or layout than asked for."""

    cause = "wrong_kind"


class WrongItemSize(ZeroIPCError):
    """Items of another size than asked for."""

    cause = "wrong_item_size"


class NoHandleSlot(ZeroIPCError):
    """Every handle slot is in use by a living handle, or parked."""

    cause = "no_handle_slot"


class Busy(ZeroIPCError):
    """Another process kept a lock longer than the limit."""

    cause = "busy"


class Forked(ZeroIPCError):
    """Used in a child process after fork(); open it anew there."""

    cause = "forked"


class SystemFailure(ZeroIPCError):
    """An unexpected answer of the operating system."""

    cause = "system"


class OutOfRange(ZeroIPCError, IndexError):
    """An index that is not below the capacity."""

    cause = "out_of_range"


class Misuse(ZeroIPCError):
    """Calls in an order that makes no sense: after close(), or by two threads at once."""

    cause = "misuse"


#: The class of each cause, by the format's name of it.
CLASSES: Dict[str, Type[ZeroIPCError]] = {c.cause: c for c in ZeroIPCError.__subclasses__()}
