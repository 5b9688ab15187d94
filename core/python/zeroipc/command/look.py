"""`zeroipc dump`, `zeroipc follow` and `zeroipc check`."""

from __future__ import annotations

import argparse
import time
from functools import partial
from itertools import islice
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, TypeVar

import numpy as np

from .._items import Codec
from ..errors import InvalidArgument, WrongItemSize
from .check import check, check_structure, open_checked
from .contents import array_elements, contents
from .counts import Counters, size
from .describe import Structure, describe
from .output import cell, flush, plain, say, say_json, say_json_with, say_table, text_of, warn
from .rules import RULES, Finding
from .segment import View
from .snapshot import take

_T = TypeVar("_T")


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


class _Again(Iterable[_T]):
    """What is made anew each time somebody goes through it: a dump may be larger than memory."""

    def __init__(self, make: Callable[[], Iterator[_T]]) -> None:
        self._make = make

    def __iter__(self) -> Iterator[_T]:
        return self._make()


def run_dump(arguments: argparse.Namespace) -> int:
    view = View(arguments.segment)
    structure = describe(view.bytes, view.entry(arguments.structure))
    whole = True
    if structure.kind == "array":
        body = view.bytes[structure.entry.offset : structure.entry.offset + structure.entry.size]
        count, look = structure.capacity or 0, partial(array_elements, body, structure)
    else:
        place = structure.usable()
        copy = take(view, place, place.geometry.total)
        whole, look = copy.is_of_one_moment, partial(contents, copy, structure)
        count = sum(1 for _ in look())  # before anything is shown: what is corrupt is said instead
    what = f"items of {structure.kind} '{structure.name}'"
    decode = _decoder(arguments.dtype, structure.item_size or 0, what)
    is_map = structure.kind == "map"
    if arguments.key_dtype is not None and not is_map:
        raise InvalidArgument(f"--key-dtype: structure '{structure.name}' is no map")
    key = _decoder(arguments.key_dtype, structure.key_size or 0, "keys of " + what) if is_map else None
    shown = _Again(lambda: islice(look(), arguments.limit))
    if arguments.json:
        fields: Dict[str, Any] = {"segment": view.path, "structure": structure.name, "kind": structure.kind, "count": count}
        fields["of_one_moment"] = whole if structure.kind != "array" else None
        if key:
            say_json_with(fields, "pairs", ([plain(key(k or b"")), plain(decode(v))] for k, v in shown))
        else:
            say_json_with(fields, "items", (plain(decode(v)) for _, v in shown))
    elif key:
        keys = key  # not None
        say_table(["KEY", "VALUE"], _Again(lambda: ([text_of(keys(k or b"")), text_of(decode(v))] for k, v in shown)))
    else:
        say_table(["INDEX", "VALUE"], _Again(lambda: ([i, text_of(decode(v))] for i, (_, v) in enumerate(shown))))
    if not whole:
        warn("it is in use, and never stood still for a moment: what is shown was not all there at once, and some may be missing")
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
        view.refuse_removed()
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
        flush()
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
        verdict = "sound" if not faults else "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        say(f"{cell(arguments.segment)}: {verdict}")
    return int(bool(faults))


def _line(one: Finding) -> str:
    return cell(f"{one.where or 'segment'}: {f'fault: {one.text} [{one.rule}]' if one.rule else f'note: {one.text}'}")
