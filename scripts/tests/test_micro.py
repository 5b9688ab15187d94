"""The micro-benchmarks' table, from a file made by hand whose ratios are known."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from zeroipc_report import micro
from zeroipc_report.stats import Estimate

FILE = Path(__file__).resolve().parent / "data" / "micro.json"


@pytest.fixture(scope="module", name="run")
def _run() -> micro.Run:
    return micro.load(FILE)


@pytest.fixture(scope="module", name="shown")
def _shown(run) -> str:
    stream = io.StringIO()
    micro.show(run, stream)
    return stream.getvalue()


def row_of(run: micro.Run, what: str, who: str) -> micro.Row:
    (row,) = [row for row in micro.rows(run) if (row.what, row.who) == (what, who)]
    return row


def test_times_are_cpu_time_unless_a_benchmark_timed_itself(run):
    assert row_of(run, "queue_pair", "boost_fixed").time.median == 30.0
    assert row_of(run, "map_insert", "tbb_hash_map").time.median == 100.0


def test_times_are_in_nanoseconds_whatever_the_file_says(run):
    assert row_of(run, "map_insert", "zeroipc").time.median == pytest.approx(60.0)


def test_aggregates_are_not_runs(run):
    assert row_of(run, "queue_pair", "zeroipc").time.n == 10


def test_ratios_pair_by_repetition_so_that_what_fell_on_both_drops_out(run):
    row = row_of(run, "queue_pair", "boost_fixed")
    assert row.ratio.median == pytest.approx(0.5)
    assert 0.49 <= row.ratio.low + 1e-9 and row.ratio.high - 1e-9 <= 0.51
    # The times themselves vary fivefold.
    assert row.time.high / row.time.low == 5


def test_the_subject_has_no_ratio_and_stands_first(run):
    queue = [row for row in micro.rows(run) if row.what == "queue_pair"]
    assert [row.who for row in queue] == ["zeroipc", "ck_mpmc", "boost_fixed"]
    assert queue[0].ratio is None


def test_benchmarks_stand_in_the_order_of_the_program(run):
    shown = list(dict.fromkeys(row.what for row in micro.rows(run)))
    assert shown == ["queue_pair", "map_insert", "turnover_find_hit", "create_queue", "map_find_processes"]


def test_a_churned_map_is_compared_with_a_fresh_one(run):
    row = row_of(run, "turnover_find_hit", "fresh")
    assert row.ratio.median == pytest.approx(1.2)
    assert row.goal == micro.Goal(1.2)


def test_without_a_subject_there_are_times_only(run):
    row = row_of(run, "create_queue", "1KiB")
    assert row.time.median == 3000.0
    assert row.ratio is None


def test_a_run_that_failed_counts_for_nothing_and_is_named(run, shown):
    assert run.failures == {"stack_pair/zeroipc": "a pop did not give what was pushed"}
    assert "stack_pair" not in set(run.times["what"])
    assert "failed: stack_pair/zeroipc: a pop did not give what was pushed" in shown


@pytest.mark.parametrize("median, low, high, at_most, says", [
    (0.5, 0.4, 0.55, True, "met"), (0.5, 0.4, 0.7, True, "met, unsure"), (0.7, 0.65, 0.8, True, "not met"),
    (0.7, 0.5, 0.8, True, "not met, unsure"), (0.7, 0.65, 0.8, False, "met"), (0.5, 0.4, 0.55, False, "not met"),
    (0.5, float("nan"), float("nan"), True, "met, unsure")])
def test_results_go_by_the_median_and_say_what_the_interval_allows(median, low, high, at_most, says):
    assert micro.Goal(0.6, at_most).result(Estimate(median, low, high, 5)) == says


def test_the_table_shows_ratios_beside_their_aims(shown):
    (boost,) = [line for line in shown.splitlines() if "boost_fixed" in line]
    assert "0.500 [0.490, 0.510]" in boost
    assert boost.rstrip().endswith("at most 0.6   met")
    (ck,) = [line for line in shown.splitlines() if "ck_mpmc" in line]
    assert "aim" not in ck and "met" not in ck


def test_of_two_processes_rounds_on_separate_cores_count(shown):
    text = " ".join(shown.split())  # it goes over two lines
    assert "of those of one: 1.85 [1.70, 1.95], the aim is at least 1.6: met." in text
    assert "what other programs took: 1.945 [1.930, 1.970]" in text
    assert "8 of 10 rounds were on separate cores and count. Cache-line round trip of the two CPUs: 107 to 311 ns." in text


def test_without_a_round_on_separate_cores_two_processes_are_unknown(run):
    shared = replace(run, counters=run.counters.assign(separate_cores=0.0))
    stream = io.StringIO()
    micro.show(shared, stream)
    text = " ".join(stream.getvalue().split())
    assert "of those of one: unknown, for in none of 10 rounds were the two CPUs on separate cores" in text
    assert "The aim is at least 1.6. 10 repetitions" in text  # no word on whether it was met


def test_the_peers_are_named(shown):
    assert "10 repetitions; compared with: boost 1_74, ck, tbb 2021.8" in shown


@pytest.mark.parametrize("text", ["", "{", "[]", '{"context": {}}'])
def test_what_cannot_be_read_is_said(tmp_path, text, capsys):
    path = tmp_path / "micro.json"
    path.write_text(text, encoding="utf-8")
    assert micro.main([str(path)]) == 1
    assert "is not what zeroipc-micro writes when it comes to its end" in capsys.readouterr().err
    assert micro.main([str(tmp_path / "none.json")]) == 1


def test_the_command_prints_the_table(capsys):
    assert micro.main([str(FILE)]) == 0
    assert "queue_pair" in capsys.readouterr().out
