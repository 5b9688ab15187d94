"""What structures with a capacity, a descriptor and handles have in common: how they are made, found, opened."""

from __future__ import annotations

import threading
import time
import weakref
from dataclasses import dataclass
from typing import Any, Callable, Dict, NoReturn

from ._attachment import Attachment
from ._format import BYTES_BELOW, DESCRIPTION, DESCRIPTION_FIELDS, DESCRIPTOR, KINDS, LAYOUT, known_layouts
from .errors import Busy, Corrupt, InvalidArgument, InvalidCapacity, Misuse, NoHandleSlot, NotFound, TooLarge
from .errors import WrongItemSize, WrongKind, ZeroIPCError
from .memory import Memory


@dataclass(frozen=True)
class Spec:
    """What a structure is made of."""

    capacity: int
    handle_slots: int
    layout: Dict[str, Any]
    item_size: int
    key_size: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Geometry:
    """Where the parts of a structure lie, in bytes from its start. `parts` are the algorithm's own."""

    spec: Spec
    item_stride: int
    cell_stride: int
    slots: int  #: first handle slot
    total: int
    parts: Dict[str, int]


@dataclass(frozen=True)
class Kind:
    """A kind of structure, and the one algorithm of it that this package speaks."""

    noun: str
    algorithm: str
    geometry: Callable[[Spec], Geometry]
    recover: "Recover"
    power_of_two: bool = False

    @property
    def constants(self) -> Dict[str, Any]:
        found: Dict[str, Any] = LAYOUT[self.noun]
        return found

    def layout(self, name: str) -> Dict[str, Any]:
        found = known_layouts(self.noun).get(name)
        if found is None:
            raise InvalidArgument(f"layout {name!r} of a {self.noun}; use one of {', '.join(known_layouts(self.noun))}")
        return found

    def checked(self, what: str, spec: Spec) -> Geometry:
        """The geometry, if it is possible."""
        limits = self.constants["limits"]
        least, most = limits.get("capacity_least", 1), limits["capacity_most"]
        if spec.capacity < least:
            raise InvalidCapacity(f"{what}: capacity {spec.capacity}; use at least {least}")
        if self.power_of_two and spec.capacity & (spec.capacity - 1):
            raise InvalidCapacity(f"{what}: capacity {spec.capacity} is not a power of two; use 1, 2, 4, 8, ...")
        if not limits["handle_slots_least"] <= spec.handle_slots <= limits["handle_slots_most"]:
            raise InvalidArgument(
                f"{what}: {spec.handle_slots} handle slots; use {limits['handle_slots_least']} to "
                f"{limits['handle_slots_most']}"
            )
        geometry = self.geometry(spec)
        if spec.capacity > most or geometry.total >= BYTES_BELOW:
            raise TooLarge(
                f"{what}: {spec.capacity} items of {spec.item_size} bytes do not fit below 4 GiB; use a smaller capacity"
            )
        return geometry

    def description(self, geometry: Geometry) -> Dict[str, int]:
        spec = geometry.spec
        return {
            "kind": KINDS[self.noun],
            "algorithm": self.constants["algorithms"][self.algorithm],
            "layout": spec.layout["number"],
            "item_size": spec.item_size,
            "item_stride": geometry.item_stride,
            "cell_stride": geometry.cell_stride,
            "handle_slots": spec.handle_slots,
            "key_size": spec.key_size,
            "seed": spec.seed,
        }


@dataclass(frozen=True)
class Place:
    """A structure found or made: where it is, and its geometry as checked against that place."""

    name: str
    offset: int
    geometry: Geometry


#: Decides what the dead owner of a slot had, given who tells whether other slots' owners are dead: False if that cannot be
#: told now.
Recover = Callable[[Attachment, Place, int, Callable[[int], bool]], bool]


def create(memory: Memory, kind: Kind, name: str, spec: Spec) -> Place:
    geometry = kind.checked(f"{kind.noun} '{name}'", spec)
    constants = kind.constants
    description = kind.description(geometry)

    def initialise(body: memoryview) -> None:
        at = constants["header"]["capacity"]["offset"]
        body[at : at + 8] = spec.capacity.to_bytes(8, "little")
        at = constants["descriptor_offset"]
        body[at : at + DESCRIPTOR["bytes"]] = DESCRIPTION.pack(*(description[f] for f in DESCRIPTION_FIELDS))

    entry = memory._add(name, geometry.total, initialise)
    return Place(name, entry.offset, geometry)


