"""The machine's noise in numbers, and the threats to validity that the records themselves raise."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import numpy as np
import pandas as pd

from . import wording
from .records import RunFolder, of_each_run
from .stats import FEWEST_ROUNDS, LEVEL, Verdict
from .summary import Analysis

FEW_ROUNDS = 10  # the usual number
SHORT_WINDOW_NS = 50_000_000


def noise(analysis: Analysis) -> List[Tuple[str, str]]:
    """(what, figure) of how quiet the machine was; `unknown` where nothing was recorded."""
    frame = analysis.folder.usable
    spreads = _spreads(frame)
    probes = frame["probe_ns"].dropna()
    apart = frame["separate_cores"].dropna()
    hiccups = frame["hiccup_ns"].dropna()
    skews = frame["start_skew_ns"][~frame["oversubscribed"].astype(bool)].dropna()
    flagged = sum(bool(set(flags) - {"oversubscribed"}) for flags in frame["flags"])
    return [
        ("runs with a flag other than oversubscribed", f"{flagged} of {len(frame)}"),
        ("coefficient of variation of a cell over its rounds", _three(spreads * 100, "%")),
        ("longest time a worker stood still in a run (hiccup)", _three(hiccups / 1e6, " ms")),
        ("workers' starts apart (where each had a CPU)", _three(skews, " ns")),
        ("runs sent again because the workers' starts were too far apart", f"{int(frame['repeats'].sum())}"),
        ("share of the CPU time that the host took", _three(frame["steal_share"].dropna() * 100, "%")),
        ("cost of a time stamp", _three(frame["timer_floor_ns"].dropna(), " ns")),
        ("stamps of two CPUs can be told apart from (half the longer round trip of the probes)",
         _three(frame["between_cpus_ns"].dropna(), " ns")),
        ("round trip of two cache lines before a run", _three(probes, " ns")),
        ("runs on separate cores, of those probed", f"{int(apart.astype(bool).sum())} of {len(apart)}" if len(apart)
         else "unknown"),
        ("load average when it began", _loads(analysis.folder)),
    ]


def _spreads(frame: pd.DataFrame) -> pd.Series:
    groups = frame.groupby("cell")["value"]
    spread = groups.std() / groups.mean()
    return spread[groups.count() > 1].dropna()


def _three(values: pd.Series, unit: str) -> str:
    """Median, 90th percentile and largest."""
    if not len(values):
        return "unknown"
    shown = [wording.number(value) for value in (values.median(), float(np.quantile(values, 0.9)), values.max())]
    return f"median {shown[0]}{unit}, 90% at most {shown[1]}{unit}, worst {shown[2]}{unit}"


def _loads(folder: RunFolder) -> str:
    """Of every run by its folder's name, where there are several."""
    loads = of_each_run(folder.environment.get("load_average"))
    if len(loads) == 1:
        return _load(loads[0])
    return "; ".join(f"{source.name}: {_load(load)}" for source, load in zip(folder.sources, loads))


def _load(load: Any) -> str:
    if isinstance(load, list) and load and all(isinstance(one, (int, float)) for one in load):
        return ", ".join(f"{one:.2f}" for one in load)
    return "unknown"


def threats(analysis: Analysis) -> List[Tuple[str, str]]:
    """(what was seen, what it means), for flags raised in any run, then for what else the records show."""
    frame = analysis.folder.frame
    found = [_flag(frame, flag) for flag in dict.fromkeys([*wording.FLAGS, *sorted(_raised(frame))])
             if flag in _raised(frame)]
    failed = int(frame["failed"].sum())
    if failed:
        found.append((f"{failed} of {len(frame)} runs failed and count for nothing",
                      "If a variant fails where it would have been slow, its median flatters it."))
    rounds = int(frame.groupby("run")["round"].nunique().sum())
    if rounds < FEW_ROUNDS:
        few = f"fewer than {FEWEST_ROUNDS}, so that nothing is judged" if rounds < FEWEST_ROUNDS else "few"
        found.append((f"{rounds} rounds are {few}", "Only large effects can be told from noise; that two variants cannot "
                      "be told apart does not mean that they are equal."))
    shortest = min(point.window_ns for point in frame["point"])
    if shortest < SHORT_WINDOW_NS:
        found.append((f"windows of {shortest / 1e6:g} ms", "A time slice of the kernel's scheduler is a large part of such "
                      "a window: a single interruption moves the run's figure."))
    found += _environment(analysis.folder.environment) + _verdicts(analysis)
    return found


def _raised(frame: pd.DataFrame) -> Dict[str, int]:
    counts: Dict[str, int] = {}
    for flags in frame["flags"]:
        for flag in flags:
            counts[flag] = counts.get(flag, 0) + 1
    return counts


def _flag(frame: pd.DataFrame, flag: str) -> Tuple[str, str]:
    raised = frame[[flag in flags for flags in frame["flags"]]]
    cells = raised["cell"].nunique()
    where = f"{len(raised)} of {len(frame)} runs, in {cells} cell{'' if cells == 1 else 's'} ({flag})"
    return (f"{wording.FLAGS.get(flag, 'a flag that these scripts do not know')}: {where}", wording.THREATS.get(flag, ""))


def _environment(environment: Dict[str, Any]) -> List[Tuple[str, str]]:
    found = []
    for virtual in dict.fromkeys(map(str, of_each_run(environment.get("virtualisation", "unknown")))):
        if virtual in ("none", "unknown"):
            continue
        found.append((f"a virtual machine ({virtual})", "What the host does to the CPUs, and on which cores they run, is "
                      "seen only where the probes see it."))
    governors = dict.fromkeys(map(str, of_each_run(environment.get("governor", "unknown"))))
    if "unknown" in governors:
        found.append(("the governor of the clock frequency is unknown", "Frequencies may have changed between runs; "
                      "rounds in random order spread that over all cells, they do not remove it."))
    elif set(governors) != {"performance"}:
        found.append((f"the governor of the clock frequency was {' and '.join(governors)}",
                      "Frequencies may have changed between runs."))
    return found


def _verdicts(analysis: Analysis) -> List[Tuple[str, str]]:
    told = sum(one.verdict in (Verdict.FASTER, Verdict.SLOWER) for one in analysis.comparisons)
    count = len(analysis.comparisons)
    if told == 0 or count < 20:
        return []
    by_chance = (1 - LEVEL) * count
    return [(f"{count} comparisons, each judged alone", f"Were no variant different at all, up to {by_chance:.0f} of them "
             f"could be called faster or slower by chance; {told} are.")]
