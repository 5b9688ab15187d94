"""The package's constants are the format's, and its bytes are those of the golden images."""

import numpy as np
import pytest
import zeroipc
from conftest import FORMAT, GOLDEN, contents, golden, in_child, open_structure, place
from mortal import Steps, dies_before
from zeroipc import Memory
from zeroipc._bucket_map import bucket_of, hash_of
from zeroipc._format import LAYOUT

pytestmark = pytest.mark.fast


def test_the_constants_are_the_formats():
    assert (FORMAT.parent / "python/zeroipc/layout.json").read_bytes() == (FORMAT / "layout.json").read_bytes(), (
        "core/format/layout.json has changed: copy it to core/python/zeroipc, and look whether the code follows"
    )


@pytest.mark.parametrize("vector", LAYOUT["map"]["hash_vectors"])
def test_hashes(vector):
    found = hash_of(vector["key"], vector["seed"])
    assert found == vector["hash"]
    assert bucket_of(found, 1000) == vector["bucket_of_1000"]


def test_every_cause_of_the_pages_has_a_class():
    pages = "".join(page.read_text() for page in FORMAT.glob("*.md"))
    causes = set(zeroipc.errors.CLASSES)
    assert len(causes) == 22
    for cause in ("not_found", "wrong_kind", "table_full", "no_handle_slot", "forked", "corrupt", "busy"):
        assert f"`{cause}`" in pages and cause in causes


@pytest.mark.parametrize("stem", GOLDEN)
def test_golden_images_are_read(name, stem):
    described, images = golden(stem)
    for stage, data in zip(described["stages"], images):
        place(name, data)
        with Memory(name) as memory:
            assert memory.max_entries == described["max_entries"]
            (entry,) = memory.entries()
            s = described["structure"]
            assert (entry.name, entry.offset, entry.size) == (s["name"], s["offset"], s["size"])
            one = open_structure(memory, described)
            assert one.capacity == s["capacity"]
            if "elements" in stage:
                assert one.view.tolist() == stage["elements"]
                assert [one.load(i) for i in range(len(one))] == stage["elements"]
            elif "pairs" in stage:
                assert sorted(map(list, one.items())) == stage["pairs"]
            else:
                assert one.was_size() == len(stage["items"])
                assert one.get_many(100).tolist() == stage["items"]
            one.close()
        Memory.unlink(name)


def _apply(structure, stage):
    operation = stage["operation"]
    if operation == "store":
        structure.store(stage["index"], stage["value"])
    elif operation == "fetch_add":
        assert structure.fetch_add(stage["index"], stage["value"]) == stage["gives"]
    elif operation == "push":
        assert structure.try_push(stage["item"])
    elif operation == "pop":
        assert structure.try_pop() == stage["item"]
    elif operation == "insert":
        assert structure.insert(stage["key"], stage["value"]) is zeroipc.Outcome.INSERTED
    elif operation == "assign":
        assert structure.insert_or_assign(stage["key"], stage["value"]) is zeroipc.Outcome.ASSIGNED
    elif operation == "erase":
        assert structure.erase(stage["key"])
    else:
        raise AssertionError(operation)


def _make(memory, s):
    if s["kind"] == "array":
        return [zeroipc.Array(memory, s["name"], s["capacity"], dtype="u4")]
    if s["kind"] == "map":
        more = {"key_dtype": "u8", "value_dtype": "u8", "seed": s["seed"]}
    else:
        more = {"dtype": "u8"}
    kind = {"queue": zeroipc.Queue, "stack": zeroipc.Stack, "map": zeroipc.Map}[s["kind"]]
    first = kind(memory, s["name"], s["capacity"], handle_slots=s["handle_slots"], **more)
    return [first, kind(memory, s["name"], **more)]


@pytest.mark.parametrize("stem", GOLDEN)
def test_golden_images_are_written(name, stem):
    """Byte by byte; a queue's head and tail, which are hints, may be lower."""
    described, images = golden(stem)
    s = described["structure"]
    with Memory.create(name, described["bytes"], max_entries=described["max_entries"]) as memory:
        handles = _make(memory, s)
        for n, (stage, expected) in enumerate(zip(described["stages"], images)):
            if stage["operation"] == "kill":
                continue
            if n > 0:
                _apply(handles[stage.get("through", 0)], stage)
            _check_image(contents(name), expected, s)
        kills = [(n, stage) for n, stage in enumerate(described["stages"]) if stage["operation"] == "kill"]
        if kills:
            before, after = _next_to_the_commit(name, handles[kills[0][1].get("through", 0)], kills[0][1])
            _check_image(before, images[kills[0][0]], s)
            _check_image(after, images[kills[1][0]], s)
        for handle in handles:
            handle.close()


def _next_to_the_commit(name, handle, stage):
    """The segment right before and right after the last successful compare-and-swap of an operation."""
    shots = {"before": [], "after": []}
    steps = Steps(
        before=lambda _, what: what == "cas_8" and shots["before"].append(contents(name)),
        after=lambda _, what: what == "cas_8" and shots["after"].append(contents(name)),
    )
    with steps:
        if "key" in stage:
            handle.insert(stage["key"], stage["value"])
        else:
            handle.try_push(stage["item"])
    return shots["before"][-1], shots["after"][-1]


def _check_image(found, expected, s):
    found = bytearray(found)
    if s["kind"] == "queue":
        for at in (s["offset"], s["offset"] + 8):
            assert 0 <= expected[at] - found[at] <= 8 and found[at + 1 : at + 8] == bytes(7)
            found[at] = expected[at]
    assert bytes(found).hex(" ", 16) == expected.hex(" ", 16)


@pytest.mark.parametrize("layout", ["compact", "padded", "padded64"])
@pytest.mark.parametrize("kind", ["queue", "stack", "map"])
def test_layouts(memory, kind, layout):
    if kind == "map":
        one = zeroipc.Map(memory, "it", 16, key_dtype="u4", value_dtype="u4", layout=layout)
        again = zeroipc.Map(memory, "it", key_dtype="u4", value_dtype="u4")
        one[3] = 4
        assert again[3] == 4
    else:
        types = {"queue": zeroipc.Queue, "stack": zeroipc.Stack}
        one = types[kind](memory, "it", 16, dtype="u4", layout=layout)
        again = types[kind](memory, "it", dtype="u4")
        one.push(3)
        assert again.pop() == 3
    assert again.layout == layout


def test_the_memory_is_that_of_the_array(memory):
    """A view is the memory itself, not a copy."""
    array = zeroipc.Array(memory, "data", 4, dtype=np.int32)
    array.view[2] = -2
    entry = memory.find("data")
    assert contents(memory.name)[entry.offset + 16 : entry.offset + 20] == (-2).to_bytes(4, "little", signed=True)


def test_deaths_are_deaths(name):
    """The tool of the kill tests: a process that should die does, by SIGKILL."""
    with Memory.create(name, 1 << 16) as memory:
        zeroipc.Queue(memory, "q", 4, dtype="u8").close()

        def action():
            queue = zeroipc.Queue(Memory(name), "q", dtype="u8")
            with dies_before(1):
                queue.try_push(1)

        assert in_child(action) == 9
