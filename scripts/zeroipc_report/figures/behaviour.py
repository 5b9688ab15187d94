"""What happens inside a window: throughput over time, hiccups, and each worker's share."""

from __future__ import annotations

from typing import Dict, Iterator, List, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from .. import policies, wording
from ..points import Point
from . import ticks
from .base import CROWDED_COLOUR, Drawing, Source, grid_of, left_out, new_figure, point_slug, tip

FEWEST_INTERVALS = 3
MOST_PANELS = 12
MOST_ROWS = 40


def draw(source: Source) -> Iterator[Drawing]:
    """A timeline for each structure at its points with fewest and most workers, and the shares at the latter."""
    rows = source.frame[(source.frame["kind"] != "bound") & (source.frame["mode"] == "throughput")]
    for structure, here in rows.groupby("structure", sort=True):
        sampled = here[here["intervals"].map(len) >= FEWEST_INTERVALS]
        for point in _ends(sampled):
            yield _timeline(source, str(structure), point, sampled[sampled["point"] == point])
        shared = here[here["shares"].map(len) > 1]
        if not shared.empty:
            yield _fairness(source, str(structure), _busiest(shared), shared)


def _busiest(rows: pd.DataFrame) -> Point:
    """The point that most variants were run at; among those the one with most workers."""
    counts = rows.groupby("point", sort=False)["variant"].nunique()
    return max(counts.index, key=lambda point: (counts[point], point.producers + point.consumers))


def _ends(rows: pd.DataFrame) -> List[Point]:
    """The points with fewest and most workers, each with the most variants among its like."""
    if rows.empty:
        return []
    counts = rows.groupby("point", sort=False)["variant"].nunique()
    workers = {point: point.producers + point.consumers for point in counts.index}
    found = [max((point for point in counts.index if workers[point] == wanted), key=lambda point: counts[point])
             for wanted in sorted({min(workers.values()), max(workers.values())})]
    return found


# --- timeline ---------------------------------------------------------------------------------------------------

def _timeline(source: Source, structure: str, point: Point, rows: pd.DataFrame) -> Drawing:
    default = source.default(list(set(rows["variant"])))
    axes_shown = ("algorithm", "backoff", "language")
    names = [name for name in source.ordered(rows["variant"])
             if default is None or name == default or policies.axis_of(name, default) in axes_shown]
    most = MOST_PANELS // 2 if source.narrow else MOST_PANELS
    more = left_out(len(names) - most, "of these")
    names = names[:most]
    columns = 2 if source.narrow else 4
    figure, every, _ = grid_of(len(names), source.width, source.width / columns - 0.01, 1.5 if source.narrow else 2.0,
                               columns)
    figure.subplots_adjust(hspace=0.55, wspace=0.25, left=0.07, right=0.99)
    tips: Dict[str, str] = {}
    parts = []
    for axes, name in zip(every, names):
        part = _rates(rows[rows["variant"] == name])
        parts.append(part.assign(variant=name))
        _timeline_panel(source, axes, name, rows[rows["variant"] == name], part, tips)
    data = pd.concat(parts)
    for axes in every[::columns]:
        axes.set_ylabel("million/s")
    for axes in every[-columns:]:
        axes.set_xlabel("ms of the window")
    if bool(rows["oversubscribed"].any()):
        for axes in every:
            axes.set_facecolor(CROWDED_COLOUR)
    title = f"Throughput of the {structure} over the window: {wording.point_label(point)}"
    if not source.narrow:
        figure.suptitle(title, x=0.01, y=0.88 + 0.4 / figure.get_size_inches()[1], ha="left", va="bottom",
                        fontsize=10.5, fontweight="bold")
    caption = ("Thin: each run, by the interval; thick: their median. A triangle stands where a run's throughput "
               "changed for good, by the harness's change-point test. At the right end of each heading, the longest time "
               "that a worker stood still between two looks at the clock (a hiccup), over all runs. The default, other "
               "algorithms and backoffs; the data of others is in their records." + more)
    changes = rows["steady_from"].fillna(0).gt(0).groupby(rows["variant"]).sum()
    alt = f"{title}. " + "; ".join(f"{name}: longest hiccup {_hiccup(rows[rows['variant'] == name])}, {changes[name]} runs "
                                   "with a change" for name in names) + "."
    return Drawing(f"timeline-{structure}-{point.workers}-{point_slug(point)}", title, caption, alt, structure, figure,
                   data[["variant", "run", "round", "ms", "million_per_s"]], tips)


def _rates(rows: pd.DataFrame) -> pd.DataFrame:
    """A row an interval of each run."""
    parts = [pd.DataFrame({"run": run, "round": round_, "ms": (np.arange(len(counts)) + 0.5) * length / 1e6,
                           "million_per_s": np.asarray(counts) * 1e3 / length})
             for run, round_, counts, length in zip(rows["run"], rows["round"], rows["intervals"], rows["interval_ns"])]
    return pd.concat(parts)


