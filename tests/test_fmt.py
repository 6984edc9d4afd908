"""The canonical form of a text, and the command that writes it."""

import io
import random
import stat
import sys
from pathlib import Path

import pytest

from lossdsl import cli
from lossdsl.frontend import syntax
from lossdsl.frontend.format import COLUMNS, formatted
from lossdsl.frontend.parse import parse, tokens
from lossdsl.source import Source

ROOT = Path(__file__).parents[1]
FILES = [*sorted((ROOT / "lossdsl" / "catalog").glob("*/*.loss")), *sorted((ROOT / "examples").glob("*.loss"))]
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in FILES}

# a text -> its canonical form
FORMS = [
    ("abs( t-x )**2 /2", "abs(t - x)^2/2"),
    ("-  x^ -2*- t", "-x^-2*-t"),
    ("where(t>0 and not(x<=1 or 2<x),0,sum [ batch , j if t[ j ]!=t ](x [1 :]-x[ : -1]))",
     "where(t > 0 and not (x <= 1 or 2 < x), 0, sum[batch, j if t[j] != t](x[1:] - x[:-1]))"),
    ("sum[ j in batch ](x[j])*( t )", "sum[j in batch](x[j])*(t)"),
    ("f(u)=u^2\nhuber( t,f( x ) ;delta= .50 )", "f(u) = u^2\nhuber(t, f(x); delta=.50)"),
    ("cases( t<0 :-1 ,else :(x) )", "cases(t < 0: -1, else: (x))"),
    ("a   =   t #1\n#2\n\n\n\n#3\nx*a#4\n#5\n\n", "a = t   #1\n#2\n\n#3\nx*a   #4\n#5"),
    ("\n\n#1\n\n\nt*x", "#1\n\nt*x"),
    ("loss f( (a,b):prob scalar,x ;k:int=2,w : vector= 1e-3 )\nrequire k>0\nx*k*a*b*w\n"
     "expect  smooth ,zero  at t=x \nexample ( a,b ) =[ [ 1 ,2.50] ],x = -1,k=3->[-0.50 ]",
     "loss f((a, b): prob scalar, x; k: int = 2, w: vector = 1e-3)\nrequire k > 0\n\nx*k*a*b*w\n\n"
     "expect smooth, zero at t=x\nexample (a, b)=[[1, 2.50]], x=-1, k=3 -> [-0.50]"),
    ('"""Doc  kept:\n\t  a ,b\n  """\n\n\nloss f(t, x)\n\nrequire 1 < 2\n# own\nt*x\nloss g(t, x)\n# of g\nf(t, x)',
     '"""Doc  kept:\n\t  a ,b\n  """\nloss f(t, x)\nrequire 1 < 2\n\n# own\nt*x\n\nloss g(t, x)\n\n# of g\nf(t, x)'),
    # line breaks inside brackets: after a comma they are the author's, elsewhere they go
    ("cases(t < 0: 1,\n x > 1: 2,\n\n   else: 3)", "cases(t < 0: 1,\n      x > 1: 2,\n      else: 3)"),
    ("(\nt -\nx\n)^2", "(t - x)^2"),
    ("(t\n - x)^2", "(t\n - x)^2"),
    ("max(t,   # one\n# two\n  x # three\n )", "max(t,   # one\n    # two\n    x   # three\n    )"),
    ("max(# one\nt, x)", "max(   # one\n    t, x)"),
]  # fmt: skip


@pytest.mark.parametrize("text, expected", FORMS)
def test_forms(text, expected):
    assert formatted(Source(text)) == f"{expected}\n"
    assert formatted(Source(f"{expected}\n")) == f"{expected}\n"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_files_of_the_project_are_in_canonical_form(path):
    text = path.read_text(encoding="utf-8")
    assert formatted(Source(text)) == text


def bare(node):
    """A syntax tree without places."""
    if isinstance(node, syntax.FileText):
        return [(loss.doc, bare(loss.header), bare(loss.lines)) for loss in node.losses]
    if isinstance(node, tuple):
        return tuple(map(bare, node))
    if isinstance(node, syntax.Expect):
        return [" ".join(part.split()) for part in node.text.split(",")]
    if isinstance(node, syntax.Node):
        names = [name for name in node.__dataclass_fields__ if name != "span"]
        return type(node).__name__, *(bare(getattr(node, name)) for name in names)
    return node


