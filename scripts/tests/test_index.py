"""The index over results: current whatever happens to the folders; and what is asked of it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing

import make_records
import pytest
import runs
from zeroipc_results import ResultsError, history, index
from zeroipc_results.__main__ import main

DEFAULT = make_records.DEFAULT
CELL = f"pingpong/{DEFAULT}/1P1C/8B/cap1024/100ms"


@pytest.fixture(scope="module")
def twelve(tmp_path_factory):
    """Twelve revisions on one machine, indexed: from the eighth on a round trip takes 20% longer."""
    folder = tmp_path_factory.mktemp("twelve")
    for number in range(12):
        factor = 1.0 if number < 7 else 1.2
        runs.write(folder / "results" / runs.MACHINE / f"run{11 - number:02}",
                   runs.drifting({DEFAULT: factor}, rounds=6, seed=number, drift=0, noise=0.02),
                   build={"revision": f"{number:012x}"}, suite={"started": f"2024-01-{20 - number:02}T00:00:00Z"})
    assert index.refresh(folder / "results")[1] == []
    return folder / "results"


@pytest.fixture
def results(twelve, tmp_path):
    """A copy to change; copies keep their times, so that the index is still up to date."""
    return shutil.copytree(twelve, tmp_path / "results")


def runs_in(results):
    path, complaints = index.refresh(results)
    assert complaints == []
    return [row[0] for row in index.query(path, "SELECT run_folder FROM runs ORDER BY run_folder")[1]]


def medians(results, folder):
    path, _ = index.refresh(results)
    return index.query(path, "SELECT median FROM cells WHERE run_folder = ?", (folder,))[1][0][0]


def test_folders_that_come_change_and_go_are_noticed(results):
    assert len(runs_in(results)) == 12
    changed = results / runs.MACHINE / "run00"
    before = medians(results, f"{runs.MACHINE}/run00")
    runs.write(changed, runs.drifting({DEFAULT: 5}, rounds=7, drift=0))
    assert medians(results, f"{runs.MACHINE}/run00") > 3 * before
    shutil.rmtree(changed)
    other = results / "other-2c-1n-00000003" / "run"
    runs.write(other, runs.drifting({DEFAULT: 1}), machine="other-2c-1n-00000003")
    names = runs_in(results)
    assert f"{runs.MACHINE}/run00" not in names and "other-2c-1n-00000003/run" in names and len(names) == 12


def test_the_index_can_be_deleted_and_one_that_is_none_is_made_anew(results):
    before = medians(results, f"{runs.MACHINE}/run03")
    (results / index.NAME).unlink()
    assert medians(results, f"{runs.MACHINE}/run03") == before
    (results / index.NAME).write_bytes(b"this is no database at all, " * 100)
    assert medians(results, f"{runs.MACHINE}/run03") == before
    with closing(sqlite3.connect(results / index.NAME)) as old, old:
        old.execute("PRAGMA user_version = 999")
    assert medians(results, f"{runs.MACHINE}/run03") == before


def test_an_unreadable_folder_is_left_out_and_said(results):
    (results / runs.MACHINE / "run05" / "records.jsonl").write_text("nonsense\nmore\n", encoding="utf-8")
    path, (complaint,) = index.refresh(results)
    assert "run05" in complaint and "not JSON" in complaint
    assert index.query(path, "SELECT count(*) FROM runs")[1] == [(11,)]


def test_medians_and_samples_are_those_of_the_records(results):
    path, _ = index.refresh(results)
    (row,) = index.query(path, "SELECT median, low, high, n, unit FROM cells WHERE run_folder LIKE '%run04'")[1]
    samples = index.query(path, "SELECT value FROM samples WHERE run_folder LIKE '%run04'")[1]
    values = sorted(value for value, in samples)
    assert row[:4] == ((values[2] + values[3]) / 2, values[0], values[-1], 6) and row[4] == "p50_ns"


def test_a_query_answers_and_cannot_write(results, capsys):
    arguments = ["--results", str(results), "query"]
    assert main([*arguments, "SELECT count(*) AS runs FROM runs", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"runs": 12}]
    assert main([*arguments, "SELECT run_folder, rounds FROM runs LIMIT 1", "--format", "csv"]) == 0
    assert capsys.readouterr().out == f"run_folder,rounds\n{runs.MACHINE}/run00,6\n"
    assert main([*arguments, "DELETE FROM runs"]) == 1
    assert "readonly" in capsys.readouterr().err
    assert main([*arguments, "SELECT nothing FROM nowhere"]) == 1
    assert "query --tables" in capsys.readouterr().err


def test_the_list_and_a_run(results, capsys):
    assert main(["--results", str(results), "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 13 and lines[-1].startswith(f"{runs.MACHINE}/run11")  # the newest last
    assert main(["--results", str(results), "show", "run00"]) == 0
    assert "Round trip" in capsys.readouterr().out
    assert main(["--results", str(results / "nowhere"), "list"]) == 1
    assert "no such folder" in capsys.readouterr().err


def test_a_trend_goes_by_commits_and_has_its_step(results, monkeypatch):
    monkeypatch.setattr(history, "commit_order", lambda root: {f"{number:012x}": number for number in range(12)})
    path, _ = index.refresh(results)
    (trend,) = history.trends(path, "pingpong/*", None)
    assert trend.cell == CELL and trend.by_commit
    assert [one.revision for one in trend.moments] == [f"{number:012x}" for number in range(12)]
    (step,) = trend.steps
    assert step.index == 7
    assert trend.sentence(step).startswith(f"{CELL}: slower from {7:012x} (2024-01-13T00:00:00Z) on, 1.2")


def test_without_commits_a_trend_goes_by_time(results, monkeypatch):
    monkeypatch.setattr(history, "commit_order", lambda root: {})
    (trend,) = history.trends(index.refresh(results)[0], CELL, runs.MACHINE)
    assert not trend.by_commit and trend.moments[0].revision == f"{11:012x}"
    assert "faster from" in trend.sentence(trend.steps[0])


def test_the_trend_command_draws_the_same_again_and_fails_on_a_step(results, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(history, "commit_order", lambda root: {f"{number:012x}": number for number in range(12)})
    target = tmp_path / "trend.svg"
    arguments = ["--results", str(results), "trend", "pingpong/*", "--out", str(target)]
    assert main(arguments) == 0
    first = target.read_bytes()
    assert main([*arguments, "--fail-on-step"]) == 3
    assert target.read_bytes() == first and CELL.encode() in first
    assert "slower from" in capsys.readouterr().out


@pytest.mark.parametrize("cell, machine, message", [
    ("nothing*", None, "no cell matches 'nothing*'"), ("*", "nowhere", "no run on nowhere")])
def test_what_has_no_trend_is_said(results, cell, machine, message):
    with pytest.raises(ResultsError) as caught:
        history.trends(index.refresh(results)[0], cell, machine)
    assert message in str(caught.value)


def test_two_machines_make_no_trend(results):
    runs.write(results / "other-2c-1n-00000003" / "run", runs.drifting({DEFAULT: 1}), machine="other-2c-1n-00000003")
    with pytest.raises(ResultsError, match="say which with --machine"):
        history.trends(index.refresh(results)[0], "*", None)


def test_a_figure_s_name_is_checked_before_anything_is_read(results, capsys):
    assert main(["--results", str(results), "trend", "*", "--out", "trend.gif"]) == 1
    assert "one of .svg, .png, .pdf" in capsys.readouterr().err
