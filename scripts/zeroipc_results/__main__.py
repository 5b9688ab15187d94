"""Command line of scripts/results."""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, List, Optional

from zeroipc_report import summary, wording

from . import drawing, history, index, keep, machines, pack, privacy, showing
from .places import RESULTS, ResultsError, find, label
from .steps import FEWEST
from .table import UNITS, load, read

EXAMPLES = """examples:
  scripts/results list                                      every run, newest last; + is tracked by git
  scripts/results show 20261127T062611Z-quick               a run's machine, build and cells
  scripts/results query "SELECT variant, median FROM cells WHERE mode = 'pingpong' ORDER BY median"
  scripts/results query --tables                            what can be queried
  scripts/results trend 'pingpong/queue/exchange/*' --out trend.svg
  scripts/results plot MACHINE_A MACHINE_B --relative-to bound/cacheline --mode pingpong --out machines.svg
  scripts/results keep 20261127T062611Z-quick               strip, check, and git add
  scripts/results pack 20261127T062611Z-quick               one archive with everything that redraws it
  scripts/results redraw results-pack.tar.gz                redraw it, and compare byte for byte

A RUN is a folder, MACHINE/RUN, or RUN where one machine only has it. results/README.md says more.
exit status: 0; 1 something cannot be read or done, or a redrawn figure differs; 2 bad usage; 3 trend --fail-on-step"""


