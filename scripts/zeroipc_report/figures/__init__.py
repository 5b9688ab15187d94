"""The figures, a module a family. Each is also its data: a table that is saved beside it, and the sentence for one who
cannot see it."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional

from ..summary import Analysis
from . import behaviour, cores, latency, policy, rows, sweeps
from .base import Drawing, Drawn, Source, looks_of, save, saved, style

__all__ = ["Drawing", "Drawn", "FAMILIES", "Source", "drawings", "looks_of", "save",
           "save_all", "saved", "source_of", "style"]

# In the order in which a section shows them: the overview first, single runs last.
FAMILIES = (cores, policy, sweeps, rows, latency, behaviour)
MOST_SAVERS = 2  # processes that save figures at a time
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
    with each; afterwards it is cleared, for figures are large."""
    target.mkdir(parents=True, exist_ok=True)
    made: List[Drawing] = []
    # A copy of this process saves a figure while the next is drawn here: half the time where there are two CPUs.
    fork = multiprocessing.get_context("fork")
    savers: List[Any] = []  # processes; typeshed has no one name for those of a context
    with style():
        for drawing in drawings(source_of(analysis)):
            if len(savers) >= MOST_SAVERS:
                _wait(savers.pop(0))
            saver = fork.Process(target=save, args=(drawing, target), name=drawing.name)
            saver.start()
            savers.append(saver)
            if then is not None:
                then(drawing)
            drawing.figure.clear()
            made.append(drawing)
    for saver in savers:
        _wait(saver)
    found = [saved(drawing, target) for drawing in made]
    measured = set(analysis.folder.usable["mode"])
    return found + [Drawn(mode, title, "", "", missing=why) for mode, (title, why) in MISSING.items()
                    if mode not in measured]


def _wait(saver: Any) -> None:
    saver.join()
    if saver.exitcode != 0:
        raise OSError(0, f"figure {saver.name} could not be saved; why stands above")
