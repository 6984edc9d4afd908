"""The documents, tried: the README's files are written, its commands and Python run in order, and the losses of the
language's description are checked. Tables are those of the project.

`python tests/test_readme.py` writes the tables of built-in losses and functions anew.
"""

import doctest
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
LANGUAGE = ROOT / "docs" / "language.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
TABLE = re.compile(r"(<!-- (?:built-ins|functions): .*? -->\n)(.*?)(<!-- end of \S+ -->)", re.S)

# What the tables of the project do not say: constants, and functions that the resolver writes in terms of others.
OTHERS = {
    "pi": ("pi", "3.14159…"),
    "inf": ("inf", "infinity"),
    "epsilon": ("epsilon", "1e-7, Keras's fuzz factor"),
    "cases": ("cases(c: a, …, else: b)", "a of the first condition that holds"),
    "clip": ("clip(a, lo, hi)", "min(max(a, lo), hi)"),
    "onehot": ("onehot(t)", "1 at the element of the last axis that the label t names, else 0"),
}


def built_ins() -> str:
    """The table of built-in losses: the families, and the names in each."""
    from lossdsl import catalog

    rows = [f"There are {len(catalog.names())}, in {len(catalog.families())} families:", ""]
    rows += ["| family | losses |", "|---|---|"]
    for family in catalog.families():
        rows.append(f"| [{family}](docs/losses/{family}.md) | {', '.join(catalog.names(family))} |")
    return "\n".join(rows)


def functions() -> str:
    """The table of functions and constants."""
    from lossdsl.ir.ops import AGGREGATES, OPS, function_names

    rows = ["| written | meaning |", "|---|---|"]
    along = ["", "| over `last`, or what stands in brackets | meaning |", "|---|---|"]
    for name in function_names():
        if name in OTHERS:
            rows.append("| `{}` | {} |".format(*OTHERS[name]))
        elif name in OPS:
            rows.append(f"| `{name}({', '.join(OPS[name].args)})` | {_cell(OPS[name].doc)} |")
        if name in AGGREGATES:
            arguments = {"dot": "a, b"}.get(name, "e, key" if AGGREGATES[name].arity[1] > 1 else "e")
            along.append(f"| `{name}({arguments})` | {_cell(AGGREGATES[name].doc)} |")
    return "\n".join([*rows, *along])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


TABLES = {README: built_ins, LANGUAGE: functions}


def test_its_blocks_run_in_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = README.read_text(encoding="utf-8")
    names: dict[str, object] = {}
    ran = dict.fromkeys(("loss", "yaml", "console", "python"), 0)
    for match in BLOCK.finditer(text):
        kind, body = match.groups()
        ran[kind] += 1
        line = text.count("\n", 0, match.start()) + 1
        if kind == "loss":
            Path("dead_zone.loss").write_text(body, encoding="utf-8")
            Path("wrong.loss").write_text(body.replace("e <= width", "e <= widht"), encoding="utf-8")
        elif kind == "yaml":
            Path("config.yaml").write_text(body, encoding="utf-8")
        elif kind == "console":
            command, _, expected = body.partition("\n")
            assert output(command.removeprefix("$ "), tmp_path) == expected, f"README.md:{line}"
        elif ">>>" in body:
            examples = doctest.DocTestParser().get_doctest(body, names, "README.md", "README.md", line)
            names = examples.globs
            outcome = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(examples, clear_globs=False)
            assert outcome.failed == 0, f"README.md:{line}"
        else:
            exec(compile("\n" * line + body, str(README), "exec"), names)  # noqa: S102 - the README's own snippets
    assert all(ran.values()), ran
    assert Path("pictures/dead_zone.png").is_file()
    compile(Path("huber.py").read_text(encoding="utf-8"), "huber.py", "exec")
    assert "def huber(" in Path("huber.py").read_text(encoding="utf-8")


def output(command: str, cwd: Path) -> str:
    """What a command prints in a reader's shell, which complains of nothing; status 1 tells that mistakes are shown."""
    shell = f'lossdsl() {{ {shlex.quote(sys.executable)} -m lossdsl "$@"; }}; {command}'
    inherited = os.environ.get("PYTHONPATH")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), inherited]))}
    done = subprocess.run(
        ["sh", "-c", shell], capture_output=True, text=True, cwd=cwd, env=environment, stdin=subprocess.DEVNULL
    )
    found = "error[" in done.stdout
    assert (done.returncode, done.stderr) == (int(found), ""), command
    return done.stdout


@pytest.mark.parametrize("document", TABLES, ids=lambda path: path.name)
def test_a_table_is_that_of_the_project(document):
    found = TABLE.search(document.read_text(encoding="utf-8"))
    assert found
    assert found[2].strip() == TABLES[document](), "write it anew: python tests/test_readme.py"


def test_every_function_is_described():
    from lossdsl.ir.ops import function_names

    text = LANGUAGE.read_text(encoding="utf-8")
    missing = [name for name in function_names() if not re.search(rf"^\| `{name}[`(]", text, re.M)]
    assert missing == []


