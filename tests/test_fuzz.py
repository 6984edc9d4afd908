"""The seeded part of `fuzz.py`, in a process of its own: what it forbids is forbidden for good."""

import itertools
import random
import subprocess
import sys
from pathlib import Path

import pytest

import lossdsl
from lossdsl import pipeline
from lossdsl.source import Source

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import fuzz  # noqa: E402 - a script beside this file


@pytest.mark.parametrize(
    "kinds, inputs",
    [
        (["grammar", "derived", "text"], 300),
        (["yaml", "saved", "parameters", "tensors", "source"], 1200),
        (["command"], 200),
        (["checked"], 40),
    ],
    ids=["texts", "what stands around them", "command lines", "texts that are checked"],
)
def test_every_input_ends_in_a_result_or_a_message(kinds, inputs):
    command = [sys.executable, str(HERE / "fuzz.py"), "--seed", "20250", "--inputs", str(inputs), "--kinds", *kinds]
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parent, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "trial, said",
    [
        (lambda _: 1 / 0, "ZeroDivisionError"),
        (lambda _: "".join("x" for _ in iter(int, 1)), "more than"),
        (lambda _: None, ""),
    ],
)
def test_what_is_wrong_is_found(monkeypatch, trial, said):
    monkeypatch.setattr(fuzz, "SECONDS", 0.2)
    monkeypatch.setitem(fuzz.TRIALS, "text", trial)
    found = fuzz.problem(("text", "x"))
    assert (found[: len(said)], bool(found)) == (said, bool(said))


def test_memory_is_found_again_and_again(monkeypatch):
    """The second as well as the first: what was needed before does not hide it."""
    monkeypatch.setattr(fuzz, "MEGABYTES", 100)
    monkeypatch.setitem(fuzz.TRIALS, "text", lambda _: bytearray(b"x") * (150 << 20))
    assert [fuzz.problem(("text", "x"))[:13] for _ in range(2)] == ["more than 100"] * 2


def test_a_process_that_is_started_is_found():
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import fuzz, os; fuzz.forbid()\n"
        "for act in (lambda: os.system('true'), lambda: open('x', 'w'), lambda: os.remove('x')):\n"
        "    fuzz.TRIALS['text'] = lambda _: act()\n"
        "    assert 'Broken' in fuzz.problem(('text', 'x')), fuzz.problem(('text', 'x'))"
    )
    subprocess.run([sys.executable, "-c", program, str(HERE)], check=True, cwd=HERE.parent, timeout=120)


def test_inputs_are_of_every_kind_and_those_of_the_grammar_often_mean_something():
    some = list(itertools.islice(fuzz.cases(random.Random(1), fuzz.KINDS), 300))
    assert {kind for kind, _ in some} == set(fuzz.KINDS)
    means = 0
    for seed in range(60):
        try:
            pipeline.program(pipeline.parsed(Source(fuzz.Grammar(random.Random(seed)).text())))
            means += 1
        except lossdsl.LossError:
            continue
    assert means > 15


@pytest.mark.parametrize(
    "kind, text",
    [
        ("derived", "where(t" + " < x" * 900 + ", x, t)"),
        ("derived", "-((t*x)" + " * s" * 2000 + ")"),
        ("checked", "loss f(t: positive, x: positive)\ntanh(std[batch](normalize[last](cumsum(t))))"),
        ("checked", "loss f(t: positive)\nt[1:]^(sort(t[1]) - 1)"),
        ("checked", "loss f(t: positive, x)\nt[1:]*softmax(t[1])"),
        ("checked", "loss f(t: count, x)\n(t*x)^t"),
        ("checked", "loss f(t, x)\n" + "exp(-" * 30 + "(x - t)^2" + ")" * 30),
        ("checked", "loss f(x: logits)\np = softmax(x)\nstop(mean(p == max(p)))*mean(p)"),
        ("checked", "abs(x)^log_softmax[batch](where(x > -100, stop(1e300), 0))"),
        ("checked", "where(1 > t, x[1]/0, 0)"),
        ("checked", "where(1" + " > x" * 900 + ", x, 3)"),
        ("checked", "e = cbrt(where(x < 3, 5, t*x))\nexp(where(e < x, 1e300, t/e)^(t/e))^x"),
        ("derived", "mean(acos(softmax[all](x)))"),
        ("checked", "loss e(t: scalar, x)\nt[self]"),
        ("checked", "loss e(t: binary, x: positive)\ne = sum((t^x)^1e300)\nt/e[self]"),
        ("checked", "loss f(t: binary, x: prob)\nwhere(t >= t/3 and not t > t/3, 3*t, 0) + (t - x)^2"),
    ],
    ids=["chain", "product", "tanh", "slice", "other", "exponent", "tower", "stop", "far", "pole", "chain2", "digits",
         "axes", "itself", "bends", "point"],
)
def test_what_was_found_once_stays_mended(kind, text):
    assert fuzz.problem((kind, text)) == ""


def test_the_slope_of_a_power_is_0_where_its_exponent_is():
    loss = lossdsl.load("loss f(t: count, x)\n(t*x)^t")
    assert loss.numpy.grad([0, 1, 2], [3.0, 3.0, 3.0]).tolist() == pytest.approx([0, 1 / 3, 8])
