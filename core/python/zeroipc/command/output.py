"""How answers look: plain tables, or JSON. What comes out of shared memory is never sent to a terminal as it is."""

from __future__ import annotations

import itertools
import json
import math
import sys
from typing import Any, Callable, Dict, Iterable, Optional, Sequence

import numpy as np


def printable(text: str) -> str:
    """Names and texts are somebody else's bytes: control characters and broken ones are written as escapes."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(c: str) -> str:
    code = ord(c)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def cell(value: Any) -> str:
    """One value of a table."""
    if value is None:
        return "unknown"
    if isinstance(value, float):
        return f"{value:.6g}"
    return printable(str(value))


def plain(value: Any) -> Any:
    """A value as JSON can have it."""
    if isinstance(value, bytes):
        return printable(value.decode("utf-8", "surrogateescape"))
    if isinstance(value, (np.ndarray, np.void, np.generic)):
        return plain(value.tolist()) if not isinstance(value, np.void) or value.dtype.fields else value.tobytes().hex()
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value) or isinstance(value, complex):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def text_of(value: Any) -> str:
    """A value of a dump on a line."""
    found = plain(value)
    return printable(found) if isinstance(found, str) else json.dumps(found)


class Unwritable(Exception):
    """The answer cannot be written."""


def _try(write: Callable[..., object], *what: str) -> None:
    """A reader that has gone is another matter: BrokenPipeError."""
    try:
        write(*what)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Unwritable(f"cannot write the answer: {error.strerror}") from None


def say(line: str = "", end: str = "\n") -> None:
    _try(sys.stdout.write, line + end)


def flush() -> None:
    _try(sys.stdout.flush)


def warn(line: str) -> None:
    sys.stderr.write(f"zeroipc: {printable(line)}\n")


def say_json(value: Any, indent: Optional[int] = 2) -> None:
    say(json.dumps(value, indent=indent, allow_nan=False))


def say_json_with(fields: Dict[str, Any], name: str, values: Iterable[Any]) -> None:
    """The same as of {**fields, name: [*values]}, of which only one value at a time is in memory."""
    encode, encode_one = json.JSONEncoder(indent=2, allow_nan=False).encode, json.JSONEncoder(allow_nan=False).encode
    say(encode({**fields, name: []})[: -len("]\n}")], end="")
    before, after = "", ""
    for value in values:
        text = encode(value).replace("\n", "\n    ") if isinstance(value, list) else encode_one(value)  # which is faster
        say(f"{before}\n    {text}", end="")
        before, after = ",", "\n  "
    say(after + "]\n}")


def say_table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Columns as wide as they need to be; numbers stand at the right. Goes through the rows twice, and keeps none."""
    widths, texts = [len(head) for head in heads], [False] * len(heads)
    is_empty = True
    for row in rows:
        is_empty = False
        for i, value in enumerate(row):
            widths[i] = max(widths[i], len(cell(value)))
            texts[i] = texts[i] or not (value is None or isinstance(value, (int, float)))
    for line in itertools.chain([heads], rows):
        parts = [
            cell(value).ljust(width) if text or is_empty else cell(value).rjust(width)
            for value, width, text in zip(line, widths, texts)
        ]
        say("  ".join(parts).rstrip())
