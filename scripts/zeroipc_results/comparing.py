"""Compares two sides, cell by cell: ratio with its exact interval, verdict, rank test over the matrix, effect size."""

from __future__ import annotations

import fnmatch
import math
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Sequence, Tuple

import pandas as pd

from zeroipc_report import wording
from zeroipc_report.ranks import (holm, independent_p, independent_superiority, paired_p, paired_superiority,
                                  ratio_of_independent)
from zeroipc_report.records import Point
from zeroipc_report.stats import BAND, Better, Estimate, Verdict, estimate_median, judge, paired_ratios
from zeroipc_report.summary import better_of

from .places import ResultsError


@dataclass(frozen=True)
class Row:
    """One cell of both sides. The ratio is B over A; A and B are in operations a second or ns, as the mode has it."""

    point: Point
    name: str  # the variant; in a comparison of two variants that of B
    kind: str
    better: Better
    a: Estimate
    b: Estimate
    ratio: Estimate
    verdict: Verdict
    p_value: float  # of the rank test, of this cell alone; NaN: no test
    p_holm: float  # the same, corrected over all variants' cells; NaN for bounds, which are only controls
    superiority: float  # how often B beats A; 0.5: neither does
    rounds: int  # in which either side was run
    failed: int  # runs of either side that failed
    flagged: int  # usable runs of either side flagged for more than being oversubscribed

    @property
    def is_variant(self) -> bool:
        """Not a bound: what verdicts are about."""
        return self.kind != "bound"


@dataclass(frozen=True)
class Comparison:
    """Two sides compared."""

    a: str
    b: str
    how: str  # what was paired with what, in a sentence
    paired: bool
    band: float
    rows: List[Row]
    missing: List[str]  # cells that only one side has
    notes: List[str]


def between_variants(frame: pd.DataFrame, a: str, b: str, band: float = BAND) -> Comparison:
    """Two variants at every point that both have, paired by round. Names may be patterns that match one variant."""
    names = [_one_variant(frame, pattern) for pattern in (a, b)]
    if names[0] == names[1]:
        raise ResultsError(f"'{a}' and '{b}' are the same variant, {names[0]}: name two.")
    sides = [{point: rows for point, rows in frame[frame["variant"] == name].groupby("point", sort=False)}
             for name in names]
    rows = [_row(point, names[1], sides[0][point], sides[1][point], ["run", "round"], band)
            for point in sides[1] if point in sides[0]]
    missing = [f"{wording.MODES[point.mode]}, {wording.point_label(point)}: only {name}"
               for name, mine, other in zip(names, sides, reversed(sides)) for point in mine if point not in other]
    return Comparison(names[0], names[1], "two variants of one run, paired by round", True, band,
                      _corrected(rows), missing, [])


def between_runs(a: pd.DataFrame, b: pd.DataFrame, labels: Tuple[str, str], paired: bool,
                 variants: Sequence[str] = (), band: float = BAND) -> Comparison:
    """Each cell of one run with the same cell of another; paired by round only where the two were run in turn."""
    sides = [_cells(frame, variants) for frame in (a, b)]
    if variants and not (sides[0] or sides[1]):
        raise ResultsError(f"no variant matches {', '.join(variants)}; there are: {_known(pd.concat([a, b]))}.")
    both = [key for key in sides[1] if key in sides[0]]
    if not both:
        raise ResultsError(f"{labels[0]} and {labels[1]} have no cell in common, so there is nothing to compare.")
    rows = [_row(key[0], key[1], sides[0][key], sides[1][key], ["round"] if paired else None, band) for key in both]
    missing = [f"{rows.iloc[0]['cell']}: only {name}" for name, mine, other in zip(labels, sides, reversed(sides))
               for key, rows in mine.items() if key not in other]
    how = ("two builds run in turn, paired by round" if paired
           else "two runs at different times, not paired: all rounds of one with all of the other")
    return Comparison(labels[0], labels[1], how, paired, band, _corrected(rows), missing, [])


