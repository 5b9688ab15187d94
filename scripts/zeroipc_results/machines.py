"""Several machines on one plot: each figure as a multiple of that machine's own reference."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
from matplotlib.ticker import FuncFormatter, NullFormatter

from zeroipc_report import wording
from zeroipc_report.stats import BAND, estimate_median

from . import drawing
from .places import ResultsError
from .table import UNITS

ROUND = ["machine", "run_folder", "run", "round"]
# What a cell and the cell it is measured by share. Bounds move no items, so less of it tells theirs apart.
CELL = ["point", "window_ns", "memory_home"]
BOUND = ["producers", "consumers", "window_ns", "placement"]


def normalised(frame: pd.DataFrame, mode: str = "throughput", relative_to: str = "default") -> pd.DataFrame:
    """Each variant on each machine as a multiple of the reference, paired by round: of the default of its structure,
    or of a variant or bound by name. A row a machine and cell: machine, variant, point, ratio, low, high, n."""
    rows = frame[(frame["mode"] == mode) & frame["usable"]] if len(frame) else frame
    if rows.empty:
        raise ResultsError(f"no run measured {mode}; there are: "
                           f"{', '.join(sorted(set(frame['mode']))) if len(frame) else 'no runs at all'}.")
    is_reference = rows["is_default"] if relative_to == "default" else rows["variant"] == relative_to
    if not is_reference.any():
        raise ResultsError(f"'{relative_to}' was not measured for {mode}; there are: default, "
                           f"{', '.join(sorted(set(rows['variant'])))}.")
    shared = [*ROUND, *(BOUND if relative_to.startswith("bound/") else CELL)]
    shared += ["structure"] if relative_to == "default" else []
    keys = rows[shared].astype(str).agg("/".join, axis=1)  # as texts: what is missing equals what is missing
    # Should a round have several references, of several payloads, say, their median counts.
    reference = rows[is_reference].groupby(keys[is_reference])["value"].median()
    paired = rows[~is_reference & (rows["kind"] != "bound")].assign(ratio=rows["value"] / keys.map(reference))
    paired = paired.dropna(subset=["ratio"])
    found = []
    several = paired.groupby("machine")["window_ns"].nunique()
    for (machine, variant, point, window_ns), same in paired.groupby(["machine", "variant", "point", "window_ns"]):
        ratio = estimate_median(same["ratio"].to_numpy())
        window = f", {window_ns / 1e6:g} ms" if several[machine] > 1 else ""
        found.append({"machine": machine, "variant": variant, "point": point + window, "ratio": ratio.median,
                      "low": ratio.low, "high": ratio.high, "n": ratio.n})
    if not found:
        raise ResultsError(f"no round has a variant beside '{relative_to}' in {mode}, so there are no ratios to plot.")
    return pd.DataFrame(found)


def draw(ratios: pd.DataFrame, mode: str, relative_to: str, target: Path) -> Path:
    """A row a variant and point, a mark a machine, with intervals; logarithmic, so that half and twice are as far."""
    machines = sorted(set(ratios["machine"]))
    rows = ratios[["variant", "point"]].drop_duplicates().sort_values(["point", "variant"]).to_records(index=False)
    places = {tuple(row): place for place, row in enumerate(rows)}
    figure = drawing.new(8, 1.3 + 0.32 * len(rows) + 0.2 * len(machines))
    axes = figure.add_subplot()
    axes.axvspan(1 - BAND, 1 + BAND, color="#cfe3f1", zorder=0, linewidth=0)
    axes.axvline(1, color="#555555", linewidth=1)
    shifts = [0.5 * ((index + 0.5) / len(machines) - 0.5) for index in range(len(machines))]
    for machine, shift, (colour, marker) in zip(machines, shifts, drawing.looks(machines)):
        for row in ratios[ratios["machine"] == machine].itertuples():
            place = places[(row.variant, row.point)] + shift
            if not math.isnan(row.low):
                axes.hlines(place, row.low, row.high, colors=colour, linewidth=2)
            axes.plot([row.ratio], [place], marker=marker, markersize=6, color=colour)
        axes.plot([], [], marker=marker, color=colour, label=machine)
    axes.set_xscale("log")
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_major_formatter(plain)
    axes.xaxis.set_minor_formatter(plain if ratios["ratio"].max() / ratios["ratio"].min() < 8 else NullFormatter())
    axes.grid(axis="x", which="both")
    axes.set_yticks(range(len(rows)), [", ".join(part for part in row if part) for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    what = "the default's" if relative_to == "default" else f"that of {relative_to}"
    axes.set_title(f"{wording.MODES[mode]}, as a multiple of {what} on the same machine", pad=8)
    axes.set_xlabel(f"{UNITS[mode]}, ratio paired by round (logarithmic): median and 95% interval; "
                    f"band ±{BAND * 100:g}%")
    figure.legend(*axes.get_legend_handles_labels(), loc="upper left", bbox_to_anchor=(0.1, 0.02))
    return drawing.save(figure, target)
