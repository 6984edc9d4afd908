"""`lossdsl compare`: what is said of two losses, and what the catalogue says of its own."""

import itertools
import os
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lossdsl
from lossdsl import catalog, pipeline
from lossdsl.analyze.relation import compared
from lossdsl.cli import main
from lossdsl.oracle.interpreter import evaluate
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.oracle.points import Point
from lossdsl.runtime.sources import read


def program(text):
    return pipeline.program(pipeline.parsed(read(text)))


def found(first, second):
    """The relations of two losses, as text; and the point of difference."""
    result = compared(program(first), program(second))
    return [one.format("A", "B") for one in result.relations], result.point


# What files of the catalogue say of each other, and papers of families: Barron (2019) names the members of his.
CLAIMS = [
    ("expectile", "mean_squared_error", "A = 0.5*B for q = 0.5: proved (pieces)"),
    ("lq", "mean_squared_error", "A = B for q = 2: proved (pieces)"),
    ("lq", "mean_absolute_error", "A = B for q = 1: proved (pieces)"),
    ("smooth_l1", "huber", "A = (1/beta)*B for delta = beta: proved (pieces)"),
    ("pseudo_huber", "charbonnier", "A = delta*B - delta^2 for eps = delta: proved (pieces)"),
    ("loss lorentzian(t, x; c = 1.0)\nrequire c > 0\nlog(1 + 0.5*((t - x)/c)^2)", "cauchy", "A = B: proved (pieces)"),
    ("barron", "cauchy", "A = B for alpha = 0: proved (pieces)"),
    ("barron", "geman_mcclure", "A = B for alpha = -2: proved (pieces)"),
    ("barron", "mean_squared_error", "A = (0.5/c^2)*B for alpha = 2: proved (pieces)"),
    ("barron", "pseudo_huber", "A = (1/c^2)*B for alpha = 1, delta = c: proved (pieces)"),
    ("binary_sparsemax", "modified_huber", "A = 0.25*B: proved (pieces)"),
    ("bpr", "bradley_terry", "A = B: proved (pieces)"),
    ("huber_quantile", "huber", "A = 0.5*B for q = 0.5: proved (pieces)"),
    ("wgan", "t - x", "A = -B: proved (pieces)"),
    ("noise_prediction", "mean_squared_error", "A = B: proved (pieces)"),
    ("abs(t - x)", "sqrt((t - x)^2)", "A = B: proved (pieces)"),
    ("exp(3/2*log(1 + (t - x)^2))", "sqrt(1 + (t - x)^2)^3", "A = B: proved (pieces)"),
    (
        "where(abs(t - x) <= 1, (t - x)^2, 2*abs(t - x) - 1)",
        "where(abs(t - x) < 1, (t - x)^2, 2*abs(t - x) - 1)",
        "A = B: proved (pieces)",
    ),
    ("tanh(x)*t", "(2*sigmoid(2*x) - 1)*t", "A = B: tested at 113 points"),
    ("sum(sort(x)) + sum(t)", "sum(x) + sum(t)", "A = B: tested at 116 points"),
    ("quantile", "mean_absolute_error", "A = 0.5*B for q = 0.5: proved (pieces)"),
    ("epsilon_insensitive", "mean_absolute_error", "A = B for eps = 0: proved (pieces)"),
    ("bootstrapping", "ranking_softmax", "A = B for beta = 1: proved (pieces)"),
    ("centered_reward", "bradley_terry", "A = B for eta = 0: proved (pieces)"),
    ("max_suppression", "margin_label_smoothing", "A = B for margin = 0, weight = alpha: tested at 59 points"),
    ("binary_focal_crossentropy", "binary_crossentropy", "A = B for gamma = 0: proved (pieces)"),
    ("poly1_cross_entropy", "softmax_focal", "A = B for eps = 0, gamma = 0: proved (pieces)"),
    ("barron", "charbonnier", "A = (1/c)*B - 1 for alpha = 1, eps = c: proved (pieces)"),
    ("poly1_cross_entropy", "label_smoothing_cross_entropy", "A = B for eps = 0, smoothing = 0: proved (pieces)"),
]


@pytest.mark.parametrize("first, second, claim", CLAIMS)
def test_what_the_catalogue_says_of_its_losses_is_so(first, second, claim):
    relations, _ = found(first, second)
    assert claim in relations


