"""Command line of scripts/compare."""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from zeroipc_report import wording
from zeroipc_report.stats import BAND, FEWEST_ROUNDS, Estimate, Verdict

from . import conditions, revisions, showing
from .comparing import Comparison, Row, as_json, between_runs, between_variants
from .likeness import build_differences, machine_differences
from .places import RESULTS, ROOT, ResultsError, find, label, new_folders
from .table import read

EXAMPLES = """examples:
  scripts/compare --in 20261127T062611Z-quick queue/exchange/acq_rel/exp/compact 'queue/ticket/*'
  scripts/compare intel-xeon-2c-1n-ebe5413a/20261127T062611Z-quick results/mine/second --variant 'queue/*'
  scripts/compare main worktree --rounds 20 --fail-on slower:5%          # what my change does, in turn with main
  scripts/compare v0.1 HEAD --builds /tmp/builds -- --suite smoke        # what stands behind -- goes to zeroipc-bench

B is judged against A: "slower" means that B is. A verdict comes from the exact 95% interval of the ratio (order
statistics; the bootstrap was measured to hold less than 95% for ten rounds) against the equivalence band; the rank
test, Holm-corrected over all cells, stands beside it. results/README.md says how.

exit status: 0 compared; 1 cannot be compared; 2 bad usage; 3 a condition of --fail-on holds; 130 interrupted"""


