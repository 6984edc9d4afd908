"""The op table as a stranger meets it: names that cannot meet, rows that lack something, a row that is new."""

import dataclasses

import numpy as np
import pytest

import lossdsl
from lossdsl import LossNameError, catalog, load, pipeline
from lossdsl.cli import main
from lossdsl.ir.bounds import REALS, Bounds
from lossdsl.ir.op import DOUBLE, TARGETS, Kind, Op
from lossdsl.ir.ops import AGGREGATES, OPS, function_names
from lossdsl.ir.traits import Trait
from lossdsl.source import Source
from lossdsl.targets import TARGETS as PRINTED

PRIVATE = sorted({row.name for table in (OPS, AGGREGATES) for row in table.values() if not row.public})
WORDS = [name for name in PRIVATE if name.isidentifier() and name not in ("and", "or", "not", "pi")]


def test_no_built_in_loss_has_the_name_of_a_function():
    assert not set(catalog.names()) & set(function_names())


@pytest.mark.parametrize("name", catalog.names())
def test_a_built_in_loss_is_called_by_its_name(name):
    spec = pipeline.program(pipeline.builtin(name)).loss
    words = [node.name for one in spec.inputs for node in one.nodes]
    open_ones = [one for one in spec.parameters if one.default is None]
    inputs = ", ".join(_declared(one) for one in spec.inputs)
    parameters = ", ".join(f"{one.name}: {one.kind}" for one in open_ones)
    given = ", ".join(f"{one.name}={one.name}" for one in open_ones)
    end = "; " if open_ones else ""
    text = f"loss mine({inputs}{end}{parameters})\n{name}({', '.join(words)}{end}{given})"
    assert pipeline.program(pipeline.parsed(Source(text))).loss.result is not None


def _declared(one):
    if len(set(one.domains)) > 1:
        return "({})".format(", ".join(f"{part.name}: {part.domain}" for part in one.parts))
    words = ", ".join(node.name for node in one.nodes)
    kinds = " ".join(filter(None, (one.domain if one.domain != "real" else "", one.layout or "")))
    name = f"({words})" if len(one.nodes) > 1 else words
    return f"{name}: {kinds}" if kinds else name


@pytest.mark.parametrize("name", WORDS)
def test_a_private_row_is_no_name_of_the_language(name):
    """A user may call anything so, and what is not defined is not found: no text reaches the row."""
    assert load(f"loss f(t, x)\n{name} = t - x\n{name}^2").numpy([1.0], [3.0]) == 4.0
    assert load(f"loss f(t, x)\n{name}(u) = u^2\n{name}(t - x)").numpy([1.0], [3.0]) == 4.0
    assert load(f"loss f(t, {name})\n(t - {name})^2").numpy([1.0], [3.0]) == 4.0
    assert load(f"loss {name}(t, x)\n(t - x)^2").numpy([1.0], [3.0]) == 4.0
    if name not in catalog.names():
        for call in (f"{name}(x)", f"{name}[last](x)"):
            with pytest.raises(lossdsl.LossError) as caught:
                load(f"loss f(t, x)\nt - {call}")
            assert f"did you mean `{name}`" not in str(caught.value)


def test_the_loss_of_a_private_rows_name_is_the_loss():
    assert load("loss f(t, x)\nlog_cosh(t, x)").numpy([1.0], [3.0]) == load("log_cosh").numpy([1.0], [3.0])
    with pytest.raises(LossNameError, match="there is no function `log1pmx`"):
        load("loss f(t, x)\nt - log1pmx(x)")


# --- a row that is new ------------------------------------------------------------------------------------------------

SIGNED = Bounds(-1, 1, True, True)


