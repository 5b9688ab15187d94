"""Finds steps in a series: where its level changed, and whether chance would do the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
from scipy import stats as scipy_stats

from zeroipc_report.stats import BAND

LEVEL = 0.05  # chance of finding a step in a series that has none
PERMUTATIONS = 999
SHORTEST = 2  # values on either side of a step
FEWEST = 9  # values from which a step can be told from chance: 4 and 5 fall apart by chance in 2 of 126 orders
AT_ONCE = 4_000_000  # figures computed in one piece

Floats = Any  # an array of floats: numpy's own types for it differ from version to version


@dataclass(frozen=True)
class Step:
    """A change of level."""

    index: int  # of the first value behind it
    before: float  # median of the stretch before, up to the step before it
    after: float
    p_value: float  # how often a random order of the stretch has as sharp a step, or as sharp a pair of steps


def find_steps(values: Sequence[float], level: float = LEVEL, smallest: float = BAND, seed: int = 0) -> List[Step]:
    """The steps of a series, in their order; none where it has fewer than FEWEST values.

    Binary segmentation (Scott and Knott 1974) by ranks, so that an outlier is no step and a series needs no
    distribution: a stretch is cut once, or, for what went up and came back, twice (Olshen et al. 2004), if at most
    `level` of seeded random orders part as sharply; its pieces are then searched in turn, at half the level. Ranks lean
    towards the middle of a stretch, so each cut is moved to where absolute deviations from the medians of both sides
    sum up to least. A change by less than the share `smallest` is no step. A slow drift is reported as steps.
    """
    series = np.asarray(values, dtype=float)
    rng = np.random.default_rng(seed)
    found: Dict[int, float] = {}
    waiting = [(0, series.size, level)]
    while waiting:
        first, last, chance = waiting.pop()
        cuts, p_value = _sharpest(series[first:last], rng) if last - first >= FEWEST else ([], 1.0)
        # Two tests were made of each stretch, for one cut and for two.
        if p_value <= chance / 2:
            found.update({first + cut: p_value for cut in cuts})
            ends = [first, *(first + cut for cut in cuts), last]
            waiting += [(one, other, chance / 2) for one, other in zip(ends, ends[1:])]
    return _described(series, _moved(series, found), smallest)


def _sharpest(series: Floats, rng: np.random.Generator) -> Tuple[List[int], float]:
    """The best single cut or pair of cuts, whichever chance would less often equal, and how often it would."""
    ranks = scipy_stats.rankdata(series)
    orders = rng.permuted(np.tile(ranks, (PERMUTATIONS, 1)), axis=1)
    best: Tuple[List[int], float] = ([], 1.0)
    for cuts in (_cuts(series.size, 1), _cuts(series.size, 2)):
        gains = _gains(ranks[None, :], cuts)[0]
        # Nearly equal gains count as as sharp: they are exact up to the last digits only.
        as_sharp = sum(int((_gains(some, cuts).max(axis=1) >= gains.max() - 1e-9).sum())
                       for some in np.array_split(orders, 1 + PERMUTATIONS * len(cuts) // AT_ONCE))
        p_value = (1 + as_sharp) / (1 + PERMUTATIONS)
        if p_value < best[1]:
            best = ([int(cut) for cut in cuts[int(np.argmax(gains))]], p_value)
    return best


def _cuts(size: int, count: int) -> Floats:
    """Every way to cut so often, a row each, with SHORTEST values or more a piece."""
    places = np.arange(SHORTEST, size - SHORTEST + 1)
    if count == 1:
        return places[:, None]
    one, other = np.meshgrid(places, places, indexing="ij")
    apart = other - one >= SHORTEST
    return np.stack([one[apart], other[apart]], axis=1)


def _gains(rows: Floats, cuts: Floats) -> Floats:
    """For each row of ranks and each way to cut: the squares of the pieces' sums over their lengths, which is, but for
    a constant, how much the cuts lower the squared deviations."""
    sums = np.concatenate([np.zeros((len(rows), 1)), np.cumsum(rows, axis=1)], axis=1)
    size = rows.shape[1]
    ends = [np.zeros(len(cuts), dtype=int), *cuts.T, np.full(len(cuts), size)]
    return sum((sums[:, last] - sums[:, first]) ** 2 / (last - first) for first, last in zip(ends, ends[1:]))


def _moved(series: Floats, found: Dict[int, float]) -> Dict[int, float]:
    """Each cut where deviations from the medians of its two sides, up to the next cuts, sum up to least."""
    ends = [0, *sorted(found), series.size]
    moved: Dict[int, float] = {}
    for cut, after in zip(ends[1:], ends[2:]):
        before = max(moved, default=0)
        places = range(before + SHORTEST, after - SHORTEST + 1)
        moved[min(places, key=lambda place: _spread(series[before:place]) + _spread(series[place:after]))] = found[cut]
    return moved


def _spread(values: Floats) -> float:
    return float(np.abs(values - np.median(values)).sum())


def _described(series: Floats, found: Dict[int, float], smallest: float) -> List[Step]:
    """The steps with their levels; the smallest goes first where one is too small, for its neighbours' levels move."""
    while True:
        ends = [0, *sorted(found), series.size]
        levels = [float(np.median(series[first:last])) for first, last in zip(ends, ends[1:])] if series.size else []
        steps = [Step(index, before, after, found[index])
                 for index, before, after in zip(ends[1:-1], levels, levels[1:])]
        least = min(steps, key=_size, default=None)
        if least is None or _size(least) > smallest:
            return steps
        del found[least.index]


def _size(step: Step) -> float:
    low, high = sorted((abs(step.before), abs(step.after)))
    return high / low - 1 if low else float("inf")
