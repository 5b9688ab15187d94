"""How answers look: plain tables, or JSON. What comes out of shared memory is never sent to a terminal as it is."""

from __future__ import annotations

import json
import math
import sys
from typing import Any, List, Optional, Sequence

import numpy as np


def printable(text: str) -> str:
    """Names and texts are somebody else's bytes: control characters and broken ones are written as escapes."""
    return "".join(c if c.isprintable() else _escape(c) for c in text)


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


def say(line: str = "") -> None:
    sys.stdout.write(line + "\n")


def warn(line: str) -> None:
    sys.stderr.write(f"zeroipc: {printable(line)}\n")


def say_json(value: Any, indent: Optional[int] = 2) -> None:
    say(json.dumps(value, indent=indent, allow_nan=False))


def say_table(heads: Sequence[str], rows: Sequence[Sequence[Any]], indent: str = "") -> None:
    """Columns as wide as they need to be; numbers stand at the right."""
    texts: List[List[str]] = [[cell(value) for value in row] for row in rows]
    right = [all(isinstance(row[i], (int, float)) or row[i] is None for row in rows) for i in range(len(heads))]
    widths = [max([len(head), *(len(row[i]) for row in texts)]) for i, head in enumerate(heads)]
    for line in [list(heads), *texts]:
        parts = [t.rjust(w) if r and rows else t.ljust(w) for t, w, r in zip(line, widths, right)]
        say((indent + "  ".join(parts)).rstrip())
