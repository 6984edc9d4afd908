"""The command line: exit statuses, what is printed where, and what is not imported."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import lossdsl
from lossdsl import catalog, cli, pipeline

ROOT = Path(__file__).parents[1]
RIGHT = "loss mine(t, x; a = 1.0)\na*(t - x)^2\n"
WRONG = "loss mine(t, x)\n(t - sigmod(x))^2\n"
UNUSED = "loss mine(t, x)\ne = t + x\n(t - x)^2\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in [("right.loss", RIGHT), ("wrong.loss", WRONG), ("unused.loss", UNUSED)]:
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def command(*arguments: str, **more) -> subprocess.CompletedProcess:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [sys.executable, "-m", "lossdsl", *arguments],
        capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL, encoding="utf-8", **more,
    )  # fmt: skip


def run(capsys: pytest.CaptureFixture, *arguments: str) -> tuple[int, str, str]:
    try:
        status = cli.main(arguments)
    except SystemExit as exit:
        status = int(exit.code or 0)
    shown = capsys.readouterr()
    return status, shown.out, shown.err


# --- exit statuses, in a process of its own


@pytest.mark.parametrize(
    "arguments, status",
    [
        (["check", "right.loss"], 0),
        (["check", "wrong.loss"], 1),
        (["check", "nowhere.loss"], 2),
        (["chekc", "right.loss"], 2),
        ([], 2),
        (["--version"], 0),
    ],
)
def test_exit_status_of_the_process(folder, arguments, status):
    done = command(*arguments, cwd=folder)
    assert done.returncode == status
    assert "Traceback" not in done.stdout + done.stderr


def test_a_reader_that_goes_away_ends_it_quietly(folder):
    for number in range(200):
        (folder / f"wrong{number}.loss").write_text(WRONG, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-m", "lossdsl", "check", "."],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == cli.BROKEN_PIPE


@pytest.mark.skipif(os.name == "nt", reason="signals are another matter there")
def test_an_interrupt_ends_it_quietly(folder):
    # A job in the background ignores interrupts, and so would its children.
    code = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += "import lossdsl.checks, time\nlossdsl.checks.check = lambda s: (print('on', flush=True), time.sleep(60))"
    code += "\nfrom lossdsl.cli import main\nraise SystemExit(main(['check', 'right.loss']))"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"on\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b""
        assert process.wait() == cli.INTERRUPTED


def test_checking_loads_neither_keras_nor_rich_nor_yaml(folder):
    code = "import sys\nfrom lossdsl.cli import main\nassert main(['check', 'right.loss']) == 0\nprint(*sys.modules)"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, env=env, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "lossdsl" in loaded
    assert loaded.isdisjoint({"keras", "tensorflow", "jax", "torch", "rich", "yaml", "matplotlib"})


# --- check


def test_a_clean_loss(folder, capsys):
    status, out, err = run(capsys, "check", "right.loss")
    assert (status, err) == (0, "")
    assert out.startswith("1 loss checked: nothing found")
    assert out.count("\n") == 1


def test_a_finding_has_its_place_line_and_remedy(folder, capsys):
    status, out, err = run(capsys, "check", "wrong.loss")
    assert (status, err) == (1, "")
    assert out.split("\n") == [
        "wrong.loss:2:6: error[name-error]: there is no function `sigmod`",
        " 2 | (t - sigmod(x))^2",
        "   |      ^^^^^^",
        "  help: did you mean `sigmoid`?",
        "1 loss checked: 1 error",
        "",
    ]


def test_a_warning_counts(folder, capsys):
    status, out, _ = run(capsys, "check", "unused.loss")
    assert status == 1
    assert "unused.loss:2:1: warning[unused-definition]" in out
    assert "1 loss checked: 1 warning" in out


def test_a_remark_does_not_count(folder, capsys, monkeypatch):
    from lossdsl import checks

    remark = checks.Finding("untested-gradient", "info", "it is so")
    monkeypatch.setattr(checks, "check", lambda source: checks.Report("mine", (remark,)))
    status, out, _ = run(capsys, "check", "right.loss")
    assert status == 0
    assert "it is so" in out
    assert out.endswith("1 loss checked: nothing found\n")


def test_a_folder_is_searched(folder, capsys):
    (folder / "deeper").mkdir()
    (folder / "deeper" / "right.loss").write_text(RIGHT, encoding="utf-8")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "wrong.loss").write_text(WRONG, encoding="utf-8")
    (folder / "binary.loss").write_bytes(b"\xff\xff")
    status, out, _ = run(capsys, "check", str(folder))
    assert status == 1
    assert "binary.loss is not UTF-8 text" in out
    assert out.endswith("5 losses checked: 2 errors, 1 warning, 1 fixable with --fix\n")


def test_names_and_formulas(folder, capsys):
    status, out, _ = run(capsys, "check", "mean_squared_error", "hinge.loss", "abs(t - x)^2")
    assert (status, out) == (0, "3 losses checked: nothing found\n")


def test_losses_in_yaml(folder, capsys):
    text = "a: {loss: huber}\nb:\n  loss:\n    formula: t - sigmod(x)\n"
    text += "losses: [{huber: {delta: -1}}, {file: wrong.loss}]\n"
    (folder / "train.yaml").write_text(text, encoding="utf-8")
    status, out, _ = run(capsys, "check", "train.yaml")
    assert status == 1
    assert "train.yaml:4:18: error[name-error]" in out
    assert "train.yaml:5:26: error[parameter-error]: huber requires `delta > 0`" in out
    assert "wrong.loss:2:6: error" in out
    assert out.endswith("4 losses checked: 3 errors\n")


def test_one_of_the_losses_in_yaml(folder, capsys):
    text = "train: {loss: huber}\nlosses: [{formula: abs(t - x)}, (t - x)^4]\n"
    (folder / "train.yaml").write_text(text, encoding="utf-8")
    for command in ("show", "grad", "emit"):
        status, _, err = run(capsys, command, "train.yaml")
        assert status == 2
        assert err.endswith("one is wanted: --key takes one of losses.0, losses.1, train.loss\n")
        assert run(capsys, command, "train.yaml", "--key", "train.loss")[0] == 0
    assert run(capsys, "grad", "train.yaml", "--key", "losses.0")[1].endswith("\n-sign(t - x)\n")
    status, _, err = run(capsys, "grad", "train.yaml", "--key", "losses.2")
    assert (status, "its keys: 0, 1" in err) == (1, True)
    assert "huber is none" in run(capsys, "grad", "huber", "--key", "loss")[2]


@pytest.mark.parametrize(
    "given, said",
    [
        ("hubr", "did you mean `huber`?"),
        ("hubr.loss", "did you mean `huber.loss`?"),
        ("nowhere/mine.loss", "there is no file nowhere/mine.loss"),
        ("nowhere.yaml", "there is no file nowhere.yaml"),
        ("nowhere/mine.txt", "there is no file nowhere/mine.txt"),
        ("empty", "there is no *.loss file in the folder empty"),
    ],
)
def test_what_is_not_there_is_wrong_use(folder, capsys, given, said):
    (folder / "empty").mkdir()
    status, out, err = run(capsys, "check", given)
    assert (status, out) == (2, "")
    assert said in err


def test_no_input_ends_in_a_traceback(folder, capsys):
    for given in ["", " ", "(", "\x00", "x" * 5000, "(" * 5000, "a\nb", "-", "t" + " - -x" * 3000, "💥"]:
        status, out, err = run(capsys, "check", "--", given)
        assert status in (0, 1, 2), given
        assert "Traceback" not in out + err


# --- colours


class Terminal:
    """A stream that says that it is a terminal."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