@pytest.mark.parametrize("first, second", [("mse", "mae"), ("dpo", "ipo"), ("huber", "charbonnier"), ("hinge", "ramp")])
def test_losses_that_differ_do_so_at_a_point(first, second):
    """The point is as an author would write it: both losses are worked out there, by the numpy twin."""
    relations, point = found(first, second)
    assert relations == []
    told = dict(part.split("=") for part in point.split(", "))
    values = []
    for name in (first, second):
        loss = pipeline.program(pipeline.builtin(catalog.full_name(name))).loss
        parameters = {one.name: float(told[one.name]) for one in loss.parameters}
        inputs = {one.identifier: [float(told[node.name]) for node in one.nodes] for one in loss.inputs}
        values.append(lossdsl.load(name, **parameters).numpy(**inputs))
    assert values[0] != values[1]


# Below a threshold, beyond one, at one number, for other lengths or parameters: where ordinary points do not go.
NEARLY = [
    ("squared_log_error", "mean_squared_logarithmic_error", "0.5*B"),
    ("byol", "cosine_similarity", "2*B + 2"),
    ("(t - x)^2", "where(abs(t - x) <= 1000, (t - x)^2, 2000*abs(t - x) - 1000000)", "B"),
    ("(t - x)^2", "where(abs(t - x) > 1e-9, (t - x)^2, 0)", "B"),
    ("(t - x)^2", "(t - x)^2 + 1e-30*abs(t - x)^3", "B"),
    ("(t - x)^2", "where(t - x > 12345 and t - x < 12346, abs(t - x), (t - x)^2)", "B"),
    ("abs(t - x)", "min(abs(t - x), 1e20)", "B"),
    ("t*x", "where(x == 3, 0, t*x)", "B"),
    ("loss f(t, x; a = 1.0)\na*(t - x)", "loss f(t, x; a = 1.0)\nwhere(a == 7, 0, a*(t - x))", "B"),
    ("loss f(t: label, x)\n-log_softmax(x)[t]", "loss f(t: label, x)\n-log(max(softmax(x)[t], 1e-7))", "B"),
    ("max(x) + sum(t)", "logsumexp(100000*x)/100000 + sum(t)", "B"),
    ("(t - x)^2", "(t - x)^2 + 1e-310", "B"),
    ("t*x", "t*(x + 1e-320)", "B"),
    ("where(x > 0, x, 0) + t", "where(x >= 1e-300, x, 0) + t", "B"),
    ("softplus(x) + t", "where(x > 400, x, softplus(x)) + t", "B"),
    ("round(x) + t", "floor(x + 1/2) + t", "B"),
    ("1e308*(t - x)^2", "1e308*(t - x)^2 + 1e-308", "B"),
    ("loss f(t: label, x)\n-log_softmax(x)[t]", "loss f(t: label, x)\n1e-60 - log_softmax(x)[t]", "B"),
]


@pytest.mark.parametrize("first, second, nearly", NEARLY)
def test_what_holds_at_ordinary_points_alone_is_not_said(first, second, nearly):
    """The point that is told is looked at: the two sides differ there at 50 digits, and so do their texts."""
    result = compared(program(first), program(second))
    assert result.relations == ()
    assert result.nearly.right("B") == nearly
    assert result.values[0] != result.values[1]
    assert "=" in result.point


def test_a_multiple_holds_for_every_length():
    assert found("sum((t - x)^2)", "mean((t - x)^2)")[0] == []


def test_a_root_is_no_multiple_where_a_sign_is_open():
    """sqrt(c^2 + e^2) is c*sqrt(1 + (e/c)^2) where c > 0 alone."""
    left, right = (f"loss f(t, x; c = 1.0){{}}\n{text}" for text in ("sqrt(c^2 + (t-x)^2)", "c*sqrt(1 + ((t-x)/c)^2)"))
    assert found(left.format("\nrequire c > 0"), right.format("\nrequire c > 0"))[0] == ["A = B: proved (pieces)"]
    programs = [pipeline.program(pipeline.parsed(read(text.format("")))) for text in (left, right)]
    result = compared(*programs)
    assert result.relations == ()
    assert result.point.endswith("c=-1")


def test_a_piece_that_no_point_enters_is_told():
    (relation,), _ = found("sum(t*x)", "where(sum(sin(x)) > 100, 0, sum(t*x))")
    assert relation.startswith("A = B: tested at ")
    assert relation.endswith(" points, none where sum(sin(x)) - 100 > 0")


