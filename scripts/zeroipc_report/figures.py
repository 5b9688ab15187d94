"""The figures. Each is also its data: a table that is saved beside it, and the sentence that describes it."""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from . import wording
from .records import Point, RunFolder
from .stats import BAND, Better, estimate_median
from .summary import CACHELINE, CAS, EMPTY, FETCH_ADD, PIPE, Comparison, better_of, bounds_at, comparisons

# Okabe and Ito's palette (2008), told apart by all common kinds of colour vision. Its yellow is left out: on white it
# cannot be read. The default is always blue, bounds always black and grey.
DEFAULT_COLOUR = "#0072B2"
COLOURS = ("#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
BOUND_COLOURS = {FETCH_ADD: "#000000", CAS: "#6b6b6b", EMPTY: "#000000", CACHELINE: "#000000", PIPE: "#6b6b6b"}
COUNTERS = {FETCH_ADD: "--", CAS: ":"}  # drawn as lines across a category: nothing is passed on there
MARKERS = ("s", "^", "D", "v", "P", "X", "<", ">", "p")  # nine: with five colours, 45 looks before one comes again
STYLE = {
    "font.family": ["DejaVu Sans", "sans-serif"], "font.size": 9.5, "axes.titlesize": 11, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.spines.top": False, "axes.spines.right": False, "axes.grid": False,
    "axes.edgecolor": "#555555", "grid.color": "#dddddd", "grid.linewidth": 0.7, "axes.axisbelow": True,
    "legend.frameon": False, "legend.fontsize": 9, "figure.facecolor": "white", "axes.facecolor": "white",
    "svg.fonttype": "none", "svg.hashsalt": "zeroipc", "savefig.dpi": 150,
}
# Modes with percentiles: what is timed, and what a reader must know of it.
PERCENTILES = {
    "pingpong": ("Round trip", "Closed loop, one item in flight: the wait behind other items is no part of it."),
    "latency": ("Latency", "With a load, from the moment when an operation was due: a stall is charged to all that it "
                "delayed. In a closed loop, from when it began."),
}
ROW_IN = 0.24  # height of a row of names, inches
WIDEST_IN = 11.0  # a figure wider than a page would be shown with letters too small


@dataclass(frozen=True)
class Look:
    """How a variant is drawn, in every figure of a report."""

    colour: str
    marker: str
    label: str


@dataclass(frozen=True)
class Drawn:
    """A figure, or the reason why there is none."""

    name: str  # of its files, without suffix
    title: str
    caption: str
    alt: str = ""  # what one who cannot see it should know
    svg: str = ""  # for a page: no header, identifiers of its own
    missing: str = ""  # why there is no figure


def looks_of(frame: pd.DataFrame) -> Dict[str, Look]:
    """A look for each variant of the records: by order of name, so that it is the same in every figure."""
    looks = {}
    defaults = set(frame[frame["is_default"]]["variant"])
    others = sorted(set(frame["variant"]) - defaults)
    for name in sorted(defaults):
        looks[name] = Look(DEFAULT_COLOUR, "o", f"{name} (default)")
    for name in (name for name in others if name.startswith("bound/")):
        looks[name] = Look(BOUND_COLOURS.get(name, "#444444"), "*", name)
    for index, name in enumerate(name for name in others if not name.startswith("bound/")):
        looks[name] = Look(COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)], name)
    return looks


def draw_all(folder: RunFolder) -> List[Drawn]:
    """Draws every figure and saves it with its data into the folder's `figures`."""
    target = folder.folder / "figures"
    target.mkdir(exist_ok=True)
    looks = looks_of(folder.frame)
    compared = comparisons(folder.frame)
    timed = ["latency"] if (folder.usable["mode"] == "latency").any() else []
    with matplotlib.rc_context():
        # The reader's own matplotlibrc has no say in how a report looks.
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        return [
            *_throughput(folder.usable, looks, target),
            *_latency(folder.usable, looks, target),
            *(_forest(mode, compared, looks, target) for mode in ("throughput", "pingpong", *timed)),
            *(_strip(mode, folder.usable, looks, target) for mode in ("throughput", "pingpong", *timed)),
        ]


