"""Kills: what the death of a worker cost the others, a row a variant and point."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from . import wording
from .stats import Estimate, estimate_median

COLUMNS = (("variant", "variant"), ("promise", "promise"), ("before", "before, M/s"), ("after", "behind, M/s"),
           ("ratio", "behind/before"), ("gap", "gap, ms (before)"), ("recovery", "recovery, ms (opening, µs)"),
           ("inside", "in an operation"), ("stuck", "stuck"), ("intact", "intact"))


def texts(frame: pd.DataFrame) -> List[Dict[str, Any]]:
    """Groups of rows, a group a point, in the points' order; empty where nobody was killed. A failed run is in no row."""
    known = frame[frame["kill"].map(bool)]
    groups: List[Dict[str, Any]] = []
    for point in sorted(set(known["point"]), key=lambda one: one.order):
        here = known[known["point"] == point]
        crowded = ", oversubscribed" if here["oversubscribed"].any() else ""
        rows = [_row(variant, list(of["kill"]), bool(of["is_default"].iloc[0]))
                for variant, of in here.groupby("variant", sort=True)]
        groups.append({"point": wording.point_label(point) + crowded,
                       "rows": sorted(rows, key=lambda row: not row["is_default"])})
    return groups


def tables(frame: pd.DataFrame) -> List[Table]:
    """The same for the terminal."""
    found = []
    for group in texts(frame):
        table = Table(title=f"Kills, {group['point']}", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD,
                      pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
        for key, header in COLUMNS:
            table.add_column(header, overflow="fold", no_wrap=key == "variant")
        for row in group["rows"]:
            table.add_row(*(Text(row[key]) for key, _ in COLUMNS))
        found.append(table)
    return found


def _row(variant: str, kills: List[Dict[str, Any]], is_default: bool) -> Dict[str, Any]:
    def median(of: Callable[[Dict[str, Any]], Any], unit: float) -> Estimate:
        """Over the runs in which it is known."""
        return estimate_median([value / unit for value in map(of, kills) if value is not None])

    def ratio(kill: Dict[str, Any]) -> Any:
        before, after = kill["survivors"]["before_per_s"], kill["survivors"]["after_per_s"]
        return after / before if before and after is not None else None

    def share(holds: Callable[[Dict[str, Any]], bool]) -> str:
        return f"{sum(map(holds, kills))} of {len(kills)}"

    gap = median(lambda kill: kill["survivors"]["gap_after_ns"], 1e6)
    gap_before = median(lambda kill: kill["survivors"]["gap_before_ns"], 1e6)
    opening = median(lambda kill: kill["newcomer"]["open_ns"], 1e3)
    return {
        "variant": variant + (" (default)" if is_default else ""), "is_default": is_default,
        "promise": "kill-safe" if kills[0]["claims_kill_safety"] else "none",
        "before": _text(median(lambda kill: kill["survivors"]["before_per_s"], 1e6)),
        "after": _text(median(lambda kill: kill["survivors"]["after_per_s"], 1e6)),
        "ratio": _text(median(ratio, 1)),
        "gap": f"{_text(gap)} ({wording.number(gap_before.median)})",
        "recovery": f"{_text(median(lambda kill: kill['newcomer']['recovery_ns'], 1e6))} ({wording.number(opening.median)})",
        "inside": share(lambda kill: kill["inside"] != "none"),
        "stuck": share(lambda kill: bool(kill["survivors"]["stuck"])),
        "intact": share(lambda kill: bool(kill["intact"])),
    }


def _text(estimate: Estimate) -> str:
    """A median with its interval, if the runs are enough for one."""
    interval = " " + wording.interval(estimate.low, estimate.high) if estimate.has_interval else ""
    return wording.number(estimate.median) + interval
