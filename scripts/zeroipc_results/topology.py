"""Command line of scripts/topology: a machine as nested boxes, a panel for each placement of workers."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from . import drawing, harness
from .places import RESULTS, ResultsError, find

CPU = 1.0  # side of a CPU's square; all lengths are multiples of it
GAP, HEAD = 0.22, 0.62  # between boxes; room for a box's name
INCH = 0.36  # a CPU's side on paper
WIDEST_IN = 11.0
LEVELS = (("package", "package", 2), ("node", "node", 2), ("llc", "LLC", 4), ("l2", "L2", 4))  # key, name, boxes a row
FILLS = {"package": "#f4f4f4", "node": "#e9eef3", "llc": "#dbe5ee", "l2": "#cfdce8", "core": "#ffffff"}
ROLES = {"P": drawing.COLOURS[0], "C": drawing.COLOURS[1]}
EXAMPLES = """examples:
  scripts/topology                                              this machine, 1 producer and 1 consumer
  scripts/topology --producers 2 --consumers 2 --placement spread --placement compact
  scripts/topology --run MACHINE/RUN --out that.svg             the machine of a run
  scripts/topology --synthetic 'package:2 numa:2 core:4 pu:2'   one that does not exist

'zeroipc-bench topology' plans the placements, and draws the same as text.
exit status: 0; 1 cannot be read or planned; 2 bad usage"""


@dataclass
class Box:
    """A part of the machine, placed relative to its parent's corner."""

    level: str  # package, node, llc, l2, core or cpu
    name: str
    width: float = CPU
    height: float = CPU
    at: Tuple[float, float] = (0.0, 0.0)
    inside: List["Box"] = field(default_factory=list)
    cpu: Optional[Dict[str, Any]] = None


def main(arguments: Optional[List[str]] = None) -> int:
    """Draws; answers the exit status."""
    options = _parser().parse_args(arguments)
    try:
        drawing.check_target(options.out)
        plan = json.loads(harness.answer(options.harness, _question(options)))
        path = draw(plan, options.out)
    except (ResultsError, ValueError) as error:
        print(f"scripts/topology: {error}", file=sys.stderr)
        return 1
    for one in plan["placements"]:
        if one["reason"]:
            print(f"{one['strategy']}: impossible here: {one['reason'].split(': ', 1)[-1]}")
    print(f"drawn: {path}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/topology", epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Draws a machine (packages, NUMA nodes, caches, cores, hardware threads), and where each placement "
                    "strategy puts producers and consumers.")
    parser.add_argument("--producers", type=int, default=1, metavar="N", help="default 1")
    parser.add_argument("--consumers", type=int, default=1, metavar="N", help="default 1")
    parser.add_argument("--placement", action="append", default=[], metavar="STRATEGY",
                        help="only this strategy (default: all); may be repeated")
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--run", metavar="RUN", help="the machine of this run")
    other.add_argument("--xml", type=Path, metavar="FILE", help="the machine of this hwloc XML file")
    other.add_argument("--synthetic", metavar="TEXT", help="the machine of a synthetic description of hwloc")
    parser.add_argument("--out", type=Path, default=Path("topology.svg"), metavar="FILE", help="default topology.svg")
    parser.add_argument("--harness", type=Path, default=harness.DEFAULT, help="default: that of the release build")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where runs lie (default: results)")
    return parser


def _question(options: argparse.Namespace) -> List[str]:
    question = ["topology", "--json", "--producers", str(options.producers), "--consumers", str(options.consumers)]
    for placement in options.placement:
        question += ["--placement", placement]
    xml = find(options.run, options.results) / "topology.xml" if options.run else options.xml
    if xml:
        if not xml.is_file():
            raise ResultsError(f"{xml}: no such file; a run's folder has a topology.xml, lstopo writes others.")
        return [*question, "--xml", str(xml)]
    return [*question, "--synthetic", options.synthetic] if options.synthetic else question


