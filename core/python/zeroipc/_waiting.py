"""Sleeping and waking by a futex word: bit 0 says that somebody may sleep on it, the rest counts wake-ups."""

from __future__ import annotations

import ctypes
import time
from typing import Any, Callable, Optional

from ._atomics import LONGEST_SLEEP, Words, futex_wait, futex_wake, load_4
from ._format import FUTEX

_SLEEPING = (1 << FUTEX["sleeping_bits"]) - 1
_STEP: int = FUTEX["wake_step"]
_TRIES = 5  # before the first sleep


class Sleepers:
    """One futex word. Like the handle that owns it, for one thread at a time; `wait` may be called by several."""

    def __init__(self, mapping: Any, offset: int) -> None:
        self._mapping = mapping
        self._words = Words(mapping)
        self._offset = offset
        self._address = self._words.base + offset
        self._at = ctypes.c_void_p(self._address)

    def wake(self) -> None:
        """For who has just committed. Without a sleeper it is one load (W3)."""
        if not load_4(self._at, 5) & _SLEEPING:
            return
        words, at = self._words, self._offset
        seen = words.load_half(at)
        # Bounded, so that no hostile peer holds us here; whoever sleeps looks again by himself.
        for _ in range(1000):
            if not seen & _SLEEPING:
                return
            if words.cas_half(at, seen, (seen + _STEP) & 0xFFFFFFFF & ~_SLEEPING):  # (W4)
                futex_wake(self._address)
                return
            seen = words.found

    def wait(self, attempt: Callable[[], bool], timeout: Optional[float]) -> bool:
        """Tries until an attempt succeeds or `timeout` seconds are over (None: for ever). Returns whether one did."""
        if attempt():
            return True
        end = None if timeout is None else time.monotonic() + timeout
        for _ in range(_TRIES):
            if attempt():
                return True
        words = Words(self._mapping)
        while True:
            seen = words.or_half(self._offset, _SLEEPING) | _SLEEPING  # (W1)
            if attempt():
                return True
            left = LONGEST_SLEEP if end is None else end - time.monotonic()
            if left <= 0:
                return False
            futex_wait(self._address, seen, left)  # (W2)