def main(arguments: Optional[List[str]] = None) -> int:
    """Compares and shows; answers the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    split = given.index("--") if "--" in given else len(given)
    parser = _parser()
    options = parser.parse_args(given[:split])
    flags = given[split + 1:]
    try:
        compared = _compare(options, flags)
    except ResultsError as error:
        print(f"scripts/compare: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("scripts/compare: interrupted; nothing is kept", file=sys.stderr)
        return 130
    violations = [line for one in options.fail_on for line in one.violations(compared)]
    if options.json != "-":
        show(compared)
    if options.json:
        _write_json({**as_json(compared), "violations": violations}, options.json)
    for line in violations:
        print(f"--fail-on: {line}", file=sys.stderr)
    return 3 if violations else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/compare", epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Compares two variants of one run (--in), two runs (folders or names), or two git revisions, which "
                    "are built and run in turn, round by round.")
    parser.add_argument("a", metavar="A", help="a run, a git revision, 'worktree' (the tracked files as they are), or "
                        "with --in a variant: the baseline")
    parser.add_argument("b", metavar="B", help="likewise: what is judged")
    parser.add_argument("--in", dest="run", metavar="RUN", help="A and B are variants of this run")
    parser.add_argument("--variant", action="append", default=[], metavar="PATTERN",
                        help="of two runs, only variants that match; bounds stay as controls; may be repeated")
    parser.add_argument("--band", type=_percent, default=BAND, metavar="P%",
                        help=f"what counts as equivalent (default {BAND * 100:g}%%)")
    parser.add_argument("--fail-on", action="append", default=[], type=_condition, metavar="CONDITION",
                        help="end with status 3 if slower, slower:5%%, faster, faster:5%%, cannot-tell, missing or "
                        "failed holds of a variant's cell; with a percentage its whole interval must lie beyond; "
                        "may be repeated")
    parser.add_argument("--json", metavar="FILE", help="write the comparison there; '-': to the terminal, and no table")
    parser.add_argument("--unlike-machines", action="store_true", help="compare though machines or conditions differ")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where runs lie (default: results)")
    group = parser.add_argument_group("of two revisions")
    group.add_argument("--rounds", type=_rounds, default=10, metavar="N",
                       help=f"default 10; {FEWEST_ROUNDS} or more for an interval")
    group.add_argument("--seed", type=int, default=None, help="of the orders of cells (default: drawn, and recorded)")
    group.add_argument("--builds", type=Path, metavar="FOLDER",
                       help="keep the builds there, and take those that are there (default: a temporary folder)")
    return parser


def _percent(text: str) -> float:
    try:
        value = float(text.rstrip("%")) / 100
    except ValueError:
        value = -1
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no band: use a percentage above 0 and below 100, such as 2%")
    return value


def _rounds(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10000:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of rounds: use 1 to 10000")
    return int(text)


def _condition(text: str) -> conditions.Condition:
    try:
        return conditions.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _compare(options: argparse.Namespace, flags: Sequence[str]) -> Comparison:
    if options.run:
        known = read(find(options.run, options.results))
        return _noted(between_variants(known.frame, options.a, options.b, options.band), known.warnings)
    try:
        folders: Optional[Tuple[Path, Path]] = (find(options.a, options.results), find(options.b, options.results))
    except ResultsError:
        folders = None
    if folders is None:
        return _compare_revisions(options, flags)
    if flags:
        raise ResultsError(f"{options.a} and {options.b} are runs: nothing is measured, so '{flags[0]}' has no use.")
    if folders[0].resolve() == folders[1].resolve():
        raise ResultsError(f"{options.a} and {options.b} are the same run: name two, or two variants with --in.")
    return _compare_runs(options, folders, paired=False)


def _compare_runs(options: argparse.Namespace, folders: Tuple[Path, Path], paired: bool) -> Comparison:
    a, b = (read(folder) for folder in folders)
    unlike = machine_differences(a.environment, b.environment)
    if unlike and not options.unlike_machines:
        raise ResultsError("the machines or the conditions differ, so what is compared would be those:\n"
                           + "".join(f"  {line}\n" for line in unlike)
                           + "To compare them all the same: --unlike-machines.")
    compared = between_runs(a.frame, b.frame, (label(folders[0]), label(folders[1])), paired, options.variant,
                            options.band)
    notes = [*a.warnings, *b.warnings, *(f"differs: {line}" for line in unlike),
             *(f"differs: {line}" for line in build_differences(a.environment, b.environment))]
    if not paired:
        notes.append("What the machine did between the two runs is part of every ratio. " + _controls(compared))
    return _noted(compared, notes)


def _controls(compared: Comparison) -> str:
    """What the bounds, which are the same program both times, say about that."""
    bounds = [row for row in compared.rows if not row.is_variant and row.ratio.n]
    moved = [f"{row.name} ({wording.point_label(row.point)}) {wording.ratio_text(row.ratio)}" for row in bounds
             if row.verdict in (Verdict.FASTER, Verdict.SLOWER)]
    if not bounds:
        return "No bound stands in both as a control. Revisions run in turn do not have this doubt."
    if not moved:
        return (f"None of the {len(bounds)} cells of bounds, which are controls, was found to differ; that does not "
                "prove that nothing did. Revisions run in turn do not have this doubt.")
    return (f"The bounds are controls, and {len(moved)} of {len(bounds)} differ: {', '.join(moved)}. Trust no verdict "
            "of that size.")


def _noted(compared: Comparison, notes: Sequence[str]) -> Comparison:
    return replace(compared, notes=[*compared.notes, *notes])


def _compare_revisions(options: argparse.Namespace, flags: Sequence[str]) -> Comparison:
    for flag in ("--out", "--rounds", "--seed", "--resume"):
        if flag in flags:
            raise ResultsError(f"{flag} behind --: scripts/compare sets it; give --rounds and --seed before the --.")
    commits = [revisions.resolve(ROOT, name) for name in (options.a, options.b)]
    if commits[0] == commits[1]:
        raise ResultsError(f"{options.a} and {options.b} are the same revision, {commits[0][:12]}.")
    seed = random.SystemRandom().randrange(2**31) if options.seed is None else options.seed
    with tempfile.TemporaryDirectory(prefix="zeroipc-compare-") as temporary:
        work = Path(temporary)
        homes = [(options.builds or work).resolve() / commit[:12] for commit in commits]
        try:
            programs = [revisions.build(ROOT, commit, home, _say) for commit, home in zip(commits, homes)]
            sides = revisions.run_in_turn((programs[0], programs[1]), flags, options.rounds, seed, work / "rounds",
                                          _say)
        finally:
            if not options.builds:
                for home in homes:
                    revisions.remove(ROOT, home)
        if not sides[0]:
            raise KeyboardInterrupt
        folders = _save(sides, commits, options.results)
    _say(f"records: {label(folders[0])} and {label(folders[1])}")
    return _compare_runs(options, folders, paired=True)


def _save(sides: Tuple[List[Path], List[Path]], commits: Sequence[str], results: Path) -> Tuple[Path, Path]:
    environment = json.loads((sides[0][0] / "environment.json").read_text(encoding="utf-8"))
    a, b = new_folders(results / str(environment["machine"]),
                       *(f"compare-{side}-{commit[:12]}" for side, commit in zip("ab", commits)))
    for rounds, folder in zip(sides, (a, b)):
        revisions.merge(rounds, folder, "compare")
    return a, b


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# --- showing ----------------------------------------------------------------------------------------------------

def show(compared: Comparison) -> None:
    """The verdict table, and what a reader must know with it."""
    print(f"A: {compared.a}\nB: {compared.b}\n{compared.how}; ratios are B over A, with exact 95% intervals; "
          f"equivalent: within ±{compared.band * 100:g}%\n")
    headers = ("cell", "A", "B", "ratio", "n", "verdict", "B better", "p (Holm)", "flags")
    showing.table(headers, [_texts(row, compared) for row in compared.rows])
    verdicts = [row.verdict for row in compared.rows if row.is_variant]
    counts = ", ".join(f"{verdicts.count(one)} {one.value}" for one in Verdict)
    print(f"\n{len(verdicts)} cells of variants: {counts}")
    failed = sum(row.failed for row in compared.rows)
    for note in [*compared.notes, *compared.missing, *([f"{failed} runs failed and are left out"] if failed else [])]:
        print(f"note: {note}")


def _texts(row: Row, compared: Comparison) -> List[str]:
    mode = row.point.mode
    name = wording.point_label(row.point) if row.name in (compared.a, compared.b) else (
        f"{row.name}, {wording.point_label(row.point)}")
    return [f"{wording.MODES[mode].lower()}, {name}", _median(row.a, mode), _median(row.b, mode),
            wording.ratio_text(row.ratio) if row.ratio.n else "-",
            f"{row.ratio.n}" if row.ratio.n == row.rounds else f"{row.ratio.n}/{row.rounds}",
            row.verdict.value if row.is_variant else "control", _share(row.superiority), wording.p_text(row.p_holm),
            str(row.flagged)]


def _median(one: Estimate, mode: str) -> str:
    return f"{wording.number(wording.in_unit(one.median, mode))} {wording.UNITS[mode]}" if one.n else "-"


def _share(value: float) -> str:
    return "-" if value != value else f"{value * 100:.0f}%"


def _write_json(answer: Dict[str, Any], where: str) -> None:
    text = json.dumps(answer, indent=2, ensure_ascii=False) + "\n"
    if where == "-":
        print(text, end="")
        return
    try:
        Path(where).write_text(text, encoding="utf-8")
    except OSError as error:
        print(f"scripts/compare: {where}: cannot be written ({error.strerror})", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
