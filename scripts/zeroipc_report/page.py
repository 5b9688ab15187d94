"""The page: report.html, one file that needs nothing beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

import jinja2
from markupsafe import Markup

from . import kills, resolution, stats, wording
from .figures import Drawn
from .records import RunFolder
from .summary import CellSummary, Comparison, Target, cells, comparisons, flag_rows, targets

TEMPLATES = Path(__file__).resolve().parent / "templates"


def write(folder: RunFolder, figures: List[Drawn]) -> Path:
    """Writes report.html into the folder; answers its path."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(str(TEMPLATES)), autoescape=True,
                                     undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = environment.get_template("report.html.j2").render(_context(folder, figures))
    path = folder.folder / "report.html"
    path.write_text(text, encoding="utf-8")
    return path


def _context(folder: RunFolder, figures: List[Drawn]) -> Dict[str, Any]:
    frame = folder.frame
    compared = comparisons(frame)
    failed = frame[frame["failed"]]
    return {
        "suite": _suite(folder),
        "machine": folder.environment.get("machine", "unknown"),
        "resolution": resolution.statement(folder.folder, folder.environment.get("machine", "unknown")),
        "warnings": [*folder.warnings, *_interrupted(folder)],
        "tally": wording.tally(compared) if compared else "",
        "verdicts": [_verdict(one) for one in compared],
        "targets": [_target(one) for one in targets(folder)],
        "figures": [{"drawn": one, "svg": Markup(one.svg)} for one in figures],
        "kills": kills.texts(frame),
        "groups": _groups(cells(frame)),
        "environment": folder.environment,
        "failed": [{"cell": row["cell"], "round": row["round"], "error": row["error"]} for _, row in failed.iterrows()],
        "valueless": int((~frame["failed"] & ~frame["usable"]).sum()),
        "flagged": flag_rows(frame),
        "flag_meanings": [(flag, meaning) for flag, meaning in wording.FLAGS.items()
                          if flag != "oversubscribed" and any(flag in flags for flags in frame["flags"])],
        "crowded": int(frame[frame["oversubscribed"]]["cell"].nunique()),
        "method": _method(folder),
    }


def _suite(folder: RunFolder) -> Dict[str, Any]:
    known = folder.environment.get("suite")
    known = known if isinstance(known, dict) else {}
    return {"name": known.get("name", "unknown"), "started": known.get("started", "unknown"),
            "runs": len(folder.frame), "rounds": int(folder.frame["round"].nunique())}


def _interrupted(folder: RunFolder) -> List[str]:
    suite = folder.environment.get("suite")
    if isinstance(suite, dict) and suite.get("interrupted") is True:
        return ["The run was interrupted: this is what was recorded until then, and the last round may be incomplete."]
    return []


def _verdict(one: Comparison) -> Dict[str, str]:
    return {"word": one.verdict.value, "kind": one.verdict.name.lower().replace("_", "-"),
            "sentence": wording.verdict_sentence(one), "mode": wording.MODES[one.point.mode]}


def _target(one: Target) -> Dict[str, str]:
    return {"statement": one.statement, "goal": wording.goal_text(one),
            "measured": wording.ratio_text(one.ratio) if one.ratio.n else "-",
            "rounds": f"{one.ratio.n} of {one.rounds}", "result": one.result, "note": one.note}


def _cell(one: CellSummary) -> Dict[str, Any]:
    mode, estimate = one.point.mode, one.estimate
    return {
        "variant": one.variant, "is_default": one.is_default, "unit": wording.UNITS[mode],
        "median": wording.number(wording.in_unit(estimate.median, mode)),
        "interval": wording.interval(wording.in_unit(estimate.low, mode), wording.in_unit(estimate.high, mode)),
        "n": estimate.n, "flagged": one.flagged, "failed": one.failed,
    }


def _groups(summaries: List[CellSummary]) -> List[Dict[str, Any]]:
    """Cells under a heading for each point, in their order."""
    groups: Dict[Any, Dict[str, Any]] = {}
    for one in summaries:
        group = groups.setdefault(one.point, {
            "mode": wording.MODES[one.point.mode], "point": wording.point_label(one.point), "oversubscribed": False,
            "rows": []})
        group["oversubscribed"] |= one.oversubscribed
        group["rows"].append(_cell(one))
    return list(groups.values())


def _coverage(rounds: int) -> str:
    """What the intervals of this run's number of rounds, and of the usual ones, cover."""
    known = sorted({n for n in (stats.FEWEST_ROUNDS, 10, 20, 30, rounds) if n >= stats.FEWEST_ROUNDS})
    return ", ".join(f"{stats.coverage(n) * 100:.1f}% with {n}" for n in known)


def _method(folder: RunFolder) -> Dict[str, Any]:
    frame = folder.frame
    windows = sorted({point.window_ns for point in frame["point"]})
    return {
        "windows": ", ".join(f"{window / 1e6:g} ms" for window in windows),
        "seeds": ", ".join(str(seed) for seed in sorted(set(frame["seed"]))),
        "clocks": ", ".join(sorted(set(frame["clock_source"]))),
        "rounds": int(frame["round"].nunique()),
        "runs": len(frame),
        "checked": int((frame["checked"] & ~frame["failed"]).sum()),
        "pinned": int(frame["placement_verified"].map(lambda known: known is True).sum()),
        "band": f"{stats.BAND * 100:.0f}", "level": f"{stats.LEVEL * 100:.0f}",
        "alarms": f"{(1 - stats.LEVEL) * 100:.0f}", "fewest": stats.FEWEST_ROUNDS,
        "coverage": _coverage(int(frame["round"].nunique())),
    }
