"""The micro-benchmarks' table: `python -m zeroipc_report.micro FILE`. Reads only that file, of zeroipc-micro."""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, TextIO, Tuple

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from . import wording
from .stats import Estimate, estimate_median, paired_ratios
from .tables import WIDE

# What is measured, by the name behind the slash; all others of the same name in front are what it is compared with.
SUBJECTS = ("zeroipc", "churned")
NS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
# Google Benchmark appends to a name how it was run.
HOW_IT_RAN = re.compile(r"/(iterations:\d+|manual_time|real_time|process_time|min_time:[^/]*|repeats:\d+|threads:\d+)")
# Counters of the benchmark that runs two processes.
TWO_OVER_ONE = "two_over_one"
BY_CPU_TIME = "two_over_one_by_cpu_time"
PROBES = ["probe_before_ns", "probe_after_ns"]
SEPARATE = "separate_cores"
COUNTERS = [TWO_OVER_ONE, BY_CPU_TIME, SEPARATE, *PROBES]


class MicroError(Exception):
    """A file that cannot be read as what zeroipc-micro writes: the message says which, and what to do."""


@dataclass(frozen=True)
class Goal:
    """What a ratio should be."""

    limit: float
    at_most: bool = True  # else at least

    def text(self) -> str:
        """Such as `at most 0.6`."""
        return f"{'at most' if self.at_most else 'at least'} {self.limit:g}"

    def result(self, ratio: Estimate) -> str:
        """`met` or `not met` by the median, and whether the interval allows the other answer."""
        met = ratio.median <= self.limit if self.at_most else ratio.median >= self.limit
        unsure = not ratio.has_interval or ratio.low <= self.limit <= ratio.high
        return ("met" if met else "not met") + (", unsure" if unsure else "")


# By the benchmark and what it is compared with.
GOALS = {
    ("queue_pair", "boost_fixed"): Goal(0.6),
    ("queue_pair", "boost_nodes"): Goal(0.6),
    ("stack_pair", "boost_fixed"): Goal(0.8),
    ("map_find_hit", "tbb_hash_map"): Goal(0.35),
    ("map_insert", "tbb_hash_map"): Goal(0.5),
    ("map_insert", "tbb_hash_map_growing"): Goal(0.5),
    ("turnover_find_hit", "fresh"): Goal(1.2),
    ("turnover_find_miss", "fresh"): Goal(1.2),
}
TWO_PROCESSES = Goal(1.6, at_most=False)


@dataclass(frozen=True)
class Run:
    """The repetitions of one file."""

    context: Dict[str, Any]
    times: pd.DataFrame  # order, what, who, repetition, ns: one row a repetition that did not fail
    counters: pd.DataFrame  # those of two processes: one row a repetition
    failures: Dict[str, str]  # by name: what it said


@dataclass(frozen=True)
class Row:
    """One benchmark, and the subject's time as a multiple of it."""

    what: str
    who: str
    time: Estimate  # ns
    ratio: Optional[Estimate]
    goal: Optional[Goal]


def load(path: Path) -> Run:
    """Reads a file of Google Benchmark's JSON. Raises MicroError."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        entries = [one for one in document["benchmarks"] if one["run_type"] == "iteration"]
        context = document["context"]
    except OSError as error:
        raise MicroError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise MicroError(f"{path} is not what zeroipc-micro writes when it comes to its end: {error}; "
                         "measure again with scripts/micro") from error
    times, counters, failures = [], [], {}
    for entry in entries:
        what, _, who = HOW_IT_RAN.sub("", entry["run_name"]).rpartition("/")
        if entry.get("error_occurred"):
            failures[f"{what}/{who}"] = entry.get("error_message", "")
            continue
        repetition = entry.get("repetition_index", 0)
        times.append({"order": entry.get("family_index", 0), "what": what, "who": who, "repetition": repetition,
                      "ns": _nanoseconds(entry)})
        if TWO_OVER_ONE in entry:
            counters.append({key: entry[key] for key in COUNTERS})
    return Run(context, pd.DataFrame(times, columns=["order", "what", "who", "repetition", "ns"]),
               pd.DataFrame(counters, columns=COUNTERS), failures)


def _nanoseconds(entry: Dict[str, Any]) -> float:
    """CPU time, which other programs on the machine disturb less; what timed itself says so in its name."""
    timed_itself = "/manual_time" in entry["run_name"]
    return entry["real_time" if timed_itself else "cpu_time"] * NS[entry["time_unit"]]


def rows(run: Run) -> List[Row]:
    """All benchmarks in the program's order, for random interleaving leaves the file in none; each subject first."""
    found = []
    times = run.times.sort_values(["order", "what", "who", "repetition"])
    for what, group in times.groupby("what", sort=False):
        by_who = {who: one.set_index("repetition")["ns"] for who, one in group.groupby("who", sort=False)}
        subject = next((who for who in SUBJECTS if who in by_who), None)
        for who in sorted(by_who, key=lambda who: who != subject):
            ratio = goal = None
            if subject is not None and who != subject:
                ratio = estimate_median(paired_ratios(by_who[subject], by_who[who]).to_numpy())
                goal = GOALS.get((what, who))
            found.append(Row(what, who, estimate_median(by_who[who].to_numpy()), ratio, goal))
    return found


