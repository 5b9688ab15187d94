"""The self-test on a stand-in whose truth is known: what is planted is found where it is, and nowhere else."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import make_records
import pytest
from conftest import SCRIPTS
from zeroipc_report import page, records, resolution, selftest, summary

ROOT = SCRIPTS.parent
SCHEMA = json.loads((ROOT / "results" / "schema" / "resolution.schema.json").read_text(encoding="utf-8"))
MACHINE = "demo-cpu-2c-1n-00000000"


def asked(**more) -> argparse.Namespace:
    return argparse.Namespace(**{"tries": 10, "rounds": None, "window_ms": None, "quick": False, **more})


@pytest.fixture(scope="session", name="harness")
def _harness(tmp_path_factory) -> Path:
    program = tmp_path_factory.mktemp("harness") / "zeroipc-bench"
    program.write_text(f'#!/bin/sh\nPYTHONDONTWRITEBYTECODE=1 exec "{sys.executable}" '
                       f'"{SCRIPTS}/tests/fake_harness.py" "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return program


def measure(harness: Path, folder: Path, *flags: str) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    return selftest.main([str(folder), "--harness", str(harness), *flags])


@pytest.fixture(scope="session", name="full")
def _full(harness, tmp_path_factory) -> Path:
    """A self-test's folder, under that of its machine."""
    folder = tmp_path_factory.mktemp("results") / MACHINE / "20240101T120000Z-selftest"
    assert measure(harness, folder, "--rounds", "10", "--window-ms", "100") == 0
    return folder


def known_of(folder: Path) -> dict:
    known = json.loads((folder / "resolution.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(SCHEMA).validate(known)
    return known


def test_what_is_planted_is_found_where_it_is(full):
    single, contended, queue = known_of(full)["cases"]
    # 2% slower is inside the band; 5% is 4.8% less throughput.
    assert (single["resolution_percent"], single["verdict"]) == (5.0, "slower")
    assert [rung["slower"] for rung in single["ladder"]] == [0, 0, 10, 10, 10, 10, 10]
    assert single["cost_ns"] == pytest.approx(5, rel=0.01)
    assert single["ladder"][-1]["ratio"] == pytest.approx(0.5, rel=0.01)
    # A handicap that makes the whole faster is found too, and called so.
    assert (contended["resolution_percent"], contended["verdict"]) == (10.0, "faster")
    assert contended["cost_ns"] == pytest.approx(20, rel=0.01)
    assert (queue["resolution_percent"], queue["verdict"]) == (None, None)


def test_what_does_not_differ_is_not_found(full):
    cases = known_of(full)["cases"]
    assert [case["aa"]["false_alarms"] for case in cases] == [0, 0, 0]
    assert [case["aa"]["cannot_tell"] for case in cases] == [0, 0, 10]


def test_a_handicap_is_what_a_look_of_operations_costs_more():
    assert resolution.handicap_ns(10, 5.0) == 16.0
    loop = (ROOT / "bench" / "include" / "zeroipc" / "bench" / "workload.hpp").read_text(encoding="utf-8")
    assert f"attempts_a_look = {resolution.OPERATIONS_A_LOOK};" in loop


def test_the_raw_records_stay(full):
    assert {path.name for path in full.iterdir()} == {
        "calibration", "resolution.json", *(f"try-{number:02}" for number in range(1, 11))}
    assert len(records.load(full / "try-10").frame) == 10 * 3 * (7 + 2)


def test_a_report_prints_the_resolution_of_its_machine(full):
    folder = full.parent / "20240102T120000Z-quick"
    make_records.write(folder, make_records.records(rounds=1), make_records.environment(1))
    html = page.write(summary.analyse(records.load(folder)), [], folder).read_text(encoding="utf-8")
    said = re.search(r"The resolution of this machine: (.*?)</p>", html, re.DOTALL)[1]
    assert "single worker from 5% (slower); contended counter from 10% (faster)" in said
    assert "default queue, 1P1C none up to 100%" in said
    assert "in 0 of 30 tries. A try is 10 rounds with windows of 100 ms (self-test of 20" in said


def test_without_one_or_with_that_of_another_machine_it_says_so(full, tmp_path):
    assert resolution.statement(tmp_path, MACHINE) == "not measured: scripts/selftest"
    assert resolution.statement(full, "another-machine") == "not measured: scripts/selftest"
    (tmp_path / "resolution.json").write_text("{", encoding="utf-8")
    assert resolution.statement(tmp_path, MACHINE) == "not measured: scripts/selftest"


def test_few_tries_say_nothing_and_stay_in_their_folder(harness, tmp_path, capsys):
    folder = tmp_path / MACHINE / "few"
    assert measure(harness, folder, "--tries", "3", "--rounds", "6", "--window-ms", "1", "--percents", "100") == 0
    known = known_of(folder)
    assert {case["resolution_percent"] for case in known["cases"]} == {"unknown"}
    assert known["cases"][0]["ladder"][0]["slower"] == 3
    assert not (folder.parent / "resolution.json").exists()
    out = capsys.readouterr().out
    assert "unknown (3 of 10 tries)" in out and "3/3 (0.5" in out
    assert "try 3 of 3, about " in out


def test_a_quick_one_gives_way_to_a_full_one(harness, full, tmp_path):
    assert measure(harness, tmp_path / "m" / "quick", "--quick") == 0
    quick = known_of(tmp_path / "m" / "quick")
    assert quick["quick"] and quick["rounds"] == 6 and len(quick["cases"][0]["ladder"]) == 3
    assert known_of(tmp_path / "m")["quick"]
    resolution.publish(tmp_path / "m" / "quick", known_of(full))
    assert not known_of(tmp_path / "m")["quick"]
    resolution.publish(tmp_path / "m" / "quick", quick)
    assert not known_of(tmp_path / "m")["quick"]


@pytest.mark.parametrize("at, says", [
    ("try-02", "interrupted: 1 whole tries are kept"), ("calibration", "interrupted: nothing was judged yet")])
def test_an_interrupt_keeps_whole_tries(harness, tmp_path, at, says):
    folder = tmp_path / MACHINE / "cut"
    folder.mkdir(parents=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "zeroipc_report.selftest", str(folder), "--harness", str(harness), "--rounds", "6"],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS), "HANG_AT": at}, stdout=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    try:
        while not (folder / at / "environment.json").exists():
            assert process.poll() is None
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)  # as the terminal does on Ctrl-C
        out, _ = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130
    assert says in out
    assert (folder / "resolution.json").exists() == (at != "calibration")


