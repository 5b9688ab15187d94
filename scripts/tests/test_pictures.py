"""The heatmap and the picture of a machine: right pairs, right places, the same bytes again."""

from __future__ import annotations

import json

import matplotlib
import numpy as np
import pytest
from fake_bench import FakeBench
from hypothesis import given, settings
from hypothesis import strategies as st
from zeroipc_report import records, summary
from zeroipc_report.figures import base, cores, source_of
from zeroipc_results import ResultsError, core_to_core, drawing, harness, topology


@pytest.fixture
def bench(monkeypatch):
    fake = FakeBench()
    monkeypatch.setattr(harness, "_run", fake.run)
    return fake


def machine(packages, nodes, caches, cores, threads):
    """A regular machine as zeroipc-bench describes it; each count is within one of the level above."""
    cpus = []
    for cpu in range(packages * nodes * caches * cores * threads):
        core = cpu // threads
        cpus.append({"cpu": cpu, "usable": True, "core": core, "l2": core, "llc": core // cores,
                     "node": core // cores // caches, "package": core // cores // caches // nodes,
                     "smt_rank": cpu % threads, "efficiency": 0})
    return {"model": "Demo", "logical_cpus": len(cpus), "cores": len(cpus) // threads, "packages": packages,
            "numa_nodes": packages * nodes, "cpus": cpus,
            "caches": [{"level": level, "type": "unified", "bytes": 2 ** (18 + level), "instances": 1}
                       for level in (2, 3)]}


SHAPES = st.tuples(*(st.integers(1, most) for most in (2, 2, 3, 5, 2)))


def boxes(box, corner=(0.0, 0.0)):
    """Every box with its absolute place: (box, left, top)."""
    left, top = corner[0] + box.at[0], corner[1] + box.at[1]
    yield box, left, top
    for one in box.inside:
        yield from boxes(one, (left, top))


@settings(max_examples=40, deadline=None)
@given(SHAPES)
def test_every_cpu_stands_once_inside_its_parents_and_nothing_overlaps(shape):
    plan = machine(*shape)
    root = topology.layout(plan)
    placed = list(boxes(root))
    assert sorted(box.cpu["cpu"] for box, _, _ in placed if box.cpu) == list(range(len(plan["cpus"])))
    for box, left, top in placed:
        parts = [(left + one.at[0], top + one.at[1], one.width, one.height) for one in box.inside]
        for x, y, width, height in parts:
            assert left <= x and top <= y
            assert x + width <= left + box.width + 1e-9 and y + height <= top + box.height + 1e-9
        for place, (x, y, width, height) in enumerate(parts):
            for u, v, _, _ in parts[place + 1:]:
                assert u >= x + width or v >= y + height or x > u


@settings(max_examples=40, deadline=None)
@given(SHAPES)
def test_every_pair_is_measured_once_a_home_node(shape):
    plan = {"machine": machine(*shape)}
    if len(plan["machine"]["cpus"]) < 2:
        return
    pairs = core_to_core.pairs_of(core_to_core.choose(plan, None, False))
    node = {cpu["cpu"]: cpu["node"] for cpu in plan["machine"]["cpus"]}
    assert len(set(pairs)) == len(pairs)
    for one in node:
        for other in node:
            if one != other:
                asked = ((one, other) in pairs) + ((other, one) in pairs)
                assert asked == (1 if node[one] == node[other] else 2)


def test_a_machine_s_picture_names_its_parts_and_workers_and_is_the_same_again(tmp_path):
    plan = {"machine": machine(2, 1, 2, 2, 2), "placements": [
        {"strategy": "spread", "producers": 1, "consumers": 1, "reason": None, "producer_cpus": [0],
         "consumer_cpus": [2], "oversubscribed": False},
        {"strategy": "same-l2", "producers": 1, "consumers": 1, "reason": "placement: no", "producer_cpus": None,
         "consumer_cpus": None, "oversubscribed": None}]}
    first = topology.draw(plan, tmp_path / "a.svg").read_text(encoding="utf-8")
    assert topology.draw(plan, tmp_path / "b.svg").read_text(encoding="utf-8") == first
    for text in (">P0<", ">C0<", "package 0, node 0", "L3 2 MiB 3", ">spread<", "2 packages"):
        assert text in first
    assert "same-l2" not in first and first.count(">P0<") == 1


