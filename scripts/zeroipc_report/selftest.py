"""The harness against itself: `python -m zeroipc_report.selftest --harness PROGRAM FOLDER`.

Runs tries of cells that differ in nothing and of cells with planted handicaps, and finds the smallest handicap that the
verdict rule sees on this machine. scripts/selftest builds the program and names the folder.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, TextIO, Tuple

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from . import records
from .resolution import CASES, FEWEST_TRIES, SCHEMA, analyse, found_text, handicap_ns, publish, sentence
from .stats import FEWEST_ROUNDS
from .tables import WIDE

FULL = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)  # percent of the cost of an operation
QUICK = (5.0, 20.0, 100.0)
ROUNDS = 10  # of a try, if there is time
WINDOWS_MS = (10, 100)  # the shortest and the longest, by the time there is
CALIBRATION_ROUNDS, CALIBRATION_WINDOW_MS = 7, 30
INTERRUPTED = 130


class SelftestError(Exception):
    """The harness failed: the message says how."""


@dataclass(frozen=True)
class Plan:
    """What is run: tries of rounds of cells, one window for all."""

    tries: int
    rounds: int
    window_ms: int
    ladders: List[Dict[float, float]]  # of each case: percent to ns
    run_s: float  # that a run takes beside its window

    @property
    def runs(self) -> int:
        """Runs of one try."""
        return self.rounds * sum(len(ladder) + 2 for ladder in self.ladders)

    @property
    def seconds(self) -> float:
        """Of all tries, about."""
        return self.tries * self.runs * (self.window_ms / 1000 + self.run_s)


def fit(budget_s: float, run_s: float, ladders: List[Dict[float, float]], asked: argparse.Namespace) -> Plan:
    """The most rounds, then the longest window, that fit in the budget; the least of both where nothing does."""
    def plan(rounds: int, window_ms: int) -> Plan:
        return Plan(asked.tries, rounds, window_ms, ladders, run_s)

    most = FEWEST_ROUNDS if asked.quick else ROUNDS
    many = [asked.rounds] if asked.rounds else list(range(most, FEWEST_ROUNDS - 1, -1))
    windows = [asked.window_ms] if asked.window_ms else list(range(WINDOWS_MS[1], WINDOWS_MS[0] - 1, -10))
    for rounds in many:
        for window_ms in windows:
            if plan(rounds, window_ms).seconds <= budget_s:
                return plan(rounds, window_ms)
    return plan(many[-1], windows[-1])


def suite(plan: Plan) -> str:
    """The suite of one try, for zeroipc-bench."""
    text = f'about = "A try of scripts/selftest."\nrounds = {plan.rounds}\n'
    for case, ladder in zip(CASES, plan.ladders):
        where = (f'\n[[sweep]]\nmode = "throughput"\nvariants = "{case.variant}"\nproducers = {case.producers}\n'
                 f"consumers = {case.consumers}\nwindow_ms = {plan.window_ms}\n")
        text += where + "replicas = 2\n"
        if ladder:
            text += where + f'handicap_ns = {sorted(ladder.values())}\nhandicap_workers = "all"\n'
    return text


class Harness:
    """Runs zeroipc-bench, and shows how far it is."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.program, self.folder = program, folder

    def run(self, name: str, text: str, progress: "Progress") -> pd.DataFrame:
        """Runs a suite into a folder of that name; answers its records. Ctrl-C ends the harness, which keeps them."""
        path = self.folder / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        out = self.folder / name
        # The other bounds that stand beside every sweep say nothing here.
        command = [str(self.program), "--suite", str(path), "--out", str(out),
                   "--benchmark_filter=^throughput/(bound/fetch_add|queue)/"]
        log = self.folder / f"{name}.log"
        with log.open("w", encoding="utf-8") as said:
            child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said, stdin=subprocess.DEVNULL)
            try:
                while child.poll() is None:
                    progress.show(_lines(out / "records.jsonl"))
                    time.sleep(0.2)
            except KeyboardInterrupt:
                child.send_signal(signal.SIGINT)
                child.wait()
                raise
        if child.returncode == INTERRUPTED:
            raise KeyboardInterrupt
        if child.returncode not in (0, 1) or not _lines(out / "records.jsonl"):
            raise SelftestError(f"zeroipc-bench ended with status {child.returncode}: "
                                f"{log.read_text(encoding='utf-8', errors='replace').strip()[-500:]}")
        path.unlink()
        log.unlink()
        return records.load(out).frame


