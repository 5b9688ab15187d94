"""Where the parts of a figure with a row a cell stand: on a page, or in a column or two of print."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Dict, List, Sequence, Tuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import policies, wording
from ..points import Point
from ..stats import Better
from ..summary import better_of
from .base import Source

MECHANISMS = {"retries": "retries\nan operation", "refused": "full, empty\nan operation",
              "fairness": "fairness\n(Jain; 1: equal)", "cycles": "cycles\nan operation",
              "cache_misses": "cache misses\nan operation"}
VALUES = {"throughput": "million operations per second", "pingpong": "round trip, ns (logarithmic)",
          "latency": "99th percentile, ns (logarithmic)", "kill": "survivors' million operations per second"}
LEAST_OF_DATA_IN = 2.6  # for runs and ratios together, on two columns of print: mechanisms give way
LETTER = 0.58  # of a letter's width to its size
BOLD = 0.66

Group = Tuple[Point, List[str]]


@dataclass(frozen=True)
class Sizes:
    """Inches of rows and columns; points of letters and marks."""

    row: float
    heading: float  # of one line
    ticks: float
    title: float
    gap: float
    words: float  # beside the ratios; 0: none
    mechanism: float
    name_pt: float
    tick_pt: float
    word_pt: float
    head_pt: float
    heading_pt: float
    mark_pt: float
    dot: float  # square points


SCREEN = Sizes(row=0.2, heading=0.3, ticks=0.3, title=0.3, gap=0.25, words=1.87, mechanism=0.85, name_pt=8.5, tick_pt=7.5,
               word_pt=7.5, head_pt=8, heading_pt=8.5, mark_pt=6, dot=9)
TWO_COLUMNS = Sizes(row=0.14, heading=0.22, ticks=0.22, title=0, gap=0.15, words=1.5, mechanism=0.62, name_pt=6.3,
                    tick_pt=5.8, word_pt=6, head_pt=6, heading_pt=6.5, mark_pt=3.6, dot=3)
ONE_COLUMN = Sizes(row=0.13, heading=0.2, ticks=0.2, title=0, gap=0.12, words=0, mechanism=0.6, name_pt=5.8, tick_pt=5.5,
                   word_pt=5.5, head_pt=5.8, heading_pt=6.2, mark_pt=3.4, dot=2.5)


@dataclass(frozen=True)
class Layout:
    """Where the columns of a figure stand, in inches from its left, and how tall its parts are."""

    sizes: Sizes
    paper: bool
    labels: Dict[str, str]  # of the rows, by variant
    values: Tuple[float, float]  # left, width; so for each
    ratios: Tuple[float, float]
    mechanisms: Dict[str, Tuple[float, float]]
    width: float
    heads: Dict[float, str]  # over the columns, by their left
    headings: Dict[Point, str]
    top: float
    heading: float

    def height(self, names: Sequence[str]) -> float:
        """Of a group with these rows."""
        return self.heading + self.sizes.ticks + len(names) * self.sizes.row

    def panels(self, figure: Figure, top: float, names: Sequence[str]) -> Dict[str, Axes]:
        """The axes of a group whose heading begins at `top`, by column."""
        width, height = figure.get_size_inches()
        tall = len(names) * self.sizes.row
        bottom = height - top - self.heading - tall
        panels = {}
        for name, (left, wide) in {"values": self.values, "ratios": self.ratios, **self.mechanisms}.items():
            axes = figure.add_axes((left / width, bottom / height, wide / width, tall / height))
            axes.set_ylim(len(names) - 0.5, -0.5)
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
            axes.tick_params(axis="x", labelsize=self.sizes.tick_pt, length=2.5, pad=2)
            axes.hlines(range(len(names)), 0, 1, transform=axes.get_yaxis_transform(), colors="#ececec", linewidth=0.7,
                        zorder=0)
            panels[name] = axes
        panels["values"].set_yticks(range(len(names)), [self.labels[name] for name in names], fontsize=self.sizes.name_pt)
        panels["values"].tick_params(axis="y", length=0)
        return panels

    def write_heading(self, figure: Figure, top: float, point: Point) -> None:
        """The point's name over its rows."""
        width, height = figure.get_size_inches()
        figure.text(0.08 / width, 1 - (top + self.heading - 0.06) / height, self.headings[point], fontweight="bold",
                    fontsize=self.sizes.heading_pt, va="bottom")

    def write_heads(self, figure: Figure, title: str) -> None:
        """What the columns hold, and on a page the title."""
        width, height = figure.get_size_inches()
        if self.sizes.title:
            figure.text(0.08 / width, 1 - 0.06 / height, title, fontweight="bold", fontsize=10, va="top")
        for left, text in self.heads.items():
            figure.text(left / width, 1 - (self.top + (-0.02 if self.paper else 0.04)) / height, text,
                        fontsize=self.sizes.head_pt, color="#444444", va="bottom")


