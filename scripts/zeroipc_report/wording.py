"""Numbers and sentences as a reader meets them, in the page and on the terminal alike."""

from __future__ import annotations

import math
from collections import Counter
from typing import Dict, List, Sequence, Tuple

from .policies import axis_of, structure_of, word
from .records import Point
from .stats import BAND, FEWEST_ROUNDS, Better, Estimate, Verdict
from .summary import Comparison, Target, better_of

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
    "out_of_order": "items came out of their producer's order, which this queue does not promise",
    "late_kill": "the kill came too late in the window to see what followed",
    "memory_elsewhere": "the memory was not known to lie on the NUMA node asked for",
}
# What each flag means for who reads a conclusion.
THREATS = {
    "oversubscribed": "There the kernel's scheduler decides who runs, and its time slices are part of the figure: these "
                      "cells say nothing about machines with a CPU for each worker.",
    "start_skew": "Their workers worked alone for a part of the window.",
    "page_faults": "Their figures hold the kernel's work of mapping memory.",
    "involuntary_switches": "While a worker is off its CPU the others wait or run without contention; other load on the "
                            "machine is part of these figures.",
    "cores_shared": "Two hardware threads of one core pass a cache line much faster than two cores: such runs and others "
                    "are not of the same machine, and a comparison that mixes them is of luck.",
    "cores_changed": "These runs are of two machines at once.",
    "steal": "Time in which the host ran something else is part of these figures.",
    "no_progress": "A worker was starved, or the window too short for its first operation.",
    "not_steady": "Their medians speak for a state that did not last.",
    "out_of_order": "A worker that stood still for a lap of the ring was overtaken: this queue is none for who needs order.",
    "late_kill": "Little of the window was left to see what the survivors did.",
    "memory_elsewhere": "Remote memory may be part of these figures.",
}
UNITS = {"throughput": "million/s", "pingpong": "ns", "latency": "ns", "kill": "million/s"}
MODES = {"throughput": "Throughput", "pingpong": "Round trip", "latency": "Latency (99th percentile)",
         "kill": "Survivors behind a kill"}
QUANTITIES = {"throughput": "throughput", "pingpong": "round trip", "latency": "latency (p99)",
              "kill": "survivors' throughput"}


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
    return value / 1e6 if better_of(mode) is Better.HIGHER else value


def p_text(value: float) -> str:
    """A p-value, or a dash where there was no test."""
    return "-" if math.isnan(value) else f"{value:.3f}" if value >= 0.001 else "<0.001"


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


def _percent(estimate: Estimate) -> str:
    """How far a ratio lies from 1, in percent, with its interval, smaller end first."""
    ends = sorted(abs(end - 1) * 100 for end in (estimate.low, estimate.high))
    decimals = 1 if ends[1] - ends[0] < 2 else 0
    return f"{abs(estimate.median - 1) * 100:.{decimals}f}% [{ends[0]:.{decimals}f}, {ends[1]:.{decimals}f}]"


def inverse(ratio: Estimate) -> Estimate:
    """The ratio the other way round; its interval is the interval of the inverses, for order is only reversed."""
    def turned(value: float) -> float:
        return 1 / value if value > 0 else math.inf

    return Estimate(turned(ratio.median), turned(ratio.high), turned(ratio.low), ratio.n)


def names_of(one: Comparison) -> Tuple[Tuple[str, str], Tuple[str, str]]:
    """(long, short) of the variant, and of its default: by the axis in which they differ, or by name."""
    axis = axis_of(one.variant, one.baseline)
    if axis is None:
        name = one.variant.split("/", 1)[1]
        return (name, name), ("the default", "the default")
    return word(one.variant, axis), word(one.baseline, axis)


