"""The form in which the cases lie in their files, and where generated.json comes from: a seed, and plain models.

    python3 cases.py    writes generated.json anew; what bytes hash to is recorded by core/python/tests/conformance.py --record
"""

import json
import pathlib
import random

HERE = pathlib.Path(__file__).resolve().parent
SEED = 20261127
MOST = 1 << 64


def write(file, cases):
    """A step a line."""
    lines = ['{"cases": [']
    for n, case in enumerate(cases):
        lines.append(f'  {{"name": {json.dumps(case["name"])}, "steps": [')
        lines += [f"    {json.dumps(step)}," for step in case["steps"]]
        lines[-1] = lines[-1][:-1]
        lines.append("  ]}" + ("," if n + 1 < len(cases) else ""))
    lines.append("]}")
    file.write_text("\n".join(lines) + "\n")


def listing(data):
    """Bytes as text, 16 a line, lines of zeros left out: as the golden images are written."""
    rows = ((at, bytes(data[at : at + 16])) for at in range(0, len(data), 16))
    return "".join(f"{at:08x}  {row.hex(' ')}\n" for at, row in rows if any(row))


class Script:
    """A case as it grows: one structure "it", two handles on it, steps with the answers of a model."""

    def __init__(self, name, kind, capacity, item_bytes, **more):
        self.name, self.steps, self.item_bytes = name, [], item_bytes
        self.rng = random.Random(f"{SEED} {name}")
        shape = {"kind": kind, "name": "it", "item_bytes": item_bytes}
        if "key_bytes" in more:
            shape["key_bytes"] = more.pop("key_bytes")
        self.step("create_segment", as_="memory", name="@", bytes=16384, max_entries=2)
        self.step("create", as_="a", on="memory", **shape, capacity=capacity, **more)
        self.step("open", as_="b", on="memory", **shape)

    def step(self, do, result="ok", answer=None, **fields):
        fields = {key.rstrip("_"): value for key, value in fields.items()}
        self.steps.append({"do": do, **fields, "expect": {"result": result, **(answer or {})}})

    def bytes(self):
        self.step("bytes", name="@")

    def on(self):
        return self.rng.choice("ab")

    def data(self, size=None):
        return self.rng.randbytes(size or self.item_bytes).hex()

    def case(self):
        self.bytes()
        return {"name": self.name, "steps": self.steps}


def container(kind, capacity, item_bytes, count):
    """Random operations beside a list."""
    s = Script(f"generated {kind} of {capacity}, {item_bytes} bytes", kind, capacity, item_bytes, handle_slots=3)
    held, last = [], 0 if kind == "queue" else -1
    while len(s.steps) < count:
        # Long runs of one direction, so that it is full and empty now and then.
        in_, out = (3, 1) if len(s.steps) // (3 * capacity + 5) % 2 == 0 else (1, 3)
        what = s.rng.choices(["push", "pop", "push_many", "pop_many", "size", "peek"], [6 * in_, 6 * out, in_, out, 1, 2])[0]
        if what == "push":
            item = s.data()
            s.step("try_push", "ok" if len(held) < capacity else "full", on=s.on(), item=item)
            held = (held + [item])[:capacity]
        elif what == "pop":
            item = held.pop(last) if held else None
            s.step("try_pop", "ok" if item else "empty", {"item": item} if item else None, on=s.on())
        elif what == "push_many":
            items = [s.data() for _ in range(s.rng.randrange(1, 5))]
            done = min(len(items), capacity - len(held))
            s.step("push_many", "ok" if done == len(items) else "full", {"count": done}, on=s.on(), items=items)
            held += items[:done]
        elif what == "pop_many":
            most = s.rng.randrange(1, 5)
            items = [held.pop(last) for _ in range(min(most, len(held)))]
            s.step("pop_many", "ok" if len(items) == most else "empty", {"items": items}, on=s.on(), most=most)
        elif what == "size":
            s.step("size", answer={"size": len(held)}, on=s.on())
        elif kind == "stack":
            s.step("try_peek", "ok" if held else "empty", {"item": held[-1]} if held else None, on=s.on())
        if len(s.steps) % 20 == 0:
            s.bytes()
    return s.case()


