"""A private copy of a structure's bytes: of one moment, if two copies in a row are the same."""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass
from typing import Any

from .._structure import Place
from .segment import View

TRIES = 20  # looks at what does not stand still
PAUSE = 500e-6  # seconds between them


@dataclass(frozen=True)
class Snapshot:
    """`mapping` is what the library's classes take for a mapped segment; the structure begins at 0."""

    mapping: Any
    place: Place
    is_of_one_moment: bool

    @property
    def bytes(self) -> memoryview:
        return memoryview(self.mapping).cast("B")


def take(view: View, place: Place, size: int) -> Snapshot:
    """Copies the first `size` bytes of a structure until twice the same comes out; busy users may prevent that."""
    view.refuse_cut()
    source = view.bytes[place.offset : place.offset + size]
    mapping = (ctypes.c_char * (-(-size // 8) * 8 + 64))()  # whole words
    copy = memoryview(mapping).cast("B")[:size]
    copy[:] = source
    same = source == copy
    for _ in range(TRIES):
        if same:
            break
        time.sleep(PAUSE)
        copy[:] = source
        same = source == copy
    return Snapshot(mapping, Place(place.name, 0, place.geometry), same)
