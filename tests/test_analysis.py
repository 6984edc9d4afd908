"""What is proved of losses and what is refuted: known answers, points put in by hand, and random formulas."""

import math
import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pytest
from shipped import THOROUGH

import lossdsl
from lossdsl import catalog, pipeline
from lossdsl.analyze import Analyzer, Verdict, analyzer, decide
from lossdsl.ir.bounds import INF, Bounds, ball
from lossdsl.ir.loss import PROPERTIES
from lossdsl.ir.ops import OPS
from lossdsl.oracle.number_systems import mp_numbers
from lossdsl.prove.asymptotics import FAR, Growths, towards
from lossdsl.prove.certificates import Nonnegative, SemialgebraicSet
from lossdsl.prove.combinations import _combination
from lossdsl.prove.composition import Composition
from lossdsl.prove.growth_orders import LEVEL, Growth
from lossdsl.prove.packed_polynomials import PackedPolynomial
from lossdsl.prove.rational_field import TooLarge, context
from lossdsl.prove.rational_functions import NormalForms
from lossdsl.refute import counterexamples
from lossdsl.source import Source
from lossdsl.transform.language import expression


def studied(text: str, **settled: Any) -> Analyzer:
    source = catalog.read(text) if text in catalog.names() else Source(text)
    file = pipeline.parsed(source)
    usual = {
        spec.name: spec.default if spec.default is not None else 1
        for spec in pipeline.parameters(file)
        if spec.kind in ("bool", "int")
    }
    return analyzer(pipeline.program(file, {**usual, **settled}))


# --- the table of facts -------------------------------------------------------------------------------------------


TRAITS = {row.name: row.trait for row in OPS.values() if row.trait is not None}
GRID = [Fraction(k, 8) for k in range(-40, 41)] + [Fraction(1, 10**6), Fraction(-1, 10**6), Fraction(60), Fraction(-60)]


@pytest.mark.parametrize("name", sorted(TRAITS))
def test_a_row_of_facts_agrees_with_fifty_digits(name):
    """Domain, direction, bend, image and lemmas of each row, against mpmath at 50 digits on a grid."""
    fact, m = TRAITS[name], mp_numbers()
    xs = sorted(x for x in GRID if fact.domain.contains(x))
    ys = [m.apply(OPS[name].exact, name, (m.number(x),)) for x in xs]
    assert all(m.isfinite(y) for y in ys)
    slack = m.mpf(10) ** -40
    for x, y in zip(xs, ys, strict=True):
        for end, sign in ((fact.image.low, 1), (fact.image.high, -1)):
            if end not in (INF, -INF):
                assert sign * (y - m.number(end)) >= -slack * max(1, abs(y)), x
        point = OPS[name].image(Bounds(x, x))
        assert point.low <= Fraction(str(m.nstr(y, 45))) + Fraction(1, 10**12) * abs(x)
        assert point.high >= Fraction(str(m.nstr(y, 45))) - Fraction(1, 10**12) * abs(x)
    for (x1, y1), (x2, y2) in pairwise(zip(xs, ys, strict=True)):
        if fact.direction in (1, -1):
            assert fact.direction * (y2 - y1) >= -slack
        elif fact.direction == 2:
            assert (y2 - y1) * (1 if x1 >= 0 else -1) >= -slack or x1 < 0 < x2
    for bend, inner in ((fact.bends, xs), (fact.bends_right, [x for x in xs if x >= 0])):
        values = dict(zip(xs, ys, strict=True))
        for a, mid, c in zip(inner, inner[1:], inner[2:], strict=False):
            share = m.number((mid - a) / (c - a))
            assert bend * (values[a] + share * (values[c] - values[a]) - values[mid]) >= -slack * (1 + abs(values[c]))
    if fact.bends_right:  # an odd function, up to a constant
        values = dict(zip(xs, ys, strict=True))
        zero = m.apply(OPS[name].exact, name, (m.mpf(0),))
        assert all(abs(values[x] + values[-x] - 2 * zero) < slack * 10**5 for x in xs if -x in values)


def test_images_are_rounded_outwards():
    exp = OPS["exp"].image(Bounds(Fraction(0), Fraction(1)))
    assert exp.low == 1
    assert math.e < exp.high < math.nextafter(math.e, 3) + 1e-12
    assert OPS["neg"].image(Bounds(Fraction(2), INF)) == Bounds(-INF, Fraction(-2), True, False)
    assert OPS["log"].image(Bounds(Fraction(0), Fraction(1))).low == -INF
    far = OPS["exp"].image(Bounds(Fraction(-(10**9)), Fraction(10**9)))
    assert far.low == 0
    assert far.high == INF
    assert ball(Fraction(1, 3)).contains(ball(Fraction(1, 3)))


