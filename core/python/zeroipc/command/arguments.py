"""The command line of `zeroipc`."""

from __future__ import annotations

import argparse
from typing import Any, Callable, List, Optional

from .. import __version__
from .._format import BYTES_BELOW, ENTRIES_MOST, known_layouts
from .changing import run_create, run_repair, run_unlink
from .look import run_check, run_dump, run_follow
from .show import run_list, run_show

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def size(text: str) -> int:
    """A number of bytes, with k, M or G for powers of 1024."""
    number, unit = (text[:-1], text[-1].lower()) if text[-1:].isalpha() else (text, "")
    if not number.isdigit() or unit not in _UNITS:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; use bytes, or a number with k, M or G, like 64M")
    found = int(number) * _UNITS[unit]
    if found >= BYTES_BELOW:
        raise argparse.ArgumentTypeError(f"{text} is {found} bytes; the format ends below 4 GiB")
    return found


def _whole(least: int, most: int, what: str, base: int = 10) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            found = int(text, base)
        except ValueError:
            found = least - 1
        if not least <= found <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no {what}")
        return found

    return parse


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0.01 <= found <= 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is no interval; use 0.01 to 86400 seconds")
    return found


def parser() -> argparse.ArgumentParser:
    main = argparse.ArgumentParser(
        prog="zeroipc",
        description="Looks into shared-memory segments of ZeroIPC without writing a byte; makes, repairs and removes them.",
        epilog="Exit status: 0 well; 1 a segment is corrupt; 2 bad usage, or it cannot be done; 130 interrupted.",
    )
    main.add_argument("--version", action="version", version=f"zeroipc {__version__}")
    commands = main.add_subparsers(dest="command", metavar="COMMAND", required=True)

    # Positional arguments: "one", "any" for one that may be left out, or none at all.
    def add(name: str, text: str, structure: Optional[str] = None, segment: Optional[str] = "one") -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False)
        for argument, how, what in (
            ("segment", segment, "its name; the slash may be left out"), ("structure", structure, "its name in the segment"),
        ):  # fmt: skip
            some: Any = {"nargs": "?"} if how == "any" else {}
            if how is not None:
                made.add_argument(argument, metavar=argument.upper(), help=what, **some)
        made.add_argument("--json", action="store_true", help="answer as JSON")
        return made

    listing = add("list", "shows the segments of this machine, what is in them, and who is attached", segment=None)
    listing.add_argument("--names", action="store_true", help="only the names, one a line")
    listing.set_defaults(run=run_list)

    show = add("show", "shows a segment's structures, their sizes, and which handles have living owners")
    show.add_argument("--names", action="store_true", help="only the structures' names, one a line")
    show.set_defaults(run=run_show)

    dump = add("dump", "shows what is in a structure, in the order in which it would come out", "one")
    dump.add_argument("--dtype", metavar="D", help="NumPy's name of an item's type: u4, f8, S16, 'u4,f8'; without it numbers, or hex")
    dump.add_argument("--key-dtype", metavar="D", help="the same of a map's keys")
    dump.add_argument("--limit", metavar="N", type=_whole(0, 1 << 62, "number of items"), help="so many at most")
    dump.set_defaults(run=run_dump)

    follow = add("follow", "shows how much goes through a structure, as it happens", "one")
    follow.add_argument("--interval", metavar="S", type=_seconds, default=1.0, help="seconds from line to line (1)")
    follow.add_argument("--count", metavar="N", type=_whole(1, 1 << 62, "number of lines"), help="so many lines (until Ctrl-C)")
    follow.set_defaults(run=run_follow)

    check = add("check", "looks whether all that must hold in a segment does; exit status 1 says that it does not", "any", "any")
    check.add_argument("--rules", action="store_true", help="lists what is looked at")
    check.set_defaults(run=run_check)

    repair = add("repair", "puts in order what killed processes left; only when nobody else is attached", "any")
    repair.add_argument("--yes", action="store_true", help="does not ask")
    repair.set_defaults(run=run_repair)

    unlink = add("unlink", "removes a segment, unless somebody is attached")
    unlink.add_argument("--force", action="store_true", help="also then, they keep what they have mapped; also an empty object")
    unlink.set_defaults(run=run_unlink)

    _add_create(add("create", "makes a segment, or a structure in one"))
    return main


def _add_create(create: argparse.ArgumentParser) -> None:
    create.add_argument("kind", metavar="KIND", nargs="?", choices=("array", "queue", "stack", "map"), help="array, queue, stack or map")
    create.add_argument("name", metavar="NAME", nargs="?", help="the structure's name")
    create.add_argument("--size", metavar="BYTES", type=size, help="of the segment, which is made if there is none: 65536, 64k, 16M")
    create.add_argument("--max-entries", metavar="N", type=_whole(1, ENTRIES_MOST, "number of entries"), default=64,
                        help="structures that the segment can hold (64)")  # fmt: skip
    create.add_argument("--mode", metavar="OCTAL", type=_whole(0, 0o777, "mode; use 600, 660, ...", 8), default=0o600,
                        help="the segment's permissions (600)")  # fmt: skip
    create.add_argument("--capacity", metavar="N", type=_whole(0, 1 << 62, "capacity"), help="items; of a queue, a power of two")
    create.add_argument("--dtype", metavar="D", help="NumPy's name of an item's type, of a map the value's")
    create.add_argument("--key-dtype", metavar="D", help="a map's keys: integers, S16, ...")
    create.add_argument("--handle-slots", metavar="N", type=_whole(1, 1000, "number of handle slots; use 1 to 1000"),
                        help="handles that can be open at once (64; of a stack 32)")  # fmt: skip
    create.add_argument("--layout", choices=sorted(known_layouts("queue")), help="where its words lie (compact)")
    create.add_argument("--seed", metavar="N", type=_whole(0, (1 << 64) - 1, "seed"), help="of a map's hash (random)")
    create.set_defaults(run=run_create)


def parse(arguments: Optional[List[str]]) -> argparse.Namespace:
    return parser().parse_args(arguments)
