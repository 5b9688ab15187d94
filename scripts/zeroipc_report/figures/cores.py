"""Core to core: what a cache line's round trip costs between each two CPUs that the probes met."""

from __future__ import annotations

from typing import Dict, Iterator, List

import matplotlib
import numpy as np
import pandas as pd

from .. import wording
from ..stats import estimate_median
from . import ticks
from .base import Drawing, Source, new_figure, tip

ROOMY = 16  # CPUs up to which a cell has room for its number


def draw(source: Source) -> Iterator[Drawing]:
    """A heatmap of the probes' medians; and how they are spread, for a virtual CPU may be moved by its host."""
    frame = source.analysis.folder.frame
    probed = frame[frame["probe_ns"].notna() & frame["probe_cpus"].notna()]
    if not probed.empty:
        yield _draw(source, probed)


def _draw(source: Source, probed: pd.DataFrame) -> Drawing:
    pairs = probed.groupby("probe_cpus")["probe_ns"]
    cpus = sorted({cpu for pair in pairs.groups for cpu in pair})
    square = max(1.6, min(0.42 * len(cpus), 7.0))
    width = max(square + 4.6, 7.0) if not source.narrow else source.width
    figure = new_figure(width, square + 1.0)
    axes = figure.add_axes((0.55 / width, 0.5 / (square + 1), square / width, square / (square + 1)))
    table = np.full((len(cpus), len(cpus)), np.nan)
    for pair, values in pairs:
        one, other = (cpus.index(cpu) for cpu in pair)
        table[one, other] = table[other, one] = values.median()
    colours = matplotlib.colormaps["YlGnBu"].copy()
    colours.set_bad("#eeeeee")
    axes.imshow(table, cmap=colours, vmin=0, vmax=np.nanmax(table) * 1.25)
    for one in range(len(cpus)):
        for other in range(len(cpus)):
            if len(cpus) <= ROOMY and table[one, other] == table[one, other]:
                axes.text(other, one, f"{table[one, other]:.0f}", ha="center", va="center", fontsize=8,
                          color="white" if table[one, other] > 0.75 * np.nanmax(table) else "black")
    axes.set_xticks(range(len(cpus)), [str(cpu) for cpu in cpus])
    axes.set_yticks(range(len(cpus)), [str(cpu) for cpu in cpus])
    axes.set_xlabel("CPU")
    axes.set_ylabel("CPU")
    tips: Dict[str, str] = {}
    if not source.narrow:
        _spread(figure, square, width, probed, tips)
    title = "Round trip between two CPUs over two cache lines, ns"
    if not source.narrow:
        figure.text(0, 1.0 - 0.25 / (square + 1), title, fontsize=10.5, fontweight="bold", va="bottom")
    caption = ("Left, the median of the probes before each run, for each pair of CPUs that a run's first two roles had; "
               "grey: never together. Right, every probe in the order of the runs: steps mean that the host moved the "
               "virtual CPUs, nearer or further apart.")
    said: List[str] = []
    for pair, values in pairs:
        estimate = estimate_median(values.to_numpy())
        said.append(f"CPUs {pair[0]} and {pair[1]}: {wording.number(estimate.median)} ns, {len(values)} probes from "
                    f"{wording.number(values.min())} to {wording.number(values.max())}")
    data = probed.assign(cpu=[pair[0] for pair in probed["probe_cpus"]], other_cpu=[pair[1] for pair in probed["probe_cpus"]])
    return Drawing("cores", title, caption, f"{title}. {'; '.join(said)}.", "machine", figure,
                   data[["run", "round", "position", "cpu", "other_cpu", "probe_ns", "separate_cores"]], tips)


def _spread(figure: matplotlib.figure.Figure, square: float, width: float, probed: pd.DataFrame,
            tips: Dict[str, str]) -> None:
    axes = figure.add_axes(((square + 1.5) / width, 0.5 / (square + 1), (width - square - 1.7) / width, square / (square + 1)))
    apart = probed["separate_cores"].map(lambda known: known is True).to_numpy()
    order = np.arange(len(probed))
    values = probed["probe_ns"].to_numpy()
    for chosen, colour, marker, name in ((apart, "#0072B2", "o", "separate cores"),
                                         (~apart, "#D55E00", "s", "one core, or moved")):
        if chosen.any():
            dots = axes.scatter(order[chosen], values[chosen], s=5, color=colour, marker=marker, alpha=0.5, linewidths=0,
                                rasterized=len(probed) > 300)
            middle = float(np.median(values[chosen]))
            tip(tips, dots, f"{name}: {int(chosen.sum())} runs, median {wording.number(middle)} ns")
            axes.text(1.01, middle, f"{name}\n{int(chosen.sum())} runs", color=colour,
                      fontsize=7.5, va="center", transform=axes.get_yaxis_transform())
    axes.set_ylim(0, values.max() * 1.1)
    ticks.linear_ticks(axes.yaxis, 5)
    axes.grid(axis="y")
    axes.set_xlabel("run with a probe, in order")
    axes.set_ylabel("ns")
