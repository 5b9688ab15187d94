"""A fixed-size array in shared memory, with atomic operations on its elements."""

from __future__ import annotations

import ctypes
from typing import Any, Dict, Iterator, Optional, Tuple, Union

import numpy as np
import numpy.typing as npt

from ._atomics import function
from ._format import BYTES_BELOW, LAYOUT
from ._items import checked_dtype
from .errors import Corrupt, InvalidArgument, InvalidCapacity, Misuse, NotFound, OutOfRange, TooLarge, WrongItemSize
from .memory import Memory

__all__ = ["Array"]

_HEADER: int = LAYOUT["array"]["header_bytes"]
_ELEMENTS: int = LAYOUT["array"]["elements_offset"]
_ALIGNMENT_MOST: int = LAYOUT["array"]["element_alignment_most"]

_NUMBERS = {1: ctypes.c_uint8, 2: ctypes.c_uint16, 4: ctypes.c_uint32, 8: ctypes.c_uint64}
_ARITHMETIC = ("fetch_add", "fetch_sub", "fetch_and", "fetch_or", "fetch_xor")


def _functions(size: int) -> Dict[str, Any]:
    number = _NUMBERS[size]
    made = {name: function(name, size, number) for name in ("load", "exchange") + _ARITHMETIC}
    made["store"] = function("store", size, None)
    made["compare_exchange"] = function("compare_exchange", size, ctypes.c_bool)
    return made


_FUNCTIONS = {size: _functions(size) for size in _NUMBERS}


