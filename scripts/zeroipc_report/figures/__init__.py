"""The figures, a module a family. Each is also its data: a table that is saved beside it, and the sentence for one who
cannot see it."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Iterator, List, Optional

from ..records import RunFolder
from ..summary import Analysis, analyse
from . import behaviour, cores, latency, policy, rows, sweeps
from .base import Drawing, Drawn, Source, looks_of, save, style

__all__ = ["Drawing", "Drawn", "FAMILIES", "Source", "draw_all", "drawings", "looks_of", "save_all", "source_of", "style"]

# In the order in which a section shows them: the overview first, single runs last.
FAMILIES = (cores, policy, sweeps, rows, latency, behaviour)
# What a reader may look for, by mode: where there is none, the report says so.
MISSING = {
    "throughput": ("Throughput", "No run measured throughput, so there is no figure of it."),
    "pingpong": ("Round trips", "No run measured round trips, so there is no figure of them."),
    "latency": ("Latency under load", "No run measured latency under load, so there is no figure of it."),
}


def source_of(analysis: Analysis, width: float = Source.width) -> Source:
    """What the figures of an analysis are drawn from."""
    return Source(analysis, analysis.folder.usable, looks_of(analysis.folder.frame), width)


def drawings(source: Source) -> Iterator[Drawing]:
    """Every figure that the records carry, one at a time."""
    for family in FAMILIES:
        yield from family.draw(source)


def save_all(analysis: Analysis, target: Path, then: Optional[Callable[[Drawing], None]] = None) -> List[Drawn]:
    """Draws every figure into the folder; answers them, and the reasons for those that there are not. `then` is called
    with each, once it is saved: figures are large, so only one is kept at a time."""
    target.mkdir(parents=True, exist_ok=True)
    found = []
    with style():
        for drawing in drawings(source_of(analysis)):
            found.append(save(drawing, target))
            if then is not None:
                then(drawing)
    measured = set(analysis.folder.usable["mode"])
    return found + [Drawn(mode, title, "", "", missing=why) for mode, (title, why) in MISSING.items()
                    if mode not in measured]


def draw_all(folder: RunFolder) -> List[Drawn]:
    """Draws every figure of a run folder into its `figures`."""
    return save_all(analyse(folder), folder.folder / "figures")