def _statement(one: Comparison, where: str) -> str:
    """Who beats whom by how much, the winner first; a percentage up to twofold, a multiple beyond."""
    (variant, variant_short), (default, default_short) = names_of(one)
    quantity = QUANTITIES[one.point.mode]
    if one.ratio.n == 0:
        return f"cannot tell {variant} from {default_short} at {where}: no round has a usable run of both"
    if one.verdict is Verdict.CANNOT_TELL:
        few = ", too few rounds" if one.ratio.n < FEWEST_ROUNDS else ""
        return f"cannot tell {variant} from {default_short} at {where}: {ratio_text(one.ratio)} times the {quantity}{few}"
    if one.verdict is Verdict.EQUIVALENT:
        return (f"{variant} and {default_short} are equivalent within {BAND * 100:.0f}% at {where}: "
                f"{ratio_text(one.ratio)} times the {quantity}")
    won = one.verdict is Verdict.FASTER
    winner, loser = (variant, default_short) if won else (default, variant_short)
    # Of the winner over the loser; a variant is judged over its default.
    ratio = one.ratio if won else inverse(one.ratio)
    if one.better is Better.HIGHER:
        amount = _percent(ratio) if ratio.median <= 2 else f"{ratio_text(ratio)} times over"
        return f"{winner} beats {loser} by {amount} at {where}"
    amount = f"{_percent(ratio)} in {quantity}" if ratio.median >= 0.5 else f"{ratio_text(inverse(ratio))} times in {quantity}"
    return f"{winner} beats {loser} by {amount} at {where}"


def rounds_text(used: int, of: int) -> str:
    """Such as `10 rounds` or `9 of 10 rounds`."""
    return f"{used} of {of} rounds" if used != of else f"{used} round{'' if used == 1 else 's'}"


def verdict_sentence(one: Comparison, where: str = "") -> str:
    """One comparison as a sentence, such as `Queue: exponential backoff beats none by 31% [24, 38] at 2P2C (10 rounds).`

    `where` names the point, where the usual label would say too much.
    """
    notes = [rounds_text(one.ratio.n, one.rounds)]
    if one.oversubscribed:
        notes.append("oversubscribed")
    if one.flagged_rounds:
        notes.append(f"{one.flagged_rounds} with a flagged run")
    if one.moved_rounds:
        notes.append(f"{one.moved_rounds} with the two runs on differently placed cores")
    structure = structure_of(one.variant).capitalize()
    return f"{structure}: {_statement(one, where or point_label(one.point))} ({'; '.join(notes)})."


def brief_labels(points: Sequence[Point]) -> Tuple[Dict[Point, str], str]:
    """A label of each point with its workers and what not all points share, and what all share, such as `8 B`."""
    def parts(point: Point) -> List[str]:
        capacity = "" if point.capacity is None else f"capacity {point.capacity}"
        more = item_label(point).split(", handicap")[1:]
        return [f"{point.payload_bytes} B", capacity, "handicap" + more[0] if more else "", point.workload,
                point.placement, "threads of one process" if point.host == "threads" else "",
                f"{point.window_ns / 1e6:g} ms windows"]

    every = {point: parts(point) for point in points}
    rows = list(every.values())
    shared = [bool(rows) and all(row[index] == rows[0][index] for row in rows) for index in range(7)]
    labels = {point: ", ".join([point.workers, *(part for part, same in zip(row, shared) if part and not same)])
              for point, row in every.items()}
    return labels, ", ".join(part for part, same in zip(rows[0], shared) if part and same) if rows else ""


def tally(ones: List[Comparison]) -> str:
    """How the verdicts fell, in one sentence."""
    counts = Counter(one.verdict for one in ones)
    parts = [f"{verdict.value} at {counts[verdict]}" for verdict in Verdict if counts[verdict]]
    return f"Of {len(ones)} comparison{'' if len(ones) == 1 else 's'} with a default: {', '.join(parts)}."


def goal_text(target: Target) -> str:
    """Such as `at most 1.4`."""
    return f"{'at most' if target.at_most else 'at least'} {target.goal:g}"
