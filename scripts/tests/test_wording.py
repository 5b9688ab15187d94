"""Numbers and verdict sentences, to the letter."""

from __future__ import annotations

import math
import re

import make_records
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zeroipc_report import records, summary, wording
from zeroipc_report.records import Point
from zeroipc_report.stats import Better, Estimate, Verdict, judge
from zeroipc_report.summary import Comparison

NAME = "queue/ticket/acq_rel/exp/compact"


DEFAULT = "queue/exchange/acq_rel/exp/compact"
WHERE = "1P1C, 8 B, capacity 1024"


def _one(median, low, high, n=10, mode="throughput", rounds=10, variant=NAME, **more):
    better = Better.HIGHER if mode == "throughput" else Better.LOWER
    ratio = Estimate(median, low, high, n)
    fields = {"flagged_rounds": 0, "moved_rounds": 0, "oversubscribed": False, "p_value": math.nan, "p_holm": math.nan, **more}
    return Comparison(Point(mode, 1, 1, 8, 1024, 10**8), variant, DEFAULT, better, ratio, judge(ratio, better), rounds,
                      **fields)


def _sentence(*arguments, **more):
    return wording.verdict_sentence(_one(*arguments, **more))


@pytest.mark.parametrize("arguments, effect", [
    ((1.12, 1.08, 1.15), "the ticket queue beats the exchange queue by 12% [8, 15] at {}"),
    ((1 / 1.12, 1 / 1.15, 1 / 1.08), "the exchange queue beats the ticket queue by 12% [8, 15] at {}"),
    ((1.0512, 1.045, 1.059), "the ticket queue beats the exchange queue by 5.1% [4.5, 5.9] at {}"),
    ((3.4, 3.1, 3.62), "the ticket queue beats the exchange queue by 3.40 [3.10, 3.62] times over at {}"),
    ((0.25, 0.2, 0.4), "the exchange queue beats the ticket queue by 4.00 [2.50, 5.00] times over at {}"),
    ((1.003, 0.995, 1.008), "the ticket queue and the exchange queue are equivalent within 2% at {}: "
                            "1.003 [0.995, 1.008] times the throughput"),
    ((1.03, 0.96, 1.11), "cannot tell the ticket queue from the exchange queue at {}: "
                         "1.03 [0.96, 1.11] times the throughput"),
])
def test_throughput_sentences(arguments, effect):
    assert _sentence(*arguments) == f"Queue: {effect.format(WHERE)} (10 rounds)."


@pytest.mark.parametrize("arguments, effect", [
    ((0.88, 0.85, 0.92), "the ticket queue beats the exchange queue by 12% [8, 15] in round trip"),
    ((1 / 0.88, 1 / 0.92, 1 / 0.85), "the exchange queue beats the ticket queue by 12% [8, 15] in round trip"),
    ((4.0, 2.5, 5.0), "the exchange queue beats the ticket queue by 4.00 [2.50, 5.00] times in round trip"),
])
def test_round_trip_sentences(arguments, effect):
    assert f"Queue: {effect} at 1P1C" in _sentence(*arguments, mode="pingpong")


@pytest.mark.parametrize("variant, median, text", [
    ("queue/exchange/acq_rel/none/compact", 1 / 1.31, "exponential backoff beats none by 31%"),
    ("queue/exchange/acq_rel/none/compact", 1.31, "no backoff beats exponential backoff by 31%"),
    ("queue/exchange/seq_cst/exp/compact", 1 / 1.31, "acquire-release ordering beats sequential consistency by 31%"),
    ("queue/exchange/acq_rel/exp/padded", 1.31, "the padded layout beats the compact one by 31%"),
    ("queue/exchange/acq_rel/jitter1024/compact", 1.31, "jittered backoff (1024) beats exponential backoff by 31%"),
    ("queue/exchange/acq_rel/exp/compact/spin", 1.31, "waiting by spin beats the usual waiting by 31%"),
    ("queue/scq/-/-/compact", 1.31, "the scq queue beats the exchange queue by 31%"),
    ("queue/ticket/acq_rel/prop16/padded", 1.31, "ticket/acq_rel/prop16/padded beats the default by 31%"),
    ("queue/exchange/unheard/exp/compact", 1.31, "unheard ordering beats acquire-release by 31%"),
])
def test_variants_are_named_by_what_differs(variant, median, text):
    assert f"Queue: {text} [" in _sentence(median, median - 0.05, median + 0.05, variant=variant)


RATIO = st.floats(0.05, 20)