def test_the_heatmap_is_measured_drawn_and_drawn_again(bench, tmp_path, capsys):
    arguments = ["--results", str(tmp_path / "results"), "--rounds", "2", "--seed", "3"]
    assert core_to_core.main(arguments) == 0
    (folder,) = (tmp_path / "results").glob("*/*-core-to-core")
    out = capsys.readouterr()
    assert "10 pairs, 2 rounds" in out.err and f"drawn: {folder}/core-to-core.svg" in out.out
    pairs = [call[call.index("--cpus") + 1] for call in bench.calls]
    # Across nodes both ways, within one node once; every round all of them.
    assert sorted(pairs[:10]) == sorted(pairs[10:]) == sorted(
        ["0,1", "2,3", "0,2", "0,3", "1,2", "1,3", "2,0", "2,1", "3,0", "3,1"])
    assert pairs[:10] != pairs[10:]
    first = (folder / "core-to-core.svg").read_bytes()
    assert core_to_core.main(["--redraw", str(folder)]) == 0
    assert (folder / "core-to-core.svg").read_bytes() == first
    assert b"memory on node 0" in first and b"memory on node 1" in first and b">300<" in first
    assert json.loads((folder / "environment.json").read_text())["suite"]["name"] == "core-to-core"


def test_the_matrix_has_each_figure_where_it_belongs_and_nothing_on_the_diagonal(bench, tmp_path):
    core_to_core.main(["--results", str(tmp_path), "--rounds", "1", "--cpus", "0-3"])
    (folder,) = tmp_path.glob("*/*-core-to-core")
    pairs = core_to_core.table_of(core_to_core.load(folder), json.loads((folder / "topology.json").read_text()))
    values = core_to_core.matrix(pairs, 1, [2, 3], [0, 1, 2, 3])
    expected = np.array([[200, 100, np.nan, 100], [300, 200, 100, np.nan]])
    np.testing.assert_allclose(values, expected, rtol=0.02)


def test_whole_rounds_are_kept_where_it_is_interrupted(bench, tmp_path):
    bench.interrupt_at = 15
    assert core_to_core.main(["--results", str(tmp_path / "r"), "--rounds", "3"]) == 130
    (folder,) = (tmp_path / "r").glob("*/*-core-to-core")
    assert len((folder / "records.jsonl").read_text(encoding="utf-8").splitlines()) == 10
    bench.interrupt_at = len(bench.calls) + 5
    assert core_to_core.main(["--results", str(tmp_path / "none"), "--rounds", "3"]) == 130
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("cpus, message", [("4", "4 cannot be used; usable: 0, 1, 2, 3"), ("1", "no pair among 1"),
                                           ("0-x", "is no list of CPUs")])
def test_cpus_that_cannot_be_measured_are_refused(bench, tmp_path, capsys, cpus, message):
    assert core_to_core.main(["--results", str(tmp_path), "--cpus", cpus]) == 1
    assert message in capsys.readouterr().err


def test_a_harness_that_is_not_there_is_said(tmp_path, capsys):
    assert topology.main(["--harness", "/nowhere/bench", "--out", str(tmp_path / "t.svg")]) == 1
    assert "Build it: cmake" in capsys.readouterr().err


def test_figures_here_look_as_those_of_a_report():
    matplotlib.rcParams["font.size"] = 30
    drawing.new(2, 2)
    kinds = ("font.", "axes.", "grid.", "xtick.", "legend.", "lines.", "savefig.", "svg.", "pdf.")
    here = {key: value for key, value in matplotlib.rcParams.items() if key.startswith(kinds)}
    with base.style():
        assert here == {key: matplotlib.rcParams[key] for key in here} and here["font.size"] == 9
    assert drawing.COLOURS[:2] == (base.DEFAULT_COLOUR, base.COLOURS[0]) and len(set(drawing.COLOURS)) == 7


def test_one_map_of_colours_for_round_trips(bench, demo, tmp_path, monkeypatch):
    used = []
    monkeypatch.setattr(matplotlib.axes.Axes, "imshow", _noting(matplotlib.axes.Axes.imshow, used))
    core_to_core.main(["--results", str(tmp_path), "--rounds", "1"])
    with base.style():
        list(cores.draw(source_of(summary.analyse(records.load(demo)))))
    assert {colours.name for colours in used} == {base.HEAT} and len(used) > 1


def _noting(imshow, used):
    def noted(*arguments, **options):
        image = imshow(*arguments, **options)
        used.append(image.get_cmap())
        return image
    return noted


def test_one_thread_a_core():
    chosen = core_to_core.choose({"machine": machine(1, 1, 1, 3, 2)}, None, True)
    assert [cpu["cpu"] for cpu in chosen] == [0, 2, 4]
    with pytest.raises(ResultsError):
        core_to_core.choose({"machine": machine(1, 1, 1, 1, 2)}, None, True)
