"""Statistics against results known in advance, and against seeded simulations of known truth."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from zeroipc_report.stats import (FEWEST_ROUNDS, LEVEL, Better, Estimate, Verdict, coverage, estimate_median,
                                  interval_rank, judge, paired_ratios)

ROUNDS = 10


def test_the_median_of_known_values():
    # Of six, all lie on one side of the median with probability 2 / 64: the interval is the whole range.
    assert estimate_median([5.0, 1.0, 9.0, 3.0, 7.0, 8.0]) == Estimate(6.0, 1.0, 9.0, 6)
    # Of ten, fewer than two lie on one side with probability 22 / 1024, fewer than three with 112 / 1024.
    assert estimate_median(range(10, 0, -1)) == Estimate(5.5, 2.0, 9.0, 10)


@pytest.mark.parametrize("n", range(1, 41))
def test_ranks_leave_as_much_on_each_side_as_the_level_allows_and_no_less(n):
    def missed(rank: int) -> float:
        """Probability that the interval from that rank misses the median, by counting outcomes of n tosses."""
        return 2 * sum(math.comb(n, heads) for heads in range(rank)) / 2 ** n

    rank = interval_rank(n)
    assert missed(rank) <= 1 - LEVEL < missed(rank + 1)
    assert (rank > 0) == (n >= FEWEST_ROUNDS)
    assert coverage(n) == pytest.approx(1 - missed(rank))


def test_equal_values_have_an_interval_of_no_width():
    assert estimate_median([2.0] * 10) == Estimate(2.0, 2.0, 2.0, 10)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_values_have_no_interval(n):
    estimate = estimate_median([4.0] * n)
    assert (estimate.median, estimate.n) == (4.0, n)
    assert not estimate.has_interval


def test_no_value_has_no_median():
    estimate = estimate_median([])
    assert estimate.n == 0
    assert math.isnan(estimate.median)


def test_the_same_values_give_the_same_interval():
    values = np.random.default_rng(1).normal(100, 5, 12)
    assert estimate_median(values) == estimate_median(values)


def test_scaling_the_values_scales_the_interval():
    values = np.random.default_rng(2).normal(100, 5, 12)
    one, thousand = estimate_median(values), estimate_median(values * 1000)
    assert thousand.low == pytest.approx(one.low * 1000)
    assert thousand.high == pytest.approx(one.high * 1000)


def test_ratios_pair_by_round_and_drop_what_has_no_partner():
    variant = pd.Series({("r", 0): 20.0, ("r", 1): 33.0, ("r", 2): 5.0, ("r", 4): 7.0})
    baseline = pd.Series({("r", 1): 30.0, ("r", 0): 10.0, ("r", 2): 0.0, ("r", 3): 8.0})
    assert paired_ratios(variant, baseline).to_dict() == pytest.approx({("r", 0): 2.0, ("r", 1): 1.1})


def test_pairing_removes_what_a_round_does_to_both():
    rng = np.random.default_rng(3)
    weather = pd.Series(np.exp(rng.normal(0, 1, ROUNDS)))
    assert paired_ratios(weather * 1.1, weather).to_numpy() == pytest.approx([1.1] * ROUNDS)


@pytest.mark.parametrize("low, high, higher, lower", [
    (1.03, 1.10, Verdict.FASTER, Verdict.SLOWER),
    (0.80, 0.97, Verdict.SLOWER, Verdict.FASTER),
    (0.99, 1.01, Verdict.EQUIVALENT, Verdict.EQUIVALENT),
    (0.98, 1.02, Verdict.EQUIVALENT, Verdict.EQUIVALENT),
    (1.005, 1.015, Verdict.EQUIVALENT, Verdict.EQUIVALENT),
    (1.01, 1.10, Verdict.CANNOT_TELL, Verdict.CANNOT_TELL),
    (0.90, 1.10, Verdict.CANNOT_TELL, Verdict.CANNOT_TELL),
    (0.90, 0.985, Verdict.CANNOT_TELL, Verdict.CANNOT_TELL),
])
def test_the_verdict_by_where_the_interval_lies(low, high, higher, lower):
    ratio = Estimate((low + high) / 2, low, high, ROUNDS)
    assert judge(ratio, Better.HIGHER) is higher
    assert judge(ratio, Better.LOWER) is lower


@pytest.mark.parametrize("n", range(FEWEST_ROUNDS))
def test_few_rounds_cannot_tell_whatever_they_show(n):
    assert judge(estimate_median([3.0] * n), Better.HIGHER) is Verdict.CANNOT_TELL


def test_the_fewest_rounds_can():
    assert judge(estimate_median([3.0] * FEWEST_ROUNDS), Better.HIGHER) is Verdict.FASTER


# --- simulations of known truth -----------------------------------------------------------------------------------

SIMULATIONS = 200


def _verdicts(factor: float, noise: float, better: Better = Better.HIGHER, seed: int = 11) -> dict:
    """How the verdicts fall when the truth is known; rounds share a disturbance, as on a real machine."""
    rng = np.random.default_rng(seed)
    counts = dict.fromkeys(Verdict, 0)
    for _ in range(SIMULATIONS):
        weather = np.exp(rng.normal(0, 0.2, ROUNDS))
        baseline = pd.Series(weather * np.exp(rng.normal(0, noise, ROUNDS)))
        variant = pd.Series(factor * weather * np.exp(rng.normal(0, noise, ROUNDS)))
        ratio = estimate_median(paired_ratios(variant, baseline).to_numpy())
        counts[judge(ratio, better)] += 1
    return counts


def test_an_effect_is_found_and_never_reversed():
    counts = _verdicts(1.10, 0.02)
    assert counts[Verdict.FASTER] > 0.95 * SIMULATIONS
    assert counts[Verdict.SLOWER] == 0


def test_its_reversal_is_found():
    counts = _verdicts(1 / 1.10, 0.02)
    assert counts[Verdict.SLOWER] > 0.95 * SIMULATIONS
    assert counts[Verdict.FASTER] == 0


def test_for_latency_the_same_effect_is_the_other_verdict():
    assert _verdicts(1.10, 0.02, Better.LOWER)[Verdict.SLOWER] > 0.95 * SIMULATIONS


@pytest.mark.parametrize("noise", [0.005, 0.02, 0.1])
def test_no_effect_is_seldom_mistaken_for_one(noise):
    counts = _verdicts(1.0, noise)
    assert counts[Verdict.FASTER] + counts[Verdict.SLOWER] <= 0.05 * SIMULATIONS


def test_no_effect_and_little_noise_is_equivalence():
    assert _verdicts(1.0, 0.004)[Verdict.EQUIVALENT] > 0.95 * SIMULATIONS


def test_no_effect_and_much_noise_cannot_tell():
    assert _verdicts(1.0, 0.1)[Verdict.CANNOT_TELL] > 0.9 * SIMULATIONS


def _normal(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(100, 5, ROUNDS)


def _bimodal(rng: np.random.Generator) -> np.ndarray:
    """Three runs of four near 100, the fourth near 200: the population median is inside the lower heap."""
    return np.where(rng.random(ROUNDS) < 0.75, 100.0, 200.0) + rng.normal(0, 5, ROUNDS)


# The lower heap's two-thirds quantile: half of all runs lie below it.
@pytest.mark.parametrize("draw, truth", [(_normal, 100.0), (_bimodal, 100.0 + 5 * 0.430727)])
def test_intervals_of_ten_rounds_cover_the_median(draw, truth):
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(SIMULATIONS):
        estimate = estimate_median(draw(rng))
        covered += estimate.low <= truth <= estimate.high
    assert covered >= 0.90 * SIMULATIONS