@pytest.mark.parametrize(
    "variables, coloured", [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"NO_COLOR": ""}, True)]
)
def test_colours_on_a_terminal_only(folder, monkeypatch, variables, coloured):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert cli.main(["check", "wrong.loss"]) == 1
    assert ("\x1b[" in terminal.text) == coloured
    plain = re.sub(r"\x1b\[[\d;]*m", "", terminal.text)
    assert "wrong.loss:2:6: error[name-error]: there is no function `sigmod`\n 2 | (t - sigmod(x))^2\n" in plain


# --- show, list, help


@pytest.mark.parametrize("stage", pipeline.STAGES)
def test_every_stage_is_shown(capsys, stage):
    status, out, err = run(capsys, "show", "huber", "--stage", stage)
    assert (status, err) == (0, "")
    assert out.strip()


def test_parameters_settle_what_is_shown(capsys):
    _, logits, _ = run(capsys, "show", "binary_crossentropy", "--stage", "stable", "--param", "from_logits=true")
    _, probabilities, _ = run(capsys, "show", "binary_crossentropy", "--stage", "stable")
    assert "clip" in probabilities or "max" in probabilities
    assert logits != probabilities


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--stage", "gradent"], "there is no stage `gradent`; did you mean `gradient`?"),
        (["--stage", "zzz"], "there are text, tree"),
        (["--param", "detla=1"], "did you mean `delta`?"),
        (["--param", "delta"], "--param is NAME=VALUE"),
        (["--param", "delta=abc"], "`delta` is a number, not 'abc'"),
        (["--stgae", "tree"], "unrecognized arguments: --stgae tree; did you mean `--stage`?"),
        (["--stag", "tree"], "did you mean `--stage`?"),
        (["mse"], "unrecognized arguments: mse\n"),
    ],
)
def test_wrong_use_of_show(capsys, arguments, said):
    status, out, err = run(capsys, "show", "huber", *arguments)
    assert (status, out) == (2, "")
    assert said in err


