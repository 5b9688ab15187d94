"""Where results lie, and how one is named."""

from __future__ import annotations

import time
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


def new_folders(base: Path, *names: str) -> List[Path]:
    """A new folder of this time for each name, below `base`; two calls in one second get two sets."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    for extra in range(1, 100):
        folders = [base / (f"{stamp}-{name}" + (f"-{extra}" if extra > 1 else "")) for name in names]
        try:
            for folder in folders:
                folder.mkdir(parents=True)
            return folders
        except FileExistsError:
            continue
        except OSError as error:
            raise ResultsError(f"{base}: no folder can be made there ({error.strerror}).") from error
    raise ResultsError(f"{base}: no new folder can be made for {stamp}.")
