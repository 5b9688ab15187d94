"""The algorithm of Map: buckets of up to 15 slots, each ruled by one word. Bytes and argument: core/format/map.md.

A key lives in one bucket. Whoever writes reserves a free slot, fills it in private, and makes it valid by one compare-and-swap of
the header: the operation's only commit, in which the key's old slot becomes free at the same time. Readers copy, and look whether
the header's version still stands.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import Any, Callable, List, Optional, Tuple

from ._bucket_blocks import BLOCKS, INLINE, SLOTS, BucketBlocks, block_mask, closing, free, reserved
from ._bucket_blocks import same_content, vacate, valid, version
from ._format import MASK64
from ._structure import Place

_NO_BLOCK = "a bucket's link names a block that does not exist"

Key = Tuple[int, ...]  #: a key's words


class Outcome(Enum):
    """How a map's operation ended."""

    INSERTED = "inserted"  #: the key was absent, and is there now
    ASSIGNED = "assigned"  #: the key has the new value
    PRESENT = "present"  #: nothing done: the key is there
    ABSENT = "absent"  #: nothing done: the key is not there
    DIFFERENT = "different"  #: nothing done: the key has another value than expected
    FULL = "full"  #: nothing done: no slot was to be had for this key


#: Gets the value that the key has (None: absent); says what to do, and the new value if that is to insert or assign.
Decide = Callable[[Optional[bytes]], Tuple[Outcome, bytes]]


def mix(x: int) -> int:
    """A finaliser in which each bit of the input reaches each bit of the output (Stafford 2011; SplitMix64)."""
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK64
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK64
    return x ^ x >> 31


def hash_of(key: Key, seed: int) -> int:
    """The hash of a key: part of the format, the same in every language."""
    h = seed
    for word in key:
        h = mix((h + 0x9E3779B97F4A7C15 & MASK64) ^ word)
    return h


def bucket_of(h: int, buckets: int) -> int:
    return (h >> 32) * buckets >> 32


@lru_cache(maxsize=4096)
def _bits(mask: int) -> Tuple[int, ...]:
    return tuple(i for i in range(SLOTS) if mask >> i & 1)


