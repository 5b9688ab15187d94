"""`zeroipc check`: what is sound is called so, and each rule that it claims to look at is broken here, in every way, and found."""

import json

import pytest
from conftest import FORMAT, VARIANTS, contents, golden, place
from zeroipc import Array, Map, Memory, Queue, Stack
from zeroipc._bucket_map import bucket_of, hash_of
from zeroipc._format import LAYOUT
from zeroipc.command.describe import describe
from zeroipc.command.main import main
from zeroipc.command.rules import RULES
from zeroipc.command.segment import View

pytestmark = pytest.mark.fast

IMAGES = sorted(path.stem for path in (FORMAT / "golden").glob("*.json")) + VARIANTS


def _check(name, capsys):
    """Status, and the rules that are broken."""
    status = main(["check", name, "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert answer["sound"] == (status == 0) == (not answer["faults"])
    return status, [fault["rule"] for fault in answer["faults"]]


@pytest.mark.parametrize("stem", IMAGES)
def test_golden_images_are_sound(name, stem, capsys):
    for data in golden(stem)[1]:
        place(name, data)
        assert _check(name, capsys) == (0, [])


class Spoiled:
    """A segment's bytes, with one structure of each kind at work for a while; and the places of their words."""

    def __init__(self, name):
        with Memory.create(name, 1 << 14, max_entries=8) as memory:
            with Queue(memory, "q", 4, dtype="u8", handle_slots=3) as queue:
                queue.put_many([1, 2, 3, 4])
                queue.get_many(2)
                queue.push(5)
            with Stack(memory, "s", 4, dtype="u8", handle_slots=2) as stack:
                stack.put_many([1, 2, 3])
                stack.pop()
                stack.push(4)
                stack.pop()
            with Map(memory, "m", 4, key_dtype="u4", value_dtype="u4", handle_slots=2, seed=5) as table:
                for i in range(8):
                    table[i] = i
            Array(memory, "a", 10, dtype="u4").close()
        self.data = bytearray(contents(name))
        self.places = {entry.name: describe(self.data, entry) for entry in View(name).entries()}
        Memory.unlink(name)
        self.parts = {key: one.place.geometry.parts for key, one in self.places.items() if one.place}

    def at(self, structure, offset=0):
        return self.places[structure].entry.offset + offset

    def get(self, at, size=8):
        return int.from_bytes(self.data[at : at + size], "little")

    def put(self, at, value, size=8):
        assert self.get(at, size) != value, "nothing would change"
        self.data[at : at + size] = value.to_bytes(size, "little")

    def field(self, structure, field):
        """The place of a descriptor's field."""
        kind = LAYOUT[self.places[structure].kind]
        return self.at(structure, kind["descriptor_offset"] + LAYOUT["descriptor"]["fields"][field]["offset"])

    def capacity(self, structure):
        return self.at(structure, LAYOUT[self.places[structure].kind]["header"]["capacity"]["offset"])

    def cell(self, i):
        return self.at("q", self.parts["q"]["cells"] + 8 * i)

    def record(self, slot, i):
        return self.at("q", 128 + 64 * slot + 8 * i)

    def node(self, n):
        return self.at("s", self.parts["s"]["nodes"] + 16 * (n - 1))

    def top(self):
        return self.get(self.at("s")) & 0xF

    def header(self, bucket):
        return self.at("m", self.parts["m"]["buckets"] + self.places["m"].place.geometry.cell_stride * bucket)

    def bucket(self, wanted):
        """The first bucket of this sort."""
        found = [b for b in range(self.parts["m"]["bucket_count"]) if wanted(b)]
        assert found, "the map has no such bucket"
        return found[0]

    def linked(self):
        return self.bucket(lambda b: 0 < self.get(self.header(b) + 8, 4) < 1 << 31)

    def unlinked(self):
        return self.bucket(lambda b: self.get(self.header(b) + 12, 4) == 0)

    def crowded(self):
        """A bucket with keys in its first two slots."""
        return self.bucket(lambda b: self.get(self.header(b)) & 3 == 3)

    def key_of_another(self, bucket):
        """A key that belongs elsewhere."""
        buckets = self.parts["m"]["bucket_count"]
        return next(k for k in range(100, 1000) if bucket_of(hash_of((k,), 5), buckets) != bucket)

    def owner(self, block):
        return self.at("m", self.parts["m"]["owners"] + 4 * block)

    def pool_block(self):
        return next(b for b in range(self.parts["m"]["block_count"]) if self.get(self.owner(b), 4) == 0)


def _entry(i):
    return 16 + 40 * i


def _duplicate(s):
    s.data[_entry(1) : _entry(1) + 32] = s.data[_entry(0) : _entry(0) + 32]


def _same_buffer(s):
    s.put(s.cell(1), s.get(s.cell(1)) & ~15 | (s.get(s.cell(0)) & 15) ^ 1)


def _pending_without_either(s):
    """Both buffers that it may own are in cells."""
    own, gain = s.get(s.cell(0)) & 15, (s.get(s.cell(1)) & 15) ^ 1
    s.put(s.record(0, 0), (own ^ 4) << 1 | 1)
    s.data[s.record(0, 2) : s.record(0, 2) + 16] = (0).to_bytes(8, "little") + gain.to_bytes(8, "little")


def _pending_beyond(s):
    s.put(s.record(0, 0), s.get(s.record(0, 0)) | 1)
    s.data[s.record(0, 3) : s.record(0, 3) + 8] = (15).to_bytes(8, "little")


def _below(s, n, below):
    s.put(s.node(n), below, 4)


def _lowest(s):
    n = s.top()
    while s.get(s.node(n), 4):
        n = s.get(s.node(n), 4)
    return n


def _free_ring(s):
    first = (s.get(s.at("s", 80)) & 0xF) + 1
    s.put(s.node(first), 2**32 - 1, 4)  # it follows itself


def _same_key(s):
    at = s.header(s.crowded()) + 16
    s.data[at + 16 : at + 24] = s.data[at : at + 8]


def _same_block(s):
    b = s.linked()
    other = s.bucket(lambda n: n != b and s.get(s.header(n) + 12, 4) == 0)
    s.put(s.header(other) + 12, s.get(s.header(b) + 8, 4), 4)


FAULTS = [
    ("segment.header", "magic", lambda s: s.put(0, 0x41, 1)),
    ("segment.header", "version", lambda s: s.put(4, 7, 2)),
    ("segment.header", "no entries", lambda s: s.put(6, 0, 2)),
    ("segment.header", "count", lambda s: s.put(8, 9, 4)),
    ("segment.header", "next before the table's end", lambda s: s.put(12, 64, 4)),
    ("segment.header", "next behind the end", lambda s: s.put(12, 1 << 20, 4)),
    ("segment.header", "cut", lambda s: s.data.__delitem__(slice(1000, None))),
    ("segment.header", "cut in the header", lambda s: s.data.__delitem__(slice(10, None))),
    ("table.name", "endless", lambda s: s.data.__setitem__(slice(_entry(0), _entry(0) + 32), b"x" * 32)),
    ("table.name", "none", lambda s: s.put(_entry(0), 0, 1)),
    ("table.name", "control character", lambda s: s.put(_entry(0), 0x1B, 1)),
    ("table.name", "more behind it", lambda s: s.put(_entry(0) + 20, 1, 1)),
    ("table.unique", "", _duplicate),
    ("table.place", "not at a multiple of 64", lambda s: s.put(_entry(3) + 32, s.at("a") + 8, 4)),
    ("table.place", "over another", lambda s: s.put(_entry(3) + 32, s.at("q"), 4)),
    ("table.place", "in the table", lambda s: s.put(_entry(0) + 32, 64, 4)),
    ("table.place", "beyond the segment", lambda s: s.put(_entry(3) + 36, 1 << 31, 4)),
    ("table.place", "empty", lambda s: s.put(_entry(3) + 36, 0, 4)),
    ("table.next", "", lambda s: s.put(12, s.get(12, 4) + 64, 4)),
    ("table.draft", "elsewhere", lambda s: s.put(_entry(4) + 32, 64, 4)),
    ("table.draft", "too large", lambda s: (s.put(_entry(4) + 32, (s.get(12, 4) + 63) & ~63, 4), s.put(_entry(4) + 36, 1 << 20, 4))),
    ("table.unused", "", lambda s: s.put(_entry(7), 1, 1)),
    ("segment.free", "last byte", lambda s: s.put(len(s.data) - 1, 1, 1)),
    ("segment.free", "first byte", lambda s: s.put(s.get(12, 4), 1, 1)),
    *[("structure.kind", x, lambda s, x=x: s.put(s.field(x, "kind"), 200, 4)) for x in "qsm"],
    *[("structure.kind", f"{x} as array", lambda s, x=x: s.put(s.field(x, "kind"), 1, 4)) for x in "qsm"],
    ("structure.kind", "an array's capacity", lambda s: s.put(s.at("a"), 7)),
    ("structure.kind", "an array without one", lambda s: s.put(s.at("a"), 0)),
    *[("structure.algorithm", x, lambda s, x=x: s.put(s.field(x, "algorithm"), 99, 4)) for x in "qsm"],
    *[("structure.layout", x, lambda s, x=x: s.put(s.field(x, "layout"), 99, 4)) for x in "qsm"],
    *[("structure.capacity", f"{x}: 0", lambda s, x=x: s.put(s.capacity(x), 0)) for x in "qsm"],
    *[("structure.capacity", f"{x}: huge", lambda s, x=x: s.put(s.capacity(x), 1 << 60)) for x in "qsm"],
    ("structure.capacity", "q: 3", lambda s: s.put(s.capacity("q"), 3)),
    *[("structure.handle_slots", f"{x}: 0", lambda s, x=x: s.put(s.field(x, "handle_slots"), 0, 4)) for x in "qsm"],
    *[("structure.handle_slots", f"{x}: 1001", lambda s, x=x: s.put(s.field(x, "handle_slots"), 1001, 4)) for x in "qsm"],
    *[("structure.item_size", x, lambda s, x=x: s.put(s.field(x, "item_size"), 0, 4)) for x in "qs"],
    *[("structure.key_size", x, lambda s, x=x: s.put(s.field(x, "key_size"), 4, 4)) for x in "qs"],
    ("structure.key_size", "m", lambda s: s.put(s.field("m", "key_size"), 0, 4)),
    *[("structure.key_size", f"{x}: seed", lambda s, x=x: s.put(s.field(x, "seed"), 4)) for x in "qs"],
    *[("structure.stride", f"{x}: items", lambda s, x=x: s.put(s.field(x, "item_stride"), 800, 4)) for x in "qsm"],
    *[("structure.stride", f"{x}: cells", lambda s, x=x: s.put(s.field(x, "cell_stride"), 800, 4)) for x in "qsm"],
    *[("structure.size", x, lambda s, x=x: s.put(s.capacity(x), 1024)) for x in "qsm"],
    ("queue.cell", "beyond", lambda s: s.put(s.cell(2), s.get(s.cell(2)) | 15)),
    ("queue.cell", "twice", _same_buffer),
    ("queue.turns", "ahead", lambda s: s.put(s.cell(3), s.get(s.cell(3)) + (4 << 4))),
    ("queue.turns", "behind", lambda s: s.put(s.cell(0), s.get(s.cell(0)) & 15)),
    ("queue.indices", "tail ahead", lambda s: s.put(s.at("q", 8), 6)),
    ("queue.indices", "head ahead", lambda s: s.put(s.at("q"), 3)),
    ("queue.indices", "head far behind", lambda s: s.put(s.at("q"), 2**64 - 7)),
    ("queue.slot", "beyond", lambda s: s.put(s.record(1, 0), (15 ^ 6) << 1)),
    ("queue.slot", "a cell's", lambda s: s.put(s.record(1, 0), ((s.get(s.cell(0)) & 15) ^ 6) << 1)),
    ("queue.slot", "another slot's", lambda s: s.put(s.record(1, 0), (9 ^ 6) << 1)),
    ("queue.pending", "neither", _pending_without_either),
    ("queue.pending", "beyond", _pending_beyond),
    ("stack.list", "top", lambda s: s.put(s.at("s"), s.get(s.at("s")) | 15)),
    ("stack.list", "free", lambda s: s.put(s.at("s", 80), s.get(s.at("s", 80)) | 15)),
    ("stack.list", "author", lambda s: s.put(s.at("s"), s.get(s.at("s")) | 0x30)),
    ("stack.link", "beyond", lambda s: _below(s, s.top(), 200)),
    ("stack.link", "ring", lambda s: _below(s, _lowest(s), s.top())),
    ("stack.link", "free, ring", _free_ring),
    ("stack.link", "free, beyond", lambda s: s.put(s.node((s.get(s.at("s", 80)) & 15) + 1), 1000, 4)),
    ("stack.depth", "top", lambda s: s.put(s.node(s.top()) + 4, 4, 4)),
    ("stack.depth", "above capacity", lambda s: s.put(s.node(s.top()) + 4, 5, 4)),
    ("stack.depth", "lowest", lambda s: s.put(s.node(_lowest(s)) + 4, 0, 4)),
    ("stack.slot", "doing", lambda s: s.put(s.at("s", 128), 9)),
    ("stack.slot", "node", lambda s: s.put(s.at("s", 128), 100 << 4)),
    ("stack.owner", "twice", lambda s: s.put(s.at("s", 192), s.top() << 4)),
    ("stack.owner", "lost", lambda s: s.put(s.at("s", 128), 0)),
    ("map.link", "beyond", lambda s: s.put(s.header(s.linked()) + 8, 1000, 4)),
    ("map.link", "mark", lambda s: s.put(s.header(s.unlinked()) + 12, 1 << 31 | 77, 4)),
    ("map.link", "twice", _same_block),
    ("map.owner", "in the pool", lambda s: s.put(s.owner(s.get(s.header(s.linked()) + 8, 4) - 1), 0, 4)),
    ("map.owner", "in no bucket", lambda s: s.put(s.owner(s.pool_block()), 1, 4)),
    ("map.owner", "in no hands", lambda s: s.put(s.owner(s.pool_block()), 2, 4)),
    ("map.slot", "", lambda s: s.put(s.header(s.unlinked()), s.get(s.header(s.unlinked())) | 1 << 9 | 1 << 24)),
    ("map.reserved", "", lambda s: s.put(s.header(s.crowded()), s.get(s.header(s.crowded())) & ~1)),
    ("map.closing", "in the bucket", lambda s: s.put(s.header(s.crowded()), s.get(s.header(s.crowded())) & ~(1 << 15))),
    ("map.closing", "in a block", lambda s: s.put(s.header(s.linked()), s.get(s.header(s.linked())) & ~(1 << 18) | 1 << 3)),
    ("map.bucket", "", lambda s: s.put(s.header(s.crowded()) + 16, s.key_of_another(s.crowded()))),
    ("map.unique", "", _same_key),
    ("map.padding", "key", lambda s: s.put(s.header(s.crowded()) + 20, 1, 4)),
    ("map.padding", "value", lambda s: s.put(s.header(s.crowded()) + 28, 1, 4)),
    ("map.handle", "reserved", lambda s: s.put(s.at("m", 128), 1 + 16 * 9999)),
    ("map.handle", "step", lambda s: s.put(s.at("m", 136), 1 | 3 << 1)),
    ("map.handle", "block", lambda s: s.put(s.at("m", 136), 1 | 9999 << 4)),
]  # fmt: skip


def test_the_segment_to_be_spoiled_is_sound(name, capsys):
    place(name, Spoiled(name).data)
    assert _check(name, capsys) == (0, [])


@pytest.mark.parametrize("rule, spoil", [(r, f) for r, _, f in FAULTS], ids=[f"{r}-{w}".replace(" ", "-") for r, w, _ in FAULTS])
def test_each_fault_is_found(name, rule, spoil, capsys):
    spoiled = Spoiled(name)
    spoil(spoiled)
    place(name, spoiled.data)
    status, rules = _check(name, capsys)
    assert status == 1 and rule in rules, rules
    # The others say something too, or show what they can; none ends by an exception.
    for command in (["show", name], *(["dump", name, one] for one in "qsma"), ["list"]):
        assert main(command) in (0, 1, 2)


def test_a_stack_that_is_an_array(name, capsys):
    described, images = golden("variants/stack-flat_combining-3x8")
    data = bytearray(images[-1])
    data[described["structure"]["offset"]] = 99
    place(name, data)
    assert _check(name, capsys) == (1, ["stack.top"])


def test_every_rule_is_broken_here():
    assert {rule for rule, _, _ in FAULTS} | {"stack.top"} == set(RULES)
