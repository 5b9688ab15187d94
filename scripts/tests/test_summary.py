"""Cells, comparisons and the numbers to show, on records whose answers are known."""

from __future__ import annotations

import make_records
import pytest
from conftest import DEMO
from zeroipc_report import records, summary, wording
from zeroipc_report.stats import Verdict

TICKET = "queue/ticket/acq_rel/exp/compact"


@pytest.fixture(scope="module")
def demo_folder():
    return records.load(DEMO)


def _constant(lines, values):
    """Sets the figure of every run to that of its (mode, variant), where one is given."""
    for line in lines:
        value = values.get((line["mode"], line["variant"]))
        if value is not None and line["status"] == "ok":
            if line["mode"] == "throughput":
                line["throughput"]["operations_per_s"] = value
            else:
                line["latency"]["p50_ns"] = value
    return lines


def _one(folder, mode, variant, workers="1P1C"):
    return next(one for one in summary.comparisons(folder.frame)
                if (one.point.mode, one.variant, one.point.workers) == (mode, variant, workers))


def test_the_planted_effects_are_found(demo_folder):
    assert _one(demo_folder, "throughput", TICKET).verdict is Verdict.FASTER
    assert _one(demo_folder, "pingpong", TICKET).verdict is Verdict.FASTER
    assert _one(demo_folder, "throughput", "queue/exchange/seq_cst/exp/compact").verdict is Verdict.SLOWER
    assert _one(demo_folder, "pingpong", "queue/mutex/-/none/compact").verdict is Verdict.SLOWER
    assert _one(demo_folder, "throughput", "queue/exchange/acq_rel/none/compact").verdict is Verdict.CANNOT_TELL


def test_bounds_and_the_default_itself_are_not_judged(demo_folder):
    compared = summary.comparisons(demo_folder.frame)
    assert not any(one.variant.startswith("bound/") or one.variant == make_records.DEFAULT for one in compared)
    assert {one.baseline for one in compared} == {make_records.DEFAULT}


def test_a_failed_run_leaves_its_round_out(demo_folder):
    one = _one(demo_folder, "throughput", TICKET, "2P2C")
    assert (one.ratio.n, one.rounds) == (6, 7)
    cell = next(cell for cell in summary.cells(demo_folder.frame)
                if cell.variant == TICKET and cell.point.workers == "2P2C")
    assert (cell.estimate.n, cell.runs, cell.failed) == (6, 7, 1)


def test_the_ratio_is_the_median_of_ratios_not_the_ratio_of_medians(write):
    lines = make_records.records(rounds=6)
    default, ticket = [10, 20, 30, 40, 50, 60], [30, 30, 33, 80, 40, 108]
    for line in lines:
        if line["status"] == "ok" and line["mode"] == "throughput":
            if line["variant"] == make_records.DEFAULT:
                line["throughput"]["operations_per_s"] = default[line["round"]]
            elif line["variant"] == TICKET:
                line["throughput"]["operations_per_s"] = ticket[line["round"]]
    one = _one(records.load(write(lines)), "throughput", TICKET)
    assert one.ratio.median == pytest.approx(1.65)  # of 3, 1.5, 1.1, 2, 0.8, 1.8; that of the medians is 1.04
    assert one.ratio.low == pytest.approx(0.8)
    assert one.ratio.high == pytest.approx(3)


def test_the_numbers_to_show(write):
    lines = _constant(make_records.records(), {
        ("pingpong", make_records.DEFAULT): 210.0, ("pingpong", "bound/cacheline"): 140.0,
        ("throughput", make_records.DEFAULT): 20e6, ("throughput", "bound/pipe"): 1e6,
        ("throughput", "queue/mutex/-/none/compact"): 16e6})
    trip, pipe, mutex = summary.targets(records.load(write(lines)))
    assert (trip.ratio.median, trip.result) == (pytest.approx(1.5), "not met")
    assert (trip.ratio.n, trip.rounds) == (8, 10)  # in two rounds the host put both CPUs on one core
    assert (pipe.ratio.median, pipe.result, pipe.ratio.n) == (pytest.approx(20), "met", 10)
    assert (mutex.ratio.median, mutex.result) == (pytest.approx(1.25), "not met")


