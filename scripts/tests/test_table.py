"""Records as a table, and a folder of results of several machines."""

from __future__ import annotations

import math
import shutil

import make_records
import pytest
import runs
from conftest import DEMO
from zeroipc_results import ResultsError, load, machines
from zeroipc_results.places import find

DEFAULT, OTHER = make_records.DEFAULT, runs.OTHER


@pytest.fixture
def results(tmp_path):
    """Two machines, one twice as fast as the other; copied together, as folders of several machines are."""
    for machine, base in (("slow-2c-1n-00000001", 2.0), ("fast-2c-1n-00000002", 1.0)):
        there = tmp_path / f"of {machine}" / machine
        runs.write(there / "run", runs.drifting({DEFAULT: base, OTHER: base * 1.1, "bound/cacheline": base / 2}),
                   machine=machine)
        shutil.copytree(there, tmp_path / "results" / machine)
    return tmp_path / "results"


def test_a_row_a_run_with_units_in_the_columns():
    frame = load(DEMO)
    assert len(frame) == len((DEMO / "records.jsonl").read_text().splitlines())
    first = frame[(frame["mode"] == "throughput") & frame["usable"]].iloc[0]
    assert first["value"] == first["throughput_operations_per_s"] and first["value_unit"] == "operations_per_s"
    assert math.isnan(first["latency_p50_ns"])
    trip = frame[(frame["mode"] == "pingpong")].iloc[0]
    assert trip["value"] == trip["latency_p50_ns"] and trip["value_unit"] == "p50_ns"
    assert {"window_ns", "payload_bytes", "capacity_items", "start_skew_ns", "machine", "revision"} <= set(frame)


def test_unknown_is_missing_and_a_failed_run_is_there():
    frame = load(DEMO)
    assert frame["workers_retries"].isna().all()  # every worker says "unknown"
    assert frame["energy_joules"].isna().all()
    failed = frame[frame["failed"]]
    assert len(failed) == 1 and not failed.iloc[0]["usable"] and "watchdog" in failed.iloc[0]["error"]


def test_what_may_explain_or_spoil_a_run_is_a_column(tmp_path):
    lines = runs.drifting({DEFAULT: 1}, rounds=2)
    for worker, cycles in zip(lines[0]["workers"], (10, 30)):
        worker.update(counters={"cycles": cycles, "cache-misses": "unknown", "page-faults": 1},
                      hiccups={"count": 2, "longest_ns": cycles * 1e3, "total_ns": 5e4, "threshold_ns": 2e4})
    lines[0].update(repeats=2, steal_share=0.25)
    lines[0]["clock"]["between_cpus_ns"] = 150.5
    lines[0]["memory"]["pages_by_node"] = {"10": 3, "2": 15}
    lines[1].update(steal_share="unknown")
    lines[1]["memory"]["pages_by_node"] = "unknown"
    first, second = load(runs.write(tmp_path / "m" / "run", lines)).to_dict("records")
    assert (first["workers_cycles"], first["workers_page_faults"], first["repeats"], first["steal_share"]) == (40, 2, 2, 0.25)
    assert math.isnan(first["workers_cache_misses"]) and math.isnan(first["workers_instructions"])
    assert (first["hiccup_count"], first["hiccup_longest_ns"], first["hiccup_total_ns"]) == (4, 3e4, 1e5)
    assert (first["clock_between_cpus_ns"], first["memory_pages_by_node"]) == (150.5, "2:15 10:3")
    assert second["repeats"] == 0 and second["memory_pages_by_node"] is None
    assert all(math.isnan(second[name]) for name in ("workers_cycles", "hiccup_count", "hiccup_longest_ns", "steal_share"))


def test_a_torn_last_line_is_left_out_and_said(tmp_path):
    folder = runs.write(tmp_path / "m" / "run", runs.drifting({DEFAULT: 1}))
    with (folder / "records.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"schema": "zeroipc-rec')
    frame = load(folder)
    assert len(frame) == 10 and "is cut short" in frame.attrs["warnings"][0]


def test_everything_in_a_folder_of_results_is_loaded_and_a_machine_by_name(results):
    assert set(load(results=results)["machine"]) == {"slow-2c-1n-00000001", "fast-2c-1n-00000002"}
    assert set(load("slow-2c-1n-00000001", results=results)["run_folder"]) == {"slow-2c-1n-00000001/run"}
    assert load(results=results / "slow-2c-1n-00000001").empty


def test_a_name_that_several_machines_have_is_asked_about(results):
    with pytest.raises(ResultsError, match="several machines have a run run"):
        find("run", results)
    with pytest.raises(ResultsError, match="no run is named 'nothing'"):
        load("nothing", results=results)
    assert find("fast-2c-1n-00000002/run", results).is_dir()


@pytest.mark.parametrize("relative_to, ratio", [("default", 1.1), ("bound/cacheline", 2.2)])
def test_machines_are_normalised_each_by_its_own_reference(results, relative_to, ratio):
    found = machines.normalised(load(results=results), "pingpong", relative_to)
    other = found[found["variant"] == OTHER]
    assert list(other["machine"]) == ["fast-2c-1n-00000002", "slow-2c-1n-00000001"]
    assert list(other["ratio"]) == pytest.approx([ratio] * 2, rel=0.01) and list(other["n"]) == [10, 10]
    assert set(other["point"]) == {"1P1C, 8 B, capacity 1024"}


def test_the_machines_plot_names_both_and_is_the_same_again(results, tmp_path):
    found = machines.normalised(load(results=results), "pingpong", "default")
    first = machines.draw(found, "pingpong", "default", tmp_path / "a.svg").read_bytes()
    assert machines.draw(found, "pingpong", "default", tmp_path / "b.svg").read_bytes() == first
    assert b"slow-2c-1n-00000001" in first and b"fast-2c-1n-00000002" in first and OTHER.encode() in first


def test_a_reference_that_was_not_measured_is_refused_with_those_there_are(results):
    with pytest.raises(ResultsError, match="'bound/pipe' was not measured.*bound/cacheline"):
        machines.normalised(load(results=results), "pingpong", "bound/pipe")
    with pytest.raises(ResultsError, match="no run measured latency; there are: pingpong"):
        machines.normalised(load(results=results), "latency")