def show(run: Run, stream: Optional[TextIO] = None) -> None:
    """Prints the table, then two processes against one, then what failed."""
    stream = stream or sys.stdout
    console = Console(file=stream, width=WIDE if not stream.isatty() else None, highlight=False)
    console.print(_table(rows(run)))
    for line in _notes(run):
        console.print(Text(line))


def _table(all_rows: List[Row]) -> Table:
    table = Table(title="ns an operation, and the subject's time as a multiple of the other's (medians, 95%)",
                  title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for header in ("benchmark", "of", "ns", "ratio", "aim", "result"):
        table.add_column(header, no_wrap=True)
    before = None
    for row in all_rows:
        if before not in (None, row.what):
            table.add_section()
        ratio, aim, result = _judged(row)
        table.add_row(row.what if row.what != before else "", row.who, _time_text(row.time), ratio, aim, result)
        before = row.what
    return table


def _judged(row: Row) -> Tuple[str, str, str]:
    if row.ratio is None or row.ratio.n == 0:
        return "", "", ""
    text = wording.ratio_text(row.ratio)
    return (text, row.goal.text(), row.goal.result(row.ratio)) if row.goal else (text, "", "")


def _time_text(time: Estimate) -> str:
    interval = " " + wording.interval(time.low, time.high) if time.has_interval else ""
    return wording.number(time.median) + interval


def _notes(run: Run) -> List[str]:
    notes = [_two_processes(run.counters)] if len(run.counters) else []
    repetitions = int(run.times["repetition"].max()) + 1 if len(run.times) else 0
    notes.append(f"{repetitions} repetitions; compared with: {run.context.get('peers', 'unknown')}; "
                 f"load {run.context.get('load_avg', 'unknown')}")
    notes += [f"failed: {name}: {message}" for name, message in sorted(run.failures.items())]
    return notes


def _two_processes(counters: pd.DataFrame) -> str:
    """Only rounds on separate cores count: two processes on one core share what one has."""
    counted = counters[counters[SEPARATE] == 1]
    probes = counters[PROBES].to_numpy()
    probed = f"{wording.number(probes.min())} to {wording.number(probes.max())} ns"
    if not len(counted):
        everywhere = estimate_median(counters[TWO_OVER_ONE].to_numpy())
        return (f"Finds of two processes together as a multiple of those of one: unknown, for in none of "
                f"{len(counters)} rounds were the two CPUs on separate cores (cache-line round trip {probed}); there, "
                f"it was {wording.ratio_text(everywhere)}. The aim is {TWO_PROCESSES.text()}.")
    ratio = estimate_median(counted[TWO_OVER_ONE].to_numpy())
    by_cpu_time = estimate_median(counted[BY_CPU_TIME].to_numpy())
    return (f"Finds of two processes together as a multiple of those of one: {wording.ratio_text(ratio)}, "
            f"the aim is {TWO_PROCESSES.text()}: {TWO_PROCESSES.result(ratio)}. By their CPU time, which "
            f"leaves out what other programs took: {wording.ratio_text(by_cpu_time)}. {len(counted)} of "
            f"{len(counters)} rounds were on separate cores and count. Cache-line round trip of the two CPUs: {probed}.")


def main(arguments: Optional[List[str]] = None) -> int:
    """Prints the table of a file; answers the exit status: 0, 1 (unreadable) or 2 (bad usage)."""
    parser = argparse.ArgumentParser(prog="zeroipc_report.micro",
                                     description="Prints medians and ratios of what zeroipc-micro measured.")
    parser.add_argument("file", type=Path, help="JSON that zeroipc-micro wrote by --benchmark_out")
    options = parser.parse_args(arguments)
    try:
        show(load(options.file))
    except MicroError as error:
        print(f"zeroipc_report.micro: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
