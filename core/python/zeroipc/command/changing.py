"""`zeroipc create`, `zeroipc repair` and `zeroipc unlink`: what writes, and only these."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any, Dict, List, Optional, Tuple

from .._attachment import try_lock
from .._format import ATTACHED_BYTE
from .._object import State, checked_path, linked_size, state_of
from ..array import Array
from ..errors import Busy, Exists, InvalidArgument, NotASegment, NotFound, ZeroIPCError
from ..map import Map
from ..memory import Memory
from ..queue import Queue
from ..stack import Stack
from .describe import Structure, describe
from .look import checked_dtype_of
from .output import printable, say, say_json
from .segment import is_corrupt, no_structure, open_object
from .who import processes

_DEFAULTS = {"queue": "exchange", "stack": "treiber", "map": "buckets"}  # what the library speaks


def _answer(arguments: argparse.Namespace, text: str, **fields: Any) -> int:
    if arguments.json:
        say_json(fields)
    else:
        say(printable(text))
    return 0


def run_create(arguments: argparse.Namespace) -> int:
    path = checked_path(arguments.segment)
    if arguments.kind is None:
        if arguments.size is None:
            raise InvalidArgument("create: a segment needs --size; a structure needs a kind, a name and --capacity")
        Memory.create(path, arguments.size, max_entries=arguments.max_entries, mode=arguments.mode).close()
        return _answer(arguments, f"made segment {path} of {arguments.size} bytes", segment=path, bytes=arguments.size)
    for option in ("name", "capacity", "dtype"):
        if getattr(arguments, option) is None:
            raise InvalidArgument(f"create: a {arguments.kind} needs {'--' if option != 'name' else 'a '}{option}")
    if (arguments.key_dtype is None) == (arguments.kind == "map"):
        raise InvalidArgument("create: a map needs --key-dtype, and nothing else has keys")
    memory, is_new = _opened_or_made(path, arguments)
    with memory:
        try:
            _create(memory, arguments)
        except BaseException:
            if is_new:
                _take_back(memory)
            raise
        entry = memory.find(arguments.name)
    made = f"made {arguments.kind} '{arguments.name}' of capacity {arguments.capacity} in {path}"
    return _answer(arguments, made, segment=path, structure=arguments.name, bytes=entry.size if entry else None)


def _opened_or_made(path: str, arguments: argparse.Namespace) -> Tuple[Memory, bool]:
    """The segment, and whether it was made here."""
    try:
        return Memory(path), False
    except NotFound:
        if arguments.size is None:
            raise
    try:
        return Memory.create(path, arguments.size, max_entries=arguments.max_entries, mode=arguments.mode), True
    except Exists:  # of somebody else's making, just now
        return Memory(path), False


def _take_back(memory: Memory) -> None:
    """Removes a segment that was made for a structure that could not be, unless somebody else has found it meanwhile."""
    state = memory._attachment()
    with state.alone() as is_alone:
        if is_alone and linked_size(state.descriptor.fd) is not None and not memory.entries():
            Memory.unlink(memory.name)


def _create(memory: Memory, arguments: argparse.Namespace) -> None:
    kind, name, capacity = arguments.kind, arguments.name, arguments.capacity
    dtype = checked_dtype_of(arguments.dtype, f"{kind} '{name}'")
    given: Dict[str, Any] = {
        option: getattr(arguments, option)
        for option in ("handle_slots", "layout", "seed")
        if getattr(arguments, option) is not None
    }
    has = [] if kind == "array" else ["handle_slots", "layout"] + (["seed"] if kind == "map" else [])
    unused = [option for option in given if option not in has]
    if unused:
        raise InvalidArgument(f"create: a {kind} has no {unused[0].replace('_', ' ')}")
    if kind == "array":
        Array(memory, name, capacity, dtype=dtype).close()
    elif kind == "map":
        key = checked_dtype_of(arguments.key_dtype, f"keys of map '{name}'")
        Map(memory, name, capacity, key_dtype=key, value_dtype=dtype, **given).close()
    else:
        made: Any = {"queue": Queue, "stack": Stack}[kind]
        made(memory, name, capacity, dtype=dtype, **given).close()


def _is_agreed(arguments: argparse.Namespace, question: str) -> bool:
    if arguments.yes:
        return True
    if not sys.stdin.isatty():
        raise InvalidArgument(f"{question} Say so with --yes, where no terminal can be asked")
    sys.stderr.write(f"{printable(question)} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _repair(memory: Memory, structure: Structure) -> Optional[int]:
    """Returns what had no owner; None for arrays and kinds of later formats: nothing to repair. Raises what the library does."""
    if structure.faults:
        structure.usable()  # says so
    if structure.kind not in _DEFAULTS:
        return None
    if structure.algorithm != _DEFAULTS[structure.kind]:
        raise InvalidArgument(
            f"{structure.kind} '{structure.name}' has algorithm {structure.algorithm}, whose repair is not the library's; "
            "a program of its own makes it"
        )
    structure.usable()
    item = f"V{structure.item_size}"
    if structure.kind == "map":
        return Map.repair(memory, structure.name, key_dtype=f"V{structure.key_size}", value_dtype=item)
    kinds: Any = {"queue": Queue, "stack": Stack}
    return int(kinds[structure.kind].repair(memory, structure.name, dtype=item))


def run_repair(arguments: argparse.Namespace) -> int:
    path = checked_path(arguments.segment)
    with Memory(path) as memory:
        entries = [one for one in memory.entries() if arguments.structure in (None, one.name)]
        if arguments.structure is not None and not entries:
            raise no_structure(path, arguments.structure)
        if not _is_agreed(arguments, f"Repair {', '.join(one.name for one in entries) or 'nothing'} in {path}?"):
            raise InvalidArgument("repair: not agreed to; nothing was changed")
        rows: List[Dict[str, Any]] = []
        failed = False
        for entry in entries:
            structure = describe(memory._usable_table().bytes, entry)
            try:
                rows.append({"structure": entry.name, "settled": _repair(memory, structure), "problem": None})
            except ZeroIPCError as error:
                if arguments.structure is not None:
                    raise
                rows.append({"structure": entry.name, "settled": None, "problem": str(error), "corrupt": is_corrupt(error)})
                # What the library does not repair by design is only said.
                failed |= not isinstance(error, InvalidArgument)
    if arguments.json:
        say_json({"segment": path, "structures": rows})
    for row in rows if not arguments.json else []:
        done = "nothing to repair" if row["settled"] is None else f"settled {row['settled']} without an owner"
        say(printable(f"{row['structure']}: {row['problem'] or done}"))
    return 1 if any(row.get("corrupt") for row in rows) else 2 if failed else 0


def run_unlink(arguments: argparse.Namespace) -> int:
    """Alone, so that nobody attaches in between: who does later finds the name gone, and begins anew."""
    path = checked_path(arguments.segment)
    with open_object(path, os.O_RDWR, "unlink") as descriptor:
        info = os.fstat(descriptor.fd)
        if state_of(descriptor.fd, info.st_size) is State.FOREIGN:
            raise NotASegment(f"object '{path}' was not made by ZeroIPC, or its first bytes are spoiled; rm /dev/shm{path}, if sure")
        if not any(os.pread(descriptor.fd, 4, 0)) and not arguments.force:
            raise InvalidArgument(
                f"object '{path}' of {info.st_size} bytes does not say who made it: a maker of ZeroIPC that died at once, or "
                "another program; use --force, if sure"
            )
        if not try_lock(descriptor.fd, ATTACHED_BYTE, True) and not arguments.force:
            users = processes().get((info.st_dev, info.st_ino), [])
            names = ", ".join(f"{one.pid} ({one.command})" for one in users) or "processes that this user may not see"
            raise Busy(f"segment '{path}' is in use by {names}; end them, or use --force: they keep what they have mapped")
        if linked_size(descriptor.fd) is None or not Memory.unlink(path):
            raise NotFound(f"segment '{path}' was removed meanwhile")
    return _answer(arguments, f"removed {path}", segment=path, removed=True)
