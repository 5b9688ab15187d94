"""The invariants of a map of buckets, on a private copy (core/format/map.md)."""

from __future__ import annotations

from typing import Dict, Iterator, List, Set

from .._bucket_blocks import BLOCKS, BUCKETS, INLINE, PER_BLOCK, SLOTS, block_mask, closing, reserved, valid
from .._bucket_blocks import _unpacked as unpacked
from .._bucket_map import BucketMap, bucket_of, hash_of
from .counts import headers
from .rules import Findings
from .snapshot import Snapshot

_OWNERS, _MARK = BUCKETS["owners"], BUCKETS["link_mark"]
_FIRST: int = _OWNERS["first_handle"]


def _bits(mask: int) -> Iterator[int]:
    return (i for i in range(SLOTS) if mask >> i & 1)


class MapCheck:
    """One look at one map."""

    def __init__(self, copy: Snapshot, findings: Findings) -> None:
        self.copy, self.findings = copy, findings
        self.spec = copy.place.geometry.spec
        self.table = BucketMap(copy.mapping, copy.place, 0)
        self.words = self.table.words
        self.headers: List[int] = headers(copy.mapping, copy.place).tolist()

    def run(self, is_of_one_moment: bool) -> None:
        """Copies that are not of one moment show only what is wrong at every moment."""
        self._links()
        self._handles()
        if is_of_one_moment:
            self._owners()
            for bucket, header in enumerate(self.headers):
                if header & (1 << 2 * SLOTS) - 1:
                    self._bucket(bucket, header)

    def _links(self) -> None:
        table = self.table
        self.linked: Dict[int, List[str]] = {}  # which links name a block
        for bucket in range(table.bucket_count):
            for k in range(BLOCKS):
                link = self.words.load_half(table._link_at(bucket, k))
                where = f"bucket {bucket}, link {k}"
                if link & _MARK:
                    if not _FIRST <= link - _MARK < _FIRST + self.spec.handle_slots:
                        self.findings.fault("map.link", f"{where}: is marked by handle slot {link - _MARK - _FIRST}")
                elif link > table.block_count:
                    self.findings.fault("map.link", f"{where}: names block {link - 1} of {table.block_count}")
                elif link:
                    self.linked.setdefault(link - 1, []).append(where)

    def _handles(self) -> None:
        table = self.table
        self.named: Set[int] = set()  # what slots say to have reserved
        self.moving: Dict[int, Set[int]] = {}  # which handle slots say to have a block in hand
        for slot in range(self.spec.handle_slots):
            at = table.reserved_at(slot)
            intent, block = self.words.load(at), self.words.load(at - BUCKETS["slot"]["reserved"]["offset"] + 8)
            if intent:
                bucket, mine = divmod(intent - 1, 16)
                if bucket >= table.bucket_count or mine >= SLOTS:
                    text = f"handle slot {slot} reserves slot {mine} of bucket {bucket}"
                    self.findings.fault("map.handle", text)
                self.named.add(intent)
            if block:
                move = unpacked(block)
                steps = BUCKETS["steps"].values()
                if not block & 1 or move.step not in steps:
                    self.findings.fault("map.handle", f"handle slot {slot} moves a block as nobody does: {block:#x}")
                elif move.block >= table.block_count or move.bucket >= table.bucket_count:
                    text = f"handle slot {slot} moves block {move.block} of bucket {move.bucket}"
                    self.findings.fault("map.handle", text)
                else:
                    self.moving.setdefault(move.block, set()).add(slot)

    def _owners(self) -> None:
        fault = self.findings.fault
        for block in range(self.table.block_count):
            owner = self.words.load_half(self.table._owner_at(block))
            links = self.linked.get(block, [])
            if len(links) > 1:
                fault("map.link", f"{links[0]} and {links[1]} name one block, {block}")
            elif owner == _OWNERS["pool"] and links:
                fault("map.owner", f"block {block} is in the pool, and {links[0]} names it")
            elif owner == _OWNERS["bucket"] and not links:
                fault("map.owner", f"block {block} is in a bucket, and no link names it")
            elif owner >= _FIRST and owner - _FIRST not in self.moving.get(block, ()):
                fault("map.owner", f"block {block} is in the hands of handle slot {owner - _FIRST}, which does not say so")

    def _bucket(self, bucket: int, header: int) -> None:
        table, fault = self.table, self.findings.fault
        for slot in _bits(reserved(header)):
            if 1 + 16 * bucket + slot not in self.named:
                fault("map.reserved", f"bucket {bucket}, slot {slot} is reserved, and no handle slot names it")
        for k in range(BLOCKS):
            if closing(header) & block_mask(k):
                link = self.words.load_half(table._link_at(bucket, k))
                block = table.linked_block(bucket, k)
                moved = block is not None and self.words.load_half(table._owner_at(block)) >= _FIRST
                if not link & _MARK and not moved:
                    fault("map.closing", f"bucket {bucket}, link {k}: its slots are closing, and no handle takes the block out")
        if closing(header) & (1 << INLINE) - 1:
            fault("map.closing", f"bucket {bucket}: a slot of the bucket itself is closing")
        keys: Dict[bytes, int] = {}
        for slot in _bits(valid(header) | reserved(header)):
            at = table.slot_at(bucket, slot)
            if at is None:
                fault("map.slot", f"bucket {bucket}, slot {slot} stands in block {(slot - INLINE) // PER_BLOCK}, which is not there")
            elif valid(header) >> slot & 1:
                self._pair(bucket, slot, at, keys)

    def _pair(self, bucket: int, slot: int, at: int, keys: Dict[bytes, int]) -> None:
        fault, where = self.findings.fault, f"bucket {bucket}, slot {slot}"
        words = self.copy.place.geometry.parts["key_words"]
        value = at + 8 * words
        key = bytes(self.copy.bytes[at:value])
        parts = tuple(int.from_bytes(key[i : i + 8], "little") for i in range(0, len(key), 8))
        right = bucket_of(hash_of(parts, self.spec.seed), self.table.bucket_count)
        if right != bucket:
            fault("map.bucket", f"{where}: its key's hash gives bucket {right}")
        if key in keys:
            fault("map.unique", f"{where}: its key is in slot {keys[key]} too")
        keys.setdefault(key, slot)
        rest = bytes(self.copy.bytes[value + self.spec.item_size : at + self.table.stride])
        if any(key[self.spec.key_size :]) or any(rest):
            fault("map.padding", f"{where}: the bytes that fill up its key or value are not zeros")