def _one_variant(frame: pd.DataFrame, pattern: str) -> str:
    names = sorted(set(frame["variant"]))
    found = [pattern] if pattern in names else fnmatch.filter(names, pattern)
    if len(found) != 1:
        what = f"matches {len(found)} variants: {', '.join(found)}" if found else "is no variant of this run"
        raise ResultsError(f"'{pattern}' {what}. There are: {_known(frame)}.")
    return found[0]


def _known(frame: pd.DataFrame) -> str:
    return ", ".join(sorted(set(frame["variant"])))


def _cells(frame: pd.DataFrame, variants: Sequence[str]) -> Dict[Tuple[Point, str], pd.DataFrame]:
    """Cells by point and variant; where some variants are asked for, bounds stay as controls."""
    chosen = frame if not variants else frame[(frame["kind"] == "bound") | frame["variant"].map(
        lambda name: any(fnmatch.fnmatchcase(name, pattern) for pattern in variants))]
    if variants and chosen[chosen["kind"] != "bound"].empty:
        return {}
    return dict(tuple(chosen.groupby(["point", "variant"], sort=False)))


def _row(point: Point, name: str, a: pd.DataFrame, b: pd.DataFrame, key: Optional[List[str]], band: float) -> Row:
    better = better_of(point.mode)
    usable = [side[side["usable"]] for side in (a, b)]
    values = [side["value"].to_numpy() for side in usable]
    if key is not None:
        ratios = paired_ratios(*(side.set_index(key)["value"] for side in reversed(usable))).to_numpy()
        ratio, p_value = estimate_median(ratios), paired_p(ratios)
        superiority = paired_superiority(ratios, better)
        rounds = len(pd.concat([a, b])[key].drop_duplicates())
    else:
        ratio, p_value = ratio_of_independent(values[1], values[0]), independent_p(values[1], values[0])
        superiority = independent_superiority(values[1], values[0], better)
        rounds = min(len(a), len(b))
    flagged = sum(bool(set(flags) - {"oversubscribed"}) for side in usable for flags in side["flags"])
    return Row(point, name, str(b.iloc[0]["kind"]), better, estimate_median(values[0]), estimate_median(values[1]),
               ratio, judge(ratio, better, band), p_value, math.nan, superiority, rounds,
               int(a["failed"].sum() + b["failed"].sum()), flagged)


def _corrected(rows: Sequence[Row]) -> List[Row]:
    """In the points' order, variants before bounds, with Holm's correction over all variants' cells."""
    ordered = sorted(rows, key=lambda row: (row.kind == "bound", row.point.order, row.name))
    adjusted = holm([row.p_value if row.is_variant else math.nan for row in ordered])
    return [replace(row, p_holm=p) for row, p in zip(ordered, adjusted)]


def as_json(compared: Comparison) -> Dict[str, Any]:
    """The comparison for programs; what is not there is null."""
    return {
        "schema": "zeroipc-comparison/1", "a": compared.a, "b": compared.b, "how": compared.how,
        "paired": compared.paired, "band": compared.band, "level": 0.95,
        "interval": "exact, of order statistics" + ("" if compared.paired else " of all ratios between the two sides"),
        "test": "Wilcoxon signed-rank" if compared.paired else "Mann-Whitney", "correction": "Holm",
        "cells": [_cell_json(row) for row in compared.rows], "missing": compared.missing, "notes": compared.notes,
    }


def _cell_json(row: Row) -> Dict[str, Any]:
    return {
        "mode": row.point.mode, "point": wording.point_label(row.point), "name": row.name, "kind": row.kind,
        "unit": "operations_per_s" if row.better is Better.HIGHER else "ns", "better": row.better.value,
        "a": _estimate_json(row.a), "b": _estimate_json(row.b), "ratio": _estimate_json(row.ratio),
        "verdict": row.verdict.value, "p_value": _or_null(row.p_value), "p_holm": _or_null(row.p_holm),
        "superiority": _or_null(row.superiority), "rounds": row.rounds, "failed": row.failed, "flagged": row.flagged,
    }


def _estimate_json(one: Estimate) -> Dict[str, Any]:
    return {"median": _or_null(one.median), "low": _or_null(one.low), "high": _or_null(one.high), "n": one.n}


def _or_null(value: float) -> Optional[float]:
    return None if math.isnan(value) else value
