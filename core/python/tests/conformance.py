"""The library in Python, playing the steps of core/format/conformance (see its README for what each one says).

    python3 conformance.py --record        writes what the segments' bytes hash to into the cases: for new cases, which the other
                                           languages then have to agree with
    python3 conformance.py --images FOLDER writes the bytes themselves, a listing for each step that compares them
"""

import argparse
import contextlib
import json
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
FORMAT = HERE.parents[1] / "format"
CASES = FORMAT / "conformance"
sys.path[:0] = [str(HERE.parent), str(HERE), str(CASES)]

import numpy as np  # noqa: E402
from conftest import image, place  # noqa: E402
from zeroipc import Array, Map, Memory, Queue, Stack, ZeroIPCError  # noqa: E402

RECORD = np.dtype([("value", "u8"), ("part", "u4"), ("weight", "f4"), ("text", "S8")])
DTYPES = {1: np.dtype("u1"), 2: np.dtype("u2"), 4: np.dtype("u4"), 8: np.dtype("u8"), 24: RECORD}


def dtype_of(size):
    """Numbers, the struct of the tests, or bytes."""
    return DTYPES.get(size, np.dtype(f"V{size}"))


def item_of(data, dtype):
    """The item with these bytes."""
    if len(data) != dtype.itemsize:
        raise ValueError(f"a payload of {len(data)} bytes, not {dtype.itemsize}")
    item = np.frombuffer(data, dtype=dtype)[0]
    return item if isinstance(item, np.void) else item.item()


def data_of(item, dtype):
    return item.tobytes() if isinstance(item, (np.void, np.generic)) else int(item).to_bytes(dtype.itemsize, "little")


