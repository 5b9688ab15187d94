"""What the figures show, by their data; how they look is for eyes."""

from __future__ import annotations

import re

import make_records
import numpy as np
import pandas as pd
import pytest
from conftest import DEMO
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.text import Text
from zeroipc_report import figures, paper, records, summary
from zeroipc_report.figures import base, cores, latency, rows, sweeps, ticks
from zeroipc_report.records import Point

FIGURES = ("cells-queue-throughput-all", "cells-queue-pingpong-1P1C-8B-cap1024-100ms",
           "latency-queue-pingpong-1P1C-8B-cap1024-100ms", "policy-queue-throughput-by-contention",
           "fairness-queue-2P2C-8B-cap1024-100ms", "cores", "throughput-queue-by-workers")
GOLDEN = DEMO.parent / "golden"
AXES = base.new_figure(3, 3).add_subplot()
SETTINGS = settings(max_examples=100, derandomize=True, database=None, deadline=None)


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_saved_with_its_data(demo, name):
    for suffix in ("png", "svg", "csv"):
        assert (demo / "figures" / f"{name}.{suffix}").stat().st_size > 100


@pytest.mark.parametrize("name", ["policy-queue-throughput-by-contention", "latency-queue-pingpong-1P1C-8B-cap1024-100ms"])
def test_the_data_is_that_of_the_golden_file(demo, name):
    found = pd.read_csv(demo / "figures" / f"{name}.csv")
    golden = pd.read_csv(GOLDEN / f"{name}.csv")
    # Not to the byte: another release of numpy may round in another place.
    pd.testing.assert_frame_equal(found, golden, rtol=1e-6)


def test_every_usable_run_is_a_row(demo):
    usable = records.load(DEMO).usable
    for name in FIGURES[:2]:
        data = pd.read_csv(demo / "figures" / f"{name}.csv")
        mode = name.split("-")[2]
        variants = data[~data["variant"].str.startswith("bound/")]
        assert len(variants) == ((usable["mode"] == mode) & (usable["kind"] == "variant")).sum()
        assert not [column for column in data if column.endswith(".1")]  # what stands twice


def test_the_bounds_stand_beside_the_variants(demo):
    data = pd.read_csv(demo / "figures" / "cells-queue-throughput-all.csv")
    for workers in ("1P1C", "2P2C"):
        here = set(data[data["workers"] == workers]["variant"])
        assert {"bound/fetch_add", "bound/pipe"} <= here
    assert set(data[data["oversubscribed"]]["workers"]) == {"2P2C"}


def test_text_stays_text_and_identifiers_are_the_figures_own(demo):
    page = (demo / "report.html").read_text(encoding="utf-8")
    figures_of = page.split("<svg ")[1:]
    assert len(figures_of) == len(FIGURES)
    identifiers = set()
    for one in figures_of:
        svg = one.split("</svg>")[0]
        own = {part.split('"')[0] for part in svg.split(' id="')[1:]}
        assert "<text" in svg and own and not own & identifiers
        identifiers |= own
    assert page.count("<title>queue/ticket/acq_rel/exp/compact: median") == 3  # over its mark, in three cells


def test_figures_are_the_same_each_time(demo, tmp_path):
    with figures.style():
        drawing = next(figures.policy.draw(figures.source_of(summary.analyse(records.load(demo)))))
        figures.save(drawing, tmp_path)
    name = f"{drawing.name}.svg"
    assert (demo / "figures" / name).read_bytes() == (tmp_path / name).read_bytes()


def test_a_variant_looks_the_same_everywhere_and_unlike_the_others():
    looks = figures.looks_of(records.load(DEMO).frame)
    seen = [(look.colour, look.marker) for look in looks.values()]
    assert len(seen) == len(set(seen)) + 1  # two bounds are black: one is never drawn where the other is
    assert looks["queue/exchange/acq_rel/exp/compact"].colour == base.DEFAULT_COLOUR


