"""Comparisons of runs whose truth is known, and what a program that calls scripts/compare sees."""

from __future__ import annotations

import json

import make_records
import pytest
import runs
from zeroipc_report import records, summary
from zeroipc_report.ranks import holm
from zeroipc_report.stats import Verdict
from zeroipc_results import ResultsError, comparing, conditions
from zeroipc_results.compare_command import main
from zeroipc_results.table import read

DEFAULT, OTHER = make_records.DEFAULT, runs.OTHER
CACHELINE = "bound/cacheline"


@pytest.fixture
def pair(tmp_path):
    """A run of two variants whose level drifts by a third from round to round: B takes 10% longer."""
    return runs.write(tmp_path / "results" / runs.MACHINE / "pair", runs.drifting({DEFAULT: 1, OTHER: 1.1}))


def two(tmp_path, first, second, **more):
    return (runs.write(tmp_path / "results" / runs.MACHINE / "one", first),
            runs.write(tmp_path / "results" / runs.MACHINE / "two", second, **more))


def test_variants_are_paired_by_round_so_that_drift_cancels(pair):
    found = comparing.between_variants(read(pair).frame, DEFAULT, OTHER)
    (row,) = found.rows
    assert found.paired and row.verdict is Verdict.SLOWER and row.ratio.n == row.rounds == 10
    assert 1.09 < row.ratio.low <= row.ratio.median <= row.ratio.high < 1.11
    assert row.superiority == 0 and row.p_value == pytest.approx(2 / 2 ** 10) == row.p_holm


def test_the_report_has_the_same_rank_test(tmp_path):
    lines = runs.drifting({DEFAULT: 1, OTHER: 1.1, "queue/exchange/seq_cst/exp/compact": 1, "bound/pipe": 3})
    folder = runs.write(tmp_path / "run", lines)
    told = {one.variant: one for one in summary.comparisons(records.load(folder).frame)}
    assert set(told) == {OTHER, "queue/exchange/seq_cst/exp/compact"}  # a bound bears no correction
    for name, one in told.items():
        (row,) = comparing.between_variants(read(folder).frame, DEFAULT, name).rows
        assert one.p_value == row.p_value and one.verdict is row.verdict
    assert [one.p_holm for one in told.values()] == holm([one.p_value for one in told.values()])
    assert told[OTHER].p_value == pytest.approx(2 / 2 ** 10) and told[OTHER].p_holm == pytest.approx(2 * 2 / 2 ** 10)


def test_sides_exchanged_the_other_is_faster(pair):
    (row,) = comparing.between_variants(read(pair).frame, OTHER, DEFAULT).rows
    assert row.verdict is Verdict.FASTER and row.ratio.median == pytest.approx(1 / 1.1, rel=0.01)


def test_more_throughput_is_faster(tmp_path):
    folder = runs.write(tmp_path / "run", runs.drifting({DEFAULT: 1, OTHER: 1.1}, mode="throughput"))
    (row,) = comparing.between_variants(read(folder).frame, DEFAULT, OTHER).rows
    assert row.verdict is Verdict.FASTER and row.superiority == 1


def test_runs_at_different_times_are_not_paired(tmp_path):
    a, b = two(tmp_path, runs.drifting({DEFAULT: 1}, seed=1), runs.drifting({DEFAULT: 1.1}, seed=2))
    frames = [read(folder).frame for folder in (a, b)]
    (loose,) = comparing.between_runs(*frames, ("a", "b"), paired=False).rows
    assert loose.verdict is Verdict.CANNOT_TELL and loose.ratio.high / loose.ratio.low > 1.3
    steady = [read(runs.write(tmp_path / name, runs.drifting({DEFAULT: factor}, seed=seed, drift=0))).frame
              for name, factor, seed in (("c", 1, 1), ("d", 1.1, 2))]
    (row,) = comparing.between_runs(*steady, ("c", "d"), paired=False).rows
    assert row.verdict is Verdict.SLOWER and row.ratio.median == pytest.approx(1.1, rel=0.01)


def test_two_builds_in_turn_are_paired(tmp_path):
    a, b = two(tmp_path, runs.drifting({DEFAULT: 1}, seed=1), runs.drifting({DEFAULT: 1.0}, seed=1, noise=0.005))
    (row,) = comparing.between_runs(read(a).frame, read(b).frame, ("a", "b"), paired=True).rows
    assert row.verdict is Verdict.EQUIVALENT


