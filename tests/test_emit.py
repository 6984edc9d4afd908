"""What `lossdsl emit` prints runs without lossdsl and gives what the numpy twin gives."""

import ast
import builtins
import copy
import dataclasses
import gc
import keyword
import linecache
import pickle
import re
import subprocess
import sys
import textwrap
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shipped import THOROUGH

import lossdsl
from lossdsl.cli import main
from lossdsl.errors import LossNameError, LossSyntaxError, LossTypeError
from lossdsl.ir.op import TARGETS
from lossdsl.ir.ops import OPS
from lossdsl.targets import LIBRARIES, differentiates, source_layout, target_module

FORMULA = "where(abs(t-x) < d, 0.5*(t-x)^2, d*(abs(t-x) - 0.5*d))"


def emitted(capsys, *arguments: str) -> str:
    assert main(["emit", *arguments]) == 0
    return capsys.readouterr().out


def namespace(text: str) -> dict:
    assert "lossdsl" not in text.replace("In the language of lossdsl", "")
    found: dict = {"__name__": "emitted"}
    exec(compile(text, "<emitted>", "exec"), found)  # noqa: S102 - that it runs is what is tested
    return found


def of_two_tensors() -> list[str]:
    """The built-in losses whose inputs are two tensors of one shape."""
    found = []
    for name in THOROUGH:
        inputs = lossdsl.load(name).program.loss.inputs
        if len(inputs) == 2 and not any(spec.layout for spec in inputs):
            found.append(name)
    return found


@pytest.mark.parametrize("name", of_two_tensors())
def test_every_built_in_is_emitted_for_numpy_and_agrees(name, capsys, rng):
    loss = lossdsl.load(name)
    made = namespace(emitted(capsys, name))
    t = rng.uniform(0.05, 0.95, (4, 3))
    x = rng.uniform(0.05, 0.95, (4, 3))
    np.testing.assert_array_equal(made[name](t, x), loss.numpy(t, x))
    np.testing.assert_array_equal(made[f"{name}_gradient"](t, x), loss.numpy.grad(t, x))


def test_a_label_loss_and_its_gradient(capsys, rng):
    text = "loss ce(t: label, x)\nlogsumexp(x) - x[t]"
    made = namespace(emitted(capsys, text))
    t, x = np.array([2, 0, 1]), rng.normal(size=(3, 4))
    loss = lossdsl.load(text)
    np.testing.assert_array_equal(made["ce"](t, x), loss.numpy(t, x))
    np.testing.assert_array_equal(made["ce_gradient"](t, x), loss.numpy.grad(t, x))


@pytest.mark.parametrize("target", ["numpy", "tensorflow"])
@pytest.mark.parametrize("weight", [2.0, [1.0, 0.5, 3.0], (1, 2, 3)])
def test_labels_and_vectors_as_a_person_gives_them(target, weight, capsys, rng):
    """Labels of 64 bits or in a list, a vector as one number or a list."""
    import tensorflow as tf

    text = "loss f(t: label, u, x; w: vector = 1)\nmean(w*abs(x - u)) + sum(w*onehot(t)*x^2)"
    made = namespace(emitted(capsys, text, "--target", target))
    t, u, x = [2, 0, 1, 1], rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    twin = lossdsl.load(text, w=weight).numpy
    tensor = np.asarray if target == "numpy" else tf.constant
    for labels in (t, np.array(t), tensor(t, dtype="int32")):
        arguments = labels, tensor(u), tensor(x), weight
        np.testing.assert_allclose(made["f"](*arguments), twin(t, u, x), rtol=4e-16)
        np.testing.assert_allclose(made["f_gradient"](*arguments), twin.grad(t, u, x), rtol=4e-16)


def test_parameters_keep_their_names_and_defaults(capsys):
    made = namespace(emitted(capsys, FORMULA, "--param", "d=2.0"))
    assert made["loss"](np.array([0.0]), np.array([3.0])) == 4.0
    assert made["loss"](np.array([0.0]), np.array([3.0]), d=1.0) == 2.5


def test_a_requirement_is_kept(capsys):
    made = namespace(emitted(capsys, "huber"))
    with pytest.raises(ValueError, match="delta > 0"):
        made["huber"](np.array([0.0]), np.array([3.0]), delta=-1.0)


def test_settled_parameters_fold_away(capsys):
    text = emitted(capsys, "binary_crossentropy", "--param", "from_logits=true")
    made = namespace(text)
    assert "from_logits" not in made["binary_crossentropy"].__code__.co_varnames
    assert made["binary_crossentropy"](np.array([1.0]), np.array([0.0])) == pytest.approx(np.log(2.0), rel=1e-15)


