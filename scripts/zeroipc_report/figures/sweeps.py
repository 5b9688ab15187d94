"""Throughput along an axis that is a number: workers, sizes, think time, batches; what it comes of under it: retries,
cycles and cache misses, on the same axis."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from .. import policies, wording
from ..points import Point
from ..stats import estimate_median
from ..summary import FETCH_ADD, bounds_at
from . import ticks
from .base import CROWDED_COLOUR, Drawing, End, Source, label_ends, new_figure, slug, tip

AXES = {"workers": "workers, each a process", "payload_bytes": "bytes of an item (logarithmic)",
        "capacity": "capacity, items (logarithmic)", "think_ns": "think time, ns (logarithmic from 10 ns on)",
        "batch": "items a batch (logarithmic)", "push_percent": "pushes, %", "filled_percent": "filled before, %",
        "range_percent": "keys drawn from, % of those filled"}
WORDS = {"workers": "workers", "payload_bytes": "size of items", "capacity": "capacity", "think_ns": "think time",
         "batch": "batch", "push_percent": "share of pushes", "filled_percent": "filling", "range_percent": "range of keys"}
PAIRS = "workers, half of them producers"
STRIPS = {"retries": "retries", "cycles": "cycles", "cache_misses": "misses"}  # an operation, each under the other
SAID = {"retries": "retries", "cycles": "cycles", "cache_misses": "last-level cache misses"}
STRIP_IN = 0.7
LOGARITHMIC = ("payload_bytes", "capacity", "batch")
LEAST_THINK_NS = 10  # below it the axis is linear
FURTHEST = 1.5  # of the variants' highest run: a bound further up would leave them no room
PANEL_IN = (3.3, 2.9)
MOST_LINES = 12

Panel = Tuple[str, str, List[Point], List[str]]  # axis of the variants, title, points by rising value, variants


def draw(source: Source) -> Iterator[Drawing]:
    """A figure for each structure and axis along which it was swept."""
    rows = source.frame[(source.frame["kind"] != "bound") & (source.frame["mode"] == "throughput")]
    for structure, here in rows.groupby("structure", sort=True):
        for axis in AXES:
            panels = _panels(source, here, axis)
            if panels:
                yield _draw(source, str(structure), axis, panels)


def lines_of(points: Sequence[Point], axis: str) -> List[List[Point]]:
    """Points that differ in nothing but the axis, each list by rising value; at least two in each."""
    groups: Dict[Any, List[Point]] = defaultdict(list)
    for point in points:
        value = point.axis(axis)
        if value is None:
            continue
        key = (point.consumers == 0, *point.without("producers", "consumers")) if axis == "workers" else point.without(axis)
        groups[key].append(point)
    found = [sorted(group, key=lambda point: point.axis(axis)) for group in groups.values() if len(group) > 1]
    return sorted(found, key=lambda group: group[0].order)


def _panels(source: Source, rows: pd.DataFrame, axis: str) -> List[Panel]:
    panels = []
    several_windows = len({point.window_ns for point in rows["point"]}) > 1
    pairs = set(zip(rows["point"], rows["variant"]))
    for points in lines_of(sorted(set(rows["point"]), key=lambda point: point.order), axis):
        variants = [name for name in source.ordered(rows["variant"])
                    if sum((point, name) in pairs for point in points) > 1]
        facets = policies.facets(variants, source.default(variants))
        if len(variants) <= 5:
            facets = [("", variants)]
        where = _where(points[0], axis) + (f", {points[0].window_ns / 1e6:g} ms windows" if several_windows else "")
        for policy, group in facets:
            for start in range(0, len(group), MOST_LINES):
                panels.append((policy, ", ".join(part for part in (policy, where) if part), points,
                               group[start:start + MOST_LINES]))
    return panels


def _where(point: Point, axis: str) -> str:
    """What the points of a line share, without the axis."""
    parts = [] if axis == "workers" else [point.workers]
    parts += [f"{point.payload_bytes} B"] if axis != "payload_bytes" else []
    parts += [f"capacity {point.capacity}"] if axis != "capacity" and point.capacity is not None else []
    own = {"batch": "batches of", "think_ns": "think", "push_percent": "% pushes", "filled_percent": "% full",
           "range_percent": "keys of"}.get(axis)
    workload = [part for part in point.workload.split(", ") if part and not (own and own in part)]
    planted = [part for part in wording.item_label(point).split(", ") if part.startswith(("handicap", "replica"))]
    hosted = ["threads of one process"] if point.host == "threads" else []
    return ", ".join([*parts, *workload, *([point.placement] if point.placement else []), *planted, *hosted])


def _draw(source: Source, structure: str, axis: str, panels: List[Panel]) -> Drawing:
    data = pd.concat([_panel_data(source, axis, *panel[1:]) for panel in panels])
    strips = [] if source.narrow else _counted(data[data["variant"] != FETCH_ADD])
    columns = max(1, min(len(panels), 3, int(source.width / PANEL_IN[0])))
    lines = -(-len(panels) // columns)
    height = PANEL_IN[1] * (0.8 if source.narrow else 1) + STRIP_IN * len(strips)
    top = 0.3 if source.narrow else 0.75
    figure = new_figure(source.width, height * lines + top)
    outer = figure.add_gridspec(lines, columns, hspace=0.95 / (height - 0.95), wspace=0.75, left=0.07,
                                right=0.87 if columns > 1 else 0.68, top=1 - top / (height * lines + top),
                                bottom=0.5 / (height * lines + top))
    tips: Dict[str, str] = {}
    for index, (policy, title, points, variants) in enumerate(panels):
        inner = outer[index // columns, index % columns].subgridspec(
            1 + len(strips), 1, height_ratios=(3.2, *[1] * len(strips)), hspace=0.12)
        axes = figure.add_subplot(inner[0])
        own = data[data["panel"] == title]
        _panel(source, axes, axis, policy, [name for name in variants if (own["variant"] == name).any()], own, tips)
        axes.set_title("\n".join(_folded(title, 40)), fontsize=8.5, pad=5)
        stack = [axes]
        for row, count in enumerate(strips, start=1):
            stack[-1].tick_params(labelbottom=False)
            stack.append(figure.add_subplot(inner[row], sharex=axes))
            _strip(source, stack[-1], count, own, variants)
        stack[-1].set_xlabel(PAIRS if axis == "workers" and points[0].consumers else AXES[axis])
        figure.align_ylabels(stack[1:])
        if index % columns == 0:
            axes.set_ylabel("million operations per second")
    title = f"Throughput of the {structure} by {WORDS[axis]}"
    if not source.narrow:
        figure.suptitle(title, x=0.01, y=1 - 0.3 / (height * lines + top), ha="left", va="bottom", fontweight="bold", fontsize=10.5)
    caption = ("The line goes through the medians, the band is their 95% interval, every dot is a run; the scale starts "
               "at zero. Where the ground is shaded there were more workers than CPUs; dashed: increments of one shared "
               "counter; where they are beyond the scale, their figures stand at its top with an arrow."
               + (f" Under it, on the same axis: {_listed([SAID[name] for name in strips])} an operation, medians over the runs."
                  if strips else ""))
    alt = f"{title}. " + " ".join(_said(title, group) for title, group in data.groupby("panel", sort=False))
    return Drawing(f"throughput-{structure}-by-{slug(axis)}", title, caption, alt, structure, figure,
                   data.drop(columns=["place"]), tips)


def _panel_data(source: Source, axis: str, title: str, points: List[Point], variants: List[str]) -> pd.DataFrame:
    frame = source.frame
    parts = []
    for point in points:
        here = frame[(frame["point"] == point) & frame["variant"].isin(variants)]
        bounds = bounds_at(frame, point)
        both = pd.concat([here, bounds[bounds["variant"] == FETCH_ADD]]) if axis == "workers" else here
        value = point.axis(axis)
        place = _place(axis, value)
        parts.append(both.assign(panel=title, axis=axis, at=value, place=place, million_per_s=both["value"] / 1e6))
    data = pd.concat(parts)
    data = data.assign(flags=data["flags"].map(" ".join))
    return data[["panel", "axis", "at", "place", "variant", "run", "round", "million_per_s", *STRIPS, "oversubscribed",
                 "flags"]]


def _place(axis: str, value: float) -> float:
    """Where a value stands on the axis."""
    if axis in LOGARITHMIC:
        return math.log2(value)
    return math.log2(1 + value / LEAST_THINK_NS) if axis == "think_ns" else float(value)  # no time to think has a place, too


def _panel(source: Source, axes: Axes, axis: str, policy: str, variants: List[str], data: pd.DataFrame,
           tips: Dict[str, str]) -> None:
    places = sorted(set(data["place"]))
    width = (places[-1] - places[0]) * 0.012
    names = policies.names_along(policy, variants)
    ends = []
    top = 0.0
    for index, name in enumerate(variants):
        look = source.looks[name]
        rows = data[data["variant"] == name]
        groups = [(place, part["million_per_s"].to_numpy()) for place, part in rows.groupby("place")]
        estimates = [estimate_median(values) for _, values in groups]
        at = [place for place, _ in groups]
        shift = (index - (len(variants) - 1) / 2) * width * 0.5
        for place, values in groups:
            axes.plot(np.full(len(values), place + shift), values, linestyle="none", marker="o", markersize=2.2,
                      color=look.colour, alpha=0.5, markeredgewidth=0, rasterized=True)
        axes.fill_between(at, [one.low for one in estimates], [one.high for one in estimates], color=look.colour,
                          alpha=0.10, linewidth=0)
        line, = axes.plot(at, [one.median for one in estimates], color=look.colour, marker=look.marker,
                          markerfacecolor="white")
        tip(tips, line, f"{name}: " + ", ".join(wording.number(one.median) for one in estimates) + " million/s")
        ends.append(End(at[-1], estimates[-1].median, names[name], look.colour))
        top = max(top, *(values.max() for _, values in groups))
    bound = data[data["variant"] == FETCH_ADD].groupby("place")["million_per_s"].median()
    if len(bound) and bound.max() < FURTHEST * top:
        axes.plot(bound.index, bound, color="black", linestyle="--", linewidth=1)
        ends.append(End(bound.index[-1], bound.iloc[-1], "fetch_add", "black"))
        top = max(top, bound.max())
    elif len(bound):
        figures = dict.fromkeys(wording.number(value, 2) for value in sorted({bound.min(), bound.max()}))
        ends.append(End(places[-1], top * 1.05, f"fetch_add {' to '.join(figures)} \N{UPWARDS ARROW}", "black", lead=False))
    axes.set_ylim(0, top * 1.05)
    _place_axis(axes, axis, data, places)
    axes.grid(axis="y")
    label_ends(axes, ends, 6.5 if source.narrow else 7.5)


def _place_axis(axes: Axes, axis: str, data: pd.DataFrame, places: Sequence[float]) -> None:
    values = dict(zip(data["place"], data["at"]))
    axes.set_xticks(places, [ticks.plain(values[place]) for place in places])
    margin = (places[-1] - places[0]) * 0.08
    axes.set_xlim(places[0] - margin, places[-1] + margin)
    crowded = sorted(set(data[data["oversubscribed"]]["place"]))
    if crowded:
        before = [place for place in places if place < crowded[0]]
        start = (before[-1] + crowded[0]) / 2 if before else places[0] - margin
        axes.axvspan(start, places[-1] + margin, color=CROWDED_COLOUR, zorder=0, linewidth=0)


def _counted(data: pd.DataFrame) -> List[str]:
    """Of what there is a strip: retries where there were any, events of the CPU where it counted them."""
    return [name for name in STRIPS if ((data[name] > 0).any() if name == "retries" else data[name].notna().any())]


def _listed(words: Sequence[str]) -> str:
    """Such as `retries, cycles and misses`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _strip(source: Source, axes: Axes, count: str, data: pd.DataFrame, variants: List[str]) -> None:
    """A count an operation, the median over the runs."""
    top = 0.0
    for name in variants:
        medians = data[data["variant"] == name].groupby("place")[count].median().dropna()
        if len(medians):
            axes.plot(medians.index, medians, color=source.looks[name].colour, marker=source.looks[name].marker,
                      markersize=3.5, linewidth=1)
            top = max(top, medians.max())
    top = max(top, 0.01)  # less is nothing, whatever its shape
    axes.set_ylim(-0.04 * top, top * 1.15)
    ticks.linear_ticks(axes.yaxis, 2)
    axes.grid(axis="y")
    axes.set_ylabel(f"{STRIPS[count]}\nan op.", fontsize=7.5)


def _folded(text: str, width: int) -> List[str]:
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _said(title: str, data: pd.DataFrame) -> str:
    own = data[data["variant"] != FETCH_ADD]
    parts = []
    for value, rows in own.groupby("at"):
        medians = rows.groupby("variant")["million_per_s"].median()
        parts.append(f"at {value} highest {wording.number(medians.max())} million/s by {medians.idxmax()}")
    return f"{title}: {'; '.join(parts)}."