def layout_of(source: Source, data: pd.DataFrame, groups: Sequence[Group], mode: str) -> Layout:
    """A page is as wide as its columns; in print the columns share the width."""
    sizes = SCREEN if not source.paper else ONE_COLUMN if source.narrow else TWO_COLUMNS
    every = [name for _, names in groups for name in names]
    labels = policies.short_names(every) if source.paper else {
        name: name if name.startswith("bound/") else name.split("/", 1)[1] for name in every}
    names = sizes.name_pt * LETTER / 72 * max(map(len, labels.values())) + 0.15
    known = [] if source.narrow else [name for name in MECHANISMS if data[name].notna().any()
                                      and (name == "fairness" or (data[name] > 0).any())]
    beside = sizes.words + 0.2 if sizes.words else 0.0
    step = sizes.mechanism + 0.17
    values, ratios = 3.0, 2.1
    if source.paper:
        def room() -> float:
            return source.width - names - sizes.gap - beside - step * len(known) - 0.05
        while known and room() < LEAST_OF_DATA_IN:
            known.pop()
        values, ratios = 0.56 * room(), 0.44 * room()
    left = names + values + sizes.gap
    right = left + ratios + beside
    mechanisms = {name: (right + step * index, sizes.mechanism) for index, name in enumerate(known)}
    width = source.width if source.paper else right + step * len(known)
    better = "right" if better_of(mode) is Better.HIGHER else "left"
    ratio = "ratio to the default" if source.narrow else f"multiple of the default's {wording.QUANTITIES[mode]}"
    heads = {names: (VALUES[mode], values), left: (f"{ratio}\n({better} is faster)", ratios),
             **({left + ratios + 0.08: ("median [95%], verdict", sizes.words)} if sizes.words else {}),
             **{at: (MECHANISMS[name], wide + 0.12) for name, (at, wide) in mechanisms.items()}}
    folded = {at: _folded(text, wide, sizes.head_pt, LETTER) if source.paper else text for at, (text, wide) in heads.items()}
    headings = {point: _heading(point, data, source, width, sizes) for point, _ in groups}
    lines = max(text.count("\n") + 1 for text in folded.values())
    more = max(text.count("\n") for text in headings.values()) * sizes.heading_pt * 1.25 / 72
    return Layout(sizes, source.paper, labels, (names, values), (left, ratios), mechanisms, width, folded, headings,
                  sizes.title + lines * sizes.head_pt * 1.3 / 72 + 0.05, sizes.heading + more)


def _heading(point: Point, data: pd.DataFrame, source: Source, width: float, sizes: Sizes) -> str:
    crowded = bool(data[data["point"] == point]["oversubscribed"].any())
    text = wording.point_label(point) + (": oversubscribed, more workers than CPUs" if crowded else "")
    return _folded(text, width - 0.1, sizes.heading_pt, BOLD) if source.paper else text


def _folded(text: str, width: float, size_pt: float, letter: float) -> str:
    return textwrap.fill(text.replace("\n", " "), max(8, int(width * 72 / size_pt / letter)), break_long_words=False)