@SETTINGS
@given(wanted=st.lists(st.floats(0, 1), min_size=1, max_size=30), room=st.floats(0.001, 0.2))
def test_labels_are_moved_apart_and_keep_their_order(wanted, room):
    places = base.spread_labels(wanted, room)
    order = np.argsort(wanted, kind="stable")
    assert (np.diff(places[order]) >= room - 1e-9).all()
    # As little as can be: their mean stays, and labels with room enough do not move.
    assert np.mean(places) == pytest.approx(np.mean(wanted))
    if len(wanted) == 1 or np.diff(np.sort(wanted)).min() >= room:
        assert places == pytest.approx(np.asarray(wanted))


@SETTINGS
@given(st.floats(1e-6, 1e12), st.floats(1.5, 1e9))
def test_logarithmic_axes_have_ticks_that_one_can_read(low, width):
    axis = AXES.xaxis
    ticks.log_ticks(axis, low, low * width)
    found = axis.get_ticklocs()
    assert len(found) <= 10
    assert all(low <= tick <= low * width for tick in found)
    assert len(found) >= 1 or width < 10


@pytest.mark.parametrize("value, text", [(0, "0"), (0.05, "0.05"), (1024, "1,024"), (20000, "20k"), (65536, "65,536"),
                                         (2e6, "2M"), (1e9, "1G")])
def test_ticks_are_plain_numbers(value, text):
    assert ticks.plain(value) == text


def test_points_along_an_axis_differ_in_nothing_else():
    points = [Point("throughput", 1, 1, size, capacity, 10**8, axes=(("think_ns", 0),))
              for size in (64, 8) for capacity in (16, 1024)]
    lines = sweeps.lines_of(points, "payload_bytes")
    assert [[point.payload_bytes for point in line] for line in lines] == [[8, 64], [8, 64]]
    assert [{point.capacity for point in line} for line in lines] == [{16}, {1024}]
    assert sweeps.lines_of(points, "workers") == []


def test_pairs_of_producers_and_consumers_are_a_number_and_other_shapes_are_not():
    def at(producers, consumers, **more):
        return Point("throughput", producers, consumers, 8, 1024, 10**8, **more)

    shapes = [at(4, 4), at(1, 2), at(2, 1), at(1, 1), at(2, 2), at(4, 2)]
    hosted = [at(1, 1, host="threads"), at(2, 2, placement="smt"), at(1, 1, workload="think 9 ns", axes=(("think_ns", 9),))]
    (line,) = sweeps.lines_of([*shapes, *hosted, at(1, 0), at(8, 4)], "workers")
    assert [(point.workers, point.axis("workers")) for point in line] == [("1P1C", 2), ("2P2C", 4), ("4P4C", 8)]
    both = sweeps.lines_of([at(1, 1), at(2, 2), at(1, 0), at(2, 0)], "workers")
    assert sorted([point.workers for point in one] for one in both) == [["1P1C", "2P2C"], ["1W", "2W"]]


@pytest.mark.parametrize("counters, strips", [
    ({}, ["retries"]), ({"cycles": "unknown", "cache-misses": "unknown"}, ["retries"]), ({"cycles": 4000}, ["retries", "cycles"]),
    ({"cycles": 4000, "cache-misses": 0}, ["retries", "cycles", "cache_misses"])])
def test_queues_are_drawn_by_pairs_with_a_strip_for_all_that_was_counted(write, counters, strips):
    lines = make_records.records(full=True, rounds=6)
    for line in lines:
        for number, worker in enumerate(line["workers"]):
            worker.update(retries=number, **({"counters": counters} if counters else {}))
    analysis = summary.analyse(records.load(write([line for line in lines if line["mode"] == "throughput"])))
    with figures.style():
        (drawing,) = [one for one in sweeps.draw(figures.source_of(analysis)) if one.name == "throughput-queue-by-workers"]
    assert set(drawing.data["at"]) == {2, 4} and "bound/fetch_add" in set(drawing.data["variant"])
    panels = drawing.figure.axes
    assert [axes.get_ylabel().split("\n")[0] for axes in panels] == ["million operations per second"] + [
        sweeps.STRIPS[name] for name in strips]
    assert panels[-1].get_xlabel() == sweeps.PAIRS and {axes.get_xlim() for axes in panels} == {panels[0].get_xlim()}
    for axes, name in zip(panels[1:], strips):
        own = drawing.data[drawing.data["variant"] == make_records.DEFAULT]
        expected = own.groupby("at")[name].median()
        drawn = axes.get_lines()[0]
        assert list(drawn.get_xdata()) == [2, 4] and drawn.get_ydata() == pytest.approx(expected.to_numpy())
        assert sweeps.SAID[name] in drawing.caption
    assert set(drawing.data["cycles"].notna()) == {"cycles" in strips}


