"""Numbers and sentences as a reader meets them, in the page and on the terminal alike."""

from __future__ import annotations

import math
from collections import Counter
from typing import List

from .records import Point
from .stats import BAND, FEWEST_ROUNDS, Better, Estimate, Verdict
from .summary import Comparison, Target

FLAGS = {
    "oversubscribed": "more workers than CPUs that they may use",
    "start_skew": "the workers started too far apart",
    "page_faults": "pages were faulted in inside the window",
    "involuntary_switches": "the kernel took a worker off its CPU inside the window",
    "cores_shared": "the probe saw the two CPUs share a core",
    "cores_changed": "the host moved the CPUs between the probes before and after",
    "steal": "the host ran something else on these CPUs",
    "no_progress": "a worker completed nothing inside the window",
    "not_steady": "the throughput changed during the window, and what came after was less than half of it",
    "memory_elsewhere": "the memory was not known to lie on the NUMA node asked for",
}
UNITS = {"throughput": "million/s", "pingpong": "ns", "latency": "ns"}
MODES = {"throughput": "Throughput", "pingpong": "Round trip", "latency": "Latency (99th percentile)"}
QUANTITIES = {"throughput": "throughput", "pingpong": "round trip", "latency": "latency (p99)"}


def number(value: float, digits: int = 3) -> str:
    """A figure to so many significant digits, never in exponent notation."""
    if math.isnan(value):
        return "-"
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(decimals, 9)}f}"


def in_unit(value: float, mode: str) -> float:
    """A value in the unit that its mode is shown in: operations a second become millions a second."""
    return value / 1e6 if mode == "throughput" else value


def interval(low: float, high: float, digits: int = 3) -> str:
    """An interval in brackets, or a dash where there is none."""
    if math.isnan(low) or math.isnan(high):
        return "-"
    return f"[{number(low, digits)}, {number(high, digits)}]"


def item_label(point: Point) -> str:
    """Such as `8 B, capacity 1024`; a planted handicap and a replica are named, for they are no plain measurement."""
    handicap_ns, workers, replica = point.diagnosis
    return (f"{point.payload_bytes} B" + ("" if point.capacity is None else f", capacity {point.capacity}")
            + (f", handicap {handicap_ns:g} ns ({workers})" if handicap_ns else "")
            + (f", replica {replica}" if replica else ""))


def point_label(point: Point) -> str:
    """Such as `1P1C, 8 B, capacity 1024`; that workers are threads is said."""
    parts = [point.workers, item_label(point), "threads of one process" if point.host == "threads" else "",
             point.workload, point.placement]
    return ", ".join(part for part in parts if part)


def ratio_text(ratio: Estimate) -> str:
    """A ratio with its interval; three decimals where the interval is narrow."""
    narrow = ratio.has_interval and ratio.high - ratio.low < 0.05
    decimals = 3 if narrow else 2
    text = f"{ratio.median:.{decimals}f}"
    if ratio.has_interval:
        text += f" [{ratio.low:.{decimals}f}, {ratio.high:.{decimals}f}]"
    return text


def _percent(ratio: Estimate) -> str:
    """How far a ratio lies from 1, in percent, with its interval, smaller end first."""
    ends = sorted(abs(end - 1) * 100 for end in (ratio.low, ratio.high))
    decimals = 1 if ends[1] - ends[0] < 2 else 0
    return f"{abs(ratio.median - 1) * 100:.{decimals}f}% [{ends[0]:.{decimals}f}, {ends[1]:.{decimals}f}]"


def _effect(one: Comparison) -> str:
    """The part of the sentence that says how much; a percentage up to twofold, a multiple beyond."""
    quantity = QUANTITIES[one.point.mode]
    if one.ratio.n == 0:
        return "cannot tell (n=0): no round has a usable run of both"
    if one.verdict is Verdict.CANNOT_TELL:
        why = f" (n={one.ratio.n})" if one.ratio.n < FEWEST_ROUNDS else ""
        return f"cannot tell{why}: {ratio_text(one.ratio)} times the {quantity}"
    if one.verdict is Verdict.EQUIVALENT:
        return f"equivalent within {BAND * 100:.0f}%: {ratio_text(one.ratio)} times the {quantity}"
    if not 0.5 <= one.ratio.median <= 2:
        return f"{one.verdict.value}: {ratio_text(one.ratio)} times the {quantity}"
    if one.better is Better.HIGHER:
        return f"{_percent(one.ratio)} {one.verdict.value}"
    direction = "shorter" if one.verdict is Verdict.FASTER else "longer"
    return f"{one.verdict.value}: a {quantity} {_percent(one.ratio)} {direction}"


def rounds_text(used: int, of: int) -> str:
    """Such as `10 rounds` or `9 of 10 rounds`."""
    return f"{used} of {of} rounds" if used != of else f"{used} round{'' if used == 1 else 's'}"


def verdict_sentence(one: Comparison) -> str:
    """One comparison as a sentence."""
    notes = [rounds_text(one.ratio.n, one.rounds)]
    if one.oversubscribed:
        notes.append("oversubscribed")
    if one.flagged_rounds:
        notes.append(f"{one.flagged_rounds} with a flagged run")
    if one.moved_rounds:
        notes.append(f"{one.moved_rounds} with the two runs on differently placed cores")
    return (f"{one.variant} against the default: {_effect(one)} at {point_label(one.point)} "
            f"({'; '.join(notes)}).")


def tally(ones: List[Comparison]) -> str:
    """How the verdicts fell, in one sentence."""
    counts = Counter(one.verdict for one in ones)
    parts = [f"{verdict.value} at {counts[verdict]}" for verdict in Verdict if counts[verdict]]
    return f"Of {len(ones)} comparison{'' if len(ones) == 1 else 's'} with a default: {', '.join(parts)}."


def goal_text(target: Target) -> str:
    """Such as `at most 1.4`."""
    return f"{'at most' if target.at_most else 'at least'} {target.goal:g}"
