"""Records as one tidy table: a row a run of a cell, a column a quantity, units in the columns' names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Union

import pandas as pd

from zeroipc_report import records, wording
from zeroipc_report.points import VALUE as UNITS
from zeroipc_report.records import RunFolder

from .places import RECORDS, RESULTS, ResultsError, find, is_run, label, runs

LATENCIES = ("min_ns", "mean_ns", "p50_ns", "p90_ns", "p99_ns", "p99_9_ns", "p99_99_ns", "max_ns")
WORKLOAD = ("think_ns", "calls", "push_percent", "mix", "keys", "filled_percent", "range_percent")
SUMMED = ("successes", "full", "empty", "retries", "helps", "backoffs", "system_calls", "minor_faults",
          "voluntary_switches", "involuntary_switches")
COUNTED = ("cycles", "instructions", "cache-references", "cache-misses", "branch-misses", "context-switches", "page-faults")


def load(*where: Union[str, Path], results: Path = RESULTS) -> pd.DataFrame:
    """The records of runs as one table; without arguments those of every run in `results`.

    Each of `where` is a run folder, its name (`<machine>/<run>`), or a folder of runs, such as results/<machine>.
    Units stand in the columns' names; `value` is what the mode is judged by, in the unit that `value_unit` names.
    What was not measured or is unknown is missing (NaN, None), never 0. Rows of failed runs are there, with `usable`
    false. `attrs["warnings"]` lists what a reader should know. Raises ResultsError where something cannot be read.
    """
    folders = [folder for one in where for folder in _folders(one, results)] if where else runs(results)
    tables, warnings = [], []
    for folder in folders:
        known = read(folder)
        tables.append(_table(folder, known))
        warnings += [f"{label(folder)}: {warning}" for warning in known.warnings]
    frame = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    frame.attrs["warnings"] = warnings
    return frame


def read(folder: Path) -> RunFolder:
    """One run folder as the report reads it; ResultsError where it cannot be read."""
    try:
        return records.load(folder)
    except records.RecordsError as error:
        raise ResultsError(str(error)) from error


def raw_records(folder: Path, count: int) -> List[Dict[str, Any]]:
    """The first `count` records of a folder that `read` has accepted: a torn last line is not counted."""
    lines = (folder / RECORDS).read_text(encoding="utf-8", errors="replace").split("\n")
    kept = [line for line in lines if line.strip()][:count]
    return [json.loads(line, parse_constant=lambda _: None) for line in kept]


def section(environment: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of an environment; empty where it is unknown."""
    part = environment.get(name)
    return part if isinstance(part, dict) else {}


def _folders(where: Union[str, Path], results: Path) -> List[Path]:
    for base in (Path(where), results / where):
        if base.is_dir() and not is_run(base):
            found = sorted({path.parent for path in base.glob(f"**/{RECORDS}")})
            if found:
                return found
    return [find(where, results)]


def _table(folder: Path, known: RunFolder) -> pd.DataFrame:
    environment = known.environment
    about = {
        "machine": environment.get("machine", "unknown"),
        "cpu_model": section(environment, "cpu").get("model", "unknown"),
        "revision": section(environment, "build").get("revision", "unknown"),
        "suite": section(environment, "suite").get("name", "unknown"),
        "started_utc": section(environment, "suite").get("started", "unknown"),
        "run_folder": label(folder),
    }
    raw = raw_records(folder, len(known.frame))
    rows = [{**about, **_row(row, record)} for row, record in zip(known.frame.to_dict("records"), raw)]
    return pd.DataFrame(rows)