# --- saving -----------------------------------------------------------------------------------------------------

def _new(width_in: float, height_in: float) -> Tuple[Figure, Axes]:
    figure = Figure(figsize=(width_in, height_in))
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _save(figure: Figure, data: pd.DataFrame, target: Path, drawn: Drawn) -> Drawn:
    """Writes PNG, SVG and CSV; answers the figure with its SVG made fit for a page."""
    # A tight box grows with whatever stands outside the axes: names and legends are never cut.
    figure.savefig(target / f"{drawn.name}.png", bbox_inches="tight")
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight",
                   metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = buffer.getvalue()
    (target / f"{drawn.name}.svg").write_text(svg, encoding="utf-8")
    data.to_csv(target / f"{drawn.name}.csv", index=False, float_format="%.9g")
    return Drawn(drawn.name, drawn.title, drawn.caption, drawn.alt, _inline(svg, drawn))


def _inline(svg: str, drawn: Drawn) -> str:
    """The SVG without what a page must not have: XML header, metadata, identifiers that another figure has too."""
    body = svg[svg.index("<svg"):]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{drawn.name}-', body)
    body = re.sub(r'(url\(#|href="#)', rf"\g<1>{drawn.name}-", body)
    return body.replace("<svg ", f'<svg role="img" aria-labelledby="{drawn.name}-alt" ', 1)


def _threads(point: Point) -> str:
    return "threads" if point.host == "threads" else ""


def _slug(point: Point) -> str:
    capacity = "" if point.capacity is None else f"-cap{point.capacity}"
    more = "".join(f"-{part}" for part in re.findall(r"[A-Za-z0-9.]+", f"{_threads(point)} {point.workload} {point.placement}"))
    handicap_ns, workers, replica = point.diagnosis
    more += (f"-handicap{handicap_ns:g}ns-{workers}" if handicap_ns else "") + (f"-replica{replica}" if replica else "")
    return f"{point.payload_bytes}B{capacity}-{point.window_ns // 1_000_000}ms{more}"


def _legend_below(axes: Axes, handles: Sequence[Line2D], offset_in: float = 0.5) -> None:
    """A legend under the axes, where no data can be; as many columns as the longest name allows."""
    width_in, height_in = axes.figure.get_size_inches()
    height_in *= axes.get_position().height
    longest = max(len(str(handle.get_label())) for handle in handles)
    columns = max(1, int((width_in * 0.78 + 0.6) / (0.06 * longest + 0.55)))
    axes.legend(handles=list(handles), loc="upper left", bbox_to_anchor=(0, -offset_in / height_in),
                ncol=columns, handlelength=2.2, columnspacing=1.6, borderaxespad=0)


def _ordered(names: Sequence[str], looks: Dict[str, Look]) -> List[str]:
    """The default, other variants by name, bounds."""
    return sorted(set(names), key=lambda name: (name.startswith("bound/"), "(default)" not in looks[name].label, name))


# --- throughput against workers ---------------------------------------------------------------------------------

def _throughput(usable: pd.DataFrame, looks: Dict[str, Look], target: Path) -> List[Drawn]:
    rows = usable[(usable["mode"] == "throughput") & (usable["kind"] != "bound")]
    if rows.empty:
        return [Drawn("throughput", "Throughput by producers and consumers", "",
                      missing="No run measured throughput, so there is no figure of it.")]
    groups: Dict[Tuple, List[Point]] = {}
    for point in sorted(set(rows["point"]), key=lambda point: point.order):
        groups.setdefault((point.payload_bytes, point.capacity or 0, point.window_ns, point.workload, point.placement,
                           point.diagnosis, point.host), []).append(point)
    drawn = []
    for structure in sorted(set(rows["structure"])):
        for _, points in sorted(groups.items()):
            here = rows[(rows["structure"] == structure) & rows["point"].isin(points)]
            if not here.empty:
                drawn.append(_throughput_of(structure, points, here, usable, looks, target))
    return drawn


