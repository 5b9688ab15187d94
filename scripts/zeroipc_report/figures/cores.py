"""Core to core: what a cache line's round trip costs between each two CPUs that the probes met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterator, List, Tuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .. import wording
from ..stats import estimate_median
from . import ticks
from .base import HEAT, Drawing, Source, new_figure, on_heat, spread_labels, tip

ROOMY = 16  # CPUs up to which each cell has its number
LEAST_PT = 4.5  # of a number, to be read


@dataclass(frozen=True)
class _Layout:
    """Where the parts stand, in inches from the left and from the bottom."""

    width: float
    height: float
    heatmap: Tuple[float, float, float]  # left, bottom, side
    spread: Tuple[float, float, float, float]  # left, bottom, width, height
    number_pt: float  # of a cell's number; 0: a scale of colours instead
    word_pt: float

    def fractions(self, box: Tuple[float, float, float, float]) -> Tuple[float, float, float, float]:
        """A box of inches as matplotlib wants it."""
        left, bottom, wide, tall = box
        return left / self.width, bottom / self.height, wide / self.width, tall / self.height


def draw(source: Source) -> Iterator[Drawing]:
    """A heatmap of the probes' medians; and how they are spread, for a virtual CPU may be moved by its host."""
    frame = source.analysis.folder.frame
    probed = frame[frame["probe_ns"].notna() & frame["probe_cpus"].notna()]
    if not probed.empty:
        yield _draw(source, probed)


def _draw(source: Source, probed: pd.DataFrame) -> Drawing:
    pairs = probed.groupby("probe_cpus")["probe_ns"]
    cpus = sorted({cpu for pair in pairs.groups for cpu in pair})
    table = np.full((len(cpus), len(cpus)), np.nan)
    for pair, values in pairs:
        one, other = (cpus.index(cpu) for cpu in pair)
        table[one, other] = table[other, one] = values.median()
    layout = _layout(source, len(cpus), np.nanmax(table))
    figure = new_figure(layout.width, layout.height)
    _heatmap(figure, layout, table, cpus)
    tips: Dict[str, str] = {}
    _spread(figure, layout, probed, tips)
    title = "Round trip between two CPUs over two cache lines, ns"
    if not source.paper:
        figure.text(0, 1.0 - 0.15 / layout.height, title, fontsize=10.5, fontweight="bold", va="bottom")
    caption = ("The map shows the median of the probes before each run, for each pair of CPUs that a run's first two roles had; "
               "grey: never together. Beside it, every probe in the order of the runs: steps mean that the host moved the "
               "virtual CPUs, nearer or further apart.")
    said: List[str] = []
    for pair, values in pairs:
        estimate = estimate_median(values.to_numpy())
        said.append(f"CPUs {pair[0]} and {pair[1]}: {wording.number(estimate.median)} ns, {len(values)} probes from "
                    f"{wording.number(values.min())} to {wording.number(values.max())}")
    data = probed.assign(cpu=[pair[0] for pair in probed["probe_cpus"]], other_cpu=[pair[1] for pair in probed["probe_cpus"]])
    return Drawing("cores", title, caption, f"{title}. {'; '.join(said)}.", "machine", figure,
                   data[["run", "round", "position", "cpu", "other_cpu", "probe_ns", "separate_cores"]], tips)


def _layout(source: Source, count: int, highest: float) -> _Layout:
    """The heatmap left of the probes, or in a column of print above them."""
    left, word = (0.42, 6.0) if source.paper else (0.55, 8.0)
    beside = 0.0 if source.narrow else 3.6 if source.paper else 4.6  # inches for the probes
    widest = min(7.0, (source.width if source.paper else max(source.width, 11.6)) - beside - left - 0.1)
    square = max(min(widest, 1.0 if source.narrow else 1.6), min((0.3 if source.narrow else 0.42) * count, widest))
    # So that the longest number fits its cell; if it could not be read, a scale of colours says it.
    fits = square / count * 72 / (0.64 * len(f"{highest:.0f}")) * 0.85
    number_pt = min(word, fits) if fits >= LEAST_PT and count <= ROOMY else 0.0
    scale = 0.0 if number_pt else 0.7
    if scale:
        square = min(square, widest - scale)
    if source.narrow:
        below = 1.1
        return _Layout(source.width, square + below + 0.95, (left, below + 0.8, square), (left, 0.38, source.width - left - 0.95,
                       below), number_pt, word)
    width = source.width if source.paper else max(square + scale + 4.6, 7.0)
    at = left + square + scale + 0.65
    return _Layout(width, square + 0.9, (left, 0.45, square), (at, 0.45, width - at - 1.1, square), number_pt, word)


def _heatmap(figure: Figure, layout: _Layout, table: np.ndarray, cpus: List[int]) -> None:
    left, bottom, square = layout.heatmap
    axes = figure.add_axes(layout.fractions((left, bottom, square, square)), anchor="W")
    colours = matplotlib.colormaps[HEAT].copy()
    colours.set_bad("#eeeeee")
    image = axes.imshow(table, cmap=colours, vmin=0, vmax=np.nanmax(table) * 1.25)
    if layout.number_pt:
        for one, other in zip(*np.nonzero(~np.isnan(table))):
            axes.text(other, one, f"{table[one, other]:.0f}", ha="center", va="center", fontsize=layout.number_pt,
                      color=on_heat(float(image.norm(table[one, other]))))
    else:
        scale = figure.add_axes(layout.fractions((left + square + 0.1, bottom, 0.1, square)))
        figure.colorbar(image, cax=scale)
        scale.set_title("ns", fontsize=layout.word_pt, fontweight="normal")
    step = -(-len(cpus) * 0.17 // square)  # as many names as there is room for
    shown = range(0, len(cpus), int(max(1, step)))
    axes.set_xticks(shown, [str(cpus[place]) for place in shown])
    axes.set_yticks(shown, [str(cpus[place]) for place in shown])
    axes.set_xlabel("CPU")
    axes.set_ylabel("CPU")


def _spread(figure: Figure, layout: _Layout, probed: pd.DataFrame, tips: Dict[str, str]) -> None:
    axes = figure.add_axes(layout.fractions(layout.spread))
    apart = probed["separate_cores"].map(lambda known: known is True).to_numpy()
    order = np.arange(len(probed))
    values = probed["probe_ns"].to_numpy()
    top = values.max() * 1.1
    labels: List[Tuple[float, str, str]] = []
    for chosen, colour, marker, name in ((apart, "#0072B2", "o", "separate cores"),
                                         (~apart, "#D55E00", "s", "one core, or moved")):
        if chosen.any():
            dots = axes.scatter(order[chosen], values[chosen], s=5, color=colour, marker=marker, alpha=0.5, linewidths=0,
                                rasterized=len(probed) > 300)
            middle = float(np.median(values[chosen]))
            tip(tips, dots, f"{name}: {int(chosen.sum())} runs, median {wording.number(middle)} ns")
            labels.append((middle / top, f"{name}\n{int(chosen.sum())} runs", colour))
    size = min(7.5, layout.word_pt)
    places = spread_labels([place for place, _, _ in labels], 2.5 * size / 72 / layout.spread[3])
    for place, (_, text, colour) in zip(places, labels):
        axes.text(1.02, place, text, color=colour, fontsize=size, va="center", transform=axes.transAxes)
    axes.set_ylim(0, top)
    ticks.linear_ticks(axes.yaxis, 5)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.grid(axis="y")
    axes.set_xlabel("run with a probe, in order")
    axes.set_ylabel("ns")
