"""`zeroipc check`: every invariant of a segment's header and table and of each structure."""

from __future__ import annotations

from typing import List, Optional, Tuple

from .._atomics import Words
from .._exchange_bytes import signed
from .._structure import Place
from ..errors import ZeroIPCError
from .check_map import MapCheck
from .check_queue import QueueCheck
from .check_stack import StackCheck, check_array_stack
from .check_table import TableCheck
from .counts import indices
from .describe import Structure, describe
from .geometries import ARRAYS, COUNTED, LINKED
from .rules import Finding, Findings
from .segment import View, is_corrupt
from .snapshot import Snapshot, take


def open_checked(name: str) -> Tuple[Optional[View], List[Finding]]:
    """The segment, or what is wrong with its header. Raises what is the caller's mistake."""
    try:
        return View(name), []
    except ZeroIPCError as error:
        if not is_corrupt(error):
            raise
        return None, [Finding("", "segment.header", str(error))]


def check(view: View) -> List[Finding]:
    """Everything that is wrong, or worth a note. A structure in use is looked at again until it stands still for a moment."""
    view.refuse_cut()
    table = Findings("")
    look = TableCheck(view, table)
    look.run()
    found = table.all()
    for entry in look.entries:
        found += check_structure(view, describe(view.bytes, entry))
    return found


def check_structure(view: View, structure: Structure) -> List[Finding]:
    findings = Findings(structure.name)
    for rule, text in structure.faults:
        findings.fault(rule, text)
    for text in structure.notes:
        findings.note(text)
    place, kind, algorithm = structure.place, structure.kind, structure.algorithm or ""
    if place is None:
        return findings.all()
    copy = take(view, place, _size_to_copy(place, kind, algorithm))
    now = copy.is_of_one_moment
    if kind == "queue" and algorithm == "exchange":
        QueueCheck(copy, findings).run(now)
    elif kind == "stack" and algorithm in LINKED:
        StackCheck(copy, findings).run(now)
    elif kind == "map" and algorithm == "buckets":
        MapCheck(copy, findings).run(now)
    else:
        now = _check_others(copy, structure, findings)
    if not now:
        findings.note("in use, and never still for a moment: only what must hold at every moment is checked; stop its users")
    return findings.all()


def _size_to_copy(place: Place, kind: str, algorithm: str) -> int:
    """What is looked at: of queues no items, of algorithms for comparison only the first words."""
    parts, body = place.geometry.parts, place.geometry.spec.layout["body"]
    if kind == "queue":
        return int(parts.get("buffers", body))
    return place.geometry.total if algorithm in (*LINKED, "buckets") else int(body)


def _check_others(copy: Snapshot, structure: Structure, findings: Findings) -> bool:
    """Of the algorithms for comparison: what their words say about the size. False: that needs a copy of one moment."""
    spec = copy.place.geometry.spec
    checked = "the descriptor is"
    if structure.kind == "queue" and structure.algorithm in COUNTED:
        if not copy.is_of_one_moment:
            return False
        checked = "the descriptor and the indices are"
        head, tail = indices(copy.mapping, copy.place)
        if not 0 <= signed(tail - head) <= spec.capacity:
            text = f"{signed(tail - head)} items lie between head and tail, of a capacity of {spec.capacity}"
            findings.fault("queue.indices", text)
    elif structure.kind == "stack" and structure.algorithm in ARRAYS:
        checked = "the descriptor and the top are"
        check_array_stack(Words(copy.mapping).load(spec.layout["top"]), spec.capacity, findings)
    findings.note(f"algorithm {structure.algorithm}: only {checked} checked")
    return True