class BucketMap(BucketBlocks):
    """The map as one handle sees it: for one thread at a time. The slot must be locked and recovered."""

    def __init__(self, mapping: Any, place: Place, slot: int) -> None:
        super().__init__(mapping, place, slot)
        self.settled = True  #: False after an exception in an operation: something may be reserved, or on its way
        self._slot = slot
        self._seed = place.geometry.spec.seed
        self._value = place.geometry.spec.item_size
        self._key_bytes = 8 * place.geometry.parts["key_words"]
        self._reserved_at = self.reserved_at(slot)

    def resettle(self) -> None:
        """Behind an exception in an operation: undoes or finishes it, as recovery does for a dead handle."""
        # Another slot that names the same reservation is taken for a living one's.
        if not self.recover(lambda slot: False):
            raise self.corrupt("what this handle has reserved cannot be told after an interruption; close it and open another")
        self.settled = True

    def bucket_for(self, key: Key) -> int:
        return bucket_of(hash_of(key, self._seed), self.bucket_count)

    def find(self, key: Key) -> Optional[bytes]:
        """The value of a key; None: it was absent at one moment. Lock-free; writes nothing shared."""
        bucket = self.bucket_for(key)
        for _ in range(self.patience):
            now, slot, value = self._locate(bucket, key)
            if slot is not None:
                return value
            if self._confirmed_absent(bucket, now):
                return None
        raise self.no_progress()

    def erase(self, key: Key) -> bool:
        """Removes a key; False: it was absent at one moment. Lock-free. Commit: (M2), valid to free."""
        bucket = self.bucket_for(key)
        for _ in range(self.patience):
            now, slot, _value = self._locate(bucket, key)
            if slot is None:
                if self._confirmed_absent(bucket, now):
                    return False
                continue
            after = vacate(now, 1 << slot)
            if self.words.cas(self.header_at(bucket), now, after):
                self.shrink(bucket, slot, after)
                return True
        raise self.no_progress()

    def write(self, key: Key, decide: Decide) -> Outcome:
        """Every other change of a key. `decide` may be called several times. Lock-free. Commit: (M2), reserved to valid."""
        bucket = self.bucket_for(key)
        header = self.header_at(bucket)
        mine: Optional[int] = None  # the slot that is reserved
        grown = False
        for _ in range(self.patience):
            now, slot, old = self._locate(bucket, key)
            result, desired = decide(old if slot is not None else None)
            if result not in (Outcome.INSERTED, Outcome.ASSIGNED):
                if slot is None and not self._confirmed_absent(bucket, now):
                    continue
                return self._leave(bucket, mine, grown, result)
            if mine is None:
                choice = self._free_slot(bucket, now)
                if choice is None:
                    got = self.grow(bucket, now)
                    if got is None:
                        return self._leave(bucket, mine, grown, Outcome.FULL)
                    grown = grown or got
                    continue
                self.words.store(self._reserved_at, 1 + 16 * bucket + choice)
                after = now | 1 << choice << SLOTS
                if not self.words.cas(header, now, after):  # (M2): reserved
                    continue
                mine, now = choice, after
            self._fill(bucket, mine, key, desired)
            # While what is valid has not changed since the key was looked for, the key is still where it was, and nowhere
            # else. Other slots may be reserved and dropped meanwhile.
            looked_at = now
            for _ in range(self.patience):
                if not same_content(looked_at, now):
                    break
                after = now | 1 << mine
                if slot is not None:
                    after = vacate(after, 1 << slot)
                if self.words.cas(header, now, after):  # (M2), the commit
                    self.words.store(self._reserved_at, 0)  # (M9)
                    if slot is not None:
                        self.shrink(bucket, slot, after)
                    if grown:
                        self.trim(bucket)
                    return result
                now = self.words.found
        raise self.no_progress()

    def was_size(self) -> int:
        """Keys in it: each bucket's at one moment. Wait-free, O(capacity)."""
        load, at = self.words.load, self.header_at
        return sum(bin(valid(load(at(b)))).count("1") for b in range(self.bucket_count))

    def copy_bucket(self, bucket: int) -> List[Tuple[bytes, bytes]]:
        """Keys and values of one bucket at one moment. Lock-free."""
        at, keys = self.header_at(bucket), self._key_bytes
        for _ in range(self.patience):
            seen = self.words.load(at)  # (M1)
            copied, whole = [], True
            for slot in _bits(valid(seen)):
                place = self.slot_at(bucket, slot)
                if place is None:
                    whole = False
                    break
                item = self.words.read(place, keys + self._value)
                copied.append((item[:keys], item[keys:]))
            if same_content(self.words.load(at), seen):
                if not whole:
                    raise self.corrupt(_NO_BLOCK)
                return copied
        raise self.no_progress()

    def recover(self, is_dead: Callable[[int], bool]) -> bool:
        """Takes over the slot, whose lock was just got: finishes or undoes what its last owner had begun. May be killed and run
        again, beside living handles. False: that cannot be decided at present."""
        return self.recover_block() and self._recover_reservation(is_dead)

    def sweep(self) -> int:
        """For repair, with every handle slot settled: nothing is rightly reserved or closing, and no empty block in a bucket."""
        found = 0
        for bucket in range(self.bucket_count):
            now = self.words.load(self.header_at(bucket))
            lost = reserved(now) | closing(now)
            if lost:
                found += bin(lost).count("1")
                self.words.cas(self.header_at(bucket), now, vacate(now, lost))
            before = sum(self.linked_block(bucket, k) is not None for k in range(BLOCKS))
            self.trim(bucket)
            found += before - sum(self.linked_block(bucket, k) is not None for k in range(BLOCKS))
        return found

    # --- parts -------------------------------------------------------------------------------------------------

    def _locate(self, bucket: int, key: Key) -> Tuple[int, Optional[int], Optional[bytes]]:
        """Looks for a key. A header that still stood after the copy, the key's slot and its value; or a header by which the key
        was absent, and None."""
        load, at, keys = self.words.load, self.header_at(bucket), self._key_bytes
        for _ in range(self.patience):
            seen = load(at)  # (M1)
            whole = True
            for slot in _bits(valid(seen)):
                place = self.slot_at(bucket, slot)
                if place is None:
                    whole = False
                    break
                if any(load(place + 8 * i) != word for i, word in enumerate(key)):
                    continue
                value = self.words.read(place + keys, self._value)
                # Were these the bytes of a later owner of the slot, the version would show it: (M10), (M11).
                now = load(at)
                if version(now) == version(seen):
                    return now, slot, value
                whole = False
                break
            now = load(at)
            if same_content(now, seen):
                if whole:
                    return now, None, None
                raise self.corrupt(_NO_BLOCK)
        raise self.no_progress()

    def _confirmed_absent(self, bucket: int, seen: int) -> bool:
        """The second look behind a negative answer: (M3)."""
        return same_content(self.words.load(self.header_at(bucket)), seen)

    def _free_slot(self, bucket: int, now: int) -> Optional[int]:
        """A free slot whose block, if it needs one, is linked."""
        mask = free(now)
        for k in range(BLOCKS):
            if mask & block_mask(k) and self.linked_block(bucket, k) is None:
                mask &= ~block_mask(k)
        return (mask & -mask).bit_length() - 1 if mask else None

    def _fill(self, bucket: int, slot: int, key: Key, value: bytes) -> None:
        """Key and value into a slot that is reserved for us: behind the reservation, (M10)."""
        place = self.slot_at(bucket, slot)
        if place is None:
            raise self.corrupt(_NO_BLOCK)
        for i, word in enumerate(key):
            self.words.store(place + 8 * i, word)
        self.words.write(place + self._key_bytes, value)

    def _leave(self, bucket: int, mine: Optional[int], grown: bool, result: Outcome) -> Outcome:
        """Ends an operation that changed nothing."""
        words, at = self.words, self.header_at(bucket)
        if mine is not None:
            now = words.load(at)  # (M1)
            for _ in range(self.patience):
                if words.cas(at, now, vacate(now, 1 << mine)):  # (M2)
                    break
                now = words.found
            else:
                raise self.no_progress()
        if words.load(self._reserved_at) != 0:
            words.store(self._reserved_at, 0)  # (M9)
        # Who emptied the block may have seen this slot in use.
        if grown or (mine is not None and mine >= INLINE):
            self.trim(bucket)
        return result

    def _recover_reservation(self, is_dead: Callable[[int], bool]) -> bool:
        words = self.words
        intent = words.load(self._reserved_at)
        if intent == 0:
            return True
        bucket, mine = divmod(intent - 1, 16)
        if bucket >= self.bucket_count or mine >= SLOTS:
            return False
        rounds = lost = 0
        while rounds < 100 and lost < 100000:
            now = words.load(self.header_at(bucket))  # (M8)
            if not reserved(now) >> mine & 1:
                self.shrink(bucket, mine, now)
                words.store(self._reserved_at, 0)  # (M9)
                return True
            # Reserved: by the dead one, or by another handle that names it too. If all that name it are dead, it is nobody's.
            # A living one would have changed the header by now, or is about to.
            others = (s for s in range(self.handle_slots) if s != self._slot)
            named = [s for s in others if words.load(self.reserved_at(s)) == intent]  # (M8)
            if not all([is_dead(s) for s in named]):
                rounds += 1
            elif not words.cas(self.header_at(bucket), now, vacate(now, 1 << mine)):  # (M2)
                lost += 1
        return False
