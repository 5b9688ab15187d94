"""What all figures share: looks, sizes, saving. A figure is also its data and the sentence that describes it."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence, Tuple
from xml.sax.saxutils import escape

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .. import policies
from ..points import Point
from ..summary import (CACHELINE, CAS, EMPTY, FETCH_ADD, MUTEX, PIPE, POSIX_MQ, UNIX_SOCKET, Analysis,
                       Comparison)

# Okabe and Ito's palette (2008), told apart by all common kinds of colour vision. Its yellow is left out: on white it
# cannot be read. The default is always blue, bounds always black and grey.
DEFAULT_COLOUR = "#0072B2"
COLOURS = ("#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
BOUND_LOOKS = {FETCH_ADD: ("#000000", "*"), CAS: ("#6b6b6b", "*"), MUTEX: ("#444444", "*"), EMPTY: ("#000000", "*"),
               CACHELINE: ("#000000", "*"), PIPE: ("#6b6b6b", "*"), UNIX_SOCKET: ("#8c8c8c", "h"),
               POSIX_MQ: ("#444444", "d")}
MARKERS = ("s", "^", "D", "v", "P", "X", "<", ">", "p")  # nine: with five colours, 45 looks before one comes again
HEAT = "viridis"  # of maps of round trips: even steps of lightness, for every kind of colour vision and in grey
CROWDED_COLOUR = "#f0ece2"  # behind what is oversubscribed
STYLES = Path(__file__).resolve().parent.parent
SCREEN_IN = 10.5  # width on the page
TICKS_IN = 0.4  # that the numbers beside a vertical axis take


@dataclass(frozen=True)
class Look:
    """How a variant is drawn, in every figure of a report."""

    colour: str
    marker: str
    label: str


@dataclass
class Drawing:
    """A figure before it is saved."""

    name: str  # of its files, without suffix
    title: str
    caption: str
    alt: str  # what one who cannot see it should know
    section: str  # a structure, or `machine`
    figure: Figure
    data: pd.DataFrame
    tips: Dict[str, str] = field(default_factory=dict)  # text to show over an artist, by the artist's gid


@dataclass(frozen=True)
class Drawn:
    """A figure that lies in its files, or the reason why there is none."""

    name: str
    title: str
    caption: str
    section: str
    alt: str = ""
    svg: str = ""  # for a page: no header, identifiers of its own
    missing: str = ""  # why there is no figure


@dataclass(frozen=True)
class Source:
    """What figures are drawn from."""

    analysis: Analysis
    frame: pd.DataFrame  # usable runs
    looks: Dict[str, Look]
    width: float = SCREEN_IN  # inches

    @property
    def paper(self) -> bool:
        """Whether it is for print at its own size: smaller letters, no title inside the figure."""
        return self.width < SCREEN_IN

    @property
    def narrow(self) -> bool:
        """Whether it is for a column of print, without room for words beside the data."""
        return self.width < 5

    def ratios(self) -> Dict[Tuple[Point, str], Comparison]:
        """Each comparison by its point and variant."""
        return {(one.point, one.variant): one for one in self.analysis.comparisons}

    def default(self, variants: Sequence[str]) -> Any:
        """The default among the variants, or None."""
        return next((name for name in variants if "(default)" in self.looks[name].label), None)

    def ordered(self, variants: Sequence[str]) -> List[str]:
        """The default, then what is one step from it axis by axis, then what is further away, then bounds."""
        names = [name for name in set(variants) if not name.startswith("bound/")]
        steps = policies.facets(names, self.default(names))
        found = list(dict.fromkeys(name for _, group in steps for name in group))
        return found + sorted(name for name in set(variants) if name.startswith("bound/"))


def looks_of(frame: pd.DataFrame) -> Dict[str, Look]:
    """A look for each variant of the records, the same in every figure: those that are drawn together, one step from
    the default along one axis, get unlike colours first."""
    looks: Dict[str, Look] = {}
    defaults = sorted(set(frame[frame["is_default"]]["variant"]))
    for name in defaults:
        looks[name] = Look(DEFAULT_COLOUR, "o", f"{name} (default)")
    for name in sorted(name for name in set(frame["variant"]) if name.startswith("bound/")):
        looks[name] = Look(*BOUND_LOOKS.get(name, ("#444444", "*")), name)
    for structure in sorted(set(frame["structure"]) - {"bound"}):
        names = sorted(set(frame[frame["structure"] == structure]["variant"]))
        default = next((name for name in names if name in looks), None)
        steps = [name for _, group in policies.facets(names, default) for name in group if name not in looks]
        for index, name in enumerate(steps):
            looks[name] = Look(COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)], name)
    return looks


def on_heat(shade: float) -> str:
    """The colour of letters on a map's colour, by its place from 0 to 1."""
    return "black" if shade > 0.55 else "white"


