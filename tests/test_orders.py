"""`require` lines that put parts of an input in order: what is drawn keeps to them, and proofs about boxes use them."""

import re
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lossdsl
from lossdsl import pipeline
from lossdsl.analyze import analyzer
from lossdsl.oracle.float_formats import BFLOAT16, FLOAT16, FLOAT32
from lossdsl.oracle.plain_points import plain_points
from lossdsl.oracle.points import points
from lossdsl.oracle.samples import EVERYDAY, EXTREME, samples
from lossdsl.source import Source

BOXES = "loss f((a0, b0, a1, b1), (x0, y0, x1, y1); eps = 1.0)\n"
ORDERED = BOXES + "require a0 <= a1 and b0 <= b1 and x0 <= x1 and y0 <= y1\nrequire eps > 0\n"
AREAS = """
w = min(a1, x1) - max(a0, x0)
h = min(b1, y1) - max(b0, y0)
i = max(0, w)*max(0, h)
A = (a1 - a0)*(b1 - b0)
X = (x1 - x0)*(y1 - y0)
cw = max(a1, x1) - min(a0, x0)
ch = max(b1, y1) - min(b0, y0)
dx = a0 + a1 - x0 - x1
dy = b0 + b1 - y0 - y1
"""


def known(text):
    return analyzer(pipeline.program(pipeline.parsed(Source(text))))


# What each is, all of it so by hand.
PROVED = [
    ("A + X - 2*i", "nonnegative continuous"),
    ("i/(A + X - i + eps)", "nonnegative bounded continuous"),
    ("1 - i/(A + X - i + eps)", "nonnegative bounded"),
    ("(cw*ch - A)/(cw*ch + eps)", "nonnegative bounded"),
    ("1 - i/(cw*ch + eps)", "nonnegative bounded"),
    ("cw - (x1 - x0)", "nonnegative"),
    ("(a0 - a1)*(y0 - y1)", "nonnegative"),
    ("1 - abs(dx*dy)/(dx^2 + dy^2 + eps)", "nonnegative bounded"),
    ("log(A + eps) + 1/(X + eps)", "continuous smooth"),
    ("sqrt(cw*ch)", "nonnegative continuous"),
    ("cw*ch - (A + X - i)", "nonnegative"),
    ("1 - i/(A + X - i + eps) + (cw*ch - A - X + i)/(cw*ch + eps)", "nonnegative bounded"),
]


@pytest.mark.parametrize("text, names", PROVED)
def test_proofs_rest_on_the_order_of_corners(text, names):
    found = known(ORDERED + AREAS + text)
    for name in names.split():
        assert found.decide(name).how == "proved", name


# Near to the above: without the order, with another one, or too much of it.
NOT_SO = [
    (BOXES + "require eps > 0\n", "1 - i/(A + X - i + eps)", "nonnegative bounded continuous"),
    (BOXES + "require a0 <= a1 and x0 <= x1\nrequire eps > 0\n", "A + X - 2*i", "nonnegative"),
    (BOXES + "require a0 <= a1 and b0 <= b1 and x1 <= x0 and y0 <= y1\n", "A + X - 2*i", "nonnegative"),
    (ORDERED, "A + X - 3*i", "nonnegative"),
    (ORDERED, "1 - 2*i/(A + X - i + eps)", "nonnegative"),
    (ORDERED, "1 - abs(dx*dy)/(dx^2 + 0.1*dy^2 + eps)", "nonnegative"),
    (ORDERED, "1/(A + X)", "continuous bounded"),
    (ORDERED, "w", "nonnegative"),
    (ORDERED, "cw*ch - A - X", "nonnegative"),
    (ORDERED, "cw*ch - (A + X - 0.99*i)", "nonnegative"),
    (ORDERED, "i/(A + X - 2*i + eps)", "bounded"),
]


@pytest.mark.parametrize("header, text, names", NOT_SO)
def test_what_is_not_so_is_not_proved(header, text, names):
    found = known(header + AREAS + text)
    for name in names.split():
        assert found.decide(name).how != "proved", name


