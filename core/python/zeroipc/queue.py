"""A bounded multi-producer multi-consumer FIFO queue in shared memory."""

from __future__ import annotations

from typing import Callable, Optional

import numpy.typing as npt

from ._atomics import Words
from ._attachment import Attachment
from ._container import Container
from ._exchange import ExchangeRing
from ._exchange_bytes import Shape, geometry, recover
from ._items import checked_dtype
from ._repair import repair, repair_queue
from ._structure import Kind, Place, lookup
from .memory import Memory

__all__ = ["Queue"]


def _recover(state: Attachment, place: Place, slot: int, _is_dead: Callable[[int], bool]) -> bool:
    return recover(Words(state.mapping), Shape(place), slot)


_KIND = Kind("queue", "exchange", geometry, _recover, power_of_two=True)


class Queue(Container):
    """A bounded FIFO queue between processes, of items of one NumPy dtype.

    A Queue object is a *handle*: one thread at a time uses it (`Misuse` otherwise). Each thread, and each process, opens its
    own. Handles of dead processes are taken over by later ones. `try_push` and `try_pop` are lock-free, full and empty are
    linearizable, and a process may be killed at any point: nobody waits for it, and at most the item in its hands is lost.
    """

    _kind = _KIND
    _ring_type = ExchangeRing

    def __init__(
        self,
        memory: Memory,
        name: str,
        capacity: Optional[int] = None,
        *,
        dtype: npt.DTypeLike,
        handle_slots: int = 64,
        layout: str = "compact",
    ) -> None:
        """Opens the queue `name`; with a `capacity` (a power of two) makes it first.

        Each of the `handle_slots`, Queue objects in all processes together that may be open at once, costs two items' space.
        Raises, opening: NotFound, WrongKind, WrongItemSize, Corrupt, NoHandleSlot; making: Exists, InvalidCapacity,
        InvalidArgument, InvalidName, SegmentFull, TableFull, TooLarge, Busy.
        """
        self._begin(memory, name, capacity, dtype, handle_slots, layout)

    @classmethod
    def repair(cls, memory: Memory, name: str, *, dtype: npt.DTypeLike) -> int:
        """Puts in order what kills left and recovery had to leave undecided, exactly; returns how much had no owner.

        Only when nobody else is attached to the segment and this process has no handles in it (`Busy`). May be killed, and run
        again.
        """
        place = lookup(memory, _KIND, name, checked_dtype(dtype, f"queue '{name}'").itemsize)
        return repair(memory, _KIND, place, repair_queue)
