"""Where the parts of every registered algorithm's structures lie: core/format, section by section.

The library speaks the first algorithm of each kind; of the others, which are for comparison, this command knows the geometry and
the items' places. The mutexes of glibc take one line each (40 bytes on x86-64, 48 on aarch64; lines are 64 or 128).
"""

from __future__ import annotations

from typing import Any, Callable, Dict

from .._bucket_blocks import geometry as buckets
from .._exchange_bytes import geometry as exchange
from .._format import LAYOUT, align
from .._structure import Geometry, Spec
from .._treiber_nodes import geometry as treiber

QUEUE, STACK, MAP = LAYOUT["queue"], LAYOUT["stack"], LAYOUT["map"]


def _power_of_two(least: int) -> int:
    return 1 << max(least - 1, 0).bit_length()


def _row(spec: Spec, begins: int, prefix: int = 0) -> Geometry:
    """Items in a row, each behind `prefix` bytes of its own."""
    stride = prefix + align(spec.item_size, 8)
    parts = {"items": begins + prefix}
    return Geometry(spec, stride, 0, 0, begins + stride * spec.capacity, parts)


def _behind_locks(locks: int) -> Callable[[Spec], Geometry]:
    return lambda spec: _row(spec, spec.layout["body"] + spec.layout["line"] * locks)


def _ticket(spec: Spec) -> Geometry:
    return _row(spec, spec.layout["body"], QUEUE["ticket"]["sequence_bytes"])


def _faa(spec: Spec) -> Geometry:
    return _row(spec, spec.layout["body"] + spec.layout["line"] * QUEUE["faa"]["lines"], QUEUE["faa"]["turn_bytes"])


def _scq(spec: Spec) -> Geometry:
    line, scq = spec.layout["line"], QUEUE["scq"]
    count = _power_of_two(max(spec.capacity, spec.handle_slots))
    slots = spec.layout["body"] + line * scq["lines"]
    entries = slots + line * spec.handle_slots
    items = align(entries + 4 * scq["entry_bytes"] * count, scq["items_alignment"])
    stride = align(spec.item_size, scq["item_alignment"])
    return Geometry(spec, stride, scq["entry_bytes"], slots, items + stride * spec.capacity, {"places": items})


def _elimination(spec: Spec) -> Geometry:
    g, line, limits = treiber(spec), spec.layout["line"], STACK["elimination"]
    fitting = (_power_of_two(spec.handle_slots // limits["handles_a_place"] + 1) + 1) // 2
    places = min(max(fitting, limits["places_least"]), limits["places_most"])
    return Geometry(spec, g.item_stride, 0, g.slots, align(g.total, line) + line * (spec.handle_slots + places), g.parts)


def _flat_combining(spec: Spec) -> Geometry:
    line = spec.layout["line"]
    slots = spec.layout["body"] + line * STACK["flat_combining"]["lines"]
    stride = align(spec.item_size, 8)
    record = align(STACK["flat_combining"]["record"]["item"]["offset"] + stride, line)
    items = slots + (line + record) * spec.handle_slots
    return Geometry(spec, stride, 0, slots, items + stride * spec.capacity, {"items": items})


def _node(spec: Spec) -> int:
    """Bytes of a map's cell or node: a word, the key's words, the value."""
    return 8 + align(spec.key_size, 8) + align(spec.item_size, 8)


def _striped(spec: Spec) -> Geometry:
    line = spec.layout["line"]
    stripes = min(_power_of_two(spec.capacity), MAP["striped"]["stripes_most"])
    count, stride = spec.capacity + stripes, _node(spec)
    heads = spec.layout["body"] + line * (stripes + 1) + line
    nodes = align(heads + MAP["striped"]["bucket_bytes"] * spec.capacity, MAP["striped"]["nodes_alignment"])
    return Geometry(spec, stride, 0, 0, nodes + stride * count, {"heads": heads, "nodes": nodes, "count": count})


def _chained(spec: Spec) -> Geometry:
    more, slots, stride = MAP["chained"]["nodes_per_capacity"], spec.layout["body"], _node(spec)
    count = spec.capacity + spec.capacity // more["divided_by"] + more["plus"]
    count += MAP["chained"]["nodes_per_handle"] * spec.handle_slots
    heads = slots + spec.layout["line"] * spec.handle_slots
    nodes = align(heads + MAP["chained"]["bucket_bytes"] * spec.capacity, MAP["chained"]["nodes_alignment"])
    return Geometry(spec, stride, 0, slots, nodes + stride * count, {"heads": heads, "nodes": nodes, "count": count})


def _open(spec: Spec) -> Geometry:
    slots, stride, cells = spec.layout["body"], _node(spec), MAP["open"]["group_cells"]
    groups = slots + spec.layout["line"] * spec.handle_slots
    group = MAP["open"]["word_bytes"] + cells * stride
    count = spec.capacity + MAP["open"]["groups_more"]
    return Geometry(spec, stride, group, slots, groups + group * count, {"groups": groups})


GEOMETRIES: Dict[str, Dict[str, Callable[[Spec], Geometry]]] = {
    "queue": {
        "exchange": exchange, "ticket": _ticket, "mutex": _behind_locks(1), "seed_literal": _behind_locks(0), "faa": _faa,
        "scq": _scq, "spsc": _behind_locks(0), "two_lock": _behind_locks(2),
    },
    "stack": {
        "treiber": treiber, "mutex": _behind_locks(1), "elimination": _elimination, "flat_combining": _flat_combining,
    },
    "map": {"buckets": buckets, "striped": _striped, "chained": _chained, "open": _open},
}  # fmt: skip

#: Queues whose head and tail count the items taken out and put in.
COUNTED = ("ticket", "mutex", "seed_literal", "faa", "spsc", "two_lock")
#: Stacks whose top counts the items.
ARRAYS = ("mutex", "flat_combining")
#: Stacks of linked nodes.
LINKED = ("treiber", "elimination")
_WITHOUT_HANDLES = {
    "queue": tuple(name for name in COUNTED), "stack": ("mutex",), "map": ("striped",)
}  # fmt: skip


def has_handles(kind: str, algorithm: str) -> bool:
    return algorithm not in _WITHOUT_HANDLES[kind]


def capacity_least(kind: str, algorithm: str) -> int:
    own: Any = LAYOUT[kind].get(algorithm, {})
    return int(own.get("capacity_least", 1))
