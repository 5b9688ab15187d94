"""Ratio to the default for each variant and point, as a map of colours: policy by contention, algorithm by workload."""

from __future__ import annotations

import math
from typing import Any, Dict, Iterator, List, Tuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.colors import TwoSlopeNorm
from matplotlib.patches import Rectangle

from .. import policies, wording
from ..points import Point
from ..stats import BAND, Better, Verdict
from ..summary import Comparison
from .base import Drawing, Source, left_out, new_figure, slug, tip

COLOURS = "PuOr"  # told apart by all common kinds of colour vision, and pale in the middle
FURTHEST = 4.0  # ratio from which on a colour goes no further
FEWEST = 2  # points and variants that make a map
MOST_COLUMNS = 18


def draw(source: Source) -> Iterator[Drawing]:
    """A map for each structure and mode, over numbers of workers and over mixes of operations."""
    ones = [one for one in source.analysis.comparisons if one.ratio.n > 0]
    for structure, mode in sorted({(policies.structure_of(one.variant), one.point.mode) for one in ones}):
        here = [one for one in ones if (policies.structure_of(one.variant), one.point.mode) == (structure, mode)]
        for what, points in (("contention", _contention(here)), ("workload", _workloads(here))):
            shown = [one for one in here if one.point in points]
            variants = source.ordered([one.variant for one in shown] + [one.baseline for one in shown])
            if len(points) >= FEWEST and len(variants) > FEWEST:
                yield _draw(source, structure, mode, what, points, variants, shown)


def _contention(ones: List[Comparison]) -> List[Point]:
    """The points that differ in the number of workers only, of the group that most comparisons are of."""
    groups: Dict[Tuple[Any, ...], List[Point]] = {}
    for one in ones:
        point = one.point
        groups.setdefault((*point.without("producers", "consumers"), point.workload), []).append(point)
    several = [group for group in groups.values() if len({point.workers for point in group}) > 1]
    largest: List[Point] = max(several, key=len, default=[])
    return sorted(set(largest), key=lambda point: point.order)


def _workloads(ones: List[Comparison]) -> List[Point]:
    """The points that differ in the mix of operations and how keys are drawn."""
    mixed = [one.point for one in ones if one.point.axis("mix") is not None]
    groups: Dict[Tuple[Any, ...], List[Point]] = {}
    for point in mixed:
        groups.setdefault(point.without(*(name for name, _ in point.axes)), []).append(point)
    several = [group for group in groups.values() if len({point.workload for point in group}) > 1]
    found = sorted(set(max(several, key=lambda group: len(set(group)))), key=lambda point: point.order) if several else []
    usual = {point for point in found if sum(point == other for other in mixed) > 6}
    return [point for point in found if len(found) - len(usual) < FEWEST or point not in usual]


def _draw(source: Source, structure: str, mode: str, what: str, points: List[Point], variants: List[str],
          ones: List[Comparison]) -> Drawing:
    found = {(one.point, one.variant): one for one in ones}
    more, points = len(points) - MOST_COLUMNS, points[:MOST_COLUMNS]
    names = policies.short_names(variants) if source.narrow else {name: name.split("/", 1)[1] for name in variants}
    labels, shared = wording.brief_labels(points)
    if len({point.workers for point in points}) == 1:
        shared = ", ".join(part for part in (points[0].workers, shared) if part)
        labels = {point: label[len(point.workers) + 2:] for point, label in labels.items()}
    cell_in = (0.36 if source.narrow else 0.58, 0.16 if source.narrow else 0.23)
    width, height = cell_in[0] * len(points), cell_in[1] * len(variants)
    figure = new_figure(width + 3, height + 1.6)
    axes = figure.add_axes((2.5 / (width + 3), 0.2 / (height + 1.6), width / (width + 3), height / (height + 1.6)))
    # Faster is always purple, slower orange, whichever way the quantity improves.
    colours = matplotlib.colormaps[COLOURS]
    norm = TwoSlopeNorm(0, -math.log(FURTHEST), math.log(FURTHEST))
    tips: Dict[str, str] = {}
    for column, point in enumerate(points):
        for row, name in enumerate(variants):
            one = found.get((point, name))
            if one is not None:
                gain = math.log(max(one.ratio.median, 1e-9)) * (1 if one.better is Better.HIGHER else -1)
                colour = colours(norm(np.clip(gain, -math.log(FURTHEST), math.log(FURTHEST))))
                unsure = one.verdict is Verdict.CANNOT_TELL
                patch = axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=colour, linewidth=0.8,
                                                 edgecolor="white"))
                if unsure:
                    axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, hatch="////", linewidth=0,
                                             edgecolor="#999999"))
                tip(tips, patch, wording.verdict_sentence(one))
                dark = sum(colour[:3]) < 1.5
                axes.text(column, row, _short(one.ratio.median), ha="center", va="center",
                          fontsize=5.5 if source.narrow else 7.5, color="white" if dark else "black",
                          bbox={"facecolor": colour, "edgecolor": "none", "pad": 0.8} if unsure else None)
            elif name == source.default(variants):
                axes.text(column, row, "1", ha="center", va="center", color="#888888",
                          fontsize=5.5 if source.narrow else 7.5)
    axes.set_xlim(-0.5, len(points) - 0.5)
    axes.set_ylim(len(variants) - 0.5, -0.5)
    axes.set_yticks(range(len(variants)), [names[name] for name in variants])
    turned = max(len(label) for label in labels.values()) > 5
    axes.set_xticks(range(len(points)), [labels[point] for point in points], rotation=45 if turned else 0,
                    ha="left" if turned else "center")
    axes.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    for side in axes.spines.values():
        side.set_visible(False)
    quantity = wording.QUANTITIES[mode]
    title = f"{wording.MODES[mode]} of the {structure} as a multiple of the default's, by variant and {what}"
    if not source.narrow:
        top = axes.get_tightbbox(figure.canvas.get_renderer()).y1 / figure.bbox.height + 0.12 / (height + 1.6)
        figure.text(0, top, shared, fontsize=8.5, color="#444444", va="bottom")
        figure.text(0, top + 0.2 / (height + 1.6), title, fontweight="bold", fontsize=10, va="bottom")
    caption = (f"The number is the median of the rounds' ratios of the {quantity}; purple is faster than the default, "
               f"orange slower, at most {FURTHEST:g} times. Hatched: the interval does not let one tell, by the band of "
               f"±{BAND * 100:.0f}%." + ("" if not shared else f" All at {shared}.")
               + left_out(more, "points"))
    data = pd.DataFrame([{
        "point": wording.point_label(one.point), "variant": one.variant, "baseline": one.baseline,
        "ratio": one.ratio.median, "low": one.ratio.low, "high": one.ratio.high, "rounds_used": one.ratio.n,
        "rounds": one.rounds, "verdict": one.verdict.value} for one in ones])
    alt = f"{title}. " + " ".join(wording.verdict_sentence(one, labels[one.point]) for one in ones
                                  if one.point in labels and one.verdict is not Verdict.CANNOT_TELL)
    return Drawing(f"policy-{structure}-{mode}-by-{slug(what)}", title, caption, alt, structure, figure, data, tips)


def _short(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 9.95 else f"{ratio:.0f}"
