"""What a person can hand over besides the language: numbers of any size, streams, files, settings."""

import errno
import json
import linecache
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

import lossdsl
from lossdsl import cli, config, pipeline
from lossdsl.errors import format_value
from lossdsl.runtime import files
from lossdsl.runtime.files import store
from lossdsl.source import Source

ROOT = Path(__file__).parents[1]
ENV = {**os.environ, "PYTHONPATH": str(ROOT)}
HUGE = "9" * 5000


# --- numbers


@pytest.mark.parametrize(
    "text", [f"{HUGE}*x", f"0.{HUGE}*x", f"{'0' * 5000}1*x", f"1e{HUGE}*x", f"1e-{HUGE}*x", f"x[{HUGE}]", f"x[{HUGE}:]"]
)
def test_a_number_of_many_digits_is_refused(text):
    with pytest.raises(lossdsl.LossLimitError, match="at most"):
        lossdsl.load(text)


WHOLE = "loss mine(t, x; k: int)\n(t - x)^k"
VECTOR = "loss mine(t, x; w: vector)\nw*(t - x)^2"
MATRIX = "loss mine(t, x; w: matrix)\nsum[j in rows](dot(w[j], x))"


@pytest.mark.parametrize(
    "source, value",
    [
        ("huber", 10**400), ("huber", 10**5000), ("huber", float("nan")), ("huber", "9" * 5000), ("huber", [10**400]),
        (WHOLE, float("inf")), (WHOLE, float("nan")), (WHOLE, 10**400), (WHOLE, 10**17), (WHOLE, 1j),
        (VECTOR, 10**400), (VECTOR, [10**400]), (VECTOR, [float("nan")]), (VECTOR, [[1]]), (VECTOR, []),
        (MATRIX, [[10**400]]), (MATRIX, [[float("nan")]]), (MATRIX, [[1], [1, 2]]),
    ],
    ids=lambda value: format_value(value)[:30],
)  # fmt: skip
def test_a_parameter_that_is_no_number_of_its_kind_is_refused(source, value):
    name = {"huber": "delta", WHOLE: "k"}.get(source, "w")
    with pytest.raises(lossdsl.LossParameterError) as caught:
        lossdsl.load(source, **{name: value})
    assert len(str(caught.value)) < 600


def test_numbers_of_other_classes_are_taken():
    from fractions import Fraction

    assert lossdsl.load("huber", delta=Fraction(1, 4)).parameters["delta"] == 0.25
    assert lossdsl.load("huber", delta=np.float32(0.5)).parameters["delta"] == 0.5
    assert lossdsl.load(WHOLE, k=np.int64(3)).parameters["k"] == 3


@pytest.mark.parametrize("stage", pipeline.STAGES)
@pytest.mark.parametrize("text", ["(x) + k^inf", "(x) + k^(-inf)", "x^inf", "x + 2^inf", "inf*x - inf", "x*0^inf"])
def test_infinite_exponents_are_printed(stage, text):
    assert pipeline.program(pipeline.parsed(Source(text))).show(stage)


def test_a_loss_of_a_label_alone_has_no_gradient():
    with pytest.raises(lossdsl.LossTypeError, match="`w` is a label: there is no gradient"):
        lossdsl.load("loss f(w: label)\nw").numpy.grad(w=[1])


# --- YAML and saved models


@pytest.mark.parametrize("escape", [r"\UFFFFFFFF", r"\U00110000", r"\ud800"])
def test_an_escape_of_no_character(escape):
    with pytest.raises(lossdsl.LossError, match=r"no character|half a character"):
        config.from_yaml(f'loss: "x + {escape}"', key="loss")


def test_merge_keys_are_bounded():
    chain = "".join(f"a{i}: &a{i} {{<<: *a{i - 1}, k{i}: 1}}\n" for i in range(1, 4000))
    with pytest.raises(lossdsl.LossLimitError, match="takes in more than"):
        config.from_yaml(f"a0: &a0 {{k: 1}}\n{chain}loss: huber\n", key="loss")
    with pytest.raises(lossdsl.LossLimitError, match="holds more than"):
        config.from_yaml(f"loss: huber\na: [{'1,' * 100_000}1]\n", key="loss")
    usual = "a: &a {delta: 0.5}\nb: &b {<<: *a}\nloss: {huber: {<<: *b}}\n"
    assert config.from_yaml(usual, key="loss").spec.parameters["delta"] == 0.5