@contextmanager
def style(paper: bool = False) -> Iterator[None]:
    """Draws with the report's style sheet, and that for print on top."""
    with matplotlib.rc_context():
        set_style(paper)
        yield


def set_style(paper: bool = False) -> None:
    """The report's style sheet, and that for print on top, whatever was set before."""
    matplotlib.rcdefaults()
    for sheet in ("report.mplstyle", *(["paper.mplstyle"] if paper else [])):
        matplotlib.rcParams.update(matplotlib.rc_params_from_file(str(STYLES / sheet), use_default_template=False))


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure that belongs to no window."""
    figure = Figure(figsize=(width_in, height_in))
    FigureCanvasAgg(figure)
    return figure


def grid_of(count: int, width_in: float, least_in: float, height_in: float, most: int = 4,
            ) -> Tuple[Figure, List[Axes], int]:
    """Panels side by side, each of at least some width; (figure, panels, columns)."""
    columns = max(1, min(count, most, int(width_in / least_in)))
    lines = -(-count // columns)
    figure = new_figure(width_in, height_in * lines)
    panels = list(figure.subplots(lines, columns, squeeze=False).flatten())
    for axes in panels[count:]:
        axes.set_axis_off()
    return figure, panels[:count], columns


def tight_box(figure: Figure) -> Any:
    """The box that holds everything drawn, in inches: names outside the axes are never cut."""
    return figure.get_tightbbox(figure.canvas.get_renderer()).padded(0.08)


def save(drawing: Drawing, target: Path) -> None:
    """Writes PNG, SVG and CSV."""
    box = tight_box(drawing.figure)
    drawing.figure.savefig(target / f"{drawing.name}.png", bbox_inches=box)
    drawing.figure.savefig(target / f"{drawing.name}.svg", bbox_inches=box,
                           metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    drawing.data.to_csv(target / f"{drawing.name}.csv", index=False, float_format="%.9g")


def saved(drawing: Drawing, target: Path) -> Drawn:
    """A figure that was saved, with its SVG made fit for a page."""
    svg = (target / f"{drawing.name}.svg").read_text(encoding="utf-8")
    return Drawn(drawing.name, drawing.title, drawing.caption, drawing.section, drawing.alt,
                 inline(svg, drawing.name, drawing.tips))


def inline(svg: str, name: str, tips: Dict[str, str]) -> str:
    """The SVG without what a page must not have: XML header, metadata, identifiers that another figure has too.
    Where an artist has something to say, a title is put in, which browsers show under the pointer."""
    body = svg[svg.index("<svg"):]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="(tip\d+)">', lambda found: f'{found[0]}<title>{escape(tips[found[1]])}</title>', body)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", body)
    body = re.sub(r"(\d\.\d{3})\d+", r"\1", body)  # a thousandth of a point is nothing
    body = re.sub(r"\n\s*", "\n", body)
    # A font that is named first where a page is read elsewhere may be wider than the one that was measured here.
    return body.replace("<svg ", f'<svg role="img" aria-labelledby="{name}-alt" ', 1)


def tip(tips: Dict[str, str], artist: Artist, text: str) -> None:
    """Lets an artist tell its figures under the pointer."""
    gid = f"tip{len(tips)}"
    artist.set_gid(gid)
    tips[gid] = text


def left_out(count: int, what: str) -> str:
    """A sentence for a caption, of what there was no room for; empty if there was room for all."""
    return f" {count} more {what} had no room here: their data is in the records." if count > 0 else ""


def slug(text: str) -> str:
    """Text as a part of a file's name."""
    return "-".join(re.findall(r"[A-Za-z0-9.]+", text))


