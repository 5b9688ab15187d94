"""`zeroipc list` and `zeroipc show`."""

from __future__ import annotations

import argparse
import os
from typing import Any, Dict, List, Optional

from .._atomics import Words
from .._exchange_bytes import PENDING, Shape
from .._format import align, ALIGNMENT
from .._structure import Place, lock_byte
from .._treiber import TreiberStack
from ..errors import ZeroIPCError
from .check_table import TableCheck
from .counts import size
from .describe import Structure, describe
from .geometries import LINKED
from .output import printable, say, say_json, say_table, warn
from .rules import Findings
from .segment import View, is_corrupt, objects
from .who import Attached, attached, owners, processes


def _people(who: Attached) -> List[Dict[str, Any]]:
    return [{"pid": one.pid, "command": one.command} for one in who.visible]


def run_list(arguments: argparse.Namespace) -> int:
    if arguments.names:
        for name in objects():
            say(printable(name))
        return 0
    everybody = processes()
    rows: List[Dict[str, Any]] = []
    for name, finished in objects().items():
        row: Dict[str, Any] = {"segment": name, "bytes": None, "used_bytes": None, "structures": None}
        row.update(attached=None, processes=[], problem=None if finished else "not finished by its maker")
        try:
            row["bytes"] = os.stat("/dev/shm" + name).st_size
            view = View(name)
            who = attached(view, everybody)
            row.update(attached=who.anybody, processes=_people(who), text=who.text())
            row.update(used_bytes=view.used(), structures=[entry.name for entry in view.entries()])
        except (ZeroIPCError, OSError) as error:
            row["problem"] = row["problem"] or str(error)
        rows.append(row)
    if arguments.json:
        say_json([{key: value for key, value in row.items() if key != "text"} for row in rows])
        return 0
    if not rows:
        say("no segments")
        return 0
    say_table(
        ["SEGMENT", "BYTES", "USED", "STRUCTURES", "ATTACHED"],
        [
            [
                row["segment"], row["bytes"], row["used_bytes"],
                None if row["structures"] is None else ", ".join(row["structures"]) or "-", row.get("text"),
            ]
            for row in rows
        ],
    )  # fmt: skip
    for row in rows:
        if row["problem"]:
            warn(row["problem"] if row["segment"] in row["problem"] else f"{row['segment']}: {row['problem']}")
    return 0


def _doing(view: View, structure: Structure, slot: int) -> bool:
    """Whether a handle slot says that it is in the middle of an operation."""
    place, words = structure.usable(), Words(view.mapping)
    if structure.algorithm == "exchange":
        return any(words.load(Shape(place).record(slot, role)) & PENDING for role in ("out", "in"))
    if structure.algorithm in LINKED:
        stack = TreiberStack(view.mapping, place, slot, settled=False)
        return stack.unpack(words.load(stack.state_at))[0] != 0
    at = lock_byte(place, slot)
    return structure.algorithm == "buckets" and any(words.load(at + i) for i in (0, 8))


def _handles(view: View, structure: Structure, who: Attached) -> Optional[List[Dict[str, Any]]]:
    """The handle slots that are in use, or were when their owner died."""
    place: Optional[Place] = structure.place
    if place is None or not structure.handle_slots:
        return None
    found = []
    for slot in range(structure.handle_slots):
        is_alive, pids = owners(view, lock_byte(place, slot), who)
        in_operation = _doing(view, structure, slot)
        if is_alive or in_operation:
            found.append({"slot": slot, "alive": is_alive, "pids": pids, "in_operation": in_operation})
    return found


def _row(view: View, structure: Structure, who: Attached) -> Dict[str, Any]:
    problems = [text for _, text in structure.faults] + structure.notes
    corrupt = bool(structure.faults)
    current: Optional[int] = None
    try:
        current = size(view.mapping, structure)
    except ZeroIPCError as error:
        problems.append(str(error))
        corrupt = corrupt or is_corrupt(error)
    return {
        "name": structure.name, "kind": structure.kind, "algorithm": structure.algorithm, "layout": structure.layout,
        "offset": structure.entry.offset, "bytes": structure.entry.size, "item_size": structure.item_size,
        "key_size": structure.key_size, "capacity": structure.capacity, "current": current,
        "handle_slots": structure.handle_slots, "handles": _handles(view, structure, who),
        "corrupt": corrupt, "problem": "; ".join(problems) or None,
    }  # fmt: skip


def run_show(arguments: argparse.Namespace) -> int:
    view = View(arguments.segment)
    table = Findings("")
    look = TableCheck(view, table)
    look.run_table()
    if arguments.names:
        for entry in look.entries:
            say(printable(entry.name))
        return 0
    who = attached(view, processes())
    rows = [_row(view, describe(view.bytes, entry), who) for entry in look.entries]
    problems = [finding.text for finding in table.all() if finding.rule]
    status = int(bool(problems) or any(row["corrupt"] for row in rows))
    free = max(view.size - align(view.used(), ALIGNMENT), 0) if not problems else None
    if arguments.json:
        say_json({
            "segment": view.path, "bytes": view.size, "free_bytes": free, "max_entries": view.max_entries,
            "attached": who.anybody, "processes": _people(who), "structures": rows, "problems": problems,
        })  # fmt: skip
        return status
    say(f"segment {printable(view.path)}: {view.size} bytes, {'unknown' if free is None else free} free, "
        f"{len(rows)} of {view.max_entries} structures")  # fmt: skip
    say(f"attached: {printable(who.text())}")
    if rows:
        say()
        say_table(
            ["STRUCTURE", "KIND", "ALGORITHM", "LAYOUT", "OFFSET", "BYTES", "ITEM", "KEY", "CAPACITY", "CURRENT", "SLOTS"],
            [
                [
                    row["name"], row["kind"], row["algorithm"] or "-", row["layout"] or "-", row["offset"], row["bytes"],
                    row["item_size"], "-" if row["key_size"] is None else row["key_size"], row["capacity"], row["current"],
                    "-" if row["handle_slots"] is None else row["handle_slots"],
                ]
                for row in rows
            ],
        )  # fmt: skip
    _say_handles(rows)
    for text in problems + [f"structure '{row['name']}': {row['problem']}" for row in rows if row["problem"]]:
        warn(text)
    return status


def _say_handles(rows: List[Dict[str, Any]]) -> None:
    lines = [
        [
            row["name"], handle["slot"], "alive" if handle["alive"] else "dead",
            ", ".join(map(str, handle["pids"])) or ("unknown" if handle["alive"] else "-"),
            "in the middle" if handle["in_operation"] else "-",
        ]
        for row in rows
        for handle in row["handles"] or []
    ]  # fmt: skip
    if lines:
        say()
        say_table(["STRUCTURE", "HANDLE", "OWNER", "PID", "OPERATION"], lines)
