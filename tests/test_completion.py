"""Completion on the command line. The script for bash is sourced and asked; zsh and fish read theirs where they are."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lossdsl import catalog, cli, pipeline

ROOT = Path(__file__).parents[1]
SHELLS = ("bash", "zsh", "fish")
COMMANDS = list(cli.parser().helps)


@pytest.fixture
def script(capsys):
    def made(shell: str) -> str:
        assert cli.main(["completion", shell]) == 0
        return capsys.readouterr().out

    return made


@pytest.fixture
def completed(script, tmp_path):
    """What bash offers for a line whose last word is being written."""
    (tmp_path / "mine.loss").write_text("(t - x)^2", encoding="utf-8")
    (tmp_path / "with a space").mkdir()
    source = script("bash")

    def ask(*words: str) -> list[str]:
        program = f"{source}\ncomplete -p lossdsl >/dev/null || exit 1\n"
        program += 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lossdsl; printf "%s\\n" "${COMPREPLY[@]}"'
        command = ["bash", "--norc", "-c", program, "bash", "lossdsl", *words]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={"PATH": os.environ["PATH"]})
        assert (done.returncode, done.stderr) == (0, "")
        return [line for line in done.stdout.splitlines() if line]

    return ask


FILES = ["with a space", "mine.loss"]

COMMON = ["-q", "--quiet", "--color"]

# the words of a line -> what is offered for the last
OFFERED = [
    ([""], [*COMMANDS, "-h", "--help", "-V", "--version", *COMMON]),
    (["c"], ["check", "compare", "completion"]),
    (["--v"], ["--version"]),
    (["plot", "hu"], ["huber", "huber_loss", "huber_quantile"]),
    (["plot", "m"], [name for name in catalog.known() if name.startswith("m")] + ["mine.loss"]),
    (["plot", "huber", "ms"], ["mse", "msle", "msse"]),
    (["plot", "huber", "-o", ""], FILES),
    (["plot", "huber", "--"], [
        "--help", "--output", "--png", "--svg", "--pdf", "--param", "--range", "--target", "--quiet", "--color"
    ]),
    (["plot", "--param", ""], []),
    (["emit", "huber", "--target", ""], list(pipeline.TARGETS)),
    (["emit", "huber", "--target", "=", "to"], ["torch"]),
    (["emit", "huber", "--target", "="], list(pipeline.TARGETS)),
    (["show", "huber", "--stage", "g"], ["gradient"]),
    (["grad", "huber", "--as", "l"], ["latex"]),
    (["fmt", ""], FILES),
    (["fmt", "-"], ["-h", "--help", "--check", "--diff", "--exclude", *COMMON]),
    (["list", ""], []),
    (["list", "--family", "ro"], ["robust"]),
    (["check", "--backend", ""], ["tensorflow", "jax", "torch"]),
    (["check", "--format", "s"], ["sarif"]),
    (["check", "--explain", "ki"], ["kink"]),
    (["check", "--ignore", "pie"], ["pieces"]),
    (["completion", ""], list(SHELLS)),
    (["help", "ch"], ["check"]),
    (["check", "--color", "a"], ["auto", "always"]),
    (["--color", "never", "check", "--format", "s"], ["sarif"]),
    (["eval", "hu"], ["huber", "huber_loss", "huber_quantile"]),
    (["new", "--like", "hu"], ["huber", "huber_loss", "huber_quantile"]),
    (["nothing", ""], []),
]


@pytest.mark.parametrize("words, expected", OFFERED, ids=lambda value: " ".join(value)[:40])
def test_bash_offers(completed, words, expected):
    assert sorted(completed(*words)) == sorted(expected)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_has_every_command_option_and_built_in(script, shell):
    text = script(shell)
    words = set(re.split(r"['()\[:=*\s]+", text))
    assert words.issuperset([*COMMANDS, *catalog.known(), *pipeline.TARGETS, *pipeline.STAGES, *SHELLS])
    options = {"--diff", "--check", "--stage", "--as", "--wrt", "--param", "--output", "--svg", "--target", "--range"}
    assert words.issuperset({option.removeprefix("--") if shell == "fish" else option for option in options})


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_read_by_its_shell(script, shell):
    """Its quotes are balanced; where the shell is installed, it finds nothing wrong."""
    text = script(shell)
    plain = "\n".join(line for line in text.replace("'\\''", "").replace("\\'", "").splitlines() if line[:1] != "#")
    assert all(line.count("'") % 2 == 0 for line in plain.splitlines())
    if shutil.which(shell):
        done = subprocess.run([shell, "-n"], input=text, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_an_unknown_shell_is_wrong_use(capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["completion", "tcsh"])
    assert "invalid choice: 'tcsh'" in capsys.readouterr().err