def point_slug(point: Point) -> str:
    """What tells a point's files from those of others."""
    capacity = "" if point.capacity is None else f"-cap{point.capacity}"
    hosted = "threads" if point.host == "threads" else ""
    more = "".join(f"-{part}" for part in re.findall(r"[A-Za-z0-9.]+", f"{hosted} {point.workload} {point.placement}"))
    handicap_ns, workers, replica = point.diagnosis
    more += (f"-handicap{handicap_ns:g}ns-{workers}" if handicap_ns else "") + (f"-replica{replica}" if replica else "")
    return f"{point.payload_bytes}B{capacity}-{point.window_ns / 1e6:g}ms{more}"


def spread_labels(wanted: Sequence[float], room: float) -> np.ndarray:
    """Places at least `room` apart and near those wanted, in the order wanted: for labels beside the ends of lines."""
    order = np.argsort(wanted, kind="stable")
    groups: List[Tuple[float, int]] = []  # centre, members
    for place in np.asarray(wanted, dtype=float)[order]:
        groups.append((place, 1))
        while len(groups) > 1 and groups[-1][0] - groups[-2][0] < room * (groups[-1][1] + groups[-2][1]) / 2:
            (low, few), (high, more) = groups[-2:]
            groups[-2:] = [((low * few + high * more) / (few + more), few + more)]
    places = [centre + room * (index - (members - 1) / 2) for centre, members in groups for index in range(members)]
    found = np.empty(len(places))
    found[order] = places
    return found


class End(NamedTuple):
    """Where a line ends in its axes, and its name."""

    x: float
    y: float
    text: str
    colour: str
    lead: bool = True  # none where the line itself is not there


def label_ends(axes: Axes, ends: Sequence[End], size: float) -> None:
    """Names lines beside the axes, moved apart, with a thin lead to each."""
    if not ends:
        return
    height_in = axes.get_position().height * axes.figure.get_size_inches()[1]
    heights = [axes.transAxes.inverted().transform(axes.transData.transform((end.x, end.y)))[1] for end in ends]
    room = size * 1.18 / 72 / height_in
    places = spread_labels(heights, room)
    places -= max(0.0, places.max() - 1.02)
    for end, place in zip(ends, places):
        lead = {"arrowstyle": "-", "linewidth": 0.5, "color": end.colour, "shrinkA": 1, "shrinkB": 2, "alpha": 0.7,
                "relpos": (0, 0.5)}  # at the text's left edge, lest a lead crosses other labels
        axes.annotate(end.text, xy=(end.x, end.y), xycoords="data", xytext=(1.06, place), textcoords="axes fraction",
                      fontsize=size, color=end.colour, va="center", annotation_clip=False,
                      arrowprops=lead if end.lead else None)


def room_between(figure: Figure, names: Sequence[str], size: float, columns: int) -> float:
    """The gap between panels side by side, as a share of a panel's width, in which the names beside the lines of one
    and the tick labels of the next do not touch. The figure's margins are set before."""
    left, right = figure.subplotpars.left, figure.subplotpars.right
    gap = 0.2 + TICKS_IN + max(map(len, names), default=0) * 0.56 * size / 72
    panel = (figure.get_size_inches()[0] * (right - left) - (columns - 1) * gap) / columns
    return gap / max(panel, 1.0)
