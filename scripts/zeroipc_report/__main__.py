"""Command line: `python -m zeroipc_report RUN...`; scripts/report calls it."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import List, Optional

from . import figures, markdown, page, paper, pdf, records, tables
from .summary import Analysis, analyse


def main(arguments: Optional[List[str]] = None) -> int:
    """Makes the report of run folders; answers the exit status: 0, 1 (unreadable records) or 2 (bad usage)."""
    parser = argparse.ArgumentParser(
        prog="report",
        description="Judges and plots the records of runs: report.html, report.pdf, report.md and figures/.",
        epilog="exit status: 0; 1 the records cannot be read or do not belong together; 2 bad usage")
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN",
                        help="a folder that zeroipc-bench wrote: results/<machine>/<time>-<suite>; several of one machine "
                             "make one report")
    parser.add_argument("--out", type=Path, help="where the report goes; default: the run's folder, or for several runs "
                                                 "a new folder beside the first")
    parser.add_argument("--paper", action="store_true",
                        help="also paper/: figures at 3.3 and 7 inches, a table and the threats in LaTeX")
    parser.add_argument("--quiet", action="store_true", help="print no table, only where the report is")
    options = parser.parse_args(arguments)
    for run in options.runs:
        if not run.is_dir():
            parser.error(f"{run} is not a folder")
    try:
        folder = records.load_all(options.runs)
    except records.RecordsError as error:
        print(f"report: {error}", file=sys.stderr)
        return 1
    target = options.out or _target(options.runs)
    try:
        target.mkdir(parents=True, exist_ok=True)
        analysis = analyse(folder)
        path = write(analysis, target)
        if options.paper:
            paper.write(analysis, target / "paper")
    except OSError as error:
        print(f"report: cannot write into {target} ({error.strerror}): name another folder with --out", file=sys.stderr)
        return 1
    if not options.quiet:
        tables.show(analysis)
    print(f"report: {path}")
    return 0


def write(analysis: Analysis, target: Path) -> Path:
    """Writes every part of the report but that for papers; answers where the page is."""
    title = f"ZeroIPC: suite {page.suite(analysis.folder)['name']}"
    with figures.style(), pdf.Document(target / "report.pdf", title) as document:
        document.text(list(pdf.front(analysis)))
        drawn = figures.save_all(analysis, target / "figures", document.drawing)
    markdown.write(analysis, drawn, target)
    return page.write(analysis, drawn, target)


def _target(runs: List[Path]) -> Path:
    if len(runs) == 1:
        return runs[0]
    return runs[0].resolve().parent / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-report"


if __name__ == "__main__":
    sys.exit(main())