def fnv1a64(data):
    """Fowler, Noll and Vo's hash of 1991, variant 1a, 64 bits."""
    found = 0xCBF29CE484222325
    for byte in data:
        found = (found ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{found:016x}"


class Fields:
    """A step's fields. What nobody reads is an error."""

    def __init__(self, step):
        self._step, self._read = step, {"expect"}

    def __getitem__(self, key):
        self._read.add(key)
        return self._step[key]

    def get(self, key, otherwise):
        return self[key] if key in self._step else otherwise

    def data(self, key):
        return bytes.fromhex(self[key])

    def all_are_read(self):
        unread = sorted(set(self._step) - self._read)
        if unread:
            raise ValueError(f"fields {unread} were not read")


def _ok(**more):
    return {"result": "ok", **more}


class Player:
    """Plays steps, and gives what the library answered in the form of their `expect`."""

    def __init__(self, own):
        self._own = own  # stands for `@` in the names of segments
        self._named, self._opened = [], {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in reversed(list(self._opened.values())):
            one.close()
        self._opened.clear()
        for name in self._named:
            with contextlib.suppress(OSError):  # some are refused, and some were never there
                os.unlink("/dev/shm" + name)

    def perform(self, step):
        f = Fields(step)
        operation = getattr(self, "do_" + f["do"], None)
        if operation is None:
            raise ValueError(f"there is no operation '{f['do']}'")
        try:
            answer = operation(f)
        except ZeroIPCError as error:
            answer = {"result": error.cause}
        f.all_are_read()
        return answer

    def name_of(self, name):
        if not name.startswith("@"):
            return name
        own = self._own + name[1:]
        if "/" not in own[1:]:
            self._named.append(own)
        return own

    def keep(self, name, one):
        if name in self._opened:
            raise ValueError(f"'{name}' is open already")
        self._opened[name] = one
        return _ok()

    def on(self, f, *kinds):
        one = self._opened.get(f["on"])
        if not isinstance(one, kinds):
            raise ValueError(f"'{f['on']}' is nothing that this can be done on")
        return one

    # Segments.

    def do_create_segment(self, f):
        as_, name, size, most = f["as"], self.name_of(f["name"]), f["bytes"], f["max_entries"]
        return self.keep(as_, Memory.create(name, size, max_entries=most))

    def do_open_or_create_segment(self, f):
        as_, name, size, most = f["as"], self.name_of(f["name"]), f["bytes"], f["max_entries"]
        return self.keep(as_, Memory(name, size, max_entries=most))

    def do_open_segment(self, f):
        as_, name = f["as"], self.name_of(f["name"])
        return self.keep(as_, Memory.open(name))

    def do_remove_segment(self, f):
        return _ok() if Memory.unlink(self.name_of(f["name"])) else {"result": "not_found"}

    def do_facts(self, f):
        one = self.on(f, Memory)
        entries = [[entry.name, entry.offset, entry.size] for entry in one.entries()]
        return _ok(bytes=one.size, max_entries=one.max_entries, free_bytes=one.free_bytes, entries=entries)

    def do_find_structure(self, f):
        entry = self.on(f, Memory).find(f["name"])
        return {"result": "not_found"} if entry is None else _ok(offset=entry.offset, size=entry.size)

    def do_close(self, f):
        self._opened.pop(f["on"]).close()
        return _ok()

    # Structures in them.

    def _shape(self, f):
        """Class, name and dtypes."""
        kind, name = {"array": Array, "queue": Queue, "stack": Stack, "map": Map}[f["kind"]], f["name"]
        if kind is Map:
            return kind, name, {"key_dtype": dtype_of(f["key_bytes"]), "value_dtype": dtype_of(f["item_bytes"])}
        return kind, name, {"dtype": dtype_of(f["item_bytes"])}

    def do_create(self, f):
        as_, memory, (kind, name, more) = f["as"], self.on(f, Memory), self._shape(f)
        if kind is not Array:
            more["handle_slots"] = f["handle_slots"]
        if kind is Map:
            more["seed"] = f["seed"]
        return self.keep(as_, kind(memory, name, f["capacity"], **more))

    def do_open(self, f):
        as_, memory, (kind, name, more) = f["as"], self.on(f, Memory), self._shape(f)
        return self.keep(as_, kind(memory, name, **more))

    def do_repair(self, f):
        kind, name, more = self._shape(f)
        return _ok(reclaimed=kind.repair(self.on(f, Memory), name, **more))

    # Bytes.

    def do_set_image(self, f):
        place(self.name_of(f["name"]), image(f["image"], f["bytes"]))
        return _ok()

    def do_set_bytes(self, f):
        with open("/dev/shm" + self.name_of(f["name"]), "r+b") as file:
            file.seek(f["offset"])
            file.write(f.data("data"))
        return _ok()

    def do_set_length(self, f):
        with open("/dev/shm" + self.name_of(f["name"]), "ab") as file:
            file.truncate(f["bytes"])
        return _ok()

    def bytes_of(self, f):
        return pathlib.Path("/dev/shm" + self.name_of(f["name"])).read_bytes()

    def do_bytes(self, f):
        return _ok(fnv1a64=fnv1a64(self.bytes_of(f)))

    # Arrays.

    def _element(self, f, key="item"):
        one = self.on(f, Array)
        return item_of(f.data(key), one.dtype)

    def _was(self, f, item):
        return _ok(item=data_of(item, self.on(f, Array).dtype).hex())

    def do_read(self, f):
        return self._was(f, self.on(f, Array)[f["index"]])

    def do_write(self, f):
        self.on(f, Array)[f["index"]] = self._element(f)
        return _ok()

    def do_load(self, f):
        return self._was(f, self.on(f, Array).load(f["index"]))

    def do_store(self, f):
        self.on(f, Array).store(f["index"], self._element(f))
        return _ok()

    def do_exchange(self, f):
        return self._was(f, self.on(f, Array).exchange(f["index"], self._element(f)))

    def do_array_compare_exchange(self, f):
        done, was = self.on(f, Array).compare_exchange(
            f["index"], self._element(f, "expected"), self._element(f, "desired")
        )
        return {**self._was(f, was), "result": "ok" if done else "different"}

    def _fetch(self, f):
        return self._was(f, getattr(self.on(f, Array), f["do"])(f["index"], self._element(f)))

    do_fetch_add = do_fetch_sub = do_fetch_and = do_fetch_or = do_fetch_xor = _fetch

    def do_array_capacity(self, f):
        return _ok(capacity=self.on(f, Array).capacity)

    # Queues and stacks.

    def _taken(self, one, item, otherwise):
        return {"result": otherwise} if item is None else _ok(item=data_of(item, one.dtype).hex())

    def _given(self, one, f):
        return item_of(f.data("item"), one.dtype)

    def do_try_push(self, f):
        one = self.on(f, Queue, Stack)
        return {"result": "ok" if one.try_push(self._given(one, f)) else "full"}

    def do_try_pop(self, f):
        one = self.on(f, Queue, Stack)
        return self._taken(one, one.try_pop(), "empty")

    def do_try_peek(self, f):
        one = self.on(f, Stack)
        return self._taken(one, one.try_peek(), "empty")

    def do_push(self, f):
        one = self.on(f, Queue, Stack)
        return {"result": "ok" if one.push(self._given(one, f), f["timeout_ms"] / 1000) else "timeout"}

    def do_pop(self, f):
        one = self.on(f, Queue, Stack)
        return self._taken(one, one.pop(f["timeout_ms"] / 1000), "timeout")

    def do_push_many(self, f):
        one, items = self.on(f, Queue, Stack), f["items"]
        count = one.put_many(np.frombuffer(bytes.fromhex("".join(items)), dtype=one.dtype))
        return {"result": "ok" if count == len(items) else "full", "count": count}

    def do_pop_many(self, f):
        one, most = self.on(f, Queue, Stack), f["most"]
        found = [data_of(item, one.dtype).hex() for item in one.get_many(most)]
        return {"result": "ok" if len(found) == most else "empty", "items": found}

    def do_size(self, f):
        return _ok(size=self.on(f, Queue, Stack).was_size())

    def do_capacity(self, f):
        return _ok(capacity=self.on(f, Queue, Stack).capacity)

    # Maps.

    def _key(self, f):
        return item_of(f.data("key"), self.on(f, Map).key_dtype)

    def _value(self, f, key="value"):
        return item_of(f.data(key), self.on(f, Map).value_dtype)

    def _found(self, f, value, otherwise):
        return {"result": otherwise} if value is None else _ok(value=data_of(value, self.on(f, Map).value_dtype).hex())

    def do_find(self, f):
        return self._found(f, self.on(f, Map).find(self._key(f)), "absent")

    def do_wait(self, f):
        return self._found(f, self.on(f, Map).wait_for(self._key(f), f["timeout_ms"] / 1000), "timeout")

    def do_insert(self, f):
        return {"result": self.on(f, Map).insert(self._key(f), self._value(f)).value}

    def do_assign(self, f):
        return {"result": self.on(f, Map).insert_or_assign(self._key(f), self._value(f)).value}

    def do_compare_exchange(self, f):
        expected, desired = self._value(f, "expected"), self._value(f, "desired")
        result, was = self.on(f, Map).compare_exchange(self._key(f), expected, desired)
        return {**self._found(f, was, ""), "result": "different"} if result.value == "different" else {"result": result.value}

    def do_update_xor(self, f):
        one, mask = self.on(f, Map), f.data("mask")

        def change(value):
            data = data_of(value, one.value_dtype)
            return item_of(bytes(a ^ b for a, b in zip(data, mask)), one.value_dtype)

        return {"result": one.update(self._key(f), change).value}

    def do_erase(self, f):
        return {"result": "ok" if self.on(f, Map).erase(self._key(f)) else "absent"}

    def do_pairs(self, f):
        one = self.on(f, Map)
        found = [[data_of(key, one.key_dtype).hex(), data_of(value, one.value_dtype).hex()] for key, value in one.items()]
        return _ok(pairs=sorted(found))

    def do_map_size(self, f):
        return _ok(size=self.on(f, Map).was_size())

    def do_map_capacity(self, f):
        return _ok(capacity=self.on(f, Map).capacity)


def play(case, own, at_bytes=None):
    """Plays a case; AssertionError at the first step that is answered otherwise than expected. `at_bytes(player, step)` is
    called instead where bytes would be compared."""
    f = Fields(case)
    name, steps = f["name"], f["steps"]
    f.all_are_read()
    with Player(own) as player:
        for n, step in enumerate(steps, 1):
            if step["do"] == "bytes" and at_bytes:
                at_bytes(player, step)
                continue
            answer = player.perform(step)
            assert answer == step["expect"], f"{name}, step {n}, {json.dumps(step)}: answered {json.dumps(answer)}"


def files():
    return sorted(CASES.glob("*.json"))


def cases_of(file):
    return json.loads(file.read_text())["cases"]


def _main():
    from cases import listing, write  # noqa: PLC0415  (beside the cases)

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--images", type=pathlib.Path)
    chosen = parser.parse_args()
    for file in files():
        cases = cases_of(file)
        for case in cases:
            count = iter(range(1, 1000))

            def at_bytes(player, step):
                if chosen.record:
                    step["expect"] = player.perform(step)
                if chosen.images:
                    target = chosen.images / f"{file.stem} {case['name']} {next(count)}.hex".replace(" ", "-")
                    target.write_text(listing(player.bytes_of(step)))

            play(case, f"/zeroipc-python-{os.getpid()}", at_bytes)
        if chosen.record:
            write(file, cases)


if __name__ == "__main__":
    _main()
