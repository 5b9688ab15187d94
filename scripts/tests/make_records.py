"""Writes a run folder of invented records, as like to real ones as the report needs.

`make_records.py FOLDER` writes what stands in tests/data/demo; `--full` a run of the size of the quick suite, to
look at. The numbers come from a model with a fixed seed, so the same call writes the same bytes everywhere.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

SEED = 7
WINDOW_NS = 100_000_000
CPUS = 2
DEFAULT = "queue/exchange/acq_rel/exp/compact"
# variant: (throughput against the default's, round trip against the default's)
VARIANTS = {
    DEFAULT: (1.0, 1.0),
    "queue/exchange/seq_cst/exp/compact": (0.84, 1.13),
    "queue/exchange/acq_rel/none/compact": (1.0, 1.003),
    "queue/ticket/acq_rel/exp/compact": (1.13, 0.88),
    "queue/mutex/-/none/compact": (0.22, 2.9),
}
BASE_PER_S = {"1P1C": 21e6, "1P2C": 6.4e6, "2P1C": 8.1e6, "2P2C": 3.9e6}
FETCH_ADD_PER_S = {"1P1C": 46e6, "1P2C": 38e6, "2P1C": 38e6, "2P2C": 31e6}
PIPE_PER_S = {"1P1C": 0.93e6, "1P2C": 0.72e6, "2P1C": 0.7e6, "2P2C": 0.61e6}
ROUND_TRIP_NS = 212.0  # of the default queue, on separate cores
CACHELINE_NS = 168.0
PIPE_NS = 11400.0
SHARED_FACTOR = 0.24  # a round trip inside one core is so much of one between cores
FRACTIONS = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9998, 0.9999, 0.99995)

Cell = Tuple[str, str, str]  # mode, variant, workers


def cells(full: bool) -> List[Cell]:
    """The points of the invented suite."""
    workers = ("1P1C", "1P2C", "2P1C", "2P2C") if full else ("1P1C", "2P2C")
    found = [("throughput", name, at) for at in workers for name in (*VARIANTS, "bound/fetch_add", "bound/pipe")]
    found += [("pingpong", name, "1P1C") for name in (*VARIANTS, "bound/cacheline", "bound/pipe")]
    return found


def counts(workers: str) -> Tuple[int, int]:
    """`2P1C` as (2, 1)."""
    producers, consumers = workers[:-1].split("P")
    return int(producers), int(consumers)


def record(cell: Cell, round_: int, position: int, shared: Optional[bool], rng: random.Random) -> Dict[str, Any]:
    """One run of one cell."""
    mode, variant, at = cell
    producers, consumers = counts(at)
    oversubscribed = producers + consumers > CPUS
    payload_free = variant in ("bound/fetch_add", "bound/cacheline")
    capacity = None if variant.startswith("bound/") else 1024
    flags = (["oversubscribed"] if oversubscribed else []) + (["cores_shared"] if shared else [])
    if rng.random() < 0.06:
        flags.append("involuntary_switches")
    flags.sort()
    size = "" if payload_free else "/8B"
    cap = "" if capacity is None else f"/cap{capacity}"
    throughput = throughput_of(variant, at, bool(shared), rng) if mode == "throughput" else None
    return {
        "schema": "zeroipc-record/1", "run": "20240101T120000Z-demo0001",
        "cell": f"{mode}/{variant}/{at}{size}{cap}/100ms", "mode": mode, "variant": variant,
        "kind": "bound" if variant.startswith("bound/") else "variant", "is_default": variant == DEFAULT,
        "producers": producers, "consumers": consumers, "payload_bytes": 8, "capacity": capacity,
        "window_ns": WINDOW_NS, "round": round_, "position": position, "seed": SEED, "status": "ok", "error": None,
        "flags": flags, "oversubscribed": oversubscribed,
        "placement": {"strategy": "spread", "cpus_asked": [0, 1], "cpus_obtained": [[0], [1]], "verified": True,
                      "coordinator_cpus": [0, 1]},
        "memory": {"nodes": 1, "policy": "single_node", "node_asked": None, "pages_checked": None,
                   "pages_on_node": None},
        "clock": {"source": "tsc", "ticks_per_ns": 2.5, "floor_ns": 12.0},
        "start_skew_ns": round(rng.lognormvariate(8, 0.6), 1),
        "probe_before_ns": None if shared is None else round((48 if shared else 250) * rng.uniform(0.95, 1.05), 1),
        "probe_after_ns": None if shared is None else round((48 if shared else 250) * rng.uniform(0.95, 1.05), 1),
        "separate_cores": None if shared is None else not shared,
        "throughput": throughput,
        "latency": latency_of(variant, bool(shared), rng) if mode == "pingpong" else None,
        "workers": workers_of(mode, producers, consumers, throughput),
        "verification": verification_of(throughput),
    }


def throughput_of(variant: str, at: str, shared: bool, rng: random.Random) -> Dict[str, Any]:
    """A run's throughput: two-humped where one producer meets one consumer, as real ones are."""
    if variant == "bound/fetch_add":
        level = FETCH_ADD_PER_S[at]
    elif variant == "bound/pipe":
        level = PIPE_PER_S[at]
    else:
        level = BASE_PER_S[at] * VARIANTS[variant][0]
        if variant == "queue/exchange/acq_rel/none/compact" and at == "1P1C" and rng.random() < 0.4:
            level *= 1.9
    if shared and at == "1P1C":
        level *= 1.25
    noise = 0.012 if at == "1P1C" else 0.06
    per_s = level * math.exp(rng.gauss(0, noise))
    operations = int(per_s * WINDOW_NS / 1e9)
    return {"operations": operations, "operation": "increment" if variant == "bound/fetch_add" else "item received",
            "window_obtained_ns": float(WINDOW_NS), "operations_per_s": operations * 1e9 / WINDOW_NS,
            "ns_per_operation": round(1e9 / per_s, 4)}


