"""What `lossdsl emit` prints runs without lossdsl and gives what the numpy twin gives."""

import dataclasses
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import lossdsl
from lossdsl import catalog
from lossdsl.cli import main
from lossdsl.errors import LossTypeError
from lossdsl.ir.ops import OPS

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
    for name in catalog.names():
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
