"""Random operations, through several handles that come and go, beside plain models: what is drawn, and made short, by hypothesis.

The same examples each time."""

import hypothesis
import numpy as np
import pytest
from census import owners
from conformance import RECORD
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from zeroipc import Array, Map, Memory, Queue, Stack, errors
from zeroipc._bucket_map import BucketMap
from zeroipc._exchange import ExchangeRing
from zeroipc._treiber import TreiberStack

#: An item of each dtype, made of a number below 2^64.
ITEMS = {
    "u1": lambda n: n % 256,
    "i8": lambda n: n - 2**63,
    "f8": lambda n: n / 7,
    "S5": lambda n: b"%d" % (n % 100000),
    "V13": lambda n: np.void((n << 40).to_bytes(13, "little")),
    "record": lambda n: (n, n >> 32, n % 1000 / 4, b"%d" % (n % 1000)),
}
KEYS = ["u1", "i8", "S5", "V13"]
DTYPES = {name: RECORD if name == "record" else np.dtype(name) for name in ITEMS}

numbers = st.one_of(st.integers(0, 9), st.integers(0, 2**64 - 1))
handle = st.integers(0, 2)
slots = st.integers(1, 3)
layouts = st.sampled_from(["compact", "padded"])
item_dtypes = st.sampled_from(sorted(ITEMS))


def data_of(item, dtype):
    """An item's bytes: what models hold."""
    return np.array([item], dtype=dtype).tobytes()


def rows_of(items, dtype):
    return np.array(items, dtype=dtype) if items else np.zeros(0, dtype=dtype)


class Machine(RuleBasedStateMachine):
    """A structure, through up to as many handles as it has slots."""

    name = ""  # the segment's

    def begin(self, make, how, dtypes, handle_slots):
        Memory.unlink(self.name)
        self.memory = Memory.create(self.name, 1 << 17)
        self.type, self.dtypes, self.handle_slots = make, dtypes, handle_slots
        self.handles = [make(self.memory, "it", **how, **dtypes)]

    def open(self):
        return self.type(self.memory, "it", **self.dtypes)

    def one(self, which):
        return self.handles[which % len(self.handles)]

    @rule()
    def another_handle(self):
        if len(self.handles) < self.handle_slots:
            self.handles.append(self.open())
        elif self.type is not Array:
            with pytest.raises(errors.NoHandleSlot):
                self.open()

    @rule(which=handle)
    def another_handle_instead(self, which):
        self.handles.pop(which % len(self.handles)).close()
        self.handles.append(self.open())

    @rule(repaired=st.booleans())
    def another_mapping(self, repaired):
        while self.handles:
            self.handles.pop().close()
        self.memory.close()
        self.memory = Memory(self.name)
        if repaired and self.type is not Array:
            spares = self.handle_slots if self.type is Stack else 0  # a stack's repair frees those of closed handles too
            assert 0 <= self.type.repair(self.memory, "it", **self.dtypes) <= spares
        self.handles = [self.open()]

    def end(self):
        """The last look."""

    def teardown(self):
        try:
            if getattr(self, "handles", None):
                self.end()
        finally:
            for one in getattr(self, "handles", []):
                one.close()
            Memory.unlink(self.name)


