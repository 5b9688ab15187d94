"""Reads a run folder: `records.jsonl` into a table with a row a run, `environment.json` into a dict."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import pandas as pd

from .points import PLAIN, Point, row_of

__all__ = ["PLAIN", "Point", "RecordsError", "RunFolder", "load", "load_all", "of_each_run"]

RECORD_SCHEMA = "zeroipc-record/1"
REQUIRED_KEYS = (
    "run", "cell", "mode", "variant", "kind", "is_default", "producers", "consumers", "payload_bytes", "capacity",
    "window_ns", "round", "position", "seed", "status", "error", "flags", "oversubscribed", "separate_cores",
    "throughput", "latency", "verification",
)
# A run folder may be published: should a harness ever write one of these, it goes no further than here.
PRIVATE_KEYS = frozenset({"host", "hostname", "nodename", "user", "username", "login", "home", "cwd", "domain"})


class RecordsError(Exception):
    """A run folder that cannot be read; the message names the file, the line and what to do."""


@dataclass
class RunFolder:
    """What one run folder holds."""

    folder: Path
    # A row a run, in the order written; columns as points.row_of names them, and `source` where there are several folders.
    frame: pd.DataFrame
    environment: Dict[str, Any]
    warnings: List[str] = field(default_factory=list)  # sentences for the reader of the report
    sources: List[Path] = field(default_factory=list)  # what it was read from, where that is several folders

    @property
    def usable(self) -> pd.DataFrame:
        """The runs that count: ended well, verified, with a figure. Flagged ones are among them."""
        return self.frame[self.frame["usable"]]


def load(folder: Path) -> RunFolder:
    """Reads a run folder, or raises RecordsError. A missing environment or a torn last line is only a warning."""
    warnings: List[str] = []
    records = _read_records(folder / "records.jsonl", warnings)
    environment = _read_environment(folder / "environment.json", warnings)
    suite = environment.get("suite")
    if isinstance(suite, dict) and suite.get("interrupted") is True:
        warnings.append("The run was interrupted: this is what was recorded until then, and the last round may be incomplete.")
    frame = pd.DataFrame([row_of(record) for record in records])
    _reject_duplicates(frame, folder / "records.jsonl")
    return RunFolder(folder, frame, environment, warnings)


def load_all(folders: Sequence[Path]) -> RunFolder:
    """One or more run folders as one, or RecordsError where they do not belong together: rounds are paired within each
    run, but medians are taken over all, so the machine must be the same, and of a cell the build too."""
    if len(folders) == 1:
        return load(folders[0])
    parts = [load(folder) for folder in folders]
    machines = {part.environment.get("machine", "unknown") for part in parts}
    if len(machines) > 1:
        raise RecordsError(f"the runs are of unlike machines ({', '.join(sorted(machines))}), and no median over them "
                           "would mean anything. Make a report for each machine.")
    _reject_mixed_builds(parts)
    frame = pd.concat([part.frame.assign(source=part.folder.name) for part in parts], ignore_index=True)
    repeated = frame[frame.duplicated(["run", "cell", "round"])]
    if not repeated.empty:
        raise RecordsError(f"run {repeated.iloc[0]['run']} is named twice. Name each run folder once.")
    warnings = [f"{part.folder.name}: {text}" for part in parts for text in part.warnings]
    return RunFolder(parts[0].folder, frame, _merged([part.environment for part in parts]), warnings,
                     [part.folder for part in parts])


def _reject_mixed_builds(parts: Sequence[RunFolder]) -> None:
    builds: Dict[str, str] = {}
    for part in parts:
        build = json.dumps(part.environment.get("build", "unknown"), sort_keys=True)
        for cell in set(part.frame["cell"]):
            if builds.setdefault(cell, build) != build:
                raise RecordsError(f"cell {cell} was measured by two builds ({builds[cell]}; {build}), which are not "
                                   "one thing to measure. Make a report for each.")


def _merged(environments: Sequence[Dict[str, Any]]) -> Dict[str, Any]:
    """The values that all share; else those of all, by number."""
    merged = {}
    for key in dict.fromkeys(key for one in environments for key in one):
        values = [one.get(key, "unknown") for one in environments]
        same = all(value == values[0] for value in values)
        merged[key] = values[0] if same else {f"run {number}": value for number, value in enumerate(values, 1)}
    return merged


def of_each_run(value: Any) -> List[Any]:
    """A value of an environment, run by run where it was merged and they differ; else the one of all."""
    return list(value.values()) if isinstance(value, dict) and "run 1" in value else [value]


def _read_records(path: Path, warnings: List[str]) -> List[Dict[str, Any]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecordsError(f"{path}: cannot be read ({error.strerror}). Name a folder that zeroipc-bench wrote, "
                           "results/<machine>/<time>-<suite>.") from error
    lines = content.split(b"\n")
    records = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line.decode("utf-8"), parse_constant=lambda _: None)
        except ValueError as error:
            # The writer ends each record with a newline: only a last line without one can be half written.
            if number == len(lines):
                warnings.append(f"The last line of {path.name} (line {number}) is cut short: the harness was stopped "
                                "while writing it. That run is left out; all before it are kept.")
                continue
            raise RecordsError(f"{path}:{number}: not JSON ({error}). Remove that line, or measure again with "
                               "scripts/bench.") from error
        _check(record, path, number)
        records.append(record)
    if not records:
        raise RecordsError(f"{path}: holds no records, so there is nothing to report. Measure again with "
                           "scripts/bench.")
    return records


def _check(record: Any, path: Path, number: int) -> None:
    if not isinstance(record, dict):
        raise RecordsError(f"{path}:{number}: not a record but {type(record).__name__}. Remove that line.")
    schema = record.get("schema")
    if schema != RECORD_SCHEMA:
        raise RecordsError(f"{path}:{number}: its schema is {schema!r}, this report reads {RECORD_SCHEMA!r}. Use the "
                           "scripts of the revision that measured.")
    missing = [key for key in REQUIRED_KEYS if key not in record]
    if missing:
        raise RecordsError(f"{path}:{number}: the record lacks {', '.join(missing)}. Measure again with a harness and "
                           "scripts of the same revision.")


def _reject_duplicates(frame: pd.DataFrame, path: Path) -> None:
    """A round runs a cell once; were there two, nothing could be paired."""
    repeated = frame[frame.duplicated(["run", "cell", "round"])]
    if not repeated.empty:
        first = repeated.iloc[0]
        raise RecordsError(f"{path}: cell {first['cell']} stands twice in round {first['round']}. Keep one run of the "
                           "harness a folder; measure again with scripts/bench.")


def _read_environment(path: Path, warnings: List[str]) -> Dict[str, Any]:
    try:
        environment = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        warnings.append(f"There is no {path.name}: what machine and build these figures are of is unknown.")
        return {}
    except ValueError as error:
        warnings.append(f"{path.name} is not JSON ({error}): what machine and build these figures are of is unknown.")
        return {}
    if not isinstance(environment, dict):
        warnings.append(f"{path.name} is not a JSON object: what machine and build these figures are of is unknown.")
        return {}
    return _without_private(environment)


def _without_private(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_private(item) for key, item in value.items() if key.lower() not in PRIVATE_KEYS}
    if isinstance(value, list):
        return [_without_private(item) for item in value]
    return value
