"""Writes a run folder of invented records of the size of a whole suite, to see that a report bears it.

    zeroipc-bench --suite standard --dry-run | make_standard.py FOLDER [--rounds 30]

Cells are read from the harness's own list; figures are drawn from a model with a fixed seed, as in make_records.py.
"""

from __future__ import annotations

import argparse
import math
import random
import re
import sys
from pathlib import Path
from typing import Any, Dict, Iterable, List, Tuple

import make_records

DEFAULTS = ("queue/exchange/acq_rel/exp/compact", "stack/treiber/acq_rel/exp/compact", "map/buckets/acq_rel/exp/compact")
CELL = re.compile(r"(throughput|pingpong|latency)/(.+?)/(?:(\d+)P(\d+)C|(\d+)W)/(\d+)B(?:/cap(\d+))?/(\d+)ms(?:/(\S+))?$")
INTERVALS = 10


def cell_of(key: str) -> Dict[str, Any]:
    """What a record says of its cell, by the cell's key."""
    found = CELL.match(key)
    if found is None:
        raise SystemExit(f"make_standard.py: {key!r} is no cell's key")
    mode, variant, producers, consumers, workers, payload, capacity, window, rest = found.groups()
    workload: Dict[str, Any] = {"think_ns": 0, "batch": 1, "push_percent": None, "mix": None, "keys": None,
                                "filled_percent": None, "placement": None}
    load = None
    for part in (rest or "").split("/"):
        name, figure = re.fullmatch(r"([a-z]*?)([\d.]*)", part).groups() if re.fullmatch(r"[a-z]*[\d.]*", part) else (part, "")
        if name in ("think", "batch", "push", "filled") and figure:
            workload[{"think": "think_ns", "push": "push_percent", "filled": "filled_percent"}.get(name, name)] = int(figure)
        elif name in ("poisson", "constant", "closed"):
            load = {"percent": int(figure or 0), "arrivals": None if name == "closed" else name}
        elif part.startswith(("uniform", "zipf", "hot")):
            workload["keys"] = part
        elif part:
            workload["mix"] = part
    count = int(workers or producers) + int(consumers or 0)
    return {"cell": key, "mode": mode, "variant": variant, "kind": "bound" if variant.startswith("bound/") else "variant",
            "is_default": variant in DEFAULTS, "producers": int(workers or producers), "consumers": int(consumers or 0),
            "payload_bytes": int(payload), "capacity": None if capacity is None else int(capacity),
            "window_ns": int(window) * 1_000_000, "workload": workload, "load": load,
            "oversubscribed": count > make_records.CPUS}


def record(cell: Dict[str, Any], round_: int, position: int, rng: random.Random) -> Dict[str, Any]:
    """One run of a cell: levels belong to variant and cell, noise to the run."""
    levels = random.Random(cell["variant"] + cell["cell"])
    effect = math.exp(levels.gauss(0, 0.4)) * math.exp(rng.gauss(0, 0.06))
    flags = (["oversubscribed"] if cell["oversubscribed"] else []) + (["involuntary_switches"] if rng.random() < 0.06 else [])
    one = make_records.record(("pingpong", make_records.DEFAULT, "1P1C"), round_, position, False, rng)
    count = cell["producers"] + cell["consumers"]
    operations = int(8e5 * effect)
    rates = [max(1e-3, rng.gauss(1, 0.1)) for _ in range(count)]
    roles = ["producer"] * cell["producers"] + ["consumer"] * cell["consumers"] if cell["consumers"] else ["worker"] * count
    workers = [{"role": role, "index": index, "cpu": index % make_records.CPUS, "full": None, "empty": None,
                "successes": int(operations * rates[index]), "retries": int(operations * 0.1 * effect),
                "hiccups": {"longest_ns": rng.lognormvariate(11, 1)}, "counters": {"cycles": operations * 90,
                                                                                "cache-misses": operations * 2}}
               for index, role in enumerate(roles)]
    timed = cell["mode"] != "throughput"
    one.update(cell, flags=flags, workers=workers, separate_cores=True, fairness=None, latency=None, throughput=None,
               verification=make_records.verification_of(None))
    if timed:
        one["latency"] = make_records.latency_of(make_records.DEFAULT, False, rng)
        one["latency_uncorrected"] = one["latency"] if cell["load"] and cell["load"]["percent"] else None
    else:
        one["throughput"] = {"operations": operations, "operation": "item received", "window_obtained_ns": 1e8,
                             "operations_per_s": operations * 10.0, "ns_per_operation": 1e8 / operations}
        one["intervals"] = {"length_ns": 1e7, "operations": [int(operations / 10 * rng.gauss(1, 0.05))
                                                             for _ in range(INTERVALS)], "steady": True, "steady_from": 0}
    return one


def records(listed: Iterable[str], rounds: int) -> Tuple[int, List[Dict[str, Any]]]:
    """How many cells the harness's list holds, and their records."""
    cells = [cell_of(line.split()[0]) for line in listed if CELL.match(line.split(" ")[0].strip())]
    rng = random.Random(make_records.SEED)
    lines: List[Dict[str, Any]] = []
    for round_ in range(rounds):
        order = rng.sample(cells, len(cells))
        lines += [record(cell, round_, position, rng) for position, cell in enumerate(order)]
    return len(cells), lines


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    cells, lines = records(sys.stdin, options.rounds)
    make_records.write(options.folder, lines, make_records.environment(options.rounds))
    print(f"{cells} cells, {len(lines)} records")


if __name__ == "__main__":
    main()