LOSSES = [match[2] for match in BLOCK.finditer(LANGUAGE.read_text(encoding="utf-8")) if match[1] == "loss"]


@pytest.mark.parametrize("text", LOSSES, ids=range(len(LOSSES)))
def test_a_loss_of_the_description_passes_its_checks(text):
    import lossdsl

    assert lossdsl.check(text).counted == ()


def test_the_limits_are_those_of_the_code():
    from lossdsl.frontend import expressions, parse
    from lossdsl.frontend.tree_builder import MAX_DIGITS, MAX_EXPONENT
    from lossdsl.runtime import sources

    text = " ".join(LANGUAGE.read_text(encoding="utf-8").partition("## Limits")[2].partition("##")[0].split())
    limits = [parse.MAX_LENGTH, parse.MAX_NESTING, expressions.MAX_DEPTH, MAX_EXPONENT, MAX_DIGITS]
    found = [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", text)]
    assert found == [*limits, expressions.MAX_NODES, sources.MAX_BYTES]


# What the description says of values and slopes: formula, target, prediction -> value
SAID = [
    ("x + -2^2", 0, 1, -3),
    ("x + 2^3^2", 0, 1, 513),
    ("x + (t == 2)", 2, 1, 2),
    ("sum[j if t[j] > 9](x[j])", 0, 1, 0),
    ("count[last if t > 9](x > 0)", 0, 1, 0),
    ("mean[last if t > 9](x)", 0, 1, 0),
    ("norm[last if t > 9](x)", 0, 1, 0),
    ("prod[last if t > 9](x)", 0, 1, 1),
    ("x*any[last if t > 9](x > 0)", 0, 1, 0),
    ("x*all[last if t > 9](x > 0)", 0, 1, 1),
    ("max[last if t > 9](x)", 0, 1, float("-inf")),
    ("logsumexp[last if t > 9](x)", 0, 1, float("-inf")),
    ("min[last if t > 9](x)", 0, 1, float("inf")),
    ("cases(x > 1: x)", 0, 1, float("nan")),
]


@pytest.mark.parametrize("formula, target, prediction, expected", SAID)
def test_values_are_as_described(formula, target, prediction, expected):
    import lossdsl

    found = float(lossdsl.load(formula).numpy([float(target)], [float(prediction)]))
    assert found == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("label, value, slope", [(1, 20, [0, 1, 0]), (3, 30, [0, 0, 0]), (-1, 10, [0, 0, 0])])
def test_labels_are_as_described(label, value, slope):
    import lossdsl

    loss = lossdsl.load("loss picked(t: label, x)\nx[t]")
    assert loss.numpy([label], [[10, 20, 30]]) == [value]
    assert loss.numpy.grad([label], [[10, 20, 30]]).tolist() == [slope]
    assert lossdsl.check("loss nll(t: label, x: simplex)\nwhere(t == -1, 0, -log(x[t]))").ok


# formula, prediction -> slope
SLOPES = [
    ("where(x >= 0, x, 0)", 0, 1),
    ("where(x > 0, x, 0)", 0, 0),
    ("max(x, 0)", 0, 1),
    ("max(0, x)", 0, 0),
    ("clip(x, 0, 1)", 0, 1),
    ("clip(x, 0, 1)", 1, 1),
    ("relu(x)", 0, 0),
    ("abs(x)", 0, 0),
    ("norm(x)", 0, 0),
    ("std(x)", 0, 0),
    ("x*stop(x)", 3, 3),
    ("floor(x) + x", 0.5, 1),
    ("sqrt(x)", 0, float("inf")),
    ("sum[j if t[j] > 9](x[j]) + max[last if t > 9](x)", 1, 0),
]


@pytest.mark.parametrize("formula, prediction, expected", SLOPES)
def test_slopes_are_as_described(formula, prediction, expected):
    import lossdsl

    assert lossdsl.load(formula).numpy.grad([0.0], [float(prediction)]).tolist() == [expected]


def test_each_yaml_form_that_it_names_is_a_loss():
    import yaml

    import lossdsl

    text = README.read_text(encoding="utf-8")
    forms = re.findall(r"^  # or: (.*)$", text, re.M)
    assert len(forms) == 3
    for form in forms:
        assert lossdsl.from_config(yaml.safe_load(form)).spec.name


@pytest.mark.parametrize("document", [README, *sorted((ROOT / "docs").glob("*.md"))], ids=lambda path: path.name)
def test_its_links_lead_somewhere(document):
    text = re.sub(r"`[^`\n]+`", "", BLOCK.sub("", document.read_text(encoding="utf-8")))
    for target in re.findall(r"(?<!\w)\[[^\[\]]+\]\(([^()\s#]+)\)", text):
        assert target.startswith("http") or (document.parent / target).exists(), target


def written(document: Path) -> str:
    """A document with its table as it should be."""
    return TABLE.sub(lambda m: f"{m[1]}{TABLES[document]()}\n{m[3]}", document.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    for each in TABLES:
        each.write_text(written(each), encoding="utf-8")
