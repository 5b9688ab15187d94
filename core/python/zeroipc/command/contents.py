"""What is in a structure: items in the order in which they would come out, or pairs of keys and values. From a private copy."""

from __future__ import annotations

from typing import Iterator, List, Optional, Tuple, TypeVar

from .._atomics import Words
from .._bucket_map import BucketMap
from .._exchange import ExchangeRing
from .._exchange_bytes import signed
from .._format import LAYOUT, MASK64
from .._treiber import TreiberStack
from ..errors import Corrupt, InvalidArgument
from .counts import indices
from .describe import Structure
from .geometries import ARRAYS, COUNTED, LINKED
from .snapshot import Snapshot

Pair = Tuple[Optional[bytes], bytes]  # the key, of a map, and the value
_T = TypeVar("_T")


def contents(copy: Snapshot, structure: Structure) -> Iterator[Pair]:
    """Everything in it, one after the other. Raises Corrupt; InvalidArgument where this command cannot read the algorithm.

    What words that are not of one moment seem to say is not Corrupt: what they lead to is left out.
    """
    kind, algorithm = structure.kind, structure.algorithm
    if kind == "queue" and algorithm == "exchange":
        return ((None, item) for item in _exchange(copy))
    if kind == "queue" and algorithm in COUNTED:
        return ((None, item) for item in _row(copy, *indices(copy.mapping, copy.place)))
    if kind == "stack" and algorithm in LINKED:
        return ((None, item) for item in _until_torn(copy, _linked(copy)))
    if kind == "stack" and algorithm in ARRAYS:
        top = Words(copy.mapping).load(copy.place.geometry.spec.layout["top"])
        return ((None, item) for item in _row(copy, 0, top, -1))
    if kind == "map":
        spec = copy.place.geometry.spec
        found = {"buckets": _buckets, "chained": _chains, "striped": _chains, "open": _homes}[algorithm or ""]
        return ((key[: spec.key_size], value[: spec.item_size]) for key, value in found(copy))
    raise InvalidArgument(f"structure '{structure.name}' ({kind}, {algorithm}) cannot be dumped: its order is not in its bytes")


def _until_torn(copy: Snapshot, items: Iterator[_T]) -> Iterator[_T]:
    """Up to where words that are not of one moment contradict each other."""
    try:
        yield from items
    except Corrupt:
        if copy.is_of_one_moment:
            raise


def _exchange(copy: Snapshot) -> Iterator[bytes]:
    ring = ExchangeRing(copy.mapping, copy.place, 0)
    shape, item, stride = ring.shape, copy.place.geometry.spec.item_size, copy.place.geometry.item_stride
    head = ring._first_not_done(ring._in)
    for position in range(head, head + ring.was_size()):
        i = position & (shape.capacity - 1)
        value = Words(copy.mapping).load(shape.cell(i))
        if shape.ahead(value, ((position & MASK64) >> shape.lap_shift) * 2 + 1) != 0:
            continue  # in use, while it was copied
        buffer = shape.buffer_of(value, i)
        if buffer >= shape.buffers:
            raise Corrupt(f"cell {i} names buffer {buffer} of {shape.buffers}; `zeroipc check` says more")
        at = shape.buffers_at + stride * buffer
        yield bytes(copy.bytes[at : at + item])


def _row(copy: Snapshot, begin: int, end: int, step: int = 1) -> Iterator[bytes]:
    """The items at these positions of a ring, or an array, forwards or backwards."""
    g = copy.place.geometry
    count = signed(end - begin)
    if not 0 <= count <= g.spec.capacity:
        if copy.is_of_one_moment:
            raise Corrupt(f"{count} items, of a capacity of {g.spec.capacity}; `zeroipc check` says more")
        count = min(max(count, 0), g.spec.capacity)
        begin = end - count  # the newest ones
    for position in range(begin, begin + count)[::step]:
        at = g.parts["items"] + g.item_stride * ((position & MASK64) % g.spec.capacity)
        yield bytes(copy.bytes[at : at + g.spec.item_size])


def _linked(copy: Snapshot) -> Iterator[bytes]:
    stack = TreiberStack(copy.mapping, copy.place, 0, settled=False)
    node = stack.words.load(stack.top) & stack.first_mask
    for _ in range(stack.capacity):
        if node == 0:
            return
        below = stack.below(node)  # raises for a node that does not exist
        at = stack.node(node) + 8
        yield bytes(copy.bytes[at : at + stack.item])
        node = below


def _buckets(copy: Snapshot) -> Iterator[Tuple[bytes, bytes]]:
    table = BucketMap(copy.mapping, copy.place, 0)
    for bucket in range(table.bucket_count):
        yield from _until_torn(copy, _bucket(table, bucket))


def _bucket(table: BucketMap, bucket: int) -> Iterator[Tuple[bytes, bytes]]:
    yield from table.copy_bucket(bucket)


def _cut(copy: Snapshot, at: int) -> Tuple[bytes, bytes]:
    """Key and value behind a cell's or node's word."""
    spec = copy.place.geometry.spec
    value = at + 8 + -(-spec.key_size // 8) * 8
    return bytes(copy.bytes[at + 8 : at + 8 + spec.key_size]), bytes(copy.bytes[value : value + spec.item_size])


def _chains(copy: Snapshot) -> Iterator[Tuple[bytes, bytes]]:
    """Of both algorithms with chains. Live nodes are all, or those of the kind that says so."""
    left = [copy.place.geometry.parts["count"]]
    for bucket in range(copy.place.geometry.spec.capacity):
        yield from _until_torn(copy, _chain(copy, bucket, left))


def _chain(copy: Snapshot, bucket: int, left: List[int]) -> Iterator[Tuple[bytes, bytes]]:
    """One bucket's; `left` counts the nodes that no chain has led to yet."""
    g, words = copy.place.geometry, Words(copy.mapping)
    count, sorted_ = g.parts["count"], g.spec.handle_slots > 0
    bits = count.bit_length() if sorted_ else 64
    kind_at = bits + g.spec.handle_slots.bit_length()
    constants = LAYOUT["map"]["chained"]
    node = words.load(g.parts["heads"] + 8 * bucket) & (1 << bits) - 1
    while node:
        if node > count or left[0] == 0:
            raise Corrupt(f"bucket {bucket}: a chain leads to node {node} of {count}, or back into itself")
        left[0] -= 1
        at = g.parts["nodes"] + g.item_stride * (node - 1)
        word = words.load(at)
        if not sorted_ or word >> kind_at & (1 << constants["kind_bits"]) - 1 == constants["kinds"]["live"]:
            yield _cut(copy, at)
        node = word & (1 << bits) - 1


def _homes(copy: Snapshot) -> Iterator[Tuple[bytes, bytes]]:
    g, words, constants = copy.place.geometry, Words(copy.mapping), LAYOUT["map"]["open"]
    per = constants["group_cells"]
    for home in range(g.spec.capacity):
        word = words.load(g.parts["groups"] + g.cell_stride * home)
        for cell in range(constants["cells_of_home"]):
            if word >> cell & 1:
                group, i = divmod(cell, per)
                yield _cut(copy, g.parts["groups"] + g.cell_stride * (home + group) + 8 + g.item_stride * i)


def array_elements(body: memoryview, structure: Structure) -> Iterator[Pair]:
    """The elements of an array, one after the other, as they stand there when their turn comes."""
    header, size = LAYOUT["array"]["header_bytes"], structure.item_size or 0
    return ((None, bytes(body[at : at + size])) for at in range(header, header + size * (structure.capacity or 0), size))
