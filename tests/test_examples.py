"""The losses of the tutorials with the numbers that they give there, and every script of examples/."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import pytest
import statsmodels.api as sm
from rich.console import Console
from statsmodels.datasets import engel, stackloss

import lossdsl

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"

FORMULA = "where(abs(t-x)<d, 0.5*(t-x)^2, d*(abs(t-x)-0.5*d))"
ERRORS = np.array([-3.0, -1.0, -0.999, -0.25, 0.0, 0.5, 1.0, 1.001, 2.5])[:, None]
SCORES = np.array([0.1, 0.6, 0.2, 0.05, 0.05, 0, 0, 0, 0, 0])


def run(script: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """An example as a user runs it, from another folder."""
    command = [sys.executable, str(EXAMPLES / script), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, stdin=subprocess.DEVNULL)


# --- losses in pieces


@pytest.mark.parametrize("d", [0.25, 1.0, 2.0])
def test_huber_in_pieces(d):
    loss = lossdsl.load(EXAMPLES / "huber_pieces.loss", delta=d)
    e = ERRORS[:, 0]
    inside = np.abs(e) < d
    value, slope = loss.numpy.value_and_grad(np.zeros_like(ERRORS), ERRORS)
    np.testing.assert_allclose(value, np.where(inside, 0.5 * e**2, d * (np.abs(e) - 0.5 * d)), rtol=1e-15)
    np.testing.assert_allclose(slope[:, 0], np.where(inside, e, d * np.sign(e)), rtol=1e-15)


def test_huber_as_a_formula_as_a_file_and_in_pieces_is_one_loss():
    targets = np.zeros_like(ERRORS)
    makers = (
        lambda: lossdsl.compile(FORMULA, d=1.0, reduction="none"),
        lambda: lossdsl.compile("huber.loss", reduction="none"),
        lambda: lossdsl.compile(EXAMPLES / "huber_pieces.loss", reduction="none"),
    )
    formula, file, pieces = (make() for make in makers)
    wanted = np.array([2.5, 0.5, 0.4990005, 0.03125, 0.0, 0.125, 0.5, 0.501, 2.0])
    for loss in (formula, file, pieces):
        np.testing.assert_allclose(loss.numpy(targets, ERRORS), wanted, rtol=1e-15)
        np.testing.assert_allclose(np.asarray(loss(targets, ERRORS)), wanted, rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(formula(targets, ERRORS)), np.asarray(file(targets, ERRORS)))
    np.testing.assert_array_equal(formula.numpy.grad(targets, ERRORS), file.numpy.grad(targets, ERRORS))
    np.testing.assert_array_equal(formula.numpy.grad(targets, ERRORS), pieces.numpy.grad(targets, ERRORS))


@pytest.mark.parametrize("d", [0.25, 1.0, 2.0])
@pytest.mark.parametrize("source", ["allowable", EXAMPLES / "allowable.loss"], ids=["built-in", "example"])
def test_allowable_errors(source, d):
    loss = lossdsl.load(source, delta=d)
    e = ERRORS[:, 0]
    beyond = np.abs(e) >= d  # an error of exactly delta is allowed no more
    value, slope = loss.numpy.value_and_grad(np.zeros_like(ERRORS), ERRORS)
    np.testing.assert_allclose(value, np.where(beyond, e**2, 0), rtol=1e-15)
    np.testing.assert_allclose(slope[:, 0], np.where(beyond, 2 * e, 0), rtol=1e-15)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.loss")), ids=lambda path: path.name)
def test_the_files_pass_their_checks(path):
    report = lossdsl.check(path)
    assert report.counted == ()
    assert "2 examples" in report.passed


# --- one-hot targets

ONE_HOT = [
    # formula, class, value, what is allowed: one unit of the last digit but one of 16
    ("0.5*sum((x-t)^2)", 0, 0.6075, 1e-15),
    ("0.5*sum((x-t)^2)", 1, 0.1075, 1e-15),
    ("-sum(t*log(x + 1e-7))", 0, 2.302584092994546, 1e-14),
    ("-sum(t*log(x + 1e-7))", 1, 0.510825457099338, 1e-14),
]


@pytest.mark.parametrize("formula, label, expected, unit", ONE_HOT)
def test_one_hot_targets(formula, label, expected, unit):
    target = np.eye(10)[label]
    value = lossdsl.load(formula).numpy(target, SCORES)
    assert value.dtype == np.float64
    assert abs(value - expected) <= unit
    compiled = lossdsl.compile(formula)
    assert float(compiled(target[None], SCORES[None])) == pytest.approx(expected, rel=1e-6)


def test_one_hot_script(tmp_path):
    done = run("one_hot.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = [float(text) for text in re.findall(r"class \d: ([\d.]+)", done.stdout)]
    assert found == pytest.approx([expected for _, _, expected, _ in ONE_HOT], rel=1e-15)


# --- scripts


def test_the_curve_of_the_logarithm(tmp_path):
    path = tmp_path / "pictures" / "log.png"
    done = run("log_curve.py", str(path), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert path.read_bytes().startswith(b"\x89PNG")
    found = lossdsl.load("-log(x + 1e-7)").numpy([[0.0]] * 3, [[0.0], [0.5], [1.0]])
    np.testing.assert_allclose(found, [16.11809565095832, 0.6931469805599654, -9.9999995e-08], rtol=1e-9)


def test_a_dense_network_learns_with_the_scaled_squared_error(tmp_path):
    done = run("dense_network.py", cwd=tmp_path)  # 100 epochs of RMSprop
    assert done.returncode == 0, done.stderr
    epochs = [(int(epoch), float(loss)) for epoch, loss in re.findall(r"epoch +(\d+): loss +([\d.]+)", done.stdout)]
    assert [epoch for epoch, _ in epochs] == [1, 26, 51, 100]
    losses = [loss for _, loss in epochs]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.15 * losses[0]


CONFIG = """
data: {{name: {data}, held_out: 0.3}}
model: {{layers: [8], activation: relu}}
train:
  loss: {loss}
  optimizer: {{class_name: Adam, config: {{learning_rate: 0.01}}}}
  epochs: 3
  batch_size: 32
  seed: 1