def test_values_that_nearly_agree_are_told_apart():
    """Dice and Tversky's loss at weights of a half: epsilon counts twice in one of them."""
    left, right = compared(*(pipeline.program(pipeline.builtin(name)) for name in ("tversky", "dice"))).values
    assert left[:6] == right[:6]
    assert left != right


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from(["huber", "log_cosh", "hinge", "cauchy", "dpo", "softmax_focal"]),
    st.fractions(-5, 5, max_denominator=8).filter(bool),
    st.fractions(-5, 5, max_denominator=8),
)
def test_scale_and_shift_are_found(name, scale, shift):
    """B = scale*A + shift, so A = B/scale - shift/scale."""
    loss = pipeline.program(pipeline.builtin(name)).loss
    words = ", ".join(node.name for one in loss.inputs for node in one.nodes)
    header = loss.source.text.split(f"\nloss {name}")[1].partition("\n")[0]
    own = ", ".join(f"{one.name}={one.name}" for one in loss.parameters)
    text = f"loss other{header}\n{scale}*{name}({words}{'; ' * bool(own)}{own}) + {shift}"
    first, second = pipeline.program(pipeline.builtin(name)), pipeline.program(pipeline.parsed(read(text)))
    (relation,) = compared(first, second).relations
    assert relation.given == {}
    assert relation.scale.value == 1 / Fraction(scale)
    assert relation.shift.value == -Fraction(shift) / Fraction(scale)


def test_losses_of_other_inputs_are_refused():
    for first, second in (("huber", "nll"), ("huber", "bpr"), ("mse", "wape")):
        with pytest.raises(lossdsl.LossTypeError, match="cannot be compared"):
            found(first, second)


def test_parameters_of_one_name_that_no_number_fits_are_refused():
    with pytest.raises(lossdsl.LossTypeError, match=r"none was found that both admit \(q >= 1; 0 < q < 1\)") as refused:
        found("lq", "quantile")
    assert "put numbers in" in refused.value.hint
    assert found("lq(t, x; q=1)", "quantile")[0] == ["A = 2*B for q = 0.5: proved (pieces)"]


def test_what_is_said_of_inputs_that_one_of_both_takes_alone_names_them(capsys):
    for other, named in (("x: positive", "x: positive"), ("x: nonneg", "x: nonneg"), ("x: prob", "x: prob")):
        assert main(["compare", f"loss f(t, {other})\nabs(x) + t", "loss g(t, x)\nx + t"]) == 0
        assert capsys.readouterr().out.splitlines() == [
            "f = g: proved (pieces)", f"both take {named}; one of them takes other values as well"
        ]  # fmt: skip
    assert compared(
        *map(program, ("loss f(t, x: nonneg)\nsqrt(x) + t", "loss f(t, x: prob)\nmin(1, sqrt(x)) + t"))
    ).relations
    with pytest.raises(lossdsl.LossTypeError, match="x is positive in one of them, and prob in the other"):
        found("loss f(t, x: positive)\nlog(x) + t", "loss f(t, x: prob)\nlog(x) + t")
    assert compared(program("huber"), program("mse")).inputs == ()


@pytest.mark.parametrize(
    "first, second, point",
    [
        ("(t - x)^2*x/x", "(t - x)^2", "x=0"),
        ("exp(log(x)) + t", "x + t", "x=-"),
        ("(t - x)^3/(t - x)", "(t - x)^2", ""),
    ],
)
def test_where_only_one_of_two_has_a_value_is_told(first, second, point, capsys):
    assert main(["compare", first, second]) == 0
    said, lacking = capsys.readouterr().out.splitlines()
    assert said == "the first = the second: proved (pieces)"
    assert lacking.startswith("that is where both have a value; at ")
    assert point in lacking
    assert " nan and " in lacking


def test_what_vanishes_below_all_digits_is_no_difference():
    """At x = -1e6 the one is 1e-434294, and the other the same, but lost beside 1."""
    assert found("sigmoid(x)*t", "t*(1 + tanh(x/2))/2")[0][0].startswith("A = B: tested at")


def test_an_equation_that_holds_at_no_point_is_told():
    (relation,), _ = found("(t - x)^2", "where(exp(x) == 3, 0, (t - x)^2)")
    assert relation.endswith("none where exp(x) - 3 = 0")


def test_losses_without_a_point_are_not_passed_over_in_silence(capsys):
    assert main(["compare", "sqrt(-1 - (t - x)^2)", "t - x"]) == 1
    assert capsys.readouterr().out.startswith("nothing was found of ")


