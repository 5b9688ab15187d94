"""Where results lie, and how one is named."""

from __future__ import annotations

from pathlib import Path
from typing import List, Union

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results"
RECORDS = "records.jsonl"


class ResultsError(Exception):
    """Something that cannot be done; the message says what was wrong, with which value, and what to do."""


def is_run(folder: Path) -> bool:
    """Whether the folder is one that zeroipc-bench wrote records into."""
    return (folder / RECORDS).is_file()


def runs(results: Path = RESULTS) -> List[Path]:
    """Every run folder, results/<machine>/<run>, by name."""
    return sorted(path.parent for path in results.glob(f"*/*/{RECORDS}"))


def find(name: Union[str, Path], results: Path = RESULTS) -> Path:
    """The run folder of a path, of `<machine>/<run>`, or of `<run>` where only one machine has it."""
    for folder in (Path(name), results / name):
        if is_run(folder):
            return folder
    found = [folder for folder in runs(results) if folder.name == str(name)]
    if len(found) == 1:
        return found[0]
    if found:
        machines = ", ".join(folder.parent.name for folder in found)
        raise ResultsError(f"several machines have a run {name}: {machines}. Say which: MACHINE/{name}.")
    raise ResultsError(f"no run is named '{name}': neither a folder with {RECORDS} nor one of {results}. "
                       "'scripts/results list' shows those there are.")


def label(folder: Path) -> str:
    """`<machine>/<run>`, which `find` understands wherever the folder is in a results folder."""
    resolved = folder.resolve()
    return f"{resolved.parent.name}/{resolved.name}"
