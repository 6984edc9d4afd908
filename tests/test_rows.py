"""The op table as a stranger meets it: names that cannot meet, rows that lack something, a row that is new."""

import ast
import dataclasses
from pathlib import Path

import numpy as np
import pytest

import lossdsl
from lossdsl import LossNameError, catalog, load, pipeline
from lossdsl.cli import main
from lossdsl.ir.bounds import REALS, Bounds
from lossdsl.ir.op import DOUBLE, TARGETS, Kind, Op
from lossdsl.ir.ops import AGGREGATES, OPS, function_names
from lossdsl.ir.traits import Trait
from lossdsl.oracle.number_systems import mp_numbers
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


# --- what is known of an operation stands in its row ------------------------------------------------------------------

PACKAGE = Path(lossdsl.__file__).parent
NAMES = set(OPS) | set(AGGREGATES)

BY_NAME = {
    # what an operation is to one way of computing: a meaning each
    "frontend/aggregates.py": 1, "ir/calls.py": 1, "ir/whole.py": 1, "oracle/interpreter.py": 1,
    "oracle/no_numbers.py": 1, "oracle/number_systems.py": 1, "oracle/rational.py": 1, "oracle/sympy_numbers.py": 1,
    "prove/growth_orders.py": 1, "prove/invariance.py": 5, "prove/properties.py": 1, "targets/blocks.py": 2,
    "targets/javascript_loops.py": 1, "targets/latex.py": 2, "targets/some_samples.py": 1, "transform/descent.py": 2,
    "transform/log_domain.py": 3, "transform/log_rules.py": 1, "transform/lower.py": 2, "transform/vjp.py": 2,
    # what libraries have or keep, which is no fact of mathematics
    "targets/array_sums.py": 2, "targets/javascript_helpers.py": 1, "targets/torch_eager_code.py": 1,
    # what authors write by them
    "analyze/analyzer.py": 1, "checks/distributions.py": 2, "checks/likelihoods.py": 1,
    "checks/parameters.py": 1, "checks/shape.py": 1,
    # what counts positions: the arithmetic of indices
    "checks/reads.py": 1, "frontend/subscripts.py": 1, "ir/meets.py": 1,
    # the forms of arithmetic that something matches, or prints
    "ir/text.py": 2, "oracle/gradient_check.py": 1, "prove/asymptotics.py": 1, "prove/composition.py": 1,
    "prove/dominance.py": 2, "prove/own_element.py": 1, "prove/rational_functions.py": 1, "refute/unfelt_inputs.py": 2,
    "targets/scatters.py": 1, "transform/canonical.py": 1, "transform/choices.py": 3, "transform/complement.py": 2,
    "transform/fewer_passes.py": 1, "transform/log_difference.py": 1, "transform/pairs.py": 1, "transform/rules.py": 1,
    "transform/simplify.py": 2,
}  # fmt: skip
"""How many lists of three or more operations by name a module may have, outside of the rows. What is known of an
operation is a field of its row, from which a property follows; a new list here has to say what else it is.
"""


def listed(tree):
    """The lists of three or more operations by name in a module: tuples, sets, keys, patterns, words of a text."""
    for node in ast.walk(tree):
        match node:
            case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts) | ast.Dict(keys=parts):
                words = [part.value for part in parts if isinstance(part, ast.Constant)]
            case ast.MatchOr(patterns=parts):
                words = [one.value.value for part in parts for one in ast.walk(part) if isinstance(one, ast.MatchValue)]
            case ast.Constant(value=str(text)) if " " in text:
                words = text.split()
            case _:
                continue
        if len(words) > 2 and all(isinstance(word, str) and word in NAMES for word in words):
            yield words


def test_no_other_module_lists_operations_by_name():
    paths = [path for path in PACKAGE.rglob("*.py") if "rows" not in path.parts]
    found = {path.relative_to(PACKAGE).as_posix(): len(list(listed(ast.parse(path.read_text())))) for path in paths}
    assert {name: count for name, count in found.items() if count > BY_NAME.get(name, 0)} == {}


@pytest.mark.parametrize("text", ['("exp", "log", "abs")', '{"exp": 1, "log": 2, "abs": 3}', '"exp log abs".split()'])
def test_a_list_is_seen(text):
    assert list(listed(ast.parse(text)))


@pytest.mark.parametrize("op", [op for op in OPS.values() if op.passes], ids=lambda op: op.name)
def test_what_passes_its_arguments_on_moves_no_further_than_they_do(op, rng):
    m = mp_numbers()
    meaning = m.meaning(op)
    for _ in range(40):
        point, moved = ([bool(v > 0) if kind is Kind.BOOL else float(v) for v, kind in zip(row, kinds(op), strict=True)]
                        for row in (rng.uniform(-3, 3, op.arity), rng.uniform(-3, 3, op.arity)))  # fmt: skip
        moved = [one if kind is Kind.BOOL else other for one, other, kind in zip(point, moved, kinds(op), strict=True)]
        far = sum(abs(one - other) for one, other in zip(point, moved, strict=True))
        sides = (meaning(*(one if isinstance(one, bool) else m.number(one) for one in args)) for args in (point, moved))
        assert abs(next(sides) - next(sides)) <= far + 1e-12


def kinds(op):
    return op.takes or (Kind.REAL,) * op.arity


@pytest.mark.parametrize("op", [op for op in OPS.values() if op.holds_at], ids=lambda op: op.name)
def test_a_comparison_holds_where_its_row_says(op):
    for one, other in ((0, 1), (1, 1), (1, 0)):
        held = bool(mp_numbers().meaning(op)(one, other))
        assert held == ((one > other) - (one < other) in op.holds_at)
        assert not held or op.beside(other).contains(one)
    assert (op.beside(1) == REALS) == (op.name == "ne")


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if op.trait and op.trait.is_zero_with])
def test_what_is_zero_with_its_argument_is_so_there_alone(name):
    m = mp_numbers()
    assert m.meaning(OPS[name])(m.number(0)) == 0
    near = [sign * m.number(size) for size in (0.001, 0.3, 0.9) for sign in (1, -1)]
    assert all(m.meaning(OPS[name])(one) != 0 for one in near if OPS[name].trait.domain.contains(float(one)))


def test_what_overflows_is_an_exponential():
    assert {name for name, op in OPS.items() if op.overflows} == {"exp", "exp2", "expm1", "expm1mx", "sinh", "cosh"}
