"""The page and the terminal, through the command."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import make_records
import pytest
from conftest import SCRIPTS
from zeroipc_report import __main__ as command
from zeroipc_report import records, tables


class _Page(HTMLParser):
    """Collects what a page refers to, its identifiers, and its text."""

    VOID = {"meta", "link", "br", "hr", "img", "input"}

    def __init__(self, text):
        super().__init__()
        self.references, self.identifiers, self.open, self.text = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "srcset", "action", "data"):
                self.references.append(value)
            if name == "id":
                self.identifiers.append(value)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def _report(folder, capsys):
    assert command.main([str(folder), "--quiet"]) == 0
    assert capsys.readouterr().out == f"report: {folder / 'report.html'}\n"
    return _Page((folder / "report.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page_text(demo):
    return (demo / "report.html").read_text(encoding="utf-8")


def test_the_page_is_whole_and_needs_nothing_beside_it(page_text):
    page = _Page(page_text)
    assert page.open == []
    assert page.references and all(reference.startswith("#") for reference in page.references)
    assert all(reference[1:] in page.identifiers for reference in page.references)
    assert len(page.identifiers) == len(set(page.identifiers))
    assert not re.search(r"url\((?!#)|@import|<script|<link", page_text)


def test_the_sections_stand_in_their_order(page_text):
    order = [page_text.index(f'<h2 id="{name}"')
             for name in ("verdicts", "targets", "figures", "cells", "noise", "method", "machine")]
    assert order == sorted(order)


def test_figures_are_in_the_page_and_described(page_text):
    labels = re.findall(r'<svg role="img" aria-labelledby="([^"]+)"', page_text)
    assert len(labels) == 6
    for label in labels:
        assert re.search(rf'id="{label}">[^<]{{30,}}<', page_text)


def test_verdicts_targets_and_failures_are_told(page_text):
    text = " ".join(_Page(page_text).text.split())
    assert "queue/ticket/acq_rel/exp/compact against the default: faster: a round trip" in text
    assert "at most 1.4" in text and "5 of 7" in text
    assert "consumer 1: killed by the watchdog" in text
    assert "the probe saw the two CPUs share a core" in text
    assert re.search(r'<dt>governor</dt><dd>\s*<span class="unknown">unknown</span>', page_text)
    assert "drawn from the seed 7" in text
    assert "7 cells are oversubscribed" in text


def test_text_from_records_is_escaped(write, capsys):
    lines = make_records.records(rounds=1)
    next(line for line in lines if line["status"] == "failed")["error"] = "<script>alert(1)</script>"
    folder = write(lines)
    _report(folder, capsys)
    assert "<script" not in (folder / "report.html").read_text(encoding="utf-8")


def test_one_round_tells_nothing_and_breaks_nothing(write, capsys):
    page = _report(write(make_records.records(rounds=1)), capsys)
    assert "cannot tell (n=1)" in page.text
    assert " 1 round." in " ".join(page.text.split())


def test_only_failures(write, capsys):
    lines = make_records.records(rounds=2)
    for line in lines:
        make_records.fail(line)
    page = _report(write(lines), capsys)
    assert page.text.count("No run measured") >= 3
    assert "cannot tell (n=0): no round has a usable run of both" in page.text
    assert "no rounds" in page.text


def test_only_bounds(write, capsys):
    lines = [line for line in make_records.records(rounds=2) if line["kind"] == "bound"]
    page = _report(write(lines), capsys)
    assert "there is nothing to judge" in page.text
    assert "the suite did not run the default queue at this point" in page.text


def test_only_one_mode(write, capsys):
    lines = [line for line in make_records.records(rounds=2) if line["mode"] == "pingpong"]
    page = _report(write(lines), capsys)
    assert "No run measured throughput, so there is no figure of it." in page.text


def test_without_separate_cores_the_page_says_so(write, capsys):
    lines = make_records.records(rounds=3)
    for line in lines:
        line["separate_cores"] = None
    page = _report(write(lines), capsys)
    assert "in no round did both runs stand on separate cores, so there is no number" in page.text


def test_damage_and_interruption_are_told_on_top(write, capsys):
    folder = write(make_records.records(rounds=2))
    about = (folder / "environment.json").read_text(encoding="utf-8")
    (folder / "environment.json").write_text(about.replace('"interrupted": false', '"interrupted": true'),
                                             encoding="utf-8")
    path = folder / "records.jsonl"
    path.write_bytes(path.read_bytes()[:-50])
    page = _report(folder, capsys)
    assert "is cut short" in page.text
    assert "The run was interrupted" in page.text


def test_without_an_environment(write, capsys):
    folder = write(make_records.records(rounds=1))
    (folder / "environment.json").unlink()
    page = _report(folder, capsys)
    assert "There is no environment.json" in page.text
    assert "Unknown: the folder holds no readable environment.json." in page.text


def test_the_terminal_table_cuts_no_name(demo):
    stream = io.StringIO()
    tables.show(records.load(demo), stream)
    text = stream.getvalue()
    for name in make_records.VARIANTS:
        assert name in text
    assert "…" not in text
    assert "Numbers to show" in text and "5 of 7" in text


def test_an_unreadable_folder_is_an_error_not_a_traceback(tmp_path, capsys):
    assert command.main([str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("zeroipc_report: ") and "Traceback" not in error


@pytest.mark.parametrize("arguments", [[], ["/nowhere/at/all"], ["--unknown"]])
def test_bad_usage(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        command.main(arguments)
    assert stop.value.code == 2
    capsys.readouterr()


def test_it_runs_from_another_folder(write, tmp_path):
    folder = write(make_records.records(rounds=1))
    done = subprocess.run([sys.executable, "-m", "zeroipc_report", "run"], cwd=tmp_path, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(SCRIPTS), "PYTHONDONTWRITEBYTECODE": "1"}, check=False)
    assert done.returncode == 0, done.stderr
    assert (folder / "report.html").exists()