def test_a_harness_that_fails_is_named_with_what_it_said(harness, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FAIL_AT", "try-01")
    assert measure(harness, tmp_path / "m" / "failing", "--rounds", "6") == 1
    assert "zeroipc-bench ended with status 2: a worker did not like it" in capsys.readouterr().err


@pytest.mark.parametrize("flags, says", [
    (("--rounds", "5"), "--rounds takes a number from 6, not 5"), (("--tries", "0"), "--tries takes a number from 1"),
    (("--percents", "5,0"), "--percents takes a number from 0.01, not 0"), (("--minutes", "soon"), "invalid float")])
def test_wrong_usage_is_refused(tmp_path, capsys, flags, says):
    with pytest.raises(SystemExit) as refused:
        selftest.main([str(tmp_path), "--harness", "none", *flags])
    assert refused.value.code == 2
    assert says in capsys.readouterr().err


def test_time_goes_to_rounds_first_then_to_windows():
    ladders = [{5.0: 1.0}] * 3  # 9 cells
    plan = selftest.fit(1000, 0.08, ladders, asked())
    assert (plan.rounds, plan.window_ms) == (10, 100)
    plan = selftest.fit(100, 0.08, ladders, asked())
    assert (plan.rounds, plan.window_ms) == (10, 30)
    plan = selftest.fit(70, 0.08, ladders, asked())
    assert (plan.rounds, plan.window_ms) == (8, 10)
    plan = selftest.fit(1, 0.08, ladders, asked())
    assert (plan.rounds, plan.window_ms, plan.tries) == (6, 10, 10)
    plan = selftest.fit(1, 0.08, ladders, asked(rounds=30, window_ms=50, tries=20))
    assert (plan.rounds, plan.window_ms, plan.tries) == (30, 50, 20)
    assert plan.seconds == pytest.approx(20 * 30 * 9 * 0.13)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_runs_and_time_left():
    stream = Terminal()
    progress = selftest.Progress(stream, 100, 2.0)
    progress.begin("try 1 of 2")
    progress.show(10)
    assert "try 1 of 2: 10 of 100 runs, about 3 min 0 s left" in stream.getvalue()
    progress.end(50)
    progress.begun = time.monotonic() - 50
    progress.show(0)
    assert re.search(r"50 of 100 runs, about (50|51) s left$", stream.getvalue())
