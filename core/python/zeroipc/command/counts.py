"""How much is in a structure, and how much went through it, from the words that say so: read where they stand, with nothing
written."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

import numpy as np
import numpy.typing as npt

from .._atomics import Words
from .._bucket_blocks import SLOTS
from .._exchange import ExchangeRing
from .._exchange_bytes import signed
from .._format import LAYOUT, MASK64
from .._structure import Place
from .._treiber import TreiberStack
from ..errors import InvalidArgument
from .describe import Structure
from .geometries import ARRAYS, COUNTED, LINKED


def indices(mapping: Any, place: Place) -> Tuple[int, int]:
    """Head and tail, as they stand. Of what is put in meanwhile nothing is counted as taken out only."""
    words, layout = Words(mapping), place.geometry.spec.layout
    head = words.load(place.offset + layout["head"])
    return head, words.load(place.offset + layout["tail"])


def _top(mapping: Any, place: Place) -> int:
    return Words(mapping).load(place.offset + int(place.geometry.spec.layout["top"]))


def _column(mapping: Any, place: Place, first: int, stride: int, count: int) -> "npt.NDArray[np.uint64]":
    """A copy of one word of each record."""
    at = place.offset + first
    row: "npt.NDArray[np.uint64]" = np.ndarray((count,), np.dtype("<u8"), memoryview(mapping).cast("B"), at, (stride,))
    return row.astype(np.uint64)


def headers(mapping: Any, place: Place) -> "npt.NDArray[np.uint64]":
    """A copy of the headers of a map of buckets."""
    g = place.geometry
    return _column(mapping, place, g.parts["buckets"], g.cell_stride, g.parts["bucket_count"])


def _bits(words: "npt.NDArray[np.uint64]", width: int) -> int:
    one = np.uint64(1)
    return sum(int((words >> np.uint64(i) & one).sum()) for i in range(width))


def size(mapping: Any, structure: Structure) -> Optional[int]:
    """Items in it; None if that cannot be told. Of one in use, at some moment, or an estimate. Raises Corrupt."""
    if structure.kind == "array":
        return structure.capacity
    place, algorithm = structure.place, structure.algorithm
    if place is None:
        return None
    if structure.kind == "queue" and algorithm == "exchange":
        return ExchangeRing(mapping, place, 0).was_size()
    if structure.kind == "queue" and algorithm in COUNTED:
        head, tail = indices(mapping, place)
        return min(max(signed(tail - head), 0), place.geometry.spec.capacity)
    if structure.kind == "stack" and algorithm in LINKED:
        return TreiberStack(mapping, place, 0, settled=False).was_size()
    if structure.kind == "stack" and algorithm in ARRAYS:
        return min(_top(mapping, place), place.geometry.spec.capacity)
    if structure.kind == "map" and algorithm == "buckets":
        now = headers(mapping, place)
        return _bits(now & now >> np.uint64(SLOTS), SLOTS)
    if structure.kind == "map" and algorithm == "open":
        spec = place.geometry.spec
        homes = _column(mapping, place, place.geometry.parts["groups"], place.geometry.cell_stride, spec.capacity)
        return _bits(homes, LAYOUT["map"]["open"]["cells_of_home"])
    return None


class Counters:
    """What went through a structure since the last look. Raises InvalidArgument where nothing counts that."""

    def __init__(self, mapping: Any, structure: Structure) -> None:
        self._mapping, self._structure = mapping, structure
        kind, algorithm = structure.kind, structure.algorithm
        self._place = structure.usable() if kind not in ("array", "unknown") else None
        look = {
            ("queue", "exchange"): self._exchange, ("map", "buckets"): self._map,
            **{("queue", name): self._indices for name in COUNTED},
            **{("stack", name): self._stack for name in LINKED},
        }.get((kind, algorithm or ""))  # fmt: skip
        if look is None or self._place is None:
            raise InvalidArgument(
                f"structure '{structure.name}' ({kind}{f', {algorithm}' if algorithm else ''}) has no counters in its bytes: "
                "follow works on queues, on linked stacks, and on maps of buckets"
            )
        self._look = look
        self._last: Any = None

    def rates(self, seconds: float) -> Optional[Dict[str, float]]:
        """Each per second, since the last call, which was so long ago. None: the first look."""
        last = self._last
        changes, self._last = self._look(last)
        return None if last is None else {name: change / seconds for name, change in changes.items()}

    def _exchange(self, last: Any) -> Tuple[Dict[str, int], Any]:
        assert self._place is not None
        ring = ExchangeRing(self._mapping, self._place, 0)
        pops = ring._first_not_done(ring._in)
        return self._queue(last, pops, ring._first_not_done(ring._out))

    def _indices(self, last: Any) -> Tuple[Dict[str, int], Any]:
        assert self._place is not None
        return self._queue(last, *indices(self._mapping, self._place))

    @staticmethod
    def _queue(last: Any, pops: int, pushes: int) -> Tuple[Dict[str, int], Any]:
        before = last or (pops, pushes)
        return {"pushes": signed(pushes - before[1]), "pops": signed(pops - before[0])}, (pops, pushes)

    def _stack(self, last: Any) -> Tuple[Dict[str, int], Any]:
        """Each push and each pop adds one to the tag; what they differ by is in the depth."""
        assert self._place is not None
        stack = TreiberStack(self._mapping, self._place, 0, settled=False)
        now = depth = 0
        for _ in range(1000):
            now = stack.words.load(stack.top)
            depth = min(stack.depth(now & stack.first_mask), stack.capacity)
            if stack.words.load(stack.top) == now:
                break
        tag = now >> stack.tag_shift
        tags, depths = last or (tag, depth)
        both, more = tag - tags & MASK64 >> stack.tag_shift, depth - depths
        return {"pushes": (both + more) // 2, "pops": (both - more) // 2}, (tag, depth)

    def _map(self, last: Any) -> Tuple[Dict[str, int], Any]:
        """Versions count the times that a slot became free: erased, replaced or given up."""
        assert self._place is not None
        now = headers(self._mapping, self._place)
        keys = _bits(now & now >> np.uint64(SLOTS), SLOTS)
        versions = now >> np.uint64(2 * SLOTS)
        before, keys_before = last or (versions, keys)
        freed = int((versions - before & np.uint64(MASK64 >> 2 * SLOTS)).sum())
        return {"slots_freed": freed, "keys_more": keys - keys_before}, (versions, keys)