save: out/model.keras
"""


@pytest.mark.parametrize(
    "data, loss, name",
    [
        ("diabetes", "huber", "huber_lossdsl"),
        ("stackloss", '{formula: "log(cosh(k*(t - x)))/k", params: {k: 2}, reduction: sum}', "loss"),
        ("engel", f"{{file: {EXAMPLES / 'huber_pieces.loss'}, params: {{delta: 0.5}}}}", "huber_pieces"),
    ],
)
def test_training_by_yaml(tmp_path, data, loss, name):
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format(data=data, loss=loss), encoding="utf-8")
    done = run("train.py", str(config), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"\n{name}: " in done.stdout
    assert (tmp_path / "out" / "model.keras").is_file()
    value = re.search(rf"^{name}: ([\d.]+) on", done.stdout, re.M)
    again = re.search(r"its loss is ([\d.]+)$", done.stdout, re.M)
    assert value
    assert again
    assert value[1] == again[1]


def test_the_yaml_beside_the_script_describes_a_loss():
    loss = lossdsl.from_yaml(EXAMPLES / "train.yaml", key="train.loss")
    assert (loss.spec.name, loss.spec.parameters["delta"]) == ("huber_pieces", 0.5)


def test_a_mistake_in_the_yaml_is_shown_with_its_line(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format(data="engel", loss="{huber: {dleta: 0.5}}"), encoding="utf-8")
    done = run("train.py", str(config), cwd=tmp_path)
    assert done.returncode == 1
    assert f"{config}:5:18: " in done.stderr
    assert "did you mean `delta`?" in done.stderr
    assert "Traceback" not in done.stderr


# --- the tour


@pytest.fixture(scope="module")
def demo() -> ModuleType:
    """examples/demo.py as a module, for its parts."""
    spec = importlib.util.spec_from_file_location("demo", EXAMPLES / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_quantiles_are_covered_and_agree_with_quantreg(demo):
    data = engel.load_pandas().data
    income, spent = data[["income"]].to_numpy(dtype=float), data["foodexp"].to_numpy(dtype=float)
    levels = {"low": 0.1, "middle": 0.5, "high": 0.9}
    losses = {name: lossdsl.compile("quantile", q=level) for name, level in levels.items()}
    found = demo.fitted(Console(quiet=True), "", income, spent, losses, steps=1500, rate=50.0)
    design = sm.add_constant(income)
    for name, level in levels.items():
        assert np.mean(spent <= design @ found[name]) == pytest.approx(level, abs=0.02)
        np.testing.assert_allclose(found[name], sm.QuantReg(spent, design).fit(q=level).params, rtol=0.01)


def test_huber_sets_the_outliers_of_stackloss_apart(demo):
    data = stackloss.load_pandas()
    inputs, target = data.exog.to_numpy(dtype=float), data.endog.to_numpy(dtype=float)
    losses = {"squared": lossdsl.compile("mean_squared_error"), "huber": lossdsl.compile("huber", delta=1.0)}
    found = demo.fitted(Console(quiet=True), "", inputs, target, losses, steps=1500, rate=1.0)
    design = sm.add_constant(inputs)
    squares = sm.OLS(target, design).fit()
    np.testing.assert_allclose(found["squared"], squares.params, rtol=0.01)
    scale = sm.robust.scale.mad(squares.resid, center=0)
    reference = sm.RLM(target, design, M=sm.robust.norms.HuberT(t=1.0 / scale)).fit(update_scale=False)
    np.testing.assert_allclose(found["huber"], reference.params, rtol=0.01)
    size = np.abs(target - design @ found["huber"])
    far = np.flatnonzero(size > 2.5 * np.median(size) / 0.6745) + 1
    assert tuple(far) == demo.OUTLIERS


def test_the_whole_tour(tmp_path):
    done = run("demo.py", "--out", str(tmp_path / "pictures"), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"^yes ", done.stdout, re.M)) == 8
    assert len(done.stdout.splitlines()) < 90  # a file gets one line a training
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert names == ["huber.png", "huber_and_squared_error.png", "quantile.png"]


def test_no_example_is_left_out():
    scripts = {path.name for path in EXAMPLES.glob("*.py")}
    assert scripts == {"demo.py", "dense_network.py", "log_curve.py", "one_hot.py", "search.py", "sweep.py", "train.py"}
    text = Path(__file__).read_text(encoding="utf-8")
    assert all(f'run("{script}"' in text for script in scripts)


def test_keras_sees_an_example_loss_in_fit():
    keras.utils.set_random_seed(1)
    x = np.random.default_rng(1).normal(size=(64, 3)).astype("float32")
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(optimizer="adam", loss=lossdsl.compile(EXAMPLES / "allowable.loss", delta=0.1))
    history = model.fit(x, x.sum(axis=1), epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0]


def test_the_search_keeps_losses_that_fit_better_than_squares(tmp_path):
    done = run("search.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = [float(text) for text in re.findall(r"off by ([\d.]+)", done.stdout)]
    assert len(found) == 11
    assert found[:5] == sorted(found[:5])
    assert found[4] < 0.1 < 1.0 < found[-1]  # the last one are squares, which every outlier draws


def test_the_sweep_ranks_twenty_losses(tmp_path):
    done = run("sweep.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = [(float(line[:5]), line[7:]) for line in done.stdout.splitlines()]
    errors = [error for error, _ in found]
    assert len(errors) == 20
    assert errors == sorted(errors)
    assert errors[9] < 0.09  # of noise alone it is 0.1*sqrt(2/pi)
    assert found[-1][1] == "mean_squared_error"
    assert errors[-1] > 1.0  # every outlier draws it