def _throughput_of(structure: str, points: List[Point], rows: pd.DataFrame, usable: pd.DataFrame,
                   looks: Dict[str, Look], target: Path) -> Drawn:
    data = _throughput_data(points, rows, usable)
    shown = _ordered(data[~data["variant"].isin(COUNTERS)]["variant"], looks)
    where = wording.point_label(points[0]).split(", ", 1)[1]
    roles = any(point.consumers for point in points)
    roles_text = "producers and consumers" if roles else "workers"
    width = 1.0 + 0.26 * len(shown)
    columns = min(len(points), max(1, int((WIDEST_IN - 0.4) / width)))
    lines = math.ceil(len(points) / columns)
    figure = Figure(figsize=(max(8.5, 0.4 + columns * width), 0.8 + 4.2 * lines))
    FigureCanvasAgg(figure)
    every = figure.subplots(lines, columns, squeeze=False, gridspec_kw={"hspace": 0.28, "wspace": 0.22}).flatten()
    for axes, point in zip(every, points):
        _throughput_panel(axes, point, data[data["workers"] == point.workers], shown, looks)
    for axes in every[len(points):]:
        axes.set_axis_off()
    every[0].set_title(f"Throughput of the {structure}, {where}", pad=22)
    for axes in every[::columns]:
        axes.set_ylabel(f"million {'items received' if roles else 'operations'} per second")
    every[(lines - 1) * columns].set_xlabel(
        ("producers (P) and consumers (C)" if roles else "workers (W)")
        + (", threads of one process" if _threads(points[0]) else ", each a process"), loc="left")
    handles = [_run_handle(looks[variant]) for variant in shown]
    handles += [Line2D([], [], color="black", linestyle=style, linewidth=1.3, label=f"{name}: increments")
                for name, style in COUNTERS.items() if (data["variant"] == name).any()]
    _legend_below(every[(lines - 1) * columns], handles)
    caption = ("Every dot is one run in fresh processes, in the order of the rounds from left to right; the bar is the "
               "95% interval of the median, which is the white mark. Closed loop: each worker goes on at once. Every "
               "axis starts at zero and has a scale of its own.")
    alt = f"Throughput of the {structure}, {where}. " + "; ".join(
        f"{point.workers}: highest median {_best(data, point.workers)}" for point in points) + "."
    return _save(figure, data, target, Drawn(f"throughput-{structure}-{_slug(points[0])}",
                                             f"Throughput of the {structure} by {roles_text}: {where}",
                                             caption, alt))


def _throughput_panel(axes: Axes, point: Point, data: pd.DataFrame, shown: List[str], looks: Dict[str, Look]) -> None:
    """One category, on a scale of its own: where workers share CPUs, rates are of another order."""
    slot = 0.84 / len(shown)
    present = [variant for variant in shown if (data["variant"] == variant).any()]
    for index, variant in enumerate(present):
        centre = (index + 0.5 - len(present) / 2) * slot
        _column_of_runs(axes, centre, slot, data[data["variant"] == variant]["million_per_s"], looks[variant])
    scale = data[~data["variant"].isin(COUNTERS)]["million_per_s"].max()
    top = scale
    above = []
    for name, style in COUNTERS.items():
        bound = data[data["variant"] == name]["million_per_s"]
        if len(bound) and bound.median() <= 1.5 * scale:
            axes.hlines(bound.median(), -0.46, 0.46, colors="black", linestyles=style, linewidth=1.3)
            top = max(top, bound.median())
        elif len(bound):
            above.append(f"{name}: {wording.number(bound.median())}")
    if above:
        axes.text(0.5, 0.985, ", ".join(above) + ", above this scale", transform=axes.transAxes, ha="center", va="top",
                  fontsize=9)
    axes.set_ylim(0, top * 1.12)
    if bool(data["oversubscribed"].any()):
        axes.set_facecolor("#f0ece2")
        axes.text(0.5, 1.01, "oversubscribed: more workers than CPUs", transform=axes.transAxes, ha="center",
                  va="bottom", fontsize=9, color="#555555")
    axes.set_xticks([0], [point.workers])
    axes.set_xlim(-0.5, 0.5)
    axes.grid(axis="y")


