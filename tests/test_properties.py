"""`lossdsl.properties`: a mapping from the name of a property to what is known of it, quick enough for a search."""

import random

import numpy as np
import pytest
from random_losses import KINDS, M, Unsure, random_loss_of_elements

import lossdsl
from lossdsl.checks import Known
from lossdsl.errors import LossError, LossNameError, LossParameterError
from lossdsl.ir.loss import EXPECTED

POWER = "loss f(t, x; p = 2)\nrequire p > 0\nabs(t - x)^p"


def test_it_is_a_mapping_over_the_names_of_properties():
    found = lossdsl.properties("huber")
    assert list(found) == [*EXPECTED]
    assert len(found) == len(list(found))
    assert all(isinstance(known, Known) and known.property == name for name, known in found.items())
    assert {known.how for known in found.values()} <= {"proved", "refuted", "tested", "open"}
    with pytest.raises(KeyError):
        found["nice"]


# By hand: Huber's loss is linear far away, its slope goes from -delta to delta; the rest is in its paper (Huber 1964).
@pytest.mark.parametrize(
    "name", ["continuous", "smooth", "convex", "nonnegative", "symmetric", "slope bounded", "finite"]
)
def test_what_is_proved_of_a_builtin(name):
    assert lossdsl.properties("huber")[name].how == "proved"


def test_a_proof_holds_for_all_that_a_parameter_may_be():
    assert lossdsl.properties(POWER)["convex"].how == "refuted"  # p = 0.5
    assert lossdsl.properties(POWER, p=1.5)["convex"].how == "proved"
    assert lossdsl.properties(POWER, p=0.5)["convex"].how == "refuted"


def test_of_a_proof_for_the_defaults_alone_the_scope_is_told():
    known = lossdsl.properties("loss f(t, x; w = 2)\nw*abs(t - x)")["nonnegative"]
    assert (known.how, known.scope) == ("tested", "for w = 2")


def test_the_point_can_be_put_in():
    known = lossdsl.properties("loss f(t, x; c = 1)\nrequire c > 0\n(50 - c)*(t - x)^2")["nonnegative"]
    assert (known.how, known.at["c"]) == ("refuted", 51.0)
    value = lossdsl.load("(50 - c)*(t - x)^2", c=known.at["c"]).numpy(known.at["t"], known.at["x"])
    assert value < 0
    tensor = lossdsl.properties("sum((t - x)^2)*(x[0] - 3)")["nonnegative"]
    assert np.min(lossdsl.load("sum((t - x)^2)*(x[0] - 3)").numpy(**tensor.at)) < 0


FLAGGED = (
    "loss f(t, x; power: bool = false, k: int = 2)\nrequire k >= 1\nwhere(power, abs(t - x)^k, min(abs(t - x), 1))"
)


def test_flags_are_looked_at_under_every_setting_and_whole_numbers_as_symbols():
    known = lossdsl.properties(FLAGGED)["convex"]
    assert (known.how, known.detail.endswith("with power=false")) == ("refuted", True)
    assert lossdsl.properties(FLAGGED, power=True)["convex"].how == "proved"  # for every k >= 1
    assert lossdsl.properties(FLAGGED, power=False)["convex"].how == "refuted"


def test_where_a_whole_number_must_be_known_nothing_is_proved_for_others():
    text = "loss f(t, x; k: int = 1)\nsum((t[k:] - x[k:])^2)"
    known = lossdsl.properties(text)["nonnegative"]
    assert (known.how, known.scope) == ("open", "for k=1")
    assert lossdsl.properties(text, k=1)["nonnegative"].how == "proved"


def test_of_a_vector_that_is_given_only_what_holds_for_all_is_told():
    text = "loss f(t, x; w: vector)\nsum(w*(t - x)^2)"
    assert lossdsl.properties(text)["nonnegative"].how == "refuted"
    assert lossdsl.properties(text, w=[1, 2])["nonnegative"].how == "open"
    assert lossdsl.properties(text, w=[1, 2])["continuous"].how == "proved"


@pytest.mark.parametrize(
    "source, parameters, kind, text",
    [
        ("loss f(t, x)\n(t - y)^2", {}, LossNameError, "`y`"),
        ("huber", {"delt": 1}, LossParameterError, "did you mean `delta`"),
        ("huber", {"delta": -1}, LossParameterError, "huber requires `delta > 0`, which delta = -1"),
        ("huber", {"delta": "a"}, LossParameterError, "is a number"),
        ("a*(t - x)^2", {"a": 0}, LossParameterError, "nothing is left"),
    ],
)
def test_a_mistake_is_a_loss_error(source, parameters, kind, text):
    with pytest.raises(LossError) as caught:
        dict(lossdsl.properties(source, **parameters))
    assert isinstance(caught.value, kind)
    assert text in str(caught.value)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_said_of_a_random_loss_for_a_given_parameter_is_so(seed):
    """By the value of the same formula at 60 digits, which shares nothing with lossdsl; see `random_losses.py`."""
    source = random.Random(500 + seed)
    drawn = iter(lambda: random_loss_of_elements(source.choice), None)
    loss = next(one for one in drawn if one.declared.names == ("a",) and not one.over)
    a = loss.parameters[0]["a"]

    def value(t, x):
        try:
            return loss.formula.of({"t": M.mpf(t), "x": M.mpf(x), "e": M.mpf(t) - M.mpf(x), "a": a})
        except Unsure:
            return M.nan

    try:
        known = lossdsl.properties(loss.text, a=float(a))["nonnegative"]
    except LossError:  # a formula in which nothing is left of the prediction
        return
    if known.how == "refuted":
        assert not value(known.at["t"], known.at["x"]) >= M.mpf(10) ** -15, loss.text
    elif known.how == "proved":
        admissible = [(t, x) for t, x in ((0, 0.5), (1, 0.25), (1, 3)) if loss.admits([x])]
        assert not any(value(t, x) < 0 for t, x in admissible if str(t) in KINDS[loss.t]), loss.text
