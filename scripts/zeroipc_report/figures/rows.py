"""A row a cell: every run, the ratio to the default with its verdict, and the mechanism beside the effect."""

from __future__ import annotations

import math
from typing import Dict, Iterator, List, Sequence, Tuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from .. import wording
from ..points import VALUE, Point
from ..stats import BAND, Better, Estimate, Verdict, estimate_median
from ..summary import CAS, FETCH_ADD, MUTEX, Comparison, better_of, bounds_at
from . import ticks
from .base import CROWDED_COLOUR, DEFAULT_COLOUR, Drawing, Look, Source, new_figure, point_slug, tip
from .rows_layout import MECHANISMS, SCREEN, Group, Layout, layout_of

MOST_ROWS = 40  # of a figure: what a page of paper holds
RASTER_FROM = 300  # dots of a figure, from which on they are a picture inside it
COUNTERS = {FETCH_ADD: "--", CAS: ":", MUTEX: "-."}  # lines across the rows: nothing is passed on there
FURTHEST = 1.6  # of the rest's highest run: a counter further out would leave the rest no room
NEGLIGIBLE = 0.001  # of a count an operation: below it the scale is linear
VERDICT_COLOURS = {Verdict.FASTER: "#006b4c", Verdict.SLOWER: "#a33f00", Verdict.EQUIVALENT: "#005a8f",
                   Verdict.CANNOT_TELL: "#585858"}


def draw(source: Source) -> Iterator[Drawing]:
    """Every cell of the run, packed into figures by structure and mode."""
    variants = source.frame[source.frame["kind"] != "bound"]
    for (structure, mode), rows in variants.groupby(["structure", "mode"], sort=True):
        points = sorted(set(rows["point"]), key=lambda point: point.order)
        groups: List[Group] = []
        for point in points:
            here = source.ordered(rows[rows["point"] == point]["variant"])
            bounds = [name for name in sorted(set(bounds_at(source.frame, point)["variant"]))]
            groups += [(point, (here + bounds)[start:start + MOST_ROWS]) for start in
                       range(0, len(here + bounds), MOST_ROWS)]
        packs = _packed(groups)
        for number, pack in enumerate(packs, start=1):
            yield _draw(source, str(structure), str(mode), pack, (number, len(packs)))


def _packed(groups: Sequence[Group]) -> List[List[Group]]:
    packs: List[List[Group]] = []
    room = 0.0
    for group in groups:
        rows = len(group[1]) + (SCREEN.heading + SCREEN.ticks) / SCREEN.row
        if not packs or rows > room:
            packs.append([])
            room = MOST_ROWS + 6
        packs[-1].append(group)
        room -= rows
    return packs


