"""Run folders with known truths, for the tests of zeroipc_results."""

from __future__ import annotations

import copy
import math
import random
from pathlib import Path
from typing import Any, Dict, List

import make_records

MACHINE = "demo-cpu-2c-1n-00000000"
OTHER = "queue/ticket/acq_rel/exp/compact"


def line(variant: str, mode: str, round_: int, value: float, position: int = 0) -> Dict[str, Any]:
    """One run of a cell at 1P1C with a given value: operations a second, or ns."""
    one = make_records.record((mode, variant, "1P1C"), round_, position, False, random.Random(round_))
    one["flags"] = []
    if mode == "throughput":
        one["throughput"].update(operations_per_s=value, ns_per_operation=1e9 / value)
    else:
        one["latency"]["p50_ns"] = value
    return one


def drifting(factors: Dict[str, float], mode: str = "pingpong", rounds: int = 10, seed: int = 1,
             drift: float = 0.3, noise: float = 0.004) -> List[Dict[str, Any]]:
    """Runs whose level drifts from round to round, for all variants alike; their ratios stay the same."""
    rng = random.Random(seed)
    found = []
    for round_ in range(rounds):
        level = 200 * math.exp(rng.gauss(0, drift))
        found += [line(name, mode, round_, level * factor * math.exp(rng.gauss(0, noise)), position)
                  for position, (name, factor) in enumerate(factors.items())]
    return found


def write(folder: Path, lines: List[Dict[str, Any]], **more: Any) -> Path:
    """Writes a run folder; `more` replaces parts of its environment, such as `machine` or `build`."""
    about = copy.deepcopy(make_records.environment(10))
    for key, value in more.items():
        about[key] = {**about[key], **value} if isinstance(value, dict) else value
    make_records.write(folder, lines, about)
    return folder