@pytest.mark.parametrize("factor", [0.3, 1.2, 1.55, 3])
@pytest.mark.parametrize("width", [base.SCREEN_IN, *paper.WIDTHS_IN])
def test_every_run_is_a_dot_on_its_axis_or_is_said_to_lie_beyond(write, factor, width):
    lines = [line for line in make_records.records(rounds=10) if line["mode"] == "throughput"]
    most = max(line["throughput"]["operations_per_s"] for line in lines if line["throughput"]
               and line["variant"] != "bound/fetch_add" and line["producers"] == 1)
    for line in lines:
        if line["variant"] == "bound/fetch_add":  # most of its runs lie within its factor, the last far out
            line["throughput"]["operations_per_s"] = most * factor * (0.9 + 0.01 * line["round"]) * (
                1.3 if line["round"] == 9 else 1)
    analysis = summary.analyse(records.load(write(lines)))
    with figures.style():
        (drawing,) = rows.draw(figures.source_of(analysis, width))
    said = 0
    for axes in (axes for axes in drawing.figure.axes if axes.get_yticklabels()):
        dots = np.concatenate([one.get_offsets() for one in axes.collections if isinstance(one, PathCollection)])
        assert (dots[:, 0] >= axes.get_xlim()[0]).all() and (dots[:, 0] <= axes.get_xlim()[1]).all()
        for bar in (one for one in axes.collections if isinstance(one, LineCollection) and len(one.get_segments()) == 1):
            assert bar.get_segments()[0][:, 0].max() <= axes.get_xlim()[1]
        beyond = [re.search(r"(\d+) runs", text.get_text()) for text in axes.texts if "\N{RIGHTWARDS ARROW}" in text.get_text()]
        said += len(beyond)
        names = [label.get_text() for label in axes.get_yticklabels()]
        here = drawing.data[drawing.data["workers"] == ("1P1C" if axes is drawing.figure.axes[0] else "2P2C")]
        assert len(dots) + sum(int(one[1]) for one in beyond) == len(here) and len(names) == here["variant"].nunique()
    assert said == (2 if factor >= 1.55 else 1)  # at 2P2C the rest is far slower


def test_round_trips_of_counters_lie_on_the_axis_too(write):
    lines = make_records.records(rounds=6)
    more = [dict(line, variant="bound/cas", cell=line["cell"].replace("cacheline", "cas")) for line in lines
            if line["variant"] == "bound/cacheline"]
    for line in more:
        line["latency"] = dict(line["latency"], p50_ns=1.5)
    source = figures.source_of(summary.analyse(records.load(write(lines + more))))
    with figures.style():
        (drawing,) = [one for one in rows.draw(source) if "pingpong" in one.name]
    low, high = drawing.figure.axes[0].get_xlim()
    assert low < 1.5 and drawing.data["p50_ns"].between(low, high).all()


@pytest.mark.parametrize("per_s, said", [(30e6, "fetch_add"), (200e6, "fetch_add 200 \N{UPWARDS ARROW}")])
def test_the_bound_of_a_sweep_is_a_line_or_is_said_at_the_top(write, per_s, said):
    lines = [line for line in make_records.records(full=True, rounds=6) if line["mode"] == "throughput"]
    for line in lines:
        if line["variant"] == "bound/fetch_add":
            line["throughput"]["operations_per_s"] = per_s
    with figures.style():
        (drawing,) = sweeps.draw(figures.source_of(summary.analyse(records.load(write(lines)))))
    axes = drawing.figure.axes[0]
    assert said in [text.get_text() for text in axes.texts]
    dashed = [line for line in axes.get_lines() if line.get_linestyle() == "--"]
    assert len(dashed) == (per_s < 1e8) and all(line.get_ydata().max() < axes.get_ylim()[1] for line in dashed)


