"""What a variant's name says: structure/algorithm/ordering/backoff/layout, and for some /waiting; and words for it."""

from __future__ import annotations

import re
from typing import Dict, List, Optional, Sequence, Tuple

AXES = ("algorithm", "ordering", "backoff", "layout", "waiting", "language")
LANGUAGES = {"c": "C", "cpp": "C++", "python": "Python"}
NOT_APPLICABLE = "-"
# long form, short form
WORDS: Dict[str, Dict[str, Tuple[str, str]]] = {
    "ordering": {"acq_rel": ("acquire-release ordering", "acquire-release"),
                 "seq_cst": ("sequentially consistent ordering", "sequential consistency"),
                 "fences": ("ordering by fences", "fences"), "minimal": ("minimal ordering", "minimal ordering"),
                 "dmb": ("ordering by full barriers", "full barriers")},
    "backoff": {"none": ("no backoff", "none"), "pause": ("pausing", "pausing"),
                "exp": ("exponential backoff", "exponential backoff"), "yield": ("yielding", "yielding"),
                "fixed": ("fixed backoff", "fixed backoff"), "jitter": ("jittered backoff", "jittered backoff"),
                "adaptive": ("adaptive backoff", "adaptive backoff"),
                "prop": ("proportional backoff", "proportional backoff"), "sleep": ("sleeping", "sleeping"),
                "rest": ("resting", "resting")},
}


def structure_of(variant: str) -> str:
    """Such as `queue` of `queue/ticket/...`, of `peer/queue/ck` and of `lang/c/queue`; `bound` of a bound."""
    if variant.startswith("lang/"):
        return variant.split("/")[-1]
    return variant.removeprefix("peer/").split("/")[0]


def parts_of(variant: str) -> Tuple[str, ...]:
    """Algorithm, ordering, backoff, layout, waiting and language of a variant; what the name does not state is empty."""
    if variant.startswith("lang/"):  # in all else as its default
        return (*[NOT_APPLICABLE] * (len(AXES) - 1), variant.split("/")[1])
    if variant.startswith("peer/"):  # an algorithm like ours, of which no more is known
        parts = ["/".join(variant.split("/")[2:]), *[NOT_APPLICABLE] * 3]
    else:
        parts = variant.split("/")[1:]
    return tuple((parts + [""] * len(AXES))[:len(AXES)])


def axis_of(variant: str, default: str) -> Optional[str]:
    """The one axis in which a variant differs from its default; None where it is none or several.

    Another algorithm may lack an axis altogether (`-`): that makes no second difference.
    """
    if variant.startswith("lang/"):
        return "language"
    one, other = parts_of(variant), parts_of(default)
    differ = [axis for axis, part, usual in zip(AXES, one, other) if part != usual]
    if differ and differ[0] == "algorithm":
        differ = ["algorithm", *(axis for axis in differ[1:] if one[AXES.index(axis)] != NOT_APPLICABLE)]
    return differ[0] if len(differ) == 1 else None


def word(variant: str, axis: str) -> Tuple[str, str]:
    """What a variant has on an axis, in words: as the subject of a sentence, and short."""
    part = parts_of(variant)[AXES.index(axis)]
    structure = structure_of(variant)
    if axis == "algorithm":
        return f"the {part} {structure}", f"the {part} {structure}"
    if axis == "language":  # such as c, or python-to-cpp: producers in the one, consumers in the other
        words = " feeding ".join(LANGUAGES.get(end, end) for end in (part or "cpp").split("-to-"))
        return words, words
    if axis == "layout":
        return f"the {part} layout", f"the {part} one"
    if axis == "waiting":
        return (f"waiting by {part}", f"waiting by {part}") if part else ("the usual waiting", "the usual waiting")
    stem, figure = re.fullmatch(r"([a-z_]*)(.*)", part).groups()  # type: ignore[union-attr]  # matches any text
    long, short = WORDS[axis].get(stem, (f"{part} {axis}", part))
    more = f" ({figure})" if figure else ""
    return long + more, short + more


def facets(variants: Sequence[str], default: Optional[str]) -> List[Tuple[str, List[str]]]:
    """(axis, variants one step from the default along it), the default first in each; what is further away stands
    under `several axes`. Without a default among them all stand together."""
    others = sorted(set(variants) - {default})
    if default is None or default not in variants:
        return [("", others)]
    groups: Dict[str, List[str]] = {axis: [] for axis in (*AXES, "several axes")}
    for variant in others:
        groups[axis_of(variant, default) or "several axes"].append(variant)
    return [(axis, [default, *group]) for axis, group in groups.items() if group] or [("", [default])]


def short_names(variants: Sequence[str]) -> Dict[str, str]:
    """Each name without its structure and the parts that all share, as long as something is left to tell them apart."""
    names = [variant for variant in variants if not variant.startswith("bound/")]
    every = {name: parts_of(name) for name in names}
    varying = [index for index in range(len(AXES)) if len({parts[index] for parts in every.values()}) > 1] or [0]
    found = {}
    if len({parts[varying[0]] for parts in every.values()}) == len(every):
        varying = varying[:1]
    for name, parts in every.items():
        kept = [parts[index] for index in varying if parts[index] not in ("", NOT_APPLICABLE)]
        found[name] = "/".join(kept) or parts[0]
    if len(set(found.values())) < len(found):  # a default without the part that others add: tell it by its full name
        found = {name: "/".join(name.split("/")[1:]) for name in names}
    return {**found, **{name: name for name in variants if name.startswith("bound/")}}


def names_along(axis: str, variants: Sequence[str]) -> Dict[str, str]:
    """Short names of variants that differ along one axis: what they have on it. Else as short_names."""
    if axis not in AXES:
        return short_names(variants)
    usual = "cpp" if axis == "language" else "usual"
    return {name: parts_of(name)[AXES.index(axis)] or usual for name in variants}