def lookup(memory: Memory, kind: Kind, name: str, item_size: int, key_size: int = 0) -> Place:
    """Finds a structure, and believes nothing of what it says before it is checked."""
    what, constants = f"{kind.noun} '{name}'", kind.constants
    entry = memory.find(name)
    if entry is None:
        raise NotFound(f"segment '{memory.name}' has no structure '{name}'; create it first")
    at = constants["descriptor_offset"]
    if entry.size < at + DESCRIPTOR["bytes"]:
        raise WrongKind(f"{what} takes only {entry.size} bytes: it is no {kind.noun}")
    body = memory._usable_table().bytes[entry.offset : entry.offset + entry.size]
    at_capacity = constants["header"]["capacity"]["offset"]
    capacity = int.from_bytes(body[at_capacity : at_capacity + 8], "little")
    found = dict(zip(DESCRIPTION_FIELDS, DESCRIPTION.unpack(body[at : at + DESCRIPTOR["bytes"]])))

    def differs(field: str, asked: int) -> str:
        return f"{what} has {field} {found[field]}, not {asked}; open it as what it was made"

    for field, asked in (("kind", KINDS[kind.noun]), ("algorithm", constants["algorithms"][kind.algorithm])):
        if found[field] != asked:
            raise WrongKind(differs(field, asked))
    layouts = {one["number"]: one for one in known_layouts(kind.noun).values()}
    if found["layout"] not in layouts:
        raise WrongKind(f"{what} has layout {found['layout']}, which this package does not speak")
    for field, asked in (("item_size", item_size), ("key_size", key_size)):
        if found[field] != asked:
            raise (WrongItemSize if field == "item_size" or key_size else Corrupt)(differs(field, asked))
    spec = Spec(capacity, found["handle_slots"], layouts[found["layout"]], item_size, key_size, found["seed"])
    impossible = Corrupt(
        f"{what} says capacity {capacity} and {spec.handle_slots} handle slots, which its {entry.size} bytes do not hold; "
        "it was overwritten: make it anew"
    )
    try:
        geometry = kind.checked(what, spec)
    except ZeroIPCError:  # these numbers come from shared memory: not the caller's mistake
        raise impossible from None
    made = kind.description(geometry)
    for field in ("item_stride", "cell_stride"):
        if found[field] != made[field]:
            raise Corrupt(differs(field, made[field]))
    if geometry.total > entry.size:
        raise impossible
    return Place(name, entry.offset, geometry)


def lock_byte(place: Place, slot: int) -> int:
    geometry = place.geometry
    return place.offset + geometry.slots + int(geometry.spec.layout["line"]) * slot


def claim(state: Attachment, kind: Kind, place: Place) -> int:
    """Gets the first handle slot whose lock is free and whose last owner's possessions can be told."""

    def is_dead(slot: int) -> bool:
        byte = lock_byte(place, slot)
        if not state.try_hold(byte):
            return False
        state.let_go(byte)
        return True

    slots, parked = place.geometry.spec.handle_slots, 0
    # A recovery elsewhere may hold a slot for a moment, to see whether its owner is dead: so, look again.
    for attempt in range(3):
        if attempt > 0:
            time.sleep(200e-6)
        parked = 0
        for slot in range(slots):
            byte = lock_byte(place, slot)
            if not state.try_hold(byte):
                continue
            decided = False
            try:
                decided = kind.recover(state, place, slot, is_dead)
            finally:
                if not decided:
                    state.let_go(byte)
            if decided:
                return slot
            parked += 1
    raise NoHandleSlot(
        f"{kind.noun} '{place.name}': all {slots} handle slots are taken, {parked} of them parked after a kill; "
        f"close handles, or make the {kind.noun} with more handle_slots"
    )


def _taken_lock() -> Any:
    lock = threading.Lock()
    lock.acquire()
    return lock


class Handle:
    """What one thread at a time uses to work on a structure: a locked handle slot. Base of Queue, Stack and Map."""

    _noun = "structure"

    def __init__(self, state: Attachment, place: Place, slot: int) -> None:
        self._state = state
        self._place = place
        self._slot = slot
        self._guard: Any = threading.Lock()  # held during an operation, and for ever by who closes the handle
        self._closed = False
        self._let_go = weakref.finalize(self, state.let_go, lock_byte(place, slot))
        self._let_go.atexit = False  # the kernel drops the lock
        with state.mutex:
            state.handles.add(self)

    @property
    def name(self) -> str:
        return self._place.name

    @property
    def capacity(self) -> int:
        return self._place.geometry.spec.capacity

    @property
    def handle_slots(self) -> int:
        """Handles that may be open at once, in all processes together."""
        return self._place.geometry.spec.handle_slots

    @property
    def handle_slot(self) -> int:
        """The number of this handle's slot."""
        return self._slot

    @property
    def layout(self) -> str:
        return str(self._place.geometry.spec.layout["name"])

    def close(self) -> None:
        """Gives the handle slot back. May be called again; not while another thread is in an operation."""
        if self._closed or self._state.forked:
            return
        if not self._guard.acquire(False):
            self._refuse()
        self._closed = True
        self._let_go()

    def lose(self) -> None:
        """In a forked child: the handle is the parent's."""
        self._guard = _taken_lock()

    def _refuse(self) -> NoReturn:
        """Says why the guard could not be had."""
        if self._state.forked:
            self._state.raise_forked()
        what = f"{self._noun} '{self.name}'"
        if self._closed:
            raise Misuse(f"{what} was closed here; open it anew")
        raise Misuse(f"{what} is in use by another thread, or by the function that it calls; open a handle for each thread")

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return (
            f"<zeroipc.{type(self).__name__} '{self.name}' of capacity {self.capacity} in '{self._state.name}'"
            f"{', closed' if self._closed else ''}>"
        )


def refuse_repair(kind: Kind, name: str, segment: str) -> Busy:
    return Busy(
        f"{kind.noun} '{name}' cannot be repaired while others use segment '{segment}', or this process has handles in it; "
        f"close them, and end those processes (fuser /dev/shm{segment} lists them)"
    )


