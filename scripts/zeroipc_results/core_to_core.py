"""Command line of scripts/core-to-core: a cache line's round trip between every two CPUs, as a heatmap."""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from zeroipc_report.figures import base

from . import drawing, harness, showing
from .places import RECORDS, RESULTS, ResultsError, find, label, new_folders
from .table import load

CELL = "bound/cacheline"
TOPOLOGY = "topology.json"
BETWEEN_IN = 0.75  # from one panel to the next
EXAMPLES = """examples:
  scripts/core-to-core                                  every CPU that may be used, 5 rounds
  scripts/core-to-core --one-per-core --rounds 11       no second hardware threads
  scripts/core-to-core --cpus 0-3,8 --window-ms 50
  scripts/core-to-core --redraw MACHINE/RUN             draw an earlier run again

Each pair is measured by zeroipc-bench's cell pingpong/bound/cacheline: two pinned processes write two lines in turn; a
figure is the median round trip of a run, and what is shown the median over the rounds. A round visits the pairs in a
random order. The memory lies on the NUMA node of the row's CPU, read back page by page; with several nodes there is a
panel a node, and pairs across nodes are measured with the memory on either.

exit status: 0; 1 something cannot be measured or read; 2 bad usage; 130 interrupted, whole rounds are drawn"""


def main(arguments: Optional[List[str]] = None) -> int:
    """Measures and draws; answers the exit status."""
    options = _parser().parse_args(arguments)
    try:
        if options.redraw:
            folder, interrupted = find(options.redraw, options.results), False
        else:
            folder, interrupted = measure(options)
        topology = json.loads((folder / TOPOLOGY).read_text(encoding="utf-8"))
        pairs = table_of(load(folder), topology)
        pairs.to_csv(folder / "core-to-core.csv", index=False, float_format="%.9g")
        drawn = [draw(pairs, topology, folder / f"core-to-core{suffix}") for suffix in (".svg", ".png")]
    except (ResultsError, OSError, ValueError) as error:
        print(f"scripts/core-to-core: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("scripts/core-to-core: interrupted before a round was whole", file=sys.stderr)
        return harness.INTERRUPTED
    showing.table(("CPUs", "home node", "median ns", "least", "most", "rounds"), [
        [f"{row.cpu} {row.other}", str(row.home_node), *(f"{value:.0f}" for value in (row.median_ns, row.least_ns,
         row.most_ns)), str(row.rounds)] for row in _extremes(pairs).itertuples()], "nearest and farthest pairs")
    print(f"drawn: {drawn[0]}")
    return harness.INTERRUPTED if interrupted else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/core-to-core", epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measures a cache line's round trip between every two CPUs and draws it as a heatmap, into a new "
                    "folder, results/<machine>/<time>-core-to-core.")
    parser.add_argument("--cpus", metavar="LIST", help="only these, such as 0-3,8 (default: all that may be used)")
    parser.add_argument("--one-per-core", action="store_true", help="leave second hardware threads out")
    parser.add_argument("--rounds", type=_positive, default=5, metavar="N", help="of every pair (default 5)")
    parser.add_argument("--window-ms", type=float, default=20, metavar="MS", help="timed window of a run (default 20)")
    parser.add_argument("--seed", type=int, default=None, help="of the pairs' order (default: drawn, and recorded)")
    parser.add_argument("--redraw", metavar="RUN", help="measure nothing, draw this run")
    parser.add_argument("--harness", type=Path, default=harness.DEFAULT, help="default: that of the release build")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where runs lie (default: results)")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of rounds: use 1 or more")
    return int(text)


# --- measuring --------------------------------------------------------------------------------------------------

def cpu_list(text: str) -> List[int]:
    """`0-3,8` as numbers."""
    try:
        parts = [part.split("-") for part in text.split(",")]
        return sorted({cpu for part in parts for cpu in range(int(part[0]), int(part[-1]) + 1)})
    except ValueError as error:
        raise ResultsError(f"--cpus: '{text}' is no list of CPUs; write 0-3,8.") from error


def choose(topology: Dict[str, Any], wanted: Optional[str], one_per_core: bool) -> List[Dict[str, Any]]:
    """The CPUs to measure, near ones beside each other."""
    usable = {cpu["cpu"]: cpu for cpu in topology["machine"]["cpus"] if cpu["usable"]}
    asked = cpu_list(wanted) if wanted else sorted(usable)
    unknown = [cpu for cpu in asked if cpu not in usable]
    if unknown:
        raise ResultsError(f"--cpus: {', '.join(map(str, unknown))} cannot be used; usable: "
                           f"{', '.join(map(str, sorted(usable)))}.")
    chosen = [usable[cpu] for cpu in asked if not (one_per_core and usable[cpu]["smt_rank"])]
    if len(chosen) < 2:
        raise ResultsError(f"there is no pair among {len(chosen)} CPUs; name two or more.")
    return sorted(chosen, key=_place)


