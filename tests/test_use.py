"""Losses of other files: what is called, under which names, and the one text that a loss is saved as.

Random files, whose losses share few names, are worked out beside the compiler by a plain recursion over what each file
sees; the text that all of them are merged into has to mean the same, wherever it is read.
"""

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lossdsl
from lossdsl import cli
from lossdsl.errors import LossError, LossFileError, LossLimitError

FAIR = '''"""Fair's loss."""
loss rho(u; c = 1.0)
abs(u)/c - log1p(abs(u)/c)
loss fair(t, x; c = 2.0)
require c > 0
c^2*rho(t - x; c=c)
example t=[0], x=[0] -> 0.0
'''
T, X = np.array([[0.5], [2.0]]), np.array([[1.0], [-1.0]])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "fair.loss").write_text(FAIR, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fair(e, c):
    return c * c * (np.abs(e) / c - np.log1p(np.abs(e) / c))


def written(folder, text, name="mine.loss"):
    (folder / name).write_text(text, encoding="utf-8")
    return name


def test_a_loss_of_another_file_is_called(folder):
    name = written(folder, 'use "fair.loss"\n\nloss mine(t, x; w = 0.5)\nfair(t, x; c=3) + w*(t - x)^2')
    wanted = (fair(T - X, 3) + 0.5 * (T - X) ** 2)[:, 0]
    np.testing.assert_allclose(lossdsl.load(name).numpy(T, X), wanted, rtol=1e-12)
    with pytest.raises(LossError, match=r"`fair` requires `c > 0`"):
        lossdsl.load(written(folder, 'use "fair.loss"\nloss mine(t, x)\nfair(t, x; c=0)'))


def test_what_is_saved_is_one_text(folder, tmp_path_factory, monkeypatch):
    name = written(folder, 'use "fair.loss"\nloss rho(t, x)\n(t - x)^2\nloss mine(t, x)\nfair(t, x) + rho(t, x)')
    loss = lossdsl.compile(name)
    wanted = (fair(T - X, 2) + (T - X) ** 2)[:, 0]
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    config = loss.get_config()
    assert "use" not in config["source"]
    for found in (loss, type(loss).from_config(config), pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss)):
        np.testing.assert_allclose(found.numpy(T, X), wanted, rtol=1e-12)
    assert pickle.loads(pickle.dumps(loss.spec)).source == config["source"]
    with pytest.raises(LossFileError, match=r"`fair.loss` is not read: this text is no file"):
        type(loss).from_config({**config, "source": (folder / name).read_text(encoding="utf-8")})


def test_commands_read_what_is_used(folder, capsys):
    text = 'use "fair.loss"\n\n"""Mine."""\nloss mine(t, x)\n\nfair(t, x)\n\nexample t=[0], x=[0] -> 0.0\n'
    name = written(folder, text)
    assert cli.main(["check", name, "--strict"]) == 0
    assert cli.main(["fmt", "--check", name]) == 0
    assert cli.main(["emit", name, "--target", "numpy", "-o", "mine.py"]) == 0
    assert "loss fair(t, x; c = 2.0)" in Path("mine.py").read_text(encoding="utf-8")
    written(folder, "a: {loss: {file: mine.loss}}", "train.yaml")
    assert cli.main(["check", "train.yaml"]) == 0
    capsys.readouterr()


@pytest.mark.parametrize(
    "text, message",
    [
        ('use "nix.loss"\nloss f(t, x)\nt - x', "mine.loss:1:1: file error: there is no file nix.loss"),
        ('use "mine.loss"\nloss f(t, x)\nt - x', "mine.loss:1:1: file error: mine.loss uses itself"),
        ('loss f(t, x)\nt - x\nuse "fair.loss"', "mine.loss:3:1: syntax error: files are used before"),
        ("use fair\nloss f(t, x)\nt - x", "mine.loss:1:5: syntax error: `fair` is no file: a name in quotes is"),
        ('use "fair.loss"\nfair(t, x)', "mine.loss:2:1: syntax error: a loss that is used, or uses"),
        ('use "fair.loss"\nloss fair(t, x)\nt - x', "mine.loss:2:6: name error: a file that is used has a"),
        ('use "fair.loss"\nloss f(t, x)\nrho(t - x)', "mine.loss:3:1: name error: there is no function `rho`"),
        ('use "fair.loss"\nloss f(t, x)\nfair(t)', "mine.loss:3:1: type error: `fair` takes 2 inputs"),
        ('use "fair.loss"\nuse "too.loss"\nloss f(t, x)\nt - x', "mine.loss:2:1: name error: two of the files"),
        ('use "bare.loss"\nloss f(t, x)\nt - x', "bare.loss:1:1: syntax error: a loss that is used"),
        ('use "bad.loss"\nloss f(t, x)\nbad(t, x)', "bad.loss:2:5: name error: `y` is not defined"),
        ('use "round.loss"\nloss f(t, x)\nt - x', "file error: round.loss uses itself"),
    ],
)  # fmt: skip
def test_what_cannot_be_used(folder, text, message):
    written(folder, "loss fair(t, x)\nt - x", "too.loss")
    written(folder, "(t - x)^2", "bare.loss")
    written(folder, "loss bad(t, x)\nt - y", "bad.loss")
    written(folder, 'use "round.loss"\nloss round_(t, x)\nt - x', "round.loss")
    with pytest.raises(LossError) as caught:
        lossdsl.load(written(folder, text))
    assert message in str(caught.value)


