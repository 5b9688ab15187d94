"""Reading run folders, whole and damaged."""

from __future__ import annotations

import json

import make_records
import pytest
from zeroipc_report import records


@pytest.fixture
def lines():
    return make_records.records(rounds=2)


def test_a_whole_folder(write, lines):
    folder = records.load(write(lines))
    assert len(folder.frame) == len(lines)
    assert folder.warnings == []
    assert folder.environment["machine"] == "demo-cpu-2c-1n-00000000"
    assert folder.frame["failed"].sum() == 1
    assert len(folder.usable) == len(lines) - 1


def test_the_value_is_the_throughput_or_the_median_round_trip(write, lines):
    frame = records.load(write(lines)).frame
    for row, line in zip(frame.to_dict("records"), lines):
        if line["status"] == "ok":
            expected = line["throughput"]["operations_per_s"] if line["throughput"] else line["latency"]["p50_ns"]
            assert row["value"] == expected


def test_a_torn_last_line_is_left_out_with_a_warning(write, lines):
    folder = write(lines)
    path = folder / "records.jsonl"
    path.write_bytes(path.read_bytes()[:-200])
    read = records.load(folder)
    assert len(read.frame) == len(lines) - 1
    assert f"line {len(lines)}" in read.warnings[0]


def test_a_last_line_that_lacks_only_its_newline_is_kept(write, lines):
    folder = write(lines)
    path = folder / "records.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    read = records.load(folder)
    assert len(read.frame) == len(lines)
    assert read.warnings == []


def test_a_broken_line_in_the_middle_is_named(write, lines):
    folder = write(lines)
    path = folder / "records.jsonl"
    content = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([content[0], '{"schema": oops}\n', *content[1:]]), encoding="utf-8")
    with pytest.raises(records.RecordsError, match=r"records\.jsonl:2: not JSON .*Remove that line"):
        records.load(folder)


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file_says_what_to_do(write, lines, content):
    folder = write(lines)
    (folder / "records.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(records.RecordsError, match="holds no records.*scripts/bench"):
        records.load(folder)


def test_a_missing_file_says_what_to_name(tmp_path):
    with pytest.raises(records.RecordsError, match="cannot be read.*results/<machine>"):
        records.load(tmp_path)


def test_a_record_of_another_schema_is_refused(write, lines):
    lines[3]["schema"] = "zeroipc-record/2"
    with pytest.raises(records.RecordsError, match=r"records\.jsonl:4: its schema is 'zeroipc-record/2'"):
        records.load(write(lines))


def test_a_record_that_lacks_a_key_is_refused(write, lines):
    del lines[0]["separate_cores"]
    with pytest.raises(records.RecordsError, match=r"records\.jsonl:1: the record lacks separate_cores"):
        records.load(write(lines))


def test_a_cell_twice_in_a_round_is_refused(write, lines):
    with pytest.raises(records.RecordsError, match="stands twice in round 0"):
        records.load(write([*lines, lines[0]]))


def test_a_missing_environment_is_a_warning(write, lines):
    folder = write(lines)
    (folder / "environment.json").unlink()
    read = records.load(folder)
    assert read.environment == {}
    assert "There is no environment.json" in read.warnings[0]


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_broken_environment_is_a_warning(write, lines, content):
    folder = write(lines)
    (folder / "environment.json").write_text(content, encoding="utf-8")
    read = records.load(folder)
    assert read.environment == {}
    assert "environment.json is not" in read.warnings[0]


def test_names_of_host_and_user_are_not_read(write, lines):
    folder = write(lines)
    about = make_records.environment(2)
    about["os"]["hostname"] = "secret-host"
    about["build"]["User"] = "secret-user"
    (folder / "environment.json").write_text(json.dumps(about), encoding="utf-8")
    assert "secret" not in json.dumps(records.load(folder).environment)


def test_a_run_whose_check_failed_does_not_count(write, lines):
    victim = next(line for line in lines if line["status"] == "ok")
    victim["verification"]["passed"] = False
    assert records.load(write(lines)).frame["failed"].sum() == 2


def test_a_run_without_a_figure_is_neither_failed_nor_usable(write, lines):
    victim = next(line for line in lines if line["mode"] == "pingpong")
    victim["latency"]["p50_ns"] = None
    frame = records.load(write(lines)).frame
    assert frame["failed"].sum() == 1
    assert (~frame["usable"]).sum() == 2


WORKLOAD = {"think_ns": 0, "batch": 1, "push_percent": None, "mix": None, "keys": None, "filled_percent": None,
            "placement": None}


@pytest.mark.parametrize("workload, load, label", [
    ({}, None, ""),
    ({"think_ns": 100, "batch": 16}, None, "think 100 ns, batches of 16"),
    ({"push_percent": 70, "filled_percent": 90}, None, "70% pushes, 90% full"),
    ({"mix": "ycsb-a", "keys": "zipf0.99", "filled_percent": 50}, None, "ycsb-a, zipf0.99 keys"),
    ({"calls": "try"}, None, ""),
    ({"calls": "wait", "batch": 1}, None, "calls that wait"),
    ({"mix": "r100", "keys": "uniform", "range_percent": 200}, None, "r100, uniform keys, keys of 200% of those"),
    ({}, {"percent": 0, "arrivals": None}, "closed loop"),
    ({}, {"percent": 80, "arrivals": "poisson"}, "poisson arrivals at 80%"),
])
def test_what_is_not_usual_stands_in_the_point(write, lines, workload, load, label):
    lines[0].update(workload={**WORKLOAD, **workload}, load=load)
    assert records.load(write(lines[:1])).frame.iloc[0]["point"].workload == label


def test_a_placement_that_the_cell_names_tells_points_apart(write, lines):
    lines[0]["workload"] = {**WORKLOAD, "placement": "cross-node"}
    assert records.load(write(lines[:1])).frame.iloc[0]["point"].placement == "cross-node"


def test_workers_without_roles_are_counted_together(write, lines):
    lines[0].update(producers=4, consumers=0)
    assert records.load(write(lines[:1])).frame.iloc[0]["point"].workers == "4W"


def test_a_latency_run_is_judged_by_its_99th_percentile(write, lines):
    latency = {"p50_ns": 100.0, "p99_ns": 900.0, "curve": []}
    lines[0].update(mode="latency", throughput=None, latency=latency, load={"percent": 50, "arrivals": "constant"})
    row = records.load(write(lines[:1])).frame.iloc[0]
    assert row["value"] == 900.0
    assert row["usable"]


@pytest.mark.parametrize("recorded, expected", [(0.75, 0.75), (None, 0.8)])
def test_fairness_is_the_recorded_one_or_that_of_the_workers(write, lines, recorded, expected):
    workers = [dict(lines[0]["workers"][0], role="worker", successes=done, retries=done) for done in (100, 300)]
    lines[0].update(mode="throughput", workers=workers, fairness=recorded, latency=None, verification=None, throughput={
        "operations": 400, "operation": "push or pop", "operations_per_s": 4e6})
    row = records.load(write(lines[:1])).frame.iloc[0]
    assert row["fairness"] == pytest.approx(expected)
    assert row["shares"] == pytest.approx((0.5, 1.5))
    assert row["retries"] == pytest.approx(1)
