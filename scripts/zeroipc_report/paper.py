"""Figures for papers: PDF at the widths of one and two columns, fonts embedded; a table and the threats in LaTeX."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, List, Optional

from . import wording
from .figures import drawings, source_of, style
from .figures.base import Drawing, tight_box
from .summary import Analysis, CellSummary, Comparison
from .threats import threats

WIDTHS_IN = (3.3, 7.0)
SPECIAL = {"\\": r"\textbackslash{}", "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}",
           "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}"}


def write(analysis: Analysis, target: Path) -> List[Path]:
    """Writes the figures, verdicts.tex and threats.tex into the folder; answers their paths."""
    target.mkdir(parents=True, exist_ok=True)
    written = []
    with style(paper=True):
        for width in WIDTHS_IN:
            for drawing in drawings(source_of(analysis, width)):
                path = target / f"{drawing.name}-{width:g}in.pdf"
                _save(drawing, width, path)
                written.append(path)
    for name, lines in (("verdicts.tex", _table(analysis)), ("threats.tex", _threats(analysis))):
        written.append(target / name)
        written[-1].write_text("\n".join(lines) + "\n", encoding="utf-8")
    return written


def _save(drawing: Drawing, width: float, path: Path) -> None:
    """At the width, whatever the names beside the axes need: letters keep their size, and the axes give way."""
    figure = drawing.figure
    slope, size = 0.7, figure.get_size_inches()[0]  # of the width that is drawn, by that of the figure
    box = tight_box(figure)
    for _ in range(8):
        if abs(box.width - width) < 0.01:
            break
        wanted = max(size + (width - box.width) / slope, size * 0.5)
        figure.set_size_inches(wanted, figure.get_size_inches()[1])
        before, box = box.width, tight_box(figure)
        slope, size = min(max((box.width - before) / (wanted - size), 0.1), 1.5), wanted
    figure.savefig(path, bbox_inches=box, metadata={"CreationDate": None, "Title": drawing.title})


def latex(text: str) -> str:
    """Text as LaTeX shows it."""
    return "".join(SPECIAL.get(letter, letter) for letter in text)


def _table(analysis: Analysis) -> Iterator[str]:
    """Median and verdict of each cell; needs no package."""
    compared = {(one.point, one.variant): one for one in analysis.comparisons}
    yield "% Written by scripts/report --paper. Medians with exact 95% intervals; verdicts against the default."
    yield r"\begin{tabular}{llrrl}"
    yield r"\hline"
    yield r"Point & Variant & Median [95\%] & Ratio [95\%] & Verdict \\"
    mode = ""
    for one in (cell for cell in analysis.cells if cell.kind != "bound"):
        if one.point.mode != mode:
            mode = one.point.mode
            yield r"\hline"
            yield rf"\multicolumn{{5}}{{l}}{{{latex(wording.MODES[mode])}, {latex(wording.UNITS[mode])}}} \\"
        yield _row(one, compared.get((one.point, one.variant)))
    yield r"\hline"
    yield r"\end{tabular}"


def _threats(analysis: Analysis) -> Iterator[str]:
    """The threats to validity as a list; an empty one would be an error of LaTeX."""
    yield "% Written by scripts/report --paper. Threats to validity, from the flags and from what else the records show."
    found = threats(analysis)
    if not found:
        yield "No flag was raised, and nothing else in the records speaks against them."
        return
    yield r"\begin{itemize}"
    for seen, means in found:
        yield rf"\item {latex(seen[0].upper() + seen[1:])}. {latex(means)}"
    yield r"\end{itemize}"


def _row(cell: CellSummary, one: Optional[Comparison]) -> str:
    mode, estimate = cell.point.mode, cell.estimate
    median = wording.number(wording.in_unit(estimate.median, mode))
    if estimate.has_interval:
        median += " " + wording.interval(wording.in_unit(estimate.low, mode), wording.in_unit(estimate.high, mode))
    ratio = wording.ratio_text(one.ratio) if one is not None and one.ratio.n else ""
    verdict = one.verdict.value if one is not None else "default" if cell.is_default else ""
    fields = (wording.point_label(cell.point), cell.variant, median, ratio, verdict)
    return " & ".join(map(latex, fields)) + r" \\"
