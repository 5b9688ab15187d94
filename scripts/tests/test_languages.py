"""The same structure in other languages: an axis of its own, told in words."""

import copy

import make_records
import pandas as pd
import pytest

from zeroipc_report import figures, findings, policies, records, summary

FACTOR = {"lang/c/queue": 0.8, "lang/python/queue": 0.01, "lang/python-to-cpp/queue": 0.02}


@pytest.fixture(name="folder")
def fixture_folder(write):
    lines = [line for line in make_records.records(rounds=10) if line["mode"] == "throughput"]
    for line in [line for line in lines if line["variant"] == make_records.DEFAULT]:
        for variant, factor in FACTOR.items():
            changed = copy.deepcopy(line)
            changed["cell"] = changed["cell"].replace(line["variant"], variant)
            changed.update(variant=variant, kind="language", is_default=False)
            changed["throughput"]["operations_per_s"] *= factor
            lines.append(changed)
    return records.load(write(lines))


@pytest.mark.parametrize("variant, structure, language", [
    ("lang/c/queue", "queue", "c"), ("lang/python/map", "map", "python"),
    ("lang/python-to-cpp/queue", "queue", "python-to-cpp"),
    (make_records.DEFAULT, "queue", ""), ("peer/queue/ck-ring", "queue", "")])
def test_a_name_says_structure_and_language(variant, structure, language):
    assert policies.structure_of(variant) == structure
    assert len(policies.parts_of(variant)) == len(policies.AXES)
    assert policies.parts_of(variant)[policies.AXES.index("language")] == language


def test_languages_are_one_step_from_the_default_and_nothing_else_is(folder):
    for one in summary.comparisons(folder.frame):
        assert (policies.axis_of(one.variant, one.baseline) == "language") == (one.variant in FACTOR)
        if one.variant in FACTOR:
            assert one.baseline == make_records.DEFAULT
            assert one.ratio.median == pytest.approx(FACTOR[one.variant])


def test_what_a_language_costs_is_told_in_words(folder):
    told = next(one for one in findings.findings(summary.analyse(folder)) if one.axis == "language")
    sentences = {one.variant: sentence for one, sentence in told.sentences}
    assert "C++ beats Python by 100.000 [100.000, 100.000] times over" in sentences["lang/python/queue"]
    assert "C++ beats Python feeding C++" in sentences["lang/python-to-cpp/queue"]


def test_labels_name_languages():
    names = [make_records.DEFAULT, *FACTOR]
    assert policies.names_along("language", names) == {
        make_records.DEFAULT: "cpp", "lang/c/queue": "c", "lang/python/queue": "python",
        "lang/python-to-cpp/queue": "python-to-cpp"}
    assert len(set(policies.short_names(names).values())) == len(names)
    assert dict(policies.facets(names, make_records.DEFAULT))["language"] == [make_records.DEFAULT, *sorted(FACTOR)]


def test_figures_show_languages_beside_their_default(folder):
    drawn = list(figures.drawings(figures.source_of(summary.analyse(folder))))
    cells = pd.concat([one.data for one in drawn if one.name.startswith("cells-queue-throughput")])
    assert {make_records.DEFAULT, *FACTOR} <= set(cells["variant"])
