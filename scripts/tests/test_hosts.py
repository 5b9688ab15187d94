"""Processes and threads, ours and peers: each is named, and never one compared with the other."""

import copy

import make_records
import pandas as pd
import pytest

from zeroipc_report import figures, records, summary, wording
from zeroipc_report.figures import latency, policy, sweeps

PEER = "peer/queue/boost-lockfree"
FACTOR = {"threads": 3.0, PEER: 0.5}  # of the default's rate between processes; the peer's of the threads'


def hosted(line, host, variant=None):
    """The same run with its workers as threads, of another library if so named."""
    changed = copy.deepcopy(line)
    changed["host"] = host
    changed["cell"] += f"/{host}"
    changed["throughput"]["operations_per_s"] *= FACTOR["threads"]
    if variant:
        changed["cell"] = changed["cell"].replace(line["variant"], variant)
        changed.update(variant=variant, kind="peer", is_default=False)
        changed["throughput"]["operations_per_s"] *= FACTOR[variant]
    return changed


@pytest.fixture(name="folder")
def fixture_folder(write):
    lines = [line for line in make_records.records(rounds=10) if line["mode"] == "throughput"]
    defaults = [line for line in lines if line["variant"] == make_records.DEFAULT]
    lines += [hosted(line, "threads") for line in defaults] + [hosted(line, "threads", PEER) for line in defaults]
    return records.load(write(lines))


def test_a_peer_is_compared_with_our_default_as_threads(folder):
    compared = [one for one in summary.comparisons(folder.frame) if one.variant == PEER]
    assert compared and all(one.point.host == "threads" and one.baseline == make_records.DEFAULT for one in compared)
    assert all(one.ratio.median == pytest.approx(FACTOR[PEER]) for one in compared)


def test_processes_and_threads_are_never_compared(folder):
    assert not any(one.variant == make_records.DEFAULT for one in summary.comparisons(folder.frame))
    for one in summary.comparisons(folder.frame):
        assert (one.point.host == "threads") == (one.variant == PEER)


def test_the_default_has_a_cell_a_host(folder):
    of_default = [one for one in summary.cells(folder.frame)
                  if one.variant == make_records.DEFAULT and one.point.workers == "1P1C"]
    assert sorted(one.point.host for one in of_default) == ["processes", "threads"]


def test_threads_are_named_wherever_a_point_is(folder):
    points = {one.point for one in summary.cells(folder.frame)}
    for point in points:
        assert ("threads" in wording.point_label(point)) == (point.host == "threads")
    assert {point.host for point in points} == {"processes", "threads"}


def test_bounds_stand_beside_their_own_host_only(folder):
    for point in set(folder.frame["point"]):
        beside = summary.bounds_at(folder.frame, point)
        assert all(other.host == point.host for other in beside["point"])
        assert beside.empty == (point.host == "threads")


def test_the_numbers_to_show_are_of_processes(folder):
    pipe = next(one for one in summary.targets(folder) if "pipe" in one.statement)
    threads_left_out = folder.frame[folder.frame["point"].map(lambda point: point.host == "processes")]
    alone = records.RunFolder(folder.folder, threads_left_out, {})
    assert pipe.ratio == next(one for one in summary.targets(alone) if "pipe" in one.statement).ratio


def test_figures_say_of_which_host_they_are(folder):
    drawn = list(figures.drawings(figures.source_of(summary.analyse(folder))))
    names = [one.name for one in drawn]
    assert len(set(names)) == len(names)
    cells = pd.concat([one.data for one in drawn if one.name.startswith("cells-queue-throughput")])
    assert set(cells[cells["variant"] == PEER]["host"]) == {"threads"}
    assert set(cells[cells["variant"] == make_records.DEFAULT]["host"]) == {"processes", "threads"}


def test_points_of_both_hosts_are_in_no_group(folder):
    points = sorted(set(folder.frame["point"]), key=lambda point: point.order)
    compared = summary.comparisons(folder.frame)
    groups = [*latency._same_but_load(points), policy._contention(compared), *sweeps.lines_of(points, "workers")]
    assert groups and all(len({point.host for point in group}) == 1 for group in groups if group)


def test_records_from_before_there_were_threads_are_of_processes(folder):
    old = make_records.records(rounds=1)
    assert not any("host" in line for line in old)
    assert set(folder.frame[folder.frame["variant"] != PEER]["structure"]) == {"queue", "bound"}
    assert set(folder.frame[folder.frame["variant"] == PEER]["structure"]) == {"queue"}
