"""Known answers: properties of losses from the literature, and losses broken on purpose."""

from pathlib import Path

import pytest
import yaml

import lossdsl
from lossdsl import pipeline
from lossdsl.analyze import analyzer
from lossdsl.checks.subject import Subject
from lossdsl.checks.table import ASKED
from lossdsl.ir.loss import PROPERTIES
from lossdsl.source import Source

KNOWN = Path(__file__).parent / "known"
SOUND = yaml.safe_load((KNOWN / "properties.yaml").read_text(encoding="utf-8"))
DEFECTS = yaml.safe_load((KNOWN / "defects.yaml").read_text(encoding="utf-8"))
QUIET = yaml.safe_load((KNOWN / "sound.yaml").read_text(encoding="utf-8"))
UNTOLD = 10
"""Of how many defects nothing need be said at the defaults."""
BROKEN = yaml.safe_load((KNOWN / "broken.yaml").read_text(encoding="utf-8"))


def words(entry, key):
    return [word for word in map(str.strip, entry.get(key, "").split(",")) if word]


@pytest.fixture(scope="module")
def subjects():
    return {entry["name"]: Subject(pipeline.parsed(Source(entry["loss"], entry["name"]))) for entry in SOUND}


@pytest.fixture(scope="module")
def analyzers(subjects):
    return {name: subject.analyzers[0] for name, subject in subjects.items()}


def test_there_are_enough_of_them():
    assert len({entry["name"] for entry in SOUND}) == len(SOUND) >= 40
    assert len({entry["defect"] for entry in BROKEN}) == len(BROKEN) >= 40
    for entry in SOUND:
        assert {*words(entry, "is"), *words(entry, "not")} <= set(PROPERTIES)


@pytest.mark.parametrize("entry", SOUND, ids=lambda entry: entry["name"])
def test_what_the_literature_says_is_found(entry, analyzers):
    for name in words(entry, "is"):
        assert analyzers[entry["name"]].decide(name).how == "proved", name
    for name in words(entry, "not"):
        assert analyzers[entry["name"]].decide(name).how == "refuted", name


@pytest.mark.parametrize("entry", [entry for entry in SOUND if "robust" in entry], ids=lambda entry: entry["name"])
def test_whether_the_slope_is_bounded_is_found(entry, analyzers):
    assert analyzers[entry["name"]].steep.how == ("proved" if entry["robust"] else "refuted")


@pytest.mark.parametrize("entry", [entry for entry in SOUND if "least" in entry], ids=lambda entry: entry["name"])
def test_the_statistic_that_is_best_is_found(entry, analyzers):
    assert analyzers[entry["name"]].minimiser.kind == entry["least"]


@pytest.mark.parametrize("entry", SOUND, ids=lambda entry: entry["name"])
def test_what_a_sound_loss_has_is_told_where_it_is_asked_for(entry, subjects):
    """Of each kind just what the literature says; a proof of the contrary is not needed for not telling it."""
    told = {id: [one.message for one in look(subjects[entry["name"]])] for id, look in ASKED.items()}
    for id, key, start in (("kink", "kinks", "the slope jumps"), ("flat-region", "flat", "the slope is 0 where")):
        assert len(told[id]) == len(entry.get(key, []))
        for condition, message in zip(entry.get(key, []), told[id], strict=True):
            assert message.startswith(start)
            assert f"`{condition}`" in message
    assert len(told["fading-slope"]) == entry.get("fades", False)
    for id, name in (("not-convex", "convex"), ("not-symmetric", "symmetric")):
        assert len(told[id]) <= (name not in words(entry, "is"))
        assert len(told[id]) >= (name in words(entry, "not"))
    if "robust" in entry:
        assert len(told["unbounded-slope"]) == (not entry["robust"])
    if "least" in entry:
        assert [f"least at the {entry['least']} of t" in message for message in told["minimiser"]] == [True]


@pytest.mark.parametrize("entry", SOUND, ids=lambda entry: entry["name"])
def test_a_sound_loss_raises_nothing_but_what_is_known_of_it(entry):
    found = [one.id for one in lossdsl.check(entry["loss"]).findings if one.severity != "info"]
    assert sorted(set(found)) == sorted(words(entry, "raises"))


@pytest.mark.parametrize("entry", BROKEN, ids=lambda entry: entry["defect"])
def test_a_broken_loss_is_caught_by_name(entry):
    report = lossdsl.check(entry["loss"], against=entry.get("against"))
    assert entry["finding"] in [one.id for one in report.findings]


def test_a_long_product_ends_and_its_values_beyond_all_floats_are_told():
    """At t = 0, x = -1 it is -199!; mpmath: 3.94329e+372."""
    text = "x" + "".join(f"*({k} + t*x)" for k in range(1, 200))
    verdict = analyzer(pipeline.program(pipeline.parsed(Source(text)))).decide("nonnegative")
    assert verdict.how == "refuted"
    assert verdict.detail == "the value is -3.94329e+372"


def test_a_defect_that_a_colleague_would_point_out_is_told():
    """At the defaults, by one of the findings that name it; see the comment in the file."""
    assert len({entry["defect"] for entry in DEFECTS}) == len(DEFECTS) >= 70
    untold = []
    for entry in DEFECTS:
        found = {one.id for one in lossdsl.check(entry["loss"]).findings}
        if not found & set(words(entry, "finding")):
            untold.append(entry["defect"])
    assert untold == [entry["defect"] for entry in DEFECTS if entry.get("untold")]
    assert len(untold) <= UNTOLD


def test_there_are_over_a_hundred_losses_of_which_nothing_is_to_be_said():
    assert len({entry["name"] for entry in QUIET}) == len(QUIET) >= 120


@pytest.mark.parametrize("entry", QUIET, ids=lambda entry: entry["name"])
def test_of_a_sound_loss_there_is_no_warning(entry):
    """How many digits are lost at the edge depends on the machine's `exp` and `log`: that is not held here."""
    found = [str(one) for one in lossdsl.check(entry["loss"]).findings if one.severity != "info"]
    assert not [text for text in found if "[lost-digits]" not in text]