WORKLOAD = {"think_ns": 0, "batch": 1, "push_percent": None, "mix": None, "keys": None, "filled_percent": None, "placement": None}


@pytest.mark.parametrize("axis, values, usual", [
    ("think_ns", (0, 100, 1000), {}), ("range_percent", (100, 200, 800), {"mix": "r100", "keys": "uniform"}),
    ("filled_percent", (10, 50, 90), {"mix": "r100", "keys": "uniform"}), ("batch", (1, 4, 64), {})])
def test_values_of_an_axis_stand_where_they_are_on_their_scale(write, axis, values, usual):
    lines = []
    for line in make_records.records(rounds=6):
        if line["mode"] == "throughput" and line["producers"] == 1 and line["kind"] == "variant":
            lines += [dict(line, cell=f"{line['cell']}/{value}", workload={**WORKLOAD, **usual, axis: value}) for value in values]
    with figures.style():
        (drawing,) = sweeps.draw(figures.source_of(summary.analyse(records.load(write(lines)))))
    axes = drawing.figure.axes[0]
    found = list(axes.get_xticks())
    scale = {"think_ns": lambda value: np.log2(1 + value / 10), "batch": np.log2}.get(axis, float)
    assert found == pytest.approx([scale(value) for value in values])
    assert [label.get_text() for label in axes.get_xticklabels()] == [ticks.plain(value) for value in values]
    assert axes.get_title(loc="left").replace("\n", " ") == ", ".join(["1P1C, 8 B, capacity 1024", *usual.values()]).replace("uniform", "uniform keys")


def test_loads_stand_at_their_values_and_the_closed_loop_apart():
    assert latency._load_places([0, 50, 80]) == ({0: 20, 50: 50, 80: 80}, 30)
    assert latency._load_places([0, 50]) == ({0: 49, 50: 50}, 1)
    assert latency._load_places([90, 10, 80]) == ({10: 10, 80: 80, 90: 90}, 10)


def test_no_name_beside_a_line_touches_the_next_panel(write, monkeypatch):
    more = {"queue/exchange/acq_rel/adaptive1024/compact": (1.0, 1.0), "queue/exchange/acq_rel/exp/padded": (1.0, 1.0)}
    monkeypatch.setattr(make_records, "VARIANTS", {**make_records.VARIANTS, **more})
    source = figures.source_of(summary.analyse(records.load(write(make_records.records(rounds=6)))))
    with figures.style():
        (drawing,) = latency.draw(source)
        renderer = drawing.figure.canvas.get_renderer()
        panels = [axes for axes in drawing.figure.axes if axes.get_title(loc="left")]
        assert len(panels) > 3
        named = [(text.get_text(), text.get_window_extent(renderer)) for axes in panels for text in axes.texts]
        numbers = [label.get_window_extent(renderer) for axes in panels for label in axes.get_yticklabels()]
    assert "adaptive1024" in [name for name, _ in named]
    assert [name for name, box in named if any(box.overlaps(other) for other in numbers)] == []


def test_an_interval_of_a_curve_lies_on_the_axis(demo):
    with figures.style():
        (drawing,) = latency.draw(figures.source_of(summary.analyse(records.load(demo))))
    low, high = drawing.figure.axes[0].get_ylim()
    drawn = drawing.data[["ns", "low", "high"]].to_numpy().ravel()
    drawn = drawn[~np.isnan(drawn)]
    assert len(drawn) > len(drawing.data) and low < drawn.min() and drawn.max() < high


def test_what_has_no_room_is_counted():
    assert base.left_out(0, "variants") == base.left_out(-3, "variants") == ""
    assert base.left_out(2, "variants") == " 2 more variants had no room here: their data is in the records."


