"""The buckets of a map, and the overflow blocks that they share: where they lie, whose each block is, and how a block comes
into a bucket and out of it. Bytes and argument: core/format/map.md, whose names of accesses stand here.

All accesses are sequentially consistent, so the format's fences are in them.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

from ._atomics import Words
from ._format import LAYOUT, MASK64, align
from ._structure import Geometry, Place, Spec
from .errors import Corrupt

BUCKETS = LAYOUT["map"]["buckets"]
INLINE: int = BUCKETS["inline_slots"]
PER_BLOCK: int = BUCKETS["block_slots"]
BLOCKS: int = BUCKETS["blocks_per_bucket"]
SLOTS = INLINE + PER_BLOCK * BLOCKS
_ALL = (1 << SLOTS) - 1
_VERSION_SHIFT = 2 * SLOTS
_MARK: int = BUCKETS["link_mark"]
_OWNERS = BUCKETS["owners"]
_IN_POOL, _IN_BUCKET = _OWNERS["pool"], _OWNERS["bucket"]
_IN, _CLAIM, _OUT = BUCKETS["steps"]["in"], BUCKETS["steps"]["claim"], BUCKETS["steps"]["out"]
_SLOT = BUCKETS["slot"]
_RECORD = BUCKETS["block_record_bits"]
_STEP_AT = _RECORD["present"]
_LINK_AT = _STEP_AT + _RECORD["step"]
_BLOCK_AT = _LINK_AT + _RECORD["link"]
_BUCKET_AT = _BLOCK_AT + _RECORD["block"]


def geometry(spec: Spec) -> Geometry:
    line = spec.layout["line"]
    words = (spec.key_size + 7) // 8
    stride = 8 * words + align(spec.item_size, 8)
    bucket_stride = align(BUCKETS["bucket"]["slots"]["offset"] + INLINE * stride, line)
    per, more = BUCKETS["buckets_per_capacity"], BUCKETS["blocks_per_capacity"]
    bucket_count = spec.capacity * per["times"] // per["divided_by"] + per["plus"]
    block_count = min(spec.capacity // more["divided_by"] + more["plus"], spec.capacity) + spec.handle_slots
    slots = spec.layout["body"]
    owners = slots + line * spec.handle_slots
    buckets = align(owners + BUCKETS["owner_bytes"] * block_count, line)
    blocks = buckets + bucket_stride * bucket_count
    parts = {
        "owners": owners, "buckets": buckets, "blocks": blocks,
        "bucket_count": bucket_count, "block_count": block_count, "key_words": words,
    }  # fmt: skip
    return Geometry(spec, stride, bucket_stride, slots, blocks + PER_BLOCK * stride * block_count, parts)


# A header, from bit 0: valid, busy, version. A slot is free (neither), reserved (busy: its owner writes it in private), valid
# (both: it holds a key), or closing (valid alone: its block is being taken out). The version grows whenever slots become free.


def valid(header: int) -> int:
    return header & header >> SLOTS & _ALL


def free(header: int) -> int:
    return ~(header | header >> SLOTS) & _ALL


def reserved(header: int) -> int:
    return ~header & header >> SLOTS & _ALL


def closing(header: int) -> int:
    return header & ~(header >> SLOTS) & _ALL


def vacate(header: int, mask: int) -> int:
    """The slots of the mask become free."""
    return (header & ~(mask | mask << SLOTS)) + (1 << _VERSION_SHIFT) & MASK64


def version(header: int) -> int:
    return header >> _VERSION_SHIFT


def same_content(one: int, other: int) -> bool:
    """Whether the same slots are valid, with the same bytes."""
    return version(one) == version(other) and valid(one) == valid(other)


def block_mask(k: int) -> int:
    return ((1 << PER_BLOCK) - 1) << (INLINE + PER_BLOCK * k)


class _Move(NamedTuple):
    """A block on its way into a bucket or out of it."""

    step: int
    link: int
    block: int
    bucket: int

    def packed(self) -> int:
        packed = 1 | self.step << _STEP_AT | self.link << _LINK_AT | self.block << _BLOCK_AT | self.bucket << _BUCKET_AT
        return int(packed)


def _unpacked(value: int) -> _Move:
    return _Move(
        value >> _STEP_AT & (1 << _RECORD["step"]) - 1,
        value >> _LINK_AT & 1,
        value >> _BLOCK_AT & (1 << _RECORD["block"]) - 1,
        value >> _BUCKET_AT,
    )


class BucketBlocks:
    """Base of BucketMap: for one thread at a time, and one handle slot."""

    #: Rounds after which a loop gives up with Corrupt: more than losing every race to honest peers takes.
    patience: int = BUCKETS["patience_rounds"]

    def __init__(self, mapping: Any, place: Place, slot: int) -> None:
        g = place.geometry
        self.words = Words(mapping)
        self.stride = g.item_stride
        self.bucket_count = g.parts["bucket_count"]
        self.block_count = g.parts["block_count"]
        self._bucket_stride = g.cell_stride
        self._buckets = place.offset + g.parts["buckets"]
        self._blocks = place.offset + g.parts["blocks"]
        self._owners = place.offset + g.parts["owners"]
        self.slots = place.offset + g.slots
        self.line: int = g.spec.layout["line"]
        self.handle_slots = g.spec.handle_slots
        self._block_at = self.slots + self.line * slot + _SLOT["block"]["offset"]
        self._me = slot + _OWNERS["first_handle"]
        self._next_block = self.block_count * slot // self.handle_slots  # where the next look into the pool begins

    def corrupt(self, what: str) -> Corrupt:
        return Corrupt(f"map: {what}; a peer overwrote it: make it anew")

    def no_progress(self) -> Corrupt:
        return self.corrupt(f"no progress was possible for {self.patience} rounds")

    def header_at(self, bucket: int) -> int:
        return self._buckets + self._bucket_stride * bucket

    def reserved_at(self, slot: int) -> int:
        return self.slots + self.line * slot + int(_SLOT["reserved"]["offset"])

    def _link_at(self, bucket: int, k: int) -> int:
        return self.header_at(bucket) + int(BUCKETS["bucket"][f"link_{k}"]["offset"])

    def _owner_at(self, block: int) -> int:
        return self._owners + 4 * block

    def linked_block(self, bucket: int, k: int) -> Optional[int]:
        """The block that a link names (M4), or None."""
        link = self.words.load_half(self._link_at(bucket, k))
        return link - 1 if 0 < link <= self.block_count else None

    def slot_at(self, bucket: int, slot: int) -> Optional[int]:
        """A slot's place, or None if it stands in a block that the bucket does not have. Read behind the header: a block with
        a slot that is not free stays where it is."""
        if slot < INLINE:
            return self.header_at(bucket) + int(BUCKETS["bucket"]["slots"]["offset"]) + self.stride * slot
        k, i = divmod(slot - INLINE, PER_BLOCK)
        block = self.linked_block(bucket, k)
        return None if block is None else self._blocks + self.stride * (PER_BLOCK * block + i)

    def grow(self, bucket: int, now: int) -> Optional[bool]:
        """Gives the bucket one block more. True: grown; False: somebody else did; None: impossible, it is full."""
        for k in range(BLOCKS):
            if free(now) & block_mask(k) != block_mask(k):
                continue
            link = self.words.load_half(self._link_at(bucket, k))  # (M4)
            if 0 < link <= self.block_count:
                return False
            if link != 0:
                continue  # somebody takes a block out here, or died at it
            block = self._take_from_pool(bucket, k)
            if block is None:
                return None
            linked = self.words.cas_half(self._link_at(bucket, k), 0, block + 1)  # (M5)
            self._give(block, _IN_BUCKET if linked else _IN_POOL)
            return True
        return None

    def _take_from_pool(self, bucket: int, k: int) -> Optional[int]:
        """Finds a block without an owner, and becomes its owner."""
        words = self.words
        for _ in range(self.block_count):
            block = self._next_block
            self._next_block = (block + 1) % self.block_count
            if words.load_half(self._owner_at(block)) != _IN_POOL:
                continue
            words.store(self._block_at, _Move(_IN, k, block, bucket).packed())
            if words.cas_half(self._owner_at(block), _IN_POOL, self._me):  # (M6)
                return block
        words.store(self._block_at, 0)  # (M9)
        return None

    def _give(self, block: int, to: int) -> None:
        self.words.store_half(self._owner_at(block), to)  # (M7)
        self.words.store(self._block_at, 0)  # (M9)

    def shrink(self, bucket: int, slot: int, after: int) -> None:
        """Behind a commit that freed a slot: if its block is empty now, it goes back to the pool. Who finds the block in other
        hands leaves it to them: they look again when they give it back."""
        if slot < INLINE:
            return
        for _ in range(64):
            if not self._may_shrink(bucket, (slot - INLINE) // PER_BLOCK, after):
                return
            after = self.words.load(self.header_at(bucket))  # (M1)

    def _may_shrink(self, bucket: int, k: int, now: int) -> bool:
        """One attempt at that. Returns whether the block was used meanwhile, and stayed: then it may be empty again."""
        words, mask = self.words, block_mask(k)
        if free(now) & mask != mask:
            return False
        block = self.linked_block(bucket, k)
        if block is None:
            return False
        words.store(self._block_at, _Move(_CLAIM, k, block, bucket).packed())
        if not words.cas_half(self._owner_at(block), _IN_BUCKET, self._me):  # (M6)
            words.store(self._block_at, 0)  # (M9)
            return False
        # From here on nobody else takes this block out of a bucket: whichever that is, it may have moved before.
        if self.linked_block(bucket, k) == block:
            move = _Move(_OUT, k, block, bucket)
            words.store(self._block_at, move.packed())
            for _ in range(self.patience):
                if free(now) & mask != mask:
                    break
                if words.cas(self.header_at(bucket), now, now | mask):  # (M2): closing
                    self._take_out(move)
                    return False
                now = words.found
        self._give(block, _IN_BUCKET)
        return True

    def trim(self, bucket: int) -> None:
        """For who may have kept others from taking an empty block out."""
        for k in range(BLOCKS):
            self.shrink(bucket, INLINE + PER_BLOCK * k, self.words.load(self.header_at(bucket)))  # (M1)

    def _take_out(self, move: _Move) -> None:
        """Takes out a block whose slots we closed. The link says meanwhile who is at it, so that it is known after a death
        how far this went."""
        words, mask = self.words, block_mask(move.link)
        at = self._link_at(move.bucket, move.link)
        words.cas_half(at, move.block + 1, _MARK | self._me)  # (M5)
        now = words.load(self.header_at(move.bucket))  # (M1)
        for _ in range(self.patience):
            if not closing(now) & mask or words.cas(self.header_at(move.bucket), now, vacate(now, mask)):  # (M2)
                break
            now = words.found
        else:
            raise self.no_progress()
        words.cas_half(at, _MARK | self._me, 0)  # (M5)
        self._give(move.block, _IN_POOL)

    def recover_block(self) -> bool:
        """A block's owner is written down with the block: so it is known what was done, and what was not."""
        words = self.words
        intent = words.load(self._block_at)
        if intent == 0:
            return True
        move = _unpacked(intent)
        if move.block >= self.block_count or move.bucket >= self.bucket_count:
            return False
        if words.load_half(self._owner_at(move.block)) != self._me:  # (M8)
            words.store(self._block_at, 0)  # (M9)
            return True
        # We own the block: so nobody but us puts it into a bucket, closes its slots, or takes it out.
        link = words.load_half(self._link_at(move.bucket, move.link))  # (M8)
        closed = closing(words.load(self.header_at(move.bucket))) & block_mask(move.link)  # (M8)
        linked = link == move.block + 1
        if move.step == _CLAIM:
            self._give(move.block, _IN_BUCKET)
        elif move.step == _OUT and (link == _MARK | self._me or linked and closed):
            self._take_out(move)
        else:
            self._give(move.block, _IN_BUCKET if linked else _IN_POOL)
        # What the dead one put in and never used, or meant to take out, stays with nobody.
        self.shrink(move.bucket, INLINE + PER_BLOCK * move.link, words.load(self.header_at(move.bucket)))  # (M1)
        return True