class ContainerMachine(Machine):
    @initialize(dtype=item_dtypes, size=st.integers(0, 4), odd=st.integers(0, 2), handle_slots=slots, layout=layouts)
    def make(self, dtype, size, odd, handle_slots, layout):
        self.capacity = 1 << size if self.kind is Queue else (1 << size) + odd
        self.item, self.dtype = ITEMS[dtype], DTYPES[dtype]
        how = {"capacity": self.capacity, "handle_slots": handle_slots, "layout": layout}
        self.begin(self.kind, how, {"dtype": self.dtype}, handle_slots)
        self.counted = layout == "compact"
        self.model = []

    def bytes_of(self, item):
        return None if item is None else data_of(item, self.dtype)

    def takes_out(self):
        return self.model.pop(0 if self.kind is Queue else -1) if self.model else None

    @rule(which=handle, n=numbers, waits=st.booleans())
    def push(self, which, n, waits):
        item, one = self.item(n), self.one(which)
        done = one.push(item, 0) if waits else one.try_push(item)
        assert done == (len(self.model) < self.capacity)
        if done:
            self.model.append(data_of(item, self.dtype))

    @rule(which=handle, waits=st.booleans())
    def pop(self, which, waits):
        one = self.one(which)
        assert self.bytes_of(one.pop(0) if waits else one.try_pop()) == self.takes_out()

    @rule(which=handle, batch=st.lists(numbers, max_size=20))
    def put_many(self, which, batch):
        items = [self.item(n) for n in batch]
        done = self.one(which).put_many(rows_of(items, self.dtype))
        assert done == min(len(items), self.capacity - len(self.model))
        self.model += [data_of(item, self.dtype) for item in items[:done]]

    @rule(which=handle, most=st.integers(0, 20))
    def get_many(self, which, most):
        found = self.one(which).get_many(most)
        assert [data_of(item, self.dtype) for item in found] == [self.takes_out() for _ in range(min(most, len(self.model)))]

    @precondition(lambda self: self.kind is Stack)
    @rule(which=handle)
    def peek(self, which):
        assert self.bytes_of(self.one(which).try_peek()) == (self.model[-1] if self.model else None)

    @invariant()
    def sizes_agree(self):
        if hasattr(self, "model"):
            assert self.handles[-1].was_size() == len(self.model)
            assert self.handles[0].was_empty() == (not self.model)

    def end(self):
        """Each buffer or node has one owner; what is left comes out in order."""
        if self.counted:
            counts = owners(self.handles[0])
            assert counts == [1] * len(counts)
        self.get_many(0, self.capacity + 1)


class QueueMachine(ContainerMachine):
    kind = Queue


class StackMachine(ContainerMachine):
    kind = Stack