class Progress:
    """One line on a terminal, one a try elsewhere."""

    def __init__(self, stream: TextIO, total: int, run_s: float) -> None:
        self.stream, self.total, self.run_s = stream, total, run_s
        self.before, self.what = 0, ""
        self.begun = time.monotonic()

    def begin(self, what: str) -> None:
        """A try begins."""
        self.what = what
        if not self.stream.isatty():
            print(f"{what}, {self._left(self.before)}", file=self.stream, flush=True)

    def show(self, runs: int) -> None:
        """So many runs of the try are done."""
        if self.stream.isatty():
            print(f"\r\x1b[K{self.what}: {self.before + runs} of {self.total} runs, {self._left(self.before + runs)}",
                  end="", file=self.stream, flush=True)

    def end(self, runs: int) -> None:
        """The try is over."""
        self.before += runs
        if self.stream.isatty():
            print("\r\x1b[K", end="", file=self.stream, flush=True)

    def _left(self, done: int) -> str:
        """By what was seen, once there is enough of it."""
        each = (time.monotonic() - self.begun) / done if done >= 20 else self.run_s
        seconds = round(each * (self.total - done))
        return f"about {seconds // 60} min {seconds % 60} s left" if seconds >= 60 else f"about {seconds} s left"


def _lines(path: Path) -> int:
    try:
        return path.read_bytes().count(b"\n")
    except OSError:
        return 0


def calibrate(harness: Harness, stream: TextIO) -> Tuple[List[float], float]:
    """What an operation costs in each case, in ns, and what a run costs beside its window, in seconds."""
    plan = Plan(1, CALIBRATION_ROUNDS, CALIBRATION_WINDOW_MS, [{} for _ in CASES], 0.08)
    begun = time.monotonic()
    progress = Progress(stream, plan.runs, CALIBRATION_WINDOW_MS / 1000 + plan.run_s)
    progress.begin("calibration")
    frame = harness.run("calibration", suite(plan), progress)
    progress.end(len(frame))
    costs = [case.cost_ns(frame) for case in CASES]
    for case, cost in zip(CASES, costs):
        if not cost > 0:
            raise SelftestError(f"calibration: no usable run of {case.name}: see {harness.folder}/calibration")
    return costs, (time.monotonic() - begun) / len(frame) - CALIBRATION_WINDOW_MS / 1000


def summarise(plan: Plan, tries: Sequence[pd.DataFrame], machine: str, quick: bool, load: List[Any]) -> Dict[str, Any]:
    """What stands in resolution.json."""
    return {
        "schema": SCHEMA, "machine": machine, "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "quick": quick, "tries": len(tries), "tries_planned": plan.tries, "rounds": plan.rounds,
        "window_ns": plan.window_ms * 1_000_000, "load": load,
        "cases": [analyse(case, ladder, tries) for case, ladder in zip(CASES, plan.ladders)],
    }


