"""Axes that one can read aloud."""

from __future__ import annotations

import math
from typing import List, Sequence

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

PERCENTILES = (0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999)


def percent(fraction: float) -> str:
    """A fraction as a percentage without rounding its nines away."""
    nines = 0 if fraction >= 1 else max(0, math.ceil(-math.log10(1 - fraction) - 1e-9) - 2)
    return f"{fraction * 100:.{nines}f}%"


def log_ticks(axis: Axis, low: float, high: float, few: bool = False) -> None:
    """Ticks of a logarithmic axis with plain numbers: 1, 2, 5 a decade, or decades only over a wide range."""
    steps = (1, 2, 5) if high / low < (40 if few else 400) else (1,)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    if len(decades) > 7:
        decades = range(decades[0], decades[-1] + 1, 2 if len(decades) <= 13 else 3)
    ticks = [step * 10.0 ** decade for decade in decades for step in steps]
    fixed(axis, [tick for tick in ticks if low <= tick <= high])


def ratio_ticks(axis: Axis, low: float, high: float, few: bool = False) -> None:
    """Ticks of a logarithmic axis of ratios, as close as the range allows, 1 always among them."""
    width = high / low
    if width < 1.6:
        ticks: Sequence[float] = (0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.4)
    elif width < 12:
        ticks = (0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5)
    elif width < 200:
        ticks = (0.03, 0.1, 0.3, 1, 3, 10, 30, 100)
    else:
        step = math.ceil(math.log10(width) / (3 if few else 5))
        ticks = [10.0 ** decade for decade in range(-step * 8, step * 8 + 1, step)]
    fixed(axis, [tick for tick in ticks if low <= tick <= high])


def fixed(axis: Axis, ticks: Sequence[float]) -> None:
    """Ticks at these values, as plain numbers."""
    axis.set_major_locator(FixedLocator(list(ticks)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def plain(value: float) -> str:
    """A tick's number: no exponents; thousands and millions of round figures by letter."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit * (1 if unit > 1e3 else 10) and float(f"{value / unit:.3g}") == value / unit:
            return f"{value / unit:.3g}{letter}"
    return f"{value:,.10g}" if value == 0 or abs(value) >= 1e-4 else f"{value:.6f}".rstrip("0")


def linear_ticks(axis: Axis, few: int) -> None:
    """At most so many intervals on a linear axis."""
    axis.set_major_locator(MaxNLocator(few, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))


def thin(axes: Axes, size_pt: float, keep: float = math.nan) -> None:
    """Leaves out ticks of a horizontal axis whose numbers would touch, from the outer ones to the inner; `keep` stays."""
    low, high = sorted(axes.get_xlim())
    at = {tick: axes.transData.transform((tick, 0))[0] / axes.figure.dpi for tick in axes.xaxis.get_majorticklocs()
          if low <= tick <= high}
    middle = (axes.bbox.x0 + axes.bbox.x1) / 2 / axes.figure.dpi
    kept: List[float] = []
    for tick in sorted(at, key=lambda one: (one != keep, -abs(at[one] - middle))):
        if all(abs(at[tick] - at[other]) >= (len(plain(tick)) + len(plain(other))) * 0.33 * size_pt / 72 + 0.03
               for other in kept):
            kept.append(tick)
    fixed(axes.xaxis, sorted(kept))


def percentile_ticks(axis: Axis, last: float) -> None:
    """Ticks of 1/(1-p) as percentages."""
    shown = [fraction for fraction in PERCENTILES if fraction <= max(last, 0.9)]
    axis.set_major_locator(FixedLocator([1 / (1 - fraction) for fraction in shown]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: percent(1 - 1 / value)))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