def comments(source: Source) -> list[str]:
    """The comments of a text, in order."""
    found = []
    end = 0
    for start, stop in [*((s.start, s.end) for kind, s in tokens(source) if kind != "_NL"), (len(source.text),) * 2]:
        found += [line.strip() for line in source.text[end:start].split("\n") if line.strip()]
        end = stop
    return found


def shaken(text: str, chance: random.Random) -> str:
    """The same tokens with other white space, other line breaks inside brackets, more comments and blank lines."""
    source = Source(text)
    parts = []
    depth = 0
    end = 0
    for kind, span in tokens(source):
        between = text[end : span.start]
        if kind == "_NL":
            between, end = "", span.start
            lines = text[span.start : span.end].split("\n")[1:-1]
            parts.append("\n" + "".join(f"{line}\n" * 1 + "\n" * chance.choice([0, 0, 3]) for line in lines))
            end = span.end
            parts.append(chance.choice(["", "# new one\n", "\n\n", "  "]))
            continue
        kept = between.strip(" ")
        if "#" not in kept and depth and end:
            between = chance.choice(["", " ", "  ", "\t", "\n", " # n\n", "\n\n  # m\n # o\n "])
        elif "#" not in kept and end:
            between = chance.choice([" ", "  ", "\t"])
        parts.append(between if end else text[: span.start])
        if end and not between and parts[-2:] and text[end - 1 : end].isalnum() and span.text[0].isalnum():
            parts.append(" ")
        if end and not between and (text[end - 1] in "-<>=!*" and span.text[0] in ">=*"):
            parts.append(" ")
        parts.append(span.text)
        depth += span.text in ("(", "[")
        depth -= span.text in (")", "]")
        end = span.end
    return "".join([*parts, text[end:]])


@pytest.mark.parametrize("name", TEXTS)
def test_the_meaning_and_the_comments_stay_and_a_second_time_nothing_changes(name):
    chance = random.Random(name)
    for text in [TEXTS[name], shaken(TEXTS[name], chance)]:
        source = Source(text)
        once = Source(formatted(source))
        assert bare(parse(once)) == bare(parse(source))
        assert comments(once) == comments(source)
        assert formatted(once) == once.text
        assert not any(line != line.rstrip() for line in once.text.split("\n") if '"""' not in once.text)


def test_a_line_is_broken_where_it_would_be_too_long():
    chance = random.Random(1)
    for _ in range(40):
        terms = ["x^2*t" + chance.choice(["/a", "/alphabet"]) * chance.randrange(3) for _ in range(60)]
        signs = [chance.choice([" + ", " - ", "*", ", "]) for _ in terms]
        text = "".join(term + sign for term, sign in zip(terms, signs, strict=True)) + "x"
        once = formatted(Source(f"f({text})"))
        assert max(map(len, once.splitlines())) <= COLUMNS
        assert formatted(Source(once)) == once


# --- the command


UGLY, NEAT = "loss f(t,x)\n(t-x)**2 # c\n", "loss f(t, x)\n\n(t - x)^2   # c\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for name, text in [("ugly.loss", UGLY), ("in/neat.loss", NEAT), ("in/ugly.loss", UGLY)]:
        (tmp_path / name).write_bytes(text.encode())
    return tmp_path


def run(capsysbinary, *arguments: str) -> tuple[int, str, str]:
    status = cli.main(["fmt", *arguments])
    shown = capsysbinary.readouterr()
    return status, shown.out.decode(), shown.err.decode()


def test_files_and_folders_are_rewritten(folder, capsysbinary):
    status, out, err = run(capsysbinary, "ugly.loss", "in")
    assert (status, err) == (0, "")
    inside = Path("in") / "ugly.loss"
    assert out == f"rewritten: ugly.loss\nrewritten: {inside}\n2 files rewritten, 1 file in canonical form\n"
    assert {path.read_bytes() for path in folder.rglob("*.loss")} == {NEAT.encode()}
    assert sorted(path.name for path in folder.rglob("*")) == ["in", "neat.loss", "ugly.loss", "ugly.loss"]
    assert run(capsysbinary, "--check", ".") == (0, "3 files in canonical form\n", "")


