"""The verdicts in the order in which they are told: by structure and axis, what could be told before what could not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Tuple

from . import policies, wording
from .stats import Verdict
from .summary import Analysis, Comparison

RANK = {Verdict.FASTER: 0, Verdict.SLOWER: 0, Verdict.EQUIVALENT: 1, Verdict.CANNOT_TELL: 2}
SEVERAL = "several axes"
MOST = 6  # sentences of an axis that stand open; the table has all


@dataclass(frozen=True)
class AxisFindings:
    """What is said of one structure along one axis of its variants."""

    structure: str
    axis: str
    sentences: List[Tuple[Comparison, str]]  # those to tell first
    counts: Dict[Verdict, int]
    shared: str  # what all points of the structure share


def findings(analysis: Analysis) -> List[AxisFindings]:
    """Sentences by structure and axis: the largest of the effects that were told first."""
    groups: Dict[Tuple[str, int], List[Comparison]] = {}
    order = [*policies.AXES, SEVERAL]
    for one in analysis.comparisons:
        axis = policies.axis_of(one.variant, one.baseline) or SEVERAL
        groups.setdefault((policies.structure_of(one.variant), order.index(axis)), []).append(one)
    found = []
    for structure in sorted({structure for structure, _ in groups}):
        labels, shared = wording.brief_labels([one.point for (of, _), ones in groups.items() if of == structure
                                               for one in ones])
        for (of, index), ones in sorted(groups.items(), key=lambda item: item[0]):
            if of == structure:
                ranked = sorted(ones, key=_rank)
                counts = {verdict: sum(one.verdict is verdict for one in ones) for verdict in Verdict}
                found.append(AxisFindings(structure, order[index], [
                    (one, wording.verdict_sentence(one, labels[one.point])) for one in ranked[:MOST]], counts, shared))
    return found


def _rank(one: Comparison) -> Tuple[int, float]:
    """Faster and slower first, the end of the interval that is nearest to 1 the furthest away first."""
    if one.verdict in (Verdict.FASTER, Verdict.SLOWER):
        low, high = one.ratio.low, one.ratio.high
        return (0, -max(low, 1 / high if high > 0 else 0))
    return (RANK[one.verdict], 0.0)
