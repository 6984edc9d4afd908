"""Losses from YAML and mappings: every form, where each mistake is reported, and what is never done."""

import time

import numpy as np
import pytest

import lossdsl
from lossdsl.config import description, find_losses
from lossdsl.config.document import MAX_DEPTH, MAX_LENGTH
from lossdsl.config.embedded import Embedded
from lossdsl.config.forms import Described
from lossdsl.runtime.spec import LoadedLoss

T, X = [[0.0, 0.0]], [[0.5, 3.0]]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine.loss").write_text("loss mine(t, x; a = 1.0)\na*(t - x)^2\n", encoding="utf-8")
    return tmp_path


def loaded(found: Described) -> LoadedLoss:
    with found.blamed():
        return lossdsl.load(found.source, axis=found.options.get("axis", -1), **found.parameters)


# values by hand: huber (0.125 + d*(3 - d/2))/2; squared error (0.25 + 9)/2; absolute cubes (0.125 + 27)/2
FORMS = [
    ("huber", 1.3125, {}),
    ("huber.loss", 1.3125, {}),
    ("(t - x)^2", 4.625, {}),
    ('"(t - x)^2"', 4.625, {}),
    ("{huber: {delta: 2.0}}", 2.0625, {}),
    ("{huber: }", 1.3125, {}),
    ("{huber: {delta: 2}, reduction: sum, axis: 1, name: h, dtype: float64}", 2.0625,
     {"reduction": "sum", "axis": 1, "name": "h", "dtype": "float64"}),
    ("{file: mine.loss}", 4.625, {}),
    ("mine.loss", 4.625, {}),
    ("{file: mine.loss, params: {a: 2}, reduction: null}", 9.25, {"reduction": None}),
    ("{formula: abs(t - x)^p, params: {p: 3}, axis: [0, 1]}", 13.5625, {"axis": (0, 1)}),
    ("{formula: (t - x)^2, axis: null}", 4.625, {"axis": None}),
    ("\n  formula: |\n    e = t - x\n    e^2  # squared\n", 4.625, {}),
    ("\n  formula: >-\n    (t - x)^2\n    + 0\n", 4.625, {}),
    ("\n  (t -\n   x)^2\n", 4.625, {}),
    ('"\\u03b4 = t - x\\n\\u03b4^2"', 4.625, {}),
]  # fmt: skip


@pytest.mark.parametrize("text, value, options", FORMS)
def test_forms(folder, text, value, options):
    path = folder / "train.yaml"
    path.write_text(f"train:\n  loss: {text.replace(chr(10), chr(10) + '  ')}\n", encoding="utf-8")
    found = description(path, "train.loss")
    assert np.ravel(loaded(found).numpy(T, X)) == pytest.approx([value], rel=1e-15)
    assert found.options == options


@pytest.mark.parametrize(
    "written, value",
    [
        ("1e-3", 0.001), ("1E3", 1000.0), ("+.5", 0.5), ("1_000.5", 1000.5), ("010", 10.0), ("0x10", 16.0),
        (".inf", float("inf")), ("'2.5'", 2.5), ("3", 3.0),
    ],
)  # fmt: skip
def test_numbers_are_what_they_look_like(written, value):
    found = description(f"{{formula: (t - x)^2*p, params: {{p: {written}}}}}")
    assert loaded(found).parameters["p"] == value


@pytest.mark.parametrize("written", ["true", "yes", "on"])
def test_truth_values(written):
    found = description(f"{{binary_crossentropy: {{from_logits: {written}}}}}")
    assert loaded(found).parameters["from_logits"] is True


def test_vectors():
    found = description("{formula: 'loss mine(t, x; w: vector)\n\nw*(t - x)', params: {w: [1, 2e-1]}}")
    assert loaded(found).parameters["w"] == (1.0, 0.2)


def test_anchors_and_merge_keys():
    text = "base: &base {delta: 2.0}\nloss:\n  huber:\n    <<: *base\nother: {huber: {<<: [*base], delta: 3}}"
    assert loaded(description(text, "loss")).parameters["delta"] == 2.0
    assert loaded(description(text, "other")).parameters["delta"] == 3.0


@pytest.mark.parametrize("key", ["a.b.loss", "a.b.c.0", "d.e.loss"])
def test_keys(key):
    text = "a: {b: {loss: huber, c: [huber]}}\nd.e: {loss: huber}"
    assert loaded(description(text, key)).name == "huber"