def main(arguments: Optional[List[str]] = None) -> int:
    """Answers the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.do(options))
    except ResultsError as error:
        print(f"scripts/results: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        sys.stderr.close()  # whoever read has had enough, as `head` does
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/results", epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Lists, queries, plots, keeps and packs the runs that lie in results/.")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where runs lie (default: results)")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, do: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=text, description=text, epilog="exit status and examples: "
                                  "scripts/results --help")
        one.set_defaults(do=do)
        return one

    command("list", _list, "lists every run")
    command("show", _show, "shows a run: machine, build, and each cell's median").add_argument("run", metavar="RUN")
    one = command("query", _query, "answers an SQL query from the index, which is brought up to date first")
    one.add_argument("sql", nargs="?", help="a SELECT")
    one.add_argument("--tables", action="store_true", help="print the tables and their columns")
    one.add_argument("--format", choices=("table", "csv", "json"), default="table")
    one = command("trend", _trend, "shows a cell over revisions, and finds steps")
    one.add_argument("cell", help="a cell's name, or a pattern with * and ?")
    one.add_argument("--machine", help="which, where several have it")
    one.add_argument("--out", type=Path, metavar="FILE", help="draw it: .svg, .png or .pdf")
    one.add_argument("--fail-on-step", action="store_true", help="end with status 3 if there is a step for the worse")
    one = command("plot", _plot, "draws the runs of several machines, each normalised by its own reference")
    one.add_argument("where", nargs="+", metavar="WHERE", help="runs, or machines")
    one.add_argument("--mode", choices=sorted(UNITS), default="throughput")
    one.add_argument("--relative-to", default="default", metavar="VARIANT",
                     help="default (of each structure), a variant or a bound")
    one.add_argument("--out", type=Path, default=Path("machines.svg"), metavar="FILE", help="default machines.svg")
    one = command("keep", _keep, "strips and checks a run, and adds it to git: runs are private until then")
    one.add_argument("run", metavar="RUN")
    one.add_argument("--allow", action="append", default=[], metavar="TEXT", help="a text that is found, and harmless")
    one.add_argument("--report", dest="more", action="append_const", const=privacy.REPORT, help="its report.html, too")
    one.add_argument("--resolution", dest="more", action="append_const", const=privacy.OF_MACHINE,
                     help="results/MACHINE/resolution.json, too: what scripts/selftest found")
    one.add_argument("--dry-run", action="store_true", help="only check, the folder as it is")
    one = command("pack", _pack, "writes one archive with all that a run's figures come from")
    one.add_argument("run", metavar="RUN")
    one.add_argument("--out", type=Path, metavar="FILE", help="default MACHINE--RUN.tar.gz, here")
    one = command("redraw", _redraw, "redraws a pack's figures and compares them, byte for byte")
    one.add_argument("pack", type=Path, metavar="PACK")
    one.add_argument("--into", type=Path, metavar="FOLDER", help="keep what was unpacked and drawn there")
    return parser


def _index(options: argparse.Namespace) -> Path:
    path, complaints = index.refresh(options.results)
    for complaint in complaints:
        print(f"scripts/results: left out: {complaint}", file=sys.stderr)
    return path


def _list(options: argparse.Namespace) -> int:
    _, rows = index.query(_index(options), "SELECT run_folder, started_utc, suite, revision, rounds, cells, failed, "
                          "bytes FROM runs ORDER BY started_utc, run_folder")
    kept = set(keep.tracked(options.results))
    showing.table(("run", "", "started", "suite", "revision", "rounds", "cells", "failed", "size"), [
        [row[0], "+" if row[0] in kept else "", *map(str, row[1:7]), _size(row[7])] for row in rows])
    if not rows:
        print(f"no runs in {options.results}: measure with scripts/bench")
    return 0


def _show(options: argparse.Namespace) -> int:
    folder = find(options.run, options.results)
    known = read(folder)
    for name in ("machine", "cpu", "os", "virtualisation", "governor", "build", "suite"):
        print(f"{name}: {_words(known.environment.get(name, 'unknown'))}")
    print()
    rows = [[wording.MODES[one.point.mode], one.variant, wording.point_label(one.point),
             wording.number(wording.in_unit(one.estimate.median, one.point.mode)),
             wording.interval(wording.in_unit(one.estimate.low, one.point.mode),
                              wording.in_unit(one.estimate.high, one.point.mode)),
             wording.UNITS[one.point.mode], str(one.estimate.n), str(one.failed), str(one.flagged)]
            for one in summary.cells(known.frame)]
    showing.table(("mode", "variant", "point", "median", "95%", "unit", "n", "failed", "flagged"), rows)
    for warning in known.warnings:
        print(f"note: {warning}")
    return 0


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(item)}" for key, item in value.items() if not isinstance(item, (dict, list)))
    return str(value)


def _query(options: argparse.Namespace) -> int:
    if options.tables:
        print(index.TABLES.strip())
        return 0
    if not options.sql:
        raise ResultsError("give a SELECT, or --tables to see what there is.")
    names, rows = index.query(_index(options), options.sql)
    if options.format == "json":
        print(json.dumps([dict(zip(names, row)) for row in rows], indent=2))
    elif options.format == "csv":
        csv.writer(sys.stdout, lineterminator="\n").writerows([names, *rows])
    else:
        showing.table(names, [["" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
                               for value in row] for row in rows])
    return 0


def _trend(options: argparse.Namespace) -> int:
    if options.out:
        drawing.check_target(options.out)
    found = history.trends(_index(options), options.cell, options.machine)
    worse = False
    for one in found:
        sentences = [one.sentence(step) for step in one.steps]
        few = f", of {FEWEST} that are needed" if len(one.moments) < FEWEST else ""
        print("\n".join(sentences) if sentences else f"{one.cell}: no step in {len(one.moments)} runs{few}")
        worse = worse or any(": slower from " in sentence for sentence in sentences)
    if options.out:
        print(f"drawn: {history.draw(found, options.out)}")
    return 3 if worse and options.fail_on_step else 0


def _plot(options: argparse.Namespace) -> int:
    drawing.check_target(options.out)
    ratios = machines.normalised(load(*options.where, results=options.results), options.mode, options.relative_to)
    showing.table(list(ratios.columns), [[f"{value:.3f}" if isinstance(value, float) else str(value) for value in row]
                                         for row in ratios.itertuples(index=False)])
    print(f"drawn: {machines.draw(ratios, options.mode, options.relative_to, options.out)}")
    return 0


def _keep(options: argparse.Namespace) -> int:
    folder = find(options.run, options.results)
    kept = keep.keep(folder, options.allow, options.dry_run, list(dict.fromkeys(options.more or ())))
    for name in kept.stripped:
        print(f"stripped: {name}")
    for name, size in kept.files:
        print(f"{'would add' if options.dry_run else 'added'}: {name}, {_size(size)}")
    total = sum(size for _, size in kept.files)
    print(f"{label(folder)}: {_size(total)} in all, "
          + ("valid by the schemas" if kept.validated else "by no schema: python3-jsonschema is not installed"))
    for name in kept.offered:
        print(f"not added: {name}; {keep.OFFERED[name][0]} adds it")
    return 0


def _pack(options: argparse.Namespace) -> int:
    folder = find(options.run, options.results)
    target: Path = options.out or Path(f"{label(folder).replace('/', '--')}.tar.gz")
    manifest = pack.write(folder, target)
    print(f"packed: {target}, {_size(target.stat().st_size)}, {len(manifest['figures'])} figures to redraw; "
          f"suite: {manifest['suite']}")
    return 0


def _redraw(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="zeroipc-redraw-") as temporary:
        differing, figures = pack.verify(options.pack, options.into or Path(temporary))
    for line in differing:
        print(f"scripts/results: {line}", file=sys.stderr)
    if not differing:
        print(f"{figures} figures redrawn, the same byte for byte"
              + (f"; they lie in {options.into}" if options.into else ""))
    return 1 if differing else 0


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


if __name__ == "__main__":
    sys.exit(main())