def _swept():
    """Records of stacks by workers, with retries and counted misses; and of loads."""
    lines = []
    for line in make_records.records(rounds=6):
        if line["mode"] == "throughput" and line["variant"].startswith("queue/") and line["producers"] == 1:
            for workers in (1, 2, 4):
                name = line["variant"].replace("queue/exchange", "stack/treiber").replace("queue/", "stack/")
                more = [dict(one, role="worker", retries=workers * 10, counters={"cycles": 1000, "cache-misses": 7})
                        for one in (line["workers"] * 2)[:workers]]
                lines.append(dict(line, variant=name, producers=workers, consumers=0, workers=more,
                                  cell=line["cell"].replace("1P1C", f"{workers}W").replace(line["variant"], name),
                                  oversubscribed=workers > 2, intervals={"length_ns": 1e7, "operations": [5, 6, 7, 8],
                                                                         "steady": True, "steady_from": 1}))
        if line["mode"] == "pingpong" and line["kind"] == "variant" and line["latency"]:
            for percent in (0, 50):
                load = {"percent": percent, "arrivals": "poisson" if percent else None}
                lines.append(dict(line, mode="latency", load=load, latency_uncorrected=line["latency"] if percent else None,
                                  cell=line["cell"].replace("pingpong", "latency") + f"/{percent}"))
    return lines


def test_sweeps_loads_and_timelines_are_drawn_where_they_were_measured(write):
    folder = records.load(write(_swept()))
    source = figures.source_of(summary.analyse(folder))
    with figures.style():
        drawn = {one.name: one for one in figures.drawings(source)}
    assert {"throughput-stack-by-workers", "timeline-stack-1W-8B-cap1024-100ms", "timeline-stack-4W-8B-cap1024-100ms",
            "fairness-stack-4W-8B-cap1024-100ms", "load-queue-1P1C-8-B-capacity-1024",
            "latency-queue-latency-1P1C-8B-cap1024-100ms-closed-loop"} <= set(drawn)
    by_workers = drawn["throughput-stack-by-workers"].data
    assert sorted(set(by_workers["at"])) == [1, 2, 4]
    assert (by_workers["retries"] > 0).all()
    both = drawn["latency-queue-latency-1P1C-8B-cap1024-100ms-closed-loop"].data
    assert set(both[both["panel"] == "load 50%"]["corrected"]) == {True, False}
    assert set(both[both["panel"] == "closed loop"]["corrected"]) == {True}
    cells = drawn["cells-stack-throughput-all"].data
    assert (cells["cache_misses"] > 0).all() and (cells["cycles"] > 0).all()
    assert set(drawn["timeline-stack-1W-8B-cap1024-100ms"].data["ms"]) == {5, 15, 25, 35}


def test_paper_figures_have_their_width_and_embedded_fonts(demo, tmp_path):
    analysis = summary.analyse(records.load(demo))
    with figures.style(paper=True):
        for width in paper.WIDTHS_IN:
            drawing = next(figures.policy.draw(figures.source_of(analysis, width)))
            paper._save(drawing, width, tmp_path / "one.pdf")
            content = (tmp_path / "one.pdf").read_bytes()
            box = [float(one) for one in re.search(rb"/MediaBox \[ ([\d. ]+) \]", content)[1].split()]
            assert box[2] / 72 == pytest.approx(width, rel=0.02)
            assert b"FontFile2" in content and b"/Type3" not in content


