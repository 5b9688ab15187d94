"""Finds steps in a series: where its level changed for good, and whether chance would do the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Sequence, Tuple

import numpy as np
from scipy import stats as scipy_stats

LEVEL = 0.05  # chance of finding a step in a series that has none
PERMUTATIONS = 1999
SHORTEST = 2  # values on either side of a step
FEWEST = 8  # values from which a step can be told from chance at all: 4 and 4 fall apart by chance in 2 of 70 orders


@dataclass(frozen=True)
class Step:
    """A change of level."""

    index: int  # of the first value behind it
    before: float  # median of the stretch before, up to the step before it
    after: float
    p_value: float  # how often a random order of that stretch and the next has as sharp a step


def find_steps(values: Sequence[float], level: float = LEVEL, seed: int = 0) -> List[Step]:
    """The steps of a series, in their order; none where it has fewer than FEWEST values.

    Binary segmentation. That there is a step is judged by ranks: the split where those on both sides differ most
    (Pettitt 1979, standardised) must be sharper than in all but `level` of seeded random orders; so a single outlier is
    no step, and a series needs no distribution. Where it is: where absolute deviations from the medians of both sides
    sum up to least, for ranks lean towards the middle. Then both sides are searched in turn, at half the level. A slow
    drift is reported as steps too.
    """
    series = np.asarray(values, dtype=float)
    found = sorted(_search(series, 0, series.size, level, np.random.default_rng(seed)))
    ends = [0, *(index for index, _ in found), series.size]
    return [Step(index, float(np.median(series[ends[place]:index])), float(np.median(series[index:ends[place + 2]])), p)
            for place, (index, p) in enumerate(found)]


def _search(series: "np.ndarray[tuple[int], np.dtype[np.float64]]", first: int, last: int, level: float,
            rng: np.random.Generator) -> List[Tuple[int, float]]:
    if last - first < FEWEST:
        return []
    ranks = scipy_stats.rankdata(series[first:last])
    sharpest = _scores(ranks[None, :]).max()
    # Nearly equal scores count as as sharp: they are exact up to the last digits only.
    chance = _scores(rng.permuted(np.tile(ranks, (PERMUTATIONS, 1)), axis=1)).max(axis=1) >= sharpest - 1e-9
    p_value = float((1 + chance.sum()) / (1 + PERMUTATIONS))
    if p_value > level:
        return []
    splits = range(first + SHORTEST, last - SHORTEST + 1)
    index = min(splits, key=lambda split: _spread(series[first:split]) + _spread(series[split:last]))
    # Half the level for each half: all searches of one depth together keep it.
    return [*_search(series, first, index, level / 2, rng), (index, p_value),
            *_search(series, index, last, level / 2, rng)]


def _spread(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> float:
    return float(np.abs(values - np.median(values)).sum())


def _scores(ranks: "np.ndarray[tuple[int, int], np.dtype[np.float64]]"
            ) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """For each row, and each split that leaves SHORTEST on both sides: how far the first part's rank sum is from what
    chance expects, in standard deviations."""
    size = ranks.shape[1]
    lengths = np.arange(SHORTEST, size - SHORTEST + 1)
    sums = np.cumsum(ranks, axis=1)[:, SHORTEST - 1:size - SHORTEST]
    deviations = np.sqrt(lengths * (size - lengths) * (size + 1) / 12)
    return np.asarray(np.abs(sums - lengths * (size + 1) / 2) / deviations)
