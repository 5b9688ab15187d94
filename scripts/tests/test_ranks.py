"""Rank statistics against tables, scipy, a hand-worked example, and truths that are known by construction."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from zeroipc_report.ranks import (_rank_sums, holm, independent_p, independent_superiority, pair_rank, paired_p,
                                  paired_superiority, ratio_of_independent)
from zeroipc_report.stats import Better

VALUES = st.lists(st.floats(0.5, 500, allow_nan=False), min_size=1, max_size=12, unique=True)


def test_holm_by_hand():
    # Sorted: 0.01, 0.015, 0.03, 0.04; times 4, 3, 2, 1: 0.04, 0.045, 0.06, 0.04; none below the one before it.
    assert holm([0.04, 0.01, 0.03, 0.015]) == pytest.approx([0.06, 0.04, 0.06, 0.045])


def test_holm_leaves_out_tests_that_were_not_done():
    assert holm([math.nan, 0.02, 0.5]) == pytest.approx([math.nan, 0.04, 0.5], nan_ok=True)
    assert holm([]) == []


@settings(max_examples=40)
@given(st.lists(st.floats(0, 1), max_size=30))
def test_holm_never_lowers_a_p_keeps_the_order_and_charges_the_smallest_for_all(p_values):
    adjusted = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted))
    if p_values:
        assert min(adjusted) == pytest.approx(min(1.0, min(p_values) * len(p_values)))  # the smallest bears all tests
    ordered = [q for _, q in sorted(zip(p_values, adjusted))]
    assert ordered == sorted(ordered)


# Critical values of U, two-sided 5%, from the usual tables; the interval's rank is one more.
@pytest.mark.parametrize("n, m, critical", [(4, 4, 0), (5, 5, 2), (6, 6, 5), (8, 8, 13), (10, 10, 23), (5, 10, 8),
                                            (15, 15, 64), (20, 20, 127)])
def test_the_interval_s_rank_is_that_of_the_tables(n, m, critical):
    assert pair_rank(n, m) == pair_rank(m, n) == critical + 1


def test_three_a_side_have_no_interval():
    assert pair_rank(3, 3) == 0
    assert math.isnan(ratio_of_independent([1, 2, 3], [4, 5, 6]).low)


def test_the_rank_sums_are_those_of_scipy():
    counts = np.asarray(_rank_sums(6, 7), dtype=float)
    for statistic in (0, 5, 11, 21):
        one_sided = counts[:statistic + 1].sum() / counts.sum()
        values = _with_u(6, 7, statistic)
        assert scipy_stats.mannwhitneyu(*values, alternative="less", method="exact").pvalue == pytest.approx(one_sided)


def _with_u(n, m, u):
    """Two samples, the first of which beats the second in u pairs."""
    first, second = list(range(-n, 0)), list(range(0, 10 * m, 10))
    for index in range(n - 1, -1, -1):
        wins = min(u, m)
        u -= wins
        first[index] += 0 if wins == 0 else 10 * (wins - 1) + 1 + n - index
    return [value + 0.001 * index for index, value in enumerate(first)], second


def test_beyond_the_exact_sizes_the_rank_agrees_with_the_exact_one():
    assert pair_rank(61, 40) == pytest.approx(sum(1 for _ in _below(61, 40)), abs=2)


def _below(n, m):
    counts, total, below = _rank_sums(n, m), math.comb(n + m, n), 0
    for count in counts:
        below += count
        if below > 0.025 * total:
            return
        yield count


@settings(max_examples=40)
@given(VALUES, VALUES, st.floats(0.1, 10))
def test_a_factor_on_one_side_is_a_factor_on_the_ratio(variant, baseline, factor):
    plain = ratio_of_independent(variant, baseline)
    scaled = ratio_of_independent([value * factor for value in variant], baseline)
    assert scaled.median == pytest.approx(plain.median * factor)
    assert scaled.low == pytest.approx(plain.low * factor, nan_ok=True)
    if not math.isnan(plain.low):
        assert plain.low <= plain.median <= plain.high


@settings(max_examples=40)
@given(VALUES, VALUES)
def test_sides_exchanged_the_interval_is_its_reciprocal(variant, baseline):
    one, other = ratio_of_independent(variant, baseline), ratio_of_independent(baseline, variant)
    assert other.low == pytest.approx(1 / one.high, nan_ok=True)
    assert other.high == pytest.approx(1 / one.low, nan_ok=True)


@settings(max_examples=40)
@given(st.lists(st.integers(1, 10**6), min_size=12, max_size=24, unique=True))
def test_the_interval_excludes_one_just_where_the_exact_test_rejects(values):
    half = len(values) // 2
    variant, baseline = [float(v) for v in values[:half]], [float(v) for v in values[half:]]
    ratio = ratio_of_independent(variant, baseline)
    assert (ratio.low > 1 or ratio.high < 1) == (independent_p(variant, baseline) <= 0.05)


@pytest.mark.parametrize("bimodal", [False, True])
def test_the_interval_holds_the_true_factor_as_often_as_it_says(bimodal):
    rng = np.random.default_rng(20)
    held, tries = 0, 1500
    for _ in range(tries):
        samples = np.exp(rng.normal(0, 0.1, (2, 10)))
        if bimodal:
            samples *= rng.choice([1, 4], size=(2, 10))
        ratio = ratio_of_independent(samples[0] * 1.3, samples[1])
        held += ratio.low <= 1.3 <= ratio.high
    # Exact coverage with 10 and 10 is 95.7%; three standard errors of 1500 tries are 1.6%.
    assert held / tries > 0.94


def test_the_paired_test_is_wilcoxon_s_on_logarithms():
    ratios = [1.1, 1.3, 0.97, 1.2, 1.05, 1.4, 1.02, 1.15]
    assert paired_p(ratios) == pytest.approx(scipy_stats.wilcoxon(np.log(ratios)).pvalue)
    assert paired_p([2.0 ** k for k in range(1, 7)]) == pytest.approx(2 / 2 ** 6)  # six of six on one side
    assert paired_p([1.0] * 6) == 1.0
    assert math.isnan(paired_p([]))


def test_the_independent_test_is_exact_and_bears_ties():
    assert independent_p([1, 2, 3, 4], [5, 6, 7, 8]) == pytest.approx(2 / 70)
    assert independent_p([1.0] * 4, [1.0] * 4) == 1.0
    assert independent_p([1, 1, 2, 3], [1, 5, 6, 7]) > 0.02
    assert math.isnan(independent_p([], [1]))


def test_superiority_counts_wins_and_half_the_ties():
    assert paired_superiority([1.2, 0.9, 1.0, 1.1], Better.HIGHER) == pytest.approx(2.5 / 4)
    assert paired_superiority([1.2, 0.9, 1.0, 1.1], Better.LOWER) == pytest.approx(1.5 / 4)
    assert independent_superiority([1, 4], [2, 3], Better.LOWER) == pytest.approx(0.5)
    assert independent_superiority([1, 2], [3, 3], Better.LOWER) == 1.0
    assert math.isnan(paired_superiority([], Better.LOWER))
