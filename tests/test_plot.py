"""Curves of losses, and the pictures of them."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

import lossdsl
from lossdsl import plot

ROOT = Path(__file__).parents[1]


# loss, parameters, target -> the places where pieces meet in a way that shows
JOINS = [
    ("huber", {"delta": 0.5}, None, [-0.5, 0.5]),
    ("huber", {"delta": 1.0}, None, [-1.0, 1.0]),
    ("allowable", {}, None, [-1.0, 1.0]),
    ("mean_absolute_error", {}, None, [0.0]),
    ("quantile", {"q": 0.1}, None, [0.0]),
    ("quantile", {"q": 0.5}, 2.0, [2.0]),
    ("hinge", {}, 1.0, [1.0]),
    ("hinge", {}, -1.0, [-1.0]),
    ("squared_hinge", {}, 1.0, [1.0]),
    ("mean_squared_error", {}, None, []),
    ("log_cosh", {}, None, []),
    ("relu(x)", {}, None, [0.0]),
    ("relu(x)^3", {}, None, []),  # value, slope and curvature go on through 0
    ("cases(x < -1: 0, x < 1: x + 1, else: 2)", {}, None, [-1.0, 1.0]),
    ("where(abs(t - x) < 1, (t - x)^2, (x - t)^2)", {}, None, []),  # two names for one piece
]


@pytest.mark.parametrize("source, parameters, target, expected", JOINS)
def test_the_joins_are_found_where_pieces_meet(source, parameters, target, expected):
    found = plot.curve(lossdsl.load(source, **parameters), target).joins
    assert found == pytest.approx(expected, abs=1e-12)


def test_a_curve_holds_values_and_slopes_of_the_loss():
    loss = lossdsl.load("huber", delta=1.0)
    found = plot.curve(loss, over=(-2.0, 4.0))
    assert found.shifted
    there = ~np.isnan(found.at)
    e = found.at[there]
    inside = np.abs(e) < 1
    assert e[0] == -2.0
    assert e[-1] == 4.0
    np.testing.assert_allclose(found.value[there], np.where(inside, 0.5 * e**2, np.abs(e) - 0.5), rtol=1e-14)
    np.testing.assert_allclose(found.slope[there], np.where(inside, e, np.sign(e)), rtol=1e-14)


def test_pieces_that_do_not_join_are_separated_and_each_ends_at_its_own_value():
    found = plot.curve(lossdsl.load("allowable", delta=1.0))
    (first, second) = np.flatnonzero(np.isnan(found.at))
    assert found.value[first - 1] == pytest.approx(1.0)
    assert found.value[first + 1] == 0.0
    assert found.value[second - 1] == 0.0
    assert found.value[second + 1] == pytest.approx(1.0)


# loss -> whether the horizontal axis is x - t, and the target if it is not
AXES = [
    ("mean_squared_error", True, 0.0),
    ("log_cosh", True, 0.0),
    ("-log(x + 1e-7)", False, None),
    ("poisson", False, 1.0),
    ("binary_crossentropy", False, 0.0),
    ("mean_squared_logarithmic_error", False, 0.0),
]


@pytest.mark.parametrize("source, shifted, target", AXES)
def test_the_axis_is_the_difference_only_where_nothing_else_counts(source, shifted, target):
    found = plot.curve(lossdsl.load(source))
    assert (found.shifted, found.target) == (shifted, target)


def test_each_prediction_is_a_batch_of_its_own():
    """Where samples have a say in each other, a curve must not mix the places that it is drawn at."""
    for source in ("mean[batch](x)*x", "mean[all](x^2)"):
        found = plot.curve(lossdsl.load(source), over=(0.0, 2.0))
        np.testing.assert_allclose(found.value, found.at**2, atol=1e-12)


@pytest.mark.parametrize(
    "source, over, message",
    [
        ("loss ce(t: label, x)\n-log_softmax(x)[t]", None, "is no curve"),
        ("loss nll(t, (m, s))\n(t - m)^2*exp(-s) + s", None, "is no curve"),
        ("loss three(a, p, n)\nmax(abs(a - p) - abs(a - n), 0)", None, "is no curve"),
        ("huber", (1.0, 1.0), "from a number to a larger one"),
        ("huber", (0.0, float("inf")), "from a number to a larger one"),
    ],
)
def test_what_cannot_be_drawn_is_a_type_error(source, over, message):
    with pytest.raises(lossdsl.LossTypeError, match=message):
        plot.curve(lossdsl.load(source), over=over)


# --- files


STARTS = [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF"), (".PNG", b"\x89PNG")]


@pytest.mark.parametrize("suffix, start", STARTS)
def test_a_picture_is_written_in_the_format_of_its_suffix(tmp_path, suffix, start):
    path = tmp_path / "deep" / "er" / f"huber{suffix}"
    assert plot.draw(lossdsl.load("huber"), path) == path
    assert path.read_bytes().startswith(start)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_one_picture_written_twice_is_one_file(tmp_path):
    losses = [lossdsl.load("huber"), lossdsl.load("mean_squared_error")]
    for suffix in (".png", ".svg", ".pdf"):
        first, second = (plot.draw(losses, tmp_path / f"{name}{suffix}").read_bytes() for name in "ab")
        assert first == second


def texts(path: Path) -> str:
    """What an svg says: matplotlib writes each text as a comment beside its outlines."""
    return path.read_text(encoding="utf-8")


def test_a_family_names_its_parameter_and_values(tmp_path):
    path = plot.family("quantile", "q", [0.1, 0.5, 0.9], tmp_path / "quantile.svg")
    ET.parse(path)
    for text in ("quantile", "q = 0.1", "q = 0.5", "q = 0.9", "x − t", "slope in x"):
        assert f"<!-- {text} -->" in texts(path)


def test_several_losses_are_named_with_their_parameters(tmp_path):
    losses = [lossdsl.load("huber", delta=0.5), lossdsl.load("(t - x)^2*k", k=2)]
    path = plot.draw(losses, tmp_path / "two.svg", gradient=False, title="two losses")
    for text in ("huber, delta = 0.5", "(t - x)^2*k, k = 2", "two losses"):
        assert f"<!-- {text} -->" in texts(path)
    assert "slope in x" not in texts(path)


def test_each_target_has_its_curve(tmp_path):
    path = plot.draw(lossdsl.load("hinge"), tmp_path / "hinge.svg", targets=(-1, 1))
    assert "<!-- t = −1 -->" in texts(path)
    assert "<!-- t = 1 -->" in texts(path)


def test_a_dollar_in_a_label_starts_no_formula(tmp_path):
    plot.draw(lossdsl.load("huber"), tmp_path / "a.png", labels=["5$ a_{ unit"], title="$\\frac$")


@pytest.mark.parametrize("name", ["picture.gif", "picture", "picture.loss"])
def test_another_suffix_is_a_file_error(tmp_path, name):
    with pytest.raises(lossdsl.LossFileError, match=r"\.png, \.svg, \.pdf"):
        plot.draw(lossdsl.load("huber"), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_a_file_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(lossdsl.LossFileError, match="cannot be written"):
        plot.draw(lossdsl.load("huber"), tmp_path / "file" / "huber.png")


def test_a_failed_picture_leaves_the_old_one(tmp_path, monkeypatch):
    path = plot.draw(lossdsl.load("huber"), tmp_path / "huber.png")
    before = path.read_bytes()

    def full(self, file, **_):
        Path(file).write_bytes(b"half a pict")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    with pytest.raises(lossdsl.LossFileError, match="No space left"):
        plot.draw(lossdsl.load("mean_squared_error"), path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["huber.png"]


def test_no_loss_is_no_picture(tmp_path):
    with pytest.raises(lossdsl.LossTypeError, match="no loss to draw"):
        plot.draw([], tmp_path / "none.png")


def test_drawing_needs_neither_keras_nor_pyplot(tmp_path):
    program = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from lossdsl import load, plot
assert "matplotlib" not in sys.modules
plot.draw(load("huber"), {str(tmp_path / "huber.png")!r})
assert not {{"keras", "tensorflow", "matplotlib.pyplot"}} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
