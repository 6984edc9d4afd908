"""Random formulas with choices, and where in their inputs nothing is selected: for test_choices and choices_trial.

The formulas are text: conditions on masks, labels, positions and the inputs themselves, nested, in `where`, `cases`,
filters and index filters, with functions of all kinds inside. Which elements no condition selects is found by trying:
the formula as it was written, run forward, has the same value with nan there. Comparisons throw nan away, and
everything else hands it on.
"""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
from hypothesis import strategies as st

from lossdsl.frontend.parse import parse
from lossdsl.frontend.resolve import resolve
from lossdsl.ir.loss import Loss
from lossdsl.runtime.execute import functions
from lossdsl.source import Source
from lossdsl.targets import code
from lossdsl.transform.lower import lowered

HEADER = "loss choices(t, x, m: binary, r: binary scalar, y: label)"
SHAPE = (3, 4)
POISONS = (np.nan, np.inf, -np.inf, 1e38, -1e38)
ON_THE_WAY = (3.0, 50.0, 1e4)
"""What is not selected at a huge number is not at these either: else it is too small to be seen beside the rest."""
Inputs = dict[str, np.ndarray]

ELEMENTS = ["x", "x", "t", "t - x", "t*x", "x + 0.5", "2*t"]
ELEMENT_TESTS = ["m == 1", "not m == 0", "x > 0", "abs(t) < 1", "t < x", "onehot(y) == 1", "not isnan(t)", "t < inf"]
SAMPLE_TESTS = ["r == 1", "y == 1", "y != 2", "r == 1 and y > 0", "any(m == 1)", "not any(isnan(t))", "sum(m) > 2"]
INDEX_TESTS = ["m[j] == 1", "j != y", "j < y", "x[j] > 0", "m[j] == 1 and j != y", "not isnan(t[j])"]
BATCH_TESTS = ["r[j] == 1", "y[j] == y", "y[j] != y", "j != self", "r[j] == 1 and y[j] != y"]

UNARY = ["abs({})", "({})^2", "({})^3", "exp({})", "log(abs({}) + 0.1)", "sqrt(abs({}))", "relu({})", "sigmoid({})",
         "softplus({})", "log(1 + exp({}))", "1/(0.5 + ({})^2)", "abs({})^1.5", "tanh({})", "-({})",
         "where(abs({0}) < 1, 0.5*({0})^2, abs({0}) - 0.5)"]  # fmt: skip
BINARY = ["({}) + ({})", "({}) - ({})", "({})*({})", "max({}, {})", "min({}, {})", "({})/(0.5 + abs({}))"]
TO_ELEMENTS = ["softmax({})", "normalize({})", "({0}) - mean({0})", "cumsum({})"]
TO_NUMBER = ["sum({})", "mean({})", "norm({})", "std({})", "logsumexp({})", "max({})", "var({})", "prod({})"]
FILTERED = ["sum[last if {}]({})", "mean[last if {}]({})", "logsumexp[last if {}]({})", "max[last if {}](0.1*({})^2)",
            "prod[last if {}]({})", "norm[last if {}]({})", "var[last if {}]({})", "std[last if {}]({})"]  # fmt: skip
OTHERWISE = ["0", "0", "1", "{}"]


def _within(inner: st.SearchStrategy[str], patterns: list[str]) -> st.SearchStrategy[str]:
    different = st.tuples(inner, inner).filter(lambda two: two[0] != two[1])
    return st.builds(lambda pattern, two: pattern.format(*two), st.sampled_from(patterns), different)


def _chosen(inner: st.SearchStrategy[str], tests: list[str]) -> st.SearchStrategy[str]:
    """A choice between something and another thing, often a number."""
    condition, otherwise = st.sampled_from(tests), st.sampled_from(OTHERWISE)
    return st.one_of(
        st.builds(lambda c, a, o, b: f"where({c}, {a}, {o.format(b)})", condition, inner, otherwise, inner),
        st.builds(lambda c, a, o, b: f"where(not ({c}), {o.format(b)}, {a})", condition, inner, otherwise, inner),
        st.builds(lambda c, d, a, b: f"cases({c}: {a}, {d}: 0, else: {b})", condition, condition, inner, inner),
    )


def elements() -> st.SearchStrategy[str]:
    """A formula of one number an element."""
    return st.recursive(
        st.sampled_from(ELEMENTS),
        lambda inner: st.one_of(
            _chosen(inner, ELEMENT_TESTS), _within(inner, UNARY), _within(inner, BINARY), _within(inner, TO_ELEMENTS),
            st.builds("where({}, {}, 0)".format, st.sampled_from(SAMPLE_TESTS), inner),
            st.builds("({})*{}".format, inner, samples_of(inner)),
        ),
        max_leaves=4,
    )  # fmt: skip