def test_on_the_command_line(capsys):
    assert main(["compare", "expectile", "mse"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "expectile = 0.5*mean_squared_error for q = 0.5: proved (pieces)"
    assert out[1].startswith("otherwise they differ, as at t=")
    assert main(["compare", "huber(t, x; delta=2)", "2*smooth_l1(t, x; beta=2)"]) == 0
    assert capsys.readouterr().out == "the first = the second: proved (pieces)\n"
    assert main(["compare", "squared_log_error", "msle"]) == 1
    assert "squared_log_error is 0.5*mean_squared_logarithmic_error at ordinary points, but not everywhere: at t=" in (
        capsys.readouterr().out
    )
    assert main(["compare", "mse", "mae"]) == 1
    assert "mean_squared_error and mean_absolute_error differ, by more than scale" in capsys.readouterr().out
    assert main(["compare", "huber", "nll"]) == 1


# Losses of the same values up to scale and shift, under the defaults of their parameters, that are meant to be there:
# of other fields, or with other parameters.
MEANT = [
    {"barron", "pseudo_huber"},
    {"binary_sparsemax", "modified_huber"},
    {"boundary", "policy_gradient"},  # but for the slope in the target
    {"bpr", "bradley_terry"},
    {"byol", "cosine_similarity"},
    {"mean_squared_error", "noise_prediction", "expectile", "lq", "chamfer"},  # chamfer: of one point
    {"mean_absolute_error", "quantile"},
    {"mean_squared_logarithmic_error", "squared_log_error"},
    {"huber", "huber_quantile", "smooth_l1"},
    {"sa_sdr", "signal_to_noise"},  # of one source
]


def test_the_catalogue_has_no_loss_twice():
    """Of those with the same inputs, no two give the same numbers but for those that are meant to."""
    alike = defaultdict(list)
    for name in catalog.names():
        loss = pipeline.program(pipeline.builtin(name)).loss
        if any(one.default is None or one.over for one in loss.parameters):
            continue
        kinds = tuple((len(one.nodes), one.layout) for one in loss.inputs)
        near, far = under_defaults(name, loss)
        if near is not None:
            alike[kinds, near].append((name, far))
    twice = [
        {one, other}
        for members in alike.values()
        for (one, far), (other, beyond) in itertools.combinations(members, 2)
        if far == beyond or None in (far, beyond)
    ]
    assert [pair for pair in twice if not any(pair <= meant for meant in MEANT)] == []
    assert {"bpr", "bradley_terry"} in twice


def under_defaults(name, loss):
    """The values, made to lie between 0 and 1, at inputs that all kinds admit, and at large ones."""
    rng, function = np.random.default_rng(7), lossdsl.load(name).numpy
    return [scaled(function, loss, rng, *ends) for ends in ((0.05, 0.95), (-3.0, 3.0))]


def drawn(loss, rng, low, high):
    given = {}
    for one in loss.inputs:
        shape = {"label": 6, "scalar": 6, "vector": 3, "row_label": 3, "matrix": (3, 3)}.get(
            one.layout, (6, 3 * len(one.nodes))
        )
        given[one.identifier] = rng.integers(0, 3, shape) if one.is_label else rng.uniform(low, high, shape)
    return given


def scaled(function, loss, rng, low, high):
    given = drawn(loss, rng, low, high)
    try:
        with np.errstate(all="ignore"):
            values = np.ravel(function(**given))
    except lossdsl.LossError:  # places and slices of other lengths
        return None
    if values.size < 3 or not np.all(np.isfinite(values)) or np.ptp(values) < 1e-9:
        return None
    found = (values - values.min()) / np.ptp(values)
    return tuple(np.round(min(found, 1 - found, key=lambda each: each.argmax()), 9) + 0.0)


def test_what_is_said_of_drawn_pairs_of_the_catalogue_holds_in_numbers(rng):
    """LOSSDSL_PAIRS says of how many, or `all`. Each is told of in a sentence, or refused."""
    every = list(itertools.combinations(catalog.names(), 2))
    wanted = os.environ.get("LOSSDSL_PAIRS", "16")
    left = len(every) if wanted == "all" else int(wanted)
    for first, second in rng.permutation(every):
        if not left:
            break
        programs = program(str(first)), program(str(second))
        try:
            result = compared(*programs)
        except lossdsl.LossTypeError:
            continue
        left -= 1
        assert not result.nearly or result.values[0] != result.values[1]
        for relation in result.relations:
            agreed(relation, *programs, rng)


@pytest.mark.parametrize("first, second", [pair[:2] for pair in CLAIMS if all(map(catalog.full_name, pair[:2]))])
def test_what_is_said_of_families_holds_in_numbers(first, second, rng):
    programs = program(first), program(second)
    for relation in compared(*programs).relations:
        agreed(relation, *programs, rng)


def agreed(relation, first, second, rng):
    """The numpy twins of two built-ins agree with what was found of them."""
    every = [*second.loss.parameters, *first.loss.parameters]
    if any(one.default is None or one.over for one in every):
        return
    values = {one.name: one.default for one in every}
    values |= {node.name: one.value for node, one in relation.given.items() if hasattr(one, "value")}
    values |= {node.name: values[one.name] for node, one in relation.given.items() if not hasattr(one, "value")}
    put = {one.node: np.array(Fraction(values[one.name]), dtype=object) for one in every if one.kind == "real"}
    point, sides = Point(put, {}), (relation.scale, relation.shift)
    done = evaluate(sides, point.given(mp_numbers()), mp_numbers(), {})
    scale, shift = (float(done[one].item()) for one in sides)
    given = drawn(first.loss, rng, 0.05, 0.95)
    if {one.identifier for one in second.loss.inputs} == given.keys():
        other = given
    else:
        other = dict(zip([one.identifier for one in second.loss.inputs], given.values(), strict=True))
    found = []
    for each, inputs in ((first, given), (second, other)):
        own = {one.name: kept(one, values[one.name]) for one in each.loss.parameters}
        found.append(lossdsl.load(each.loss.name, **own).numpy(**inputs))
    np.testing.assert_allclose(found[0], scale * found[1] + shift, rtol=1e-6, atol=1e-9)


def kept(spec, value):
    return float(value) if spec.kind == "real" else value


RNG = np.random.default_rng(11)
T, X, C, R, TC, TR = (RNG.uniform(-2, 2, (5, 4)) for _ in range(6))
MASK, SHARE, TIME = RNG.integers(0, 2, (5, 4)), RNG.random((5, 4)), RNG.permutation(5) + 1.0
EVENT = np.array([1, 0, 1, 1, 0])
PAIR, AGAINST, LEAD, BEHIND = (np.concatenate(pair, -1) for pair in ((TC, TR), (TR, TC), (C, R), (R, C)))


def at(name, *inputs, axis=-1, **parameters):
    return lossdsl.load(name, axis=axis, **parameters).numpy(*inputs)


def on_sphere(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


# What files say of each other that no comparison of two formulas over the same inputs tells, each side worked out.
SAID = {
    "poisson_log_link: with a rate, it is poisson": (
        lambda: at("poisson_log_link", MASK, X),
        lambda: at("poisson", MASK, np.exp(X) - 1e-7) + 1e-7,  # poisson's epsilon
    ),
    "jaccard: the Tversky loss of weights one": (
        lambda: at("jaccard", MASK, SHARE),
        lambda: at("tversky", MASK, SHARE, axis=None, alpha=1.0, beta=1.0),
    ),
    "tversky: 1/2 for both is the Dice loss, but for epsilon": (
        lambda: at("tversky", MASK, SHARE),
        lambda: at("dice", MASK, SHARE),
    ),
    "cox_efron: without ties it is cox": (
        lambda: at("cox_efron", TIME, X[:, 0], EVENT),
        lambda: at("cox", TIME, X[:, 0], EVENT),
    ),
    "robust_dpo: on average over wrong comparisons it is dpo on right ones": (
        lambda: 0.9 * at("robust_dpo", PAIR, LEAD) + 0.1 * at("robust_dpo", AGAINST, BEHIND),
        lambda: at("dpo", PAIR, LEAD),
    ),
    "beta_nll: 0 is the likelihood": (
        lambda: at("beta_nll", T, np.concatenate([X, SHARE], -1), beta=0.0),
        lambda: at("gaussian_nll", T, X, SHARE),
    ),
    "byol: the squared distance of both on the sphere": (
        lambda: at("byol", T, X),
        lambda: np.sum((on_sphere(T) - on_sphere(X)) ** 2, 1),
    ),
    "barron: -inf is Welsch's": (lambda: at("barron", T, X, alpha=-np.inf, c=1.5), lambda: at("welsch", T, X, c=1.5)),
}


@pytest.mark.parametrize("said", SAID)
def test_what_files_say_of_each_other_is_so_in_numbers(said):
    mine, theirs = SAID[said]
    np.testing.assert_allclose(mine(), theirs(), rtol=1e-6 if "epsilon" in said else 1e-12)


def test_losses_that_differ_where_numbers_of_the_target_are_equal_are_told_apart():
    """Efron's likelihood is Cox's but for ties, which drawn times have none of."""
    relations, point = found("cox", "cox_efron")
    assert not relations
    assert point
    header = "loss f(t: scalar, x: scalar)\n"
    assert found(header + "x*count[j in batch](t[j] == t)", header + "x + mean[batch](x) - mean[batch](x)")[1]