def test_what_is_equal_has_one_normal_form_and_what_is_not_has_not():
    letters = {name: lossdsl.ir.expr.Param(name) for name in "abc"}
    pairs = [
        ("(a + b)^2 - (a - b)^2", "4*a*b", True),
        ("log(exp(a))", "a", True),
        ("softplus(-a)", "softplus(a) - a", True),
        ("sigmoid(-a) + sigmoid(a)", "1", True),
        ("sqrt(1 + a^2)^2", "1 + a^2", True),
        ("sqrt(1 + (a/b)^2)^3", "(1 + a^2/b^2)*sqrt(1 + (a/b)^2)", True),
        ("exp(-a)*exp(a)", "1", True),
        ("cos(0) + log(1) + sin(pi) + exp2(3)", "9", True),
        ("cos(-pi) - sin(3*pi/2) + cos(a*0 + pi/2)", "0", True),
        ("sigmoid(0) + norm_cdf(0) + erfc(0)", "2", True),
        ("sqrt(9/4)", "1.5", True),
        ("cos(1)", "0.5403023058681398", False),
        ("sin(pi/6)", "0", False),
        ("log(2)", "0.6931471805599453", False),
        ("tanh(-a)", "tanh(a)", False),
        ("sqrt(a^2)", "a", False),
        ("a^b", "b^a", False),
    ]
    for left, right, same in pairs:
        forms = NormalForms()
        assert (forms.of(expression(left, letters)).key == forms.of(expression(right, letters)).key) is same, left


def test_certificates_prove_only_what_is_true():
    a, c, d, e = context().gens()[:4]
    inside = SemialgebraicSet((Nonnegative(a), Nonnegative(1 - a), Nonnegative(c), Nonnegative(1 - c)))
    assert inside.sign(1 - a * (1 - c) - c / 2) == (1, False)  # the smoothed target: 1 - y
    assert inside.sign(a * c - 2) == (-1, True)
    assert inside.sign(a - c) is None
    wedge = SemialgebraicSet((Nonnegative(e, True), Nonnegative(d - e, True)))
    assert wedge.sign(d - e / 2) == (1, True)
    assert wedge.sign(e * d - e * e / 2) == (1, True)
    assert not wedge.is_empty()
    assert wedge.with_sign(d, -1).is_empty()


@pytest.mark.parametrize("seed", range(30))
def test_combinations_are_found_where_a_solver_of_linear_programs_finds_them(seed):
    """Against scipy's HiGHS: some are made to be combinations, of others it says whether they are."""
    from scipy.optimize import linprog

    random = Random(seed)
    rows, count = random.randint(2, 6), random.randint(2, 12)

    def drawn(values, strict=False):
        return PackedPolynomial({place: value for place, value in enumerate(values) if value}, 4, 1, strict)

    columns = [drawn([random.choice((0, 0, 1, -1, 2, -3, 5)) for _ in range(rows)], True) for _ in range(count)]
    if seed % 2:
        goal = [sum(column.terms.get(place, 0) for column in columns[::2]) for place in range(rows)]
    else:
        goal = [random.randint(-3, 3) for _ in range(rows)]
    matrix = [[column.terms.get(place, 0) / 4 for column in columns] for place in range(rows)]
    solved = linprog([0.0] * count, A_eq=matrix, b_eq=[value / 4 for value in goal])
    found, work = _combination(drawn(goal), columns)
    assert (found is not None) == (solved.status == 0)
    assert work % count == 0


def test_what_is_kept_along_lines_changes_nothing():
    """Each value by itself, without any that is kept."""
    body = "where(abs(t - x) < a, log(1 + (t - x)^2), a*sqrt(abs(x))) + exp(-x^2)"
    search = studied(f"loss mine(t, x; a = 2.0)\nrequire a > 0\n{body}").search
    assert search is not None
    lines = list(search.lines)
    assert len(lines) > 3
    assert search.kept.arrays
    for line in lines:
        apart = [search._at(search.loss.value, line.setting, [x])[0] for x in line.xs]
        assert list(line.values) == apart