def test_a_target_that_is_just_reached_is_met(write):
    lines = _constant(make_records.records(), {
        ("pingpong", make_records.DEFAULT): 14.0, ("pingpong", "bound/cacheline"): 10.0,
        ("throughput", make_records.DEFAULT): 4e6, ("throughput", "bound/pipe"): 1e6})
    trip, pipe, _ = summary.targets(records.load(write(lines)))
    assert (trip.result, pipe.result) == ("met", "met")


def test_one_run_on_shared_cores_is_enough_to_leave_a_round_out(write):
    lines = make_records.records()
    for line in lines:
        if line["mode"] == "pingpong" and line["variant"] == "bound/cacheline":
            line["separate_cores"] = None if line["round"] == 0 else line["round"] != 1
    trip = summary.targets(records.load(write(lines)))[0]
    assert trip.ratio.n == 6  # not 0 and 1 for the bound, not 3 and 4 for the queue


def test_without_separate_cores_there_is_no_number(write):
    lines = make_records.records()
    for line in lines:
        line["separate_cores"] = False
    trip, pipe, _ = summary.targets(records.load(write(lines)))
    assert (trip.result, trip.ratio.n, trip.rounds) == ("no rounds", 0, 10)
    assert "in no round did both runs stand on separate cores" in trip.note
    assert pipe.result == "met"


def test_a_suite_without_the_cells_says_so(write):
    lines = [line for line in make_records.records(rounds=2) if not line["variant"].startswith("bound/")]
    trip, pipe, mutex = summary.targets(records.load(write(lines)))
    assert (trip.result, trip.note) == ("no rounds", "the suite did not run bound/cacheline at this point")
    assert pipe.result == "no rounds"
    assert mutex.result == "met"


def test_rounds_on_differently_placed_cores_are_counted(write):
    lines = make_records.records()
    for line in lines:
        if line["mode"] == "pingpong" and line["variant"] == TICKET and line["round"] in (0, 3):
            line["separate_cores"] = not line["separate_cores"]
    one = _one(records.load(write(lines)), "pingpong", TICKET)
    assert one.moved_rounds == 2
    assert "2 with the two runs on differently placed cores" in wording.verdict_sentence(one)


def test_flags_by_cell(demo_folder):
    rows = [row for row in summary.flag_rows(demo_folder.frame)
            if row[0].startswith(f"pingpong/{make_records.DEFAULT}/") and row[1] == "cores_shared"]
    assert rows == [(rows[0][0], "cores_shared", 2, 7, "3, 4")]


def test_a_target_of_few_rounds_says_so(write):
    pipe = summary.targets(records.load(write(make_records.records(rounds=3))))[1]
    assert (pipe.result, pipe.ratio.n) == ("met", 3)
    assert pipe.note == "from fewer than 6 rounds, too few to rely on"


def test_bounds_stand_beside_the_points_that_they_share_all_they_have_with(write):
    lines = make_records.records()
    pipes = [line for line in lines if line["variant"] == "bound/pipe" and line["mode"] == "throughput"]
    for name, payload, capacity in (("bound/posix_mq", 8, 8), ("bound/posix_mq", 8, 1024), ("bound/mutex", 64, None),
                                    ("bound/unix_socket", 8, None), ("bound/unix_socket", 64, None)):
        cell = f"throughput/{name}/{payload}B/cap{capacity}"
        lines += [{**line, "variant": name, "capacity": capacity, "payload_bytes": payload,
                   "cell": f"{cell}/{line['producers']}P{line['consumers']}C"} for line in pipes]
    usable = records.load(write(lines)).usable
    here = usable[(usable["variant"] == make_records.DEFAULT) & (usable["mode"] == "throughput")]
    for point in set(here["point"]):
        beside = summary.bounds_at(usable, point)
        assert (beside["variant"] == "bound/mutex").sum() == 10  # has no payload: whatever its record says
        for name, capacity in (("bound/unix_socket", None), ("bound/posix_mq", 1024)):
            points = set(beside[beside["variant"] == name]["point"])
            assert {(one.payload_bytes, one.capacity) for one in points} == {(8, capacity)}
