"""Items and keys: Python objects to bytes and back, by their NumPy dtype."""

from __future__ import annotations

import struct
from typing import Any, Callable, Tuple

import numpy as np
import numpy.typing as npt

from .errors import InvalidArgument

# What `struct` packs faster than NumPy does, by kind and size.
_FAST = {
    ("i", 1): "b", ("i", 2): "h", ("i", 4): "i", ("i", 8): "q",
    ("u", 1): "B", ("u", 2): "H", ("u", 4): "I", ("u", 8): "Q",
    ("f", 2): "e", ("f", 4): "f", ("f", 8): "d", ("b", 1): "?",
}  # fmt: skip


def checked_dtype(dtype: npt.DTypeLike, what: str) -> "np.dtype[Any]":
    """A dtype whose items are their own bytes."""
    found: np.dtype[Any] = np.dtype(dtype)
    if found.hasobject or found.itemsize == 0:
        raise InvalidArgument(f"{what}: items of dtype {found} cannot lie in shared memory; use a sized one without objects")
    return found


class Codec:
    """Turns items into bytes and back. Numbers become Python's own; what has fields, a `numpy.void` of its own."""

    def __init__(self, dtype: npt.DTypeLike, what: str) -> None:
        self.dtype = checked_dtype(dtype, what)
        self.size = self.dtype.itemsize
        self.encode: Callable[[Any], bytes] = self._encode
        self.decode: Callable[[Any], Any] = self._decode
        code = _FAST.get((self.dtype.kind, self.size))
        if code is not None and self.dtype.isnative and self.dtype.subdtype is None:
            packer = struct.Struct("<" + code)
            self._pack, self._unpack = packer.pack, packer.unpack
            self.encode, self.decode = self._encode_number, self._decode_number

    def _encode_number(self, item: Any) -> bytes:
        try:
            return self._pack(item)
        except (struct.error, TypeError, OverflowError) as error:
            raise InvalidArgument(f"{item!r} is no item of dtype {self.dtype}: {error}") from None

    def _decode_number(self, data: Any) -> Any:
        return self._unpack(data)[0]

    def _encode(self, item: Any) -> bytes:
        if isinstance(item, np.void) and item.dtype == self.dtype:
            return item.tobytes()
        if isinstance(item, str) and self.dtype.kind == "S":
            item = item.encode()
        if self.dtype.kind in "SU" and len(item) > self.size // self.dtype.alignment:
            raise InvalidArgument(f"{item!r} has {len(item)} characters; dtype {self.dtype} holds fewer")
        try:
            found = np.zeros((), dtype=self.dtype) if self.dtype.subdtype is None else np.zeros(1, dtype=self.dtype)[0]
            found[...] = item
        except (ValueError, TypeError, OverflowError) as error:
            raise InvalidArgument(f"{item!r} is no item of dtype {self.dtype}: {error}") from None
        return bytes(found.tobytes())

    def _decode(self, data: Any) -> Any:
        found = np.frombuffer(bytes(data), dtype=self.dtype)[0]
        return found.copy() if isinstance(found, (np.ndarray, np.void)) else found.item()

    def encode_many(self, items: npt.ArrayLike) -> Tuple[memoryview, int]:
        """The bytes of a one-dimensional array of items, and how many they are."""
        try:
            array = np.asarray(items, dtype=self.dtype.base)
        except (ValueError, TypeError, OverflowError) as error:
            raise InvalidArgument(f"no array of dtype {self.dtype}: {error}") from None
        if array.ndim == 0 or array.shape[1:] != self.dtype.shape:
            raise InvalidArgument(f"an array of shape {array.shape} is no row of items of dtype {self.dtype}")
        return memoryview(array.tobytes()), len(array)

    def decode_many(self, data: bytearray) -> "npt.NDArray[Any]":
        return np.frombuffer(data, dtype=self.dtype)


def _is_unique(dtype: "np.dtype[Any]") -> bool:
    """Whether equal values of the dtype have equal bytes: no padding, no floating point."""
    if dtype.subdtype is not None:
        return _is_unique(dtype.subdtype[0])
    if dtype.fields is None:
        return dtype.kind in "iubSUVmM"
    parts = sorted((field[1], field[0]) for field in dtype.fields.values())
    end = 0
    for offset, part in parts:
        if offset != end or not _is_unique(part):
            return False
        end += part.itemsize
    return end == dtype.itemsize


class KeyCodec(Codec):
    """Keys are compared by their bytes."""

    def __init__(self, dtype: npt.DTypeLike, what: str) -> None:
        super().__init__(dtype, what)
        if not _is_unique(self.dtype):
            raise InvalidArgument(
                f"{what}: keys of dtype {self.dtype} may be equal and have different bytes; "
                "use integers, bytes ('S16'), or a packed structure of these"
            )
        self.words = -(-self.size // 8)
        unpack_words = struct.Struct(f"<{self.words}Q").unpack
        padding = bytes(8 * self.words - self.size)
        self.words_of: Callable[[bytes], Tuple[int, ...]] = lambda data: unpack_words(data + padding)

    def key_words(self, key: Any) -> Tuple[int, ...]:
        """A key as the words by which maps compare it."""
        return self.words_of(self.encode(key))