# What each formula in y is as y grows: power, power of the logarithm, and the limit of what is left (None: not known);
# or what it does where it has no such order. By hand, from Hardy (1910).
GROWS = [
    ("3*y^2 - y", 2, 0, 3),
    ("y - log(1 + y)", 1, 0, 1),
    ("(y + 1)^2 - y^2 - 2*y", 0, 0, 1),
    ("y/sqrt(1 + 4*y^2)", 0, 0, 0.5),
    ("1/(1 + y^2)*log(y)", -2, 1, 1),
    ("log(1/y^3)", 0, 1, -3),
    ("y^5*exp(-y)", -math.inf, 0, None),
    ("exp(y)/y^9 - y", math.inf, 0, 1),
    ("softplus(y) - 2*y", 1, 0, -1),
    ("softplus(-y)", -math.inf, 0, 1),
    ("atan(y)*y^2 - y", 2, 0, math.pi / 2),
    ("where(y > 1000, 2*y, -y) + max(y, y^2)", 2, 0, 1),
    ("sin(y)*y", 1, 0, None),
    ("abs(3 - y) - 2*y", 1, 0, -1),
    ("sqrt(y^2 + y) - y", 1, 0, 0),
    ("sqrt(4*y^4 + 1)", 2, 0, 2),
]


@pytest.mark.parametrize("text, power, logs, lead", GROWS)
def test_growth_is_that_of_the_scale_of_orders(text, power, logs, lead):
    found = Growths(FAR, Composition(frozenset({FAR}), {}).bounds)[expression(text, {"y": FAR})]
    assert found is not None
    assert found.order == (power, logs)
    if lead is None:
        assert found.lead is None or power == -math.inf
    else:
        assert found.lead is not None
        assert found.lead.low - Fraction(1, 10**9) <= lead <= found.lead.high + Fraction(1, 10**9)


@pytest.mark.parametrize(
    "text", ["exp(log(y)^2)", "exp(y) - exp(2*y)", "tan(y)", "1/sin(y)", "y^y", "log(sin(y))", "exp(y)/exp(2*y)*0"]
)
def test_growth_that_is_not_known_is_left_open(text):
    found = Growths(FAR, Composition(frozenset({FAR}), {}).bounds)[expression(text, {"y": FAR})]
    assert found is None or found == Growth(LEVEL, Bounds(Fraction(0), Fraction(0)))


@pytest.mark.parametrize(
    "text, end, side, sign, stays",
    [
        ("1/(1 + exp(x))^2", INF, -1, 0, True),
        ("exp(x)/(1 + exp(x))^3", -INF, 1, 0, True),
        ("exp(x)^2/(1 + exp(x))", INF, -1, 1, False),
        ("1/x - log(1/x)", 0, 1, 1, False),
        ("log(1 - x)", 1, -1, -1, False),
        ("1/(x - 2)", 2, -1, -1, False),
        ("(x^2 - 1)/(x - 1)", 1, 1, 0, True),
    ],
)
def test_growth_towards_an_end(text, end, side, sign, stays):
    x = lossdsl.ir.expr.Param("x")
    end = Fraction(end) if end not in (INF, -INF) else end
    found = towards(expression(text, {"x": x}), x, end, side, Composition(frozenset({x}), {}).bounds)
    assert found is not None
    assert (found.end, found.stays) == (sign, stays)


# --- known answers ------------------------------------------------------------------------------------------------

# continuous, smooth, convex, nonnegative, zero at t = x; + is proved, - refuted. Sources: Huber (1964); Koenker and
# Bassett (1978); Green (1990), whose log cosh has the second derivative 1/cosh^2; Cortes and Vapnik (1995); Nelder and
# Wedderburn (1972). The floors at epsilon give kinks, and so does clipping; a clipped logarithm is flat, then falls.
ELEMENTWISE = {
    "allowable": "---++",
    "binary_crossentropy": "+--+-",
    "binary_crossentropy from_logits": "++++-",
    "binary_focal_crossentropy": "+--+-",
    "binary_focal_crossentropy from_logits": "++-+-",
    "hinge": "+-++-",
    "huber": "+++++",
    "log_cosh": "+++++",
    "mean_absolute_error": "+-+++",
    "mean_absolute_percentage_error": "+-+++",
    "mean_squared_error": "+++++",
    "mean_squared_logarithmic_error": "+--++",
    "poisson": "+++--",
    "quantile": "+-+++",
    "squared_hinge": "++++-",
}
ASKED = ("continuous", "smooth", "convex", "nonnegative", "zero at t = x")


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_each_elementwise_loss_of_the_catalog_is_decided(name):
    which, *flags = name.split()
    found = studied(which, **dict.fromkeys(flags, True))
    assert found.search is not None
    for claim, expected in zip(ASKED, ELEMENTWISE[name], strict=True):
        verdict = found.decide(claim)
        assert (verdict.how, verdict.scope) == ({"+": "proved", "-": "refuted"}[expected], ""), f"{claim}: {verdict}"
        if expected == "-":
            shown_by_hand(which, claim, verdict, flags)


