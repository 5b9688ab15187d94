"""Privacy: what is kept says nothing of whose machine it is of; what would, is stripped or refused."""

from __future__ import annotations

import getpass
import json
import subprocess

import make_records
import pytest
import runs
from conftest import SCRIPTS
from zeroipc_results import ResultsError, keep, privacy
from zeroipc_results.__main__ import main

ROOT = SCRIPTS.parent
XML = '<?xml version="1.0"?>\n<topology><object type="Machine"><info name="{}" value="{}"/></object></topology>\n'
WORKER_ERROR = "consumer 0: cannot map /dev/shm/zeroipc-bench-1 (no memory)"


@pytest.fixture
def folder(tmp_path):
    """A run in a repository of its own that ignores runs as this one does; it obeys the schemas."""
    results = tmp_path / "results"
    run = runs.write(results / runs.MACHINE / "run", runs.drifting({make_records.DEFAULT: 1}), clock_source="tsc",
                     cpu={"smt": "unknown"}, build={"version": "12", "sanitizers": "none"},
                     suite={"cells": 1, "windows_ns": [100_000_000], "finished": True},
                     clock={"ticks_per_ns": 2.5, "floor_ns": 12})
    (run / "topology.xml").write_text(XML.format("OSName", "Linux"), encoding="utf-8")
    (run / "report.html").write_text("<html>", encoding="utf-8")
    benchmark = {"context": {"host_name": "buildbox", "executable": "/home/someone/zeroipc-bench"}, "benchmarks": []}
    (run / "benchmark.json").write_text(json.dumps(benchmark), encoding="utf-8")
    (tmp_path / ".gitignore").write_text("/results/*/*/\n", encoding="utf-8")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return run


def change(folder, name, edit):
    path = folder / name
    known = json.loads(path.read_text(encoding="utf-8"))
    edit(known)
    path.write_text(json.dumps(known), encoding="utf-8")


def test_keeping_strips_checks_and_adds_the_records_but_not_the_report(folder):
    assert keep.tracked(folder.parents[1]) == []
    kept = keep.keep(folder)
    assert kept.stripped == ["benchmark.json"] and kept.validated
    assert [name for name, _ in kept.files] == ["records.jsonl", "environment.json", "topology.xml", "benchmark.json"]
    assert keep.tracked(folder.parents[1]) == [f"{runs.MACHINE}/run"]
    listed = subprocess.run(["git", "-C", str(folder), "ls-files"], capture_output=True, text=True, check=True).stdout
    assert "report.html" not in listed and "records.jsonl" in listed
    assert json.loads((folder / "benchmark.json").read_text(encoding="utf-8"))["context"] == {
        "host_name": "unknown", "executable": "zeroipc-bench"}


