"""What the records say: a summary of each cell, each variant against its default, and the numbers to show."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, List, Tuple

import numpy as np
import pandas as pd

from .ranks import holm, paired_p
from .records import PLAIN, Point, RunFolder
from .stats import FEWEST_ROUNDS, Better, Estimate, Verdict, estimate_median, judge, paired_ratios

FETCH_ADD = "bound/fetch_add"
CAS = "bound/cas"
MUTEX = "bound/mutex"
EMPTY = "bound/empty"
CACHELINE = "bound/cacheline"
PIPE = "bound/pipe"
UNIX_SOCKET = "bound/unix_socket"
POSIX_MQ = "bound/posix_mq"
# These bounds move no items, so payload and capacity do not tell them apart.
WITHOUT_PAYLOAD = (FETCH_ADD, CAS, MUTEX, EMPTY, CACHELINE)


@dataclass(frozen=True)
class CellSummary:
    """One cell over its rounds. The estimate is in operations a second (throughput) or ns (round trip, p50)."""

    point: Point
    variant: str
    kind: str
    is_default: bool
    oversubscribed: bool
    estimate: Estimate
    runs: int
    failed: int
    flagged: int


@dataclass(frozen=True)
class Comparison:
    """A variant against the default at one point; the estimate is of the ratio, variant over default."""

    point: Point
    variant: str
    baseline: str
    better: Better
    ratio: Estimate
    verdict: Verdict
    rounds: int  # in which either was run
    flagged_rounds: int  # of those used: either run flagged for more than being oversubscribed
    moved_rounds: int  # of those used: cores separate for one run and shared for the other
    oversubscribed: bool
    p_value: float  # of the rank test (Wilcoxon's of signed ranks, paired by round) of this one alone; NaN: no test
    p_holm: float  # the same, corrected over all comparisons; secondary: no verdict goes by it


@dataclass(frozen=True)
class Target:
    """One of the numbers to show: a ratio of two cells against a figure that is aimed at."""

    statement: str
    ratio: Estimate
    goal: float
    at_most: bool  # else at least
    rounds: int  # in which either was run
    note: str

    @property
    def result(self) -> str:
        """`met` and `not met` go by the median; the interval stands beside it."""
        if self.ratio.n == 0:
            return "no rounds"
        met = self.ratio.median <= self.goal if self.at_most else self.ratio.median >= self.goal
        return "met" if met else "not met"


def better_of(mode: str) -> Better:
    """Which way the quantity that a mode is judged by improves."""
    return Better.HIGHER if mode in ("throughput", "kill") else Better.LOWER


def by_round(rows: pd.DataFrame) -> pd.Series:
    """The values of one cell's usable runs, indexed by (run, round)."""
    usable = rows[rows["usable"]]
    return usable.set_index(["run", "round"])["value"]


def cells(frame: pd.DataFrame) -> List[CellSummary]:
    """Every cell, in the points' order, the default first, then other variants by name, then bounds."""
    found = []
    for (point, variant), rows in frame.groupby(["point", "variant"], sort=False):
        first = rows.iloc[0]
        found.append(CellSummary(
            point, variant, first["kind"], first["is_default"], bool(rows["oversubscribed"].any()),
            estimate_median(by_round(rows).to_numpy()), len(rows), int(rows["failed"].sum()),
            int((rows["flags"].map(len) > 0).sum())))
    return sorted(found, key=lambda cell: (cell.point.order, cell.kind == "bound", not cell.is_default, cell.variant))


def comparisons(frame: pd.DataFrame) -> List[Comparison]:
    """Every variant and peer against the default of its structure at the same point, in the points' order; kills are not
    judged. A point is of one host: threads are compared with threads. Rank tests are corrected over all of them."""
    variants = frame[(frame["kind"] != "bound") & (frame["mode"] != "kill")]
    found = []
    for (point, _), rows in variants.groupby(["point", "structure"], sort=False):
        defaults = rows[rows["is_default"]]
        if defaults.empty:
            continue
        for variant, others in rows[~rows["is_default"]].groupby("variant", sort=True):
            found.append(_compare(point, variant, others, defaults))
    ordered = sorted(found, key=lambda one: (one.point.order, one.variant))
    return [replace(one, p_holm=p) for one, p in zip(ordered, holm([one.p_value for one in ordered]))]