def shown_by_hand(text: str, claim: str, verdict: Verdict, flags: list[str] = ()) -> None:
    """The refutation, put into the numpy twin as a reader would put it in."""

    def value(at: Any) -> float:
        names = [spec.name for spec in lossdsl.load(text).program.loss.inputs]
        inputs = {name: np.asarray([[float(at[name])]]) for name in names}
        options = {name: float(number) for name, number in at.items() if name not in names}
        return float(lossdsl.load(text, **options, **dict.fromkeys(flags, True)).numpy(**inputs)[0])

    middle = value(verdict.at)
    around = [value(at) for at in verdict.beside]
    xs = [float(at["x"]) for at in (verdict.at, *verdict.beside)]
    match claim:
        case "nonnegative":
            assert middle < 0
        case "zero at t = x":
            assert middle != 0
            assert verdict.at["t"] == verdict.at["x"]
        case "convex":
            share = (xs[0] - xs[1]) / (xs[2] - xs[1])
            assert middle > (1 - share) * around[0] + share * around[1]
        case "continuous" | "smooth":
            near, far = 1e-6, 1e-3
            slopes = [(around[side] - middle) / (xs[side + 1] - xs[0]) for side in (0, 1)]
            gap = abs(slopes[0] - slopes[1]) if claim == "smooth" else abs(around[0] - around[1])
            assert gap > near * max(1, *map(abs, slopes)) or abs(middle - around[0]) > far
        case _:
            raise AssertionError(claim)


def test_the_expectations_of_the_catalog_hold():
    """Nothing that a built-in's author expects is refuted, for any setting of its flags."""
    for name in THOROUGH:
        first = studied(name)
        for expectation in first.program.loss.expectations:
            verdict = first.decide(expectation.text)
            assert verdict.how != "refuted", f"{name}: {expectation.text}: {verdict}"


# Losses over a whole axis, and what is proved of them. Sources: Bridle (1990) for the softmax, Boyd and Vandenberghe
# (2004, section 3.1.5): log-sum-exp is convex, and lies above the largest element.
WHOLE = [
    ("sparse_categorical_crossentropy", {"from_logits": True}, "continuous, smooth, convex, nonnegative"),
    ("categorical_crossentropy", {"from_logits": True}, "continuous, smooth, convex, nonnegative"),
    ("kl_divergence", {}, "continuous, zero at t = x"),
    ("loss m(t: onehot, x)\n-sum(t*log_softmax(x/3 + 1))", {}, "nonnegative"),
    ("loss m(t: label, x)\nmax(x) - x[t]", {}, "convex, nonnegative"),
    ("loss m(t: label, x)\nx[t] + 1 - min(x)", {}, "nonnegative"),
    ("sqrt(sum((t - x)^2)) + max(t - x)", {}, "zero at t = x"),
]


@pytest.mark.parametrize("text, flags, claims", WHOLE)
def test_each_loss_over_a_whole_axis_is_decided(text, flags, claims):
    found = studied(text, **flags)
    for claim in claims.split(", "):
        assert found.decide(claim).how == "proved", claim


@pytest.mark.parametrize(
    "body",
    ["x[t] - max(x)", "logsumexp(2*x) - x[t]", "min(x) - x[t]", "logsumexp(x) - logsumexp(2*x)", "sum(x) - x[t]"],
)
def test_what_is_not_above_its_elements_is_not_proved(body):
    assert studied(f"loss m(t: label, x)\n{body}").decide("nonnegative").how in ("refuted", "tested")


# Each wrong loss, the claim that it breaks, and a sentence that the refutation must say.
HUBER = "loss m(t, x; d = 1.0)\nrequire d > 0\ne = t - x\nwhere(abs(e) < d, {}, {})"
WRONG = [
    (HUBER.format("e^2", "d*(abs(e) - 0.5*d)"), "continuous", "goes"),
    (HUBER.format("0.5*e^2", "2*d*(abs(e) - 0.75*d)"), "smooth", "slope"),
    ("loss m(t, x; q = 0.5)\nrequire 0 < q < 1\nmax(q*(t - x), (q - 2)*(x - t))", "nonnegative", "value"),
    ("where(t == x, 1, (t - x)^2)", "continuous", "there"),
    ("log(1 + (t - x)^2)", "convex", "line"),
    ("(t - x)^2 - 1e-9", "nonnegative", "-1e-9"),
    ("abs(t - x + 0.01)", "zero at t = x", "0.01"),
    ("(t - x)^2*(1 + 0.1*(t > x))", "symmetric", "values"),
    ("sqrt(abs(t - x))", "smooth", "infinite"),
    ("loss m(t: prob, x: prob)\n-log(x)", "least at t = x", "less"),
    ("1/(t - x)", "continuous", "no finite value"),
    ("(t - x)^2", "bounded", "inf"),
]  # fmt: skip