PARTS = (
    "w",
    "h",
    "cw",
    "ch",
    "a1 - a0",
    "y1 - y0",
    "dx",
    "x0 - a0",
    "max(0, w)",
    "max(0, h)",
    "max(a0, x0) - b0",
    "eps",
)
TERM = st.builds(
    lambda size, one, two: f"{size}*({one})*({two})", st.sampled_from([-2, -1, 1, 2, 3]), *[st.sampled_from(PARTS)] * 2
)
SUM = st.lists(TERM, min_size=1, max_size=4).map(" + ".join)
FORMULA = st.one_of(SUM, st.builds(lambda one, two: f"({one})/({two} + eps)", SUM, SUM))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(FORMULA, st.integers(0, 10**6))
def test_bounds_of_areas_hold_for_every_box(text, seed):
    """What is proved of random sums and quotients, at exact boxes of few sizes, so that edges meet."""
    case = known(ORDERED + AREAS + text).cases[0]
    bounds = case.composition.bounds(case.view.expr)
    random = Random(seed)
    for _ in range(60):
        corners = [sorted(Fraction(random.randrange(-3, 4)) for _ in "lh") for _ in range(4)]
        (a0, a1), (b0, b1), (x0, x1), (y0, y1) = corners
        names = {"a0": a0, "a1": a1, "b0": b0, "b1": b1, "x0": x0, "x1": x1, "y0": y0, "y1": y1, "max": max, "min": min}
        names["eps"] = random.choice([Fraction(1), Fraction(1, 100), Fraction(50)])
        for line in AREAS.strip().split("\n"):
            name, formula = line.split(" = ")
            names[name] = eval(formula, {}, dict(names)) if "^" not in formula else None  # noqa: S307 - our own
        try:
            value = eval(text, {}, names)  # noqa: S307 - our own
        except ZeroDivisionError:
            continue
        assert bounds.contains(value), (text, names, bounds)


@st.composite
def ordered(draw):
    """Parts, and which of them are in order: by pairs that go one way."""
    names = ("p", "q", "r", "s")[: draw(st.integers(2, 4))]
    pairs = [(low, high) for place, low in enumerate(names) for high in names[place + 1 :]]
    chosen = draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=3, unique=True))
    signs = draw(st.lists(st.sampled_from(["<", "<=", ">", ">="]), min_size=3, max_size=3))
    kind = draw(st.sampled_from(["real", "positive", "nonneg"]))
    lines = [
        f"{low} {sign} {high}" if "<" in sign else f"{high} {sign} {low}"
        for (low, high), sign in zip(chosen, signs, strict=False)
    ]
    return names, kind, lines


@settings(max_examples=40, deadline=None, derandomize=True)
@given(ordered())
def test_all_that_is_tried_is_in_order(case):
    names, kind, lines = case
    text = (
        f"loss f(t, ({', '.join(names)}): {kind})\n"
        + "".join(f"require {line}\n" for line in lines)
        + f"t + {'+'.join(names)}"
    )
    made = pipeline.program(pipeline.parsed(Source(text)))
    tried = [point.values for point in points(made.loss, made.known, 4)]
    tried += [plain.point.values for plain in plain_points(made.loss, made.known)]
    tried += [
        samples(made.loss, made.known, kind_, EVERYDAY + EXTREME).inputs for kind_ in (FLOAT32, FLOAT16, BFLOAT16)
    ]
    for values in tried:
        given_ = {node.name: np.asarray(values[node]) for node in made.loss.prediction.nodes}
        for line in lines:
            assert np.all(eval(line, {}, given_)), (line, given_)  # noqa: S307 - our own
        for array in given_.values():
            assert kind == "real" or np.all(array >= 0)


def test_a_loss_that_is_called_keeps_its_order_where_it_is_given_parts():
    helper = "loss width(t, (p, q))\nrequire p <= q\nt*(q - p)\n"
    called = known(helper + "loss f(t: nonneg, (x0, x1))\nwidth(t, x0, x1)")
    assert called.decide("nonnegative").how == "proved"
    assert known(helper + "loss f(t: nonneg, (x0, x1))\nwidth(t, x0, x1 - 1)").decide("nonnegative").how != "proved"


def test_the_debug_mode_looks_at_the_order():
    loss = lossdsl.compile("loss f(t, (p, q))\nrequire p < q\n(t - p)^2 + (t - q)^2")
    with lossdsl.debug():
        loss(np.zeros((1, 1), "float32"), np.array([[1.0, 2.0]], "float32"))
        with pytest.raises(lossdsl.LossTypeError, match=re.escape("`q` is not above `p`")):
            loss(np.zeros((1, 1), "float32"), np.array([[1.0, 1.0]], "float32"))