def row(**changed):
    """A function that the language does not have: a/(1 + abs(a)), with all that a row must say."""
    plain = {
        "name": "softsign",
        "args": "a",
        "doc": "a/(1 + abs(a))",
        "exact": lambda m, a: a / (1 + m.abs(a)),
        "derivative": ("1/(1 + abs(a))^2",),
        "spelling": {
            **dict.fromkeys(("numpy", "jax"), "a / (1 + abs(a))"),
            "python": "a / (1.0 + abs(a))",
            "tensorflow": "a / (1 + tf.math.abs(a))",
            "torch": "a / (1 + torch.abs(a))",
            "keras": "a / (1 + ops.abs(a))",
            "javascript": "a / (1.0 + Math.abs(a))",
        },
        "ulps": dict.fromkeys((*TARGETS, DOUBLE), (2.0, 3.0)),
        "trait": Trait(lambda a: a / (1 + abs(a)), direction=1, bends_right=-1, limits=(-1, 1), image=SIGNED),
    }
    return Op(**{**plain, **changed})


def pair(**changed):
    """One of two arguments: the harmonic mean."""
    text = "2 * a * b / (a + b)"
    return row(
        name="harmonic", args="ab", doc="2*a*b/(a + b)", exact=lambda m, a, b: 2 * a * b / (a + b),
        derivative=("2*(b/(a + b))^2", "2*(a/(a + b))^2"), spelling=dict.fromkeys((*TARGETS, "python"), text),
        trait=None, bounds=lambda a, b: REALS, **changed,
    )  # fmt: skip


NEW = {"softsign": ("softsign(x - t)^2", 4 / 9), "harmonic": ("harmonic(1 + sigmoid(t), 1 + sigmoid(x))", None)}


@pytest.fixture(params=[row, pair], ids=["softsign", "harmonic"])
def new(request, monkeypatch):
    made = request.param()
    monkeypatch.setitem(OPS, made.name, made)
    return made


def test_a_new_row_is_compiled_differentiated_checked_and_shown(new, capsys):
    body, expected = NEW[new.name]
    source = f"loss fresh(t, x)\n{body}"
    made = load(source)
    t, x = np.array([[1.0, 0.5]]), np.array([[3.0, -0.25]])
    if expected is not None:
        assert made.numpy([1.0], [3.0]) == pytest.approx(expected)
    step = 1e-6
    ahead, behind = (made.numpy(t, x + np.array([[sign * step, 0.0]])) for sign in (1, -1))
    assert made.numpy.grad(t, x)[0, 0] == pytest.approx((ahead - behind)[0] / (2 * step), rel=1e-6)
    report = lossdsl.check(source, properties=True)
    assert not [found for found in report.findings if found.severity != "info"], str(report)
    for command in (["grad"], ["show"], ["emit", "--target", "tensorflow"], ["emit", "--target", "keras"]):
        assert main([*command, source]) == 0
    assert new.name in capsys.readouterr().out
    assert new.name in made.latex
    assert new.name in function_names()
    for target in TARGETS:
        made.program.emitted(target, {})


def test_a_new_row_is_the_same_on_tensorflow(new):
    import tensorflow as tf

    source = f"loss fresh(t, x)\n{NEW[new.name][0]}"
    t, x = np.float32([[1.0, 0.5]]), np.float32([[3.0, -0.25]])
    got = lossdsl.compile(source)(tf.constant(t), tf.constant(x))
    np.testing.assert_allclose(got, np.mean(load(source).numpy(t, x)), rtol=1e-6)


@pytest.mark.parametrize(
    "changed, lacking",
    [
        ({"doc": ""}, "a documentation"),
        ({"derivative": ("1", "1")}, "a slope in each argument"),
        ({"safe": (1.0,)}, "a safe number for each argument"),
        ({"takes": (Kind.REAL, Kind.REAL)}, "a kind for each argument"),
        ({"ulps": dict.fromkeys(TARGETS, (1.0, 1.0))}, "its error on float64"),
        *(
            ({"spelling": {one: "a" for one in TARGETS if one != target}}, f"a spelling for {target}")
            for target in TARGETS
        ),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_a_row_that_lacks_something_is_refused_by_name(changed, lacking):
    with pytest.raises(ValueError, match=f"`softsign` .* lacks {lacking}"):
        row(**changed)


def test_a_row_speaks_of_every_target():
    assert TARGETS == PRINTED
    assert all(dataclasses.replace(op) for op in OPS.values())