# --- layout -----------------------------------------------------------------------------------------------------

def layout(machine: Dict[str, Any]) -> Box:
    """The machine as nested boxes. A level that holds just what the one around it holds shares its box."""
    cpus = sorted(machine["cpus"], key=lambda cpu: int(cpu["cpu"]))
    root = Box("machine", "")
    root.inside = _split(cpus, 0, _cache_names(machine))
    _arrange(root, 2)
    return root


def _split(cpus: Sequence[Dict[str, Any]], depth: int, caches: Dict[str, str]) -> List[Box]:
    if depth == len(LEVELS):
        return [_core(group) for group in _groups(cpus, "core").values()]
    key, name, _ = LEVELS[depth]
    boxes: List[Box] = []
    for number, group in _groups(cpus, key).items():
        inside = _split(group, depth + 1, caches)
        single_core = len(inside) == 1 and inside[0].level == "core"
        if number is None or (key == "l2" and single_core):
            boxes += inside  # the machine does not say, or the cache is a core's own
            continue
        label = f"{caches.get(key, name)} {number}"
        if len(inside) == 1 and not single_core:
            box = inside[0]
            box.name = f"{label}, {box.name}"
            box.width = max(box.width, _name_width(box.name))
        else:
            box = Box(key, label, inside=inside)
            _arrange(box, LEVELS[depth + 1][2] if depth + 1 < len(LEVELS) else 4)
        boxes.append(box)
    return boxes


def _groups(cpus: Sequence[Dict[str, Any]], key: str) -> Dict[Optional[int], List[Dict[str, Any]]]:
    found: Dict[Optional[int], List[Dict[str, Any]]] = {}
    for cpu in cpus:
        found.setdefault(cpu[key], []).append(cpu)
    return found


def _core(cpus: Sequence[Dict[str, Any]]) -> Box:
    box = Box("core", "", inside=[Box("cpu", str(cpu["cpu"]), cpu=cpu) for cpu in cpus])
    for place, one in enumerate(box.inside):
        one.at = (GAP / 2, GAP / 2 + place * (CPU + GAP / 2))
    box.width, box.height = CPU + GAP, GAP / 2 + len(cpus) * (CPU + GAP / 2)
    return box


def _arrange(box: Box, columns: int) -> None:
    """Places what is inside in rows, and gives the box its size: wide enough for its name too."""
    columns = max(columns, 8) if box.inside and box.inside[0].level == "core" else columns
    head = HEAD if box.name else 0.0
    top, width = head + (0 if head else GAP), 0.0
    for first in range(0, len(box.inside), columns):
        row = box.inside[first:first + columns]
        left = GAP
        for one in row:
            one.at = (left, top)
            left += one.width + GAP
        top += max(one.height for one in row) + GAP
        width = max(width, left)
    box.width, box.height = max(width, _name_width(box.name)), top


def _name_width(name: str) -> float:
    return 0.19 * len(name) + 2 * GAP


def _cache_names(machine: Dict[str, Any]) -> Dict[str, str]:
    """`L3 300 MiB` for the last level, `L2 2 MiB` for the second, where it is known and the same everywhere."""
    sizes: Dict[int, Set[int]] = {}
    for cache in machine["caches"]:
        if cache["type"] == "unified":
            sizes.setdefault(cache["level"], set()).add(cache["bytes"])
    names = {level: f"L{level} {_bytes(one.pop())}" if len(one) == 1 else f"L{level}" for level, one in sizes.items()}
    last = max(names, default=0)
    levels = {"llc": last, **({"l2": 2} if last > 2 else {})}
    return {key: names[level] for key, level in levels.items() if level in names}


def _bytes(count: int) -> str:
    return f"{count / 2**20:g} MiB" if count >= 2**20 else f"{count / 2**10:g} KiB"


# --- drawing ----------------------------------------------------------------------------------------------------

