"""Medians, bootstrap intervals, ratios paired by round, and the verdict. The rules are in the method section
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

LEVEL = 0.95  # of every interval
RESAMPLES = 9999
SEED = 20240229  # fixed, so that a report can be made again and say the same
BAND = 0.02  # ratios within 1 - BAND .. 1 + BAND are equivalent
FEWEST_ROUNDS = 5  # below it the widest possible interval of a median, smallest to largest, covers under 90%


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
    """A median with its interval, in the unit of the values; low and high are NaN where n < 2."""

    median: float
    low: float
    high: float
    n: int

    @property
    def has_interval(self) -> bool:
        """Whether there were enough values for an interval at all."""
        return not (math.isnan(self.low) or math.isnan(self.high))


NOTHING = Estimate(math.nan, math.nan, math.nan, 0)


def estimate_median(values: Sequence[float]) -> Estimate:
    """Median and percentile-bootstrap interval of the values, in their unit."""
    sample = np.asarray(values, dtype=float)
    if sample.size == 0:
        return NOTHING
    median = float(np.median(sample))
    if sample.size == 1:
        return Estimate(median, math.nan, math.nan, 1)
    result = scipy_stats.bootstrap(
        (sample,), np.median, confidence_level=LEVEL, n_resamples=RESAMPLES, method="percentile", vectorized=True,
        axis=-1, random_state=np.random.default_rng(SEED))
    interval = result.confidence_interval
    return Estimate(median, float(interval.low), float(interval.high), int(sample.size))


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