def show(known: Dict[str, Any], stream: TextIO) -> None:
    """The table: a row a case, then how each handicap was judged."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    percents = [rung["percent"] for rung in known["cases"][0]["ladder"]]
    for header in ("case", "ns an operation", "A/A false alarms", "smallest found",
                   *(f"{percent:g}%" for percent in percents)):
        table.add_column(header, justify="left" if header == "case" else "right")
    for case in known["cases"]:
        cost = case["cost_ns"]
        table.add_row(case["case"], cost if cost == "unknown" else f"{cost:.3g}",
                      f"{case['aa']['false_alarms']} of {case['aa']['tries']}", found_text(case),
                      *(_judged(rung) for rung in case["ladder"]))
    console = Console(file=stream, width=None if stream.isatty() else WIDE, highlight=False)
    console.print(table)
    console.print("Under each handicap: the tries that called it slower (or faster), and its throughput as a multiple.",
                  markup=False)


def _judged(rung: Dict[str, Any]) -> str:
    faster = f", {rung['faster']} faster" if rung["faster"] else ""
    return f"{rung['slower']}/{rung['tries']}{faster} ({rung['ratio']})"


def _load() -> Any:
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return "unknown"


def run(options: argparse.Namespace, stream: TextIO) -> int:
    """Calibrates, tries, judges, writes; answers the exit status. Ctrl-C keeps whole tries."""
    begun, load, tries, status = time.monotonic(), [_load()], [], 0
    harness = Harness(options.harness, options.folder)
    costs, run_s = calibrate(harness, stream)
    percents = options.percents or (QUICK if options.quick else FULL)
    ladders = [{percent: handicap_ns(percent, cost) for percent in percents} for cost in costs]
    budget_s = options.minutes * 60
    plan = fit(budget_s - (time.monotonic() - begun), run_s, ladders, options)
    print(f"{plan.tries} tries of {plan.rounds} rounds of {plan.runs // plan.rounds} cells, windows of "
          f"{plan.window_ms} ms: about {plan.seconds / 60:.1f} min", file=stream)
    if plan.seconds > 1.1 * budget_s:
        print(f"that is more than the {options.minutes:g} min asked for: starting a run takes {run_s * 1000:.0f} ms "
              "here", file=stream)
    progress = Progress(stream, plan.tries * plan.runs, plan.window_ms / 1000 + run_s)
    try:
        for number in range(1, plan.tries + 1):
            progress.begin(f"try {number} of {plan.tries}")
            tries.append(harness.run(f"try-{number:02}", suite(plan), progress))
            progress.end(plan.runs)
    except KeyboardInterrupt:
        status = INTERRUPTED
        print(f"\ninterrupted: {len(tries)} whole tries are kept", file=stream)
    if not tries:
        return status
    machine = str(records.load(options.folder / "try-01").environment.get("machine", "unknown"))
    known = summarise(plan, tries, machine, options.quick, [*load, _load()])
    show(known, stream)
    print(f"\nThe resolution of this machine: {sentence(known)}\nwritten: "
          + ", ".join(str(path) for path in publish(options.folder, known)), file=stream)
    failed = sum(int(frame["failed"].sum()) for frame in tries)
    if failed:
        print(f"{failed} runs failed; their rounds count for nothing", file=stream)
    return status or (1 if failed else 0)


def main(arguments: Optional[List[str]] = None) -> int:
    """Command line; answers 0, 1 (a run failed), 2 (bad usage) or 130 (interrupted)."""
    parser = argparse.ArgumentParser(prog="zeroipc_report.selftest", description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path, help="an empty folder, results/<machine>/<time>-selftest")
    parser.add_argument("--harness", type=Path, required=True, help="the program zeroipc-bench")
    parser.add_argument("--quick", action="store_true", help="about a minute: few handicaps and rounds")
    parser.add_argument("--minutes", type=float, help="to spend, about (default 5; with --quick 1)")
    parser.add_argument("--tries", type=int, default=FEWEST_TRIES, help="blocks of rounds that are judged (default 10)")
    parser.add_argument("--rounds", type=int, help="of a try, 6 or more (default: up to 10, by the time)")
    parser.add_argument("--window-ms", type=int, help="timed window of a run (default: 10 to 100, by the time)")
    parser.add_argument("--percents", type=lambda text: tuple(float(one) for one in text.split(",")),
                        help="handicaps, in percent of the cost of an operation (default 1,2,5,10,20,50,100)")
    options = parser.parse_args(arguments)
    if options.minutes is None:
        options.minutes = 1.0 if options.quick else 5.0
    for name, value, least in (("minutes", options.minutes, 0.01), ("tries", options.tries, 1),
                               ("rounds", options.rounds, FEWEST_ROUNDS), ("window-ms", options.window_ms, 1),
                               ("percents", min(options.percents or (1,)), 0.01)):
        if value is not None and not value >= least:
            parser.error(f"--{name} takes a number from {least:g}, not {value:g}")
    try:
        return run(options, sys.stdout)
    except KeyboardInterrupt:
        print("interrupted: nothing was judged yet")
        return INTERRUPTED
    except (SelftestError, records.RecordsError) as error:
        print(f"zeroipc_report.selftest: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