def test_built_ins_are_used_where_no_file_has_the_name(folder):
    loss = lossdsl.load(written(folder, 'use "huber.loss"\nloss f(t, x)\nhuber(t, x; delta=2)'))
    np.testing.assert_allclose(loss.numpy(T, X), lossdsl.load("huber", delta=2.0).numpy(T, X))


def test_files_that_use_each_other_many_times_over_are_too_many(folder):
    written(folder, "loss f0(t, x)\n(t - x)^2\n", "f0.loss")
    for number in range(1, 20):
        copy_ = written(folder, (folder / f"f{number - 1}.loss").read_text("utf-8").replace("loss f", "loss g"),
                        f"g{number - 1}.loss")  # fmt: skip
        text = f'use "f{number - 1}.loss"\nuse "{copy_}"\nloss f{number}(t, x)\nf{number - 1}(t, x) + x\n'
        written(folder, text, f"f{number}.loss")
    with pytest.raises(LossLimitError, match="more than 200 files are used"):
        lossdsl.load("f19.loss")
    assert lossdsl.load("f5.loss").numpy(T, X).tolist() == ((T - X) ** 2 + 5 * X)[:, 0].tolist()


# --- names that meet ------------------------------------------------------------------------------------------------

NAMES = ["f", "g", "huber", "u_2", "f_2"]


@st.composite
def files(draw):
    """Files in the order in which they may use each other: names of losses, each with its terms, and files used.

    A term is a name that is called, or None for `(t - x)^2`, and a factor.
    """
    found = []
    for number in range(draw(st.integers(1, 4))):
        names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
        used, seen = [], set(names)
        for other in draw(st.lists(st.integers(0, number - 1), max_size=3, unique=True)) if number else []:
            last = found[other][0][-1][0]
            if last not in seen:
                seen.add(last)
                used.append(other)
        losses = []
        for place, name in enumerate(names):
            callable_ = [*names[:place], *(found[one][0][-1][0] for one in used)]
            callable_ += ["huber"] if "huber" not in names[place:] else []
            terms = [(None, number + place + 1)]
            terms += [(one, draw(st.integers(2, 5))) for one in draw(st.lists(st.sampled_from([*callable_, None]),
                                                                              max_size=2))]  # fmt: skip
            losses.append((name, terms))
        found.append((losses, used))
    return found


def value(found, number, place, error):
    """The value of a loss, by recursion over what its file sees."""
    losses, used = found[number]
    total = 0.0
    for name, factor in losses[place][1]:
        own = [at for at in range(place) if losses[at][0] == name]
        others = [one for one in used if found[one][0][-1][0] == name]
        if name is None:
            total += factor * error**2
        elif own:
            total += factor * value(found, number, own[0], error)
        elif others:
            total += factor * value(found, others[0], len(found[others[0]][0]) - 1, error)
        else:
            total += factor * (0.5 * error**2 if abs(error) < 1 else abs(error) - 0.5)
    return total


@settings(max_examples=40)
@given(files())
def test_names_of_several_files_do_not_meet(tmp_path_factory, found):
    folder = tmp_path_factory.mktemp("files")
    for number, (losses, used) in enumerate(found):
        lines = [f'use "file{one}.loss"' for one in used]
        for name, terms in losses:
            called = [f"{factor}*{name}(t, x)" if name else f"{factor}*(t - x)^2" for name, factor in terms]
            lines += [f"loss {name}(t, x)", " + ".join(called)]
        written(folder, "\n".join(lines), f"file{number}.loss")
    loss = lossdsl.load(folder / f"file{len(found) - 1}.loss")
    wanted = [value(found, len(found) - 1, len(found[-1][0]) - 1, error) for error in (T - X)[:, 0]]
    np.testing.assert_allclose(loss.numpy(T, X), wanted, rtol=1e-12)
    assert loss.name == found[-1][0][-1][0]
    np.testing.assert_allclose(lossdsl.load(loss.source).numpy(T, X), wanted, rtol=1e-12)
