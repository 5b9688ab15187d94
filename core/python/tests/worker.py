"""A Python process of the tests between languages: what core/tests/conformance/worker.cpp is in C++ and C."""

import json
import pathlib
import sys

import numpy as np
from conformance import RECORD, Fields, Player, data_of, dtype_of, item_of
from conftest import contents
from hostile_program import hasty
from mortal import Steps
from zeroipc import Array, Map, Memory, Queue, Stack
from zeroipc._bucket_map import hash_of
from zeroipc.errors import Corrupt

PATIENCE = 20.0  # seconds


def payload_of(n, size):
    """The payload of number n, filled as this language fills one of that size: a number, a struct (24 bytes), or bytes."""
    if size == RECORD.itemsize:
        return np.array((n, n * 7 & 0xFFFFFFFF, n % 1000 / 4, str(n % 1000)), dtype=RECORD)[()]
    data = bytes((n >> 8 * i if i < 8 else n * 31 + i) & 255 for i in range(size))
    return item_of(data, dtype_of(size))


def number_of(item, dtype):
    """Of a whole payload; None of a spoiled one."""
    data = data_of(item, dtype)
    n = int.from_bytes(data[:8], "little")
    return n if data == data_of(payload_of(n, dtype.itemsize), dtype) else None


class Worker(Player):
    def do_reset(self, f):
        for one in reversed(list(self._opened.values())):
            one.close()
        self._opened.clear()
        return {"result": "ok"}

    def _each(self, f):
        f["kind"]
        first = f["first"]
        return first, range(first, first + f["count"]), self.on(f, Array, Map, Queue, Stack)

    def do_produce(self, f):
        first, numbers, one = self._each(f)
        for n in numbers:
            if isinstance(one, Array):
                one[n - first] = payload_of(n, one.dtype.itemsize)
                continue
            if isinstance(one, Map):
                key = payload_of(n, one.key_dtype.itemsize)
                done = one.insert(key, payload_of(n, one.value_dtype.itemsize)).value == "inserted"
            else:
                done = one.push(payload_of(n, one.dtype.itemsize), PATIENCE)
            if not done:
                return {"result": "stopped", "at": n}
        return {"result": "ok"}

    def do_consume(self, f):
        first, numbers, one = self._each(f)
        found = []
        for n in numbers:
            if isinstance(one, Array):
                item, dtype = one[n - first], one.dtype
            elif isinstance(one, Map):
                item, dtype = one.wait_for(payload_of(n, one.key_dtype.itemsize), PATIENCE), one.value_dtype
            else:
                item, dtype = one.pop(PATIENCE), one.dtype
            if item is None:
                return {"result": "stopped", "at": n}
            found.append(number_of(item, dtype))
            if found[-1] is None:
                return {"result": "spoiled", "item": data_of(item, dtype).hex()}
        return {"result": "ok", "numbers": found}

    def do_count(self, f):
        key, times, one = int.from_bytes(f.data("key"), "little"), f["times"], self.on(f, Array, Map)
        f["kind"]
        for _ in range(times):
            if isinstance(one, Array):
                one.fetch_add(key, 1)
            else:
                one.update(key, lambda value: value + 1)
        return {"result": "ok"}

    def do_churn(self, f):
        first, kind, one = f["first"], f["kind"], self.on(f, Map, Queue, Stack)
        say({"result": "working"})
        n = 0
        while True:
            if kind == "map":
                key_bytes = one.key_dtype.itemsize
                one.insert_or_assign(payload_of(n % 8, key_bytes), payload_of(first + n, one.value_dtype.itemsize))
                one.erase(payload_of((n + 3) % 8, key_bytes))
            else:
                one.try_push(payload_of(first + n, one.dtype.itemsize))
                if n % 3 != 0:
                    one.try_pop()
            n += 1

    def do_hastily(self, f):
        """Plays a step with little patience, and says where waiting in vain was all that came of it."""
        step = Fields(f["step"])
        try:
            with hasty():
                answer = getattr(self, "do_" + step["do"])(step)
        except Corrupt as error:
            if "no progress was possible" in str(error):
                return {"result": "no progress"}
            raise
        step.all_are_read()
        return answer

    def do_hash(self, f):
        data, seed = f.data("key"), f["seed"]
        words = np.frombuffer(data + bytes(-len(data) % 8), dtype="<u8").tolist()
        return {"result": "ok", "hash": hash_of(words, seed)}

    def do_states(self, f):
        """The bytes behind each shared step of a script: what a kill there leaves."""
        kind, name, more = self._shape(f)
        segment, folder, seen = f["segment"], pathlib.Path(f["folder"]), []
        with Memory(segment) as memory, kind(memory, name, **more) as one:
            types = (one.key_dtype, one.value_dtype) if kind is Map else (one.dtype,)
            names = {"push": "try_push", "pop": "try_pop", "insert": "insert", "assign": "insert_or_assign", "erase": "erase"}

            def look(*_):
                now = contents(segment)
                if not seen or seen[-1] != now:
                    seen.append(now)

            look()
            with Steps(after=look):
                for what, *data in f["script"]:
                    items = [item_of(bytes.fromhex(text), dtype) for text, dtype in zip(data, types)]
                    getattr(one, names[what])(*items)
            look()
        for n, state in enumerate(seen):
            (folder / str(n)).write_bytes(state)
        return {"result": "ok", "states": len(seen)}


def say(answer):
    print(json.dumps(answer), flush=True)


def main():
    with Worker("/") as worker:
        for line in sys.stdin:
            try:
                say(worker.perform(json.loads(line)))
            except Exception as error:  # the driver's test fails, and the next one goes on
                say({"result": "broken", "why": f"{line.strip()}: {error!r}"})


if __name__ == "__main__":
    main()