@settings(max_examples=200, derandomize=True, database=None, deadline=None)
@given(ends=st.lists(RATIO, min_size=3, max_size=3), mode=st.sampled_from(["throughput", "pingpong", "latency"]))
def test_a_reversal_swaps_winner_and_loser_and_nothing_else(ends, mode):
    low, median, high = sorted(ends)
    forth = _one(median, low, high, mode=mode)
    back = _one(1 / median, 1 / high, 1 / low, mode=mode)
    said, reversed_ = wording.verdict_sentence(forth), wording.verdict_sentence(back)
    swap = {"ticket": "exchange", "exchange": "ticket"}
    told = {Verdict.FASTER, Verdict.SLOWER}
    # Within a hair of the band's ends 1.02 and 1/1.02 fall on unlike sides of it: 0.98 is not 1/1.02.
    # And at twofold the wording changes from percent to multiples.
    if {forth.verdict, back.verdict} <= told and min(abs(median - 2), abs(median - 0.5)) > 1e-6:
        assert forth.verdict is not back.verdict
        turned = " ".join(swap.get(word, word) for word in said.split())
        numbers = re.compile(r"\d+(?:\.\d+)?")
        assert numbers.sub("#", turned) == numbers.sub("#", reversed_)
        for one, other in zip(numbers.findall(said), numbers.findall(reversed_)):
            assert float(one) == pytest.approx(float(other), rel=0.01, abs=0.11)


def test_few_rounds_say_how_few():
    assert _sentence(1.5, 1.4, 1.6, n=3, rounds=3).endswith(
        "1.50 [1.40, 1.60] times the throughput, too few rounds (3 rounds).")
    assert "1.50 times the throughput, too few rounds (1 round)" in _sentence(1.5, math.nan, math.nan, n=1, rounds=1)
    assert "no round has a usable run of both (0 of 10 rounds)" in _sentence(math.nan, math.nan, math.nan, n=0)


def test_what_a_reader_must_know_stands_in_the_brackets():
    sentence = _sentence(1.12, 1.08, 1.15, n=9, flagged_rounds=2, oversubscribed=True)
    assert sentence.endswith("(9 of 10 rounds; oversubscribed; 2 with a flagged run).")


def _known(write, per_s):
    """The sentences of runs whose throughput is known: of a variant without backoff, per round over the default's."""
    variant = "queue/exchange/acq_rel/none/compact"
    lines = [line for line in make_records.records(rounds=len(per_s))
             if line["variant"] in (variant, make_records.DEFAULT) and line["mode"] == "throughput"]
    for line in lines:
        # What a round did to both drops out, however large it is.
        weather = 1 + line["round"] % 3
        factor = per_s[line["round"]] if line["variant"] == variant else 1.0
        line["throughput"]["operations_per_s"] = 1e7 * weather * factor
        line["flags"] = []
    return [wording.verdict_sentence(one) for one in summary.comparisons(records.load(write(lines)).frame)]


EFFECT = (1.30, 1.31, 1.32, 1.24, 1.38, 1.31, 1.2, 1.30, 1.5, 1.33)  # median 1.31; the second from each end 1.24, 1.38


@pytest.mark.parametrize("factors, said", [
    (EFFECT, "no backoff beats exponential backoff by 31% [24, 38]"),
    ([1 / one for one in EFFECT], "exponential backoff beats none by 31% [24, 38]"),
    ([1.0, 1.01, 0.99, 1.0, 1.005, 0.995, 1.0, 1.0, 1.01, 0.99], "no backoff and exponential backoff are equivalent within 2%"),
    ([1.3, 0.7, 1.2, 0.8, 1.1, 0.9, 1.4, 0.6, 1.0, 1.0], "cannot tell no backoff from exponential backoff"),
])
def test_known_effects_their_reversal_and_none(write, factors, said):
    sentences = _known(write, factors)
    assert len(sentences) == 2
    assert all(sentence.startswith(f"Queue: {said}") for sentence in sentences)


def test_brief_labels_say_what_differs_and_once_what_does_not():
    points = [Point("throughput", 1, 1, 8, 1024, 10**8), Point("throughput", 2, 2, 8, 1024, 10**8, "think 100 ns")]
    labels, shared = wording.brief_labels(points)
    assert [labels[point] for point in points] == ["1P1C", "2P2C, think 100 ns"]
    assert shared == "8 B, capacity 1024, 100 ms windows"


@pytest.mark.parametrize("value, text", [
    (0, "0"), (1234.5, "1,234"), (211.4, "211"), (21.06, "21.1"), (0.9408, "0.941"), (1.04, "1.04"),
    (0.000123, "0.000123"), (math.nan, "-"), (-5.5, "-5.50"),
])
def test_numbers(value, text):
    assert wording.number(value) == text


def test_the_point_without_a_capacity():
    assert wording.point_label(Point("throughput", 2, 1, 64, None, 1)) == "2P1C, 64 B"
    handicapped = Point("throughput", 1, 1, 8, 4, 1, diagnosis=(12.5, "all", 2))
    assert wording.point_label(handicapped) == "1P1C, 8 B, capacity 4, handicap 12.5 ns (all), replica 2"


def test_latency_sentences():
    assert "beats the exchange queue by 12% [8, 15] in latency (p99) at" in _sentence(0.88, 0.85, 0.92, mode="latency")
    assert "times in latency (p99)" in _sentence(2.9, 2.8, 3.0, mode="latency")


def test_a_point_names_its_workload_and_placement():
    point = Point("throughput", 2, 0, 8, 1024, 10**8, "ycsb-a, zipf0.99 keys", "scatter")
    assert wording.point_label(point) == "2W, 8 B, capacity 1024, ycsb-a, zipf0.99 keys, scatter"
