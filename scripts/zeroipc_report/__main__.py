"""Command line: `python -m zeroipc_report FOLDER`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import List, Optional

from . import figures, page, records, tables


def main(arguments: Optional[List[str]] = None) -> int:
    """Makes the report of a run folder; answers the exit status: 0, 1 (unreadable records) or 2 (bad usage)."""
    parser = argparse.ArgumentParser(
        prog="zeroipc_report",
        description="Judges and plots the records of a run folder: writes report.html and figures/ into it.")
    parser.add_argument("folder", type=Path, help="what zeroipc-bench wrote: results/<machine>/<time>-<suite>")
    parser.add_argument("--quiet", action="store_true", help="print no table, only where the report is")
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is not a folder")
    try:
        folder = records.load(options.folder)
    except records.RecordsError as error:
        print(f"zeroipc_report: {error}", file=sys.stderr)
        return 1
    path = page.write(folder, figures.draw_all(folder))
    if not options.quiet:
        tables.show(folder)
    print(f"report: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