def test_a_parameter_of_another_kind(capsys):
    status, _, err = run(capsys, "show", "binary_crossentropy", "--param", "from_logits=1")
    assert (status, "true or false" in err) == (2, True)


@pytest.mark.parametrize("name", ["check", "plot", "grad", "show", "emit"])
def test_a_parameter_that_is_given_in_place(capsys, name):
    status, out, err = run(capsys, name, "huber", "delta=2")
    assert (status, out) == (2, "")
    assert "`--param delta=2`" in err


@pytest.mark.parametrize("name", ["plot", "grad", "show", "emit"])
@pytest.mark.parametrize(
    "text, setting, said",
    [
        ("loss: huber", "delta=-1", "at.yaml:1:7: parameter error: huber requires `delta > 0`, which delta = -1"),
        ("loss: {huber: {delta: -1}}", "", "at.yaml:1:23: parameter error: huber requires `delta > 0`"),
        ("loss: {huber: {detla: 1}}", "", "at.yaml:1:16: parameter error: huber has no parameter `detla`"),
        ("loss: {huber: {delta: abc}}", "", "at.yaml:1:23: parameter error: `delta` is a number, not 'abc'"),
    ],
)
def test_what_a_loss_does_not_admit_is_refused_by_every_command(folder, capsys, name, text, setting, said):
    (folder / "at.yaml").write_text(text, encoding="utf-8")
    status, out, err = run(capsys, name, "at.yaml", *(["--param", setting] if setting else []))
    assert (status, out) == (1, "")
    assert err.startswith(said)


def test_a_loss_with_a_wrong_default_can_be_looked_at(folder, capsys):
    (folder / "odd.loss").write_text("loss odd(t, x; a = -1)\nrequire a > 0\na*(t - x)^2\n", encoding="utf-8")
    assert run(capsys, "show", "odd.loss")[0] == 0
    assert run(capsys, "show", "odd.loss", "--param", "a=1")[0] == 0
    assert run(capsys, "show", "odd.loss", "--param", "a=-2")[0] == 1


def test_help_names_what_an_option_takes(capsys):
    from lossdsl.cli.formats import FORMATS
    from lossdsl.cli.grad import FORMS

    taken = {
        "show": pipeline.STAGES,
        "emit": pipeline.TARGETS,
        "grad": (*FORMS, *pipeline.TARGETS),
        "check": FORMATS,
    }
    for name, words in taken.items():
        assert set(words) <= set(re.findall(r"\w+", run(capsys, name, "--help")[1]))


@pytest.mark.parametrize("name", ["check", "fmt", "plot", "show"])
def test_an_empty_argument_is_not_the_folder_at_hand(folder, capsys, name):
    status, out, err = run(capsys, name, "")
    assert (status, out) == (2, "")
    assert err.startswith("lossdsl: an argument is empty")


def test_what_is_neither_file_nor_formula(folder, capsys):
    status, _, err = run(capsys, "check", "t-x")
    assert (status, "as in `t - x`" in err) == (2, True)
    (folder / "a=b").write_text(RIGHT, encoding="utf-8")
    assert run(capsys, "check", "a=b")[0] == 0


def test_the_text_of_a_wrong_loss_can_be_shown(folder, capsys):
    assert run(capsys, "show", "wrong.loss", "--stage", "text") == (0, WRONG, "")
    status, out, err = run(capsys, "show", "wrong.loss")
    assert (status, out) == (1, "")
    assert "did you mean `sigmoid`?" in err


def test_the_list_has_every_built_in_with_a_title(capsys):
    status, out, _ = run(capsys, "list")
    lines = out.splitlines()
    assert status == 0
    heads = [line for line in lines if not line.startswith("  ")]
    assert heads == catalog.families()
    for family in heads:
        rows = run(capsys, "list", "--family", family)[1].splitlines()[1:]
        assert set(rows) <= set(lines)
        assert [line.split()[0] for line in rows] == catalog.names(family)
        assert all(len(line.split(maxsplit=1)) == 2 and len(line) <= 100 for line in rows)
        assert len({line.index(line.split()[1], 2 + len(line.split()[0])) for line in rows}) == 1  # a column for titles