def _timeline_panel(source: Source, axes: Axes, name: str, rows: pd.DataFrame, rates: pd.DataFrame,
                    tips: Dict[str, str]) -> None:
    look = source.looks[name]
    for _, run in rates.groupby(["run", "round"]):
        axes.plot(run["ms"], run["million_per_s"], color=look.colour, linewidth=0.6, alpha=0.35)
    median = rates.groupby("ms")["million_per_s"].median()
    line, = axes.plot(median.index, median, color=look.colour, linewidth=1.8)
    tip(tips, line, f"{name}: longest hiccup {_hiccup(rows)}")
    top = max(rates["million_per_s"].max(), 1e-9)
    changes = [start * length / 1e6 for start, length in zip(rows["steady_from"], rows["interval_ns"])
               if start == start and start]
    axes.plot(changes, [top * 1.06] * len(changes), linestyle="none", marker="v", markersize=4, color=look.colour,
              alpha=0.7)
    axes.set_ylim(0, top * 1.15)
    axes.set_xlim(0, rates["ms"].max() * 1.06)
    ticks.linear_ticks(axes.yaxis, 4)
    ticks.linear_ticks(axes.xaxis, 4)
    axes.grid(axis="y")
    axes.set_title(name.split("/", 1)[1], fontsize=6 if source.narrow else 7.5, pad=12)
    axes.text(1, 1.02, _hiccup(rows), transform=axes.transAxes, ha="right", va="bottom", fontsize=6 if source.narrow else 7, color="#555555")


def _hiccup(rows: pd.DataFrame) -> str:
    longest = rows["hiccup_ns"].max()
    if longest != longest:
        return "no hiccup seen"
    return f"hiccup {wording.number(longest / 1e6, 2)} ms"


# --- fairness ---------------------------------------------------------------------------------------------------

def _fairness(source: Source, structure: str, point: Point, rows: pd.DataFrame) -> Drawing:
    here = rows[rows["point"] == point]
    every = source.ordered(here["variant"])
    names = every[:MOST_ROWS]
    height = (0.15 if source.narrow else 0.22) * len(names)
    labels = policies.short_names(names) if source.narrow else {name: name.split("/", 1)[1] for name in names}
    figure = new_figure(source.width, height + 1.0)
    axes = figure.add_axes((0.3, 0.45 / (height + 1.0), 0.5, height / (height + 1.0)))
    tips: Dict[str, str] = {}
    parts = []
    for row, name in enumerate(names):
        own = here[here["variant"] == name]
        colour = source.looks[name].colour
        low, high = np.median([min(one) for one in own["shares"]]), np.median([max(one) for one in own["shares"]])
        axes.plot([low, high], [row, row], color=colour, linewidth=2.2, solid_capstyle="butt", zorder=3)
        values = np.concatenate([np.asarray(one) for one in own["shares"]])
        places = row + np.concatenate([np.full(len(one), at) for one, at in zip(
            own["shares"], np.linspace(-0.3, 0.3, len(own)))])
        dots = axes.scatter(values, places, s=5, color=colour, alpha=0.5, linewidths=0, rasterized=len(here) > 200)
        tip(tips, dots, f"{name}: Jain's index {wording.number(own['fairness'].median())}")
        if source.narrow:
            parts.append(_shares(own))
            continue
        axes.text(1.02, row, f"{own['fairness'].median():.2f}   {low:.2f} to {high:.2f}",
                  transform=axes.get_yaxis_transform(), va="center", fontsize=7.5)
        parts.append(_shares(own))
    axes.hlines(range(len(names)), 0, 1, transform=axes.get_yaxis_transform(), colors="#ececec", linewidth=0.7, zorder=0)
    axes.text(1.02, -0.8, "" if source.narrow else "Jain's index, least to largest share", transform=axes.get_yaxis_transform(), fontsize=7.5,
              va="center", color="#444444")
    axes.axvline(1, color="#555555", linewidth=1, zorder=1)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), [labels[name] for name in names])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlim(-0.03, max(2.05, max(max(one) for one in here["shares"]) * 1.03))
    axes.set_xlabel("share of a worker, multiple of an equal share")
    axes.grid(axis="x")
    title = f"Fairness of the {structure}: {wording.point_label(point)}"
    if not source.narrow:
        figure.text(0.0, 1 - 0.28 / (height + 1.0), title, fontsize=10.5, fontweight="bold", va="bottom")
    of = "consumer" if point.consumers else "worker"
    caption = (f"Every dot is a {of}'s part of what all {of}s did in a run, as a multiple of an equal part; the bar goes "
               "from the least to the largest part, each the median over the runs. Jain's index is 1 if all are equal, and "
               f"1/n if one of n does all. In the metric of throughput each {of} counts."
               + left_out(len(every) - MOST_ROWS, "variants"))
    indices = here.groupby("variant")["fairness"].median()
    alt = f"{title}. " + "; ".join(f"{name}: Jain's index {wording.number(indices[name])}" for name in names) + "."
    return Drawing(f"fairness-{structure}-{point.workers}-{point_slug(point)}", title, caption, alt, structure, figure,
                   pd.concat(parts), tips)


def _shares(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a worker of each run."""
    keys: Sequence[str] = ("variant", "run", "round", "fairness")
    return pd.DataFrame([{**{key: row[key] for key in keys}, "worker": index, "share": share}
                         for row in rows.to_dict("records") for index, share in enumerate(row["shares"])])
