"""The resolution of a machine: what a self-test's tries say, the file that holds it, and the words for it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import pandas as pd

from .records import PLAIN
from .stats import Better, Estimate, Verdict, estimate_median, judge, paired_ratios
from .summary import FETCH_ADD, by_round

SCHEMA = "zeroipc-resolution/1"
FILE = "resolution.json"
FEWEST_TRIES = 10  # below it nothing can be found in nine tries of ten
FOUND = 0.9
OPERATIONS_A_LOOK = 32  # attempts between two looks at the clock: attempts_a_look of the harness
REPLICA = (0.0, "", 1)
NOT_MEASURED = "not measured: scripts/selftest"


@dataclass(frozen=True)
class Case:
    """One pair of a subject and its workers, of which cells with and without handicaps are compared."""

    name: str
    variant: str  # as zeroipc-bench is asked for it
    producers: int
    consumers: int

    def rows(self, frame: pd.DataFrame, diagnosis: Tuple[float, str, int]) -> pd.DataFrame:
        """The runs of one of the case's cells."""
        subject = frame["variant"] == FETCH_ADD if self.variant == FETCH_ADD else frame["is_default"]
        wanted = (self.producers, self.consumers, diagnosis)
        here = [(point.producers, point.consumers, point.diagnosis) == wanted for point in frame["point"]]
        return frame[subject & (frame["mode"] == "throughput") & pd.Series(here, index=frame.index, dtype=bool)]

    def cost_ns(self, frame: pd.DataFrame) -> float:
        """What an operation costs a worker without handicap: a counter's workers share its increments, while of a
        queue each worker takes part in every item."""
        share = self.producers + self.consumers if self.variant == FETCH_ADD else 1
        return share * 1e9 / estimate_median(by_round(self.rows(frame, PLAIN)).to_numpy()).median


CASES = (
    Case("single worker", FETCH_ADD, 1, 0),
    Case("contended counter", FETCH_ADD, 1, 1),
    Case("default queue, 1P1C", "default", 1, 1),
)


def handicap_ns(percent: float, cost_ns: float) -> float:
    """The handicap a look that makes each operation so much dearer, to four digits."""
    return float(f"{percent / 100 * cost_ns * OPERATIONS_A_LOOK:.4g}")


def judge_cell(case: Case, frame: pd.DataFrame, diagnosis: Tuple[float, str, int]) -> Tuple[Verdict, Estimate]:
    """One try: a cell against the same without handicap, as reports judge a variant against its default."""
    ratios = paired_ratios(by_round(case.rows(frame, diagnosis)), by_round(case.rows(frame, PLAIN)))
    ratio = estimate_median(ratios.to_numpy())
    return judge(ratio, Better.HIGHER), ratio


def analyse(case: Case, ladder: Dict[float, float], tries: Sequence[pd.DataFrame]) -> Dict[str, Any]:
    """What the tries say of a case; the ladder gives the handicap in ns for each percentage."""
    itself = [judge_cell(case, frame, REPLICA)[0] for frame in tries]
    rungs = [_rung(case, percent, ns, tries) for percent, ns in sorted(ladder.items())]
    found = [(rung["percent"], word) for rung in rungs for word in ("slower", "faster")
             if rung[word] >= FOUND * len(tries)]
    resolution: Any = found[0][0] if found else None
    if len(tries) < FEWEST_TRIES:
        resolution, found = "unknown", []
    costs = [case.cost_ns(frame) for frame in tries]
    return {
        "case": case.name, "producers": case.producers, "consumers": case.consumers,
        "cost_ns": _known(estimate_median(costs).median),
        "aa": {"tries": len(tries), "false_alarms": sum(one in (Verdict.FASTER, Verdict.SLOWER) for one in itself),
               "cannot_tell": itself.count(Verdict.CANNOT_TELL)},
        "ladder": rungs, "resolution_percent": resolution, "verdict": found[0][1] if found else None,
    }


def _rung(case: Case, percent: float, ns: float, tries: Sequence[pd.DataFrame]) -> Dict[str, Any]:
    judged = [judge_cell(case, frame, (ns, "all", 0)) for frame in tries]
    words = [verdict.value for verdict, _ in judged]
    return {"percent": percent, "handicap_ns": ns, "tries": len(tries), "slower": words.count("slower"),
            "faster": words.count("faster"),
            "ratio": _known(estimate_median([ratio.median for _, ratio in judged if ratio.n]).median)}


def _known(value: float) -> Any:
    return "unknown" if value != value else float(f"{value:.4g}")


def found_text(case: Dict[str, Any], found: str = "") -> str:
    """Such as `5% (slower)`, `none up to 100%`, or why it is unknown."""
    percent = case["resolution_percent"]
    if percent == "unknown":
        return f"unknown ({case['aa']['tries']} of {FEWEST_TRIES} tries)"
    if percent is None:
        return f"none up to {max(rung['percent'] for rung in case['ladder']):g}%"
    return f"{found}{percent:g}% ({case['verdict']})"


def sentence(known: Dict[str, Any]) -> str:
    """The resolution of a machine in words."""
    cases = "; ".join(f"{case['case']} {found_text(case, 'from ')}" for case in known["cases"])
    alarms = sum(case["aa"]["false_alarms"] for case in known["cases"])
    tries = sum(case["aa"]["tries"] for case in known["cases"])
    return (f"a planted cost is found in {FOUND:.0%} of the tries: {cases}. The harness against itself was called "
            f"faster or slower in {alarms} of {tries} tries. A try is {known['rounds']} rounds with windows of "
            f"{known['window_ns'] / 1e6:g} ms "
            f"({'quick self-test' if known['quick'] else 'self-test'} of {known['finished']}, "
            f"load {_load(known['load'])}).")


def _load(load: List[Any]) -> str:
    return " to ".join("unknown" if one == "unknown" else f"{one:.1f}" for one in load)


def statement(folder: Path, machine: str) -> str:
    """What a report says: from the run's folder or that of its machine; a file of another machine does not count."""
    for path in (folder / FILE, folder.resolve().parent / FILE):
        known = of_machine(path, machine)
        if known:
            return sentence(known)
    return NOT_MEASURED


def of_machine(path: Path, machine: str) -> Optional[Dict[str, Any]]:
    """A file of this schema that is of the machine, or nothing."""
    known = read(path)
    return known if known and known.get("machine") == machine else None


def read(path: Path) -> Optional[Dict[str, Any]]:
    """A file of this schema, or nothing."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return known if isinstance(known, dict) and known.get("schema") == SCHEMA else None


def write(path: Path, known: Dict[str, Any]) -> None:
    """Whole or not at all."""
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
    draft.replace(path)


def publish(folder: Path, known: Dict[str, Any]) -> List[Path]:
    """Writes the file into the run's folder, and for reports of other runs into that of the machine, where it has
    enough tries and replaces nothing better: a quick one gives way to a full one. Answers where it stands."""
    written = [folder / FILE]
    beside = folder.resolve().parent / FILE
    old = read(beside)
    better = old is not None and known["quick"] and not old["quick"]
    if known["tries"] >= FEWEST_TRIES and not better:
        written.append(beside)
    for path in written:
        write(path, known)
    return written
