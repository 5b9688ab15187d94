"""What the real harness writes, through the commands over results; windows so short that figures mean nothing.

ctest calls it with ZEROIPC_HARNESS, the program zeroipc-bench.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from zeroipc_results import core_to_core, keep, privacy, topology
from zeroipc_results.__main__ import main

HARNESS = os.environ["ZEROIPC_HARNESS"]
COMPARE = Path("/usr/share/benchmark/compare.py")  # Debian: libbenchmark-tools


def measure(folder: Path) -> Path:
    subprocess.run([HARNESS, "--mode", "pingpong", "--window", "2", "--rounds", "3", "--out", str(folder)], check=True,
                   capture_output=True)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    machine = subprocess.run([HARNESS, "--machine"], capture_output=True, text=True, check=True).stdout.strip()
    return measure(tmp_path_factory.mktemp("live") / "results" / machine / "run")


def test_what_the_harness_writes_is_fit_to_be_kept_as_it_is(run: Path):
    assert privacy.findings(run) == []
    assert [name for name, _ in keep.keep(run, dry_run=True).files] == [
        "records.jsonl", "environment.json", "topology.xml", "benchmark.json"]
    before = {path: path.read_bytes() for path in run.iterdir()}
    assert privacy.strip(run) == [] and {path: path.read_bytes() for path in run.iterdir()} == before


def test_it_is_listed_and_shown(run: Path, capsys: pytest.CaptureFixture):
    assert main(["--results", str(run.parents[1]), "list"]) == 0
    assert main(["--results", str(run.parents[1]), "show", "run"]) == 0
    assert "bound/cacheline" in capsys.readouterr().out


def test_every_pair_of_cpus_is_measured(tmp_path: Path):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two CPUs")
    cpus = ",".join(map(str, sorted(os.sched_getaffinity(0))[:3]))
    assert core_to_core.main(["--harness", HARNESS, "--results", str(tmp_path), "--cpus", cpus, "--rounds", "2",
                              "--window-ms", "2"]) == 0
    (folder,) = tmp_path.glob("*/*-core-to-core")
    records = [json.loads(line) for line in (folder / "records.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all(one["placement"]["verified"] for one in records) and privacy.findings(folder) == []


def test_this_machine_is_drawn(run: Path, tmp_path: Path):
    for flags in ([], ["--run", str(run)]):
        assert topology.main(["--harness", HARNESS, "--out", str(tmp_path / "machine.svg"), *flags]) == 0
    assert ">P0<" in (tmp_path / "machine.svg").read_text(encoding="utf-8")


@pytest.mark.skipif(not COMPARE.is_file(), reason="libbenchmark-tools is not installed")
def test_google_s_own_compare_reads_the_harness_s_json(run: Path, tmp_path: Path):
    other = measure(tmp_path / "other")
    done = subprocess.run([sys.executable, str(COMPARE), "--no-color", "benchmarks", str(run / "benchmark.json"),
                           str(other / "benchmark.json")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "pingpong/bound/cacheline" in done.stdout and "U Test, Repetitions: 3 vs 3" in done.stdout
