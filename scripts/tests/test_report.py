"""The page and the terminal, through the command."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import make_records
import pytest
from conftest import SCRIPTS
from zeroipc_report import __main__ as command
from zeroipc_report import figures, markdown, method, page, pdf, records, summary, tables, threats, wording


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


def _report(folder):
    """The page without its figures, which take their time and are tested elsewhere."""
    analysis = summary.analyse(records.load(folder))
    missing = [figures.Drawn(mode, title, "", "", missing=why) for mode, (title, why) in figures.MISSING.items()]
    return _Page(page.write(analysis, missing, folder).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page_text(demo):
    return (demo / "report.html").read_text(encoding="utf-8")


def test_the_page_is_whole_and_needs_nothing_beside_it(page_text):
    page = _Page(page_text)
    assert page.open == []
    inside = [reference for reference in page.references if not reference.startswith("data:image/png;base64,")]
    assert inside and all(reference.startswith("#") for reference in inside)
    assert all(reference[1:] in page.identifiers for reference in inside)
    assert len(page.identifiers) == len(set(page.identifiers))
    assert not re.search(r"url\((?!#)|@import|<script src|<link", page_text)


def test_the_sections_stand_in_their_order(page_text):
    order = [page_text.index(f'<h2 id="{name}"')
             for name in ("verdicts", "threats", "targets", "figures-machine", "figures-queue", "every", "cells", "noise",
                          "method", "machine")]
    assert order == sorted(order)


def test_each_axis_of_a_structure_is_a_section_that_the_navigation_names(page_text):
    axes = page_text.split('<nav aria-label="Verdicts by structure and axis"')[1].split("</nav>")[0]
    links = re.findall(r'<a href="#(axis-[^"]+)"><span class="hidden">([^<]*)</span>([^<]*)</a>', axes)
    assert [target for target, _, _ in links] == [f"axis-queue-{axis}" for axis in
                                                  ("algorithm", "ordering", "backoff", "several-axes")]
    assert axes.count("<li>") == axes.count("</li>") == 1 + len(links) and 'href="#verdicts-queue">Queue<' in axes
    assert '<h3 id="verdicts-queue">Queue</h3>' in page_text and 'href="#figures-queue">Figures of the queue' in page_text
    for target, *text in links:  # what a link is called, its section's heading is called
        section = page_text.split(f'<section aria-labelledby="{target}">\n')[1].split("</section>")[0]
        assert section.startswith(f'<h4 id="{target}">{"".join(text)}</h4>') and section.count("<h4") == 1
        assert re.search(r"\d+ comparisons? with the default: ", section) and "<li>" in section


def test_figures_are_in_the_page_and_described(demo, page_text):
    labels = re.findall(r'<svg role="img" aria-labelledby="([^"]+)"', page_text)
    assert len(labels) == len(list((demo / "figures").glob("*.svg"))) > 4
    for label in labels:
        assert re.search(rf'id="{label}">[^<]{{30,}}<', page_text)


def test_verdicts_targets_and_failures_are_told(page_text):
    text = " ".join(_Page(page_text).text.split())
    assert re.search(r"Queue: the ticket queue beats the exchange queue by 12.?[\d.]*% \[[\d., ]+\] in round trip at 1P1C", text)
    assert "More workers than CPUs that they may use: 49 of " in text
    assert "at most 1.4" in text and "5 of 7" in text
    assert "consumer 1: killed by the watchdog" in text
    assert "the probe saw the two CPUs share a core" in text
    assert re.search(r'<dt>governor</dt><dd>\s*<span class="unknown">unknown</span>', page_text)
    assert "drawn from the seed 7" in text
    assert "7 cells are oversubscribed" in text


def test_every_comparison_has_its_rank_test_in_the_page_and_in_markdown(demo, page_text):
    ones = summary.analyse(records.load(demo)).comparisons
    wanted = [wording.p_text(one.p_holm) for one in ones]
    assert len(set(wanted)) > 1 and "-" not in wanted
    rows = page_text.split('id="table-every"')[1].split("</table>")[0].split("<tr ")[1:]
    assert [re.findall(r'data-sort="[^"]*">([^<]*)<', row)[1].replace("&lt;", "<") for row in rows] == wanted
    table = (demo / "report.md").read_text(encoding="utf-8").split("## Every verdict\n")[1].split("## Every cell")[0]
    assert [line.split(" | ")[6] for line in table.splitlines() if line.startswith("| queue")] == list(
        map(markdown.escaped, wanted))
    assert "no verdict goes by it (see Method)" in table and "Holm&#39;s correction" in page_text


def test_without_a_pair_of_runs_there_is_no_rank_test(write):
    lines = make_records.records(rounds=2)
    for line in lines:
        if line["is_default"]:
            make_records.fail(line)
    ones = summary.analyse(records.load(write(lines))).comparisons
    assert ones and {wording.p_text(one.p_holm) for one in ones} == {"-"}


def test_text_from_records_is_escaped(write):
    lines = make_records.records(rounds=1)
    next(line for line in lines if line["status"] == "failed")["error"] = "<script>alert(1)</script>"
    folder = write(lines)
    _report(folder)
    assert "<script>alert" not in (folder / "report.html").read_text(encoding="utf-8")


def test_one_round_tells_nothing_and_breaks_nothing(write):
    page = _report(write(make_records.records(rounds=1)))
    assert "too few rounds" in page.text
    assert " 1 round." in " ".join(page.text.split())


def test_only_failures(write):
    lines = make_records.records(rounds=2)
    for line in lines:
        make_records.fail(line)
    folder = write(lines)
    assert command.main([str(folder), "--quiet"]) == 0
    page = _Page((folder / "report.html").read_text(encoding="utf-8"))
    assert page.text.count("No run measured") >= 3
    assert "no round has a usable run of both" in page.text
    assert "no rounds" in page.text


def test_only_bounds(write):
    lines = [line for line in make_records.records(rounds=2) if line["kind"] == "bound"]
    page = _report(write(lines))
    assert "there is nothing to judge" in page.text
    assert "the suite did not run the default queue at this point" in page.text


def test_without_separate_cores_the_page_says_so(write):
    lines = make_records.records(rounds=3)
    for line in lines:
        line["separate_cores"] = None
    page = _report(write(lines))
    assert "in no round did both runs stand on separate cores, so there is no number" in page.text


def test_damage_and_interruption_are_told_on_top(write):
    folder = write(make_records.records(rounds=2))
    about = (folder / "environment.json").read_text(encoding="utf-8")
    (folder / "environment.json").write_text(about.replace('"interrupted": false', '"interrupted": true'),
                                             encoding="utf-8")
    path = folder / "records.jsonl"
    path.write_bytes(path.read_bytes()[:-50])
    page = _report(folder)
    assert "is cut short" in page.text
    assert "The run was interrupted" in page.text


def test_without_an_environment(write):
    folder = write(make_records.records(rounds=1))
    (folder / "environment.json").unlink()
    page = _report(folder)
    assert "There is no environment.json" in page.text
    assert "Unknown: the folder holds no readable environment.json." in page.text


def test_the_terminal_table_cuts_no_name(demo):
    stream = io.StringIO()
    tables.show(summary.analyse(records.load(demo)), stream)
    text = stream.getvalue()
    for name in make_records.VARIANTS:
        assert name in text
    assert "…" not in text
    assert "Numbers to show" in text and "5 of 7" in text


def test_an_unreadable_folder_is_an_error_not_a_traceback(tmp_path, capsys):
    assert command.main([str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("report: ") and "Traceback" not in error


@pytest.mark.parametrize("arguments", [[], ["/nowhere/at/all"], ["--unknown"]])
def test_bad_usage(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        command.main(arguments)
    assert stop.value.code == 2
    capsys.readouterr()


def test_the_other_parts_are_there(demo):
    text = (demo / "report.md").read_text(encoding="utf-8")
    order = [text.index(f"## {heading}\n") for heading in
             ("Verdicts", "Threats to validity", "Numbers to show", "The machine and its noise", "Every verdict",
              "Every cell", "Failed runs", "Flagged runs", "Method", "Figures")]
    assert order == sorted(order)
    assert "the ticket queue beats the exchange queue" in text
    for name in re.findall(r"\((figures/[^)]+)\)", text):
        assert (demo / name).exists()
    content = (demo / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF") and b"%%EOF" in content[-20:]
    assert b"FontFile2" in content and b"/Type3" not in content
    assert not list(demo.glob("*.part"))


def test_markdown_shows_text_as_it_is():
    assert markdown.escaped("a|b_c*<d>") == r"a\|b\_c\*\<d\>"
    assert markdown.table(("a",), []) == []


def test_threats_are_those_of_the_flags_raised(write):
    lines = make_records.records(rounds=10)
    for line in lines:
        line["flags"] = []
    lines[0]["flags"] = ["steal", "of_the_future"]
    said = [seen for seen, _ in threats.threats(summary.analyse(records.load(write(lines))))]
    assert said[0] == f"the host ran something else on these CPUs: 1 of {len(lines)} runs, in 1 cell (steal)"
    assert said[1] == f"a flag that these scripts do not know: 1 of {len(lines)} runs, in 1 cell (of_the_future)"
    assert f"1 of {len(lines)} runs failed" in said[2]
    assert not any("rounds" in one or "page" in one for one in said[:3])
    assert any("a virtual machine (kvm)" in one for one in said)


def test_few_rounds_are_a_threat(write):
    found = dict(threats.threats(summary.analyse(records.load(write(make_records.records(rounds=2))))))
    assert "2 rounds are fewer than 6, so that nothing is judged" in found


def test_unknown_noise_is_unknown(write):
    lines = make_records.records(rounds=2)
    for line in lines:
        line.update(separate_cores=None, probe_before_ns=None)
    known = dict(threats.noise(summary.analyse(records.load(write(lines)))))
    assert known["round trip of two cache lines before a run"] == "unknown"
    assert known["longest time a worker stood still in a run (hiccup)"] == "unknown"
    assert known["load average when it began"] == "unknown"


def test_how_time_was_taken_is_said(write):
    lines = make_records.records(rounds=2)
    for number, line in enumerate(lines):
        line.update(oversubscribed=number % 2 == 1, start_skew_ns=5e7 if number % 2 else 215.0,
                    repeats=number % 3 == 0, probe_before_ns=300.0, steal_share="unknown" if number % 2 else 0.25)
        line["clock"]["floor_ns"] = 20.0
    known = dict(threats.noise(summary.analyse(records.load(write(lines)))))
    same = "median {0}, 90% at most {0}, worst {0}"
    assert known["workers' starts apart (where each had a CPU)"] == same.format("215 ns")
    assert known["runs sent again because the workers' starts were too far apart"] == str(
        sum(number % 3 == 0 for number, line in enumerate(lines) if line["status"] == "ok"))
    assert known["share of the CPU time that the host took"] == same.format("25.0%")
    assert known["cost of a time stamp"] == same.format("20.0 ns")
    assert known["stamps of two CPUs can be told apart from (half the longer round trip of the probes)"] == same.format("150 ns")


@pytest.mark.parametrize("recorded, shown", [(275.0, "275 ns"), ("unknown", None)])
def test_how_far_stamps_may_be_apart_is_what_the_records_say(write, recorded, shown):
    lines = make_records.records(rounds=2)
    for line in lines:
        line["clock"]["between_cpus_ns"] = recorded
    known = dict(threats.noise(summary.analyse(records.load(write(lines)))))
    assert known["stamps of two CPUs can be told apart from (half the longer round trip of the probes)"] == (
        f"median {shown}, 90% at most {shown}, worst {shown}" if shown else "unknown")


def _runs(tmp_path, *machines, seed=make_records.SEED, rounds=3):
    folders = []
    for number, machine in enumerate(machines):
        lines = [dict(line, run=f"run-{number}") for line in make_records.records(rounds=rounds, seed=seed + number)]
        folders.append(tmp_path / f"run-{number}")
        make_records.write(folders[-1], lines, {**make_records.environment(rounds), "machine": machine, "run": f"run-{number}"})
    return folders


def test_two_runs_are_paired_within_each_and_counted_together(tmp_path):
    folder = records.load_all(_runs(tmp_path, "m", "m"))
    analysis = summary.analyse(folder)
    assert {one.rounds for one in analysis.comparisons} == {6}
    assert folder.environment["machine"] == "m"
    assert folder.environment["run"] == {"run 1": "run-0", "run 2": "run-1"}
    text = " ".join(_Page(page.write(analysis, [], tmp_path).read_text(encoding="utf-8")).text.split())
    assert "From run-0, run-1: rounds are paired within each" in text and "in 6 rounds" in text


def _edit(folder, **more):
    path = folder / "environment.json"
    known = json.loads(path.read_text(encoding="utf-8"))
    for key, value in more.items():
        known[key] = {**known[key], **value} if isinstance(value, dict) else value
    path.write_text(json.dumps(known), encoding="utf-8")


def test_an_interrupted_run_is_told_in_every_output_and_of_several_by_name(tmp_path):
    folders = _runs(tmp_path, "m", "m")
    _edit(folders[1], suite={"interrupted": True})
    one, both = (summary.analyse(records.load_all(some)) for some in (folders[1:], folders))
    told = "The run was interrupted: this is what was recorded until then, and the last round may be incomplete."
    for analysis, wanted in ((one, told), (both, f"run-1: {told}")):
        assert analysis.folder.warnings == [wanted]
        assert ("item", wanted) in list(pdf.front(analysis))
        assert f"> {markdown.escaped(wanted)}\n" in markdown.write(analysis, [], tmp_path).read_text(encoding="utf-8")
        assert wanted in _Page(page.write(analysis, [], tmp_path).read_text(encoding="utf-8")).text
        stream = io.StringIO()
        tables.show(analysis, stream)
        assert f"note: {wanted}" in " ".join(stream.getvalue().split())


def test_of_several_runs_each_load_is_shown_and_when_they_started(tmp_path):
    folders = _runs(tmp_path, "m", "m")
    for folder, load, day in zip(folders, ([0.5, 0.25, 0.1], [3, 2, 1]), (1, 2)):
        _edit(folder, load_average=load, suite={"started": f"2024-01-0{day}T12:00:00Z"})
    analysis = summary.analyse(records.load_all(folders))
    assert dict(threats.noise(analysis))["load average when it began"] == (
        "run-0: 0.50, 0.25, 0.10; run-1: 3.00, 2.00, 1.00")
    assert page.suite(analysis.folder)["started"] == "2024-01-01T12:00:00Z to 2024-01-02T12:00:00Z"
    _edit(folders[0], load_average=[3, 2, 1], governor="powersave")
    analysis = summary.analyse(records.load_all(folders))
    assert dict(threats.noise(analysis))["load average when it began"] == "3.00, 2.00, 1.00"
    assert any("governor of the clock frequency is unknown" in seen for seen, _ in threats.threats(analysis))


def test_failed_and_flagged_runs_and_the_method_are_in_every_output(tmp_path):
    folders = _runs(tmp_path, "m", "m", rounds=6)
    both = summary.analyse(records.load_all(folders))
    (cell, where, why), *_ = summary.failed_rows(both.folder.frame)
    assert where == "run-0: 2" and "watchdog" in why
    flags = summary.flag_rows(both.folder.frame)
    assert any(re.fullmatch(r"run-0: \d(, \d)*; run-1: \d(, \d)*", rounds) for *_, rounds in flags)
    text = markdown.write(both, [], tmp_path).read_text(encoding="utf-8")
    assert f"| {markdown.escaped(cell)} | {where} | " in text
    assert "From run-0, run-1: rounds are paired" in text
    lines = list(pdf.front(both))
    assert ("item", f"{cell}, round {where}: {why}") in lines
    at = lines.index(("heading", "Flagged runs"))
    assert len(flags) > pdf.MOST_ITEMS and lines[at + pdf.MOST_ITEMS + 1] == (
        "text", f"And {len(flags) - pdf.MOST_ITEMS} more in report.html.")
    html = _Page(page.write(both, [], tmp_path).read_text(encoding="utf-8")).text
    for what, how in method.sentences(both.folder):
        assert f"- **{what}.** {how}\n" in text and ("item", f"{what}. {how.replace('`', '')}") in lines
        assert f"{what}. {how.replace('`', '')}" in html


def test_a_run_without_failures_or_flags_says_none(write):
    lines = [line for line in make_records.records(rounds=2) if line["status"] == "ok"]
    for line in lines:
        line["flags"] = []
    front = list(pdf.front(summary.analyse(records.load(write(lines)))))
    for heading in ("Failed runs", "Flagged runs"):
        assert front[front.index(("heading", heading)) + 1] == ("text", "None.")


def test_runs_that_do_not_belong_together_are_refused(tmp_path, capsys):
    unlike = _runs(tmp_path, "m", "n")
    assert command.main([*map(str, unlike), "--out", str(tmp_path / "out")]) == 1
    assert "unlike machines (m, n)" in capsys.readouterr().err
    same = _runs(tmp_path, "m", "m")
    with pytest.raises(records.RecordsError, match="is named twice"):
        records.load_all([same[0], same[0]])
    about = {**make_records.environment(3), "machine": "m", "build": {"revision": "another"}}
    make_records.write(same[1], make_records.records(rounds=3), about)
    with pytest.raises(records.RecordsError, match="was measured by two builds"):
        records.load_all(same)


def test_a_table_for_papers(write, tmp_path):
    from zeroipc_report import paper
    analysis = summary.analyse(records.load(write(make_records.records(rounds=7))))
    lines = list(paper._table(analysis))
    assert r"\begin{tabular}" in lines[1] and lines[-1] == r"\end{tabular}"
    rows = [line for line in lines if line.endswith(r"\\") and " & " in line]
    assert len(rows) == 1 + sum(cell.kind == "variant" for cell in analysis.cells)
    assert all(line.count(" & ") == 4 for line in rows)
    assert paper.latex("a_b 5% {x}") == r"a\_b 5\% \{x\}"
    assert any(r"acq\_rel" in line for line in rows)


def test_the_threats_for_papers(write):
    from zeroipc_report import paper
    analysis = summary.analyse(records.load(write(make_records.records(rounds=7))))
    lines = list(paper._threats(analysis))
    assert lines[1] == r"\begin{itemize}" and lines[-1] == r"\end{itemize}"
    assert len(lines) == 3 + len(threats.threats(analysis)) and all(line.startswith(r"\item ") for line in lines[2:-1])
    assert any(r"involuntary\_switches" in line for line in lines)


def test_without_threats_the_paper_has_no_empty_list(write, monkeypatch):
    from zeroipc_report import paper
    monkeypatch.setattr(paper, "threats", lambda analysis: [])
    lines = list(paper._threats(summary.analyse(records.load(write(make_records.records(rounds=1))))))
    assert len(lines) == 2 and "itemize" not in lines[1] and paper.latex("<0.001") == r"\textless{}0.001"