def _compare(point: Point, variant: str, rows: pd.DataFrame, defaults: pd.DataFrame) -> Comparison:
    ratios = paired_ratios(by_round(rows), by_round(defaults))
    ratio = estimate_median(ratios.to_numpy())
    better = better_of(point.mode)
    flagged, moved = _disturbed(rows, defaults, ratios.index)
    return Comparison(point, variant, defaults.iloc[0]["variant"], better, ratio, judge(ratio, better),
                      _rounds(rows, defaults), flagged, moved, bool(rows["oversubscribed"].any()),
                      paired_p(ratios.to_numpy()), math.nan)


def _rounds(one: pd.DataFrame, other: pd.DataFrame) -> int:
    return len(_index(one).union(_index(other)))


def _index(rows: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(rows[["run", "round"]])


def _disturbed(one: pd.DataFrame, other: pd.DataFrame, used: pd.Index) -> Tuple[int, int]:
    """In how many of the rounds used either run was flagged, and in how many their cores were unlike."""
    first, second = ({key: (flags, cores) for key, flags, cores in zip(
        zip(rows["run"], rows["round"]), rows["flags"], rows["separate_cores"])} for rows in (one, other))
    flagged = moved = 0
    for key in used:
        (flags, cores), (their_flags, their_cores) = first[key], second[key]
        # Oversubscription belongs to the point and is named with it; it does not tell rounds apart.
        flagged += bool({*flags, *their_flags} - {"oversubscribed"})
        moved += cores is not None and their_cores is not None and cores != their_cores
    return flagged, moved


def bounds_at(frame: pd.DataFrame, point: Point) -> pd.DataFrame:
    """The runs of the bounds that belong beside a point: same mode, host, workers, window and, if they have it, payload."""

    def belongs(variant: str, other: Point) -> bool:
        def place(one: Point) -> Tuple[Any, ...]:
            return one.mode, one.host, one.producers, one.consumers, one.window_ns, one.placement

        same_run = place(other) == place(point) and other.diagnosis == PLAIN
        if not same_run or variant in WITHOUT_PAYLOAD:
            return same_run
        return other.payload_bytes == point.payload_bytes and other.capacity in (None, point.capacity)

    bounds = frame[frame["kind"] == "bound"]
    beside = [belongs(variant, other) for variant, other in zip(bounds["variant"], bounds["point"])]
    return bounds.loc[bounds.index[np.asarray(beside, dtype=bool)]]


def targets(folder: RunFolder) -> List[Target]:
    """The numbers to show, each of the default queue at 1P1C, 8 B, capacity 1024."""
    frame = folder.frame
    return [
        _target(frame, "pingpong", f"Round trip of the default queue as a multiple of that of {CACHELINE}, "
                "over rounds with both runs on separate cores", 1.4, True, CACHELINE, separate_only=True),
        _target(frame, "throughput", f"Throughput of the default queue as a multiple of that of {PIPE}", 4.0, False,
                PIPE),
        _target(frame, "throughput", "Throughput of the default queue as a multiple of that of the mutex queue", 1.5,
                False, "/mutex/"),
    ]


def _target(frame: pd.DataFrame, mode: str, statement: str, goal: float, at_most: bool, reference: str,
            separate_only: bool = False) -> Target:
    subject = _default_queue(frame, mode)
    if subject.empty:
        return Target(statement, estimate_median([]), goal, at_most, 0,
                      "the suite did not run the default queue at this point")
    other = _reference(frame, subject.iloc[0]["point"], reference)
    if other.empty:
        return Target(statement, estimate_median([]), goal, at_most, _rounds(subject, subject),
                      f"the suite did not run {reference.strip('/')} at this point")
    rounds = _rounds(subject, other)
    if separate_only:
        subject, other = _separate(subject), _separate(other)
    ratio = estimate_median(paired_ratios(by_round(subject), by_round(other)).to_numpy())
    return Target(statement, ratio, goal, at_most, rounds, _target_note(ratio, goal, separate_only))


def _default_queue(frame: pd.DataFrame, mode: str) -> pd.DataFrame:
    """Runs of the default queue between processes at 1P1C, 8 B, capacity 1024; of one window, should a suite have several."""

    def wanted(point: Point) -> bool:
        return (point.mode, point.producers, point.consumers, point.payload_bytes, point.capacity,
                point.workload, point.placement, point.diagnosis,
                point.host) == (mode, 1, 1, 8, 1024, "", "", PLAIN, "processes")

    rows = frame[(frame["structure"] == "queue") & frame["is_default"] & frame["point"].map(wanted)]
    return rows if rows.empty else rows[rows["point"] == rows.iloc[0]["point"]]


def _reference(frame: pd.DataFrame, point: Point, reference: str) -> pd.DataFrame:
    """Runs of a bound, by name, or of the first queue variant whose name holds the reference, at the point."""
    if reference.startswith("bound/"):
        bounds = bounds_at(frame, point)
        return bounds[bounds["variant"] == reference]
    rows = frame[(frame["structure"] == "queue") & (frame["point"] == point)
                 & (frame["kind"] == "variant") & frame["variant"].str.contains(reference, regex=False)]
    return rows[rows["variant"] == rows["variant"].min()]


def _separate(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["separate_cores"].map(lambda known: known is True)]


def _target_note(ratio: Estimate, goal: float, separate_only: bool) -> str:
    if ratio.n == 0:
        return ("in no round did both runs stand on separate cores, so there is no number" if separate_only
                else "no round has a usable run of both")
    if ratio.n < FEWEST_ROUNDS:
        return f"from fewer than {FEWEST_ROUNDS} rounds, too few to rely on"
    if ratio.low <= goal <= ratio.high:
        return "the interval does not exclude the other answer"
    return ""


def flag_rows(frame: pd.DataFrame) -> List[Tuple[str, str, int, int, str]]:
    """(cell, flag, runs with it, runs of the cell, their rounds) for every cell and flag seen.

    `oversubscribed` is left out: it is a property of the cell, and is told with it.
    """
    found = []
    for cell, rows in frame.groupby("cell", sort=True):
        for flag in sorted({flag for flags in rows["flags"] for flag in flags} - {"oversubscribed"}):
            raised = rows[[flag in flags for flags in rows["flags"]]]
            found.append((str(cell), flag, len(raised), len(rows), _rounds_of(raised)))
    return found


def failed_rows(frame: pd.DataFrame) -> List[Tuple[str, str, str]]:
    """(cell, round, why) of every run that failed."""
    failed = frame[frame["failed"]]
    return [(str(cell), _rounds_of(failed.iloc[place:place + 1]), str(error))
            for place, (cell, error) in enumerate(zip(failed["cell"], failed["error"]))]


def _rounds_of(rows: pd.DataFrame) -> str:
    """Such as `3, 4`; where there are several run folders, `first: 3, 4; second: 0`."""
    def listed(rounds: pd.Series) -> str:
        return ", ".join(map(str, sorted(rounds)))

    if "source" not in rows:
        return listed(rows["round"])
    return "; ".join(f"{source}: {listed(rounds)}" for source, rounds in rows.groupby("source", sort=False)["round"])


@dataclass(frozen=True)
class Analysis:
    """All that is said of the records, worked out once."""

    folder: RunFolder
    cells: List[CellSummary]
    comparisons: List[Comparison]
    targets: List[Target]


def analyse(folder: RunFolder) -> Analysis:
    """Judges the records of a run folder."""
    return Analysis(folder, cells(folder.frame), comparisons(folder.frame), targets(folder))