def test_bounds_are_controls_and_bear_no_correction(tmp_path):
    cells = {DEFAULT: 1, OTHER: 1, CACHELINE: 1}
    a, b = two(tmp_path, runs.drifting(cells, seed=1, drift=0), runs.drifting(cells, seed=2, drift=0))
    rows = comparing.between_runs(read(a).frame, read(b).frame, ("a", "b"), paired=False, variants=["*ticket*"]).rows
    assert [row.name for row in rows] == [OTHER, CACHELINE]
    assert rows[0].p_holm == rows[0].p_value and rows[1].p_holm != rows[1].p_holm


def test_what_one_side_lacks_and_what_failed_is_said(tmp_path):
    lines = runs.drifting({DEFAULT: 1, OTHER: 1})
    make_records.fail(lines[0])
    a, b = two(tmp_path, lines, runs.drifting({DEFAULT: 1}))
    found = comparing.between_runs(read(a).frame, read(b).frame, ("a", "b"), paired=True)
    assert found.rows[0].failed == 1 and found.rows[0].ratio.n == 9 and found.rows[0].rounds == 10
    (missing,) = found.missing
    assert missing.startswith(f"pingpong/{OTHER}/") and missing.endswith(": only a")


@pytest.mark.parametrize("names, message", [
    (("nothing/*", OTHER), "'nothing/*' is no variant of this run"), (("queue/*", OTHER), "matches 2 variants"),
    ((OTHER, "*ticket*"), "are the same variant")])
def test_a_name_that_is_not_one_variant_is_refused(pair, names, message):
    with pytest.raises(ResultsError) as caught:
        comparing.between_variants(read(pair).frame, *names)
    assert message in str(caught.value) and OTHER in str(caught.value)


@pytest.mark.parametrize("text, holds", [
    ("slower", True), ("slower:5%", True), ("slower:10%", False), ("slower:9%", True), ("faster", False),
    ("cannot-tell", False), ("missing", False), ("failed", False)])
def test_conditions(pair, text, holds):
    compared = comparing.between_variants(read(pair).frame, DEFAULT, OTHER)
    assert bool(conditions.parse(text).violations(compared)) is holds


@pytest.mark.parametrize("text", ["slower:5", "slow", "slower:%", "slower:-5%", "", "missing:5%"])
def test_what_is_no_condition_is_bad_usage(text, pair, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--in", str(pair), DEFAULT, OTHER, f"--fail-on={text}"])
    assert caught.value.code == 2 and "is no condition: use slower" in capsys.readouterr().err


def test_the_command_says_its_verdict_and_ends_with_the_condition_s_status(pair, tmp_path, capsys):
    target = tmp_path / "compared.json"
    arguments = ["--in", str(pair), DEFAULT, "*ticket*", "--json", str(target)]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "slower" in out and "two variants of one run, paired by round" in out and "order statistics" not in out
    assert main([*arguments, "--fail-on", "slower:5%"]) == 3
    assert "--fail-on: slower by more than 5%: Round trip of queue/ticket" in capsys.readouterr().err
    known = json.loads(target.read_text(encoding="utf-8"))
    assert known["schema"] == "zeroipc-comparison/1" and known["cells"][0]["verdict"] == "slower"
    assert len(known["violations"]) == 1


def test_the_command_takes_names_of_runs_and_writes_json_alone(tmp_path, capsys):
    two(tmp_path, runs.drifting({DEFAULT: 1, CACHELINE: 1}, drift=0),
        runs.drifting({DEFAULT: 1, CACHELINE: 1.5}, drift=0))
    arguments = ["one", f"{runs.MACHINE}/two", "--results", str(tmp_path / "results")]
    assert main([*arguments, "--json", "-"]) == 0
    known = json.loads(capsys.readouterr().out)
    assert known["paired"] is False and known["test"] == "Mann-Whitney"
    assert any("1 of 1 differ: bound/cacheline" in note for note in known["notes"])


def test_unlike_machines_are_refused_by_name_of_what_differs(tmp_path, capsys):
    two(tmp_path, runs.drifting({DEFAULT: 1}), runs.drifting({DEFAULT: 1}), governor="powersave",
        os={"kernel": "6.2.0"}, build={"flags": "-O2"})
    arguments = ["one", "two", "--results", str(tmp_path / "results")]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert "governor: unknown / powersave" in error and "os.kernel: 6.1.0 / 6.2.0" in error
    assert "-O2" not in error and "--unlike-machines" in error
    assert main([*arguments, "--unlike-machines"]) == 0
    out = capsys.readouterr().out
    assert "differs: governor" in out and "differs: build.flags: -O3 -DNDEBUG / -O2" in out


def test_a_run_is_not_compared_with_itself(pair, capsys):
    assert main([str(pair), str(pair)]) == 1
    assert "are the same run" in capsys.readouterr().err
