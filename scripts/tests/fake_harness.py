"""Stands in for zeroipc-bench under a self-test: reads the suite, writes records of a machine whose truth is known.

A single worker slows down by just what is planted; a contended counter speeds up by half of it; the default queue falls
into modes far apart, so that nothing can be told. Run noise is 0.5%. FAIL_AT and HANG_AT name the
folder whose run fails, or stands still until it is interrupted.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import zlib
from pathlib import Path
from typing import Any, Dict, List, Tuple

import make_records

COST_NS = {(1, 0): 5.0, (1, 1): 20.0}  # of an operation to one worker of a counter
LOOK = 32


def sweeps(text: str) -> Tuple[int, List[Dict[str, Any]]]:
    """Rounds and sweeps of a suite whose values are written as JSON would write them."""
    found: List[Dict[str, Any]] = [{}]
    for line in text.splitlines():
        if line == "[[sweep]]":
            found.append({})
        elif line:
            key, _, value = line.partition(" = ")
            found[-1][key] = json.loads(value)
    return found[0]["rounds"], found[1:]


def cells(suite: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Every cell once."""
    found = {}
    for sweep in suite:
        for ns in sweep.get("handicap_ns", [0]):
            for replica in range(sweep.get("replicas", 1)):
                cell = {"variant": sweep["variants"], "workers": (sweep["producers"], sweep["consumers"]),
                        "window_ns": sweep["window_ms"] * 1_000_000, "handicap_ns": ns, "replica": replica,
                        "handicap_workers": sweep.get("handicap_workers") if ns else None}
                found[json.dumps(cell)] = cell
    return list(found.values())


def rate(cell: Dict[str, Any], rng: random.Random) -> float:
    """Operations a second."""
    if cell["variant"] == "default":
        return 5e6 * rng.choice((1, 8)) * rng.lognormvariate(0, 0.3)
    producers, consumers = cell["workers"]
    cost = COST_NS[cell["workers"]]
    planted = cell["handicap_ns"] / LOOK / cost
    factor = 1 / (1 + planted) if consumers == 0 else 1 + planted / 2
    return (producers + consumers) * 1e9 / cost * factor * rng.lognormvariate(0, 0.005)


def record(cell: Dict[str, Any], round_: int, position: int, rng: random.Random) -> Dict[str, Any]:
    """One run."""
    variant = make_records.DEFAULT if cell["variant"] == "default" else cell["variant"]
    workers = f"{cell['workers'][0]}P{cell['workers'][1]}C"
    one = make_records.record(("throughput", variant, "1P1C"), round_, position, None, rng)
    one.update(producers=cell["workers"][0], consumers=cell["workers"][1], flags=[], oversubscribed=False,
               cell=f"throughput/{variant}/{workers}/{cell['handicap_ns']}/{cell['replica']}",
               **{key: cell[key] for key in ("window_ns", "handicap_ns", "handicap_workers", "replica")})
    one["throughput"]["operations_per_s"] = rate(cell, rng)
    return one


def main() -> int:
    """As zeroipc-bench is called: --suite FILE --out FOLDER, and more that does not matter here."""
    arguments = sys.argv[1:]
    out = Path(arguments[arguments.index("--out") + 1])
    rounds, suite = sweeps(Path(arguments[arguments.index("--suite") + 1]).read_text(encoding="utf-8"))
    if out.name == os.environ.get("FAIL_AT"):
        print("a worker did not like it", file=sys.stderr)
        return 2
    interrupted = []
    signal.signal(signal.SIGINT, lambda *_: interrupted.append(1))
    rng = random.Random(zlib.crc32(out.name.encode()))
    lines = []
    for round_ in range(rounds):
        order = cells(suite)
        rng.shuffle(order)
        lines += [record(cell, round_, position, rng) for position, cell in enumerate(order)]
    hang = os.environ.get("HANG_AT") == out.name
    make_records.write(out, lines[:len(lines) // 2] if hang else lines, make_records.environment(rounds))
    while hang and not interrupted:
        time.sleep(0.02)
    return 130 if hang else 0


if __name__ == "__main__":
    sys.exit(main())
