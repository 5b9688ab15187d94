"""A point of a sweep, and one record as the row of a table."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any, Dict, List, Optional, Tuple

from .policies import structure_of

PLAIN = (0.0, "", 0)  # neither handicap nor replica: what is measured for its own sake
# What a mode is judged by.
VALUE = {"throughput": "operations_per_s", "pingpong": "p50_ns", "latency": "p99_ns", "kill": "after_per_s"}
NAN = math.nan


@dataclass(frozen=True)
class Point:
    """A point of a sweep without the variant: what two variants must share to be compared."""

    mode: str
    producers: int
    consumers: int
    payload_bytes: int
    capacity: Optional[int]  # items; None where there is none
    window_ns: int
    workload: str = ""  # what else differs from the usual, in words
    placement: str = ""  # the strategy that the cell names; empty: the run's own
    diagnosis: Tuple[float, str, int] = PLAIN  # handicap in ns, of which workers; replica
    host: str = "processes"  # what workers are: processes, or threads of one
    # The same as `workload`, by name: think_ns, batch, push_percent, filled_percent, mix, keys, load_percent.
    axes: Tuple[Tuple[str, Any], ...] = field(default=(), compare=False)

    @property
    def workers(self) -> str:
        """The category of the sweep, such as `2P1C`, or `4W` where workers have no roles."""
        if self.consumers == 0:
            return f"{self.producers}W"
        return f"{self.producers}P{self.consumers}C"

    @property
    def order(self) -> Tuple[Any, ...]:
        """Sort key: throughput first; few workers before many, so that oversubscribed points stand together; what
        has no capacity (a bound) after what has one."""
        capacity = float("inf") if self.capacity is None else self.capacity
        return (self.mode != "throughput", self.mode, self.producers + self.consumers, self.producers,
                self.payload_bytes, capacity, self.window_ns, self.workload, self.placement, self.diagnosis,
                self.host)

    def without(self, *names: str) -> Tuple[Any, ...]:
        """What tells points apart but these axes: points with the same answer differ in nothing else."""
        own = [getattr(self, one.name) for one in fields(self) if one.name not in ("workload", "axes", *names)]
        return (*own, *(one for one in self.axes if one[0] not in names))

    def axis(self, name: str) -> Any:
        """The value of an axis, also of `workers`, `payload_bytes` and `capacity`; None where the point has it not. Workers
        are a number where they have no roles or as many have the one as the other; 1P2C is a category."""
        if name == "workers":
            return self.producers + self.consumers if self.consumers in (0, self.producers) else None
        if name in ("payload_bytes", "capacity"):
            return getattr(self, name)
        return dict(self.axes).get(name)


def row_of(record: Dict[str, Any]) -> Dict[str, Any]:
    """One record as a flat row; `value` is what its mode is judged by, operations_per_s, p50_ns, p99_ns or after_per_s."""
    throughput = record["throughput"] or {}
    latency = record["latency"] or {}
    verification = record["verification"] or {}
    kill = record.get("kill") or {}
    source = {"throughput": throughput, "kill": kill.get("survivors", {})}.get(record["mode"], latency)
    value = source.get(VALUE[record["mode"]])
    failed = record["status"] != "ok" or verification.get("passed") is False
    intervals = record.get("intervals") or {}
    return {
        "run": record["run"],
        "cell": record["cell"],
        "point": _point(record),
        "mode": record["mode"],
        "variant": record["variant"],
        "structure": structure_of(record["variant"]),
        "kind": record["kind"],
        "is_default": bool(record["is_default"]),
        "round": int(record["round"]),
        "position": int(record["position"]),
        "seed": record["seed"],
        "error": record["error"] or ("its verification failed" if failed else None),
        "failed": failed,
        "flags": tuple(record["flags"]),
        "oversubscribed": bool(record["oversubscribed"]),
        "separate_cores": record["separate_cores"],
        "operation": throughput.get("operation"),
        "curve": _curve(latency),
        "curve_uncorrected": _curve(record.get("latency_uncorrected") or {}),
        **{name: _number(latency.get(name)) for name in ("p50_ns", "p99_ns", "p99_9_ns")},
        "clock_source": (record.get("clock") or {}).get("source", "unknown"),
        "between_cpus_ns": _between_cpus(record),
        "timer_floor_ns": _number((record.get("clock") or {}).get("floor_ns")),
        "start_skew_ns": _number(record.get("start_skew_ns")),
        "repeats": int(record.get("repeats") or 0),
        "steal_share": _number(record.get("steal_share")),
        "placement_verified": (record.get("placement") or {}).get("verified"),
        "kill": kill,
        "checked": bool(verification),
        "value": _number(value),
        "usable": not failed and value is not None,
        "intervals": tuple(intervals.get("operations") or ()),
        "interval_ns": _number(intervals.get("length_ns")),
        "steady_from": intervals.get("steady_from"),
        "probe_ns": _number(record.get("probe_before_ns")),
        "probe_cpus": _probe_cpus(record),
        **_mechanism(record),
    }


def _point(record: Dict[str, Any]) -> Point:
    capacity = record["capacity"]
    axes = {name: value for name, value in (record.get("workload") or {}).items()
            if value is not None and name != "placement" and (name, value) != ("calls", "try")}
    if record.get("load"):
        axes["load_percent"] = record["load"]["percent"]
    return Point(record["mode"], record["producers"], record["consumers"], record["payload_bytes"],
                 None if capacity is None else int(capacity), record["window_ns"], _workload(record),
                 (record.get("workload") or {}).get("placement") or "", _diagnosis(record),
                 record.get("host", "processes"),  # records from before there were threads lack it
                 tuple(sorted(axes.items())))


def _workload(record: Dict[str, Any]) -> str:
    """The axes that are not at their usual values, such as `ycsb-a, zipf0.99 keys, think 100 ns`."""
    of = record.get("workload") or {}
    parts: List[str] = []
    if of.get("mix"):
        parts += [of["mix"], f"{of['keys']} keys"]
    if of.get("push_percent") not in (None, 50):
        parts.append(f"{of['push_percent']}% pushes")
    if of.get("filled_percent") not in (None, 50):
        parts.append(f"{of['filled_percent']}% full")
    if of.get("range_percent"):
        parts.append(f"keys of {of['range_percent']}% of those")
    if of.get("think_ns"):
        parts.append(f"think {of['think_ns']} ns")
    load = record.get("load")
    if load:
        parts.append(f"{load['arrivals']} arrivals at {load['percent']}%" if load["percent"] else "closed loop")
    if of.get("victim"):
        parts.append("any worker killed" if of["victim"] == "any" else f"a {of['victim']} killed")
    if of.get("batch", 1) != 1:
        parts.append(f"batches of {of['batch']}")
    if of.get("calls") == "wait":
        parts.append("calls that wait")
    return ", ".join(parts)


def _diagnosis(record: Dict[str, Any]) -> Tuple[float, str, int]:
    """Records from before there were handicaps lack the keys."""
    return (float(record.get("handicap_ns", 0)), record.get("handicap_workers") or "", int(record.get("replica", 0)))


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else NAN


def _curve(latency: Dict[str, Any]) -> Tuple[Tuple[float, float], ...]:
    return tuple((float(p), float(ns)) for p, ns in latency.get("curve") or ())


def _between_cpus(record: Dict[str, Any]) -> float:
    """How far stamps of two CPUs may be apart and nobody could tell; of records from before they said it, by the same rule."""
    known = (record.get("clock") or {}).get("between_cpus_ns")
    if known is not None:
        return _number(known)
    probes = [probe for probe in map(_number, (record.get("probe_before_ns"), record.get("probe_after_ns"))) if probe == probe]
    return max(probes) / 2 if probes else NAN


def _probe_cpus(record: Dict[str, Any]) -> Optional[Tuple[int, int]]:
    """The two CPUs that the probe ran between: of the first producer (or worker) and of the first consumer (or second)."""
    cpus = [one.get("cpu") for one in record.get("workers") or ()]
    other = record["producers"] if record["consumers"] else 1
    if record.get("probe_before_ns") is None or other >= len(cpus):
        return None
    pair = sorted((cpus[0], cpus[other]))
    return (pair[0], pair[1])


def _mechanism(record: Dict[str, Any]) -> Dict[str, Any]:
    """What happened inside the workers, per operation; NaN where it was not counted."""
    workers = record.get("workers") or []
    counted = [one for one in workers if one.get("role") == "consumer"] or workers
    done = [_number(one.get("successes")) for one in counted]
    total = sum(done)
    operations = _number((record["throughput"] or {}).get("operations")) if record["throughput"] else total

    def per_operation(amounts: List[float]) -> float:
        return sum(amounts) / operations if amounts and operations > 0 else NAN

    shares = tuple(one * len(done) / total for one in done) if len(done) > 1 and total > 0 else ()
    refused = [_number(one.get(name)) for one in workers for name in ("full", "empty") if one.get(name) is not None]
    longest = [_number((one.get("hiccups") or {}).get("longest_ns")) for one in workers]
    return {
        "retries": per_operation([_number(one.get("retries")) for one in workers]),
        "refused": per_operation(refused),
        "cycles": per_operation([_number((one.get("counters") or {}).get("cycles")) for one in workers]),
        "cache_misses": per_operation([_number((one.get("counters") or {}).get("cache-misses")) for one in workers]),
        # Where the harness says none, the workers still tell it.
        "fairness": _number(_jain(shares) if record.get("fairness") is None else record["fairness"]),
        "shares": shares,
        "hiccup_ns": max((one for one in longest if not math.isnan(one)), default=NAN),
    }


def _jain(shares: Tuple[float, ...]) -> Optional[float]:
    """Jain's index of shares that are multiples of an equal one."""
    return len(shares) / sum(one * one for one in shares) if shares else None