def _throughput_data(points: List[Point], rows: pd.DataFrame, usable: pd.DataFrame) -> pd.DataFrame:
    """A row a run: those of the variants, and those of the bounds that belong beside them."""
    parts = []
    for point in points:
        part = pd.concat([rows[rows["point"] == point], bounds_at(usable, point)])
        parts.append(part.assign(workers=point.workers))
    data = pd.concat(parts)
    data = data.assign(million_per_s=data["value"] / 1e6, flags=data["flags"].map(" ".join))
    return data[["workers", "variant", "round", "million_per_s", "oversubscribed", "flags"]].reset_index(drop=True)


def _best(data: pd.DataFrame, workers: str) -> str:
    here = data[(data["workers"] == workers) & ~data["variant"].str.startswith("bound/")]
    medians = here.groupby("variant")["million_per_s"].median()
    return f"{wording.number(medians.max())} million/s by {medians.idxmax()}"


def _column_of_runs(axes: Axes, centre: float, slot: float, values: pd.Series, look: Look) -> None:
    """Runs as dots side by side, the median and its interval over them."""
    if not len(values):
        return
    places = centre + np.linspace(-0.36, 0.36, len(values)) * slot if len(values) > 1 else [centre]
    axes.plot(places, values, linestyle="none", marker="o", markersize=3, color=look.colour, alpha=0.5,
              markeredgewidth=0)
    estimate = estimate_median(values.to_numpy())
    if estimate.has_interval:
        axes.vlines(centre, estimate.low, estimate.high, colors=look.colour, linewidth=2.2)
    axes.plot([centre], [estimate.median], marker=look.marker, markersize=6.5, markerfacecolor="white",
              markeredgecolor=look.colour, markeredgewidth=1.5, linestyle="none")


def _run_handle(look: Look) -> Line2D:
    return Line2D([], [], color=look.colour, marker=look.marker, markersize=6.5, markerfacecolor="white",
                  markeredgecolor=look.colour, markeredgewidth=1.5, linewidth=2.2, label=look.label)


# --- latency by percentile --------------------------------------------------------------------------------------

def _latency(usable: pd.DataFrame, looks: Dict[str, Look], target: Path) -> List[Drawn]:
    rows = usable[usable["mode"].isin(PERCENTILES) & (usable["kind"] != "bound") & (usable["curve"].map(len) > 0)]
    if rows.empty:
        return [Drawn("latency", "Round trip by percentile", "",
                      missing="No run recorded round trips, so there is no figure of them.")]
    drawn = []
    for structure, here in rows.groupby("structure", sort=True):
        for point in sorted(set(here["point"]), key=lambda point: point.order):
            both = pd.concat([here[here["point"] == point], bounds_at(usable, point)])
            drawn.append(_latency_of(structure, point, both, looks, target))
    return drawn


