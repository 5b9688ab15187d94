"""The same verdict of every language on the same hostile bytes: when they are opened, and of each operation afterwards."""

import random

import pytest
from conftest import GOLDEN, SEED, contents, golden, place
from hostile_program import spoil
from workers import LANGUAGES, pool  # noqa: F401  (a fixture)
from zeroipc import Memory
from zeroipc._format import LAYOUT


def _opened(worker, name, described):
    """How a language finds a segment and the structure in it."""
    worker.must("reset")
    s = described["structure"]
    keys = {"key_bytes": 8} if s["kind"] == "map" else {}
    found = [worker.ask("open_segment", as_="memory", name=name)]
    if found[0]["result"] == "ok":
        found.append(worker.ask("facts", on="memory"))
        for entry in found[1].get("entries", []):
            entry[0] = ""  # spoiled names need not be text
        named = {"kind": s["kind"], "name": s["name"], "item_bytes": s["item_size"], **keys}
        found.append(worker.ask("open", as_="it", on="memory", **named))
    return found


def _other_layout(spoiled, s):
    """Whether it names a layout that Python reads as it finds it, and the others where they are asked for it."""
    if s["kind"] == "array":
        return False
    layout = s["offset"] + {"queue": 24, "stack": 16, "map": 8}[s["kind"]] + LAYOUT["descriptor"]["fields"]["layout"]["offset"]
    return spoiled[layout : layout + 4] in (b"\2\0\0\0", b"\3\0\0\0")


#: What is spoiled first, whatever the seed: offset, bytes, and the verdict.
_SURE = [
    (0, b"", "ok"),
    (0, b"XIPC", "not_a_segment"),
    (4, b"\x09", "version_mismatch"),
    (6, b"\xff\xff", "truncated"),
    (8, b"\xff", "corrupt"),
    (16, b"another", "not_found"),
    (16 + 32, b"\x01", "corrupt"),
]
#: In the two handle slots of the stack: an operation that there is not.
_SURE_OF = {"stack-compact-3x8": [(256, b"\5" + bytes(63) + b"\5", "ok")]}


def _spoiled_images(rng, described, images, count):
    """Images with random damage, up to so many."""
    for _ in range(count):
        spoiled = bytearray(rng.choice(images))
        spoil(rng, spoiled, rng.choice([0, 0, 8, 128]))
        if rng.random() < 0.1:
            spoiled = spoiled[: rng.randrange(len(spoiled))]
        if not _other_layout(spoiled, described["structure"]):
            yield bytes(spoiled)


def _sure_images(images, stem):
    for at, value, verdict in _SURE + _SURE_OF.get(stem, []):
        spoiled = bytearray(images[0])
        spoiled[at : at + len(value)] = value
        yield bytes(spoiled), verdict


def _one_verdict(workers, name, image, described):
    verdicts = []
    for worker in workers:
        place(name, image)
        verdicts.append(_opened(worker, name, described))
        Memory.unlink(name)
    assert verdicts[0] == verdicts[1] == verdicts[2], (verdicts, image.hex())
    return verdicts[0][-1]["result"]


@pytest.mark.medium
@pytest.mark.parametrize("stem", GOLDEN)
def test_hostile_bytes_have_one_verdict(name, pool, stem):
    """Each language opens, or refuses by the same cause, the same spoiled images."""
    workers = [pool(language) for language in LANGUAGES]
    described, images = golden(stem)
    for image, verdict in _sure_images(images, stem):
        assert _one_verdict(workers, name, image, described) == verdict
    causes = {}
    for image in _spoiled_images(random.Random(f"{SEED} {stem}"), described, images, 400):
        cause = _one_verdict(workers, name, image, described)
        causes[cause] = causes.get(cause, 0) + 1
    for worker in workers:
        worker.must("reset")
    print(f"verdicts: {causes}")


