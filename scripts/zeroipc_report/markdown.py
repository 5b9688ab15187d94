"""The summary in Markdown: report.md, for pull requests and for readers without a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, List, Sequence

from . import resolution, wording
from .figures import Drawn
from .findings import findings
from .method import sentences
from .page import heading, suite, target_row, verdict_row
from .summary import Analysis, failed_rows, flag_rows
from .threats import noise, threats


def write(analysis: Analysis, figures: Sequence[Drawn], target: Path) -> Path:
    """Writes report.md into the folder; answers its path."""
    path = target / "report.md"
    path.write_text("\n".join(_lines(analysis, figures)) + "\n", encoding="utf-8")
    return path


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, in a table too."""
    for mark in "\\`*_[]<>|#~":
        text = text.replace(mark, "\\" + mark)
    return text


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> List[str]:
    """A table, or nothing without rows."""
    if not rows:
        return []
    return ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads),
            *("| " + " | ".join(map(escaped, row)) + " |" for row in rows), ""]


def _lines(analysis: Analysis, figures: Sequence[Drawn]) -> Iterator[str]:
    folder = analysis.folder
    known, machine = suite(folder), folder.environment.get("machine", "unknown")
    yield f"# ZeroIPC: suite {escaped(known['name'])}\n"
    yield (f"Machine {escaped(machine)}, started {known['started']}, {known['runs']} runs of {known['cells']} cells in "
           f"{known['rounds']} rounds.\n")
    if known["sources"]:
        yield f"From {escaped(', '.join(known['sources']))}: rounds are paired within each, medians are over all.\n"
    for warning in folder.warnings:
        yield f"> {escaped(warning)}\n"
    yield "## Verdicts\n"
    yield (wording.tally(analysis.comparisons) if analysis.comparisons else "There is nothing to judge.") + "\n"
    for group in findings(analysis):
        shared = f" (all at {escaped(group.shared)})" if group.shared else ""
        yield f"### {group.structure.capitalize()}, {group.axis}{shared}\n"
        for one, sentence in group.sentences:
            yield f"- **{heading(one)}.** {escaped(sentence)}"
        yield ""
    yield "## Threats to validity\n"
    for seen, means in threats(analysis):
        yield f"- {escaped(seen[0].upper() + seen[1:])}. {escaped(means)}"
    yield "\n## Numbers to show\n"
    rows = [target_row(one) for one in analysis.targets]
    yield from table(("What", "Target", "Measured", "Rounds", "Result"), [
        (row["statement"], row["goal"], row["measured"], row["rounds"],
         row["result"] + (f": {row['note']}" if row["note"] else "")) for row in rows])
    yield "## The machine and its noise\n"
    yield from table(("What", "Figure"), [*noise(analysis), ("resolution", resolution.statement(folder.folder, machine))])
    yield "## Every verdict\n"
    every = table(("Variant", "Axis", "What", "Point", "Ratio [95%]", "Verdict", "Rank test, p (Holm)", "Rounds", "Flagged"), [
        tuple(row[key] for key in ("variant", "axis", "mode", "point", "ratio", "word", "p", "rounds", "flagged"))
        for row in map(verdict_row, analysis.comparisons)])
    yield from [*every, "The rank test is secondary: no verdict goes by it (see Method).\n"] if every else ["There is none.\n"]
    yield "## Every cell\n"
    yield from table(("Point", "Variant", "Median [95%]", "Unit", "n", "Flagged", "Failed"), [
        (f"{wording.MODES[one.point.mode]}, {wording.point_label(one.point)}", one.variant,
         wording.number(wording.in_unit(one.estimate.median, one.point.mode)) + " " + wording.interval(
             wording.in_unit(one.estimate.low, one.point.mode), wording.in_unit(one.estimate.high, one.point.mode)),
         wording.UNITS[one.point.mode], str(one.estimate.n), str(one.flagged), str(one.failed))
        for one in analysis.cells])
    yield "## Failed runs\n"
    yield from table(("Cell", "Round", "Why"), failed_rows(folder.frame)) or ["None.\n"]
    yield "## Flagged runs\n"
    yield from table(("Cell", "Flag", "Runs", "Rounds"), [
        (cell, flag, f"{runs} of {of}", "all" if runs == of else rounds)
        for cell, flag, runs, of, rounds in flag_rows(folder.frame)]) or ["None.\n"]
    yield "## Method\n"
    for what, how in sentences(folder):
        yield f"- **{what}.** {how}"
    yield "\n## Figures\n"
    for drawn in figures:
        yield (f"- {escaped(drawn.missing)}" if drawn.missing else
               f"- [{escaped(drawn.title)}](figures/{drawn.name}.png), [data](figures/{drawn.name}.csv)")