def draw(plan: Dict[str, Any], target: Path) -> Path:
    """A panel for each placement that is possible; the bare machine where none is."""
    box = layout(plan["machine"])
    panels: List[Optional[Dict[str, Any]]] = [one for one in plan["placements"] if not one["reason"]]
    panels = panels or [None]
    columns = max(1, min(len(panels), int(WIDEST_IN / (box.width * INCH))))
    rows = -(-len(panels) // columns)
    step_in = max(box.width * INCH, 1.6) + 0.15, box.height * INCH + 0.35
    width_in, height_in = columns * step_in[0], rows * step_in[1]
    figure = drawing.new(width_in, height_in)
    for place, one in enumerate(panels):
        corner_in = place % columns * step_in[0], height_in - (place // columns + 1) * step_in[1]
        axes = figure.add_axes((corner_in[0] / width_in, corner_in[1] / height_in, box.width * INCH / width_in,
                                box.height * INCH / height_in))
        axes.set_axis_off()
        axes.set_xlim(0, box.width)
        axes.set_ylim(box.height, 0)
        _paint(axes, box, (0.0, 0.0), _roles(one))
        axes.set_title(_title(one), fontsize=9.5, pad=1, x=GAP / box.width)
    figure.text(0.08 / width_in, 1 + 0.15 / height_in, _about(plan["machine"]), fontsize=11, fontweight="bold")
    figure.text(0.08 / width_in, -0.2 / height_in, "P producer, C consumer, else the CPU's number; hatched: not usable",
                fontsize=8)
    return drawing.save(figure, target)


def _about(machine: Dict[str, Any]) -> str:
    counts = ((machine[key], name) for key, name in (
        ("logical_cpus", "CPU"), ("cores", "core"), ("packages", "package"), ("numa_nodes", "NUMA node")))
    model = "a machine" if machine["model"] == "unknown" else machine["model"]
    return f"{model}: " + ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for count, name in counts)


def _title(one: Optional[Dict[str, Any]]) -> str:
    if one is None:
        return "no worker is placed"
    crowded = " (oversubscribed)" if one["oversubscribed"] else ""
    return f"{one['strategy']}{crowded}"


def _roles(one: Optional[Dict[str, Any]]) -> Dict[int, List[str]]:
    """The workers on each CPU, such as P0."""
    found: Dict[int, List[str]] = {}
    if one is not None:
        for letter, cpus in (("P", one["producer_cpus"]), ("C", one["consumer_cpus"])):
            for index, cpu in enumerate(cpus):
                found.setdefault(cpu, []).append(f"{letter}{index}")
    return found


def _paint(axes: Axes, box: Box, corner: Tuple[float, float], roles: Dict[int, List[str]]) -> None:
    left, top = corner[0] + box.at[0], corner[1] + box.at[1]
    if box.cpu is not None:
        here = roles.get(box.cpu["cpu"], [])
        colour = ROLES[here[0][0]] if here else "#ffffff"
        axes.add_patch(Rectangle((left, top), box.width, box.height, facecolor=colour, edgecolor="#777777",
                                 linewidth=0.8, hatch=None if box.cpu["usable"] else "////"))
        axes.text(left + CPU / 2, top + CPU / 2, "\n".join(here) or box.name, ha="center", va="center",
                  fontsize=8 if len(here) < 2 else 6, color="white" if here else "#777777",
                  fontweight="bold" if here else "normal")
        return
    if box.level != "machine":
        axes.add_patch(Rectangle((left, top), box.width, box.height, facecolor=FILLS[box.level], edgecolor="#555555",
                                 linewidth=0.8))
        if box.name:
            axes.text(left + GAP, top + HEAD / 2, box.name, va="center", fontsize=7.5, color="#333333")
    for one in box.inside:
        _paint(axes, one, (left, top), roles)


if __name__ == "__main__":
    sys.exit(main())
