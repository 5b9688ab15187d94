"""The page: report.html, one file that needs nothing beside it."""

from __future__ import annotations

import re
from math import isnan
from pathlib import Path
from typing import Any, Dict, List, Sequence

import jinja2
from markupsafe import Markup, escape

from . import kills, method, policies, resolution, stats, wording
from .figures import Drawn
from .findings import SEVERAL, AxisFindings, findings
from .records import RunFolder, of_each_run
from .summary import Analysis, CellSummary, Comparison, Target, failed_rows, flag_rows
from .threats import noise, threats

TEMPLATES = Path(__file__).resolve().parent / "templates"
HIDDEN_FACTS = ("fingerprint", "schema")  # long, and said elsewhere


def write(analysis: Analysis, figures: Sequence[Drawn], target: Path) -> Path:
    """Writes report.html into the folder; answers its path."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(str(TEMPLATES)), autoescape=True,
                                     undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = environment.get_template("report.html.j2").render(context(analysis, figures))
    path = target / "report.html"
    path.write_text(text, encoding="utf-8")
    return path


def context(analysis: Analysis, figures: Sequence[Drawn]) -> Dict[str, Any]:
    """All that a template shows."""
    folder = analysis.folder
    frame = folder.frame
    compared = analysis.comparisons
    told = findings(analysis)
    return {
        "style": Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        "script": Markup((TEMPLATES / "report.js").read_text(encoding="utf-8")),
        "suite": suite(folder),
        "machine": folder.environment.get("machine", "unknown"),
        "resolution": resolution.statement(folder.folder, folder.environment.get("machine", "unknown")),
        "warnings": folder.warnings,
        "tally": wording.tally(compared) if compared else "",
        "findings": [_axis(one) for one in told],
        "verdicts": [verdict_row(one) for one in compared],
        "targets": [target_row(one) for one in analysis.targets],
        "kills": kills.texts(frame),
        "sections": _sections(figures, told),
        "missing": [one for one in figures if one.missing],
        "groups": _groups(analysis.cells),
        "facts": {key: value for key, value in folder.environment.items() if key not in HIDDEN_FACTS},
        "noise": noise(analysis),
        "threats": threats(analysis),
        "failed": failed_rows(frame),
        "valueless": int((~frame["failed"] & ~frame["usable"]).sum()),
        "flagged": flag_rows(frame),
        "flag_meanings": [(flag, meaning) for flag, meaning in wording.FLAGS.items()
                          if flag != "oversubscribed" and any(flag in flags for flags in frame["flags"])],
        "crowded": int(frame[frame["oversubscribed"]]["cell"].nunique()),
        "method": method.facts(folder),
        "how": [(what, _marked(text)) for what, text in method.sentences(folder)],
    }


def suite(folder: RunFolder) -> Dict[str, Any]:
    """What was run, in words."""
    known = [one for one in of_each_run(folder.environment.get("suite")) if isinstance(one, dict)]
    started = sorted({one["started"] for one in known if "started" in one})
    return {"name": " and ".join(dict.fromkeys(one["name"] for one in known if one.get("name"))) or "unknown",
            "started": " to ".join(dict.fromkeys([started[0], started[-1]])) if started else "unknown",
            "runs": len(folder.frame),
            "cells": int(folder.frame["cell"].nunique()), "sources": [one.name for one in folder.sources],
            "rounds": int(folder.frame.groupby("run")["round"].nunique().sum())}


def _marked(text: str) -> Markup:
    """What stands between backticks is code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _axis(one: AxisFindings) -> Dict[str, Any]:
    counts = ", ".join(f"{verdict.value} {count}" for verdict, count in one.counts.items() if count)
    return {"id": f"axis-{one.structure}-{one.axis.replace(' ', '-')}", "structure": one.structure, "axis": one.axis,
            "shared": one.shared, "counts": counts, "total": sum(one.counts.values()),
            "sentences": [{"word": heading(of), "kind": heading(of).replace(" ", "-"), "sentence": text}
                          for of, text in one.sentences]}


def heading(one: Comparison) -> str:
    """What stands before a sentence that names the winner itself: faster and slower would be of the other."""
    return "differ" if one.verdict in (stats.Verdict.FASTER, stats.Verdict.SLOWER) else one.verdict.value


def _kind(one: Comparison) -> str:
    return one.verdict.name.lower().replace("_", "-")


def verdict_row(one: Comparison) -> Dict[str, str]:
    """A row of the table of all comparisons, in words."""
    return {"word": one.verdict.value, "kind": _kind(one), "variant": one.variant,
            "axis": policies.axis_of(one.variant, one.baseline) or SEVERAL, "mode": wording.MODES[one.point.mode],
            "point": wording.point_label(one.point), "ratio": wording.ratio_text(one.ratio) if one.ratio.n else "-",
            "sort": f"{one.ratio.median:.6g}" if one.ratio.n else "", "sentence": wording.verdict_sentence(one),
            "rounds": wording.rounds_text(one.ratio.n, one.rounds), "flagged": str(one.flagged_rounds),
            "p": wording.p_text(one.p_holm), "p_sort": "" if isnan(one.p_holm) else f"{one.p_holm:.6g}"}


def target_row(one: Target) -> Dict[str, str]:
    """One of the numbers to show, in words."""
    return {"statement": one.statement, "goal": wording.goal_text(one),
            "measured": wording.ratio_text(one.ratio) if one.ratio.n else "-",
            "rounds": f"{one.ratio.n} of {one.rounds}", "result": one.result, "note": one.note}


def _sections(figures: Sequence[Drawn], told: Sequence[AxisFindings]) -> List[Dict[str, Any]]:
    """Figures by structure, that of the machine first."""
    names = list(dict.fromkeys(["machine", *(one.structure for one in told),
                                *sorted({one.section for one in figures if not one.missing})]))
    found = []
    for name in names:
        own = [{"drawn": one, "svg": Markup(one.svg)} for one in figures if one.section == name and not one.missing]
        if own:
            found.append({"name": name, "title": "The machine" if name == "machine" else name.capitalize(),
                          "figures": own})
    return found


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