def _draw(source: Source, structure: str, mode: str, groups: List[Group], place: Tuple[int, int]) -> Drawing:
    cells = {group: _cell_runs(source.frame, *group) for group in ((point, name) for point, names in groups
                                                                   for name in names)}
    data = pd.concat(list(cells.values()))
    layout = layout_of(source, data, groups, mode)
    figure = new_figure(layout.width, layout.top + sum(layout.height(names) for _, names in groups))
    tips: Dict[str, str] = {}
    compared = source.ratios()
    raster = len(data) > RASTER_FROM
    limits = _ratio_limits([compared[key] for key in cells if key in compared])
    top = layout.top
    for point, names in groups:
        panels = layout.panels(figure, top, names)
        layout.write_heading(figure, top, point)
        here = {name: cells[(point, name)] for name in names}
        _values(panels["values"], mode, here, source.looks, layout, raster, tips)
        for row, name in enumerate(names):
            if (point, name) in compared:
                _ratio(panels["ratios"], row, compared[(point, name)], source.looks[name], layout, tips)
        _ratio_axes(panels["ratios"], limits, layout)
        for column in layout.mechanisms:
            _mechanism(panels[column], column, here, source.looks, layout, raster, data[column].dropna())
        top += layout.height(names)
    number, of = place
    first = groups[0][0]
    which = f", part {number} of {of}" if of > 1 else ""
    title = f"{wording.MODES[mode]} of the {structure}: every run, its ratio to the default, and the mechanism{which}"
    layout.write_heads(figure, title)
    caption = ("A row a cell. Left, every dot is a run in fresh processes, the rounds one above the other, the first on "
               "top; the white mark is the median, the bar its 95% interval. An arrow stands for a row "
               "of which some runs lie beyond this scale: their median, how many they are, and from where to where. Hollow: a "
               "run with a flag other than oversubscribed; square: on CPUs that shared a core. Two heaps in a row mean that the cell has two ways "
               "to run, and that its median speaks for neither alone. Middle, the median of the rounds' ratios to the "
               f"default with its interval; the band is the ±{BAND * 100:.0f}% that count as equivalent. Right, per "
               "successful operation of the same runs.")
    name = f"cells-{structure}-{mode}-" + (f"{number:02}" if of > 1 else f"{first.workers}-{point_slug(first)}"
                                           if len(groups) == 1 else "all")
    alt = f"{title}: {len(data)} runs of {len(cells)} cells. " + " ".join(
        wording.verdict_sentence(compared[key]) for key in list(cells)[:12] if key in compared)
    return Drawing(name, title, caption, alt, structure, figure, _table(data, mode), tips)


def _cell_runs(frame: pd.DataFrame, point: Point, name: str) -> pd.DataFrame:
    """The runs of a variant at the point, or of a bound that belongs beside it."""
    if name.startswith("bound/"):
        bounds = bounds_at(frame, point)
        return bounds[bounds["variant"] == name].assign(point=[point] * int((bounds["variant"] == name).sum()))
    return frame[(frame["variant"] == name) & (frame["point"] == point)]


def _table(data: pd.DataFrame, mode: str) -> pd.DataFrame:
    """A row a run, for the CSV."""
    # Where it is a percentile, the run has it under that name already.
    table = data.drop(columns=VALUE[mode], errors="ignore").assign(
        workers=[point.workers for point in data["point"]],
        payload_bytes=[point.payload_bytes for point in data["point"]],
        capacity=[point.capacity for point in data["point"]],
        host=[point.host for point in data["point"]], workload=[point.workload for point in data["point"]],
        flags=data["flags"].map(" ".join)).rename(columns={"value": VALUE[mode]})
    return table[["workers", "payload_bytes", "capacity", "host", "workload", "variant", "run", "round", "position",
                  VALUE[mode], "separate_cores", "oversubscribed", "flags", *MECHANISMS]]


# --- columns ----------------------------------------------------------------------------------------------------

def _values(axes: Axes, mode: str, cells: Dict[str, pd.DataFrame], looks: Dict[str, Look], layout: Layout,
            raster: bool, tips: Dict[str, str]) -> None:
    shown = pd.concat(list(cells.values()))
    scale = _value_scale(axes, mode, cells)
    dots = _Dots(layout.sizes.dot)
    if bool(shown["oversubscribed"].any()):
        axes.set_facecolor(CROWDED_COLOUR)
    for row, (name, rows) in enumerate(cells.items()):
        values = wording.in_unit(1.0, mode) * rows["value"]
        if values.max() > scale:
            axes.text(0.99, row, _beyond(values, layout.paper), ha="right", va="center", fontsize=layout.sizes.word_pt,
                      color="#444444", transform=axes.get_yaxis_transform(), zorder=5,
                      bbox={"facecolor": axes.get_facecolor(), "edgecolor": "none", "pad": 0.8})
            continue
        dots.add(row, values.to_numpy(), rows, looks[name].colour)
        _median(axes, row, estimate_median(values.to_numpy()), looks[name], layout, tips,
                f"{name}: median {{}} {wording.UNITS[mode]}, {len(values)} runs")
        if name in COUNTERS:
            axes.axvline(values.median(), color="black", linestyle=COUNTERS[name], linewidth=1, zorder=1)
    dots.draw(axes, raster)
    if layout.paper:
        ticks.thin(axes, layout.sizes.tick_pt)