def _place(cpu: Dict[str, Any]) -> Tuple[int, ...]:
    """What the machine does not say of a CPU (null) stands first."""
    return tuple(-1 if cpu[key] is None else int(cpu[key])
                 for key in ("package", "node", "llc", "l2", "core", "smt_rank", "cpu"))


def pairs_of(cpus: Sequence[Dict[str, Any]]) -> List[Tuple[int, int]]:
    """Each pair once; across nodes twice, for the memory lies on the first one's node."""
    return [(one["cpu"], other["cpu"]) for place, one in enumerate(cpus) for index, other in enumerate(cpus)
            if place < index or (place > index and one["node"] != other["node"])]


def measure(options: argparse.Namespace) -> Tuple[Path, bool]:
    """Runs every pair in every round; answers the run folder, and whether it was interrupted after a whole round."""
    topology = json.loads(harness.answer(options.harness, ["topology", "--json", "--placement", "spread"]))
    pairs = pairs_of(choose(topology, options.cpus, options.one_per_core))
    seed = random.SystemRandom().randrange(2**31) if options.seed is None else options.seed
    rng = random.Random(seed)
    rounds: List[List[Dict[str, Any]]] = []
    interrupted = False
    with tempfile.TemporaryDirectory(prefix="zeroipc-core-to-core-") as temporary:
        started = time.monotonic()
        try:
            for number in range(options.rounds):
                order = rng.sample(pairs, len(pairs))
                records = []
                for position, pair in enumerate(order):
                    out = Path(temporary) / f"{number}-{position}"
                    records.append(_one(options, pair, seed, out, number, position))
                    if number == 0 and position == 0:
                        each = time.monotonic() - started
                        _say(f"{len(pairs)} pairs, {options.rounds} rounds, about "
                             f"{each * len(pairs) * options.rounds:.0f} s")
                rounds.append(records)
                _say(f"round {number + 1} of {options.rounds} done")
        except KeyboardInterrupt:
            if not rounds:
                raise
            interrupted = True
        environment = json.loads((Path(temporary) / "0-0" / "environment.json").read_text(encoding="utf-8"))
        topology_xml = (Path(temporary) / "0-0" / "topology.xml").read_text(encoding="utf-8")
    environment["suite"] = {**environment["suite"], "name": "core-to-core", "rounds": len(rounds), "seed": seed,
                            "interrupted": interrupted}
    (folder,) = new_folders(options.results / environment["machine"], "core-to-core")
    lines = "".join(json.dumps(one, separators=(",", ":")) + "\n" for records in rounds for one in records)
    for name, text in ((RECORDS, lines),
                       ("environment.json", json.dumps(environment, indent=2) + "\n"), ("topology.xml", topology_xml),
                       (TOPOLOGY, json.dumps(topology, indent=2) + "\n")):
        (folder / name).write_text(text, encoding="utf-8")
    _say(f"records: {label(folder)}")
    return folder, interrupted


def _one(options: argparse.Namespace, pair: Tuple[int, int], seed: int, out: Path, number: int,
         position: int) -> Dict[str, Any]:
    harness.measure(options.harness, [
        "--mode", "pingpong", "--variant", CELL, "--placement", "explicit", "--cpus", f"{pair[0]},{pair[1]}",
        "--window", f"{options.window_ms:g}", "--rounds", "1", "--seed", str(seed),
        "--benchmark_filter=cacheline"], out)
    lines = (out / RECORDS).read_text(encoding="utf-8").splitlines()
    found: Dict[str, Any] = next(one for one in map(json.loads, lines) if one["variant"] == CELL)
    found.update(round=number, position=position)
    return found


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# --- drawing ----------------------------------------------------------------------------------------------------

