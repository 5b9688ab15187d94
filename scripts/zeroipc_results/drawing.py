"""How this package's figures look and are saved: the same data gives the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import List, Sequence, Tuple

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .places import ResultsError

# Okabe and Ito (2008): told apart by all common kinds of colour vision; their yellow cannot be read on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STYLE = {
    "font.family": ["DejaVu Sans", "sans-serif"], "font.size": 9.5, "axes.titlesize": 11, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#555555",
    "grid.color": "#dddddd", "axes.axisbelow": True, "legend.frameon": False, "figure.facecolor": "white",
    "svg.fonttype": "none", "svg.hashsalt": "zeroipc", "savefig.dpi": 150,
}
FORMATS = (".svg", ".png", ".pdf")


def new(width_in: float, height_in: float) -> Figure:
    """An empty figure in this style, whatever the reader's own matplotlibrc says."""
    matplotlib.rcdefaults()
    matplotlib.rcParams.update(STYLE)
    figure = Figure(figsize=(width_in, height_in))
    FigureCanvasAgg(figure)
    return figure


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