def latency_of(variant: str, shared: bool, rng: random.Random) -> Dict[str, Any]:
    """A run's round trips: a body around the median and a tail that rises with every nine."""
    level = {"bound/cacheline": CACHELINE_NS, "bound/pipe": PIPE_NS}.get(variant)
    if level is None:
        level = ROUND_TRIP_NS * VARIANTS[variant][1]
    if shared and variant != "bound/pipe":
        level *= SHARED_FACTOR
    p50 = level * math.exp(rng.gauss(0, 0.008))
    samples = int(WINDOW_NS / p50 / 4)
    tail = rng.uniform(0.9, 1.3)

    def at(fraction: float) -> float:
        nines = -math.log10(1 - fraction)
        return round(p50 * (0.93 + 0.07 * (nines / 0.301)) + 35 * tail * max(0.0, nines - 1.6) ** 3, 1)

    def supported(fraction: float) -> Optional[float]:
        return at(fraction) if samples * (1 - fraction) >= 10 else None

    curve = [[fraction, at(fraction)] for fraction in FRACTIONS if samples * (1 - fraction) >= 10]
    return {"what": "round_trip", "samples": samples, "min_ns": round(p50 * 0.8, 1), "mean_ns": round(p50 * 1.05, 1),
            "p50_ns": round(p50, 1), "p90_ns": supported(0.9), "p99_ns": supported(0.99),
            "p99_9_ns": supported(0.999), "p99_99_ns": supported(0.9999), "max_ns": round(p50 * 40, 1),
            "curve": curve}


def workers_of(mode: str, producers: int, consumers: int, throughput: Optional[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """A line a worker; only as much as the schema asks for."""
    roles = ["initiator", "responder"] if mode == "pingpong" else ["producer"] * producers + ["consumer"] * consumers
    done = throughput["operations"] if throughput else 0
    return [{"role": role, "index": index, "cpu": index % CPUS, "successes": done // len(roles), "full": None,
             "empty": None, "outside_window": 0, "retries": "unknown", "start_ns": 0.0, "end_ns": float(WINDOW_NS),
             "minor_faults": 0, "major_faults": 0, "voluntary_switches": 0, "involuntary_switches": 0}
            for index, role in enumerate(roles)]


def verification_of(throughput: Optional[Dict[str, Any]]) -> Dict[str, Any]:
    """A passed check."""
    sent = throughput["operations"] if throughput else 0
    return {"passed": True, "sent": sent, "received": sent, "sums_equal": True, "order_violations": 0,
            "corrupt_items": 0}


def fail(one: Dict[str, Any]) -> None:
    """Turns a record into that of a run that failed."""
    one.update(status="failed", error="consumer 1: killed by the watchdog after 2.0 s without progress",
               throughput=None, latency=None, verification=None)


def records(full: bool = False, rounds: int = 10, seed: int = SEED) -> List[Dict[str, Any]]:
    """All records of the invented run, in the order in which it would have written them."""
    rng = random.Random(seed)
    found = []
    for round_ in range(rounds):
        order = cells(full)
        rng.shuffle(order)
        shared_round = round_ in (3, 4)  # for a while the host put both CPUs on one core
        for position, cell in enumerate(order):
            shared = None if counts(cell[2]) != (1, 1) else shared_round
            found.append(record(cell, round_, position, shared, rng))
    fail(next(one for one in found if one["round"] == min(2, rounds - 1) and one["oversubscribed"]
              and one["variant"] == "queue/ticket/acq_rel/exp/compact"))
    return found


def environment(rounds: int) -> Dict[str, Any]:
    """The invented machine."""
    return {
        "schema": "zeroipc-environment/1", "machine": "demo-cpu-2c-1n-00000000", "run": "20240101T120000Z-demo0001",
        "cpu": {"model": "Demo CPU, invented", "logical": CPUS, "cores": CPUS, "packages": 1, "numa_nodes": 1,
                "smt": "unknown"},
        "os": {"kernel": "6.1.0", "distribution": "Debian GNU/Linux 12"}, "virtualisation": "kvm",
        "governor": "unknown", "numa_balancing": "unknown", "clock": {"source": "tsc", "constant": True},
        "build": {"compiler": "GNU 12.2.0", "flags": "-O3 -DNDEBUG", "type": "Release", "revision": "0123456789ab"},
        "suite": {"name": "quick", "seed": SEED, "rounds": rounds, "window_ns": WINDOW_NS,
                  "started": "2024-01-01T12:00:00Z", "interrupted": False},
    }


def write(folder: Path, lines: Sequence[Dict[str, Any]], about: Optional[Dict[str, Any]]) -> None:
    """Writes a run folder."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    (folder / "records.jsonl").write_text(text, encoding="utf-8")
    if about is not None:
        (folder / "environment.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--full", action="store_true", help="every category, not two")
    parser.add_argument("--rounds", type=int, default=None)
    options = parser.parse_args()
    rounds = options.rounds or (10 if options.full else 7)
    write(options.folder, records(options.full, rounds), environment(rounds))


if __name__ == "__main__":
    main()