def table_of(frame: pd.DataFrame, topology: Dict[str, Any]) -> pd.DataFrame:
    """A row a pair and home node: cpu (whose node it is), other, home_node, median_ns, least_ns, most_ns, rounds."""
    nodes = {cpu["cpu"]: cpu["node"] for cpu in topology["machine"]["cpus"]}
    found = []
    for cpus, rows in frame[(frame["variant"] == CELL)].groupby("placement_cpus", sort=False):
        cpu, other = map(int, cpus.split())
        values = rows[rows["usable"]]["value"]
        found.append({"cpu": cpu, "other": other, "home_node": nodes[cpu], "median_ns": values.median(),
                      "least_ns": values.min(), "most_ns": values.max(), "rounds": len(values)})
    if not found:
        raise ResultsError(f"the run holds no cell of {CELL} with CPUs of its own; scripts/core-to-core measures such.")
    return pd.DataFrame(found).sort_values(["home_node", "cpu", "other"], ignore_index=True)


def matrix(pairs: pd.DataFrame, home: int, rows: Sequence[int], columns: Sequence[int]) -> Any:
    """Median ns by row and column of one home node; NaN on the diagonal, and where nothing was measured."""
    known = {}
    for row in pairs[pairs["home_node"] == home].itertuples():
        known[(row.cpu, row.other)] = row.median_ns
        known.setdefault((row.other, row.cpu), row.median_ns)
    return np.array([[known.get((row, column), np.nan) for column in columns] for row in rows])


def draw(pairs: pd.DataFrame, topology: Dict[str, Any], target: Path) -> Path:
    """A panel a home node: its CPUs as rows, all as columns, every figure written into its place."""
    there = {cpu["cpu"]: cpu for cpu in topology["machine"]["cpus"]}
    used = sorted({*pairs["cpu"], *pairs["other"]})
    columns = [cpu["cpu"] for cpu in choose(topology, ",".join(map(str, used)), False)]
    homes = sorted(set(pairs["home_node"]))
    rows = {home: [cpu for cpu in columns if there[cpu]["node"] == home] for home in homes}
    cell_in = 0.5 if len(columns) <= 32 else 0.3
    width_in = cell_in * len(columns)
    height_in = sum(cell_in * len(rows[home]) + BETWEEN_IN for home in homes)
    figure = drawing.new(width_in, height_in)
    limits = (float(pairs["median_ns"].min()), float(pairs["median_ns"].max()))
    top_in = height_in
    for home in homes:
        panel_in = cell_in * len(rows[home])
        top_in -= panel_in
        axes = figure.add_axes((0, top_in / height_in, 1, panel_in / height_in))
        top_in -= BETWEEN_IN
        _panel(axes, matrix(pairs, home, rows[home], columns), rows[home], columns, limits, cell_in)
        if len(homes) > 1:
            axes.set_title(f"memory on node {home}")
        _edges(axes, [there[cpu] for cpu in columns], [there[cpu] for cpu in rows[home]])
    figure.text(0, 1 + 0.4 / height_in, "Round trip of a cache line between two CPUs, ns", fontsize=11,
                fontweight="bold")
    figure.text(0, (BETWEEN_IN - 0.6) / height_in, f"{topology['machine']['model']}; rows and columns: CPUs; "
                f"the median over {int(pairs['rounds'].min())} rounds of a run's median", fontsize=8)
    return drawing.save(figure, target)


def _panel(axes: Axes, values: Any, rows: Sequence[int], columns: Sequence[int], limits: Tuple[float, float],
           cell_in: float) -> None:
    shown = axes.imshow(values, cmap=base.HEAT, vmin=limits[0] * 0.98, vmax=limits[1] * 1.02, aspect="equal")
    axes.set_xticks(range(len(columns)), [str(cpu) for cpu in columns])
    axes.set_yticks(range(len(rows)), [str(cpu) for cpu in rows])
    axes.tick_params(length=0)
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            if np.isnan(value):
                text, colour = ("" if rows[row] == columns[column] else "?"), "black"
            else:
                text, colour = f"{value:.0f}", base.on_heat(float(shown.norm(value)))
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9 if cell_in > 0.4 else 6)


def _edges(axes: Axes, columns: Sequence[Dict[str, Any]], rows: Sequence[Dict[str, Any]]) -> None:
    """White lines between last-level caches, wider between nodes."""
    for line, cpus in ((axes.axvline, columns), (axes.axhline, rows)):
        for place, (one, other) in enumerate(zip(cpus, cpus[1:])):
            if one["node"] != other["node"] or one["llc"] != other["llc"]:
                line(place + 0.5, color="white", linewidth=3 if one["node"] != other["node"] else 1.5)


def _extremes(pairs: pd.DataFrame) -> pd.DataFrame:
    ordered = pairs.sort_values("median_ns")
    return ordered if len(ordered) <= 6 else pd.concat([ordered.head(3), ordered.tail(3)])


if __name__ == "__main__":
    sys.exit(main())
