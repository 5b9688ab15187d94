"""What the verdict rule does where the truth is known: false alarms, wrong verdicts and power, by seeded simulation.

`python -m zeroipc_report.simulation [PAGE]` prints the tables, or writes them into a page between its marks.
Everything here works on arrays of tries by rounds, and judges as stats.judge does; a test holds the two together.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Callable, Dict, List, Optional, Tuple

import numpy as np

from .stats import BAND, FEWEST_ROUNDS, LEVEL, interval_rank

SEED = 20240229
TRIES = 10_000
ROUNDS = (5, 7, 10, 20, 30)
NOISE = (0.01, 0.05, 0.20)  # standard deviation of the logarithm of one run's value
WIDE = (0.05, 0.20, 1.0)  # the last so wide that the band around 1 no longer hides an interval that is too narrow
RESAMPLES = 9999  # of the bootstrap
FOUND = 0.9  # share of tries in which an effect that counts as resolved is found
MARKS = ("<!-- tables -->\n", "<!-- /tables -->\n")

Draw = Callable[[np.random.Generator, int, int, float], np.ndarray]
Interval = Callable[[np.ndarray], Tuple[np.ndarray, np.ndarray]]


def _pairs(rng: np.random.Generator, tries: int, n: int, noise: float) -> np.ndarray:
    """Ratios of two runs that differ by lognormal noise; what the round did to both is in each, and drops out."""
    weather = rng.normal(0, 0.3, (tries, n))
    variant, baseline = (np.exp(weather + rng.normal(0, noise, (tries, n))) for _ in range(2))
    return variant / baseline


def _heavy_tails(rng: np.random.Generator, tries: int, n: int, noise: float) -> np.ndarray:
    """Student's t with 1.5 degrees of freedom: no variance at all."""
    # Beyond e^50 nothing changes but that numbers overflow.
    logs = noise * (rng.standard_t(1.5, (tries, n)) - rng.standard_t(1.5, (tries, n)))
    return np.exp(np.clip(logs, -50, 50))


def _modes(rng: np.random.Generator, tries: int, n: int, share: float) -> np.ndarray:
    """1 or a factor from 2 to 4, one factor a try; the share is that of the upper mode."""
    factor = rng.uniform(2, 4, (tries, 1))
    return np.where(rng.random((tries, n)) < share, factor, 1.0)


def _bimodal_runs(share: float) -> Draw:
    """Each run falls into one of two modes, whatever the variant and the round."""

    def draw(rng: np.random.Generator, tries: int, n: int, noise: float) -> np.ndarray:
        factor = rng.uniform(2, 4, (tries, 1))
        upper = (rng.random((2, tries, n)) < share).astype(float)
        return _pairs(rng, tries, n, noise) * factor ** (upper[0] - upper[1])

    return draw


def _bimodal_rounds(rng: np.random.Generator, tries: int, n: int, noise: float) -> np.ndarray:
    """Each round falls into one of two modes, both runs alike."""
    modes = _modes(rng, tries, n, 0.5)
    variant, baseline = (modes * np.exp(rng.normal(0, noise, (tries, n))) for _ in range(2))
    return variant / baseline


DATA: Dict[str, Draw] = {
    "lognormal noise": _pairs,
    "heavy tails": _heavy_tails,
    "two modes a run, 1:1": _bimodal_runs(0.5),
    "two modes a run, 1:4": _bimodal_runs(0.2),
    "two modes a round": _bimodal_rounds,
}