def _latency_of(structure: str, point: Point, rows: pd.DataFrame, looks: Dict[str, Look], target: Path) -> Drawn:
    figure, axes = _new(8.5, 5.0)
    parts = []
    for variant in _ordered(rows["variant"], looks):
        curves = [curve for curve in rows[rows["variant"] == variant]["curve"] if curve]
        if not curves:
            continue
        part = median_curve(curves)
        parts.append(part.assign(variant=variant))
        style = "--" if variant.startswith("bound/") else "-"
        for curve in curves:
            beyond = [1 / (1 - fraction) for fraction, _ in curve if fraction < 1]
            axes.plot(beyond, [ns for fraction, ns in curve if fraction < 1], color=looks[variant].colour,
                      linewidth=0.6, alpha=0.22)
        axes.plot(1 / (1 - part["fraction"]), part["ns"], style, color=looks[variant].colour, linewidth=2,
                  marker=looks[variant].marker, markersize=4.5, markevery=max(1, len(part) // 7),
                  label=looks[variant].label)
    data = pd.concat(parts)[["variant", "fraction", "ns", "runs"]]
    axes.set_xscale("log")
    axes.set_yscale("log")
    _percentile_ticks(axes, float(data["fraction"].max()))
    _plain_log_ticks(axes.yaxis, *axes.get_ylim())
    axes.grid(which="major")
    axes.set_xlabel("percentile (the axis is 1/(1-p), logarithmic)")
    what, caption = PERCENTILES[point.mode]
    axes.set_ylabel(f"{what.lower()}, ns (logarithmic)")
    where = wording.point_label(point)
    axes.set_title(f"{what} of the {structure}, {where}")
    handles = [*axes.get_legend_handles_labels()[0],
               Line2D([], [], color="#888888", linewidth=0.6, label="thin: each run")]
    _legend_below(axes, handles)
    caption = ("Thick lines: at each percentile the median over the runs; thin lines: the runs. A curve ends where "
               f"fewer than ten samples lie beyond it, or fewer than half of the runs reach. {caption}")
    ends = data.groupby("variant", sort=False).tail(1)
    alt = f"{what} by percentile, {where}. " + "; ".join(
        f"{row['variant']}: {wording.number(row['ns'])} ns at {percent(row['fraction'])}"
        for _, row in ends.iterrows()) + "."
    return _save(figure, data, target, Drawn(f"latency-{structure}-{point.workers}-{_slug(point)}",
                                             f"{what} of the {structure} by percentile: {where}", caption, alt))


def median_curve(curves: Sequence[Sequence[Tuple[float, float]]]) -> pd.DataFrame:
    """The median over runs of latency (ns) at each fraction; columns fraction, ns, runs.

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
    return pd.DataFrame({"fraction": np.asarray(fractions)[enough],
                         "ns": np.exp(np.nanmedian(logs[:, enough], axis=0)), "runs": runs[enough]})


def percent(fraction: float) -> str:
    """0.999 as `99.9%`."""
    return f"{round(fraction * 100, 7):g}%" if fraction < 0.999999 else f"{fraction * 100:.6f}".rstrip("0") + "%"


def _percentile_ticks(axes: Axes, highest: float) -> None:
    nines = max(1, math.ceil(-math.log10(1 - highest) - 1e-9))
    fractions = [0.0, 0.5] + [1 - 10.0 ** -count for count in range(1, nines + 1)]
    axes.set_xlim(0.94, 1.08 / (1 - highest))
    axes.xaxis.set_major_locator(FixedLocator([1 / (1 - fraction) for fraction in fractions]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: percent(1 - 1 / x)))
    axes.xaxis.set_minor_locator(NullLocator())


def _plain_log_ticks(axis: matplotlib.axis.Axis, low: float, high: float) -> None:
    """Ticks of a logarithmic axis with plain numbers: 1, 2, 5 a decade, or decades only over a wide range."""
    steps = (1, 2, 5) if high / low < 2000 else (1,)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0 ** decade for decade in decades for step in steps]
    axis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


# --- rows: ratios and single runs -------------------------------------------------------------------------------

class _Rows:
    """Axes with a named row a variant, under a heading for each point."""

    def __init__(self, title: str, groups: Sequence[Tuple[Point, Sequence[str]]], looks: Dict[str, Look],
                 width_in: float, oversubscribed: Dict[Point, bool]) -> None:
        self.places: Dict[Tuple[Point, str], float] = {}
        count = sum(len(variants) + 1.4 for _, variants in groups)
        self.figure, self.axes = _new(width_in, max(1.6, count * ROW_IN + 0.9))
        self.axes.set_title(title, pad=8)
        place = 0.0
        for point, variants in groups:
            heading = wording.point_label(point) + (" (oversubscribed)" if oversubscribed[point] else "")
            self.axes.text(-0.01, place, heading, transform=self.axes.get_yaxis_transform(), ha="right",
                           va="center", fontweight="bold")
            for variant in variants:
                place += 1
                self.places[(point, variant)] = place
                self.axes.axhline(place, color="#ececec", linewidth=0.7, zorder=0)
            place += 1.4
        self.axes.set_ylim(place - 0.6, -0.6)
        names = [looks[variant].label for _, variant in self.places]
        self.axes.set_yticks(list(self.places.values()), names)
        self.axes.tick_params(axis="y", length=0)
        self.axes.spines["left"].set_visible(False)


def _forest(mode: str, compared: Sequence[Comparison], looks: Dict[str, Look], target: Path) -> Drawn:
    name = f"ratios-{mode}"
    title = f"{wording.MODES[mode]} of each variant as a multiple of the default's"
    ones = [one for one in compared if one.point.mode == mode and one.ratio.n > 0]
    if not ones:
        return Drawn(name, title, "", missing="No round has a run both of a variant and of its default in this mode, "
                     "so there are no ratios to show.")
    groups = _grouped([(one.point, one.variant) for one in ones])
    rows = _Rows(title, groups, looks, 7.0, {one.point: one.oversubscribed for one in ones})
    axes = rows.axes
    axes.set_xscale("log")
    axes.axvspan(1 - BAND, 1 + BAND, color="#cfe3f1", zorder=0, linewidth=0)
    axes.axvline(1, color=DEFAULT_COLOUR, linewidth=1)
    for one in ones:
        place = rows.places[(one.point, one.variant)]
        look = looks[one.variant]
        if one.ratio.has_interval:
            axes.hlines(place, one.ratio.low, one.ratio.high, colors=look.colour, linewidth=2.2)
        axes.plot([one.ratio.median], [place], marker=look.marker, markersize=6.5, color=look.colour)
        for column, text in ((1.02, wording.ratio_text(one.ratio)), (1.36, f"n={one.ratio.n}"),
                             (1.47, one.verdict.value)):
            axes.text(column, place, text, transform=axes.get_yaxis_transform(), va="center", fontsize=9)
    _ratio_ticks(axes, ones)
    side = "right" if better_of(mode) is Better.HIGHER else "left"
    axes.set_xlabel(f"{wording.QUANTITIES[mode]}, multiple of the default's (logarithmic); {side} is faster")
    data = pd.DataFrame([{
        "workers": one.point.workers, "payload_bytes": one.point.payload_bytes, "capacity": one.point.capacity,
        "host": one.point.host, "variant": one.variant, "baseline": one.baseline, "ratio": one.ratio.median, "low": one.ratio.low,
        "high": one.ratio.high, "rounds_used": one.ratio.n, "rounds": one.rounds, "verdict": one.verdict.value,
    } for one in ones])
    caption = (f"The mark is the median of the rounds' ratios, the bar its 95% interval; the shaded band is the "
               f"±{BAND * 100:.0f}% that counts as equivalent, the line at 1 the default.")
    alt = f"{title}. " + " ".join(wording.verdict_sentence(one) for one in ones)
    return _save(rows.figure, data, target, Drawn(name, title, caption, alt))


def _ratio_ticks(axes: Axes, ones: Sequence[Comparison]) -> None:
    """Ticks at ratios that one names aloud, as close as the range allows."""
    ends = [end for one in ones for end in (one.ratio.median, one.ratio.low, one.ratio.high)
            if not math.isnan(end) and end > 0]
    low, high = min([*ends, 0.9]) * 0.93, max([*ends, 1.1]) * 1.07
    if high / low < 2.2:
        ticks: Sequence[float] = (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.5, 1.7, 2)
    elif high / low < 30:
        ticks = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 15, 20)
    else:
        ticks = [step * 10.0 ** decade for decade in range(-6, 7) for step in ((1, 3) if high / low < 1e4 else (1,))]
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(axis="x", zorder=0)


def _strip(mode: str, usable: pd.DataFrame, looks: Dict[str, Look], target: Path) -> Drawn:
    name = f"runs-{mode}"
    title = f"{wording.MODES[mode]}: every run"
    rows = usable[usable["mode"] == mode]
    if rows.empty:
        return Drawn(name, title, "", missing=f"No run measured this mode ({wording.MODES[mode].lower()}), so there "
                     "is no figure of its runs.")
    pairs = sorted(set(zip(rows["point"], rows["variant"])), key=lambda pair: (
        pair[0].order, pair[1].startswith("bound/"), "(default)" not in looks[pair[1]].label, pair[1]))
    crowded = {point: bool(part["oversubscribed"].any()) for point, part in rows.groupby("point", sort=False)}
    drawn = _Rows(title, _grouped(pairs), looks, 7.5, crowded)
    rounds = sorted(set(rows["round"]))
    shifts = dict(zip(rounds, np.linspace(-0.3, 0.3, len(rounds)) if len(rounds) > 1 else np.zeros(1)))
    for _, row in rows.iterrows():
        place = drawn.places[(row["point"], row["variant"])] + shifts[row["round"]]
        _run_dot(drawn.axes, row, place, looks[row["variant"]])
    _value_axis(drawn.axes, mode, rows["value"])
    _legend_below(drawn.axes, [
        _dot("a run", "o", "full"), _dot("with a flag other than oversubscribed", "o", "none"),
        _dot("on CPUs that shared a core", "s", "none")])
    data = rows.assign(
        workers=rows["point"].map(lambda point: point.workers),
        payload_bytes=rows["point"].map(lambda point: point.payload_bytes),
        capacity=rows["point"].map(lambda point: point.capacity),
        host=rows["point"].map(lambda point: point.host), flags=rows["flags"].map(" ".join))
    unit = {"throughput": "operations_per_s", "pingpong": "p50_ns", "latency": "p99_ns"}[mode]
    data = data.rename(columns={"value": unit})[
        ["workers", "payload_bytes", "capacity", "host", "variant", "round", "position", unit, "separate_cores", "flags"]]
    caption = ("A dot a run: the rounds lie one above the other in a row, the first on top. Two heaps in a row mean "
               "that the cell has two ways to run, and that its median speaks for neither alone.")
    alt = f"{title}: {len(rows)} runs of {len(pairs)} cells."
    return _save(drawn.figure, data, target, Drawn(name, title, caption, alt))


def _grouped(pairs: Sequence[Tuple[Point, str]]) -> List[Tuple[Point, List[str]]]:
    """(point, its variants), both in the order given."""
    groups: Dict[Point, List[str]] = {}
    for point, variant in pairs:
        groups.setdefault(point, []).append(variant)
    return list(groups.items())


def _run_dot(axes: Axes, row: pd.Series, place: float, look: Look) -> None:
    """One run: hollow if flagged, square if its CPUs shared a core."""
    flagged = bool(set(row["flags"]) - {"oversubscribed"})
    axes.plot([wording.in_unit(row["value"], row["mode"])], [place], linestyle="none",
              marker="s" if row["separate_cores"] is False else "o", markersize=4, color=look.colour,
              fillstyle="none" if flagged else "full", markeredgewidth=0.9, alpha=0.8)


def _dot(label: str, marker: str, fill: str) -> Line2D:
    return Line2D([], [], linestyle="none", marker=marker, color="#333333", fillstyle=fill, markersize=5, label=label)


def _value_axis(axes: Axes, mode: str, values: pd.Series) -> None:
    axes.grid(axis="x")
    shown = values.map(lambda value: wording.in_unit(value, mode))
    if mode == "throughput" and shown.max() <= 20 * shown.min():
        axes.set_xlim(0, shown.max() * 1.04)
        axes.set_xlabel("million operations per second")
        return
    axes.set_xscale("log")
    low, high = shown.min() * 0.85, shown.max() * 1.18
    axes.set_xlim(low, high)
    _plain_log_ticks(axes.xaxis, low, high)
    axes.set_xlabel("million operations per second (logarithmic)" if mode == "throughput"
                    else "round trip, median of the run, ns (logarithmic)")
