"""Curves of losses, and the pictures of them."""

import base64
import html
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

import lossdsl
from lossdsl import cli, plot

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


# Losses over classes: value and slope in the prediction u for the second of two classes, by hand
CLASSES = [
    ("sparse_categorical_crossentropy", {}, 1.0, "x₀ = 1 − x₁", lambda u: -np.log(u), lambda u: -1 / u),
    ("categorical_crossentropy", {}, 0.0, "x₀ = 1 − x₁", lambda u: -np.log1p(-u), lambda u: 1 / (1 - u)),
    ("loss ce(t: label, x)\n-log_softmax(x)[t]", {}, 1.0, "x₀ = 0", lambda u: np.log1p(np.exp(-u)),
     lambda u: -1 / (1 + np.exp(u))),
    ("loss ce(t: onehot, x: logprob)\n-sum(t*x)", {}, 0.0, "x₀ = log(1 − exp(x₁))", lambda u: -np.log(-np.expm1(u)),
     lambda u: np.exp(u) / -np.expm1(u)),
]  # fmt: skip


@pytest.mark.parametrize("source, parameters, target, axis, value, slope", CLASSES)
def test_a_loss_over_classes_is_drawn_over_the_prediction_of_one_for_each_label(
    source, parameters, target, axis, value, slope
):
    found = plot.curve(lossdsl.load(source, **parameters), target)
    assert f"({axis})" in found.along
    inside = (found.at > found.at[0] + 0.01) & (found.at < found.at[-1] - 0.01)
    np.testing.assert_allclose(found.value[inside], value(found.at[inside]), rtol=1e-11)
    np.testing.assert_allclose(found.slope[inside], slope(found.at[inside]), rtol=1e-11)


# loss -> the first and last place, and the targets, of its picture
LABELS = [
    ("binary_crossentropy", (0, 1), (0, 1)),  # clipped outside, where nothing changes
    ("loss bce(t: binary, x)\nsoftplus(x) - t*x", (-3, 3), (0, 1)),
    ("hinge", (-3, 3), (0, 1)),  # its formula asks whether t is 0 or 1
    ("loss h(t: sign, x)\nmax(1 - t*x, 0)", (-3, 3), (-1, 1)),
    ("sparse_categorical_crossentropy", (0, 1), (0, 1)),
    ("poisson", (0, 4), (1,)),
]


@pytest.mark.parametrize("source, ends, targets", LABELS)
def test_there_is_a_curve_for_each_label(source, ends, targets):
    panel = plot.figure([lossdsl.load(source)], ["one"]).axes[0]
    assert panel.get_xlim() == ends
    names = [text.get_text() for text in panel.get_legend().get_texts()] if panel.get_legend() else []
    told = [f"t = {target}".replace("-", "−") for target in targets]
    assert [name for name in names if name.startswith("t = ")] == (told if len(told) > 1 else [])
    if len(told) == 1:
        assert told[0] in plot.figure([lossdsl.load(source)], ["one"]).axes[1].get_xlabel()


def test_lines_differ_without_their_colours_and_dots_are_explained():
    losses = [lossdsl.load(name) for name in ("huber", "mse", "log_cosh", "mae")]
    made = plot.figure(losses, ["a", "b", "c", "d"])
    lines = [line for line in made.axes[0].get_lines() if line.get_linestyle() != "None"]
    assert len({str(line._unscaled_dash_pattern) for line in lines}) == len(lines) == 4
    assert [text.get_text() for text in made.legends[0].get_texts()] == ["a", "b", "c", "d", "pieces meet"]
    assert [panel.get_ylabel() for panel in made.axes] == ["loss", "gradient in the prediction"]


def test_a_label_is_one_of_two():
    loss = lossdsl.load("sparse_categorical_crossentropy")
    for target in (2.0, 0.5, -1.0):
        with pytest.raises(lossdsl.LossTypeError, match="has the classes 0 and 1"):
            plot.curve(loss, target)
    assert plot.curve(lossdsl.load("categorical_crossentropy"), 0.5).target == 0.5


def test_too_many_curves_are_an_error():
    with pytest.raises(lossdsl.LossTypeError, match="17 curves are too many"):
        plot.figure([lossdsl.load("huber")] * 17, ["a"] * 17)


def test_each_prediction_is_a_batch_of_its_own():
    """Where samples have a say in each other, a curve must not mix the places that it is drawn at."""
    for source in ("mean[batch](x)*x", "mean[all](x^2)"):
        found = plot.curve(lossdsl.load(source), over=(0.0, 2.0))
        np.testing.assert_allclose(found.value, found.at**2, atol=1e-12)


