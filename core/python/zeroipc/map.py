"""A hash map in shared memory."""

from __future__ import annotations

import os
from typing import Any, Callable, Iterator, Optional, Tuple, TypeVar

import numpy as np
import numpy.typing as npt

from ._attachment import Attachment
from ._bucket_blocks import geometry
from ._bucket_map import BucketMap, Decide, Outcome
from ._format import MASK64
from ._items import Codec, KeyCodec, checked_dtype
from ._repair import repair, repair_map
from ._structure import Handle, Kind, Place, Spec, claim, create, lookup
from ._waiting import Sleepers
from .errors import InvalidArgument
from .memory import Memory

__all__ = ["Map", "Outcome"]

_T = TypeVar("_T")


def _recover(state: Attachment, place: Place, slot: int, is_dead: Callable[[int], bool]) -> bool:
    return BucketMap(state.mapping, place, slot).recover(is_dead)


_KIND = Kind("map", "buckets", geometry, _recover)


class Map(Handle):
    """A hash map between processes, from keys of one NumPy dtype to values of another.

    A Map object is a *handle*: one thread at a time uses it (`Misuse` otherwise). Each thread, and each process, opens its own.
    Every operation but the waiting one is lock-free; finding writes nothing; "absent" and "present" are linearizable; values of
    any size change as a whole; and a process may be killed at any point: nobody waits for it, and its operation took place or
    did not. A map of capacity N takes N keys, after any churn; "full" says that no room was to be had for this key.

    Keys compare by bytes: integers, bytes (`'S16'`, for text; a trailing zero byte is not told from none), packed structures.
    """

    def __init__(
        self,
        memory: Memory,
        name: str,
        capacity: Optional[int] = None,
        *,
        key_dtype: npt.DTypeLike,
        value_dtype: npt.DTypeLike,
        handle_slots: int = 64,
        seed: Optional[int] = None,
        layout: str = "compact",
    ) -> None:
        """Opens the map `name`; with a `capacity` (keys that it takes) makes it first, its hash with a random seed.

        Raises, opening: NotFound, WrongKind, WrongItemSize, Corrupt, NoHandleSlot; making: Exists, InvalidCapacity,
        InvalidArgument, InvalidName, SegmentFull, TableFull, TooLarge, Busy.
        """
        self._noun = _KIND.noun
        self._keys, self._values = KeyCodec(key_dtype, f"map '{name}'"), Codec(value_dtype, f"map '{name}'")
        if capacity is None:
            place = lookup(memory, _KIND, name, self._values.size, self._keys.size)
        else:
            seed = int.from_bytes(os.urandom(8), "little") if seed is None else seed & MASK64
            how = Spec(capacity, handle_slots, _KIND.layout(layout), self._values.size, self._keys.size, seed)
            place = create(memory, _KIND, name, how)
        state = memory._attachment()
        slot = claim(state, _KIND, place)
        super().__init__(state, place, slot)
        self._map = BucketMap(state.mapping, place, slot)
        self._keys_wait = Sleepers(state.mapping, place.offset + place.geometry.spec.layout["keys_wait"])

    @property
    def key_dtype(self) -> "np.dtype[Any]":
        return self._keys.dtype

    @property
    def value_dtype(self) -> "np.dtype[Any]":
        return self._values.dtype

    @classmethod
    def repair(cls, memory: Memory, name: str, *, key_dtype: npt.DTypeLike, value_dtype: npt.DTypeLike) -> int:
        """Puts in order what kills left and recovery had to leave undecided, exactly; returns how much had no owner.

        Only when nobody else is attached to the segment and this process has no handles in it (`Busy`). May be killed, and run
        again.
        """
        value, key = (checked_dtype(dtype, f"map '{name}'").itemsize for dtype in (value_dtype, key_dtype))
        place = lookup(memory, _KIND, name, value, key)
        return repair(memory, _KIND, place, repair_map)

    def find(self, key: Any) -> Any:
        """The value of a key, or None if it was absent. Lock-free, O(1)."""
        words = self._keys.key_words(key)
        found = self._exclusively(lambda table: table.find(words))
        return None if found is None else self._values.decode(found)

    def wait_for(self, key: Any, timeout: Optional[float] = None) -> Any:
        """Waits until the key is there, up to `timeout` seconds (None: for ever). Its value, or None if it was not."""
        found: Any = None

        def attempt() -> bool:
            nonlocal found
            found = self.find(key)
            return found is not None

        self._keys_wait.wait(attempt, timeout)
        return found

    def __contains__(self, key: Any) -> bool:
        return self.find(key) is not None

    def __getitem__(self, key: Any) -> Any:
        """The value of a key. Raises KeyError if it was absent."""
        found = self.find(key)
        if found is None:
            raise KeyError(key)
        return found

    def __setitem__(self, key: Any, value: Any) -> None:
        """Gives a key a value, whether it is there or not. Raises MemoryError if no room was to be had for it."""
        if self.insert_or_assign(key, value) is Outcome.FULL:
            raise MemoryError(f"map '{self.name}' of capacity {self.capacity} has no room for {key!r}")

    def __delitem__(self, key: Any) -> None:
        """Removes a key. Raises KeyError if it was absent."""
        if not self.erase(key):
            raise KeyError(key)

    def insert(self, key: Any, value: Any) -> Outcome:
        """Adds a key that is absent. Lock-free, O(1). INSERTED, PRESENT or FULL."""
        data = self._values.encode(value)
        return self._write(key, lambda old: (Outcome.INSERTED if old is None else Outcome.PRESENT, data))

    def insert_or_assign(self, key: Any, value: Any) -> Outcome:
        """Gives a key a value, whether it is there or not. Lock-free, O(1). INSERTED, ASSIGNED or FULL."""
        data = self._values.encode(value)
        return self._write(key, lambda old: (Outcome.INSERTED if old is None else Outcome.ASSIGNED, data))

    def compare_exchange(self, key: Any, expected: Any, desired: Any) -> Tuple[Outcome, Any]:
        """Gives a key the value `desired` if it has the value `expected`, compared by bytes. Lock-free, O(1).

        ASSIGNED, DIFFERENT, ABSENT or FULL; and the value that was found, None if the key was absent.
        """
        wanted, data = self._values.encode(expected), self._values.encode(desired)
        found: Optional[bytes] = None

        def decide(old: Optional[bytes]) -> Tuple[Outcome, bytes]:
            nonlocal found
            found = old
            if old is None:
                return Outcome.ABSENT, b""
            return (Outcome.ASSIGNED if old == wanted else Outcome.DIFFERENT), data

        result = self._write(key, decide)
        return result, None if found is None else self._values.decode(found)

    def update(self, key: Any, change: Callable[[Any], Any]) -> Outcome:
        """Replaces the value of a key by `change(value)`, as one atomic step. ASSIGNED, ABSENT or FULL.

        `change` may be called several times, and must not use this handle.
        """

        def decide(old: Optional[bytes]) -> Tuple[Outcome, bytes]:
            if old is None:
                return Outcome.ABSENT, b""
            return Outcome.ASSIGNED, self._values.encode(change(self._values.decode(old)))

        return self._write(key, decide)

    def erase(self, key: Any) -> bool:
        """Removes a key. False: it was absent. Lock-free, O(1)."""
        words = self._keys.key_words(key)
        return self._exclusively(lambda table: table.erase(words))

    def put_many(self, keys: npt.ArrayLike, values: npt.ArrayLike) -> int:
        """Gives each key of an array the value in the same place of another; returns how many were done before one was full."""
        key_data, count = self._keys.encode_many(keys)
        value_data, value_count = self._values.encode_many(values)
        if count != value_count:
            raise InvalidArgument(f"{count} keys and {value_count} values; use as many of each")
        n = self._keys.size
        for i in range(count):
            key = self._keys.words_of(bytes(key_data[n * i : n * i + n]))
            data = bytes(value_data[self._values.size * i : self._values.size * (i + 1)])
            done = self._write_words(key, lambda old: (Outcome.INSERTED if old is None else Outcome.ASSIGNED, data))
            if done is Outcome.FULL:
                return i
        return count

    def items(self) -> Iterator[Tuple[Any, Any]]:
        """Keys and values: weakly consistent. A key that is there all the time comes once; one that comes or goes meanwhile
        perhaps. The handle may be used meanwhile."""
        for bucket in range(self._map.bucket_count):
            copied = self._exclusively(lambda table: table.copy_bucket(bucket))
            for key, value in copied:
                yield self._keys.decode(key[: self._keys.size]), self._values.decode(value)

    def __iter__(self) -> Iterator[Any]:
        """The keys, as consistent as `items`."""
        return (key for key, _ in self.items())

    def values(self) -> Iterator[Any]:
        """The values, as consistent as `items`."""
        return (value for _, value in self.items())

    def was_size(self) -> int:
        """Keys in it: exact if nothing changes meanwhile; else each bucket as it was at one moment. O(capacity)."""
        return self._exclusively(lambda table: table.was_size())

    def was_empty(self) -> bool:
        return self.was_size() == 0

    def _write(self, key: Any, decide: Decide) -> Outcome:
        return self._write_words(self._keys.key_words(key), decide)

    def _write_words(self, words: Tuple[int, ...], decide: Decide) -> Outcome:
        def action(table: BucketMap) -> Outcome:
            result = table.write(words, decide)
            if result is Outcome.INSERTED:
                self._keys_wait.wake()
            return result

        return self._exclusively(action)

    def _exclusively(self, action: Callable[[BucketMap], _T]) -> _T:
        """Runs an operation on the map, as the only user of this handle."""
        guard, table = self._guard, self._map
        if not guard.acquire(False):
            self._refuse()
        try:
            if not table.settled:
                table.resettle()
            return action(table)
        except BaseException:
            table.settled = False
            raise
        finally:
            guard.release()