def exact(ratios: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """The interval of stats.estimate_median for each row; NaN where there is none."""
    ordered = np.sort(ratios, axis=1)
    rank = interval_rank(ratios.shape[1])
    if not rank:
        return (np.full(len(ratios), np.nan),) * 2
    return ordered[:, rank - 1], ordered[:, -rank]


def bootstrap(ratios: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """The percentile-bootstrap interval of each row's median, which the exact one replaced.

    The median of a resample is the mean of two order statistics (or one), so that only their ranks are drawn, once,
    and each row weights its pairs of order statistics by how often they came.
    """
    tries, n = ratios.shape
    drawn = np.sort(np.random.default_rng(SEED).integers(0, n, (RESAMPLES, n)), axis=1)
    pairs, counts = np.unique(drawn[:, [(n - 1) // 2, n // 2]], axis=0, return_counts=True)
    ends = np.empty((2, tries))
    for begin in range(0, tries, 2000):  # a part at a time: the pairs of all would be large
        ordered = np.sort(ratios[begin:begin + 2000], axis=1)
        medians = ordered[:, pairs].mean(axis=2)
        order = np.argsort(medians, axis=1)
        upto = np.cumsum(counts[order], axis=1)
        for end, share in enumerate(((1 - LEVEL) / 2, (1 + LEVEL) / 2)):
            place = share * (RESAMPLES - 1)
            lower, upper = (
                np.take_along_axis(medians, np.take_along_axis(
                    order, (upto > rank).argmax(axis=1)[:, None], axis=1), axis=1)[:, 0]
                for rank in (np.floor(place), np.ceil(place)))
            ends[end, begin:begin + 2000] = lower + (upper - lower) * (place - np.floor(place))
    return ends[0], ends[1]


def judged(low: np.ndarray, high: np.ndarray) -> Dict[str, float]:
    """Shares of the verdicts on ratios of which more is better."""
    return {"faster": float((low > 1 + BAND).mean()), "slower": float((high < 1 - BAND).mean()),
            "equivalent": float(((low >= 1 - BAND) & (high <= 1 + BAND)).mean())}


def draw(data: str, n: int, noise: float, tries: int = TRIES) -> np.ndarray:
    """Tries by rounds of ratios whose true median is 1; the same for the same arguments."""
    seed = [SEED, list(DATA).index(data), n, round(noise * 1000)]
    return DATA[data](np.random.default_rng(seed), tries, n, noise)


def rates(data: str, n: int, noise: float, effect: float = 1.0, interval: Interval = exact,
          fewest: int = FEWEST_ROUNDS) -> Dict[str, float]:
    """Shares of the verdicts where the variant is truly `effect` times its baseline."""
    if n < fewest:
        return {"faster": 0.0, "slower": 0.0, "equivalent": 0.0}
    return judged(*interval(draw(data, n, noise) * effect))


def false_alarms(data: str, n: int, interval: Interval = exact, fewest: int = FEWEST_ROUNDS) -> float:
    """The largest share of `faster` and `slower` together, over WIDE noise, where nothing differs."""
    found = (rates(data, n, noise, interval=interval, fewest=fewest) for noise in WIDE)
    return max(one["faster"] + one["slower"] for one in found)


def resolved(data: str, n: int, noise: float) -> float:
    """The smallest effect, as a ratio above 1, that is called `faster` in FOUND of the tries.

    The interval of ratios that are all multiplied by something is multiplied by it, so the answer is a quantile.
    """
    low, _ = exact(draw(data, n, noise))
    return (1 + BAND) / float(np.quantile(low, 1 - FOUND, method="lower"))


def _table(header: List[str], rows: List[List[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in (header, ["---", *["---:"] * (len(header) - 1)], *rows)]
    return "\n".join(lines) + "\n"


def _percent(share: float) -> str:
    return f"{share * 100:.1f}%"


def tables() -> str:
    """The page's tables: false alarms before and after, wrong verdicts, power."""
    alarms = _table(
        ["data", *(f"n = {n}" for n in ROUNDS)],
        [[data, *(f"{_percent(false_alarms(data, n, bootstrap, 5))} / **{_percent(false_alarms(data, n))}**"
                  for n in ROUNDS)] for data in DATA])
    wrong = _table(
        ["data", *(f"{what}, n = {n}" for what in ("2% faster: faster", "10% faster: slower", "10% faster: equivalent")
                   for n in (10, 30))],
        [[data, *(_percent(max(rates(data, n, noise, effect)[word] for noise in NOISE))
                  for effect, word in ((1 + BAND, "faster"), (1.1, "slower"), (1.1, "equivalent"))
                  for n in (10, 30))] for data in DATA])
    power = _table(
        ["data", *(f"{noise:.0%}, n = {n}" for noise in NOISE for n in (10, 30))],
        [[data, *(_effect(resolved(data, n, noise)) for noise in NOISE for n in (10, 30))] for data in DATA])
    return (f"**False alarms** (faster or slower, though nothing differs), {TRIES:,} tries each, the worst of three "
            f"noises: with the percentile bootstrap used before / **with the exact interval**.\n\n{alarms}\n"
            f"**Wrong verdicts** with the exact interval, the worst of three noises. A variant at the edge of the band "
            f"(2% faster) counts as equivalent.\n\n{wrong}\n"
            f"**Smallest effect found** in {FOUND:.0%} of the tries, by the noise of one run and the rounds.\n\n"
            f"{power}")


def _effect(ratio: float) -> str:
    return f"{(ratio - 1) * 100:.1f}%" if ratio < 2 else f"{ratio:.1f} times"


def renewed(page: str) -> str:
    """The page with today's tables between its marks."""
    head, _, rest = page.partition(MARKS[0])
    _, mark, tail = rest.partition(MARKS[1])
    if not mark:
        raise ValueError(f"has no {MARKS[0].strip()} and {MARKS[1].strip()} to write between")
    return head + MARKS[0] + "\n" + tables() + "\n" + mark + tail


def main(arguments: Optional[List[str]] = None) -> int:
    """Prints the tables, or writes them into a page; answers the exit status."""
    parser = argparse.ArgumentParser(prog="zeroipc_report.simulation", description=__doc__.split("\n", 1)[0])
    parser.add_argument("page", type=Path, nargs="?", help="write the tables into this page, between its marks")
    options = parser.parse_args(arguments)
    if options.page is None:
        print(tables())
        return 0
    try:
        options.page.write_text(renewed(options.page.read_text(encoding="utf-8")), encoding="utf-8")
    except (OSError, ValueError) as error:
        print(f"zeroipc_report.simulation: {options.page}: {error}", file=sys.stderr)
        return 1
    print(f"tables: {options.page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
