"""What makes a comparison fail a build: `--fail-on slower:5%`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import List

from zeroipc_report import wording
from zeroipc_report.stats import Verdict, judge

from .comparing import Comparison

FORM = re.compile(r"(slower|faster)(?::(\d+(?:\.\d+)?)%)?|cannot-tell|missing|failed")


@dataclass(frozen=True)
class Condition:
    """One condition: a word, and for `slower` and `faster` by how much at least."""

    word: str
    percent: float  # negative: the comparison's own equivalence band

    def violations(self, compared: Comparison) -> List[str]:
        """A sentence for each cell, of variants only, that the condition holds of."""
        variants = [row for row in compared.rows if row.is_variant]
        if self.word == "missing":
            return [f"missing: {cell}" for cell in compared.missing]
        if self.word == "failed":
            return [f"failed runs: {row.failed} of {row.name}, {wording.point_label(row.point)}"
                    for row in variants if row.failed]
        if self.word == "cannot-tell":
            found = [row for row in variants if row.verdict is Verdict.CANNOT_TELL]
        else:
            band = compared.band if self.percent < 0 else self.percent / 100
            found = [row for row in variants if judge(row.ratio, row.better, band) is Verdict(self.word)]
        by = "" if self.percent < 0 else f" by more than {self.percent:g}%"
        return [f"{self.word.replace('-', ' ')}{by}: {wording.MODES[row.point.mode]} of {row.name}, "
                f"{wording.point_label(row.point)}: {wording.ratio_text(row.ratio)} times" for row in found]


def parse(text: str) -> Condition:
    """A condition from its text, such as `slower:5%`; ValueError says what there is."""
    match = FORM.fullmatch(text)
    if not match:
        raise ValueError(f"'{text}' is no condition: use slower, slower:5%, faster, faster:5%, cannot-tell, missing or "
                         "failed")
    return Condition(match.group(1) or text, float(match.group(2)) if match.group(2) else -1)
