"""Two revisions in a repository of their own, built by a stand-in of cmake, and run in turn."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from fake_bench import FakeBench
from zeroipc_results import compare_command, harness, revisions
from zeroipc_results.places import ResultsError

# Builds what a source says: its speed goes where the stand-in of the harness finds it.
CMAKE = """#!/bin/sh
echo "cmake $*" >>"$CALLS"
[ "$1" = --build ] || exit 0
[ -e broken ] && { echo "main.cpp:1: error: broken"; exit 1; }
mkdir -p "$2/bench"
touch "$2/bench/zeroipc-bench"
cp speed "$2/bench/SPEED"
"""


def git(root, *arguments):
    return subprocess.run(["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments],
                          capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A repository with the tags fast, slow (a quarter slower) and broken."""
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q")
    for name, speed in (("fast", "1.0"), ("slow", "1.25")):
        (root / "speed").write_text(speed, encoding="utf-8")
        git(root, "add", ".")
        git(root, "commit", "-q", "-m", name)
        git(root, "tag", name)
    (root / "broken").touch()
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "broken")
    git(root, "tag", "broken")
    git(root, "checkout", "-q", "--detach", "fast")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "cmake").write_text(CMAKE, encoding="utf-8")
    (tools / "cmake").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setattr(compare_command, "ROOT", root)
    return root


@pytest.fixture(autouse=True)
def bench(monkeypatch):
    fake = FakeBench()
    monkeypatch.setattr(harness, "_run", fake.run)
    return fake


def compare(tmp_path, *arguments):
    return compare_command.main(["--results", str(tmp_path / "results"), "--seed", "5", *arguments])


def test_builds_runs_in_turn_and_judges(root, tmp_path, capsys):
    assert compare(tmp_path, "fast", "slow", "--rounds", "6", "--fail-on", "slower:20%", "--json",
                   str(tmp_path / "out.json"), "--", "--variant", "queue") == 3
    known = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    verdicts = {cell["name"].split("/")[0]: cell["verdict"] for cell in known["cells"]}
    assert verdicts == {"queue": "slower", "bound": "equivalent"} and known["paired"]
    ratio = known["cells"][0]["ratio"]
    assert ratio["median"] == pytest.approx(1.25, rel=0.01) and ratio["n"] == 6
    assert "slower by more than 20%" in capsys.readouterr().err
    builds = (tmp_path / "calls").read_text(encoding="utf-8")
    assert builds.count("-DZEROIPC_BUILD_TESTS=OFF") == 2 == builds.count("--target zeroipc-bench")


def test_the_order_alternates_and_both_sides_of_a_round_share_its_seed(root, tmp_path, bench):
    compare(tmp_path, "fast", "slow", "--rounds", "3", "--", "--variant", "queue")
    calls = bench.calls
    slow = git(root, "rev-parse", "slow")[:12]
    assert [slow in call[0] for call in calls] == [False, True, True, False, False, True]
    assert [call[call.index("--seed") + 1] for call in calls] == ["5", "5", "6", "6", "7", "7"]
    assert all(call[1:5] == ["--variant", "queue", "--rounds", "1"] for call in calls)


def test_both_sides_are_saved_as_runs_and_the_worktrees_are_gone(root, tmp_path):
    assert compare(tmp_path, "fast", "slow", "--rounds", "2") == 0
    folders = sorted((tmp_path / "results").glob("*/*"))
    assert [folder.name.split("-compare-")[1][:2] for folder in folders] == ["a-", "b-"]
    records = [json.loads(line) for line in (folders[0] / "records.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [record["round"] for record in records] == [0, 0, 1, 1] and len({record["run"] for record in records}) == 1
    assert json.loads((folders[0] / "environment.json").read_text(encoding="utf-8"))["suite"]["rounds"] == 2
    assert len(git(root, "worktree", "list").splitlines()) == 1


def test_builds_are_kept_and_taken_again_where_asked(root, tmp_path, capsys):
    for _ in range(2):
        assert compare(tmp_path, "fast", "slow", "--rounds", "1", "--builds", str(tmp_path / "builds")) == 0
    assert (tmp_path / "calls").read_text(encoding="utf-8").count("--target") == 2
    assert "already built" in capsys.readouterr().err


def test_the_worktree_s_changes_are_a_revision(root, tmp_path):
    (root / "speed").write_text("2.0", encoding="utf-8")
    target = tmp_path / "out.json"
    assert compare(tmp_path, "fast", "worktree", "--rounds", "6", "--json", str(target)) == 0
    assert json.loads(target.read_text(encoding="utf-8"))["cells"][0]["ratio"]["median"] == pytest.approx(2, rel=0.01)
    assert (root / "speed").read_text(encoding="utf-8") == "2.0"


def test_whole_rounds_are_judged_where_it_is_interrupted(root, tmp_path, bench, capsys):
    bench.interrupt_at = 6
    assert compare(tmp_path, "fast", "slow", "--rounds", "9") == 0
    assert "interrupted after 2 whole rounds" in capsys.readouterr().err
    bench.interrupt_at = len(bench.calls) + 2
    assert compare(tmp_path, "fast", "slow", "--rounds", "9") == 130


def test_what_cannot_be_built_is_said_with_the_compiler_s_words_and_cleaned_up(root, tmp_path, capsys):
    assert compare(tmp_path, "fast", "broken") == 1
    error = capsys.readouterr().err
    assert "cannot be built" in error and "main.cpp:1: error: broken" in error
    assert len(git(root, "worktree", "list").splitlines()) == 1


@pytest.mark.parametrize("arguments, message", [
    (("fast", "nothing"), "'nothing' is neither a run nor a revision"), (("fast", "fast"), "are the same revision"),
    (("fast", "slow", "--", "--out", "x"), "--out behind --")])
def test_what_cannot_be_compared_is_said(root, tmp_path, capsys, arguments, message):
    assert compare_command.main(["--results", str(tmp_path), *arguments]) == 1
    assert message in capsys.readouterr().err


def test_no_repository_is_said(tmp_path):
    with pytest.raises(ResultsError, match="git rev-parse"):
        revisions.git(tmp_path, "rev-parse", "HEAD")