@pytest.mark.parametrize(
    "source, over, message",
    [
        ("loss nll(t, (m, s))\n(t - m)^2*exp(-s) + s", None, r"is no curve: `\(m, s\)` has 2 parts"),
        ("loss three(a, p, n)\nmax(abs(a - p) - abs(a - n), 0)", None, "is no curve: it has 3 inputs"),
        ("loss v(t, x: vector)\nt*x", None, "is no curve: `x` is a vector"),
        ("cosine_similarity", None, "is no curve: it compares whole vectors"),
        ("circle", None, "is no curve: it compares the samples of a batch"),
        ("log(x - 100)", None, "has no finite value from -3 to 3"),
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
    for text in ("quantile", "q = 0.1", "q = 0.5", "q = 0.9", "prediction − target,  x − t"):
        assert f"<!-- {text} -->" in texts(path)


def test_several_losses_are_named_with_their_parameters(tmp_path):
    losses = [lossdsl.load("huber", delta=0.5), lossdsl.load("(t - x)^2*k", k=2)]
    path = plot.draw(losses, tmp_path / "two.svg", gradient=False, title="two losses")
    for text in ("huber, delta = 0.5", "(t - x)^2*k, k = 2", "two losses"):
        assert f"<!-- {text} -->" in texts(path)
    assert "gradient" not in texts(path)


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

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lossdsl.runtime.files.os.replace", full)
    with pytest.raises(lossdsl.LossFileError, match="No space left"):
        plot.draw(lossdsl.load("mean_squared_error"), path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["huber.png"]


def test_no_loss_is_no_picture(tmp_path):
    with pytest.raises(lossdsl.LossTypeError, match="no loss to draw"):
        plot.draw([], tmp_path / "none.png")


# --- the command


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        try:
            status = cli.main(["plot", *arguments])
        except SystemExit as end:
            status = end.code
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return run


@pytest.mark.parametrize(
    "arguments, name, said",
    [
        (["huber", "mse", "log_cosh", "-o", "out.svg"], "out.svg",
         ["huber, delta = 1", "mean_squared_error", "log_cosh", "prediction − target,  x − t", "pieces meet"]),
        (["huber", "--param", "delta=0.5,2", "--svg"], "huber.svg", ["huber", "delta = 0.5", "delta = 2"]),
        (["huber", "mse", "--svg"], "huber-mean_squared_error.svg", ["mean_squared_error"]),
        (["bce", "--param", "from_logits=true", "--range", "-6", "6", "--svg"], "binary_crossentropy.svg",
         ["binary_crossentropy, from_logits = true", "t = 0", "t = 1", "prediction x", "−6"]),
        (["huber", "--svg", "--target", "-1", "2.5"], "huber.svg", ["t = −1", "t = 2.5", "prediction x"]),
        (["abs(t - x)^p", "--param", "p=1,2", "-o", "deep/p.svg"], "deep/p.svg", ["abs(t - x)^p", "p = 1", "p = 2"]),
        (["losses.yaml", "-o", "y.svg"], "y.svg", ["huber, delta = 3", "abs(t - x)"]),
        (["huber"], "huber.png", []),
        (["huber", "--pdf"], "huber.pdf", []),
    ],
)  # fmt: skip
def test_the_command_draws(command, tmp_path, arguments, name, said):
    (tmp_path / "losses.yaml").write_text("losses:\n  a: {huber: {delta: 3}}\n  b: abs(t - x)\n", encoding="utf-8")
    assert command(*arguments) == (0, f"written: {Path(name)}\n", "")
    data = (tmp_path / name).read_bytes()
    assert data.startswith(dict(STARTS)[Path(name).suffix])
    for text in said:
        assert f"<!-- {text} -->".encode() in data


@pytest.mark.parametrize(
    "arguments, status, said",
    [
        (["huber", "--param", "detla=1"], 2, "no loss here has a parameter `detla`; did you mean `delta`?"),
        (["mse", "--param", "delta=1"], 2, "no loss here has a parameter `delta`; there is none"),
        (["huber", "--param", "delta=1,"], 2, "--param is NAME=VALUE or NAME=VALUE,VALUE,…, not `delta=1,`"),
        (["huber", "--param", "delta=abc"], 2, "`delta` is a number, not 'abc'"),
        (["huber", "--param", "delta=-1"], 1, "huber requires `delta > 0`"),
        (["huber", "-o", "a.png", "--svg"], 2, "a.png is no name for --svg"),
        (["huber", "-o", "a.gif"], 2, ".png, .svg, .pdf"),
        (["huber", "--range", "3", "1"], 1, "from a number to a larger one"),
        (["huber", "--range", "3", "inf"], 2, "invalid number value: 'inf'"),
        (["circle"], 1, "circle is no curve"),
        (["hubr"], 2, "did you mean `huber`?"),
    ],
)
def test_what_the_command_refuses(command, tmp_path, arguments, status, said):
    found, out, err = command(*arguments)
    assert (found, out) == (status, "")
    assert said in err
    assert list(tmp_path.iterdir()) == []


# --- notebooks


def test_a_notebook_shows_formula_parameters_and_picture():
    loss = lossdsl.load("huber", delta=0.5)
    shown = loss._repr_html_()
    assert html.unescape(shown).count(f"$$\n{loss.latex}\n$$") == 1
    assert loss._repr_latex_() == f"$$\n{loss.latex}\n$$"
    assert "delta = 0.5" in shown
    data = base64.b64decode(re.search(r'src="data:image/png;base64,([^"]+)"', shown)[1])
    assert data.startswith(b"\x89PNG")
    ET.fromstring(re.sub(r"(<img [^>]*)>", r"\1/>", shown))


def test_a_notebook_shows_a_compiled_loss_likewise():
    loss = lossdsl.compile("huber", delta=0.5)
    assert loss._repr_html_() == loss.spec._repr_html_()
    assert loss._repr_latex_() == loss.spec._repr_latex_()


def test_a_notebook_shows_a_loss_without_a_curve_too():
    shown = lossdsl.load("circle")._repr_html_()
    assert "$$" in shown
    assert "<img" not in shown


def test_nothing_of_a_user_becomes_html_or_a_formula():
    text = '"""<script>alert(1)</script> & $x$"""\nloss f(t, x)\nwhere(t < x, 1, x^2)'
    shown = lossdsl.load(text)._repr_html_()
    assert "<script>" not in shown
    assert '<span class="tex2jax_ignore mathjax_ignore">&lt;script&gt;' in shown
    assert "t_{i} &lt; x_{i}" in shown
    formula = lossdsl.load("where(t < x, t, x)")._repr_html_()
    assert "where(t &lt; x, t, x)" in formula


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
