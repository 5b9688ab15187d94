"""Rank statistics: independent samples' ratio with its exact interval, rank tests, Holm's correction, effect size."""

from __future__ import annotations

import math
import warnings
from functools import lru_cache
from typing import Any, List, Sequence, Tuple

import numpy as np
from scipy import stats as scipy_stats

from .stats import LEVEL, NOTHING, Better, Estimate

EXACT_UP_TO = 60  # values a side; beyond, the rank sum is taken as normal


def holm(p_values: Sequence[float]) -> List[float]:
    """Holm's (1979) step-down correction: p-values such that rejecting those below a level keeps the chance of any
    false rejection among all below it. NaN, a test that was not done, stays NaN and does not count."""
    tests = sorted((p, index) for index, p in enumerate(p_values) if not math.isnan(p))
    adjusted = [math.nan] * len(p_values)
    highest = 0.0
    for place, (p, index) in enumerate(tests):
        highest = max(highest, min(1.0, p * (len(tests) - place)))
        adjusted[index] = highest
    return adjusted


@lru_cache(maxsize=None)
def _rank_sums(n: int, m: int) -> Tuple[int, ...]:
    """In how many orders of n and m values without ties u pairs of them stand the other way round, for each u.

    The coefficients of the Gaussian binomial (Mann and Whitney 1947), by multiplying with 1 - q^(m+i) and dividing by
    1 - q^i in turn; whole numbers, so exact.
    """
    counts = [1] + [0] * (n * m)
    for i in range(1, n + 1):
        for power in range(n * m, m + i - 1, -1):
            counts[power] -= counts[power - m - i]
        for power in range(i, n * m + 1):
            counts[power] += counts[power - i]
    return tuple(counts)


def pair_rank(n: int, m: int) -> int:
    """The interval of two samples' ratio runs from the so-manyth smallest to the so-manyth largest of the n times m
    ratios between them; 0: there is none that holds LEVEL."""
    if n < 1 or m < 1:
        return 0
    tail = (1 - LEVEL) / 2
    if max(n, m) > EXACT_UP_TO:
        deviation = math.sqrt(n * m * (n + m + 1) / 12)
        return max(0, math.floor(n * m / 2 + float(scipy_stats.norm.ppf(tail)) * deviation))
    total, below, rank = math.comb(n + m, n), 0, 0
    for count in _rank_sums(n, m):
        below += count
        if below > tail * total:
            break
        rank += 1
    return rank


def ratio_of_independent(variant: Sequence[float], baseline: Sequence[float]) -> Estimate:
    """Variant over baseline of two samples that are not paired: the median of all ratios between them (Hodges and
    Lehmann 1963) with its exact interval (Moses 1965). The interval holds the true factor with a probability of at
    least LEVEL, whatever the distribution, if the two differ by a factor. n is the smaller sample's size."""
    above, below = np.asarray(variant, dtype=float), np.asarray(baseline, dtype=float)
    below = below[below > 0]
    if above.size == 0 or below.size == 0:
        return NOTHING
    ratios = np.sort((above[:, None] / below[None, :]).ravel())
    rank = pair_rank(above.size, below.size)
    low, high = (float(ratios[rank - 1]), float(ratios[-rank])) if rank else (math.nan, math.nan)
    return Estimate(float(np.median(ratios)), low, high, int(min(above.size, below.size)))


def paired_p(ratios: Sequence[float]) -> float:
    """Wilcoxon's signed-rank test of paired ratios against 1, on their logarithms, two-sided."""
    logs = np.log([ratio for ratio in ratios if ratio > 0])
    if logs.size == 0:
        return math.nan
    if not logs.any():
        return 1.0
    with warnings.catch_warnings():  # of a ratio of exactly 1, for which scipy turns to the normal distribution
        warnings.simplefilter("ignore", UserWarning)
        return float(scipy_stats.wilcoxon(logs).pvalue)


def independent_p(variant: Sequence[float], baseline: Sequence[float]) -> float:
    """Mann and Whitney's rank test, two-sided; exact unless there are ties or very many values."""
    if len(variant) == 0 or len(baseline) == 0:
        return math.nan
    ties = len(set(variant) | set(baseline)) < len(variant) + len(baseline)
    method = "asymptotic" if ties or max(len(variant), len(baseline)) > EXACT_UP_TO else "exact"
    if len(set(variant) | set(baseline)) == 1:
        return 1.0
    return float(scipy_stats.mannwhitneyu(variant, baseline, alternative="two-sided", method=method).pvalue)


def paired_superiority(ratios: Sequence[float], better: Better) -> float:
    """The share of rounds in which the variant was better; a tie counts half. 0.5: neither is."""
    return _share(np.log([ratio for ratio in ratios if ratio > 0]), better)


def independent_superiority(variant: Sequence[float], baseline: Sequence[float], better: Better) -> float:
    """How often a run of the variant beats one of the baseline (Vargha and Delaney 2000); a tie counts half."""
    differences = np.asarray(variant, dtype=float)[:, None] - np.asarray(baseline, dtype=float)[None, :]
    return _share(differences.ravel(), better)


def _share(differences: Any, better: Better) -> float:
    if differences.size == 0:
        return math.nan
    signed = differences if better is Better.HIGHER else -differences
    return float(np.mean((signed > 0) + 0.5 * (signed == 0)))