def test_the_list_is_searched(capsys):
    assert [line.split()[0] for line in run(capsys, "list", "huber", "1964")[1].splitlines()] == ["robust", "huber"]
    assert "  dpo " in run(capsys, "list", "direct PREFERENCE", "rafailov")[1]
    assert "  lovasz_hinge " in run(capsys, "list", "Lovász")[1]
    assert "  confidence_penalty " not in run(capsys, "list", "mse")[1]  # which is in themselves
    assert "  huber_quantile " in run(capsys, "list", "tile")[1]
    assert run(capsys, "list", "cross entropy") == run(capsys, "list", "cross", "entropy")
    assert run(capsys, "list", "hubre") == (1, "", "no built-in loss has `hubre`; did you mean `huber`?\n")
    assert run(capsys, "list", "--family", "robst") == (1, "", "there is no family `robst`; did you mean `robust`?\n")
    assert run(capsys, "list", "--family", "ranking", "huber")[0] == 1


@pytest.mark.parametrize(
    "name, hint",
    [
        ("hinge_loss", "did you mean `hinge`?"),
        ("eps", "`eps` is `epsilon` here; that is 1e-7"),
        ("categorical_cross_entropy", "did you mean `categorical_crossentropy`?"),
        ("crossentropy", "several have that in their names: `lossdsl list crossentropy` names them"),
    ],
)
def test_a_name_that_is_nearly_that_of_a_loss(capsys, name, hint):
    assert run(capsys, "eval", name, "t=0", "x=1")[2].endswith(f"  help: {hint}\n")
    assert (
        run(capsys, "list", "crossentropy")
        == run(capsys, "list", "cross_entropy")
        == run(capsys, "list", "Cross-entropy")
    )


def test_a_built_in_is_found_by_family_and_name(folder, capsys):
    assert run(capsys, "eval", "robust/huber", "t=[0]", "x=[3]") == run(capsys, "eval", "huber", "t=[0]", "x=[3]")
    assert lossdsl.load("regression/mse").source == lossdsl.load("mean_squared_error").source
    assert lossdsl.from_config("robust/huber").spec.name == "huber"
    assert lossdsl.from_config({"robust/huber": {"delta": 2.0}}).spec.parameters["delta"] == 2.0
    for name, hint in (("ranking/huber", "did you mean `robust/huber`?"), ("robust/hubr", "did you mean `huber`?")):
        with pytest.raises(lossdsl.LossFileError) as caught:
            lossdsl.load(name)
        assert caught.value.hint == hint
    assert lossdsl.load("robust/x", robust=1.0).numpy([0.0], [2.0]) == 0.5  # a formula, since x is an input


def test_the_list_has_every_other_name(capsys):
    lines = {line.split()[0]: line for line in run(capsys, "list")[1].splitlines()}
    for name in catalog.names():
        for alias in catalog.aliases(name):
            assert re.search(rf"\(.*\b{alias}\b.*\)$", lines[name])


def test_a_built_in_goes_by_its_other_names(folder, capsys):
    assert run(capsys, "check", "mse") == run(capsys, "check", "mean_squared_error")
    assert run(capsys, "show", "l1", "--stage", "text") == run(capsys, "show", "mean_absolute_error", "--stage", "text")
    assert lossdsl.load("0.5*mse(t, x) + l1(t, x)").numpy([0.0], [2.0]) == 4.0
    assert lossdsl.from_config({"pinball": {"q": 0.25}}).spec.name == "quantile"
    for row in lossdsl.losses.ROWS:
        assert all(catalog.full_name(alias.lower()) == row.name for alias in row.aliases)


def test_an_unknown_command_has_a_near_miss(capsys):
    status, _, err = run(capsys, "chek", "huber")
    assert status == 2
    assert "there is no command `chek`; did you mean `check`?" in err


def test_version_and_help(capsys):
    assert run(capsys, "--version") == (0, f"lossdsl {lossdsl.__version__}\n", "")
    status, out, _ = run(capsys, "--help")
    assert status == 0
    for word in ("exit status", "NO_COLOR", "look at a loss:", "A loss is named by"):
        assert word in out
    for name, text in cli.parser().helps.items():
        assert re.search(rf"^  {name} +{re.escape(text)}$", out, re.M)
    assert max(map(len, out.splitlines())) <= 100


EXAMPLES = re.findall(r"^  lossdsl (.*?)(?:   .*)?$", cli._EPILOG, re.M)


@pytest.mark.parametrize("line", EXAMPLES)
def test_the_examples_of_the_help_work(folder, capsys, line):
    (folder / "losses").mkdir()
    for name in ("mine.loss", "losses/one.loss"):
        (folder / name).write_text(RIGHT, encoding="utf-8")
    (folder / "train.yaml").write_text("loss: huber\n", encoding="utf-8")
    status, out, err = run(capsys, *shlex.split(line))
    assert (status, err) == (1 if "--diff" in line else 0, "")
    assert out
