"""Tables on the terminal: rich where there is one, plain columns elsewhere."""

from __future__ import annotations

import sys
from typing import List, Optional, Sequence, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

STYLES = {"faster": "green", "slower": "red", "equivalent": "blue"}


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], title: str = "",
          stream: Optional[TextIO] = None) -> None:
    """Prints rows of texts; cells that say a verdict are coloured on a terminal."""
    stream = stream or sys.stdout
    if not stream.isatty():
        stream.write("".join(f"{line}\n" for line in plain(headers, rows, title)))
        return
    drawn = Table(title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for header in headers:
        drawn.add_column(header, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    Console(file=stream, highlight=False).print(drawn)


def plain(headers: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> List[str]:
    """The lines of the table, columns at least two blanks apart, nothing folded."""
    lines = [list(headers), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headers))]
    return ([title] if title else []) + [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