@pytest.mark.parametrize("text, claim, words", WRONG)
def test_a_wrong_loss_is_refuted(text, claim, words):
    verdict = studied(text).decide(claim)
    assert verdict.how == "refuted", verdict
    assert words in verdict.detail, verdict.detail
    assert verdict.at


# --- joins, pieces, escapes and shape -----------------------------------------------------------------------------


def test_a_jump_is_told_with_both_limits():
    (join,) = [join for join in studied("allowable").joins if join.jump]
    assert (join.condition, join.left, join.right, join.jump) == ("abs(e) = delta", "0", "delta^2", "delta^2")
    assert join.span is not None
    assert join.span.text == "abs(e) < delta"
    assert join.value.place == "t=0, x=1, delta=1"


def test_a_kink_is_told_and_a_smooth_join_is_not():
    (kink,) = studied("quantile").joins
    assert (kink.left_slope, kink.right_slope, kink.kink) == ("-q", "-(q - 1)", "1")
    joins = studied("huber").joins
    assert [join.decides_nothing for join in joins if join.comparison] == [True]
    assert not any(join.jump or join.kink for join in joins)


@pytest.mark.parametrize(
    "text, kind, words",
    [
        ("where(abs(t - x) < 0, 5, (t - x)^2)", "unreachable", "never holds"),
        ("loss m(t, x: prob)\nwhere(x > 2, 7, (t - x)^2)", "unreachable", "never holds"),
        ("e = t - x\ncases(e > 1: e, e < -1: -e)", "gap", "no condition"),
        ("e = t - x\ncases(e > -1: abs(e), e < 1: 2*abs(e), else: 0)", "overlap", "both hold"),
    ],
)
def test_pieces_that_are_wrong(text, kind, words):
    found = [piece for piece in studied(text).pieces if piece.kind == kind]
    assert found
    assert words in found[0].text + found[0].verdict.detail
    assert found[0].span is not None


@pytest.mark.parametrize("name", THOROUGH)
def test_no_piece_of_the_catalog_is_wrong(name):
    assert studied(name).pieces == ()


@pytest.mark.parametrize(
    "text, of, op, result, place",
    [
        ("loss m(t, x: prob)\n-t*log(x)", "value", "log", "-inf", "x=0"),
        ("loss m(t, x)\n1/(t - x)", "value", "div", "nan", "x=0"),
        ("loss m(t, x: nonneg)\nsqrt(x)", "gradient", "sqrt", "inf", "x=0"),
        ("loss m(t, x)\nacos(x)", "value", "acos", "nan", "x=-1"),
    ],
)
def test_what_leaves_its_domain_is_told_with_an_input(text, of, op, result, place):
    found = studied(text).escapes
    assert [(one.of, one.op) for one in found][:1] == [(of, op)], found
    assert found[0].span is not None
    assert result in found[0].result or found[0].result in ("inf", "-inf", "nan")
    assert f"x={found[0].at['x']}".startswith(place[:3])


def test_where_a_loss_is_least():
    names = ("mean_squared_error", "mean_absolute_error", "quantile", "huber")
    least = [studied(name).minimiser for name in names]
    assert [found.text for found in least] == ["the mean of t", "the median of t", "the quantile of t at q", "t"]
    assert all(found.verdict.how == "proved" for found in least)


def test_bounds_of_value_and_slope():
    assert studied("x - t").below.how == "refuted"
    assert studied("huber").below.how == "proved"
    assert studied("huber").steep.how == "proved"
    assert studied("mean_squared_error").steep.how == "refuted"
    (flat,) = studied("loss m(t, x)\n(max(x, 0) - t)^2").flat
    assert flat.where == "x < 0"
    assert flat.verdict.how == "proved"
    assert studied("hinge").flat == ()  # flat only where it is least


@pytest.mark.parametrize(
    "text, claim",
    [
        ("loss m(t, x: positive)\nx - log(x)", "least at t = x"),  # the target need not be admissible
        ("loss m(t: positive, x: positive)\nt/x - log(t/x) - 2", "nonnegative"),
        ("exp(x - t) - 1.1*(x - t) - 1", "least at t = x"),
        ("where(abs(t - x) < 1, (t - x)^2, 2*(t - x)^2 - 2.5)", "least at t = x"),
        ("where(abs(t - x) <= pi, 1 - cos(t - x), 2.5)", "continuous"),
        ("(t - x)^2/(1 + abs(t - x))", "bounded"),
        ("loss m(t: positive, x: positive)\nabs(t - x)/x", "bounded"),
        ("max((t - x)^2, 3)", "smooth"),
    ],
)
def test_what_is_nearly_so_is_not_proved(text, claim):
    assert studied(text).decide(claim).how != "proved"


