"""The self-test with the real harness, and windows so short that only the structure of its answers is looked at; and
the simulation of its page in full.

ctest calls it with ZEROIPC_HARNESS, the program zeroipc-bench.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
from conftest import SCRIPTS
from zeroipc_report import records, selftest, simulation, stats

SCHEMAS = SCRIPTS.parent / "results" / "schema"


def _validator(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads((SCHEMAS / name).read_text(encoding="utf-8")))


def test_a_self_test_from_end_to_end(tmp_path: Path, capsys):
    folder = tmp_path / "machine" / "selftest"
    folder.mkdir(parents=True)
    status = selftest.main([str(folder), "--harness", os.environ["ZEROIPC_HARNESS"], "--tries", "2", "--rounds", "6",
                            "--window-ms", "5", "--percents", "50,100"])
    known = json.loads((folder / "resolution.json").read_text(encoding="utf-8"))
    _validator("resolution.schema.json").validate(known)
    assert (known["tries"], known["rounds"], known["window_ns"]) == (2, 6, 5_000_000)
    assert [case["case"] for case in known["cases"]] == ["single worker", "contended counter", "default queue, 1P1C"]
    for case in known["cases"]:
        assert case["cost_ns"] > 0 and case["aa"]["tries"] == 2 and case["resolution_percent"] == "unknown"
        assert all(rung["ratio"] == "unknown" or rung["ratio"] > 0 for rung in case["ladder"])
        # The handicaps were planned from what calibration found, 32 operations a look.
        half, whole = (rung["handicap_ns"] for rung in case["ladder"])
        assert 1.99 < whole / half < 2.01

    # On a crowded machine a worker may get no CPU for so long; nothing else may go wrong.
    errors = [error for number in (1, 2) for error in records.load(folder / f"try-0{number}").frame["error"].dropna()]
    assert set(errors) <= {"no operation succeeded in the window"}
    assert status == (1 if errors else 0)
    frame = records.load(folder / "try-02").frame
    cells = frame.groupby("cell").size()
    assert len(cells) == 3 * (2 + 2) and set(cells) == {6}
    for line in (folder / "try-02" / "records.jsonl").read_text(encoding="utf-8").splitlines():
        _validator("record.schema.json").validate(json.loads(line))
    assert "The resolution of this machine: " in capsys.readouterr().out


def test_the_page_shows_what_the_simulation_finds():
    page = (SCRIPTS.parent / "bench" / "docs" / "resolution.md").read_text(encoding="utf-8")
    assert simulation.renewed(page) == page, "scripts/selftest --rule writes the tables again"
    for n in (6, 10, 20, 30):
        assert f"{stats.coverage(n) * 100:.1f}%" in page