# text, its key, the kind, line:column, what stands over the carets, and a part of the message
MISTAKES = [
    ("loss:\n  huber:\n    detla: 1\n", lossdsl.LossParameterError, "3:5", "detla", "did you mean `delta`?"),
    ("loss:\n  huber:\n    delta: -1\n", lossdsl.LossParameterError, "3:12", "-1", "huber requires `delta > 0`"),
    ("loss: {formula: p*x, params: {p: a}}", lossdsl.LossParameterError, "1:34", "a", "`p` is a number"),
    ("loss: {huber: {}, reducton: sum}", lossdsl.LossConfigError, "1:19", "reducton", "did you mean `reduction`?"),
    ("loss: {huber: {}, reduction: summ}", lossdsl.LossConfigError, "1:30", "summ", "did you mean `sum`?"),
    ("loss: hubr", lossdsl.LossFileError, "1:7", "hubr", "did you mean `huber`?"),
    ("loss: {file: mien.loss}", lossdsl.LossFileError, "1:14", "mien.loss", "there is no file"),
    ("los: huber", lossdsl.LossConfigError, "1:1", "los", "did you mean `los`?"),
    ("loss: t - sigmod(x)", lossdsl.LossNameError, "1:11", "sigmod", "did you mean `sigmoid`?"),
    ("loss: 't - sigmod(x)'", lossdsl.LossNameError, "1:12", "sigmod", "did you mean `sigmoid`?"),
    ('loss: "\\u03b4 = t\\n\\n\\u03b4 - sigmod(x)"', lossdsl.LossNameError, "1:31", "sigmod", "did you mean"),
    ("loss: t\n  - sigmod(x)", lossdsl.LossNameError, "2:5", "sigmod", "did you mean `sigmoid`?"),
    ("loss:\n - |\n\n   e = t\n   e - sigmod(x)\n", lossdsl.LossNameError, "5:8", "sigmod", "did you mean"),
    ("loss:\n - >\n     t\n     -\n     sigmod(x)\n", lossdsl.LossNameError, "5:6", "sigmod", "did you mean"),
    ("loss: |e| <= d", lossdsl.LossConfigError, "1:8", "e", "abs(e)"),
    ("loss: {formula: max(t, x)}", lossdsl.LossConfigError, "1:24", "x)", "put it in quotes"),
    ("loss: huber\nloss: hinge", lossdsl.LossConfigError, "2:1", "loss", "line 1"),
    ("loss:\n\thuber:", lossdsl.LossConfigError, "2:1", " ", "a tab"),
    ("loss: &a [*a]", lossdsl.LossConfigError, "1:7", "&a [*a]", "contains itself"),
    ("loss: !!python/name:os.system x", lossdsl.LossConfigError, "1:7", "!!python/name:os.system x", "tag"),
]  # fmt: skip


@pytest.mark.parametrize("text, kind, place, culprit, said", MISTAKES)
def test_mistakes_are_reported_where_they_stand(tmp_path, text, kind, place, culprit, said):
    path = tmp_path / "train.yaml"
    path.write_text(text, encoding="utf-8")
    key = "loss.0" if " - " in text and text.startswith("loss:\n") else "loss"
    with pytest.raises(kind) as caught:
        loaded(description(path, key))
    shown = str(caught.value)
    head, above, carets = shown.split("\n")[:3]
    assert head.startswith(f"{path}:{place}: ")
    assert said in shown
    start = carets.index("^")
    assert above[start : start + carets.count("^")] == culprit


def test_a_mistake_in_a_file_that_yaml_names_is_shown_in_that_file(folder):
    (folder / "bad.loss").write_text("loss bad(t, x)\nt - sigmod(x)\n", encoding="utf-8")
    (folder / "train.yaml").write_text("loss: {file: bad.loss}", encoding="utf-8")
    with pytest.raises(lossdsl.LossNameError, match=r"bad\.loss:2:5"):
        loaded(description(folder / "train.yaml", "loss"))


