"""The report on paper: report.pdf, with the verdicts first, then a page a figure, its caption under it."""

from __future__ import annotations

import textwrap
from pathlib import Path
from types import TracebackType
from typing import Iterator, List, Optional, Tuple, Type

from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from . import resolution, wording
from .figures.base import Drawing, new_figure, tight_box
from .findings import findings
from .method import sentences
from .page import suite, target_row
from .summary import Analysis, failed_rows, flag_rows
from .threats import noise, threats

A4_IN = (8.27, 11.69)
MARGIN_IN = 0.75
POINTS = {"title": 16.0, "heading": 12.0, "text": 9.0}
LINE = 1.45  # of a line to its letters
CAPTION_PT = 8.5
MOST_ITEMS = 20  # of a list of runs: the page has all of them

Line = Tuple[str, str]  # kind, text


class Document:
    """A PDF that is written page by page; it stands whole once closed."""

    def __init__(self, path: Path, title: str) -> None:
        self._path = path
        self._draft = path.with_suffix(".part")
        self._pages = PdfPages(str(self._draft), metadata={"Title": title, "Creator": "zeroipc_report",
                                                           "CreationDate": None})

    def __enter__(self) -> Document:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], _: Optional[BaseException],
                 __: Optional[TracebackType]) -> None:
        self._pages.close()
        if kind is None:
            self._draft.replace(self._path)
        else:
            self._draft.unlink()

    def text(self, lines: List[Line]) -> None:
        """Pages of text, as many as it takes."""
        room, page = 0.0, None
        for kind, text in lines:
            size = POINTS.get(kind, POINTS["text"])
            wide = (A4_IN[0] - 2 * MARGIN_IN) * 72 / (size * 0.56)
            indent = "   " if kind == "item" else ""
            folded = textwrap.wrap(text, int(wide), initial_indent="\N{BULLET} " if indent else "",
                                   subsequent_indent=indent) or [""]
            before = size * (0.9 if kind == "heading" else 0.25)
            needed = before + len(folded) * size * LINE
            if page is None or needed + (40 if kind == "heading" else 0) > room:
                self._finish(page)
                page, room = new_figure(*A4_IN), (A4_IN[1] - 2 * MARGIN_IN) * 72
            top = (room - before) / 72 + MARGIN_IN
            page.text(MARGIN_IN / A4_IN[0], top / A4_IN[1], "\n".join(folded), fontsize=size, va="top",
                      linespacing=LINE * 0.86, fontweight="bold" if kind in ("title", "heading") else "normal")
            room -= needed
        self._finish(page)

    def _finish(self, page: Optional[Figure]) -> None:
        if page is not None:
            self._pages.savefig(page)

    def drawing(self, one: Drawing) -> None:
        """A page with a figure, as large as it is, and its caption."""
        box = tight_box(one.figure)
        wide = max(60, int(box.width * 72 / (CAPTION_PT * 0.55)))
        folded = textwrap.wrap(one.caption, wide)
        width, height = one.figure.get_size_inches()
        one.figure.text(box.x0 / width + 0.08 / width, (box.y0 - 0.1) / height, "\n".join(folded), fontsize=CAPTION_PT,
                        va="top", color="#333333")
        tall = len(folded) * CAPTION_PT * 1.3 / 72 + 0.3
        page = Bbox.from_extents(box.x0 - 0.3, box.y0 - tall - 0.2, box.x1 + 0.3, box.y1 + 0.3)
        self._pages.savefig(one.figure, bbox_inches=page)


def front(analysis: Analysis) -> Iterator[Line]:
    """What stands before the figures."""
    folder = analysis.folder
    known = suite(folder)
    machine = folder.environment.get("machine", "unknown")
    yield "title", f"ZeroIPC: suite {known['name']}"
    yield "text", (f"Machine {machine}, started {known['started']}, {known['runs']} runs of {known['cells']} cells in "
                   f"{known['rounds']} rounds.")
    if known["sources"]:
        yield "text", f"From {', '.join(known['sources'])}: rounds are paired within each, medians are over all."
    for warning in folder.warnings:
        yield "item", warning
    yield "heading", "Verdicts"
    yield "text", wording.tally(analysis.comparisons) if analysis.comparisons else "There is nothing to judge."
    for group in findings(analysis):
        shared = f" (all at {group.shared})" if group.shared else ""
        yield "heading", f"{group.structure.capitalize()}, {group.axis}{shared}"
        for _, sentence in group.sentences:
            yield "item", sentence
    yield "heading", "Threats to validity"
    for seen, means in threats(analysis):
        yield "item", f"{seen[0].upper()}{seen[1:]}. {means}"
    yield "heading", "Numbers to show"
    for row in map(target_row, analysis.targets):
        note = f"; {row['note']}" if row["note"] else ""
        yield "item", f"{row['statement']}: {row['measured']}, the aim is {row['goal']}: {row['result']}{note}."
    yield "heading", "The machine and its noise"
    for what, figure in noise(analysis):
        yield "item", f"{what[0].upper()}{what[1:]}: {figure}."
    yield "item", f"The resolution: {resolution.statement(folder.folder, machine)}"
    yield "heading", "Failed runs"
    yield from _some([f"{cell}, round {round_}: {error}" for cell, round_, error in failed_rows(folder.frame)])
    yield "heading", "Flagged runs"
    yield from _some([f"{cell}: {flag} in {runs} of {of} runs" + (f" (rounds {rounds})" if runs < of else "")
                      for cell, flag, runs, of, rounds in flag_rows(folder.frame)])
    yield "heading", "Method"
    for what, how in sentences(folder):
        yield "item", f"{what}. {how.replace('`', '')}"


def _some(items: List[str]) -> Iterator[Line]:
    """The first items, and how many more there are."""
    if not items:
        yield "text", "None."
    for text in items[:MOST_ITEMS]:
        yield "item", text
    if len(items) > MOST_ITEMS:
        yield "text", f"And {len(items) - MOST_ITEMS} more in report.html."
