"""Medians, their exact intervals, ratios paired by round, and the verdict. The rules are in the method section
of every report: a verdict comes from the size of an effect and its interval, never from a best run or an average
of ratios."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Sequence

import numpy as np
import pandas as pd
from scipy import stats as scipy_stats

LEVEL = 0.95  # that every interval covers at least
BAND = 0.02  # ratios within 1 - BAND .. 1 + BAND are equivalent
FEWEST_ROUNDS = 6  # of fewer, even smallest to largest covers the median less often than LEVEL: 93.75% with 5


class Better(Enum):
    """Which way a quantity improves."""

    HIGHER = "higher"  # throughput
    LOWER = "lower"  # latency


class Verdict(Enum):
    """What a ratio's interval allows one to say of a variant against its baseline."""

    FASTER = "faster"
    SLOWER = "slower"
    EQUIVALENT = "equivalent"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Estimate:
    """A median with its interval, in the unit of the values; low and high are NaN where n < FEWEST_ROUNDS."""

    median: float
    low: float
    high: float
    n: int

    @property
    def has_interval(self) -> bool:
        """Whether there were enough values for an interval at all."""
        return not (math.isnan(self.low) or math.isnan(self.high))


NOTHING = Estimate(math.nan, math.nan, math.nan, 0)


def interval_rank(n: int) -> int:
    """The interval of the median of n values runs from the so-manyth smallest to the so-manyth largest; 0: none.

    A value lies below the median with probability 1/2, whatever the distribution, so the interval misses the median
    on one side with the probability of fewer than `rank` heads in n tosses: at most (1 - LEVEL) / 2. (W. R. Thompson
    1936; the sign test turned round.)
    """
    return int(scipy_stats.binom.ppf((1 - LEVEL) / 2, n, 0.5)) if n > 0 else 0


def coverage(n: int) -> float:
    """How often the interval of n independent values, if there is one, holds the median of a continuous distribution."""
    return float(1 - 2 * scipy_stats.binom.cdf(interval_rank(n) - 1, n, 0.5))


def estimate_median(values: Sequence[float]) -> Estimate:
    """Median of the values and its interval of order statistics, in their unit."""
    ordered = np.sort(np.asarray(values, dtype=float))
    if ordered.size == 0:
        return NOTHING
    rank = interval_rank(ordered.size)
    low, high = (float(ordered[rank - 1]), float(ordered[-rank])) if rank else (math.nan, math.nan)
    return Estimate(float(np.median(ordered)), low, high, int(ordered.size))


def paired_ratios(variant: pd.Series, baseline: pd.Series) -> pd.Series:
    """Variant over baseline for each round in which both have a value; both are indexed by round.

    A round whose baseline is zero has no ratio and drops out; callers show how many rounds of all were used.
    """
    both = pd.concat({"variant": variant, "baseline": baseline}, axis=1, join="inner").dropna()
    both = both[both["baseline"] > 0]
    return both["variant"] / both["baseline"]


def judge(ratio: Estimate, better: Better, band: float = BAND) -> Verdict:
    """The verdict on a ratio of variant to baseline, by where its interval lies against the band around 1."""
    if ratio.n < FEWEST_ROUNDS or not ratio.has_interval:
        return Verdict.CANNOT_TELL
    if ratio.low > 1 + band:
        return Verdict.FASTER if better is Better.HIGHER else Verdict.SLOWER
    if ratio.high < 1 - band:
        return Verdict.SLOWER if better is Better.HIGHER else Verdict.FASTER
    if ratio.low >= 1 - band and ratio.high <= 1 + band:
        return Verdict.EQUIVALENT
    return Verdict.CANNOT_TELL
