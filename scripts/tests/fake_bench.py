"""Stands in for zeroipc-bench where pairs of CPUs are measured, or two builds in turn.

The round trip between two CPUs is 100 ns times their distance; SPEED, a file beside the program, makes the queue slower
by that factor. It is called in the tests' own process, through `harness._run`.
"""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any, Dict, List

import make_records


class FakeBench:
    """The calls it got, and the one, counted from 1, at which it is interrupted."""

    def __init__(self) -> None:
        self.calls: List[List[str]] = []
        self.interrupt_at = 0

    def run(self, command: List[str]) -> "subprocess.CompletedProcess[str]":
        """What takes the place of `harness._run`."""
        if command[1] == "topology":
            return subprocess.CompletedProcess(command, 0, json.dumps({"machine": topology(), "placements": []}), "")
        self.calls.append(command)
        if len(self.calls) == self.interrupt_at:
            return subprocess.CompletedProcess(command, 130, "", "interrupted")
        self._measure(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    def _measure(self, command: List[str]) -> None:
        def value_of(flag: str, otherwise: str) -> str:
            return command[command.index(flag) + 1] if flag in command else otherwise

        speed = Path(command[0]).parent / "SPEED"
        factor = float(speed.read_text(encoding="utf-8")) if speed.exists() else 1.0
        one, other = map(int, value_of("--cpus", "0,1").split(","))
        rng = random.Random(len(self.calls))
        lines: List[Dict[str, Any]] = []
        for position, variant in enumerate(("bound/cacheline", make_records.DEFAULT)):
            record = make_records.record(("pingpong", variant, "1P1C"), 0, position, False, rng)
            slow = 1.0 if variant.startswith("bound/") else factor
            record["latency"]["p50_ns"] = 100.0 * max(1, abs(one - other)) * slow * rng.lognormvariate(0, 0.002)
            record["placement"].update(strategy="explicit", cpus_asked=[one, other])
            record.update(run=f"20240101T120000Z-{len(self.calls):04d}", seed=int(value_of("--seed", "0")), flags=[])
            lines.append(record)
        out = Path(value_of("--out", ""))
        make_records.write(out, lines, make_records.environment(1))
        (out / "topology.xml").write_text("<topology/>\n", encoding="utf-8")


def topology() -> Dict[str, Any]:
    """Four CPUs on two nodes, and a fifth that may not be used."""
    cpus = [{"cpu": cpu, "usable": cpu < 4, "core": cpu, "l2": cpu, "llc": cpu // 2, "node": cpu // 2, "package": 0,
             "smt_rank": 0, "efficiency": 0} for cpu in range(5)]
    return {"model": "Demo CPU, invented", "logical_cpus": 5, "cores": 5, "packages": 1, "numa_nodes": 3, "caches": [],
            "cpus": cpus}