def _beyond(values: pd.Series, paper: bool) -> str:
    """Stands for the dots of a row that has some beyond the scale: its median, its runs, and from where to where they lie."""
    if paper:
        return f"{wording.number(values.median())} ({len(values)} runs) \N{RIGHTWARDS ARROW}"
    return (f"{wording.number(values.median())}; {len(values)} runs from {wording.number(values.min())} to "
            f"{wording.number(values.max())} \N{RIGHTWARDS ARROW}")


def _value_scale(axes: Axes, mode: str, cells: Dict[str, pd.DataFrame]) -> float:
    """Sets the axis; answers its right end. Throughput starts at zero, and a counter that is far above the rest has no say;
    times are logarithmic, and hold every run."""
    ends = {name: wording.in_unit(1.0, mode) * rows["value"].agg(["min", "max"]) for name, rows in cells.items() if len(rows)}
    if better_of(mode) is Better.HIGHER:
        own = max([end["max"] for name, end in ends.items() if name not in COUNTERS], default=math.inf)
        right = 1.04 * max(end["max"] for name, end in ends.items() if name not in COUNTERS or end["max"] < FURTHEST * own)
        axes.set_xlim(0, right or 1)
        ticks.linear_ticks(axes.xaxis, 6)
        axes.grid(axis="x")
        return float(right)
    axes.set_xscale("log")
    low, high = min(end["min"] for end in ends.values()) * 0.85, max(end["max"] for end in ends.values()) * 1.18
    axes.set_xlim(low, high)
    ticks.log_ticks(axes.xaxis, low, high)
    axes.grid(axis="x")
    return float(high)


class _Dots:
    """Runs of a panel, those of a row one above the other by their order; hollow if flagged, square if their CPUs shared
    a core. Drawn at once, by kind: matplotlib takes its time for each artist."""

    def __init__(self, size: float) -> None:
        self._size = size
        self._kinds: Dict[Tuple[bool, bool], List[Tuple[float, float, str]]] = {}

    def add(self, row: int, values: np.ndarray, rows: pd.DataFrame, colour: str) -> None:
        """The runs of a row."""
        places = row + (np.linspace(-0.32, 0.32, len(values)) if len(values) > 1 else np.zeros(len(values)))
        for value, place, flags, cores in zip(values, places, rows["flags"], rows["separate_cores"]):
            kind = (cores is False, bool(set(flags) - {"oversubscribed"}))
            self._kinds.setdefault(kind, []).append((value, place, colour))

    def draw(self, axes: Axes, raster: bool) -> None:
        """Puts all of them on the axes."""
        for (square, hollow), dots in self._kinds.items():
            values, places, colours = zip(*dots)
            axes.scatter(values, places, s=self._size, marker="s" if square else "o", alpha=0.6, linewidths=0.6,
                         facecolors="none" if hollow else colours, edgecolors=colours, rasterized=raster, zorder=2)


def _median(axes: Axes, row: int, estimate: Estimate, look: Look, layout: Layout, tips: Dict[str, str],
            text: str) -> None:
    if estimate.has_interval:
        axes.hlines(row, estimate.low, estimate.high, colors=look.colour, linewidth=layout.sizes.mark_pt * 0.37, zorder=3)
    mark, = axes.plot([estimate.median], [row], marker=look.marker, markersize=layout.sizes.mark_pt, markerfacecolor="white",
                      markeredgecolor=look.colour, markeredgewidth=layout.sizes.mark_pt * 0.23, linestyle="none", zorder=4)
    shown = wording.number(estimate.median) + (f" {wording.interval(estimate.low, estimate.high)}"
                                               if estimate.has_interval else "")
    tip(tips, mark, text.format(shown))


