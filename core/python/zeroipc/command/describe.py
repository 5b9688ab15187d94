"""What a structure is, by its own bytes: kind, algorithm, layout, sizes, and what of that is impossible."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple

from .._format import BYTES_BELOW, DESCRIPTION, DESCRIPTION_FIELDS, DESCRIPTOR, KINDS, LAYOUT, known_layouts
from .._structure import Geometry, Place, Spec
from .._table import Entry
from ..errors import Corrupt, InvalidArgument
from .geometries import GEOMETRIES, capacity_least, has_handles

_DESCRIPTORS_AT = (8, 16, 24, 32)
_RESERVED = DESCRIPTOR["fields"]["reserved"]
_EVIDENCE = 6  # of the nine things looked at, to say what a structure is although its descriptor does not

Fault = Tuple[str, str]  # rule of check.RULES, and what is wrong


@dataclass(frozen=True)
class Structure:
    """A structure of a segment. What cannot be told is None."""

    entry: Entry
    kind: str = "unknown"
    algorithm: Optional[str] = None  #: a name, or the number where the format has no name for it
    layout: Optional[str] = None
    capacity: Optional[int] = None
    item_size: Optional[int] = None  #: of a map: the value's
    key_size: Optional[int] = None
    handle_slots: Optional[int] = None
    seed: Optional[int] = None
    place: Optional[Place] = None  #: where its parts lie; None if that is not known, or impossible
    faults: List[Fault] = field(default_factory=list)
    notes: List[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.entry.name

    def usable(self) -> Place:
        """Its place, if it can be read."""
        if self.place is None:
            if self.faults:
                raise Corrupt(f"structure '{self.name}': {self.faults[0][1]}; it was overwritten: make it anew")
            raise InvalidArgument(
                f"structure '{self.name}' is of a kind, algorithm or layout that this command cannot read; `zeroipc show` says "
                "which: use the version that made it"
            )
        return self.place


@dataclass
class _Reading:
    """The bytes read as one kind of structure."""

    kind: str
    fields: Dict[str, int]
    capacity: int
    algorithm: Optional[str]
    layout: Optional[str]
    geometry: Optional[Geometry]
    evidence: int


def _name_of(numbers: Dict[str, int], number: int) -> Optional[str]:
    return next((name for name, one in numbers.items() if one == number), None)


def _read(body: memoryview, kind: str) -> Optional[_Reading]:
    constants = LAYOUT[kind]
    at = constants["descriptor_offset"]
    if len(body) < at + DESCRIPTOR["bytes"]:
        return None
    raw = bytes(body[at : at + DESCRIPTOR["bytes"]])
    fields = dict(zip(DESCRIPTION_FIELDS, DESCRIPTION.unpack(raw)))
    where = constants["header"]["capacity"]["offset"]
    capacity = int.from_bytes(body[where : where + 8], "little")
    algorithm = _name_of(constants["algorithms"], fields["algorithm"])
    layout = _name_of({name: one["number"] for name, one in constants["layouts"].items()}, fields["layout"])
    # Where a name is missing, a geometry that fits tells whether only that number is wrong.
    geometries = [
        _geometry(kind, one, two, capacity, fields)
        for one in ([algorithm] if algorithm else constants["algorithms"])
        for two in ([layout] if layout else known_layouts(kind))
    ]
    geometry = next((g for g in geometries if g is not None and _fits(g, fields, len(body))), geometries[0])
    right = [
        fields["kind"] == KINDS[kind],
        algorithm is not None,
        layout is not None,
        1 <= capacity <= constants["limits"]["capacity_most"],
        fields["handle_slots"] <= constants["limits"]["handle_slots_most"],
        (fields["key_size"] > 0) == (kind == "map") and (kind == "map" or fields["seed"] == 0),
        not any(raw[_RESERVED["offset"] :]),
        geometry is not None and fields["item_stride"] == geometry.item_stride > 0,
        geometry is not None and fields["cell_stride"] == geometry.cell_stride and geometry.total == len(body),
    ]
    return _Reading(kind, fields, capacity, algorithm, layout, geometry, sum(right))


def _geometry(kind: str, algorithm: str, layout: str, capacity: int, fields: Dict[str, int]) -> Optional[Geometry]:
    one = known_layouts(kind).get(layout)
    if one is None or capacity >= BYTES_BELOW:
        return None
    spec = Spec(capacity, fields["handle_slots"], one, fields["item_size"], fields["key_size"], fields["seed"])
    return GEOMETRIES[kind][algorithm](spec)


def _fits(geometry: Geometry, fields: Dict[str, int], size: int) -> bool:
    strides = fields["item_stride"], fields["cell_stride"]
    return strides == (geometry.item_stride, geometry.cell_stride) and geometry.total == size


def _range_faults(one: _Reading, entry: Entry) -> List[Fault]:
    """What the descriptor says against what it may say."""
    fields, kind, limits = one.fields, one.kind, LAYOUT[one.kind]["limits"]
    algorithm = one.algorithm or next(iter(LAYOUT[kind]["algorithms"]))
    faults: List[Fault] = []
    least, most = capacity_least(kind, algorithm), limits["capacity_most"]
    if not least <= one.capacity <= most:
        faults.append(("structure.capacity", f"capacity {one.capacity}, which is not {least} to {most}"))
    elif algorithm == "exchange" and one.capacity & (one.capacity - 1):
        faults.append(("structure.capacity", f"capacity {one.capacity}, which is not a power of two"))
    slots = fields["handle_slots"]
    least, most = limits["handle_slots_least"], limits["handle_slots_most"]
    if not has_handles(kind, algorithm):
        least = most = 0
    if not least <= slots <= most:
        faults.append(("structure.handle_slots", f"{slots} handle slots, which is not {least} to {most}"))
    if fields["item_size"] == 0 and kind != "map":
        faults.append(("structure.item_size", "items of 0 bytes"))
    if (fields["key_size"] > 0) != (kind == "map"):
        faults.append(("structure.key_size", f"keys of {fields['key_size']} bytes in a {kind}"))
    if fields["seed"] != 0 and kind != "map":
        faults.append(("structure.key_size", f"a hash's seed in a {kind}"))
    geometry = one.geometry
    if geometry is not None:
        for name, right in (("item_stride", geometry.item_stride), ("cell_stride", geometry.cell_stride)):
            if fields[name] != right:
                faults.append(("structure.stride", f"{name} {fields[name]}, where the sizes give {right}"))
        if not faults and geometry.total > entry.size:
            faults.append(("structure.size", f"{entry.size} bytes, where capacity and slots need {geometry.total}"))
    return faults


def _structure(one: _Reading, entry: Entry, offset: int) -> Structure:
    fields, kind = one.fields, one.kind
    strong = one.evidence >= _EVIDENCE and one.geometry is not None and one.geometry.total == entry.size
    faults: List[Fault] = []
    notes: List[str] = []
    for name, known in (("kind", fields["kind"] == KINDS[kind]), ("algorithm", one.algorithm), ("layout", one.layout)):
        if not known:
            text = f"{name} number {fields[name]}"
            if strong:
                faults.append((f"structure.{name}", f"{text}, and all else is that of a {kind} with another one"))
            else:
                notes.append(f"{text} is not of this format version: not checked")
    known = one.algorithm is not None and one.layout is not None
    if known or strong:
        faults += _range_faults(one, entry)
    if known and one.geometry is None and not faults:
        notes.append(f"layout {one.layout}: only the descriptor is checked")
    if one.geometry is not None and one.geometry.total < entry.size and not faults and not notes:
        notes.append(f"{entry.size} bytes, of which {one.geometry.total} are needed")
    place = Place(entry.name, offset, one.geometry) if one.geometry is not None and known and not faults else None
    return Structure(
        entry, kind, one.algorithm or str(fields["algorithm"]), one.layout or str(fields["layout"]), one.capacity,
        fields["item_size"], fields["key_size"] if kind == "map" else None, fields["handle_slots"],
        fields["seed"] if kind == "map" else None, place, faults, notes,
    )  # fmt: skip


def describe(segment: Any, entry: Entry) -> Structure:
    """Tells a structure's kind. An array has no descriptor: what is no other kind, and may be one, is taken for one."""
    body = memoryview(segment)[entry.offset : entry.offset + entry.size]
    readings = [one for one in (_read(body, kind) for kind in GEOMETRIES) if one is not None]
    best = max(readings, key=lambda one: one.evidence, default=None)
    if best is not None and best.evidence >= _EVIDENCE:
        return _structure(best, entry, entry.offset)
    header = LAYOUT["array"]["header_bytes"]
    capacity = int.from_bytes(body[:header], "little")
    if len(body) > header and capacity > 0 and (len(body) - header) % capacity == 0:
        return Structure(entry, "array", None, None, capacity, (len(body) - header) // capacity)
    named = [one for one in readings if one.fields["kind"] == KINDS[one.kind]]
    if named:
        return _structure(max(named, key=lambda one: one.evidence), entry, entry.offset)
    if any(_may_be_newer(body, at) for at in _DESCRIPTORS_AT):
        return Structure(entry, notes=["a kind that is not of this format version: not checked"])
    text = f"{len(body)} bytes that are no array (capacity {capacity}) and have no descriptor of a known kind"
    return Structure(entry, faults=[("structure.kind", text)])


def _may_be_newer(body: memoryview, at: int) -> bool:
    """Whether a descriptor of a kind that later formats may add stands there."""
    if len(body) < at + DESCRIPTOR["bytes"]:
        return False
    raw = bytes(body[at : at + DESCRIPTOR["bytes"]])
    kind, algorithm, layout = DESCRIPTION.unpack(raw)[:3]
    return bool(max(KINDS.values()) < kind < 256) and 0 < algorithm < 256 and 0 < layout < 256