def test_check_names_what_would_change(folder, capsysbinary):
    status, out, err = run(capsysbinary, "--check", "in", "ugly.loss")
    assert (status, err) == (1, "")
    inside = Path("in") / "ugly.loss"
    assert out == (
        f"would be rewritten: {inside}\nwould be rewritten: ugly.loss\n"
        "2 files would be rewritten, 1 file in canonical form\n"
    )
    assert (folder / "ugly.loss").read_bytes() == UGLY.encode()


def test_diff_is_unified(folder, capsysbinary):
    status, out, err = run(capsysbinary, "--diff", "ugly.loss")
    assert (status, err) == (1, "")
    assert out.split("\n") == [
        "--- ugly.loss", "+++ ugly.loss", "@@ -1,2 +1,3 @@",
        "-loss f(t,x)", "-(t-x)**2 # c", "+loss f(t, x)", "+", "+(t - x)^2   # c", "",
    ]  # fmt: skip
    assert run(capsysbinary, "--diff", "in/neat.loss") == (0, "", "")
    assert (folder / "ugly.loss").read_bytes() == UGLY.encode()


@pytest.mark.parametrize(
    "arguments, status, expected", [([], 0, NEAT), (["--check"], 1, "would be rewritten: <stdin>\n")]
)
def test_standard_input_goes_to_standard_output(monkeypatch, capsysbinary, arguments, status, expected):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(UGLY.encode())))
    assert run(capsysbinary, *arguments, "-") == (status, expected, "")


def test_a_file_with_a_mistake_is_left_alone(folder, capsysbinary):
    (folder / "wrong.loss").write_text("loss f(t, x)\n(t - x\n", encoding="utf-8")
    (folder / "other.loss").write_bytes(b"\xff")
    status, out, err = run(capsysbinary, "wrong.loss", "other.loss", "ugly.loss")
    assert status == 2
    assert "wrong.loss:2:1: syntax error" in err
    assert "other.loss is not UTF-8 text" in err
    assert out == "rewritten: ugly.loss\n1 file rewritten, 2 files left alone\n"
    assert (folder / "wrong.loss").read_text(encoding="utf-8") == "loss f(t, x)\n(t - x\n"


@pytest.mark.parametrize(
    "given, said",
    [
        ("train.yaml", "train.yaml is YAML, which stays as it was written"),
        ("nowhere.loss", "there is no file nowhere.loss"),
        ("huber", "`lossdsl show huber --stage text`"),
        ("empty", "there is no *.loss file in the folder empty"),
    ],
)
def test_wrong_use_touches_nothing(folder, capsysbinary, given, said):
    (folder / "empty").mkdir()
    (folder / "train.yaml").write_text("loss:   huber\n", encoding="utf-8")
    status, out, err = run(capsysbinary, "ugly.loss", given)
    assert (status, out) == (2, "")
    assert said in err
    assert (folder / "ugly.loss").read_bytes() == UGLY.encode()


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_ends_and_the_byte_order_mark_stay(folder, capsysbinary, mark, newline):
    path = folder / "ugly.loss"
    path.write_bytes(mark + UGLY.replace("\n", newline).encode())
    assert run(capsysbinary, "ugly.loss")[0] == 0
    assert path.read_bytes() == mark + NEAT.replace("\n", newline).encode()


def test_a_file_keeps_its_mode_and_a_link_its_target(folder, capsysbinary):
    path, link = folder / "ugly.loss", folder / "link.loss"
    path.chmod(0o640)
    link.symlink_to(path)
    assert run(capsysbinary, "link.loss")[0] == 0
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.read_bytes() == NEAT.encode()


def test_a_failed_write_leaves_the_old_file(folder, capsysbinary, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lossdsl.runtime.files.os.replace", full)
    status, _, err = run(capsysbinary, "ugly.loss")
    assert (status, "ugly.loss cannot be written: No space left" in err) == (2, True)
    assert (folder / "ugly.loss").read_bytes() == UGLY.encode()
    assert sorted(path.name for path in folder.iterdir()) == ["in", "ugly.loss"]
