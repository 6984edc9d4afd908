"""The op table as a stranger meets it: names that cannot meet, rows that lack something, a row that is new."""

import pytest

import lossdsl
from lossdsl import LossNameError, catalog, load
from lossdsl.ir.ops import AGGREGATES, OPS, function_names

PRIVATE = sorted({row.name for table in (OPS, AGGREGATES) for row in table.values() if not row.public})
WORDS = [name for name in PRIVATE if name.isidentifier() and name not in ("and", "or", "not", "pi")]


def test_no_built_in_loss_has_the_name_of_a_function():
    assert not set(catalog.names()) & set(function_names())


@pytest.mark.parametrize("name", catalog.names())
def test_a_built_in_loss_is_called_by_its_name(name):
    spec = load(name).program.loss
    words = [node.name for one in spec.inputs for node in one.nodes]
    settings = [f"{p.name}=1.5" for p in spec.parameters if p.default is None]
    call = f"{name}({', '.join(words)}{'; ' if settings else ''}{', '.join(settings)})"
    inputs = ", ".join(_declared(one) for one in spec.inputs)
    assert load(f"loss mine({inputs})\n{call}").program.loss.result is not None


def _declared(one):
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
