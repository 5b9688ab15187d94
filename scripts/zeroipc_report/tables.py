"""The short table on the terminal."""

from __future__ import annotations

import shutil
import sys
from typing import Dict, List, Optional, TextIO, Tuple

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from . import kills, resolution, wording
from .records import Point
from .stats import Verdict
from .summary import Analysis, CellSummary, Comparison, Target

VERDICT_STYLE = {Verdict.FASTER: "green", Verdict.SLOWER: "red", Verdict.EQUIVALENT: "blue", Verdict.CANNOT_TELL: ""}
WIDE = 200  # columns where the output is no terminal: nothing is folded in a log
HEADERS = ("variant", "median [95%]", "n", "flags", "verdict")
ROOM_FOR_RATIOS = 110  # columns from which the ratios stand beside the verdicts


def show(analysis: Analysis, stream: Optional[TextIO] = None) -> None:
    """Prints a row a cell, then the numbers to show."""
    stream = stream or sys.stdout
    width = shutil.get_terminal_size().columns if stream.isatty() else WIDE
    console = Console(file=stream, width=width, highlight=False)
    folder, compared = analysis.folder, analysis.comparisons
    for table in _cell_tables(analysis.cells, compared, width >= ROOM_FOR_RATIOS):
        console.print(table)
        console.print()
    for table in kills.tables(folder.frame):
        console.print(table)
        console.print()
    console.print(Text("Numbers to show, at 1P1C, 8 B, capacity 1024", style="bold"))
    for one in analysis.targets:
        console.print(_target_line(one))
    if compared:
        console.print(Text(f"\n{wording.tally(compared)}"))
    found = resolution.statement(folder.folder, folder.environment.get("machine", "unknown"))
    console.print(Text(f"\nThe resolution of this machine: {found}"))
    for warning in folder.warnings:
        console.print(Text(f"note: {warning}"))


def _cell_tables(summaries: List[CellSummary], compared: List[Comparison], ratios: bool) -> List[Table]:
    """A table a point, all with columns of the same widths."""
    verdicts = {(one.point, one.variant): one for one in compared}
    tables: Dict[Point, Table] = {}
    rows = [(one, _row(one, verdicts.get((one.point, one.variant)), ratios)) for one in summaries]
    widths = [max(len(header), *(len(row[column]) for _, row in rows)) for column, header in enumerate(HEADERS)]
    for one, row in rows:
        if one.point not in tables:
            tables[one.point] = _point_table(one, widths, ratios)
        tables[one.point].add_row(*row)
    return list(tables.values())


def _point_table(first: CellSummary, widths: List[int], roomy: bool) -> Table:
    """An empty table under the point's name."""
    crowded = ", oversubscribed" if first.oversubscribed else ""
    where = f"{wording.MODES[first.point.mode]}, {wording.point_label(first.point)}{crowded}"
    table = Table(title=f"{where} ({wording.UNITS[first.point.mode]})", title_justify="left", title_style="bold",
                  box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2 if roomy else 1, 0, 0), show_edge=False)
    for header, width in zip(HEADERS, widths):
        # Only figures are folded where room lacks: half a variant's name says nothing.
        folds = header == "median [95%]"
        table.add_column(header, no_wrap=not folds, overflow="fold", min_width=None if folds else width,
                         max_width=width if folds else None, width=width if roomy else None,
                         justify="right" if header in ("n", "flags") else "left")
    return table


def _row(cell: CellSummary, one: Optional[Comparison], ratios: bool) -> Tuple[Text, Text, Text, Text, Text]:
    mode, estimate = cell.point.mode, cell.estimate
    figure = wording.number(wording.in_unit(estimate.median, mode))
    if estimate.has_interval:
        figure += " " + wording.interval(wording.in_unit(estimate.low, mode), wording.in_unit(estimate.high, mode))
    runs = str(estimate.n) if cell.runs == estimate.n else f"{estimate.n}/{cell.runs}"
    return (Text(cell.variant), Text(figure), Text(runs), Text(str(cell.flagged)), _against(cell, one, ratios))


def _against(cell: CellSummary, one: Optional[Comparison], ratios: bool) -> Text:
    if one is None:
        return Text("default" if cell.is_default else "")
    ratio = f", {wording.ratio_text(one.ratio)}" if ratios and one.ratio.n else ""
    return Text(one.verdict.value + ratio, style=VERDICT_STYLE[one.verdict])


def _target_line(one: Target) -> Text:
    measured = f"{wording.ratio_text(one.ratio)}, " if one.ratio.n else ""
    note = f"; {one.note}" if one.note else ""
    rounds = f"{one.ratio.n} of {one.rounds} rounds"
    text = f"{one.statement}: {measured}the aim is {wording.goal_text(one)} ({rounds}{note})"
    return Text.assemble((f"{one.result}: ", "bold"), text)
