"""A pack holds all that its figures come from, is the same bytes each time, and redraws byte for byte."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile

import make_records
import pytest
import runs
from zeroipc_results import ResultsError, pack
from zeroipc_results.__main__ import main


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A run, its pack, and the pack's manifest."""
    folder = tmp_path_factory.mktemp("pack")
    lines = [line for line in make_records.records(rounds=6) if line["mode"] == "pingpong"]
    run = runs.write(folder / runs.MACHINE / "run", lines)
    (run / "topology.xml").write_text("<topology/>\n", encoding="utf-8")
    return run, folder / "pack.tar.gz", pack.write(run, folder / "pack.tar.gz")


def names(archive):
    with tarfile.open(archive) as opened:
        return {member.name.split("/", 1)[1]: member for member in opened.getmembers()}


def test_all_that_is_needed_is_in_it(packed):
    run, archive, manifest = packed
    found = names(archive)
    assert {"run/records.jsonl", "run/environment.json", "run/topology.xml", "suite.toml", "redraw", "manifest.json",
            "scripts/zeroipc_report/__main__.py"} <= set(found)
    assert manifest["seed"] == make_records.SEED and manifest["build"]["flags"] == "-O3 -DNDEBUG"
    assert manifest["build"]["revision"] == "0123456789ab" and "suite.toml" in manifest["suite"]
    assert set(manifest["files"]) == set(found) - {"manifest.json"} and len(manifest["figures"]) >= 2


@pytest.mark.parametrize("machine, inside", [(runs.MACHINE, True), ("another", False)])
def test_what_the_machine_can_resolve_is_in_it(tmp_path, monkeypatch, machine, inside):
    run = runs.write(tmp_path / runs.MACHINE / "run", runs.drifting({make_records.DEFAULT: 1}))
    beside = run.parent / "resolution.json"
    beside.write_text(json.dumps({"schema": "zeroipc-resolution/1", "machine": machine}), encoding="utf-8")
    monkeypatch.setattr(pack, "redraw", lambda stage: {})
    pack.write(run, tmp_path / "pack.tar.gz")
    found = names(tmp_path / "pack.tar.gz")
    assert ("run/resolution.json" in found) == inside
    beside.write_text(beside.read_text(encoding="utf-8").replace("}", ', "where": "/home/someone"}'), encoding="utf-8")
    if inside:
        with pytest.raises(ResultsError, match="whose machine"):
            pack.write(run, tmp_path / "pack.tar.gz")
    # The run's own comes first.
    (run / "resolution.json").write_text(json.dumps({"schema": "zeroipc-resolution/1", "machine": runs.MACHINE, "own": 1}),
                                         encoding="utf-8")
    pack.write(run, tmp_path / "pack.tar.gz")
    with tarfile.open(tmp_path / "pack.tar.gz") as opened:
        (member,) = [one for one in opened.getmembers() if one.name.endswith("/run/resolution.json")]
        assert json.loads(opened.extractfile(member).read())["own"] == 1


def test_the_same_run_gives_the_same_bytes_and_no_time_or_owner(packed, tmp_path, monkeypatch):
    run, archive, manifest = packed
    monkeypatch.setattr(pack, "redraw", lambda stage: manifest["figures"])  # drawn once, by the fixture
    pack.write(run, tmp_path / "again.tar.gz")
    assert (tmp_path / "again.tar.gz").read_bytes() == archive.read_bytes()
    assert all((one.mtime, one.uid, one.uname) == (0, 0, "") for one in names(archive).values())


def test_it_redraws_byte_for_byte(packed, tmp_path, capsys):
    _, archive, manifest = packed
    assert main(["redraw", str(archive), "--into", str(tmp_path)]) == 0
    assert f"{len(manifest['figures'])} figures redrawn, the same byte for byte" in capsys.readouterr().out
    (drawn,) = tmp_path.glob("*/run/figures")
    assert {path.name for path in drawn.glob("*.svg")} == set(manifest["figures"])


def altered(archive, target, edit):
    """The pack with its files, by name, edited."""
    with tarfile.open(archive) as old, tarfile.open(target, "w:gz") as new:
        for member in old.getmembers():
            data = edit(member.name.split("/", 1)[1], old.extractfile(member).read())
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    return target


def test_records_that_were_touched_are_noticed_before_anything_is_run(packed, tmp_path, monkeypatch):
    _, archive, _ = packed
    touched = altered(archive, tmp_path / "touched.tar.gz", lambda name, data: data
                      if name != "run/records.jsonl" else data.replace(b'"p50_ns":2', b'"p50_ns":3'))
    monkeypatch.setattr(pack, "redraw", lambda stage: pytest.fail("it was run"))
    assert pack.verify(touched, tmp_path)[0] == ["run/records.jsonl is not what was packed"]


def test_a_figure_that_differs_and_the_library_that_may_be_why_are_named(packed, tmp_path, monkeypatch):
    _, archive, manifest = packed
    first = sorted(manifest["figures"])[0]

    def edit(name, data):
        if name != "manifest.json":
            return data
        known = json.loads(data)
        known["libraries"]["matplotlib"] = "1.0"
        return json.dumps(known).encode()

    other = altered(archive, tmp_path / "other.tar.gz", edit)
    monkeypatch.setattr(pack, "redraw", lambda stage: {**manifest["figures"], first: "0" * 64})
    differing, _ = pack.verify(other, tmp_path)
    assert differing[0] == f"figure {first} differs from the one packed"
    assert differing[1].startswith("matplotlib was 1.0, here it is ")


@pytest.mark.parametrize("name", ["../outside", "/absolute/outside"])
def test_a_path_that_leads_outside_is_not_unpacked(tmp_path, name):
    with tarfile.open(tmp_path / "evil.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    with pytest.raises(ResultsError, match="lead outside"):
        pack.verify(tmp_path / "evil.tar.gz", tmp_path / "into")


def test_what_is_no_pack_is_said(tmp_path, capsys):
    (tmp_path / "no.tar.gz").write_bytes(b"nothing")
    assert main(["redraw", str(tmp_path / "no.tar.gz")]) == 1
    assert "cannot be unpacked" in capsys.readouterr().err


def test_a_run_that_says_whose_it_is_is_not_packed(tmp_path):
    run = runs.write(tmp_path / runs.MACHINE / "run", runs.drifting({make_records.DEFAULT: 1}),
                     build={"flags": "-I/home/someone/include"})
    with pytest.raises(ResultsError, match="whose machine"):
        pack.write(run, tmp_path / "pack.tar.gz")
    assert not (tmp_path / "pack.tar.gz").exists()


def test_the_command_in_it_is_a_shell_s(packed, tmp_path):
    (tmp_path / "redraw").write_text(pack.REDRAW, encoding="utf-8")
    assert subprocess.run(["sh", "-n", str(tmp_path / "redraw")], check=False).returncode == 0
