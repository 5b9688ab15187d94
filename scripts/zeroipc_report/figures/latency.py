"""Latency by percentile, corrected and uncorrected, and against offered load."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Sequence, Tuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from .. import policies, wording
from ..points import Point
from ..stats import estimate_median, interval_rank
from ..summary import bounds_at
from . import ticks
from .base import Drawing, End, Source, grid_of, label_ends, point_slug, room_between, slug, tip

# Modes with percentiles: what is timed, and what a reader must know of it.
PERCENTILES = {
    "pingpong": ("Round trip", "Closed loop, one item in flight: the wait behind other items is no part of it."),
    "latency": ("Latency", "With a load, from the moment when an operation was due: a stall is charged to all that it "
                "delayed (dotted, uncorrected: from when it really began). In a closed loop, from when it began."),
}
TAILS = {"p50_ns": "50%", "p99_ns": "99%", "p99_9_ns": "99.9%"}
MOST_LINES = 10
LABEL_PT = {True: 6.5, False: 7.5}  # of names beside lines, by whether the figure is narrow
Panel = Tuple[str, str, Point, List[str]]  # title, axis of the variants, point, variants


def draw(source: Source) -> Iterator[Drawing]:
    """Percentiles for each structure and point, those of one structure under several loads together; then loads."""
    rows = source.frame[(source.frame["kind"] != "bound") & (source.frame["curve"].map(len) > 0)]
    for (structure, mode), here in rows.groupby(["structure", "mode"], sort=True):
        for points in _same_but_load(sorted(set(here["point"]), key=lambda point: point.order)):
            yield _percentiles(source, str(structure), str(mode), points, here)
    for structure, here in source.frame[source.frame["mode"] == "latency"].groupby("structure", sort=True):
        for points in _same_but_load(sorted(set(here["point"]), key=lambda point: point.order)):
            if len({point.axis("load_percent") for point in points}) > 1:
                yield _loads(source, str(structure), points, here)


def _same_but_load(points: Sequence[Point]) -> List[List[Point]]:
    groups: Dict[Tuple[Any, ...], List[Point]] = {}
    for point in points:
        groups.setdefault(point.without("load_percent"), []).append(point)
    return [sorted(group, key=lambda point: point.axis("load_percent") or 0) for group in groups.values()]


# --- by percentile ----------------------------------------------------------------------------------------------

def _percentiles(source: Source, structure: str, mode: str, points: List[Point], rows: pd.DataFrame) -> Drawing:
    panels = [panel for point in points for panel in _panels(source, point, rows[rows["point"] == point], len(points))]
    columns = 1 if source.narrow else 3
    figure, every, columns = grid_of(len(panels), source.width, source.width / min(columns, len(panels)) - 0.01,
                                     2.1 if source.narrow else 3.3, columns)
    tips: Dict[str, str] = {}
    parts = []
    for axes, (title, axis, point, variants) in zip(every, panels):
        both = pd.concat([rows[rows["point"] == point], bounds_at(source.frame, point)])
        parts.append(_curves(source, both, variants).assign(panel=title))
        axes.set_title(title, fontsize=8.5)
    data = pd.concat(parts)
    figure.subplots_adjust(hspace=0.42, left=0.08, right=0.86 if len(every) > 1 else 0.66)
    shown = [name for panel in panels for name in _names(panel[1], panel[3]).values()]
    figure.subplots_adjust(wspace=room_between(figure, shown, LABEL_PT[source.narrow], columns))
    for axes, (title, axis, _, variants) in zip(every, panels):
        _panel(source, axes, axis, data[data["panel"] == title], data, tips)
    what, told = PERCENTILES[mode]
    for axes in every[::columns]:
        axes.set_ylabel(f"{what.lower()}, ns (logarithmic)")
    for axes in every[-columns:]:
        axes.set_xlabel("percentile")
    where = wording.point_label(points[0]) if len(points) == 1 else _without_load(points[0])
    title = f"{what} of the {structure} by percentile: {where}"
    if not source.narrow:
        height = figure.get_size_inches()[1]
        figure.suptitle(title, x=0.01, y=0.88 + 0.42 / height, ha="left", va="bottom", fontsize=10.5, fontweight="bold")
    caption = ("Each line: at each percentile the median over the runs, the band its 95% interval where there are "
               "enough runs; the axis of percentiles is 1/(1-p), logarithmic. A curve ends where fewer than ten samples lie beyond it, or fewer than half of the runs "
               f"reach. {told}")
    ends = data[data["corrected"]].groupby(["panel", "variant"], sort=False).tail(1)
    alt = f"{title}. " + "; ".join(f"{row['variant']}: {wording.number(row['ns'])} ns at "
                                   f"{ticks.percent(row['fraction'])}" for _, row in ends.iterrows()) + "."
    return Drawing(f"latency-{structure}-{mode}-{points[0].workers}-{point_slug(points[0])}", title, caption, alt,
                   structure, figure, data[["panel", "variant", "corrected", "fraction", "ns", "low", "high", "runs"]],
                   tips)


def _without_load(point: Point) -> str:
    words = [part for part in wording.point_label(point).split(", ") if part != "closed loop" and "arrivals" not in part]
    return ", ".join(words)


def _panels(source: Source, point: Point, rows: pd.DataFrame, loads: int) -> List[Panel]:
    variants = source.ordered(rows["variant"])
    bounds = sorted(set(bounds_at(source.frame, point)["variant"]))
    load = ""
    if loads > 1:
        percent = point.axis("load_percent")
        load = f"load {percent}%" if percent else "closed loop"
    facets = [("", variants)] if len(variants) <= 5 else policies.facets(variants, source.default(variants))
    return [(", ".join(part for part in (axis, load) if part) or wording.point_label(point), axis, point,
             group[start:start + MOST_LINES] + bounds)
            for axis, group in facets for start in range(0, len(group), MOST_LINES)]


def _curves(source: Source, rows: pd.DataFrame, variants: Sequence[str]) -> pd.DataFrame:
    parts = []
    for variant in variants:
        own = rows[rows["variant"] == variant]
        for column, corrected in (("curve", True), ("curve_uncorrected", False)):
            curves = [curve for curve in own[column] if curve]
            if curves:
                parts.append(median_curve(curves).assign(variant=variant, corrected=corrected))
    return pd.concat(parts)


def _names(axis: str, variants: Sequence[str]) -> Dict[str, str]:
    """What stands beside the lines of a panel."""
    names = policies.names_along(axis, variants)
    return {**names, **{name: name.split("/")[1] for name in names if name.startswith("bound/")}}


def _panel(source: Source, axes: Axes, axis: str, data: pd.DataFrame, every: pd.DataFrame, tips: Dict[str, str]) -> None:
    names = _names(axis, list(dict.fromkeys(data["variant"])))
    axes.set_xscale("log")
    axes.set_yscale("log")
    ends = []
    for (variant, corrected), part in data.groupby(["variant", "corrected"], sort=False):
        look = source.looks[variant]
        beyond = 1 / (1 - part["fraction"])
        dashes = ":" if not corrected else "--" if variant.startswith("bound/") else "-"
        if corrected and part["low"].notna().any():
            axes.fill_between(beyond, part["low"], part["high"], color=look.colour, alpha=0.13, linewidth=0)
        line, = axes.plot(beyond, part["ns"], dashes, color=look.colour, linewidth=1.5 if corrected else 1.2,
                          marker=look.marker if corrected else None, markersize=3.5, markevery=max(1, len(part) // 5))
        tip(tips, line, f"{variant}{'' if corrected else ' (uncorrected)'}: {wording.number(part['ns'].iloc[-1])} ns at "
                        f"{ticks.percent(part['fraction'].iloc[-1])}")
        if corrected:
            ends.append(End(beyond.iloc[-1], part["ns"].iloc[-1], names[variant], look.colour))
    # The intervals' ends too: on a side where there is none, NaN has no say.
    low, high = every[["ns", "low"]].min().min() * 0.8, every[["ns", "high"]].max().max() * 1.4
    axes.set_ylim(low, high)
    axes.set_xlim(0.9, 1.3 / (1 - every["fraction"].max()))
    ticks.log_ticks(axes.yaxis, low, high)
    ticks.percentile_ticks(axes.xaxis, float(every["fraction"].max()))
    axes.tick_params(axis="x", labelsize=7)
    axes.grid(which="major")
    label_ends(axes, ends, LABEL_PT[source.narrow])


def median_curve(curves: Sequence[Sequence[Tuple[float, float]]]) -> pd.DataFrame:
    """The median over runs of latency (ns) at each fraction and its interval; columns fraction, ns, low, high, runs.

    Runs need not share fractions: between its own, a run is taken as straight in log latency over log 1/(1-p), and it
    has no say beyond its ends. Fractions that fewer than half of the runs reach are left out.
    """
    kept = [[(p, ns) for p, ns in curve if p < 1 and ns > 0] for curve in curves]
    kept = [curve for curve in kept if curve]
    fractions = sorted({round(p, 9) for curve in kept for p, _ in curve})
    at = -np.log10(1 - np.asarray(fractions))
    logs = np.full((len(kept), len(fractions)), np.nan)
    for index, curve in enumerate(kept):
        own = -np.log10(1 - np.asarray([p for p, _ in curve]))
        inside = (at >= own[0] - 1e-9) & (at <= own[-1] + 1e-9)
        logs[index, inside] = np.interp(at[inside], own, np.log([ns for _, ns in curve]))
    runs = (~np.isnan(logs)).sum(axis=0)
    enough = runs * 2 >= len(curves)
    logs, runs = np.sort(logs[:, enough], axis=0), runs[enough]  # NaN sorts to the end
    low, high = np.full(len(runs), np.nan), np.full(len(runs), np.nan)
    for index, n in enumerate(runs):
        rank = interval_rank(int(n))
        if rank:
            low[index], high[index] = np.exp(logs[rank - 1, index]), np.exp(logs[n - rank, index])
    return pd.DataFrame({"fraction": np.asarray(fractions)[enough], "ns": np.exp(np.nanmedian(logs, axis=0)),
                         "low": low, "high": high, "runs": runs})


# --- against load -----------------------------------------------------------------------------------------------

def _load_places(loads: Sequence[int]) -> Tuple[Dict[int, float], float]:
    """Each load at its own value, the closed loop one step before the least: it offers none. And the step, by which the
    nearest are apart."""
    offered = sorted(load for load in loads if load)
    step = float(min(np.diff(offered), default=1.0))
    return {load: float(load) if load else offered[0] - step for load in sorted(loads)}, step


def _loads(source: Source, structure: str, points: List[Point], rows: pd.DataFrame) -> Drawing:
    loads = [point.axis("load_percent") for point in points]
    variants = source.ordered(rows[rows["point"].isin(points)]["variant"])
    names = policies.short_names(variants)
    here = rows[rows["point"].isin(points)]
    shown = {column: percent for column, percent in TAILS.items() if here[column].notna().any()}
    columns = 1 if source.narrow else 3
    height = 2.0 if source.narrow else 3.2
    figure, every, columns = grid_of(len(shown), source.width, source.width / columns - 0.01, height, columns)
    figure.subplots_adjust(hspace=0.45, left=0.08, right=0.86)
    figure.subplots_adjust(wspace=room_between(figure, list(names.values()), LABEL_PT[source.narrow], columns))
    places, step = _load_places(loads)
    apart = step * min(0.14, 0.7 / len(variants))
    data = here.assign(load_percent=[point.axis("load_percent") for point in here["point"]])
    low, high = here[list(shown)].min().min() * 0.75, here[list(shown)].max().max() * 1.4
    for axes, (column, percent) in zip(every, shown.items()):
        ends = []
        axes.set_yscale("log")
        for index, variant in enumerate(variants):
            look = source.looks[variant]
            at, medians = [], []
            for load in loads:
                values = data[(data["variant"] == variant) & (data["load_percent"] == load)][column].dropna().to_numpy()
                if not len(values):
                    continue
                x = places[load] + (index - (len(variants) - 1) / 2) * apart
                estimate = estimate_median(values)
                axes.plot(np.full(len(values), x), values, linestyle="none", marker="o", markersize=2.4, alpha=0.45,
                          markeredgewidth=0, color=look.colour)
                if estimate.has_interval:
                    axes.vlines(x, estimate.low, estimate.high, colors=look.colour, linewidth=1.6)
                axes.plot([x], [estimate.median], marker=look.marker, color=look.colour, markerfacecolor="white")
                # A closed loop offers no load: it is a category of its own, and no line leads to it.
                if load:
                    at.append(x)
                    medians.append(estimate.median)
                last = (x, estimate.median)
            if at:
                axes.plot(at, medians, color=look.colour, linewidth=1.2, zorder=1)
            if len(data[(data["variant"] == variant) & data[column].notna()]):
                ends.append(End(*last, names[variant], look.colour))
        axes.set_ylim(low, high)
        axes.set_xlim(min(places.values()) - 0.5 * step, max(places.values()) + 0.5 * step)
        axes.set_xticks(list(places.values()), [f"{load}%" if load else "closed\nloop" for load in places])
        ticks.log_ticks(axes.yaxis, low, high)
        axes.grid(axis="y")
        axes.set_title(f"{percent} of operations are faster", fontsize=8.5)
        label_ends(axes, ends, LABEL_PT[source.narrow])
    every[0].set_ylabel("latency, ns (logarithmic)")
    every[-1 if source.narrow else 0].set_xlabel("offered load, share of saturation")
    where = _without_load(points[0])
    title = f"Latency of the {structure} against offered load: {where}"
    if not source.narrow:
        figure.suptitle(title, x=0.01, y=1.0, ha="left", va="bottom", fontsize=10.5, fontweight="bold")
    caption = ("Operations fall due on a schedule, whether or not earlier ones are done, and are timed from when they "
               "were due. Dots are runs, the bar is the 95% interval of their median; loads stand at their values, the variants "
               "side by side, and the closed loop, which offers none, stands apart. Saturation is what the variant "
               "could do at most just before the run. A percentile is shown for runs with ten samples beyond it.")
    alt = f"{title}. " + "; ".join(
        f"{variant} at {load}%: 99th percentile {wording.number(part['p99_ns'].median())} ns"
        for (variant, load), part in data.groupby(["variant", "load_percent"])) + "."
    table = data.assign(flags=data["flags"].map(" ".join))[["variant", "load_percent", "run", "round", *TAILS, "flags"]]
    return Drawing(f"load-{structure}-{slug(where)}", title, caption, alt, structure, figure, table)
