"""The verdict rule proved by simulation: at most 5% false alarms on every kind of data, and the page says so."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats
from zeroipc_report import simulation, stats
from zeroipc_report.simulation import DATA, NOISE, ROUNDS, WIDE


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("n", [5, 6, 7, 10, 20, 30])
def test_the_fast_interval_is_the_shipped_one(data, n):
    ratios = simulation.draw(data, n, 0.05, tries=40)
    low, high = simulation.exact(ratios)
    shipped = [stats.estimate_median(row) for row in ratios]
    np.testing.assert_array_equal(low, [one.low for one in shipped])
    np.testing.assert_array_equal(high, [one.high for one in shipped])
    verdicts = [stats.judge(one, stats.Better.HIGHER).value for one in shipped]
    for word, share in simulation.judged(low, high).items():
        assert share == pytest.approx(verdicts.count(word) / len(verdicts))


@pytest.mark.parametrize("n", [5, 10, 30])
def test_the_fast_bootstrap_is_that_of_scipy(n):
    # Sorted, for it draws ranks where scipy draws positions.
    ratios = np.sort(simulation.draw("two modes a run, 1:1", n, 0.05, tries=4), axis=1)
    for row, low, high in zip(ratios, *simulation.bootstrap(ratios)):
        slow = scipy_stats.bootstrap(
            (row,), np.median, confidence_level=stats.LEVEL, n_resamples=simulation.RESAMPLES, method="percentile",
            vectorized=True, axis=-1, random_state=np.random.default_rng(simulation.SEED)).confidence_interval
        assert (low, high) == pytest.approx((slow.low, slow.high))


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("n", ROUNDS)
def test_false_alarms_are_at_most_five_percent(data, n):
    assert simulation.false_alarms(data, n) <= 1 - stats.LEVEL


@pytest.mark.parametrize("n", range(stats.FEWEST_ROUNDS, 31))
def test_no_number_of_rounds_is_an_exception(n):
    assert simulation.false_alarms("two modes a run, 1:1", n) <= 1 - stats.LEVEL


def test_the_bootstrap_had_more():
    # Otherwise the simulation could not see an interval that is too narrow.
    for n, least in ((5, 0.055), (7, 0.10), (10, 0.05), (20, 0.05)):
        assert simulation.false_alarms("heavy tails", n, simulation.bootstrap, fewest=5) > least


def test_five_rounds_smallest_to_largest_are_too_many_false_alarms():
    ratios = simulation.draw("lognormal noise", 5, WIDE[-1])
    found = simulation.judged(ratios.min(axis=1), ratios.max(axis=1))
    assert found["faster"] + found["slower"] > 0.055


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("n", [10, 30])
@pytest.mark.parametrize("noise", NOISE)
def test_wrong_verdicts_are_rare(data, n, noise):
    edge, within, beyond = (simulation.rates(data, n, noise, effect) for effect in (1.02, 1.01, 1.10))
    assert edge["faster"] <= 0.025 + 3 * 0.0016  # three standard errors of so many tries
    assert edge["faster"] + edge["slower"] <= 0.05
    assert within["faster"] + within["slower"] <= 0.05
    assert beyond["slower"] <= 0.01
    assert beyond["equivalent"] <= 0.01


@pytest.mark.parametrize("n, noise", [(10, 0.01), (30, 0.05)])
def test_what_is_called_resolved_is_found_in_nine_tries_of_ten(n, noise):
    effect = simulation.resolved("lognormal noise", n, noise)
    assert simulation.rates("lognormal noise", n, noise, effect * 1.0001)["faster"] >= simulation.FOUND
    assert simulation.rates("lognormal noise", n, noise, effect * 0.99)["faster"] < simulation.FOUND


@pytest.mark.parametrize("data", DATA)
def test_the_truth_of_what_is_drawn_is_one(data):
    ratios = simulation.draw(data, 30, 0.2)
    assert np.median(ratios) == pytest.approx(1, abs=0.01)
    assert (ratios > 1).mean() == pytest.approx(0.5, abs=0.005)


def test_a_page_without_marks_is_refused(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("nothing to write between\n", encoding="utf-8")
    assert simulation.main([str(page)]) == 1
    assert f"{page}: has no <!-- tables -->" in capsys.readouterr().err
    assert page.read_text(encoding="utf-8") == "nothing to write between\n"