SAVED = lossdsl.compile("huber", delta=0.5).get_config()


@pytest.mark.parametrize(
    "change",
    [
        {"parameters": None}, {"parameters": {}}, {"parameters": []}, {"parameters": {"delta": None}}, {"source": 3},
        {"source": None}, {"version": "1"}, {"version": 99}, {"axis": "last"}, {"axis": 1.5}, {"name": 3}, {"file": 3},
        {"reduction": 4}, {"reduction": "sun"}, {"dtype": 32}, {"dtype": "float23"}, {"delta": 0.5},
        {"source": "huber("}, {"parameters": {"delta": 1.0, "detla": 2.0}}, {"parameters": {"delta": -1}},
    ],
)  # fmt: skip
def test_a_saved_loss_that_is_not_whole_is_an_error(change):
    with pytest.raises(lossdsl.LossError):
        type(lossdsl.compile("huber")).from_config({**SAVED, **change})


@pytest.mark.parametrize("name", ["parameters", "source"])
def test_a_saved_loss_that_lacks_a_field_is_an_error(name):
    rest = {key: value for key, value in SAVED.items() if key != name}
    with pytest.raises(lossdsl.LossConfigError, match=f"has no `{name}`"):
        keras.losses.deserialize({"class_name": "lossdsl>Loss", "config": rest, "registered_name": "lossdsl>Loss"})


def test_what_is_kept_for_tracebacks_goes_with_the_loss():
    import gc

    def kept() -> int:
        gc.collect()
        return sum(name.startswith("<lossdsl") for name in linecache.cache)

    before = kept()
    for number in range(30):
        lossdsl.load(f"(t - x)^2 + {number}").numpy([0.0], [1.0])
    assert kept() <= before + 2
    loss = lossdsl.load("(t - x)^2 + 31")
    loss.numpy([0.0], [1.0])
    assert kept() > before


# --- streams


def shell(line: str, folder: Path, **more) -> subprocess.CompletedProcess:
    """What a line of the shell comes to, `lossdsl` being this one."""
    program = f'lossdsl() {{ "{sys.executable}" -m lossdsl "$@"; }}; {line}'
    return subprocess.run(["bash", "-c", program], capture_output=True, cwd=folder, env={**ENV, **more}, timeout=120)


@pytest.mark.parametrize(
    "line, said",
    [
        ("lossdsl show huber >&-", "standard output is closed"),
        ("lossdsl check '(t - x)^2' >&-", "standard output is closed"),
        ("lossdsl show huber >/dev/full", "standard output cannot be written: No space left on device"),
        ("lossdsl list >/dev/full", "standard output cannot be written: No space left on device"),
        ("lossdsl emit huber -o /dev/full", "/dev/full cannot be written: No space left on device"),
        ("lossdsl emit huber -o nowhere/out.py", "make the folder nowhere first"),
        ("lossdsl emit huber -o .", "cannot be written"),
        ("lossdsl eval huber t=1 x=3 -o nowhere/value.txt", "make the folder nowhere first"),
        ("lossdsl compare mse l2 -o /dev/full", "/dev/full cannot be written: No space left on device"),
        ("lossdsl completion bash -o .", "cannot be written"),
        ("lossdsl fmt - <&-", "standard input is closed"),
        ("lossdsl show huber >&- 2>&-", ""),
        ("lossdsl show nothing 2>/dev/full", ""),
        ("lossdsl show nothing 2>&-", ""),
    ],
)
def test_a_stream_that_is_closed_or_full(tmp_path, line, said):
    done = shell(line, tmp_path)
    assert (done.returncode, said in done.stderr.decode()) == (2, True), done
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


