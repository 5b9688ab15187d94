"""What Queue and Stack have in common: items go in, items come out, at once, after a wait, or many at a time."""

from __future__ import annotations

from typing import Any, Callable, ClassVar, Optional, Protocol

import numpy as np
import numpy.typing as npt

from ._attachment import Attachment
from ._items import Codec
from ._structure import Handle, Kind, Place, Spec, claim, create, lookup
from ._waiting import Sleepers
from .memory import Memory


class Ring(Protocol):
    """An algorithm on raw bytes, as one handle sees it."""

    settled: bool

    def resettle(self) -> None: ...
    def try_push(self, data: bytes) -> bool: ...
    def try_pop(self) -> Any: ...
    def push_many(self, data: memoryview, count: int) -> int: ...
    def pop_many(self, out: bytearray, most: int) -> int: ...
    def was_size(self) -> int: ...


class Container(Handle):
    """A handle on a bounded container. Base of Queue and Stack, which say what the operations mean."""

    _kind: ClassVar[Kind]
    _ring_type: ClassVar[Callable[[Any, Place, int], "Ring"]]

    def _begin(
        self, memory: Memory, name: str, capacity: Optional[int], dtype: npt.DTypeLike, handle_slots: int, layout: str
    ) -> None:
        kind = self._kind
        self._noun = kind.noun
        self._codec = Codec(dtype, f"{kind.noun} '{name}'")
        if capacity is None:
            place = lookup(memory, kind, name, self._codec.size)
        else:
            place = create(memory, kind, name, Spec(capacity, handle_slots, kind.layout(layout), self._codec.size))
        state = memory._attachment()
        slot = claim(state, kind, place)
        super().__init__(state, place, slot)
        self._ring = type(self)._ring_type(state.mapping, place, slot)
        waits = place.geometry.spec.layout
        self._items_wait = Sleepers(state.mapping, place.offset + waits["items_wait"])
        self._space_wait = Sleepers(state.mapping, place.offset + waits["space_wait"])
        self._encode, self._decode = self._codec.encode, self._codec.decode

    @property
    def dtype(self) -> "np.dtype[Any]":
        return self._codec.dtype

    def try_push(self, item: Any) -> bool:
        """Puts an item in. Never waits. False: it was full. Lock-free."""
        data = self._encode(item)
        guard, ring = self._guard, self._ring
        if not guard.acquire(False):
            self._refuse()
        try:
            if not ring.settled:
                ring.resettle()
            if not ring.try_push(data):
                return False
            self._items_wait.wake()
            return True
        except BaseException:
            ring.settled = False
            raise
        finally:
            guard.release()

    def try_pop(self) -> Any:
        """Takes an item out. Never waits. None: it was empty. Lock-free."""
        guard, ring = self._guard, self._ring
        if not guard.acquire(False):
            self._refuse()
        try:
            if not ring.settled:
                ring.resettle()
            data = ring.try_pop()
            if data is None:
                return None
            item = self._decode(data)
            self._space_wait.wake()
            return item
        except BaseException:
            ring.settled = False
            raise
        finally:
            guard.release()

    def push(self, item: Any, timeout: Optional[float] = None) -> bool:
        """Puts an item in, waiting for space for up to `timeout` seconds (None: for ever). False: there was none."""
        return self._space_wait.wait(lambda: self.try_push(item), timeout)

    def pop(self, timeout: Optional[float] = None) -> Any:
        """Takes an item out, waiting for one for up to `timeout` seconds (None: for ever). None: there was none."""
        taken: Any = None

        def attempt() -> bool:
            nonlocal taken
            taken = self.try_pop()
            return taken is not None

        self._items_wait.wait(attempt, timeout)
        return taken

    def put_many(self, items: npt.ArrayLike) -> int:
        """Puts the items of a one-dimensional array in, in their order, as many as there is space for; returns how many.

        Each is an operation of its own, as if pushed alone: others' items may come to stand between them, and a kill costs at
        most the one in hand. Checks and wake-ups are shared by all. Fewer than given: it was full at one moment.
        """
        data, count = self._codec.encode_many(items)
        return self._exclusively(lambda ring: ring.push_many(data, count), self._items_wait)

    def get_many(self, most: int) -> "npt.NDArray[Any]":
        """Takes up to `most` items out, in their order, as an array of their own. Each is an operation of its own.

        Fewer than asked for: it was empty at one moment behind the last one.
        """
        out = bytearray()
        self._exclusively(lambda ring: ring.pop_many(out, most), self._space_wait)
        return self._codec.decode_many(out)

    def was_size(self) -> int:
        """Items in it at one moment during the call, 0 to capacity; of a queue an estimate from above while others pop."""
        return self._exclusively(lambda ring: ring.was_size(), None)

    def was_empty(self) -> bool:
        """Whether it held nothing at one moment during the call."""
        return self.was_size() == 0

    def _exclusively(self, action: Callable[[Ring], int], sleepers: Optional[Sleepers]) -> int:
        """Runs an operation on the ring, as the only user of this handle; wakes if it did something."""
        guard, ring = self._guard, self._ring
        if not guard.acquire(False):
            self._refuse()
        try:
            if not ring.settled:
                ring.resettle()
            done = 1  # perhaps, before an exception
            try:
                done = action(ring)
            finally:
                if sleepers is not None and done:
                    sleepers.wake()
            return done
        except BaseException:
            ring.settled = False
            raise
        finally:
            guard.release()
