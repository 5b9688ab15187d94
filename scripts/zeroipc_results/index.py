"""The index: what results hold, in SQLite. It is built from the records, so it can be deleted at any time."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import pandas as pd

from zeroipc_report import summary
from zeroipc_report.policies import structure_of
from zeroipc_report.records import RunFolder

from .places import RECORDS, ResultsError, label, runs
from .table import UNITS, read, section

VERSION = 1
NAME = "index.sqlite"
TABLES = """
CREATE TABLE runs(run_folder TEXT PRIMARY KEY, machine TEXT, cpu_model TEXT, run TEXT, suite TEXT, revision TEXT,
  compiler TEXT, started_utc TEXT, rounds INTEGER, cells INTEGER, records INTEGER, failed INTEGER, bytes INTEGER,
  stamp TEXT);
CREATE TABLE cells(run_folder TEXT, cell TEXT, mode TEXT, variant TEXT, structure TEXT, kind TEXT, is_default INTEGER,
  producers INTEGER, consumers INTEGER, payload_bytes INTEGER, capacity_items INTEGER, window_ns INTEGER,
  median REAL, low REAL, high REAL, n INTEGER, unit TEXT, failed INTEGER, flagged INTEGER,
  PRIMARY KEY(run_folder, cell));
CREATE TABLE samples(run_folder TEXT, cell TEXT, round INTEGER, position INTEGER, value REAL, usable INTEGER,
  flags TEXT, separate_cores INTEGER);
CREATE INDEX samples_by_cell ON samples(cell, run_folder);
"""


def refresh(results: Path) -> Tuple[Path, List[str]]:
    """Brings the index up to date with the folders: reads those that are new or changed, forgets those that are gone.
    Answers where it is, and a sentence for each folder that cannot be read."""
    path = results / NAME
    if not results.is_dir():
        raise ResultsError(f"{results}: no such folder. Measure first (scripts/bench), or name another: --results.")
    complaints: List[str] = []
    try:
        with closing(_open(path)) as index, index:
            known = dict(index.execute("SELECT run_folder, stamp FROM runs"))
            present = {label(folder): folder for folder in runs(results)}
            for name in known.keys() - present.keys():
                _forget(index, name)
            for name, folder in present.items():
                stamp = _stamp(folder)
                if known.get(name) != stamp:
                    _forget(index, name)
                    try:
                        _add(index, name, folder, stamp)
                    except ResultsError as error:
                        complaints.append(str(error))
    except sqlite3.Error as error:
        raise ResultsError(f"{path}: {error}. It is built from the records: delete it and try again.") from error
    return path, complaints


def query(path: Path, sql: str, parameters: Sequence[Any] = ()) -> Tuple[List[str], List[Tuple[Any, ...]]]:
    """Column names and rows of a query; the index is opened for reading only."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as index:
            answer = index.execute(sql, parameters)
            return [column[0] for column in answer.description or ()], answer.fetchall()
    except sqlite3.Error as error:
        raise ResultsError(f"the query failed: {error}. 'scripts/results query --tables' shows what there is."
                           ) from error


def _open(path: Path) -> sqlite3.Connection:
    """An index of this version, made anew where there is none, one of another version, or no database at all."""
    index = sqlite3.connect(path)
    try:
        version = index.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError:
        version = -1
    if version != VERSION:
        index.close()
        path.unlink(missing_ok=True)
        index = sqlite3.connect(path)
        index.executescript(TABLES + f"PRAGMA user_version = {VERSION};")
    return index


def _stamp(folder: Path) -> str:
    parts = []
    for name in (RECORDS, "environment.json"):
        path = folder / name
        parts.append(f"{path.stat().st_mtime_ns}-{path.stat().st_size}" if path.is_file() else "none")
    return " ".join(parts)


def _forget(index: sqlite3.Connection, name: str) -> None:
    for table in ("runs", "cells", "samples"):
        index.execute(f"DELETE FROM {table} WHERE run_folder = ?", (name,))


def _add(index: sqlite3.Connection, name: str, folder: Path, stamp: str) -> None:
    known = read(folder)
    frame, environment = known.frame, known.environment
    build, suite = section(environment, "build"), section(environment, "suite")
    size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    _insert(index, "runs", {
        "run_folder": name, "machine": environment.get("machine", folder.resolve().parent.name),
        "cpu_model": section(environment, "cpu").get("model", "unknown"), "run": str(frame.iloc[0]["run"]),
        "suite": suite.get("name", "unknown"), "revision": build.get("revision", "unknown"),
        "compiler": f"{build.get('compiler', 'unknown')} {build.get('version', '')}".strip(),
        "started_utc": suite.get("started", "unknown"), "rounds": int(frame["round"].nunique()),
        "cells": int(frame["cell"].nunique()), "records": len(frame), "failed": int(frame["failed"].sum()),
        "bytes": size, "stamp": stamp})
    for row in _cells(known):
        _insert(index, "cells", {"run_folder": name, **row})
    for row in frame.to_dict("records"):
        _insert(index, "samples", {
            "run_folder": name, "cell": row["cell"], "round": row["round"], "position": row["position"],
            "value": None if pd.isna(row["value"]) else row["value"], "usable": int(row["usable"]),
            "flags": " ".join(row["flags"]),
            "separate_cores": None if row["separate_cores"] is None else int(row["separate_cores"])})


def _cells(known: RunFolder) -> List[Dict[str, Any]]:
    names = {(row.point, row.variant): row.cell for row in known.frame.itertuples()}
    return [{
        "cell": names[(one.point, one.variant)], "mode": one.point.mode, "variant": one.variant,
        "structure": structure_of(one.variant), "kind": one.kind, "is_default": int(one.is_default),
        "producers": one.point.producers, "consumers": one.point.consumers, "payload_bytes": one.point.payload_bytes,
        "capacity_items": one.point.capacity, "window_ns": one.point.window_ns, "median": _null(one.estimate.median),
        "low": _null(one.estimate.low), "high": _null(one.estimate.high), "n": one.estimate.n,
        "unit": UNITS[one.point.mode], "failed": one.failed, "flagged": one.flagged,
    } for one in summary.cells(known.frame)]


def _null(value: float) -> Any:
    return None if pd.isna(value) else value


def _insert(index: sqlite3.Connection, table: str, row: Dict[str, Any]) -> None:
    marks = ", ".join("?" for _ in row)
    index.execute(f"INSERT INTO {table}({', '.join(row)}) VALUES ({marks})", list(row.values()))
