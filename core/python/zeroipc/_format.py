"""The format's constants. They are read from layout.json, which is the format's own file (core/format)."""

from __future__ import annotations

import json
import pathlib
import struct
import sys
from typing import Any, Dict, List

#: The whole file; its keys are explained in core/format/layout.md.
LAYOUT: Dict[str, Any] = json.loads(pathlib.Path(__file__).with_name("layout.json").read_text())

if sys.byteorder != LAYOUT["byte_order"]:
    raise ImportError("zeroipc: the format is little-endian, and this machine is not")

SEGMENT: Dict[str, Any] = LAYOUT["segment"]
VERSION: int = LAYOUT["format_version"]
MAGIC: int = SEGMENT["magic_u32"]
UNFINISHED: int = SEGMENT["unfinished_u32"]
HEADER_BYTES: int = SEGMENT["header_bytes"]
ENTRY_BYTES: int = SEGMENT["entry_bytes"]
NAME_BYTES: int = SEGMENT["entry"]["name"]["bytes"]
NAME_MOST: int = SEGMENT["limits"]["name_bytes_most"]
CURSOR: int = SEGMENT["cursor"]["offset"]
ALIGNMENT: int = SEGMENT["structure_alignment"]
BYTES_BELOW: int = SEGMENT["limits"]["bytes_below"]
ENTRIES_MOST: int = SEGMENT["limits"]["max_entries_most"]
CREATION_BYTE: int = SEGMENT["locks"]["creation"]
ATTACHED_BYTE: int = SEGMENT["locks"]["attached"]
FUTEX: Dict[str, Any] = LAYOUT["queue"]["futex_word"]
DESCRIPTOR: Dict[str, Any] = LAYOUT["descriptor"]
KINDS: Dict[str, int] = DESCRIPTOR["kinds"]

MASK64 = (1 << 64) - 1

_CODES = {4: "I", 8: "Q"}


def packing(fields: Dict[str, Dict[str, int]]) -> struct.Struct:
    """The fields of a record as a `struct`, in the order of their offsets; wider ones are padding."""
    code = "<"
    end = 0
    for field in fields.values():
        if field["offset"] != end:
            raise ImportError("zeroipc: layout.json has a gap, which this version does not understand")
        code += _CODES.get(field["bytes"], f"{field['bytes']}x")
        end += field["bytes"]
    return struct.Struct(code)


HEADER = packing(SEGMENT["header"])  #: magic, version and max_entries, count, next
DESCRIPTION = packing(DESCRIPTOR["fields"])
DESCRIPTION_FIELDS: List[str] = [name for name in DESCRIPTOR["fields"] if name != "reserved"]
ENTRY = struct.Struct(f"<{NAME_BYTES}sII")  #: name, offset, size


def align(value: int, alignment: int) -> int:
    """`value` rounded up to a multiple of `alignment`."""
    return -(-value // alignment) * alignment


def table_end(max_entries: int) -> int:
    """Offset of the first structure behind a table of that many entries, in bytes."""
    return align(HEADER_BYTES + ENTRY_BYTES * max_entries, ALIGNMENT)


def known_layouts(structure: str) -> Dict[str, Dict[str, Any]]:
    """The layouts of a structure that move its parts only: those that this package speaks."""
    every: Dict[str, Dict[str, Any]] = LAYOUT[structure]["layouts"]
    return {
        name: dict(one, name=name)
        for name, one in every.items()
        if "slot_bytes" not in one and "rotated_bits" not in one
    }
