"""Atomic access to shared words, by libatomic's functions through ctypes; and futexes.

Every access is sequentially consistent, which the format allows everywhere and which makes its fences needless: what a call
costs is the call. The functions are called with the interpreter's lock held (PyDLL): they never wait.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import platform
from typing import Any

from ._format import FUTEX


def _load_libatomic() -> Any:
    for name in ("libatomic.so.1", ctypes.util.find_library("atomic")):
        if name is None:
            continue
        try:
            library = ctypes.PyDLL(name)
            is_lock_free = library["__atomic_is_lock_free"]
        except (OSError, AttributeError):
            continue
        is_lock_free.argtypes = [ctypes.c_size_t, ctypes.c_void_p]
        is_lock_free.restype = ctypes.c_bool
        if not (is_lock_free(8, None) and is_lock_free(4, None)):
            raise ImportError("zeroipc: this processor has no lock-free atomic access to 8 and 4 bytes")
        return library
    raise ImportError(
        "zeroipc needs libatomic, the compiler's library of atomic operations, and did not find it; "
        "install it (Debian: apt-get install libatomic1)"
    )


_library = _load_libatomic()


def function(name: str, size: int, restype: Any) -> Any:
    """libatomic's `__atomic_NAME_SIZE`. Its arguments are passed as ctypes objects, which saves their conversion."""
    found = _library[f"__atomic_{name}_{size}"]
    found.restype = restype
    return found


SEQ_CST = 5  # as the compiler's __ATOMIC_SEQ_CST

load_8 = function("load", 8, ctypes.c_uint64)
store_8 = function("store", 8, None)
cas_8 = function("compare_exchange", 8, ctypes.c_bool)
load_4 = function("load", 4, ctypes.c_uint32)
store_4 = function("store", 4, None)
cas_4 = function("compare_exchange", 4, ctypes.c_bool)
fetch_or_4 = function("fetch_or", 4, ctypes.c_uint32)


class Words:
    """The shared words of one mapping, for one thread at a time. Offsets are bytes from the segment's start."""

    __slots__ = ("base", "found", "_keep", "_at", "_expected", "_expected_at", "_expected4", "_expected4_at", "_word", "_half")

    def __init__(self, mapping: Any) -> None:
        self.base: int = ctypes.addressof(mapping)
        self.found = 0  #: what a failed compare-and-swap found
        self._keep = mapping
        self._at = ctypes.c_void_p()
        self._expected = ctypes.c_uint64()
        self._expected_at = ctypes.byref(self._expected)
        self._expected4 = ctypes.c_uint32()
        self._expected4_at = ctypes.byref(self._expected4)
        self._word = ctypes.c_uint64()
        self._half = ctypes.c_uint32()

    def load(self, offset: int) -> int:
        at = self._at
        at.value = self.base + offset
        return load_8(at, 5)  # type: ignore[no-any-return]

    def store(self, offset: int, value: int) -> None:
        at, word = self._at, self._word
        at.value = self.base + offset
        word.value = value
        store_8(at, word, 5)

    def cas(self, offset: int, expected: int, desired: int) -> bool:
        """Replaces `expected` by `desired`. Returns whether it did; if not, `found` is what stands there instead."""
        at, word, seen = self._at, self._word, self._expected
        at.value = self.base + offset
        word.value = desired
        seen.value = expected
        if cas_8(at, self._expected_at, word, 5, 5):
            return True
        self.found = seen.value
        return False

    def load_half(self, offset: int) -> int:
        at = self._at
        at.value = self.base + offset
        return load_4(at, 5)  # type: ignore[no-any-return]

    def store_half(self, offset: int, value: int) -> None:
        at, half = self._at, self._half
        at.value = self.base + offset
        half.value = value
        store_4(at, half, 5)

    def cas_half(self, offset: int, expected: int, desired: int) -> bool:
        """As `cas`, on 4 bytes."""
        at, half, seen = self._at, self._half, self._expected4
        at.value = self.base + offset
        half.value = desired
        seen.value = expected
        if cas_4(at, self._expected4_at, half, 5, 5):
            return True
        self.found = seen.value
        return False

    def or_half(self, offset: int, bits: int) -> int:
        """Sets bits. Returns what stood there before."""
        at, half = self._at, self._half
        at.value = self.base + offset
        half.value = bits
        return fetch_or_4(at, half, 5)  # type: ignore[no-any-return]

    def read(self, offset: int, size: int) -> bytes:
        """Bytes that somebody may be writing, word by word: whoever reads them so looks afterwards whether that was so."""
        words = [self.load(at).to_bytes(8, "little") for at in range(offset, offset + size, 8)]
        return b"".join(words)[:size]

    def write(self, offset: int, data: bytes) -> None:
        """Bytes that somebody may be reading, word by word; the last word is filled up with zeros."""
        for at in range(0, len(data), 8):
            self.store(offset + at, int.from_bytes(data[at : at + 8], "little"))


class _Timespec(ctypes.Structure):
    _fields_ = [("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long)]


_NUMBERS = {"x86_64": 202, "aarch64": 98}
if platform.machine() not in _NUMBERS:
    raise ImportError(f"zeroipc: no number of the futex system call is known for {platform.machine()}")
_SYS_FUTEX = _NUMBERS[platform.machine()]
_FUTEX_WAIT, _FUTEX_WAKE, _EVERYBODY = 0, 1, 2**31 - 1
# Without the interpreter's lock: this one waits.
_syscall = ctypes.CDLL(None).syscall
_syscall.restype = ctypes.c_long

LONGEST_SLEEP: float = FUTEX["longest_sleep_ms"] / 1000  #: seconds


def futex_wait(address: int, seen: int, seconds: float) -> None:
    """Sleeps until the half word is woken, is not `seen`, or the time is over. May wake for no reason."""
    limit = min(seconds, LONGEST_SLEEP)
    time = _Timespec(int(limit), int((limit - int(limit)) * 1e9))
    # Not FUTEX_PRIVATE: the sleepers are in other processes.
    _syscall(
        ctypes.c_long(_SYS_FUTEX), ctypes.c_void_p(address), ctypes.c_int(_FUTEX_WAIT), ctypes.c_uint32(seen),
        ctypes.byref(time), None, ctypes.c_int(0),
    )  # fmt: skip


def futex_wake(address: int) -> None:
    """Wakes every sleeper on the half word."""
    _syscall(
        ctypes.c_long(_SYS_FUTEX), ctypes.c_void_p(address), ctypes.c_int(_FUTEX_WAKE), ctypes.c_int(_EVERYBODY),
        None, None, ctypes.c_int(0),
    )  # fmt: skip
