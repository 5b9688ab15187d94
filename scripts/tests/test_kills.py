"""Kills: the table of what a death cost the survivors."""

from __future__ import annotations

import io
import random

import make_records
from zeroipc_report import __main__ as command
from zeroipc_report import kills, records, summary, tables

DEFAULT = make_records.DEFAULT
TICKET = "queue/ticket/acq_rel/exp/compact"


def _kill(variant, round_, **more):
    """A record of a kill cell, of which `more` names what differs."""
    of = {"before": 4e6, "after": 2e6, "gap": 3e6, "stuck": [], "intact": True, "recovery": 250_000.0, "inside": "push",
          **more}
    record = make_records.record(("throughput", variant, "1P1C"), round_, 0, None, random.Random(round_))
    record.update({
        "mode": "kill", "cell": f"kill/{variant}/{of.get('victim')}", "throughput": None, "window_ns": 300_000_000,
        "workload": {"think_ns": 0, "batch": 1, "victim": of.get("victim")},
        "kill": {
            "claims_kill_safety": variant == DEFAULT, "inside": of["inside"], "intact": of["intact"],
            "survivors": {"before_per_s": of["before"], "after_per_s": of["after"], "gap_before_ns": 1e6,
                          "gap_after_ns": of["gap"], "stuck": of["stuck"]},
            "newcomer": {"open_ns": None if of["recovery"] is None else 25_000.0, "recovery_ns": of["recovery"]},
        }})
    return record


def _rows(folder):
    groups = kills.texts(records.load(folder).frame)
    return [(group["point"], row) for group in groups for row in group["rows"]]


def test_a_row_has_medians_with_intervals_and_the_default_comes_first(write):
    stuck = [{"role": "worker", "index": 0, "how": "refused"}]
    lines = [_kill(DEFAULT, n, before=4e6 + n, after=(2 + n / 10) * 1e6) for n in range(7)]
    lines += [_kill(TICKET, n, stuck=stuck if n < 2 else [], intact=n >= 2, after=0 if n < 2 else 3e6,
                    recovery=None if n < 2 else 400_000.0, inside="none" if n == 6 else "pop") for n in range(7)]
    (point, first), (same, second) = _rows(write(lines))
    assert point == same == "1P1C, 8 B, capacity 1024"
    assert first["variant"] == f"{DEFAULT} (default)"
    assert (first["promise"], second["promise"]) == ("kill-safe", "none")
    assert first["before"] == "4.00 [4.00, 4.00]"
    assert first["after"] == "2.30 [2.00, 2.60]"
    assert first["ratio"].startswith("0.575 [0.500, 0.650")
    assert first["gap"] == "3.00 [3.00, 3.00] (1.00)"
    assert first["recovery"] == "0.250 [0.250, 0.250] (25.0)"
    assert (first["stuck"], first["intact"], first["inside"]) == ("0 of 7", "7 of 7", "7 of 7")
    assert (second["stuck"], second["intact"], second["inside"]) == ("2 of 7", "5 of 7", "6 of 7")
    assert second["recovery"] == "0.400 (25.0)"  # of the five runs that recovered: too few for an interval


def test_what_is_not_known_is_a_dash_and_what_failed_is_left_out(write):
    lost = _kill(DEFAULT, 0, before=None, after=None, recovery=None)
    failed = _kill(TICKET, 0)
    failed.update({"kill": None, "status": "failed", "error": "worker 1 is stuck", "verification": None})
    rows = _rows(write([lost, failed]))
    assert [row["variant"] for _, row in rows] == [f"{DEFAULT} (default)"]
    assert (rows[0][1]["before"], rows[0][1]["ratio"], rows[0][1]["recovery"]) == ("-", "-", "- (-)")


def test_victims_are_points_of_their_own_and_kills_are_not_judged(write):
    folder = write([_kill(name, n, victim=victim) for n in range(7) for name in (DEFAULT, TICKET)
                    for victim in ("producer", "consumer")])
    assert {point for point, _ in _rows(folder)} == {
        "1P1C, 8 B, capacity 1024, a producer killed", "1P1C, 8 B, capacity 1024, a consumer killed"}
    assert summary.comparisons(records.load(folder).frame) == []


def test_the_page_and_the_terminal_have_the_table(write, capsys):
    folder = write([_kill(DEFAULT, n) for n in range(3)])
    assert command.main([str(folder), "--quiet"]) == 0
    capsys.readouterr()
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert 'id="kills"' in page and "Behind / before" in page and "0.500" in page
    stream = io.StringIO()
    tables.show(summary.analyse(records.load(folder)), stream)
    assert "Kills, 1P1C, 8 B, capacity 1024" in stream.getvalue()
    assert "3 of 3" in stream.getvalue()


def test_without_kills_nothing_is_said_of_them(demo):
    assert kills.texts(records.load(demo).frame) == []
    assert 'id="kills"' not in (demo / "report.html").read_text(encoding="utf-8")