def test_a_scope_is_told():
    verdict = studied("loss m(t, x; a = 2.0)\nabs(t - x)^a").decide("convex")
    assert (verdict.how, verdict.scope) in {("proved", "for a = 2"), ("refuted", "")}


# --- bounds of the work -------------------------------------------------------------------------------------------


def test_a_thousand_operations_come_to_an_end():
    terms = " + ".join(f"abs(t - x - {k})^1.5*sigmoid(x + {k})" for k in range(125))
    found = studied(terms)
    verdicts = {name: found.decide(name) for name in PROPERTIES}
    assert verdicts["continuous"].how == "proved"
    assert verdicts["convex"].how in ("tested", "refuted", "open")
    again = studied(terms)
    assert {name: again.decide(name) for name in PROPERTIES} == verdicts


def test_a_form_that_is_too_large_is_refused():
    letters = {f"p{k}": lossdsl.ir.expr.Param(f"p{k}") for k in range(40)}
    with pytest.raises(TooLarge):
        NormalForms().of(expression("+".join(letters), letters))


@pytest.mark.parametrize("name", catalog.names()[::7])
def test_built_ins_raise_nothing(name):
    found = studied(name)
    for name in PROPERTIES:
        assert found.decide(name).how in ("proved", "refuted", "tested", "open")
    assert all(piece.kind != "gap" for piece in found.pieces)


# --- nothing is called proved that is not so ----------------------------------------------------------------------

_ONE = "abs sign sqrt cbrt square exp expm1 log log1p tanh sigmoid softplus log_sigmoid relu atan asinh cosh erf erfc "
_ONE += "norm_cdf sin cos tan acos atanh floor lgamma digamma log_i0 exp2 log10 stop"


def formula(random: Random, depth: int) -> str:
    """A random elementwise formula in t, x, e = t - x and a, which may leave its domain."""
    if depth == 0 or random.random() < 0.12:
        return random.choice(["x", "x", "e", "t", "a", "1", "2", "0.5", "t*x"])

    def part() -> str:
        return formula(random, depth - 1)

    kind = random.random()
    if kind < 0.28:
        return f"(({part()}) {random.choice('+-*+-*/')} ({part()}))"
    if kind < 0.52:
        return f"{random.choice(_ONE.split())}({part()})"
    if kind < 0.62:
        return f"({part()})^{random.choice(['2', '3', '0.5', '1.5', 'a', '4', '-1', '-2'])}"
    if kind < 0.72:
        return f"{random.choice(['max', 'min', 'logaddexp', 'xlogy'])}({part()}, {part()})"
    if kind < 0.78:
        return f"clip({part()}, {random.choice(['-1', '0'])}, {random.choice(['1', '2'])})"
    if kind < 0.94:
        return f"where({part()} {random.choice(['<', '<=', '>', '>=', '=='])} {part()}, {part()}, {part()})"
    return f"({part()} > 0)*({part()})"


def tame(random: Random) -> str:
    """A formula of the kind that much is proved of: multiples of functions of something affine, joined by one more."""

    def term() -> str:
        inner = random.choice(["e", "x", "2*x - 1", "a*x + t", "-e", "t - 2*x", "x^2", "t*x"])
        factor = random.choice(["", "-", "-2*", "a*", "t*", "(t - 1)*", "0.5*", "(a - 1)*"])
        if random.random() < 0.2:
            return f"{factor}where({inner} > 0, {inner}, {random.choice(['-2', '0', 'a', '-1'])}*({inner}))"
        if random.random() < 0.3:
            return f"{factor}({inner})^{random.choice(['2', '3', '4', '1', 'a', '1.5'])}"
        function = random.choice(["abs", "square", "exp", "softplus", "log_sigmoid", "cosh", "sigmoid", "log1p"])
        return f"{factor}{function}({inner})"

    joined = random.choice(["{} + {}", "{} - {}", "max({}, {})", "min({}, {})", "({})*({})", "exp({}) + {}", "{}"])
    return joined.format(term(), term()) + random.choice(["", "", " + x", " - 1", " + 0.1*x^2"])


