"""`zeroipc dump`, `zeroipc follow` and `zeroipc check`."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any, Callable, List, Optional

import numpy as np

from .._items import Codec
from ..errors import InvalidArgument, WrongItemSize
from .check import check, check_structure, open_checked
from .contents import Pair, array_elements, contents
from .counts import Counters, size
from .describe import Structure, describe
from .output import cell, say, say_json, say_table, text_of, plain, warn
from .rules import RULES, Finding
from .segment import View
from .snapshot import take


def checked_dtype_of(text: str, what: str) -> "np.dtype[Any]":
    """A dtype as NumPy writes it. Raises InvalidArgument."""
    try:
        return Codec(np.dtype(text), what).dtype
    except (TypeError, ValueError, SyntaxError) as error:
        if isinstance(error, InvalidArgument):
            raise
        raise InvalidArgument(f"{what}: {text!r} is no dtype ({error}); NumPy's are: u4, i8, f8, S16, 'u4,f8', ...") from None


def _decoder(text: Optional[str], bytes_each: int, what: str) -> Callable[[bytes], Any]:
    """How bytes become values: as the dtype says; without one numbers where the size allows it, else hexadecimal."""
    if text is None:
        if bytes_each not in (1, 2, 4, 8):
            return lambda data: data.hex()
        return lambda data: int.from_bytes(data, "little")
    codec = Codec(checked_dtype_of(text, what), what)
    if codec.size != bytes_each:
        raise WrongItemSize(f"{what}: they have {bytes_each} bytes, and dtype {text!r} has {codec.size}")
    return codec.decode


def run_dump(arguments: argparse.Namespace) -> int:
    view = View(arguments.segment)
    structure = describe(view.bytes, view.entry(arguments.structure))
    whole = True
    if structure.kind == "array":
        begin = structure.entry.offset
        pairs: List[Pair] = array_elements(view.bytes[begin : begin + structure.entry.size], structure)
    else:
        place = structure.usable()
        copy = take(view, place, place.geometry.total)
        whole, pairs = copy.is_of_one_moment, contents(copy, structure)
    what = f"items of {structure.kind} '{structure.name}'"
    decode = _decoder(arguments.dtype, structure.item_size or 0, what)
    is_map = structure.kind == "map"
    if arguments.key_dtype is not None and not is_map:
        raise InvalidArgument(f"--key-dtype: structure '{structure.name}' is no map")
    key = _decoder(arguments.key_dtype, structure.key_size or 0, "keys of " + what) if is_map else None
    shown = pairs if arguments.limit is None else pairs[: arguments.limit]
    values = [(key(one[0] or b"") if key else None, decode(one[1])) for one in shown]
    if arguments.json:
        items = [[plain(k), plain(v)] if is_map else plain(v) for k, v in values]
        say_json({
            "segment": view.path, "structure": structure.name, "kind": structure.kind, "count": len(pairs),
            "of_one_moment": whole if structure.kind != "array" else None, "pairs" if is_map else "items": items,
        })  # fmt: skip
    elif is_map:
        say_table(["KEY", "VALUE"], [[text_of(k), text_of(v)] for k, v in values])
    else:
        say_table(["INDEX", "VALUE"], [[i, text_of(v)] for i, (_, v) in enumerate(values)])
    if not whole:
        warn("it is in use, and never stood still for a moment: what is shown was not all there at once")
    return 0


def run_follow(arguments: argparse.Namespace) -> int:
    view = View(arguments.segment)
    structure = describe(view.bytes, view.entry(arguments.structure))
    counters = Counters(view.mapping, structure)
    counters.rates(1)
    begin = last = time.monotonic()
    lines = 0
    while arguments.count is None or lines < arguments.count:
        # Against the beginning, so that what a look takes does not add up.
        time.sleep(max(begin + arguments.interval * (lines + 1) - time.monotonic(), 0))
        view.refuse_cut()
        now = time.monotonic()
        rates = counters.rates(now - last) or {}
        last = now
        values = {"seconds": now - begin, "current": size(view.mapping, structure), **{f"{k}_per_s": v for k, v in rates.items()}}
        if arguments.json:
            say_json(values, indent=None)
        else:
            if lines == 0:
                say("  ".join(name.upper().replace("_PER_S", "/S").replace("_", " ").rjust(12) for name in values))
            say("  ".join((f"{v:.1f}" if isinstance(v, float) else cell(v)).rjust(12) for v in values.values()))
        sys.stdout.flush()
        lines += 1
    return 0


def run_check(arguments: argparse.Namespace) -> int:
    if arguments.rules:
        say_table(["RULE", "WHAT HOLDS"], [[name, text] for name, text in RULES.items()])
        return 0
    if arguments.segment is None:
        raise InvalidArgument("check: which segment? `zeroipc list` shows those that there are")
    view, found = open_checked(arguments.segment)
    structures: Optional[List[Structure]] = None
    if view is not None and arguments.structure is not None:
        structures = [describe(view.bytes, view.entry(arguments.structure))]
        found += check_structure(view, structures[0])
    elif view is not None:
        found += check(view)
    faults = [one for one in found if one.rule]
    if arguments.json:
        say_json({
            "segment": arguments.segment, "sound": not faults,
            "faults": [{"structure": one.where or None, "rule": one.rule, "text": one.text} for one in faults],
            "notes": [{"structure": one.where or None, "text": one.text} for one in found if not one.rule],
        })  # fmt: skip
    else:
        for one in found:
            say(_line(one))
        say(f"{cell(arguments.segment)}: {'sound' if not faults else f'{len(faults)} faults'}")
    return int(bool(faults))


def _line(one: Finding) -> str:
    return cell(f"{one.where or 'segment'}: {f'fault: {one.text} [{one.rule}]' if one.rule else f'note: {one.text}'}")
