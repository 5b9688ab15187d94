"""Reads a run folder: `records.jsonl` into a table with a row a run, `environment.json` into a dict."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pandas as pd

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


PLAIN = (0.0, "", 0)  # neither handicap nor replica: what is measured for its own sake


@dataclass(frozen=True)
class Point:
    """A point of a sweep without the variant: what two variants must share to be compared."""

    mode: str
    producers: int
    consumers: int
    payload_bytes: int
    capacity: Optional[int]  # items; None where there is none
    window_ns: int
    workload: str = ""  # what else differs from the usual, in words
    placement: str = ""  # the strategy that the cell names; empty: the run's own
    diagnosis: Tuple[float, str, int] = PLAIN  # handicap in ns, of which workers; replica
    host: str = "processes"  # what workers are: processes, or threads of one

    @property
    def workers(self) -> str:
        """The category of the sweep, such as `2P1C`, or `4W` where workers have no roles."""
        if self.consumers == 0:
            return f"{self.producers}W"
        return f"{self.producers}P{self.consumers}C"

    @property
    def order(self) -> Tuple[Any, ...]:
        """Sort key: throughput first; few workers before many, so that oversubscribed points stand together; what
        has no capacity (a bound) after what has one."""
        capacity = float("inf") if self.capacity is None else self.capacity
        return (self.mode != "throughput", self.producers + self.consumers, self.producers, self.payload_bytes,
                capacity, self.window_ns, self.workload, self.placement, self.diagnosis, self.host)


@dataclass
class RunFolder:
    """What one run folder holds."""

    folder: Path
    frame: pd.DataFrame  # a row a run, in the order written; columns as `_row` names them
    environment: Dict[str, Any]
    warnings: List[str] = field(default_factory=list)  # sentences for the reader of the report

    @property
    def usable(self) -> pd.DataFrame:
        """The runs that count: ended well, verified, with a figure. Flagged ones are among them."""
        return self.frame[self.frame["usable"]]


def load(folder: Path) -> RunFolder:
    """Reads a run folder, or raises RecordsError. A missing environment or a torn last line is only a warning."""
    warnings: List[str] = []
    records = _read_records(folder / "records.jsonl", warnings)
    environment = _read_environment(folder / "environment.json", warnings)
    frame = pd.DataFrame([_row(record) for record in records])
    _reject_duplicates(frame, folder / "records.jsonl")
    return RunFolder(folder, frame, environment, warnings)


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


def _row(record: Dict[str, Any]) -> Dict[str, Any]:
    """One record as a flat row; `value` is what its mode is judged by, operations_per_s, p50_ns or p99_ns."""
    throughput = record["throughput"] or {}
    latency = record["latency"] or {}
    verification = record["verification"] or {}
    value = {"throughput": throughput.get("operations_per_s"), "pingpong": latency.get("p50_ns"),
             "latency": latency.get("p99_ns")}[record["mode"]]
    failed = record["status"] != "ok" or verification.get("passed") is False
    capacity = record["capacity"]
    return {
        "run": record["run"],
        "cell": record["cell"],
        "point": Point(record["mode"], record["producers"], record["consumers"], record["payload_bytes"],
                       None if capacity is None else int(capacity), record["window_ns"], _workload(record),
                       (record.get("workload") or {}).get("placement") or "", _diagnosis(record),
                       record.get("host", "processes")),  # records from before there were threads lack it
        "mode": record["mode"],
        "variant": record["variant"],
        "structure": record["variant"].removeprefix("peer/").split("/")[0],
        "kind": record["kind"],
        "is_default": bool(record["is_default"]),
        "round": int(record["round"]),
        "position": int(record["position"]),
        "seed": record["seed"],
        "error": record["error"] or ("its verification failed" if failed else None),
        "failed": failed,
        "flags": tuple(record["flags"]),
        "oversubscribed": bool(record["oversubscribed"]),
        "separate_cores": record["separate_cores"],
        "operation": throughput.get("operation"),
        "curve": tuple((float(p), float(ns)) for p, ns in latency.get("curve") or ()),
        "clock_source": (record.get("clock") or {}).get("source", "unknown"),
        "placement_verified": (record.get("placement") or {}).get("verified"),
        "checked": bool(verification),
        "value": float("nan") if value is None else float(value),
        "usable": not failed and value is not None,
    }


def _workload(record: Dict[str, Any]) -> str:
    """The axes that are not at their usual values, such as `ycsb-a, zipf0.99 keys, think 100 ns`."""
    of = record.get("workload") or {}
    parts = []
    if of.get("mix"):
        parts += [of["mix"], f"{of['keys']} keys"]
    if of.get("push_percent") not in (None, 50):
        parts.append(f"{of['push_percent']}% pushes")
    if of.get("filled_percent") not in (None, 50):
        parts.append(f"{of['filled_percent']}% full")
    if of.get("think_ns"):
        parts.append(f"think {of['think_ns']} ns")
    load = record.get("load")
    if load:
        parts.append(f"{load['arrivals']} arrivals at {load['percent']}%" if load["percent"] else "closed loop")
    if of.get("batch", 1) != 1:
        parts.append(f"batches of {of['batch']}")
    return ", ".join(parts)


def _diagnosis(record: Dict[str, Any]) -> Tuple[float, str, int]:
    """Records from before there were handicaps lack the keys."""
    return (float(record.get("handicap_ns", 0)), record.get("handicap_workers") or "", int(record.get("replica", 0)))


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