def random_loss(seed: int) -> str:
    random = Random(seed)
    body = formula(random, random.choice([2, 3, 3])) if seed % 3 == 0 else tame(random)
    if seed % 4 == 0:
        body = tailed(random)
    shape = random.choice(["{}", "({})^2", "abs({})", "{} + e^2"])
    body = shape.format(body if re.search(r"\b[xe]\b", body) else "x - t")
    target = random.choice(["", "", ": binary", ": sign", ": nonneg"])
    domain = random.choice(["", "", "", ": prob", ": nonneg"])
    require, default = random.choice([("", 0.75), ("require a > 0\n", 0.75), ("require 0 < a < 1\n", 0.25)])
    return f"loss random(t{target}, x{domain}; a = {default})\n{require}e = t - x\n{body}"


_PARTS = ["{}", "({})^2", "1 + ({})^2", "sqrt(1 + ({})^2)", "log(1 + ({})^2)", "exp({})", "exp(-({})^2)", "1 + abs({})"]
_PARTS += ["sigmoid({})", "atan({})", "softplus({})", "1 + exp({})", "cos({})", "log(1 + abs({}))", "abs({})^1.5"]


def tailed(random: Random) -> str:
    """A formula whose ends matter: a quotient or a product of things that grow, or die away."""

    def part() -> str:
        inner = random.choice(["e", "x", "e^2", "abs(e)", "a*x", "x - 2*t", "e/a"])
        return random.choice(_PARTS).format(inner)

    return random.choice(["({})/({})", "({})*({})", "({}) - ({})", "({})/({})^2"]).format(part(), part())


SEEDS = range(160)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_proved_that_dense_sampling_contradicts(seed):
    """Every claim that is called proved of a random formula, tried at 50 digits on random predictions.

    The sampling shares the evaluation at 50 digits with the analysis, and nothing else.
    """
    found = studied(random_loss(seed))
    search = found.search
    assert search is not None
    random = Random(seed)
    proved = [name for name in PROPERTIES if found.decide(name).how == "proved" and not found.decide(name).scope]
    (x_node,) = search.loss.prediction.nodes
    assert search.loss.target is not None
    (t_node,) = search.loss.target.nodes
    bounds = search.view.leaves.get(x_node, Bounds())
    low, high = max(Fraction(-5), Fraction(bounds.low) if bounds.low > -INF else Fraction(-5)), min(5, bounds.high)
    for setting in list(search.settings())[:2] if proved or found.steep.how == "proved" else ():
        t = setting[t_node]
        xs = sorted({low + (Fraction(high) - low) * Fraction(random.randrange(1, 9999), 10_000) for _ in range(40)})
        xs = sorted({*xs, t} if bounds.contains(t) else xs)
        values = dict(zip(xs, search.values(setting, xs), strict=True))
        for name in proved:
            CONTRADICTS[name](search, setting, t, {x: y for x, y in values.items() if y is not None}, bounds)
        if found.steep.how == "proved":
            _never_steep(search, setting, t, {x: y for x, y in values.items() if y is not None}, bounds)


def _slack(*values: Any) -> Any:
    return mp_numbers().mpf(10) ** -20 * (1 + sum(map(abs, values)))


def _never_negative(search: Any, setting: Any, t: Any, values: Any, bounds: Any) -> None:
    assert all(y >= -_slack() for y in values.values())


def _never_above_a_chord(search: Any, setting: Any, t: Any, values: Any, bounds: Any) -> None:
    points = sorted(values.items())
    for step in (1, 2, 7):
        for (a, fa), (mid, fm), (c, fc) in zip(points, points[step:], points[2 * step :], strict=False):
            share = search.m.number((mid - a) / (c - a))
            assert fm <= fa + share * (fc - fa) + _slack(fa, fc), (a, mid, c)


def _never_a_jump(search: Any, setting: Any, t: Any, values: Any, bounds: Any) -> None:
    def value(x: Fraction) -> Any:
        return search.values(setting, [x])[0]

    for (a, fa), (c, fc) in _leaps(values, value, most=2, width=Fraction(1, 10**30)):
        assert abs(fc - fa) < 1e-5 * (1 + abs(fa)), (a, c)


def _never_a_kink(search: Any, setting: Any, t: Any, values: Any, bounds: Any) -> None:
    """Of the slopes over 1e-15."""
    h = Fraction(1, 10**15)

    def slope(x: Fraction) -> Any:
        ahead, behind = search.values(setting, [x + h, x - h])
        return None if ahead is None or behind is None else (ahead - behind) / search.m.number(2 * h)

    inside = [x for x in values if bounds.contains(x - h) and bounds.contains(x + h)]
    slopes = {x: y for x in inside if (y := slope(x)) is not None}
    for (a, fa), (c, fc) in _leaps(slopes, slope, most=1, width=Fraction(1, 10**9)):
        assert abs(fc - fa) < 1e-3 * (1 + abs(fa)), (a, c)


