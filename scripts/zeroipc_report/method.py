"""How it was measured and judged, as the records say: the same sentences in the page, in the PDF and in Markdown."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from . import stats
from .records import RunFolder

RANK_TEST = ("Secondary to the verdict: Wilcoxon's signed-rank test of the rounds' ratios against 1, two-sided, with "
             "Holm's correction over all comparisons of the report. Below 0.05, such a difference is unlikely to be of "
             "chance, however many were looked at; how large it is, only the interval says. With few rounds and many "
             "comparisons no p can be small.")
JUDGING = [
    ("Medians", "The median of the runs, with an interval from the so-manyth smallest run to the so-manyth largest that "
     "covers it at least {level}% of the time, whatever the distribution, two-humped ones included: {coverage} runs. Fewer "
     "than {fewest} have no such interval. Every run stays in; no best run is picked."),
    ("Verdicts", "The ratio to the default is taken within each round, and the median of these ratios gets an interval in "
     "the same way; ratios are never averaged. The variant is faster or slower if the whole interval lies outside "
     "±{band}%, equivalent if it lies wholly inside, and else one cannot tell; with fewer than {fewest} rounds never "
     "anything else. More is better for throughput, less for round trips. A variant that is no different is called faster "
     "or slower in at most {alarms}% of such comparisons (`bench/docs/resolution.md`). Each verdict stands alone: with "
     "many of them, at the edges some will be wrong by chance."),
    ("Rank test", RANK_TEST),
    ("Bounds", "`bound/fetch_add` counts increments of one shared counter, `bound/cas` and `bound/mutex` those by "
     "compare-exchange and under a robust mutex; `bound/cacheline` passes bare cache lines to and fro; `bound/pipe`, "
     "`bound/unix_socket` and `bound/posix_mq` are the operating system's queues. They frame the variants and are not "
     "judged."),
]


def facts(folder: RunFolder) -> Dict[str, Any]:
    """What the sentences are filled with."""
    frame = folder.frame
    windows = sorted({point.window_ns for point in frame["point"]})
    rounds = int(frame.groupby("run")["round"].nunique().sum())
    return {
        "windows": ", ".join(f"{window / 1e6:g} ms" for window in windows),
        "seeds": ", ".join(str(seed) for seed in sorted(set(frame["seed"]))),
        "clocks": ", ".join(sorted(set(frame["clock_source"]))),
        "rounds": rounds,
        "runs": len(frame),
        "checked": int((frame["checked"] & ~frame["failed"]).sum()),
        "pinned": int(frame["placement_verified"].map(lambda known: known is True).sum()),
        "loaded": bool(any(point.axis("load_percent") for point in frame["point"])),
        "band": f"{stats.BAND * 100:.0f}", "level": f"{stats.LEVEL * 100:.0f}",
        "alarms": f"{(1 - stats.LEVEL) * 100:.0f}", "fewest": stats.FEWEST_ROUNDS, "coverage": _coverage(rounds),
    }


def sentences(folder: RunFolder) -> List[Tuple[str, str]]:
    """(what, how); names of code stand between backticks."""
    known = facts(folder)
    several = "" if known["rounds"] == 1 else "s"
    open_loop = (" Latency under load is open loop: operations fall due on a schedule, and are timed from when they were "
                 "due, so that a stall is charged to all that it delayed; the uncorrected times stand beside."
                 ) if known["loaded"] else ""
    return [
        ("Runs", "Every run has fresh worker processes, each pinned to a CPU, over fresh shared memory. For "
         f"{known['pinned']} of {known['runs']} runs the CPUs obtained were read back and were those asked for."),
        ("Start", "Workers map the memory and fault it in, meet at a barrier, agree on a moment in the near future, and wait "
         "for it on their own clocks; how far apart they really started, and how many runs were sent again for it, stands "
         "with the machine and its noise."),
        ("Window", f"{known['windows']} a run. Throughput counts the successful operations of all workers inside the common "
         f"window; attempts that met a full or empty queue are not among them. Time is read from {known['clocks']}."),
        ("Rounds", f"{known['rounds']} round{several}, each of which runs every cell once, in an order drawn from the seed "
         f"{known['seeds']}."),
        ("Load", "Throughput and round trips are closed loop, and measured in separate runs: a worker starts its next "
         f"operation when the last is done.{open_loop}"),
        ("Checks", "What is received is compared with what was sent: counts, sums, each producer's order, the bytes of each "
         f"item. A run that does not pass fails. {known['checked']} of {known['runs']} runs passed such a check; runs "
         "without items to check (as of a counter) have none."),
        *((what, how.format(**known)) for what, how in JUDGING),
    ]


def _coverage(rounds: int) -> str:
    """What the intervals of this run's number of rounds, and of the usual ones, cover."""
    known = sorted({n for n in (stats.FEWEST_ROUNDS, 10, 20, 30, rounds) if n >= stats.FEWEST_ROUNDS})
    return ", ".join(f"{stats.coverage(n) * 100:.1f}% with {n}" for n in known)
