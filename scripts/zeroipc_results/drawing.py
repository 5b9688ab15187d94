"""How this package's figures are saved, in the report's look: the same data gives the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import List, Sequence, Tuple

from matplotlib.figure import Figure

from zeroipc_report.figures import base

from .places import ResultsError

COLOURS = (base.DEFAULT_COLOUR, *base.COLOURS, "#000000")  # the report's palette
MARKERS = ("o", *base.MARKERS[:6])
FORMATS = (".svg", ".png", ".pdf")


def new(width_in: float, height_in: float) -> Figure:
    """An empty figure in the report's style, whatever the reader's own matplotlibrc says."""
    base.set_style()
    return base.new_figure(width_in, height_in)


def check_target(path: Path) -> Path:
    """The path, if a figure can be saved there; asked before anything is measured or drawn."""
    if path.suffix not in FORMATS:
        raise ResultsError(f"{path}: a figure is saved as one of {', '.join(FORMATS)}; give such a name.")
    if not path.parent.is_dir():
        raise ResultsError(f"{path}: there is no folder {path.parent}; make it, or name another.")
    return path


def save(figure: Figure, path: Path) -> Path:
    """Writes the figure, without a date or a version in it."""
    empty = {".svg": {"Date": None, "Creator": None, "Format": None, "Type": None}, ".png": {"Software": None},
             ".pdf": {"CreationDate": None, "Creator": None, "Producer": None}}
    figure.savefig(check_target(path), bbox_inches="tight", metadata=empty[path.suffix])
    return path


def looks(names: Sequence[str]) -> List[Tuple[str, str]]:
    """A colour and a marker for each name, in their order."""
    return [(COLOURS[index % len(COLOURS)], MARKERS[(index // len(COLOURS) + index) % len(MARKERS)])
            for index in range(len(names))]