def _ratio(axes: Axes, row: int, one: Comparison, look: Look, layout: Layout, tips: Dict[str, str]) -> None:
    if one.ratio.n == 0:
        return
    if one.ratio.has_interval:
        axes.hlines(row, one.ratio.low, one.ratio.high, colors=look.colour, linewidth=layout.sizes.mark_pt * 0.37, zorder=3)
    # Where there is no room for the word, a hollow mark is what one cannot tell.
    hollow = layout.sizes.words == 0 and one.verdict is Verdict.CANNOT_TELL
    mark, = axes.plot([one.ratio.median], [row], marker=look.marker, markersize=layout.sizes.mark_pt, color=look.colour, zorder=4,
                      markerfacecolor="white" if hollow else look.colour)
    tip(tips, mark, wording.verdict_sentence(one))
    if layout.sizes.words == 0:
        return
    wide = layout.ratios[1]
    left = 1 + 0.08 / wide
    axes.text(left, row, f"{wording.ratio_text(one.ratio)}", transform=axes.get_yaxis_transform(), va="center",
              fontsize=layout.sizes.word_pt)
    axes.text(left + layout.sizes.words / wide, row, one.verdict.value, transform=axes.get_yaxis_transform(),
              va="center", ha="right", fontsize=layout.sizes.word_pt, color=VERDICT_COLOURS[one.verdict],
              fontweight="normal" if one.verdict is Verdict.CANNOT_TELL else "bold")


def _ratio_limits(ones: Sequence[Comparison]) -> Tuple[float, float]:
    ends = [end for one in ones for end in (one.ratio.median, one.ratio.low, one.ratio.high)
            if not math.isnan(end) and end > 0]
    return min([*ends, 0.9]) * 0.93, max([*ends, 1.1]) * 1.07


def _ratio_axes(axes: Axes, limits: Tuple[float, float], layout: Layout) -> None:
    axes.set_xscale("log")
    axes.set_xlim(*limits)
    axes.axvspan(1 - BAND, 1 + BAND, color="#cfe3f1", zorder=0, linewidth=0)
    axes.axvline(1, color=DEFAULT_COLOUR, linewidth=1, zorder=1)
    axes.grid(axis="x")
    ticks.ratio_ticks(axes.xaxis, *limits)
    if layout.paper:
        ticks.thin(axes, layout.sizes.tick_pt, keep=1)


def _mechanism(axes: Axes, column: str, cells: Dict[str, pd.DataFrame], looks: Dict[str, Look], layout: Layout,
               raster: bool, every: pd.Series) -> None:
    """Each run's figure and the median, on the scale of the whole figure's values. Of counts zero has a place of its
    own, for many count nothing at all."""
    if column == "fairness":
        limits = (min(0.45, every.min() - 0.05), 1.05)
        ticks.fixed(axes.xaxis, [0.5, 0.75, 1] if limits[0] > 0.4 else [0.25, 0.5, 1])
    else:
        limits = (-NEGLIGIBLE / 4, max(every.max() * 1.5, 0.15))
        axes.set_xscale("symlog", linthresh=NEGLIGIBLE, linscale=0.3)
        ticks.fixed(axes.xaxis, [0, *(tick for tick in (0.1, 10, 1000, 100000) if tick <= limits[1])])
    dots = _Dots(layout.sizes.dot * 0.44)
    medians = {}
    for row, (name, rows) in enumerate(cells.items()):
        known = rows[rows[column].notna()]
        if len(known):
            dots.add(row, known[column].to_numpy(), known, looks[name].colour)
            medians[row] = (known[column].median(), looks[name].colour)
    dots.draw(axes, raster)
    if medians:
        axes.scatter([value for value, _ in medians.values()], list(medians), marker="|",
                     s=2 * layout.sizes.mark_pt ** 2, linewidths=0.3 * layout.sizes.mark_pt, zorder=4,
                     c=[colour for _, colour in medians.values()])
    axes.set_xlim(*limits)
    axes.grid(axis="x")
    if layout.paper:
        ticks.thin(axes, layout.sizes.tick_pt, keep=0)