def _leaps(values: Any, at: Any, most: int, width: Fraction) -> Iterator[Any]:
    """The neighbours that differ most, bisected towards the larger difference until they are no further apart than
    `width`; those whose way leads over a place without a value are left out."""
    steps = sorted(pairwise(sorted(values.items())), key=lambda pair: -abs(pair[1][1] - pair[0][1]))
    for (a, fa), (c, fc) in steps[:most]:
        while c - a > width:
            middle = round((a + c) / 2 / width * 10**4) * width / 10**4
            fm = at(middle)
            if fm is None:
                break
            if abs(fm - fa) > abs(fc - fm):
                c, fc = middle, fm
            else:
                a, fa = middle, fm
        else:
            yield (a, fa), (c, fc)


def _never_lopsided(search: Any, setting: Any, t: Any, values: Any, bounds: Any) -> None:
    mirrored = [x for x in values if bounds.contains(2 * t - x)]
    for x, y in zip(mirrored, search.values(setting, [2 * t - x for x in mirrored]), strict=True):
        assert y is None or abs(y - values[x]) <= _slack(y)


def _zero_on_target(search: Any, setting: Any, t: Any, values: Any, bounds: Any) -> None:
    assert t not in values or abs(values[t]) <= _slack()


def _least_on_target(search: Any, setting: Any, t: Any, values: Any, bounds: Any) -> None:
    assert t not in values or all(y >= values[t] - _slack(values[t]) for y in values.values())


def _never_far(search: Any, setting: Any, t: Any, values: Any, bounds: Any) -> None:
    found = [y for y in search.values(setting, _outer(bounds)) if y is not None]
    most = max(map(abs, values.values()), default=1)
    assert all(abs(y) <= 1000 * (1 + most) for y in found)


def _outer(bounds: Any) -> list[Fraction]:
    """Far points, and points near the ends."""
    far = [sign * Fraction(10) ** power for power in (3, 5) for sign in (1, -1)]
    far += [Fraction(end) + shift for end in (bounds.low, bounds.high) if abs(end) < INF for shift in _CLOSE]
    return [x for x in far if bounds.contains(x)]


_CLOSE = [sign * Fraction(1, 10**power) for power in (6, 12) for sign in (1, -1)]


def _never_steep(search: Any, setting: Any, t: Any, values: Any, bounds: Any) -> None:
    h = Fraction(1, 10**20)
    most = Fraction(0)
    for xs in (sorted(values), _outer(bounds)):
        inside = [x for x in xs if bounds.contains(x + h)]
        ends = zip(search.values(setting, inside), search.values(setting, [x + h for x in inside]), strict=True)
        slopes = [abs(c - a) * 10**20 for a, c in ends if a is not None and c is not None]
        assert not most or all(slope <= 1000 * most for slope in slopes)
        most = 1 + max(slopes, default=0)


CONTRADICTS = {
    "nonnegative": _never_negative,
    "convex": _never_above_a_chord,
    "continuous": _never_a_jump,
    "smooth": _never_a_kink,
    "symmetric": _never_lopsided,
    "zero at t = x": _zero_on_target,
    "least at t = x": _least_on_target,
    "bounded": _never_far,
}


def test_decide_is_the_analyzer_in_one_call():
    program = studied("huber").program
    assert decide(program, "convex") == analyzer(program).decide("convex")
    with pytest.raises(KeyError):
        decide(program, "round")


def test_places_are_searched_once_for_all_the_pieces_that_meet_there(monkeypatch):
    """Hundreds of pairs of pieces meet at two places, and no proof says that they agree."""
    searched = []
    jump = counterexamples.jump

    def noted(search, places):
        searched.append(tuple(places))
        return jump(search, places)

    monkeypatch.setattr(counterexamples, "jump", noted)
    text = """w = 0.5 + cases(t > x: t, x <= -1: t, else: t)
    z = cases(w^t == where(x >= t, x, t): -(t*w), 1 < t^t: xlogy(1, w^-1), -1 <= -w: x^t, else: where(w != t, x, t))
    acosh(z)"""
    joins = analyzer(pipeline.program(pipeline.parsed(Source(text)))).joins
    assert joins
    assert len(searched) == len(set(searched)) == 2


def test_what_falls_to_nothing_slowly_is_neither_kink_nor_jump():
    """At 1e-12 the slope of `abs(e)^1.001` is 0.97, and 0 at 0."""
    found = lossdsl.properties("loss f(t, x; p = 2)\nrequire p > 1\nabs(t - x)^p")
    assert found["smooth"].how != "refuted"
    assert lossdsl.properties("1e6*(t - x)^2 + abs(t - x)")["smooth"].how == "refuted"