@pytest.mark.parametrize("width", paper.WIDTHS_IN)
@pytest.mark.parametrize("family", [rows, cores])
def test_every_run_and_the_heatmap_fit_a_paper_and_no_words_touch(demo, tmp_path, family, width):
    with figures.style(paper=True):
        drawn = list(family.draw(figures.source_of(summary.analyse(records.load(demo)), width)))
        assert [one.name.split("-")[0] for one in drawn] == (["cores"] if family is cores else ["cells", "cells"])
        for drawing in drawn:
            paper._save(drawing, width, tmp_path / "one.pdf")
            content = (tmp_path / "one.pdf").read_bytes()
            box = [float(one) for one in re.search(rb"/MediaBox \[ ([\d. ]+) \]", content)[1].split()]
            assert box[2] / 72 == pytest.approx(width, rel=0.02)
            assert b"FontFile2" in content and b"/Type3" not in content
            words = [text for text in drawing.figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
            renderer = drawing.figure.canvas.get_renderer()
            boxes = [(text.get_text(), text.get_window_extent(renderer).padded(-1)) for text in words]
            touching = [(one, other) for place, (one, mine) in enumerate(boxes) for other, theirs in boxes[place + 1:]
                        if mine.overlaps(theirs)]
            assert len(words) > 8 and touching == []


@pytest.mark.parametrize("count", [2, 12, 16, 40])
@pytest.mark.parametrize("width", [*paper.WIDTHS_IN, base.SCREEN_IN])
def test_the_heatmap_has_numbers_one_can_read_or_a_scale(count, width):
    layout = cores._layout(figures.Source(None, None, {}, width), count, 800)
    left, _, square = layout.heatmap
    assert layout.number_pt == 0 or layout.number_pt >= cores.LEAST_PT and count <= cores.ROOMY
    assert layout.number_pt * 0.64 * 3 / 72 <= square / count  # three figures and room beside them
    assert layout.number_pt > 0 or count > 12
    assert left + square + (0 if layout.number_pt else 0.7) <= layout.width and layout.spread[2] > 1


def test_ticks_that_would_touch_are_left_out_and_the_one_to_keep_stays():
    axes = base.new_figure(0.6, 1).add_axes((0, 0.3, 1, 0.7))
    axes.set_xscale("log")
    axes.set_xlim(0.1, 30)
    ticks.fixed(axes.xaxis, [0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 30])
    ticks.thin(axes, 6, keep=1)
    found = list(axes.xaxis.get_majorticklocs())
    assert 1 in found and 2 <= len(found) < 6 and found == sorted(found)


def test_bounds_that_pass_items_on_are_told_apart():
    names = ("bound/pipe", "bound/unix_socket", "bound/posix_mq")
    looks = figures.looks_of(pd.DataFrame({"variant": names, "structure": "bound", "is_default": False}))
    assert len({(looks[name].colour, looks[name].marker) for name in names}) == 3


def test_the_median_curve_of_curves_with_the_same_fractions():
    curves = [[(0.5, 10.0 * k), (0.9, 20.0 * k), (0.99, 40.0 * k)] for k in (1, 2, 3)]
    curve = latency.median_curve(curves)
    assert curve["ns"].to_numpy() == pytest.approx([20, 40, 80])
    assert list(curve["runs"]) == [3, 3, 3]


def test_the_median_curve_interpolates_between_fractions_and_not_beyond():
    curves = [[(0.5, 10.0), (0.99, 1000.0)], [(0.5, 10.0), (0.9, 10.0), (0.99, 10.0), (0.999, 5.0)],
              [(0.5, 10.0), (0.99, 10.0)]]
    curve = latency.median_curve(curves).set_index("fraction")
    assert list(curve.index) == [0.5, 0.9, 0.99]  # one run of three reaches 0.999
    assert list(curve["runs"]) == [3, 3, 3]
    position = np.log(5) / np.log(50)  # of 0.9 between 0.5 and 0.99, in log 1/(1-p)
    two = latency.median_curve(curves[:1] + curves[:1] + curves[2:]).set_index("fraction")
    assert two.loc[0.99, "ns"] == pytest.approx(1000)
    mixed = latency.median_curve([curves[0], [(0.9, 7.0), (0.99, 7.0)]]).set_index("fraction")
    assert mixed.loc[0.9, "ns"] == pytest.approx(np.sqrt(7 * 10 * 100 ** position))


@pytest.mark.parametrize("fraction, text", [(0.5, "50%"), (0.9, "90%"), (0.999, "99.9%"), (0.9999, "99.99%"),
                                            (0.99999, "99.999%"), (0.9999999, "99.99999%")])
def test_percentiles(fraction, text):
    assert ticks.percent(fraction) == text