def _row(row: Mapping[str, Any], record: Mapping[str, Any]) -> Dict[str, Any]:
    """One record: what the report knows of it, then what else a reader may ask."""
    point = row["point"]
    workload, throughput = record.get("workload") or {}, record["throughput"] or {}
    load_, energy = record.get("load") or {}, record.get("energy") or {}
    found: Dict[str, Any] = {name: row[name] for name in (
        "run", "cell", "mode", "variant", "structure", "kind", "is_default", "round", "position", "seed", "usable",
        "failed", "error", "oversubscribed", "separate_cores", "value")}
    found.update({
        "point": wording.point_label(point), "value_unit": UNITS[row["mode"]],
        "host": point.host, "producers": point.producers, "consumers": point.consumers,
        "payload_bytes": point.payload_bytes, "capacity_items": point.capacity, "window_ns": point.window_ns,
        "batch_items": workload.get("batch"), "placement": record["placement"]["strategy"],
        "placement_cpus": " ".join(map(str, record["placement"]["cpus_asked"])),
        "memory_home": record["memory"].get("home"), "handicap_ns": point.diagnosis[0], "replica": point.diagnosis[2],
        "load_percent": load_.get("percent"), "load_arrivals": load_.get("arrivals"),
        "load_offered_per_s": _number(load_.get("offered_per_s")), "flags": " ".join(row["flags"]),
        "throughput_operations_per_s": _number(throughput.get("operations_per_s")),
        "throughput_ns_per_operation": _number(throughput.get("ns_per_operation")),
        "throughput_operation": throughput.get("operation"),
        "start_skew_ns": _number(record["start_skew_ns"]), "probe_before_ns": _number(record["probe_before_ns"]),
        "probe_after_ns": _number(record["probe_after_ns"]), "fairness_jain": _number(record.get("fairness")),
        "energy_joules": _number(energy.get("joules")), "energy_over_ns": _number(energy.get("over_ns")),
        "clock_source": row["clock_source"], "clock_floor_ns": _number(record["clock"]["floor_ns"]),
        "clock_between_cpus_ns": row["between_cpus_ns"], "steal_share": row["steal_share"], "repeats": row["repeats"],
        "memory_pages_by_node": _pages(record["memory"].get("pages_by_node")), "hiccup_longest_ns": row["hiccup_ns"],
    })
    hiccups = [worker.get("hiccups") or {} for worker in record["workers"]]
    counters = [worker.get("counters") or {} for worker in record["workers"]]
    found.update({f"hiccup_{name}": _sum(one.get(name) for one in hiccups) for name in ("count", "total_ns")})
    found.update({f"workers_{name.replace('-', '_')}": _sum(one.get(name) for one in counters) for name in COUNTED})
    found.update({name: workload.get(name) for name in WORKLOAD})
    found.update(_kill(row["kill"]))
    found.update(_latency("latency", record["latency"]))
    found.update(_latency("latency_uncorrected", record.get("latency_uncorrected")))
    found.update({f"workers_{name}": _sum(worker.get(name) for worker in record["workers"]) for name in SUMMED})
    return found


def _pages(by_node: Any) -> Optional[str]:
    """Such as `0:15 1:3`, node and pages."""
    if not isinstance(by_node, dict):
        return None
    return " ".join(f"{node}:{pages}" for node, pages in sorted(by_node.items(), key=lambda one: int(one[0])))


def _latency(prefix: str, latency: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    of = latency or {}
    return {f"{prefix}_what": of.get("what"), f"{prefix}_samples": _number(of.get("samples")),
            **{f"{prefix}_{name}": _number(of.get(name)) for name in LATENCIES}}


def _kill(kill: Mapping[str, Any]) -> Dict[str, Any]:
    survivors, newcomer = kill.get("survivors") or {}, kill.get("newcomer") or {}
    return {**{f"kill_survivors_{name}": _number(survivors.get(name))
               for name in ("before_per_s", "after_per_s", "gap_before_ns", "gap_after_ns")},
            "kill_survivors_stuck": len(survivors["stuck"]) if "stuck" in survivors else float("nan"),
            **{f"kill_newcomer_{name}": _number(newcomer.get(name)) for name in ("open_ns", "recovery_ns")},
            "kill_intact": kill.get("intact")}


def _number(value: Any) -> float:
    """NaN for null and for `unknown`."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else float("nan")


def _sum(values: Iterable[Any]) -> float:
    """Of all workers that have the figure; NaN where none has, or one does not know its own."""
    known = [value for value in values if value is not None]
    return float(sum(map(_number, known))) if known else float("nan")