class Array:
    """An array between processes. Its capacity is fixed when it is made.

    `array[...]`, `view` and iteration are plain memory, through NumPy: unordered; as between threads, nobody may write an
    element so while another process accesses it. `load`, `store`, `exchange`, `compare_exchange` and `fetch_*` are atomic and
    sequentially consistent, for elements of 1, 2, 4 or 8 bytes; indices are checked. Threads may share an Array object.

    Bytes are all that is known of a type: opening checks the size of an element, and nothing else tells an array from
    another structure whose numbers happen to fit.
    """

    def __init__(
        self, memory: Memory, name: str, capacity: Optional[int] = None, *, dtype: npt.DTypeLike
    ) -> None:
        """Opens the array `name`; with a `capacity` (any number but 0) makes it first, of zeros.

        Raises, opening: NotFound, WrongItemSize, Corrupt; making: Exists, InvalidCapacity, InvalidArgument, InvalidName,
        SegmentFull, TableFull, TooLarge, Busy.
        """
        self.name = name
        self._dtype = checked_dtype(dtype, f"array '{name}'")
        offset, self._capacity = (
            self._lookup(memory) if capacity is None else self._create(memory, capacity)
        )
        self._state = memory._attachment()
        size = self._dtype.itemsize
        elements = memoryview(self._state.mapping)[offset + _ELEMENTS : offset + _ELEMENTS + size * self._capacity]
        self._view: Optional[npt.NDArray[Any]] = np.frombuffer(elements, dtype=self._dtype)
        self._address = ctypes.addressof(self._state.mapping) + offset + _ELEMENTS
        self._functions = _FUNCTIONS.get(size) if self._dtype.kind in "iubfV" else None
        self._number = _NUMBERS.get(size)

    def _create(self, memory: Memory, capacity: int) -> Tuple[int, int]:
        what = f"array '{self.name}'"
        if capacity < LAYOUT["array"]["limits"]["capacity_least"]:
            raise InvalidCapacity(f"{what}: capacity {capacity}; use 1 or more elements")
        if self._dtype.alignment > _ALIGNMENT_MOST and self._dtype.isalignedstruct:
            raise InvalidArgument(f"{what}: dtype {self._dtype} must not be aligned to more than {_ALIGNMENT_MOST} bytes")
        size = _ELEMENTS + capacity * self._dtype.itemsize
        if size >= BYTES_BELOW:
            raise TooLarge(
                f"{what}: {capacity} elements of {self._dtype.itemsize} bytes do not fit below 4 GiB; "
                "use a smaller capacity"
            )

        def initialise(body: memoryview) -> None:
            body[:_HEADER] = capacity.to_bytes(_HEADER, "little")

        return memory._add(self.name, size, initialise).offset, capacity

    def _lookup(self, memory: Memory) -> Tuple[int, int]:
        what = f"array '{self.name}'"
        entry = memory.find(self.name)
        if entry is None:
            raise NotFound(f"segment '{memory.name}' has no structure '{self.name}'; create it first")
        capacity = 0
        if entry.size > _HEADER:
            head = memory._usable_table().bytes[entry.offset : entry.offset + _HEADER]
            capacity = int.from_bytes(head, "little")
        if capacity == 0 or (entry.size - _HEADER) % capacity != 0:
            raise Corrupt(
                f"{what} says capacity {capacity}, which its {entry.size} bytes do not give; "
                "it is no array, or it was overwritten"
            )
        found = (entry.size - _HEADER) // capacity
        if found != self._dtype.itemsize:
            raise WrongItemSize(
                f"{what} has elements of size {found}, not {self._dtype.itemsize}; open it with the type it was made for"
            )
        return entry.offset, capacity

    @property
    def dtype(self) -> "np.dtype[Any]":
        return self._dtype

    @property
    def capacity(self) -> int:
        return self._capacity

    def __len__(self) -> int:
        return self._capacity

    @property
    def view(self) -> "npt.NDArray[Any]":
        """All elements, live: a NumPy array on the shared memory, which it keeps mapped. Plain access.

        A view that is kept across fork() is not mapped in the child: touching it there ends the child by a signal.
        """
        if self._view is None:
            raise Misuse(f"array '{self.name}' was closed here; open it anew")
        self._state.refuse_forked()
        return self._view

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> "npt.NDArray[Any]":
        found = self.view if dtype is None else self.view.astype(dtype, copy=False)
        return found.copy() if copy else found

    def __getitem__(self, index: Any) -> Any:
        try:
            return self.view[index]
        except IndexError as error:
            raise OutOfRange(f"array '{self.name}': {error}") from None

    def __setitem__(self, index: Any, value: Any) -> None:
        try:
            self.view[index] = value
        except IndexError as error:
            raise OutOfRange(f"array '{self.name}': {error}") from None

    def __iter__(self) -> Iterator[Any]:
        return iter(self.view)

    def fill(self, value: Any) -> None:
        """Writes the value to every element, by plain stores."""
        self.view[...] = value

    def load(self, index: int) -> Any:
        """The element's value: (A1). Wait-free, as all atomic operations where the processor has the instruction."""
        return self._item(self._call("load", index))

    def store(self, index: int, value: Any) -> None:
        """Replaces the element: (A2)."""
        self._call("store", index, self._bits(value))

    def exchange(self, index: int, value: Any) -> Any:
        """Replaces the element; returns what it was: (A3)."""
        return self._item(self._call("exchange", index, self._bits(value)))

    def compare_exchange(self, index: int, expected: Any, desired: Any) -> Tuple[bool, Any]:
        """Replaces the element by `desired` if its bytes are those of `expected`: (A4). Never fails without cause.

        Returns whether they were, and the element's value before.
        """
        self._checked(index)
        found = self._bits(expected)
        done = self._call("compare_exchange", index, ctypes.byref(found), self._bits(desired), failing=True)
        return done, self._item(found.value)

    def fetch_add(self, index: int, value: int) -> int:
        """Each of these changes the element and returns what it was: (A3). Numbers wrap, signed ones too."""
        return self._counted("fetch_add", index, value)

    def fetch_sub(self, index: int, value: int) -> int:
        return self._counted("fetch_sub", index, value)

    def fetch_and(self, index: int, value: int) -> int:
        return self._counted("fetch_and", index, value)

    def fetch_or(self, index: int, value: int) -> int:
        return self._counted("fetch_or", index, value)

    def fetch_xor(self, index: int, value: int) -> int:
        return self._counted("fetch_xor", index, value)

    def _counted(self, name: str, index: int, value: int) -> int:
        if self._dtype.kind not in "iu":
            raise InvalidArgument(f"array '{self.name}': {name} needs integers, and its elements are {self._dtype}")
        return int(self._item(self._call(name, index, self._bits(value))))

    def _checked(self, index: int) -> Dict[str, Any]:
        if self._view is None or self._state.forked:
            self.view  # says which
        if self._functions is None:
            raise InvalidArgument(
                f"array '{self.name}': atomic access is for plain elements of 1, 2, 4 or 8 bytes, not {self._dtype}"
            )
        if not 0 <= index < self._capacity:
            raise OutOfRange(
                f"array '{self.name}': index {index} of capacity {self._capacity}; use 0 to {self._capacity - 1}"
            )
        return self._functions

    def _call(self, name: str, index: int, *arguments: Any, failing: bool = False) -> Any:
        # The argument objects are this call's own: threads may share the array.
        at = ctypes.c_void_p(self._address + self._dtype.itemsize * index)
        if failing:
            return self._checked(index)[name](at, *arguments, 5, 5)
        return self._checked(index)[name](at, *arguments, 5)

    def _bits(self, value: Any) -> Any:
        """An element's bytes as one unsigned number."""
        if self._number is None:
            return value  # refused by _checked
        if self._dtype.kind in "iu":
            try:
                return self._number(int(value))  # wraps
            except (TypeError, ValueError) as error:
                raise InvalidArgument(f"{value!r} is no element of dtype {self._dtype}: {error}") from None
        try:
            element = np.zeros(1, dtype=self._dtype)
            element[0] = value
        except (TypeError, ValueError) as error:
            raise InvalidArgument(f"{value!r} is no element of dtype {self._dtype}: {error}") from None
        return self._number(int.from_bytes(element.tobytes(), "little"))

    def _item(self, bits: int) -> Union[int, float, bool, Any]:
        """The element whose bytes are those of the number."""
        kind, size = self._dtype.kind, self._dtype.itemsize
        if kind == "u" and self._dtype.isnative:
            return bits
        element = np.frombuffer(bits.to_bytes(size, "little"), dtype=self._dtype)[0]
        return element.copy() if isinstance(element, np.void) else element.item()

    def close(self) -> None:
        """Gives the array up; views of it go on."""
        self._view = None

    def __enter__(self) -> "Array":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<zeroipc.Array '{self.name}' of {self._capacity} x {self._dtype} in '{self._state.name}'>"