def test_files_that_are_not_there(tmp_path):
    (tmp_path / "train.yaml").write_text("loss: huber", encoding="utf-8")
    with pytest.raises(lossdsl.LossFileError, match=r"did you mean `train\.yaml`\?"):
        description(tmp_path / "trian.yaml")
    with pytest.raises(lossdsl.LossFileError, match="is a folder"):
        description(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(lossdsl.LossFileError, match="not UTF-8"):
        description(tmp_path / "binary.yaml")


def test_text_and_paths_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a:b.yaml").write_text("huber", encoding="utf-8")
    assert loaded(description("a:b.yaml")).name == "huber"
    assert loaded(description("{huber: {delta: 2}}")).parameters["delta"] == 2.0
    assert loaded(description("loss:\n  huber", "loss")).name == "huber"
    with pytest.raises(lossdsl.LossFileError):
        description("train.yaml")


def test_no_text_grows_without_bound():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    started = time.perf_counter()
    with pytest.raises(lossdsl.LossConfigError, match="this is a list"):
        description("\n".join(lines), "a29")
    assert time.perf_counter() - started < 5
    with pytest.raises(lossdsl.LossLimitError, match="characters"):
        description("a: " + "x" * MAX_LENGTH)
    with pytest.raises(lossdsl.LossLimitError, match=f"more than {MAX_DEPTH} deep"):
        description("a: " + "[" * 5000)
    deep: dict = {}
    deep["huber"] = deep
    with pytest.raises(lossdsl.LossLimitError):
        lossdsl.load(deep)


def test_characters_of_every_style_keep_their_places():
    """Wherever a character of a value is not white space, it is the one at its place in the file."""
    texts = [
        "a: (t -\n  x)^2\n",
        "a: 'it''s (t\n\n  - x)'\n",
        'a: "(t \\\n   - x)"\n',
        "a: |\n\n    e = t\n      - x\n    e\n",
        "a: >+\n  (t -\n  x)\n\n   more\n  less\n\n",
        "? a\n: - - 't'\n",
    ]
    for text in texts:
        found = description(text, "a.0.0" if text.startswith("?") else "a")
        source = found.source
        assert isinstance(source, Embedded)
        for at, char in enumerate(source.text):
            if not char.isspace():
                line, column = source.position(at)
                assert text.split("\n")[line - 1][column - 1] == char, (text, at)


def test_from_mappings():
    assert lossdsl.load({"huber": {"delta": 2.0}}).parameters["delta"] == 2.0
    assert lossdsl.load({"formula": "a*x + b"}, a=1.0, b=2.0).parameters == {"a": 1.0, "b": 2.0}
    with pytest.raises(lossdsl.LossConfigError, match="give it once"):
        lossdsl.load({"huber": {"delta": 2.0}}, delta=1.0)
    with pytest.raises(lossdsl.LossConfigError, match="`axis` is 1 in the mapping and 2 beside it"):
        lossdsl.load({"huber": {}, "axis": 1}, axis=2)
    with pytest.raises(lossdsl.LossConfigError, match="keys of a mapping are text"):
        lossdsl.load({1: 2})


def test_keras_losses_come_of_it(folder):
    (folder / "train.yaml").write_text(
        "loss: {huber: {delta: 2.0}, reduction: sum, name: mine, dtype: float64}", encoding="utf-8"
    )
    loss = lossdsl.from_yaml(folder / "train.yaml", "loss")
    assert (loss.name, loss.reduction, loss.dtype) == ("mine", "sum", "float64")
    assert float(loss([[0.0], [0.0]], [[0.5], [3.0]])) == 4.125  # by hand: 0.125 + 2*(3 - 1)
    assert float(lossdsl.from_config("huber")([[0.0]], [[3.0]])) == 2.5
    assert float(lossdsl.from_config({"huber": {"delta": 2.0}})([[0.0]], [[3.0]])) == 4.0
    summed = lossdsl.compile({"formula": "p*(t - x)", "reduction": "sum"}, p=2.0)
    assert float(summed([[3.0], [1.0]], [[0.0], [0.0]])) == 8.0
    (folder / "train.yaml").write_text("huber: {detla: 1}", encoding="utf-8")
    with pytest.raises(lossdsl.LossParameterError, match=r"train\.yaml:1:9"):
        lossdsl.from_yaml(folder / "train.yaml")


def test_losses_of_a_file_are_found(folder):
    path = folder / "train.yaml"
    text = "a: {loss: huber, b: [{loss: hubr}]}\nlosses: {c: hinge, d: poisson}\nx: !mine 3\n"
    path.write_text(text, encoding="utf-8")
    found = find_losses(path)
    names = [each.message if isinstance(each, lossdsl.LossError) else each.source.name for each in found]
    assert names == ["hinge.loss", "poisson.loss", "huber.loss", "there is no built-in loss `hubr`"]
    path.write_text("formula: t - x\n", encoding="utf-8")
    assert len(find_losses(path)) == 1
    path.write_text("epochs: 3\n", encoding="utf-8")
    with pytest.raises(lossdsl.LossConfigError, match="no loss in this file"):
        find_losses(path)


@pytest.mark.parametrize(
    "text, key",
    [("loss: mse\nlr: 0.1", "loss"), ("losses: {a: huber, b: mse}", "losses.a"), ("train: {loss: mse}", "train.loss")],
)
def test_of_a_file_with_more_in_it_the_place_of_the_loss_is_asked_for(text, key):
    with pytest.raises(lossdsl.LossConfigError) as caught:
        lossdsl.from_yaml(text)
    assert caught.value.hint == f'name the place of the loss: `from_yaml(…, key="{key}")`'
    lossdsl.from_yaml(text, key=key)