def _steps(rng, s):
    """Operations of all kinds, in random order."""

    def word(n, size):
        return n.to_bytes(8, "little").hex()[: 2 * size].ljust(2 * size, "0")

    def item():
        return word(rng.randrange(4), s["item_size"])

    def key():
        return word(rng.randrange(12), 8)

    def element():
        return {"index": rng.choice([0, 1, 2, 3, 1000])}

    number = s["item_size"] in (1, 2, 4, 8)
    choices = {
        "array": [
            lambda: {"do": "read", **element()},
            lambda: {"do": "write", **element(), "item": item()},
        ]
        + number
        * [
            lambda: {"do": rng.choice(["exchange", "fetch_add", "fetch_sub", "fetch_xor"]), **element(), "item": item()},
            lambda: {"do": "array_compare_exchange", **element(), "expected": item(), "desired": item()},
        ],
        "queue": [
            lambda: {"do": "try_push", "item": item()},
            lambda: {"do": "try_pop"},
            lambda: {"do": "push_many", "items": [item() for _ in range(rng.randrange(1, 4))]},
            lambda: {"do": "pop_many", "most": rng.randrange(1, 4)},
            lambda: {"do": "pop", "timeout_ms": 0},
            lambda: {"do": "push", "item": item(), "timeout_ms": 0},
            lambda: {"do": "size"},
        ],
        "map": [
            lambda: {"do": rng.choice(["insert", "assign"]), "key": key(), "value": item()},
            lambda: {"do": rng.choice(["find", "erase"]), "key": key()},
            lambda: {"do": "compare_exchange", "key": key(), "expected": item(), "desired": item()},
            lambda: {"do": "update_xor", "key": key(), "mask": item()},
            lambda: {"do": "pairs"},
            lambda: {"do": "map_size"},
            lambda: {"do": "wait", "key": key(), "timeout_ms": 0},
        ],
    }
    choices["stack"] = [*choices["queue"], lambda: {"do": "try_peek"}]
    return [rng.choice(choices[s["kind"]])() for _ in range(12)]


def _answers(worker, name, image, described, steps):
    """How it is opened, the answers to the steps, and the bytes that they leave; up to the first step at which Python, which
    is asked first and gives up early, has waited in vain: the others would wait for long."""
    place(name, image)
    opened = _opened(worker, name, described)
    if opened[-1]["result"] != "ok":
        return opened, [], b""
    found = []
    for step in steps:
        found.append(worker.ask("hastily", step={"on": "it", **step}))
        if found[-1]["result"] == "no progress":
            break
    left = bytearray(contents(name))
    if any(step["do"].endswith("_many") and answer["result"] == "corrupt" for step, answer in zip(steps, found)):
        # Whether a batch wakes others that ended in an error is each language's own: they look again by themselves.
        s = described["structure"]
        for word in ("items_wait", "space_wait"):
            at = s["offset"] + LAYOUT[s["kind"]]["layouts"]["compact"][word]
            left[at : at + 4] = bytes(4)
    return opened, found, bytes(left)


@pytest.mark.medium
@pytest.mark.parametrize("stem", GOLDEN)
def test_operations_on_hostile_bytes_have_one_verdict(name, pool, stem):
    """Each language answers each operation alike on the same spoiled images, and leaves the same bytes."""
    rng = random.Random(f"{SEED} {stem} operations")
    python, *others = [pool(language) for language in ("python", "cpp", "c")]
    described, images = golden(stem)
    results = {}
    for image in _spoiled_images(rng, described, images, 250):
        steps = _steps(rng, described["structure"])
        opened, expected, left = _answers(python, name, image, described, steps)
        Memory.unlink(name)
        stuck = bool(expected) and expected[-1]["result"] == "no progress"
        asked = steps[: len(expected) - stuck]
        for worker in others:
            verdict, found, bytes_left = _answers(worker, name, image, described, asked)
            Memory.unlink(name)
            assert verdict == opened, (worker.language, image.hex())
            assert found == expected[: len(asked)], (worker.language, asked, expected, found, image.hex())
            assert stuck or bytes_left == left, (worker.language, asked, image.hex(), left.hex(), bytes_left.hex())
        for answer in expected:
            results[answer["result"]] = results.get(answer["result"], 0) + 1
    for worker in (python, *others):
        worker.must("reset")
    assert results.get("ok", 0) > 0
    print(f"answers: {results}")
