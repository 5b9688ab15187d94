"""A private copy of a structure's bytes: of one moment, if two copies in a row are the same."""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass
from typing import Any

from .._structure import Place
from .segment import View

_TRIES = 20
_PAUSE = 500e-6  # seconds


@dataclass(frozen=True)
class Snapshot:
    """`mapping` is what the library's classes take for a mapped segment; the structure begins at 0."""

    mapping: Any
    place: Place
    is_of_one_moment: bool

    @property
    def bytes(self) -> memoryview:
        return memoryview(self.mapping).cast("B")


def private(data: bytes) -> Any:
    """A ctypes array of these bytes, filled up to whole words."""
    room = -(-len(data) // 8) * 8 + 64
    return (ctypes.c_char * room).from_buffer_copy(data + bytes(room - len(data)))


def take(view: View, place: Place, size: int) -> Snapshot:
    """Copies the first `size` bytes of a structure until twice the same comes out; busy users may prevent that."""
    view.refuse_cut()
    source = view.bytes[place.offset : place.offset + size]
    copy = bytes(source)
    same = source == copy
    for _ in range(_TRIES):
        if same:
            break
        time.sleep(_PAUSE)
        copy = bytes(source)
        same = source == copy
    return Snapshot(private(copy), Place(place.name, 0, place.geometry), same)