@pytest.mark.parametrize(
    "line, said",
    [
        ("lossdsl eval <(echo '(t - x)^2') t=1 x=3", "4.0"),
        ("lossdsl show huber --stage text -o /dev/stdout | cat", "huber"),
        ("lossdsl show huber --stage text -o >(cat)", "huber"),
    ],
)
def test_pipes_that_have_a_name(tmp_path, line, said):
    done = shell(line, tmp_path)
    assert said in done.stdout.decode(), done


def test_of_a_device_without_end_no_more_is_read_than_a_loss_may_have(tmp_path):
    done = shell("lossdsl check /dev/zero", tmp_path)
    assert (done.returncode, b"more than 1000000 bytes" in done.stderr) == (2, True)


LETTER = "loss mine(t, x; δ = 1.0)\nδ*(t - x)^2\n"


@pytest.mark.parametrize(
    "line", ["emit mine.loss", "show mine.loss --stage text", "grad mine.loss", "fmt --diff mine.loss"]
)
def test_what_an_encoding_has_no_place_for_is_an_error(tmp_path, line):
    text = LETTER.replace("*", " * ") if line.startswith("fmt") else LETTER
    (tmp_path / "mine.loss").write_text(text, encoding="utf-8")
    done = shell(f"lossdsl {line}", tmp_path, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"standard output is ascii" in done.stderr


@pytest.mark.parametrize("line", ["emit", "show --stage text", "grad", "check --format json", "check"])
def test_a_file_is_written_in_utf_8_whatever_the_terminal_has(tmp_path, line):
    (tmp_path / "mine.loss").write_text(LETTER, encoding="utf-8")
    done = shell(f"lossdsl {line} mine.loss -o out", tmp_path, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    text = (tmp_path / "out").read_bytes().decode()
    assert ("δ" in text) == (not line.startswith("check"))
    if line == "emit":
        compile(text, "out", "exec")


# --- files


def test_a_file_keeps_its_mode_links_and_what_else_it_has(tmp_path):
    path, other, link = tmp_path / "a.loss", tmp_path / "b.loss", tmp_path / "c.loss"
    path.write_text("old")
    path.chmod(0o640)
    os.link(path, other)
    link.symlink_to(path)
    store(b"new", link)
    assert (link.is_symlink(), path.read_text(), other.read_text()) == (True, "new", "new")
    assert (path.stat().st_ino, stat.S_IMODE(path.stat().st_mode)) == (other.stat().st_ino, 0o640)
    other.unlink()
    store(b"newer", path)
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("newer", 0o640)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.loss", "c.loss"]


def test_a_new_file_has_the_permissions_that_the_user_gives(tmp_path):
    before = os.umask(0o027)
    try:
        store(b"new", tmp_path / "a")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_a_file_keeps_its_owner(tmp_path):
    (tmp_path / "a").write_text("old")
    os.chown(tmp_path / "a", 12345, 23456)
    store(b"new", tmp_path / "a")
    found = (tmp_path / "a").stat()
    assert (found.st_uid, found.st_gid) == (12345, 23456)


def test_where_the_owner_cannot_be_given_the_file_is_written_in_place(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_text("a longer text than the new one")
    number = path.stat().st_ino

    def refused(*_, **__):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(files.os, "listxattr", refused)
    store(b"new", path)
    assert (path.read_text(), path.stat().st_ino) == ("new", number)
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_a_link_that_lies_in_wait_is_not_followed(tmp_path, monkeypatch):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path = tmp_path / "a"
    path.write_text("old")
    monkeypatch.setattr(files.secrets, "token_hex", lambda _: "guessed")
    (tmp_path / ".a.guessed.tmp").symlink_to(victim)
    with pytest.raises(lossdsl.LossFileError, match="File exists"):
        store(b"new", path)
    assert (victim.read_text(), path.read_text()) == ("precious", "old")


def test_nothing_is_lost_when_it_is_killed(tmp_path):
    """Killed at any moment, the file has its old or new content, or a file beside it has the new one."""
    old, new = b"o" * 3_000_000, b"n" * 3_000_000
    program = (
        "import sys; from lossdsl.runtime.files import store\n"
        "print('go', flush=True)\n"
        "while True: store(b'n'*3_000_000, sys.argv[1]); store(b'o'*3_000_000, sys.argv[1])"
    )
    for is_linked in (False, True):
        path = tmp_path / f"file{is_linked}"
        path.write_bytes(old)
        if is_linked:
            os.link(path, tmp_path / "other")
        for pause in (0.0, 0.003, 0.011):
            command = [sys.executable, "-c", program, str(path)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, env=ENV) as process:
                assert process.stdout is not None
                process.stdout.readline()
                time.sleep(pause)
                process.send_signal(signal.SIGKILL)
            beside = [each.read_bytes() for each in tmp_path.glob(f".file{is_linked}*.tmp")]
            assert path.read_bytes() in (old, new) or old in beside or new in beside


def test_a_picture_and_fmt_keep_links(tmp_path, capsys):
    real = tmp_path / "real.loss"
    real.write_text("(t-x)^2\n")
    (tmp_path / "link.loss").symlink_to(real)
    os.link(real, tmp_path / "hard.loss")
    assert cli.main(["fmt", str(tmp_path / "link.loss")]) == 0
    assert (tmp_path / "hard.loss").read_text() == "(t - x)^2\n"
    assert (tmp_path / "link.loss").is_symlink()


# --- parameters on the command line


@pytest.mark.parametrize(
    "setting, value", [("w=[1,2,4]", (1.0, 2.0, 4.0)), ("w=[1, 2e0, 4]", (1.0, 2.0, 4.0)), ("w=3", (3.0,))]
)
def test_a_vector_on_the_command_line(capsys, setting, value):
    assert cli.main(["eval", VECTOR, "t=[0, 0, 0]", "x=[1, 1, 1]", "--param", setting]) == 0
    assert float(capsys.readouterr().out) == pytest.approx(np.mean(np.resize(value, 3)))


@pytest.mark.parametrize("given", ["x=1,2", "x=two", "x=[1,a]", "x=[[1,2]"])
def test_an_input_on_the_command_line_that_is_no_number(capsys, given):
    assert cli.main(["eval", "huber", "t=[0, 0]", given]) == 2
    wanted = f"lossdsl: `{given}` is no number; several stand in brackets, as in `x=[1, 2]`\n"
    assert capsys.readouterr().err == wanted


def test_a_matrix_and_a_family_of_vectors(capsys, tmp_path):
    assert cli.main(["eval", MATRIX, "t=[0, 0]", "x=[1, 2]", "--param", "w=[[3, 1], [1, 1]]"]) == 0
    assert float(capsys.readouterr().out) == 8.0  # (3 + 2) + (1 + 2)
    picture = str(tmp_path / "out.png")
    assert cli.main(["plot", VECTOR, "--param", "w=[1],[2]", "-o", picture]) == 0


@pytest.mark.parametrize("value", ["[1, 2", "[1,,2]", "[a]", "[[1]]", "1e400", HUGE, "nan", "[nan]", "[1e400]"])
def test_what_is_no_vector_is_refused(capsys, value):
    assert cli.main(["show", VECTOR, "--param", f"w={value}"]) == 2
    assert re.search("is a vector|too large", capsys.readouterr().err)


# --- settings of a project

UNUSED = "loss mine(t, x; a = 1.0)\ne = t + x\n(t - x)^2\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "legacy").mkdir()
    for name in ("mine.loss", "legacy/old.loss"):
        (tmp_path / name).write_text(UNUSED, encoding="utf-8")

    def settings(text: str) -> None:
        (tmp_path / "pyproject.toml").write_text(f"[tool.lossdsl]\n{text}\n", encoding="utf-8")

    return settings


def ids(capsys, *arguments: str) -> list[tuple[str, str]]:
    cli.main(["check", "--format", "json", *arguments])
    document = json.loads(capsys.readouterr().out)
    return [(loss["file"], found["id"]) for loss in document["losses"] for found in loss["findings"]]


PARAMETER, DEFINITION = "unused-parameter", "unused-definition"


def test_settings_select_and_ignore(project, capsys):
    assert {id for _, id in ids(capsys, "mine.loss")} == {PARAMETER, DEFINITION}
    project(f'ignore = ["{PARAMETER}"]')
    assert ids(capsys, "mine.loss") == [("mine.loss", DEFINITION)]
    assert ids(capsys, "mine.loss", "--select", "names") == [("mine.loss", PARAMETER), ("mine.loss", DEFINITION)]
    assert ids(capsys, "mine.loss", "--ignore", DEFINITION) == []
    assert len(ids(capsys, "mine.loss", "--isolated")) == 2
    project(f'select = ["{DEFINITION}"]')
    assert ids(capsys, "mine.loss") == [("mine.loss", DEFINITION)]
    project('select = ["kink"]')
    assert ids(capsys, "abs(t - x)") == [("<formula>", "kink")]


def test_settings_of_a_file_and_of_a_folder(project, capsys, tmp_path):
    project(f'per-file-ignores = {{ "legacy/*" = ["names"], "mine.loss" = ["{PARAMETER}"] }}')
    assert ids(capsys, ".") == [("mine.loss", DEFINITION)]
    (tmp_path / "legacy" / "pyproject.toml").write_text(f'[tool.lossdsl]\nignore = ["{DEFINITION}"]', encoding="utf-8")
    assert sorted(ids(capsys, ".")) == [("legacy/old.loss", PARAMETER), ("mine.loss", DEFINITION)]
    assert len(ids(capsys, ".", "--config", "legacy/pyproject.toml")) == 2
    (tmp_path / "legacy" / "pyproject.toml").write_text("[tool.ruff]\n", encoding="utf-8")
    assert ids(capsys, ".") == [("mine.loss", DEFINITION)]


@pytest.mark.parametrize(
    "text, said",
    [
        ("slect = []", "did you mean `select`?"), ('ignore = ["unused-paramter"]', "did you mean `unused-parameter`?"),
        ("ignore = 3", "a list of ids"), ("strict = 1", "true or false"), ("per-file-ignores = []", "is a table"),
        ("ignore = [", "is no TOML"), ('ignore = ["syntax-error"]', "cannot be ignored"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_wrong_use(project, capsys, text, said):
    project(text)
    assert cli.main(["check", "mine.loss"]) == 2
    assert said in capsys.readouterr().err


def test_settings_of_remarks(project, capsys):
    project("strict = true")
    Path("mine.loss").write_text('"""A loss."""\nloss mine(t, x)\n(t - x)^2\n', encoding="utf-8")
    assert cli.main(["check", "mine.loss"]) == 1
    assert cli.main(["check", "mine.loss", "--isolated"]) == 0
    capsys.readouterr()


def test_what_is_excluded_is_left_out_of_folders(project, capsys, tmp_path):
    both = sorted(ids(capsys, ".", "--select", PARAMETER))
    assert [file for file, _ in both] == ["legacy/old.loss", "mine.loss"]
    for pattern in ("legacy", "legacy/", "./legacy", "old.loss", "leg*,nothing", "legacy/*"):
        assert ids(capsys, ".", "--select", PARAMETER, "--exclude", pattern) == both[1:], pattern
    project('exclude = ["legacy"]')
    assert ids(capsys, ".", "--select", PARAMETER) == both[1:]
    assert ids(capsys, str(tmp_path), "--select", PARAMETER)[0][0].endswith("mine.loss")
    assert ids(capsys, "legacy/old.loss", "--select", PARAMETER) == both[:1]  # named itself
    assert len(ids(capsys, ".", "--select", PARAMETER, "--isolated")) == 2
    assert cli.main(["fmt", "--check", "."]) == 1
    assert "legacy" not in capsys.readouterr().out
    assert cli.main(["check", "legacy"]) == 2
    assert "is excluded" in capsys.readouterr().err
    project('exclude = "legacy"')
    assert cli.main(["check", "."]) == 2
    assert "a list of patterns" in capsys.readouterr().err


# --- what is mended


def test_fix_takes_out_what_nothing_uses(project, capsys):
    first, last = "# kept\r\nloss mine(t, x; a = 1.0)\r\n", '(t - x)^2\r\nallow kink "no"\r\n'
    text = f"{first}e = t + x  # gone\r\nu = 2*(e +\r\n  1)\r\n{last}"
    Path("mine.loss").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert cli.main(["check", "mine.loss", "--fix", "--ignore", PARAMETER]) == 0
    assert Path("mine.loss").read_bytes() == b"\xef\xbb\xbf" + f"{first}{last}".encode()
    assert "nothing found, 2 mended" in capsys.readouterr().out
    assert cli.main(["check", "mine.loss", "--fix", "--ignore", PARAMETER, "--select", "kink,unmet-allow"]) == 0
    assert "allow" not in Path("mine.loss").read_text(encoding="utf-8-sig")


def test_diff_prints_what_fix_would_change(project, capsys):
    assert cli.main(["check", ".", "--diff"]) == 1
    out, err = capsys.readouterr()
    head = "--- {0}\n+++ {0}\n@@ -1,3 +1,2 @@\n loss mine(t, x; a = 1.0)\n-e = t + x\n (t - x)^2\n"
    assert out == head.format("legacy/old.loss") + head.format("mine.loss")
    assert err == "2 findings would be mended\n"
    assert Path("mine.loss").read_text(encoding="utf-8") == UNUSED
    assert cli.main(["check", ".", "--diff", "--select", PARAMETER, "-q"]) == 0
    assert capsys.readouterr() == ("", "")
    assert cli.main(["check", "mine.loss", "--fix", "--diff", "-q", "-o", "fixes.diff"]) == 1
    assert Path("fixes.diff").read_text(encoding="utf-8") == head.format("mine.loss")
    assert Path("mine.loss").read_text(encoding="utf-8") == UNUSED


def test_fix_leaves_alone_what_takes_a_decision(project, capsys):
    text = "loss mine(t, x; a = 1.0)\n(t - x)^2\n"
    Path("mine.loss").write_text(text)
    Path("train.yaml").write_text("loss: |\n  e = t + x\n  (t - x)^2\n")
    assert cli.main(["check", "mine.loss", "train.yaml", "e = t\nx", "--fix"]) == 1
    assert (Path("mine.loss").read_text(), "mended" in capsys.readouterr().out) == (text, False)
    assert "e = t + x" in Path("train.yaml").read_text()


def test_fix_mends_only_what_is_told(project, capsys):
    assert cli.main(["check", "mine.loss", "--fix", "--ignore", DEFINITION]) == 1
    assert Path("mine.loss").read_text() == UNUSED
    Path("mine.loss").write_text(f'{UNUSED}allow {DEFINITION} "kept"\n')
    assert cli.main(["check", "mine.loss", "--fix", "--ignore", PARAMETER]) == 0
    assert "e = t + x" in Path("mine.loss").read_text()
    capsys.readouterr()


def test_options_of_ruff_mean_the_same(project, capsys):
    """Without a name the folder at hand is checked; a folder that is called like a file is looked into."""
    Path("inner.loss").mkdir()
    (Path("inner.loss") / "kink.loss").write_text("abs(t - x)", encoding="utf-8")
    everywhere = ids(capsys)
    assert everywhere == ids(capsys, ".")
    assert {Path(file).name for file, _ in everywhere} >= {"mine.loss"}
    usual = [id for _, id in everywhere]
    more = [id for _, id in ids(capsys, "--extend-select", "kink")]
    assert sorted(more) == sorted([*usual, "kink"])
    assert {"kink", *usual} <= {id for _, id in ids(capsys, "--select", "ALL")}
    project('ignore = ["ALL"]')
    assert cli.main(["check", "mine.loss"]) == 2
    project('select = ["ALL"]')
    assert ("kink.loss", "kink") in {(Path(file).name, id) for file, id in ids(capsys)}
    capsys.readouterr()
    assert cli.main(["check", "mine.loss", "-e", "--output-format", "compact", "--output-file", "found.txt"]) == 0
    assert PARAMETER in Path("found.txt").read_text(encoding="utf-8")


def test_statistics(project, capsys):
    assert cli.main(["check", ".", "--statistics"]) == 1
    assert capsys.readouterr().out == (
        f"    2  {DEFINITION}  Definition without use (with --fix)\n    2  {PARAMETER}   Parameter without use\n"
    )
    assert cli.main(["check", ".", "--statistics", "--format", "json", "--exit-zero"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0] == {"id": DEFINITION, "severity": "warning", "count": 2, "fixable": True}
    assert cli.main(["check", ".", "--statistics", "--format", "sarif"]) == 2


# --- further commands


@pytest.mark.parametrize(
    "arguments, value",
    [
        (["huber", "t=0", "x=3"], "2.5\n"),
        (["huber", "t=[[0, 0], [1, 1]]", "x=[[3, 0], [1, 5]]", "--param", "delta=0.5"], "[0.6875, 0.9375]\n"),
        (["(t - x)^2", "t=1", "x=3", "--grad"], "4.0\ngradient in x: 4.0\n"),
        (["(t - x)^2", "t=1", "x=3", "--wrt", "t"], "4.0\ngradient in t: -4.0\n"),
        (["loss g(t, (m, s))\n(t - m)^2/s", "t=[[1]]", "(m, s)=[[3, 2]]"], "[2.0]\n"),
    ],
)
def test_values_for_given_numbers(capsys, arguments, value):
    assert (cli.main(["eval", *arguments]), capsys.readouterr().out) == (0, value)


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["huber", "t=0"], "without x"), (["huber", "t=0", "y=3"], "has no input `y`"),
        (["huber", "t=0", "x=[1, 2]"], "do not agree"), (["huber", "t=0", "x=a"], "is no number"),
        (["huber", "t=0", "delta=3"], "`--param delta=3`"), (["huber", "3"], "INPUT=VALUE"),
        (["huber", "t=0", "x=1e999"], "too large"), (["huber", "t=0", "x=[[1], 2]"], "differ in length"),
    ],
)  # fmt: skip
def test_wrong_use_of_eval(capsys, arguments, said):
    assert cli.main(["eval", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_new_loss_is_in_form_and_has_nothing_wrong(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["new", "mine"]) == 0
    assert cli.main(["new", "mine"]) == 2
    assert cli.main(["new", "a-b"]) == 2
    assert cli.main(["new", "loss"]) == 2
    assert cli.main(["new", "nowhere/mine"]) == 2
    assert cli.main(["-q", "new", "my_huber.loss", "--like", "huber"]) == 0
    assert lossdsl.load(Path("my_huber.loss")).name == "my_huber"
    assert cli.main(["check", "--strict", "."]) == 0
    assert cli.main(["fmt", "--check", "."]) == 0
    assert capsys.readouterr().out.endswith("2 files in canonical form\n")


def test_quiet_says_what_was_asked_for_alone(project, capsys):
    Path("mine.loss").write_text("(t - x)^2\n")
    for arguments in (["-q", "check", "mine.loss"], ["check", "mine.loss", "--quiet"], ["fmt", "mine.loss", "-q"]):
        assert (cli.main(arguments), capsys.readouterr().out) == (0, "")


def test_help_of_a_command(capsys):
    assert cli.main(["help", "check"]) == 0
    assert "--statistics" in capsys.readouterr().out
    assert cli.main(["help"]) == 0
    assert "exit status" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        cli.main(["help", "chekc"])
    assert ended.value.code == 2
    assert "did you mean `check`?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, variables, coloured",
    [
        ([], {}, False), (["--color", "always"], {}, True), ([], {"FORCE_COLOR": "1"}, True),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, True), (["--color", "never"], {"FORCE_COLOR": "1"}, False),
        (["--color", "always"], {"NO_COLOR": "1", "TERM": "dumb"}, True),
        (["--color", "auto"], {"FORCE_COLOR": ""}, False),
    ],
)  # fmt: skip
def test_colours(capsys, monkeypatch, arguments, variables, coloured):
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for line in ([*arguments, "check", "t -"], ["check", "t -", *arguments]):
        assert cli.main(line) == 1
        assert ("\x1b[" in capsys.readouterr().out) == coloured