class MapMachine(Machine):
    keys = st.integers(0, 24)  # few, so that they meet

    @initialize(key=st.sampled_from(KEYS), value=item_dtypes, capacity=st.integers(1, 20), handle_slots=slots, layout=layouts,
                seed=st.integers(0, 2**64 - 1))  # fmt: skip
    def make(self, key, value, capacity, handle_slots, layout, seed):
        self.capacity, self.key, self.value = capacity, ITEMS[key], ITEMS[value]
        self.key_dtype, self.value_dtype = DTYPES[key], DTYPES[value]
        how = {"capacity": capacity, "handle_slots": handle_slots, "layout": layout, "seed": seed}
        self.begin(Map, how, {"key_dtype": self.key_dtype, "value_dtype": self.value_dtype}, handle_slots)
        self.model = {}

    def at(self, k):
        """A key and, if it is there, the bytes of its value."""
        key = self.key(k)
        return key, self.model.get(data_of(key, self.key_dtype))

    def bytes_of(self, value):
        return None if value is None else data_of(value, self.value_dtype)

    def keeps(self, key, value, outcome, expected):
        """What a write that should have had this outcome did; full is allowed only from the capacity on."""
        if outcome == "full" and len(self.model) >= self.capacity:
            return
        assert outcome == expected
        if expected in ("inserted", "assigned"):
            self.model[data_of(key, self.key_dtype)] = self.bytes_of(value)

    @rule(which=handle, k=keys, n=numbers)
    def insert(self, which, k, n):
        (key, old), value = self.at(k), self.value(n)
        self.keeps(key, value, self.one(which).insert(key, value).value, "inserted" if old is None else "present")

    @rule(which=handle, k=keys, n=numbers)
    def assign(self, which, k, n):
        (key, old), value = self.at(k), self.value(n)
        self.keeps(key, value, self.one(which).insert_or_assign(key, value).value, "inserted" if old is None else "assigned")

    @rule(which=handle, k=keys, n=numbers, other=numbers)
    def compare_exchange(self, which, k, n, other):
        (key, old), expected, value = self.at(k), self.value(n), self.value(other)
        outcome, was = self.one(which).compare_exchange(key, expected, value)
        assert self.bytes_of(was) == old
        wanted = "absent" if old is None else "assigned" if self.bytes_of(expected) == old else "different"
        self.keeps(key, value, outcome.value, wanted)

    @rule(which=handle, k=keys, n=numbers)
    def update(self, which, k, n):
        (key, old), value, seen = self.at(k), self.value(n), []
        outcome = self.one(which).update(key, lambda found: seen.append(self.bytes_of(found)) or value)
        assert set(seen) == (set() if old is None else {old})
        self.keeps(key, value, outcome.value, "absent" if old is None else "assigned")

    @rule(which=handle, k=keys)
    def erase(self, which, k):
        key, old = self.at(k)
        assert self.one(which).erase(key) == (old is not None)
        self.model.pop(data_of(key, self.key_dtype), None)

    @rule(which=handle, batch=st.lists(st.tuples(keys, numbers), max_size=12))
    def put_many(self, which, batch):
        keys, values = [self.key(k) for k, _ in batch], [self.value(n) for _, n in batch]
        done = self.one(which).put_many(rows_of(keys, self.key_dtype), rows_of(values, self.value_dtype))
        self.model.update((data_of(k, self.key_dtype), self.bytes_of(v)) for k, v in list(zip(keys, values))[:done])
        assert done == len(batch) or len(self.model) >= self.capacity

    @rule(which=handle, k=keys, waits=st.booleans())
    def find(self, which, k, waits):
        (key, old), one = self.at(k), self.one(which)
        assert self.bytes_of(one.wait_for(key, 0) if waits else one.find(key)) == old
        assert (key in one) == (old is not None)

    @rule(which=handle)
    def items(self, which):
        found = [(data_of(k, self.key_dtype), self.bytes_of(v)) for k, v in self.one(which).items()]
        assert len(found) == len(self.model) and dict(found) == self.model

    @invariant()
    def sizes_agree(self):
        if hasattr(self, "model"):
            assert self.handles[-1].was_size() == len(self.model)

    def end(self):
        """Each block has one owner, and everything is found."""
        counts = owners(self.handles[0])
        assert counts == [1] * len(counts)
        self.items(0)


