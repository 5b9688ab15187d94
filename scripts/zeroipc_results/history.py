"""One cell over revisions: its medians in the commits' order, and where they stepped."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from matplotlib.axes import Axes

from zeroipc_report import wording
from zeroipc_report.stats import Better
from zeroipc_report.summary import better_of

from . import drawing, index, revisions
from .places import ROOT, ResultsError
from .steps import FEWEST, Step, find_steps


@dataclass(frozen=True)
class Moment:
    """The cell in one run. Figures are in operations a second or ns, as its mode has it."""

    run_folder: str
    revision: str
    started_utc: str
    median: float
    low: float  # NaN where the run had too few rounds
    high: float


@dataclass(frozen=True)
class Trend:
    """A cell's moments in order, and the steps between them."""

    cell: str
    mode: str
    moments: List[Moment]
    steps: List[Step]
    by_commit: bool  # in the order of commits; else, where git does not know them all, in that of time

    def sentence(self, step: Step) -> str:
        """The step in words."""
        ratio = step.after / step.before
        better = (ratio > 1) == (better_of(self.mode) is Better.HIGHER)
        before, after = self.moments[step.index - 1], self.moments[step.index]
        figures = " to ".join(wording.number(wording.in_unit(value, self.mode)) for value in (step.before, step.after))
        return (f"{self.cell}: {'faster' if better else 'slower'} from {after.revision} ({after.started_utc}) on, "
                f"{wording.number(ratio)} times the {wording.QUANTITIES[self.mode]} ({figures} "
                f"{wording.UNITS[self.mode]}, p = {step.p_value:.3f}); the run before was of {before.revision}")


def trends(path: Path, cells: str, machine: Optional[str], root: Path = ROOT) -> List[Trend]:
    """The trend of every cell whose name matches the pattern (* and ?), on one machine."""
    _, found = index.query(
        path, "SELECT DISTINCT machine FROM cells JOIN runs USING(run_folder) WHERE cell GLOB ? ORDER BY machine",
        (cells,))
    machines = [row[0] for row in found]
    if not machines:
        raise ResultsError(f"no cell matches '{cells}'; 'scripts/results query \"SELECT DISTINCT cell FROM cells\"' "
                           "lists them.")
    if machine is None and len(machines) > 1:
        raise ResultsError(f"'{cells}' was run on {', '.join(machines)}: say which with --machine; figures of two "
                           "machines make no trend.")
    machine = machine or machines[0]
    _, rows = index.query(
        path, "SELECT cell, mode, run_folder, revision, started_utc, median, low, high FROM cells JOIN runs "
        "USING(run_folder) WHERE cell GLOB ? AND machine = ? AND median IS NOT NULL ORDER BY cell", (cells, machine))
    if not rows:
        raise ResultsError(f"no run on {machine} has a cell that matches '{cells}'; it was run on "
                           f"{', '.join(machines)}.")
    order = commit_order(root)
    moments: Dict[str, List[Moment]] = {}
    modes = {}
    for cell, mode, folder, revision, started, *figures in rows:
        modes[cell] = mode
        moments.setdefault(cell, []).append(
            Moment(folder, revision, started, *(math.nan if one is None else one for one in figures)))
    return [_trend(cell, modes[cell], some, order) for cell, some in moments.items()]


def commit_order(root: Path) -> Dict[str, int]:
    """The place of each commit, by its first 12 digits, from the first one on; empty without git."""
    try:
        commits = revisions.git(root, "rev-list", "--topo-order", "--reverse", "--all").splitlines()
    except ResultsError:
        return {}
    return {commit[:12]: place for place, commit in enumerate(commits)}


def _trend(cell: str, mode: str, moments: Sequence[Moment], order: Dict[str, int]) -> Trend:
    """A revision with changes on top (`+`) stands behind the plain one."""
    by_commit = all(one.revision.rstrip("+") in order for one in moments)
    ordered = sorted(moments, key=lambda one: (
        (order[one.revision.rstrip("+")], one.revision) if by_commit else (0, ""), one.started_utc, one.run_folder))
    return Trend(cell, mode, ordered, find_steps([one.median for one in ordered]), by_commit)


def draw(found: Sequence[Trend], target: Path) -> Path:
    """A panel a cell: each run's median with its interval, the levels between steps as lines."""
    figure = drawing.new(max(6.5, 2 + 0.32 * max(len(one.moments) for one in found)), 2.6 * len(found) + 0.6)
    every = figure.subplots(len(found), 1, squeeze=False, gridspec_kw={"hspace": 0.9}).flatten()
    for axes, one in zip(every, found):
        _panel(axes, one)
    return drawing.save(figure, target)


def _panel(axes: Axes, one: Trend) -> None:
    ends = [0, *(step.index for step in one.steps), len(one.moments)]
    for place, moment in enumerate(one.moments):
        low, median, high = (wording.in_unit(value, one.mode) for value in (moment.low, moment.median, moment.high))
        if not math.isnan(low):
            axes.vlines(place, low, high, colors=drawing.COLOURS[0], linewidth=2)
        axes.plot([place], [median], marker="o", markersize=5, color=drawing.COLOURS[0])
    for first, last, level in zip(ends, ends[1:], _levels(one)):
        axes.hlines(wording.in_unit(level, one.mode), first - 0.4, last - 0.6, colors=drawing.COLOURS[1], linewidth=1.2)
    for step in one.steps:
        axes.axvline(step.index - 0.5, color=drawing.COLOURS[1], linestyle=":", linewidth=1.2)
    axes.set_ylim(bottom=0)
    axes.set_xlim(-0.6, len(one.moments) - 0.4)
    axes.set_xticks(range(len(one.moments)), [moment.revision for moment in one.moments], rotation=60, ha="right",
                    fontsize=7)
    axes.set_ylabel(f"{wording.QUANTITIES[one.mode]}, {wording.UNITS[one.mode]}")
    axes.set_title(one.cell, fontsize=9)
    told = "" if len(one.moments) >= FEWEST else f"; {len(one.moments)} runs, too few to find steps"
    axes.set_xlabel(f"revision, in the order of {'commits' if one.by_commit else 'time'}; a mark a run: median and 95% "
                    f"interval; lines: levels between steps{told}", fontsize=8)


def _levels(one: Trend) -> List[float]:
    if one.steps:
        return [one.steps[0].before, *(step.after for step in one.steps)]
    ordered = sorted(moment.median for moment in one.moments)
    middle = len(ordered) // 2
    return [(ordered[middle] + ordered[-middle - 1]) / 2]