@pytest.mark.parametrize("target", ["tensorflow", "keras"])
def test_the_module_runs_in_a_process_without_lossdsl(target, capsys, tmp_path):
    (tmp_path / "made.py").write_text(emitted(capsys, "huber", "--target", target), encoding="utf-8")
    script = """
        import sys
        sys.modules["lossdsl"] = None  # an import of it would fail
        import keras
        import numpy as np
        import made
        t, x = np.array([[0.0], [0.0]], "float32"), np.array([[0.5], [3.0]], "float32")
        value = made.huber(keras.ops.convert_to_tensor(t), keras.ops.convert_to_tensor(x))
        np.testing.assert_allclose(keras.ops.convert_to_numpy(value), [0.125, 2.5])
        if hasattr(made, "Huber"):
            loss = made.Huber(delta=0.5)
            assert float(loss(t, x)) == np.float32((0.125 + 0.5 * (3 - 0.25)) / 2)
            again = keras.losses.deserialize(keras.losses.serialize(loss))
            assert again.delta == 0.5
        else:
            np.testing.assert_allclose(made.huber_gradient(t, x), [[0.5], [1.0]])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(
    "others, told", [(("numpy", "jax", "torch"), "numpy, jax and torch have it"), (("numpy",), "numpy has it")]
)
def test_what_a_target_lacks_is_said(others, told, monkeypatch):
    row = OPS["lgamma"]
    spelling = {target: text if target in others else "" for target, text in row.spelling.items()}
    lacking = dataclasses.replace(row, spelling=spelling)
    monkeypatch.setitem(OPS, "lgamma", lacking)
    with pytest.raises(LossTypeError, match="keras has no `lgamma`") as caught:
        lossdsl.load("lgamma(x) - t").program.emitted("keras", {})
    assert told in str(caught.value)


def test_an_unknown_target_is_wrong_use(capsys):
    assert main(["emit", "huber", "--target", "kera"]) == 2
    assert "did you mean `keras`?" in capsys.readouterr().err


WIDE = "loss of_many(t: label, x; capacity = 30, weights: vector, temperature_of_the_teacher = 1, q = 0.5)\n"
WIDE += "require 0 < capacity <= 1000 and 0 < q <= 1 and temperature_of_the_teacher >= 1 - capacity\n"
WIDE += "z = capacity*tanh(x/capacity)/temperature_of_the_teacher\n"
WIDE += "mean[i in batch](norm(x - x[i]))*q + sum(weights)*(logsumexp(z) - z[t])"


def test_modules_are_laid_out_as_ruff_lays_out_python(tmp_path):
    entropy = "loss entropy(x: prob)\n-sum(x*log(x))"
    counts = "loss counts(t, x)\nlgamma(1 + exp(x)) - t*x + digamma(1 + x^2)"  # by helpers with long calls
    labels = "sparse_categorical_crossentropy"
    for name in ("huber", "categorical_focal_crossentropy", labels, "circle", "triplet_hard", WIDE, entropy, counts):
        loss = lossdsl.load(name, **({"weights": [1.0]} if name is WIDE else {}))
        for target in LIBRARIES:
            text = loss.program.emitted(target, loss.parameters)
            (tmp_path / f"{loss.name}_for_{target}.py").write_text(text, encoding="utf-8")
    for command in (["format", "--diff"], ["check", "--output-format", "concise"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", str(tmp_path)],
            capture_output=True, text=True, check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:]


def test_a_call_of_long_arguments_is_broken_as_it_is_written():
    long = "a_name_of_some_length"
    arguments = [f"np.sum({long} * {long}, axis=(2, 4))", f"f({long}(x=(1,)))", f"axis=({', '.join([long] * 5)})"]
    lines = source_layout.signature("call", arguments, "")
    assert ast.dump(ast.parse("\n".join(lines))) == ast.dump(ast.parse(f"call({', '.join(arguments)})"))
    assert len(lines) > 3
    assert max(map(len, lines)) <= source_layout.WIDTH


def test_a_default_is_kept_behind_what_has_none(capsys):
    made = namespace(emitted(capsys, "loss a(t, x; q, c = 10.0)\nc*q*abs(t - x)"))
    assert made["a"](np.array([0.0]), np.array([1.0]), 2.0) == 20.0
    made = namespace(emitted(capsys, "loss a(t, x; c = 10.0, q)\nc*q*abs(t - x)"))
    assert made["a"](np.array([0.0]), np.array([1.0]), q=2.0) == 20.0


def test_a_class_of_torch_knows_what_its_base_has():
    torch = pytest.importorskip("torch")
    base = {name for name in dir(torch.nn.Module()) if not name.startswith("_")}
    assert base <= target_module("torch").ATTRIBUTES


letters = st.characters(categories=["Lu", "Ll", "Lt", "Lo", "Nl"])
words = st.one_of(
    st.text(st.one_of(letters, st.sampled_from("_09")), min_size=1, max_size=4),
    st.sampled_from([*keyword.kwlist, *dir(builtins)]),
    st.sampled_from(["np", "math", "special", "dtype_", "shape", "v1", "upstream", "_value", "_slope_x", "__doc__"]),
)


@given(words, words, words)
def test_no_name_of_a_user_meets_one_of_ours(loss, given_input, parameter):
    """The law of names: a loss means the same whatever things in it are called."""
    text = f"loss {loss}({given_input}, x; {parameter} = 2.0)\nrequire {parameter} > 0\n"
    text += f"logsumexp(x*{parameter}) + log({parameter} + abs({given_input} - x))"
    plain = lossdsl.load("logsumexp(x*c) + log(c + abs(t - x))", c=2.0).numpy
    try:
        program = lossdsl.load(text).program
    except (LossNameError, LossSyntaxError):
        return  # a name of the language, or none
    t, x = np.array([[0.25, 2.5]]), np.array([[1.0, 2.0]])
    made = namespace(program.emitted("numpy", {parameter: 2.0}))
    (function,) = {name for name in made if f"{name}_gradient" in made}
    np.testing.assert_array_equal(made[function](t, x, 2.0), plain(t, x))
    np.testing.assert_array_equal(made[f"{function}_gradient"](t, x, 2.0), plain.grad(t, x))
    np.testing.assert_array_equal(lossdsl.load(text).numpy.grad(t, x), plain.grad(t, x))


def test_names_have_one_unicode_form():
    loss = lossdsl.load("loss f(t, x; \u00b5 = 1.0, \ufb01 = 2.0)\n\u03bc*fi*(t - x)")
    assert loss.parameters == {"\u03bc": 1.0, "fi": 2.0}
    with pytest.raises(LossNameError, match="has a meaning already"):
        lossdsl.load("loss f(t, x; \u00b5 = 1.0, \u03bc = 2.0)\n\u03bc*(t - x)")
    given = {unicodedata.normalize("NFD", "é"): 3.0}
    assert lossdsl.load("loss f(t, x; é = 1.0)\né*(t - x)", **given).parameters == {"é": 3.0}
    with pytest.raises(LossSyntaxError, match="a word of the language"):
        lossdsl.load("loss f(t, \uff53elf)\nt")


def test_what_load_returns_is_copied_and_sent_elsewhere():
    loss = lossdsl.load("huber", delta=0.5)
    for again in (pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss), copy.copy(loss)):
        assert again.parameters == loss.parameters
        assert again.numpy([0.0], [2.0]) == loss.numpy([0.0], [2.0])
    assert pickle.loads(pickle.dumps(loss.numpy.grad))([0.0], [2.0]) == [0.5]


def test_generated_modules_go_with_the_losses_that_they_are_of():
    def held() -> tuple[int, int]:
        gc.collect()
        lines = sum(name.startswith("<lossdsl") for name in linecache.cache)
        return lines, sum(name.startswith("lossdsl.generated.") for name in sys.modules)

    before = held()
    kept = lossdsl.load("3*(t - x)^2").numpy
    kept.grad([1.0], [2.0])
    assert held() > before
    del kept
    assert held() == before


def test_what_is_required_is_believed():
    """A divisor that `require` keeps from 0 needs no look at all elements for one that is not thrown away."""
    text = "loss f(t: label, x; cap = 30.0)\nrequire cap > 0\n"
    text += "z = cap*tanh(x/cap)\nwhere(t >= 0, logsumexp(z) - z[t], 0)"

    def gradient(text):
        return lossdsl.load(text).program.emitted("torch", {}).split("def _vjp_x")[1].split("def ")[0]

    assert "any(" in gradient(text.replace("require cap > 0\n", ""))
    assert "any(" not in gradient(text)


READ = ["huber", "cox", "triplet_hard", "binary_focal_crossentropy", "quantile", "dice", "nt_xent"]


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("target", LIBRARIES)
def test_a_module_reads_as_a_person_would_write_it(name, target, capsys):
    """Parts are counted as they are read, nothing is unpacked that is not needed, and requirements are said once."""
    tree = ast.parse(emitted(capsys, name, "--target", target))
    for function in tree.body:
        if isinstance(function, ast.FunctionDef):
            for kind in ("v", "block", "apart", "near"):
                found = re.findall(rf"\b{kind}([1-9]\d*)\b", ast.unparse(function))
                assert [*dict.fromkeys(map(int, found))] == [*range(1, len(set(found)) + 1)]
    assert not any(isinstance(node, ast.Name) and node.id == "_is_single" for node in ast.walk(tree)) or name != "cox"
    said = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and " requires " in str(node.value)]
    assert len(said) == len(set(said))
    assert not any(";" in text for text in said)


def test_what_a_called_loss_requires_is_said_in_the_words_of_the_caller(capsys, tmp_path):
    file = tmp_path / "mine.loss"
    file.write_text(
        "loss inner(t, x; d = 1.0)\nrequire d > 0\n(t - x)^2/d\n\n"
        "loss mine(t, x; width = 2.0)\nrequire width > 0\ninner(t, x; d = 2*width) + inner(t, x; d = width)\n"
    )
    text = emitted(capsys, str(file))
    assert text.count('ValueError("mine requires width > 0")') == 1
    assert text.count('ValueError("mine requires 2*width > 0")') == 1


def test_which_targets_differentiate():
    """The others have the gradient as a function of its own; in these, `require` is not asked of what is traced."""
    assert [target for target in TARGETS if differentiates(target)] == ["tensorflow", "jax", "torch", "keras"]