def test_the_report_and_what_the_machine_can_resolve_are_offered_and_added_where_asked_for(folder, capsys):
    known = SCRIPTS.parent / "results" / "intel-xeon-2c-1n-ebe5413a" / "resolution.json"
    beside = folder.parent / "resolution.json"
    beside.write_text(known.read_text(encoding="utf-8").replace(known.parent.name, runs.MACHINE), encoding="utf-8")
    assert main(["keep", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "not added: report.html; --report adds it" in out and "not added: ../resolution.json; --resolution adds it" in out
    assert main(["keep", str(folder), "--report", "--resolution"]) == 0
    out = capsys.readouterr().out
    assert "added: report.html" in out and "added: ../resolution.json" in out and "not added" not in out
    listed = subprocess.run(["git", "-C", str(folder.parents[1]), "ls-files"], capture_output=True, text=True, check=True).stdout
    assert f"{runs.MACHINE}/resolution.json" in listed and "run/report.html" in listed


def test_what_was_asked_for_and_is_not_there_or_is_not_fit_is_refused(folder):
    with pytest.raises(ResultsError, match="scripts/selftest makes it"):
        keep.keep(folder, more=[privacy.OF_MACHINE])
    for machine, message in (("another", f"is not of {runs.MACHINE}"), (runs.MACHINE, "resolution.json, document 1")):
        known = {"schema": "zeroipc-resolution/1", "machine": machine}
        (folder.parent / "resolution.json").write_text(json.dumps(known), encoding="utf-8")
        with pytest.raises(ResultsError, match=message):
            keep.keep(folder, more=[privacy.OF_MACHINE])
    assert keep.tracked(folder.parents[1]) == []


@pytest.mark.parametrize("html, found", [
    ("<p>built in /home/someone/build</p>", True), ('<p title="of Buildbox">x</p>', True), ("<!-- /home/someone -->", True),
    ("<td>queue/mutex/-/-/compact</td><a href='#x'>1 / 2</a>", False),
    ("<style>/* /a/b */</style><script>const at = /a/b/c;</script>", False),
    ('<svg xmlns="http://www.w3.org/2000/svg"><image href="data:image/png;base64, /9j/4AAQ/x"/></svg>', False)])
def test_a_report_is_looked_through(folder, html, found, monkeypatch):
    monkeypatch.setattr(privacy.socket, "gethostname", lambda: "buildbox.example.org")
    (folder / "report.html").write_text(f"<html><body>{html}</body></html>", encoding="utf-8")
    if not found:
        assert ("report.html" in [name for name, _ in keep.keep(folder, more=["report.html"]).files])
        return
    with pytest.raises(ResultsError, match="report.html, line 1: "):
        keep.keep(folder, more=["report.html"])
    assert keep.keep(folder).offered == ["report.html"]


def test_records_that_are_clean_stay_as_they_are_byte_for_byte(folder):
    before = (folder / "records.jsonl").read_bytes()
    keep.keep(folder)
    assert (folder / "records.jsonl").read_bytes() == before


def test_private_keys_are_stripped_wherever_they_are(folder):
    change(folder, "environment.json", lambda known: (known.update(user="someone"),
                                                      known["os"].update(nodename="buildbox")))
    assert keep.keep(folder).stripped == ["environment.json", "benchmark.json"]
    text = (folder / "environment.json").read_text(encoding="utf-8")
    assert "someone" not in text and "buildbox" not in text and "6.1.0" in text


@pytest.mark.parametrize("flags", ["-O3 -I/home/someone/include", "-fdebug-prefix-map=/build/dir=.", "-L~/lib",
                                   "-I/opt/vendor/include"])
def test_a_path_is_refused_and_named(folder, flags):
    change(folder, "environment.json", lambda known: known["build"].update(flags=flags))
    with pytest.raises(ResultsError) as caught:
        keep.keep(folder)
    assert "environment.json, build flags" in str(caught.value) and "--allow" in str(caught.value)
    assert keep.tracked(folder.parents[1]) == []
    assert keep.keep(folder, allowed=[flags]).files


@pytest.mark.parametrize("text", ["-O3 -DNDEBUG", "queue/exchange/acq_rel/exp/compact", WORKER_ERROR,
                                  "/sys/devices/system/cpu", "2/3/4", "1 / 2", "gcc 12.2.0"])
def test_what_is_no_private_path_passes(folder, text):
    change(folder, "environment.json", lambda known: known["build"].update(compiler=text))
    assert keep.keep(folder).files


@pytest.mark.parametrize("where", ["xml", "record", "environment"])
def test_this_host_s_and_user_s_names_are_found_wherever_they_are(folder, where, monkeypatch):
    monkeypatch.setattr(privacy.socket, "gethostname", lambda: "buildbox.example.org")
    monkeypatch.setattr(getpass, "getuser", lambda: "someone")
    if where == "xml":
        (folder / "topology.xml").write_text(XML.format("Comment", "of Buildbox"), encoding="utf-8")
    elif where == "record":
        with (folder / "records.jsonl").open("a", encoding="utf-8") as stream:
            line = runs.line(make_records.DEFAULT, "pingpong", 99, 200.0)
            stream.write(json.dumps({**line, "error": "no room for someone"}) + "\n")
    else:
        change(folder, "environment.json", lambda known: known["os"].update(kernel="6.1.0-buildbox"))
        # A name inside another word says nothing: it might be part of any.
        assert keep.keep(folder).files
        change(folder, "environment.json", lambda known: known["os"].update(kernel="6.1.0 (someone@buildbox)"))
    with pytest.raises(ResultsError, match="says whose machine"):
        keep.keep(folder)


def test_a_dry_run_changes_nothing_and_still_refuses(folder, capsys):
    before = (folder / "benchmark.json").read_bytes()
    assert main(["keep", str(folder), "--dry-run"]) == 1
    assert "benchmark.json, context executable" in capsys.readouterr().err
    assert (folder / "benchmark.json").read_bytes() == before
    (folder / "benchmark.json").unlink()
    assert main(["keep", str(folder), "--dry-run"]) == 0
    assert "would add: records.jsonl" in capsys.readouterr().out and keep.tracked(folder.parents[1]) == []


def test_a_run_that_does_not_obey_the_schema_is_refused(folder):
    change(folder, "environment.json", lambda known: known["cpu"].update(smt="perhaps"))
    with pytest.raises(ResultsError, match="environment.json, document 1, cpu/smt"):
        keep.keep(folder)


def test_a_run_in_another_machine_s_folder_is_refused(folder):
    moved = folder.parent.parent / "another-machine"
    folder.parent.rename(moved)
    with pytest.raises(ResultsError, match=f"is of {runs.MACHINE}"):
        keep.keep(moved / "run")


def test_a_torn_run_is_refused(folder):
    with (folder / "records.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"torn": ')
    with pytest.raises(ResultsError, match="cut short is not fit to be kept"):
        keep.keep(folder)


def test_what_this_repository_tracks_says_nothing_of_whose_it_is():
    tracked = subprocess.run(["git", "-C", str(ROOT), "ls-files", "results", "scripts/tests/data"], capture_output=True,
                             text=True, check=False).stdout.splitlines()
    folders = sorted({(ROOT / name).parent for name in tracked if name.endswith(("records.jsonl", "environment.json"))})
    files = [*privacy.FILES, privacy.REPORT, privacy.OF_MACHINE]
    assert [finding for folder in folders for finding in privacy.findings(folder, files=files)] == []
    if (ROOT / ".git").exists():
        assert SCRIPTS / "tests" / "data" / "demo" in folders