def samples_of(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A formula of one number a sample, made of formulas of one number an element."""
    indexed = inner.map(lambda text: f"({_at_index(text)})" if _is_plain(text) else "(x[j] - t[j])^2")
    return st.one_of(
        _within(inner, TO_NUMBER),
        st.builds(str.format, st.sampled_from(FILTERED), st.sampled_from(ELEMENT_TESTS), inner),
        st.builds("sum[j if {}]({})".format, st.sampled_from(INDEX_TESTS), indexed),
        st.builds("mean[j in batch if {}](sum(abs(x - x[j])^{}))".format, st.sampled_from(BATCH_TESTS),
                  st.sampled_from(["1", "2", "3"])),
        st.builds("sum[j in batch if {}](exp(0.1*sum(x*x[j])))".format, st.sampled_from(BATCH_TESTS)),
        st.sampled_from(["x[y]^2", "exp(x[0])", "logsumexp(x) - x[y]", "-log_softmax(x)[y]", "mean((t - x)^2)"]),
    )  # fmt: skip


_OF_MORE = ("[", "r ==", "y ", "onehot", "sum", "mean", "max", "norm", "var", "prod", "exp", "any")


def _is_plain(text: str) -> bool:
    return not any(word in text for word in _OF_MORE)


def _at_index(text: str) -> str:
    """The formula of an element at an index."""
    for name in "txm":
        text = "".join(
            f"{name}[j]"
            if letter == name and not (text[at - 1 : at].isalpha() or text[at + 1 : at + 2].isalpha())
            else letter
            for at, letter in enumerate(text)
        )
    return text


@st.composite
def sources(draw: st.DrawFn) -> str:
    """A file: an element's formula that may be used twice, and one number a sample of it under conditions."""
    inner = elements()
    named = draw(inner)
    chosen = st.builds("where({}, u, 0)".format, st.sampled_from(ELEMENT_TESTS))
    sample = samples_of(st.one_of(inner, st.just("u"), chosen))
    whole = draw(st.one_of(sample, _chosen(sample, SAMPLE_TESTS), st.builds("{} + {}".format, sample, sample)))
    return f"{HEADER}\nu = {named}\n{whole} + mean(u*(0.3 + u))"


@functools.lru_cache(maxsize=64)
def resolved(source: str) -> Loss:
    return resolve(parse(Source(source)))


def drawn(seed: int) -> Inputs:
    """Everyday values, and masks and labels of all kinds."""
    rng = np.random.default_rng(seed)
    rows, columns = SHAPE
    return {
        "t": rng.normal(size=SHAPE),
        "x": rng.normal(size=SHAPE),
        "m": rng.integers(0, 2, SHAPE).astype(float),
        "r": rng.integers(0, 2, rows).astype(float),
        "y": rng.integers(0, columns, rows),
    }


def forward(source: Loss, inputs: Inputs) -> np.ndarray:
    """The formula as it was written, on numpy."""
    function = _plain(source)
    with np.errstate(all="ignore"):
        return np.asarray(function(*inputs.values()))


@functools.lru_cache(maxsize=64)
def _plain(source: str) -> Any:
    loss = resolved(source)
    function = code.value_function(loss, *lowered((loss.result,)), "numpy")
    return functions(code.module([function], "numpy"), "plain")["value"]


def poisoned(source: str, inputs: Inputs) -> Iterator[tuple[float, Inputs]]:
    """The inputs with what no condition selects made nan, inf and huge, as far as there is any."""
    before = forward(source, inputs)
    if not np.all(np.isfinite(before)):
        return
    places = [(name, place) for name in "tx" for place in np.ndindex(SHAPE)]
    free = [place for place in places if _is_free(source, inputs, before, [place], np.nan)]
    for poison in POISONS:
        tried = (poison, *(float(np.sign(poison)) * size for size in ON_THE_WAY if poison == poison))
        places = [where for where in free if all(_is_free(source, inputs, before, [where], one) for one in tried)]
        if places and _is_free(source, inputs, before, places, poison):
            yield poison, _with(inputs, places, poison)


def _is_free(source: str, inputs: Inputs, before: np.ndarray, places: list[Any], poison: float) -> bool:
    return np.array_equal(forward(source, _with(inputs, places, poison)), before, equal_nan=True)


def _with(inputs: Inputs, places: list[Any], poison: float) -> Inputs:
    found = {name: array.copy() for name, array in inputs.items()}
    for name, place in places:
        found[name][place] = poison
    return found