class ArrayMachine(Machine):
    indices = st.integers(0, 1000)

    @initialize(dtype=st.sampled_from([*sorted(ITEMS), "u2", "u4"]), capacity=st.integers(1, 20))
    def make(self, dtype, capacity):
        self.dtype = np.dtype(dtype) if dtype in ("u2", "u4") else DTYPES[dtype]
        self.item = ITEMS.get(dtype, lambda n: n % (1 << 8 * self.dtype.itemsize))
        self.capacity, self.atomic = capacity, self.dtype.itemsize in (1, 2, 4, 8)
        self.begin(Array, {"capacity": capacity}, {"dtype": self.dtype}, 3)
        self.model = [bytes(self.dtype.itemsize)] * capacity

    def bytes_of(self, item):
        return data_of(item, self.dtype)

    @rule(which=handle, i=indices, n=numbers)
    def write(self, which, i, n):
        self.one(which)[i % self.capacity] = self.item(n)
        self.model[i % self.capacity] = self.bytes_of(self.item(n))

    @rule(which=handle, n=numbers)
    def fill(self, which, n):
        self.one(which).fill(self.item(n))
        self.model = [self.bytes_of(self.item(n))] * self.capacity

    @rule(which=handle, beyond=st.integers(0, 3))
    def what_is_beyond(self, which, beyond):
        one = self.one(which)
        for use in (lambda i: one[i], lambda i: one.load(i)) if self.atomic else (lambda i: one[i],):
            with pytest.raises(errors.OutOfRange):
                use(self.capacity + beyond)

    @rule(which=handle, i=indices, n=numbers, replaces=st.booleans())
    def store(self, which, i, n, replaces):
        one, i, item = self.one(which), i % self.capacity, self.item(n)
        if not self.atomic:
            with pytest.raises(errors.InvalidArgument):
                one.store(i, item)
            return
        if replaces:
            assert self.bytes_of(one.exchange(i, item)) == self.model[i]
        else:
            one.store(i, item)
        self.model[i] = self.bytes_of(item)
        assert self.bytes_of(one.load(i)) == self.model[i]

    @precondition(lambda self: self.atomic)
    @rule(which=handle, i=indices, n=numbers, other=numbers, right=st.booleans())
    def compare_exchange(self, which, i, n, other, right):
        i, desired = i % self.capacity, self.item(other)
        expected = np.frombuffer(self.model[i], dtype=self.dtype)[0] if right else self.item(n)
        done, was = self.one(which).compare_exchange(i, expected, desired)
        assert (done, self.bytes_of(was)) == (self.bytes_of(expected) == self.model[i], self.model[i])
        if done:
            self.model[i] = self.bytes_of(desired)

    @precondition(lambda self: self.atomic and self.dtype.kind in "iu")
    @rule(which=handle, i=indices, n=numbers, operation=st.sampled_from(["add", "sub", "and", "or", "xor"]))
    def fetch(self, which, i, n, operation):
        i, size = i % self.capacity, self.dtype.itemsize
        assert self.bytes_of(getattr(self.one(which), f"fetch_{operation}")(i, n)) == self.model[i]
        old = int.from_bytes(self.model[i], "little")
        new = {"add": old + n, "sub": old - n, "and": old & n, "or": old | n, "xor": old ^ n}[operation]
        self.model[i] = (new % (1 << 8 * size)).to_bytes(size, "little")

    @invariant()
    def elements_agree(self):
        if hasattr(self, "model"):
            assert self.handles[-1].view.tobytes() == b"".join(self.model)


MACHINES = {"queue": QueueMachine, "stack": StackMachine, "map": MapMachine, "array": ArrayMachine}


def _run(name, kind, examples, **more):
    how = {"derandomize": True, "database": None, "deadline": None, "stateful_step_count": 25}
    machine = type("Run", (MACHINES[kind],), {"name": name})
    everything = list(hypothesis.HealthCheck)  # how fast it draws is the machine's affair
    run_state_machine_as_test(
        machine, settings=hypothesis.settings(max_examples=examples, suppress_health_check=everything, **how, **more)
    )


@pytest.mark.fast
@pytest.mark.parametrize("kind", MACHINES)
def test_it_agrees_with_its_model(name, kind):
    _run(name, kind, 20)


@pytest.mark.medium
@pytest.mark.parametrize("kind", MACHINES)
def test_it_agrees_with_its_model_at_length(name, kind):
    _run(name, kind, 150)


def _lose_the_last(push_many):
    return lambda ring, data, count: push_many(ring, data, count) - (count > 3)


FAULTS = {
    "queue": (ExchangeRing, "push_many", _lose_the_last),
    "stack": (TreiberStack, "try_peek", lambda peek: lambda ring: peek(ring) or b"\0" * ring.item),
    "map": (BucketMap, "erase", lambda erase: lambda table, words: table.was_size() > 2 or erase(table, words)),
    "array": (Array, "fetch_xor", lambda _: Array.fetch_or),
}


@pytest.mark.fast
@pytest.mark.parametrize("kind", FAULTS)
def test_a_planted_fault_is_found(name, monkeypatch, kind):
    owner, method, spoiled = FAULTS[kind]
    monkeypatch.setattr(owner, method, spoiled(getattr(owner, method)))
    with pytest.raises(AssertionError):
        _run(name, kind, 60, phases=[hypothesis.Phase.generate])
