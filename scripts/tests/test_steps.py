"""Steps in series that are known to have them, and to have none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zeroipc_results.steps import FEWEST, find_steps


def series(*stretches, seed=3, noise=0.01):
    """Stretches of (length, level), one behind the other, with noise of so much of the level."""
    rng = np.random.default_rng(seed)
    return [level * (1 + noise * rng.standard_normal()) for length, level in stretches for _ in range(length)]


def test_one_step_is_found_where_it_is():
    (step,) = find_steps(series((12, 100), (9, 110), seed=0))
    assert step.index == 12
    assert step.before == pytest.approx(100, rel=0.01) and step.after == pytest.approx(110, rel=0.01)
    assert step.p_value <= 0.01


def test_one_step_is_found_in_every_series_that_has_it_and_seldom_a_second():
    found = [[step.index for step in find_steps(series((12, 100), (9, 110), seed=seed))] for seed in range(30)]
    assert all(12 in indices for indices in found)
    assert sum(len(indices) > 1 for indices in found) <= 5  # 5% of 30 are 1.5


def test_steps_up_and_down_are_found_and_told_apart():
    found = find_steps(series((10, 100), (10, 130), (10, 90)))
    assert [step.index for step in found] == [10, 20]
    assert [step.after > step.before for step in found] == [True, False]
    assert found[0].after == found[1].before


def test_what_went_up_and_came_back_is_two_steps():
    found = find_steps(series((7, 100), (4, 120), (3, 95)))
    assert [step.index for step in found] == [7, 11]


def test_a_step_within_the_equivalence_band_is_none():
    values = series((15, 100), (15, 101), noise=0.001)
    assert find_steps(values) == []
    assert [step.index for step in find_steps(values, smallest=0.005)] == [15]


def test_an_outlier_is_no_step():
    values = series((20, 100))
    values[9] = 500
    assert find_steps(values) == []


def test_four_and_five_are_enough_and_fewer_are_not():
    assert [step.index for step in find_steps([101, 102, 103, 104, 151, 152, 153, 154, 155])] == [4]
    assert FEWEST == 9
    assert find_steps([101, 102, 103, 104, 151, 152, 153, 154]) == []


@pytest.mark.parametrize("values", [[], [1.0], [5.0] * 30])
def test_nothing_and_a_constant_have_no_step(values):
    assert find_steps(values) == []


def test_of_series_without_a_step_few_have_one_found():
    rng = np.random.default_rng(11)
    alarms = sum(bool(find_steps(rng.lognormal(0, 0.2, 16), seed=run)) for run in range(100))
    # 5% of 100 are 5, with a standard deviation of 2.2.
    assert 1 <= alarms <= 11


@settings(max_examples=15, deadline=None)
@given(st.integers(5, 20), st.integers(5, 20), st.floats(0.5, 100))
def test_a_step_of_any_scale_is_found_and_a_monotone_change_of_scale_moves_it_nowhere(before, after, scale):
    values = [value * scale for value in series((before, 100), (after, 150))]
    found = [step.index for step in find_steps(values)]
    assert before in found
    assert [step.index for step in find_steps([value ** 3 for value in values])] == found
