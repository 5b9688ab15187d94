"""A bounded multi-producer multi-consumer LIFO stack in shared memory."""

from __future__ import annotations

from typing import Any, Callable, Optional

import numpy.typing as npt

from ._attachment import Attachment
from ._container import Container
from ._items import checked_dtype
from ._repair import repair, repair_stack
from ._structure import Kind, Place, lookup
from ._treiber import TreiberStack
from ._treiber_nodes import geometry
from .memory import Memory

__all__ = ["Stack"]


def _recover(state: Attachment, place: Place, slot: int, _is_dead: Callable[[int], bool]) -> bool:
    return TreiberStack(state.mapping, place, slot, settled=False).recover()


_KIND = Kind("stack", "treiber", geometry, _recover)


class Stack(Container):
    """A bounded LIFO stack between processes, of items of one NumPy dtype.

    A Stack object is a *handle*: one thread at a time uses it (`Misuse` otherwise). Each thread, and each process, opens its
    own. Every operation but the waiting ones is lock-free, full and empty are linearizable, and a process may be killed at any
    point: nobody waits for it, at most the item in its hands is lost, and the next handle opened finds every node again.
    """

    _kind = _KIND
    _ring_type = TreiberStack

    def __init__(
        self,
        memory: Memory,
        name: str,
        capacity: Optional[int] = None,
        *,
        dtype: npt.DTypeLike,
        handle_slots: int = 32,
        layout: str = "compact",
    ) -> None:
        """Opens the stack `name`; with a `capacity` (any number but 0) makes it first.

        n `handle_slots` cost 2 n items' space and 16 n (n + 4) bytes. Raises, opening: NotFound, WrongKind, WrongItemSize,
        Corrupt, NoHandleSlot; making: Exists, InvalidCapacity, InvalidArgument, InvalidName, SegmentFull, TableFull, TooLarge,
        Busy.
        """
        self._begin(memory, name, capacity, dtype, handle_slots, layout)

    def try_peek(self) -> Any:
        """Copies the item on top and leaves it there. None: the stack was empty. Lock-free."""
        found: Any = None

        def peek(ring: Any) -> int:
            nonlocal found
            found = ring.try_peek()
            return 0

        self._exclusively(peek, None)
        return None if found is None else self._decode(found)

    @classmethod
    def repair(cls, memory: Memory, name: str, *, dtype: npt.DTypeLike) -> int:
        """Puts in order what kills left and recovery had to leave undecided, exactly; returns how much had no owner.

        Only when nobody else is attached to the segment and this process has no handles in it (`Busy`). May be killed, and run
        again.
        """
        place = lookup(memory, _KIND, name, checked_dtype(dtype, f"stack '{name}'").itemsize)
        return repair(memory, _KIND, place, repair_stack)
