"""Numbers and verdict sentences, to the letter."""

from __future__ import annotations

import math

import pytest
from zeroipc_report import wording
from zeroipc_report.records import Point
from zeroipc_report.stats import Better, Estimate, judge
from zeroipc_report.summary import Comparison

NAME = "queue/ticket/acq_rel/exp/compact"


def _sentence(median, low, high, n=10, mode="throughput", rounds=10, **more):
    better = Better.HIGHER if mode == "throughput" else Better.LOWER
    ratio = Estimate(median, low, high, n)
    fields = {"flagged_rounds": 0, "moved_rounds": 0, "oversubscribed": False, **more}
    return wording.verdict_sentence(Comparison(Point(mode, 1, 1, 8, 1024, 10**8), NAME, "queue/d", better, ratio,
                                               judge(ratio, better), rounds, **fields))


@pytest.mark.parametrize("arguments, effect", [
    ((1.12, 1.08, 1.15), "12% [8, 15] faster"),
    ((0.88, 0.85, 0.92), "12% [8, 15] slower"),
    ((1.0512, 1.045, 1.059), "5.1% [4.5, 5.9] faster"),
    ((3.4, 3.1, 3.62), "faster: 3.40 [3.10, 3.62] times the throughput"),
    ((0.3, 0.28, 0.35), "slower: 0.30 [0.28, 0.35] times the throughput"),
    ((1.003, 0.995, 1.008), "equivalent within 2%: 1.003 [0.995, 1.008] times the throughput"),
    ((1.03, 0.96, 1.11), "cannot tell: 1.03 [0.96, 1.11] times the throughput"),
])
def test_throughput_sentences(arguments, effect):
    assert _sentence(*arguments) == f"{NAME} against the default: {effect} at 1P1C, 8 B, capacity 1024 (10 rounds)."


@pytest.mark.parametrize("arguments, effect", [
    ((0.88, 0.85, 0.92), "faster: a round trip 12% [8, 15] shorter"),
    ((1.12, 1.08, 1.15), "slower: a round trip 12% [8, 15] longer"),
    ((2.9, 2.8, 3.0), "slower: 2.90 [2.80, 3.00] times the round trip"),
])
def test_round_trip_sentences(arguments, effect):
    assert f": {effect} at 1P1C" in _sentence(*arguments, mode="pingpong")


def test_few_rounds_say_how_few():
    assert "cannot tell (n=3): 1.50 [1.40, 1.60] times" in _sentence(1.5, 1.4, 1.6, n=3, rounds=3)
    assert "cannot tell (n=1): 1.50 times" in _sentence(1.5, math.nan, math.nan, n=1, rounds=1)
    assert "cannot tell (n=0): no round has a usable run of both" in _sentence(math.nan, math.nan, math.nan, n=0)


def test_what_a_reader_must_know_stands_in_the_brackets():
    sentence = _sentence(1.12, 1.08, 1.15, n=9, flagged_rounds=2, oversubscribed=True)
    assert sentence.endswith("(9 of 10 rounds; oversubscribed; 2 with a flagged run).")


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
    assert _sentence(0.88, 0.85, 0.92, mode="latency") == (
        f"{NAME} against the default: faster: a latency (p99) 12% [8, 15] shorter at 1P1C, 8 B, capacity 1024 "
        "(10 rounds).")
    assert "times the latency (p99)" in _sentence(2.9, 2.8, 3.0, mode="latency")


def test_a_point_names_its_workload_and_placement():
    point = Point("throughput", 2, 0, 8, 1024, 10**8, "ycsb-a, zipf0.99 keys", "scatter")
    assert wording.point_label(point) == "2W, 8 B, capacity 1024, ycsb-a, zipf0.99 keys, scatter"