def pairs(capacity, key_bytes, item_bytes, count):
    """Random operations beside a dictionary of up to `capacity` keys, which a map always takes."""
    name = f"generated map of {capacity}, {key_bytes} and {item_bytes} bytes"
    s = Script(name, "map", capacity, item_bytes, key_bytes=key_bytes, handle_slots=3, seed=s_seed(name))
    keys = [s.data(key_bytes) for _ in range(2 * capacity)]
    held = {}
    while len(s.steps) < count:
        key, value, on = s.rng.choice(keys), s.data(), s.on()
        what = s.rng.choice(["insert", "insert", "assign", "find", "erase", "compare_exchange", "update_xor", "pairs", "map_size"])
        if what in ("insert", "assign"):
            if key not in held and len(held) == capacity:
                continue
            known = {"insert": "present", "assign": "assigned"}[what]
            s.step(what, known if key in held else "inserted", on=on, key=key, value=value)
            if what == "assign" or key not in held:
                held[key] = value
        elif what == "find":
            found = held.get(key)
            s.step("find", "ok" if found else "absent", {"value": found} if found else None, on=on, key=key)
        elif what == "erase":
            s.step("erase", "ok" if held.pop(key, None) else "absent", on=on, key=key)
        elif what == "compare_exchange":
            found = held.get(key)
            expected = found if found and s.rng.random() < 0.6 else s.data()
            result = "absent" if found is None else "assigned" if found == expected else "different"
            answer = {"value": found} if result == "different" else None
            s.step(what, result, answer, on=on, key=key, expected=expected, desired=value)
            if result == "assigned":
                held[key] = value
        elif what == "update_xor":
            s.step(what, "assigned" if key in held else "absent", on=on, key=key, mask=value)
            if key in held:
                held[key] = f"{int(held[key], 16) ^ int(value, 16):0{2 * item_bytes}x}"
        elif what == "pairs":
            s.step(what, answer={"pairs": sorted([k, v] for k, v in held.items())}, on=on)
        else:
            s.step(what, answer={"size": len(held)}, on=on)
        if len(s.steps) % 20 == 0:
            s.bytes()
    return s.case()


def s_seed(name):
    return random.Random(f"{SEED} seed {name}").getrandbits(64)


def elements(capacity, item_bytes, count):
    """Random operations beside a list of numbers."""
    s = Script(f"generated array of {capacity}, {item_bytes} bytes", "array", capacity, item_bytes)
    most = 1 << 8 * item_bytes
    held = [0] * capacity
    change = {
        "exchange": lambda _, by: by,
        "fetch_add": lambda was, by: (was + by) % most,
        "fetch_sub": lambda was, by: (was - by) % most,
        "fetch_and": lambda was, by: was & by,
        "fetch_or": lambda was, by: was | by,
        "fetch_xor": lambda was, by: was ^ by,
    }

    def data(value):
        return value.to_bytes(item_bytes, "little").hex()

    while len(s.steps) < count:
        what = s.rng.choice(["read", "write", "load", "store", "array_compare_exchange", *change])
        index, by = s.rng.randrange(capacity + (s.rng.random() < 0.1)), s.rng.randrange(most)
        fields = {"on": s.on(), "index": index}
        if what == "array_compare_exchange":
            expected = held[index] if index < capacity and s.rng.random() < 0.6 else s.rng.randrange(most)
            fields |= {"expected": data(expected), "desired": data(by)}
        elif what not in ("read", "load"):
            fields["item"] = data(by)
        if index == capacity:
            s.step(what, "out_of_range", **fields)
            continue
        was = held[index]
        if what in ("write", "store"):
            s.step(what, **fields)
            held[index] = by
        elif what == "array_compare_exchange":
            s.step(what, "ok" if was == expected else "different", {"item": data(was)}, **fields)
            held[index] = by if was == expected else was
        else:
            s.step(what, answer={"item": data(was)}, **fields)
            held[index] = change[what](was, by) if what in change else was
        if len(s.steps) % 20 == 0:
            s.bytes()
    return s.case()


def generated():
    cases = [container("queue", *shape) for shape in ((1, 8, 60), (4, 13, 140), (16, 24, 160))]
    cases += [container("stack", *shape) for shape in ((1, 13, 60), (5, 8, 140), (16, 24, 160))]
    cases += [pairs(*shape) for shape in ((1, 8, 8, 60), (6, 5, 13, 160), (30, 8, 24, 200))]
    return cases + [elements(*shape) for shape in ((3, 1, 80), (5, 4, 120), (7, 8, 120))]


if __name__ == "__main__":
    write(HERE / "generated.json", generated())
