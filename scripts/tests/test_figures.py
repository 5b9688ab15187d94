"""What the figures show, by their data; how they look is for eyes."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from conftest import DEMO
from zeroipc_report import figures, records

FIGURES = ("throughput-queue-8B-cap1024-100ms", "latency-queue-1P1C-8B-cap1024-100ms", "ratios-throughput",
           "ratios-pingpong", "runs-throughput", "runs-pingpong")
GOLDEN = DEMO.parent / "golden"


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_saved_with_its_data(demo, name):
    for suffix in ("png", "svg", "csv"):
        assert (demo / "figures" / f"{name}.{suffix}").stat().st_size > 100


@pytest.mark.parametrize("name", ["ratios-throughput", "ratios-pingpong", "latency-queue-1P1C-8B-cap1024-100ms"])
def test_the_data_is_that_of_the_golden_file(demo, name):
    found = pd.read_csv(demo / "figures" / f"{name}.csv")
    golden = pd.read_csv(GOLDEN / f"{name}.csv")
    # Not to the byte: another release of numpy may round in another place.
    pd.testing.assert_frame_equal(found, golden, rtol=1e-6)


def test_every_usable_run_is_a_row(demo):
    usable = records.load(DEMO).usable
    for mode in ("throughput", "pingpong"):
        assert len(pd.read_csv(demo / "figures" / f"runs-{mode}.csv")) == (usable["mode"] == mode).sum()


def test_the_bounds_stand_beside_the_variants(demo):
    data = pd.read_csv(demo / "figures" / "throughput-queue-8B-cap1024-100ms.csv")
    for workers in ("1P1C", "2P2C"):
        here = set(data[data["workers"] == workers]["variant"])
        assert {"bound/fetch_add", "bound/pipe"} <= here
    assert set(data[data["oversubscribed"]]["workers"]) == {"2P2C"}


def test_text_stays_text_and_identifiers_are_the_figures_own(demo):
    drawn = figures.draw_all(records.load(demo))
    identifiers = set()
    for one in drawn:
        assert "<text" in one.svg and "queue/mutex/-/none/compact" in one.svg
        own = {part.split('"')[0] for part in one.svg.split(' id="')[1:]}
        assert own and not own & identifiers
        identifiers |= own


def test_figures_are_the_same_each_time(demo):
    first = (demo / "figures" / "ratios-throughput.svg").read_bytes()
    figures.draw_all(records.load(demo))
    assert (demo / "figures" / "ratios-throughput.svg").read_bytes() == first


def test_a_variant_looks_the_same_everywhere_and_unlike_the_others():
    looks = figures.looks_of(records.load(DEMO).frame)
    seen = [(look.colour, look.marker) for look in looks.values()]
    assert len(seen) == len(set(seen)) + 1  # two bounds are black: one is never drawn where the other is
    assert looks["queue/exchange/acq_rel/exp/compact"].colour == figures.DEFAULT_COLOUR


def test_bounds_that_pass_items_on_are_told_apart():
    names = ("bound/pipe", "bound/unix_socket", "bound/posix_mq")
    looks = figures.looks_of(pd.DataFrame({"variant": names, "is_default": False}))
    assert len({(looks[name].colour, looks[name].marker) for name in names}) == 3


def test_the_median_curve_of_curves_with_the_same_fractions():
    curves = [[(0.5, 10.0 * k), (0.9, 20.0 * k), (0.99, 40.0 * k)] for k in (1, 2, 3)]
    curve = figures.median_curve(curves)
    assert curve["ns"].to_numpy() == pytest.approx([20, 40, 80])
    assert list(curve["runs"]) == [3, 3, 3]


def test_the_median_curve_interpolates_between_fractions_and_not_beyond():
    curves = [[(0.5, 10.0), (0.99, 1000.0)], [(0.5, 10.0), (0.9, 10.0), (0.99, 10.0), (0.999, 5.0)],
              [(0.5, 10.0), (0.99, 10.0)]]
    curve = figures.median_curve(curves).set_index("fraction")
    assert list(curve.index) == [0.5, 0.9, 0.99]  # one run of three reaches 0.999
    assert list(curve["runs"]) == [3, 3, 3]
    position = np.log(5) / np.log(50)  # of 0.9 between 0.5 and 0.99, in log 1/(1-p)
    two = figures.median_curve(curves[:1] + curves[:1] + curves[2:]).set_index("fraction")
    assert two.loc[0.99, "ns"] == pytest.approx(1000)
    mixed = figures.median_curve([curves[0], [(0.9, 7.0), (0.99, 7.0)]]).set_index("fraction")
    assert mixed.loc[0.9, "ns"] == pytest.approx(np.sqrt(7 * 10 * 100 ** position))


@pytest.mark.parametrize("fraction, text", [(0.5, "50%"), (0.9, "90%"), (0.999, "99.9%"), (0.9999, "99.99%"),
                                            (0.99999, "99.999%"), (0.9999999, "99.99999%")])
def test_percentiles(fraction, text):
    assert figures.percent(fraction) == text


def test_latency_is_drawn_where_it_was_measured(tmp_path):
    lines = [json.loads(line) for line in (DEMO / "records.jsonl").read_text().splitlines()]
    timed = [dict(line, mode="latency", cell=line["cell"].replace("pingpong", "latency"), workload=None,
                  load={"percent": 50, "arrivals": "poisson"})
             for line in lines if line["mode"] == "pingpong" and line["kind"] == "variant"]
    (tmp_path / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines + timed))
    drawn = {one.name: one for one in figures.draw_all(records.load(tmp_path))}
    assert "latency-queue-1P1C-8B-cap1024-100ms-poisson-arrivals-at-50" in drawn
    assert "from the moment when an operation was due" in drawn[
        "latency-queue-1P1C-8B-cap1024-100ms-poisson-arrivals-at-50"].caption
    assert not drawn["ratios-latency"].missing
    assert not drawn["runs-latency"].missing
