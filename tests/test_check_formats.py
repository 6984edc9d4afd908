"""The face of `lossdsl check`: its formats, what they are asked for, standard input, and the hook for pre-commit."""

import io
import json
import os
import re
import shlex
import sys
import threading
from pathlib import Path
from urllib.parse import unquote

import jsonschema
import pytest
import yaml
from sarif_schema import LOG

from lossdsl import checks, cli
from lossdsl.checks import FAMILIES, FINDINGS, Finding, Known
from lossdsl.cli import jobs, progress
from lossdsl.cli.formats import FORMATS
from lossdsl.cli.named import WrongUse

ROOT = Path(__file__).parents[1]
RIGHT = "loss right(t, x)\n(t - x)^2\n"
WRONG = "loss wrong(t, x)\n(t - sigmod(x))^2\n"
KEPT = 'loss kept(t, x; a = 1.0)\ne = t\n(t - x)^2\nallow unused-parameter "old, 100%: kept"\n'
REMARK = '"""A loss."""\nloss mine(t, x)\n(t - x)^2\n'
CONFIG = "train:\n  loss: |\n    e = t\n    (t - x)^2\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = {"right.loss": RIGHT, "wrong.loss": WRONG, "kept.loss": KEPT, "remark.loss": REMARK, "c.yaml": CONFIG}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(capsys):
    def run(*arguments):
        try:
            status = cli.main(["check", *arguments])
        except SystemExit as exit:
            status = int(exit.code or 0)
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def given(monkeypatch):
    """Puts bytes on standard input."""

    def given(data: bytes):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return given


def part(file: str, line: int, column: int, end_line: int, end_column: int) -> str:
    """What stands in a region of a file, counted by this test itself."""
    lines = Path(file).read_text(encoding="utf-8").split("\n")[line - 1 : end_line]
    lines[-1] = lines[-1][: end_column - 1]
    lines[0] = lines[0][column - 1 :]
    return "\n".join(lines)


# --- the formats


def test_the_usual_format_is_the_first(run):
    assert run("wrong.loss") == run("wrong.loss", "--format", next(iter(FORMATS)))


@pytest.mark.parametrize("name", ["text", "compact", "github"])
def test_findings_that_are_allowed_are_shown_on_demand(run, name):
    reason = {"github": "old, 100%25: kept"}.get(name, "old, 100%: kept")
    status, out, _ = run("kept.loss", "--format", name)
    assert (status, "unused-definition" in out, "unused-parameter" in out) == (1, True, False)
    status, out, _ = run("kept.loss", "--format", name, "--show-allowed")
    assert (status, "unused-definition" in out, f"allowed: {reason}" in out) == (1, True, True)


def test_the_summary_counts_what_is_allowed(run):
    assert run("kept.loss", "--ignore", "unused-definition")[:2] == (
        0,
        "1 loss checked: nothing found, 1 allowed (gradients in t and x proved)\n",
    )
    assert run("kept.loss", "right.loss")[1].endswith("2 losses checked: 1 warning, 1 allowed, 1 fixable with --fix\n")


def test_compact(run):
    (Path.cwd() / "binary.loss").write_bytes(b"\xff")
    assert run("wrong.loss", "right.loss", "c.yaml", "binary.loss", "t - y(x)", "--format", "compact") == (
        1,
        "wrong.loss:2:6: error[name-error] there is no function `sigmod`\n"
        "c.yaml:3:5: warning[unused-definition] nothing uses `e`\n"
        "binary.loss: error[file-error] binary.loss is not UTF-8 text (byte 0)\n"
        "<formula>:1:5: error[name-error] there is no function `y`\n",
        "",
    )


def test_json(run):
    status, out, _ = run("kept.loss", "right.loss", "--format", "json")
    document = json.loads(out)
    assert (status, out.isascii(), document["format"]) == (1, True, 2)
    assert document["counts"] == {"error": 0, "warning": 1, "info": 0}
    kept, right = document["losses"]
    place = {"file": "kept.loss", "line": 1, "column": 17, "end_line": 1, "end_column": 18, "text": "a"}
    assert kept["findings"] == [
        {
            "id": "unused-parameter",
            "severity": "warning",
            "message": "the parameter `a` has no influence on the loss",
            "hint": "remove it, or use it",
            "known": "read",
            "allowed": "old, 100%: kept",
            "fix": None,
            "place": place,
        },
        {
            "id": "unused-definition",
            "severity": "warning",
            "message": "nothing uses `e`",
            "hint": "remove it, or use it",
            "known": "read",
            "allowed": None,
            "fix": [{"line": 2, "column": 1, "end_line": 3, "end_column": 1, "text": ""}],
            "place": {**place, "line": 2, "column": 1, "end_line": 2, "end_column": 2, "text": "e"},
        },
    ]
    assert right == {
        "name": "right",
        "file": "right.loss",
        "ok": True,
        "findings": [],
        "passed": ["gradients in t and x proved"],
        "properties": [],
    }


def test_json_of_what_cannot_be_read(run):
    (Path.cwd() / "binary.loss").write_bytes(b"\xff")
    _, out, _ = run("binary.loss", "--format", "json")
    (loss,) = json.loads(out)["losses"]
    assert (loss["ok"], loss["file"], loss["findings"][0]["place"]) == (False, "binary.loss", None)


def test_github(run):
    name = "a,b:c%.loss"
    Path(name).write_text("loss g(t, x)\nsum[j](t - j)\nloss\n", encoding="utf-8")
    status, out, _ = run(name, "kept.loss", "t - y(x)", "--format", "github")
    assert status == 1
    broken, unused, formula = out.splitlines()
    assert broken.startswith("::error file=a%2Cb%3Ac%25.loss,line=3,")
    assert unused == (
        "::warning file=kept.loss,line=2,endLine=2,col=1,endColumn=2,title=lossdsl unused-definition"
        "::nothing uses `e`%0Ahelp: remove it, or use it"
    )
    assert formula.startswith("::error title=lossdsl name-error::there is no function `y`%0Ahelp: a function")


def test_github_has_one_line_for_each_finding(run):
    """Whatever a message holds; taken apart by the rules of the runner: data and properties are unescaped apart."""
    status, out, _ = run("remark.loss", "wrong.loss", "--format", "github", "--strict")
    kinds = [re.fullmatch(r"::(error|warning|notice) ([^:]*)::(.*)", line) for line in out.splitlines()]
    assert (status, [match and match[1] for match in kinds]) == (1, ["notice", "error"])


# --- SARIF

WRONGS = [path for name in ("a*.loss", "formula*.yaml") for path in sorted((ROOT / "tests" / "wrong").glob(name))]


def test_sarif_is_as_the_standard_says(run, folder):
    deep = folder / "deep er"
    deep.mkdir()
    (deep / "ü{0}.loss").write_text("loss f(t, x; 𝛼 = 1.0, b = 1.0)\n𝛼*sum[j](t - x)", encoding="utf-8")
    outside = ROOT / "tests" / "wrong" / "allow-unknown.loss"
    sources = ["deep er", "kept.loss", "c.yaml", str(folder / "wrong.loss"), "deep er/../remark.loss", "t - y(x)"]
    status, out, _ = run(*sources, str(outside), "--format", "sarif")
    document = json.loads(out)
    jsonschema.validate(document, LOG)
    assert (status, out.isascii()) == (1, True)
    (log,) = document["runs"]
    assert [rule["id"] for rule in log["tool"]["driver"]["rules"]] == list(FINDINGS)
    seen = []
    for result in log["results"]:
        assert list(FINDINGS)[result["ruleIndex"]] == result["ruleId"]
        for location in result.get("locations", []):
            place = location["physicalLocation"]
            uri = place["artifactLocation"]["uri"]
            file = unquote(uri.removeprefix("file://"))
            region = place["region"]
            text = part(file, *(region[name] for name in ("startLine", "startColumn", "endLine", "endColumn")))
            reasons = [suppression["justification"] for suppression in result["suppressions"]]
            seen.append((uri, result["ruleId"], result["level"], text, *reasons))
    assert seen == [
        ("deep%20er/%C3%BC%7B0%7D.loss", "unused-parameter", "warning", "b"),
        ("deep%20er/%C3%BC%7B0%7D.loss", "unbounded-below", "warning", "𝛼*sum[j](t - x)"),
        ("deep%20er/%C3%BC%7B0%7D.loss", "unused-index", "warning", "j"),
        ("kept.loss", "unused-parameter", "warning", "a", "old, 100%: kept"),
        ("kept.loss", "unused-definition", "warning", "e"),
        ("c.yaml", "unused-definition", "warning", "e"),
        ("wrong.loss", "name-error", "error", "sigmod"),
        ("remark.loss", "no-example", "note", "mine"),
        (outside.as_uri(), "unused-parameter", "warning", "a"),
        (outside.as_uri(), "allow-error", "error", "unused-paramter"),
    ]
    assert len(log["results"]) == len(seen) + 1  # the formula stands in no file


def test_sarif_of_many_mistakes(run):
    _, out, _ = run(*map(str, WRONGS), "--format", "sarif", "--jobs", "1")
    document = json.loads(out)
    jsonschema.validate(document, LOG)
    assert len(document["runs"][0]["results"]) > 30


@pytest.mark.parametrize(
    "spoil",
    [
        lambda log: log.pop("version"),
        lambda log: log["runs"][0].pop("columnKind"),
        lambda log: log["runs"][0]["results"][0].pop("suppressions"),
        lambda log: log["runs"][0]["results"][0].update(level="info"),
        lambda log: log["runs"][0]["results"][0].update(rule="syntax-error"),
        lambda log: log["runs"][0]["results"][0]["message"].update(text="write {y: 1}"),
        lambda log: log["runs"][0]["results"][0]["message"].update(text="write sum[j](x)"),
        lambda log: log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"].update(startColumn=0),
        lambda log: log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"].update(
            uri="/wrong.loss"
        ),
    ],
)
def test_what_the_standard_forbids_is_found(run, spoil):
    document = json.loads(run("wrong.loss", "--format", "sarif")[1])
    jsonschema.validate(document, LOG)
    spoil(document)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, LOG)


# --- places in YAML

HEAD = "loss f(t, x; a = 1.0, bé = 2.0)"
EXAMPLE = "example t=[0], x=[1] -> 3.0"
ALLOW = 'allow unused-index "z"'
STYLES = {
    "block": f"|\n      {HEAD}  # {{why}}\n\n        e = t + x\n      a*(t - x)^2\n      {EXAMPLE}\n      {ALLOW}\n",
    "stripped": f"|-\n      {HEAD}\n      e = t + x\n      a*(t - x)^2\n      {EXAMPLE}\n      {ALLOW}",
    "folded": f">\n    {HEAD}\n\n    e = t +\n\n    a*(t - x)^2\n",
    "quoted": f'"{HEAD}\\ne = t + x\\na*(t - x)^2\\n{EXAMPLE}\\nallow unused-index \\"z\\""',
    "over lines": f"'{HEAD}\n\n    e = t + x\n\n    a*(t - x)^2\n\n    {EXAMPLE}\n\n    {ALLOW}'",
    "escaped": f'"{HEAD}\\n\\\n    e = t + x\\na*(t - x)^2\\n{EXAMPLE}\\n\\x61llow unused-index \\"z\\""',
}
FOUND = {
    "unused-parameter": "bé",
    "unused-definition": "e",
    "example": EXAMPLE,
    "unmet-allow": "unused-index",
}


@pytest.mark.parametrize("style", [style for style in STYLES if style != "folded"])
@pytest.mark.parametrize("before", ["loss: ", "a:\n  losses:\n  - huber\n  - formula: "])
def test_findings_have_their_places_in_yaml(run, style, before):
    Path("p.yaml").write_text(before + STYLES[style], encoding="utf-8")
    _, out, _ = run("p.yaml", "--format", "json")
    found = {one["id"]: one["place"] for loss in json.loads(out)["losses"] for one in loss["findings"]}
    assert {name: place["text"] for name, place in found.items()} == FOUND
    for place in found.values():
        at = {name: place[name] for name in ("line", "column", "end_line", "end_column")}
        assert part(place["file"], *at.values()) == place["text"]


def test_a_folded_scalar_is_one_line_of_the_language(run):
    Path("p.yaml").write_text(f"loss: {STYLES['folded']}", encoding="utf-8")
    _, out, _ = run("p.yaml", "--format", "compact")
    assert out == "p.yaml:4:11: error[syntax-error] the line ends too early\n"


# --- what is asked for


@pytest.mark.parametrize(
    "options, status, ids",
    [
        ([], 1, ["unused-definition", "no-example"]),
        (["--select", "unused-definition"], 1, ["unused-definition"]),
        (["--select", "unused-index"], 0, []),
        (["--select", "unused-index, papers"], 0, ["no-example"]),
        (["--select", "unused-index", "--select", "papers", "--strict"], 1, ["no-example"]),
        (["--ignore", "names"], 0, ["no-example"]),
        (["--ignore", "names", "--strict"], 1, ["no-example"]),
        (["--ignore", "names,no-example", "--strict"], 0, []),
        (["--select", "names", "--ignore", "unused-definition"], 0, []),
        (["--strict", "--exit-zero"], 0, ["unused-definition", "no-example"]),
    ],
)
def test_what_is_chosen_and_what_counts(run, options, status, ids):
    got, out, _ = run("kept.loss", "remark.loss", "--format", "compact", *options)
    assert (got, re.findall(r"\[(\S+)\]", out)) == (status, ids)


@pytest.mark.parametrize(
    "options, status, ids",
    [
        ([], 0, []),
        (["--strict"], 0, []),
        (["--properties"], 0, ["kink", "minimiser"]),
        (["--properties", "--strict"], 1, ["kink", "minimiser"]),
        (["--properties", "--ignore", "kink"], 0, ["minimiser"]),
        (["--properties", "--select", "unused-index"], 0, []),
        (["--select", "kink"], 0, ["kink"]),
        (["--select", "kink", "--strict"], 1, ["kink"]),
        (["--select", "pieces"], 0, ["kink"]),
        (["--select", "pieces,minimiser", "--ignore", "kink"], 0, ["minimiser"]),
        (["--select", "jump,not-convex", "--strict"], 0, []),
    ],
)
def test_what_is_told_only_where_it_is_asked_for(run, options, status, ids):
    got, out, _ = run("abs(t - x)", "--format", "compact", *options)
    assert (got, re.findall(r"info\[(\S+)\]", out)) == (status, ids)


def test_what_cannot_be_read_is_always_told(run):
    assert run("wrong.loss", "--select", "unused-index")[0] == 1
    status, _, err = run("wrong.loss", "--ignore", "name-error")
    assert (status, "`name-error` cannot be ignored" in err) == (2, True)


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["right.loss", "--format", "jsn"], "there is no format `jsn`; did you mean `json`?"),
        (["right.loss", "--format", "zzz"], "there are text, compact, json, github or sarif"),
        (["right.loss", "--select", "unused-indx"], "did you mean `unused-index`?"),
        (["right.loss", "--ignore", "nmes"], "did you mean `names`?"),
        (["right.loss", "--ignore", "unused-index,"], "there is no finding ``"),
        (["right.loss", "--jobs", "0"], "--jobs is at least 1"),
        (["right.loss", "--jobs", "two"], "invalid int value: 'two'"),
        (["right.loss", "--stdin-filename", "a.loss"], "where a file is `-`"),
        (["-", "-"], "given once"),
        (["--explain", "unused-indx"], "did you mean `unused-index`?"),
        (["--explain", "zzz"], "`lossdsl check --list` names them"),
        (["right.loss", "--strct"], "unrecognized arguments: --strct"),
        (["wrong.loss", "nowhere.loss", "--format", "json", "--exit-zero"], "there is no file nowhere.loss"),
    ],
)
def test_wrong_use(run, arguments, said):
    """It is found before anything is printed."""
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert said in err


def test_the_formats_are_all_named_in_help(run):
    _, out, _ = run("--help")
    assert all(name in out for name in FORMATS)


# --- standard input


@pytest.mark.parametrize(
    "data, options, status, first",
    [
        (RIGHT, [], 0, ""),
        (WRONG, [], 1, "<stdin>:2:6: error[name-error] there is no function `sigmod`"),
        (WRONG.replace("\n", "\r\n"), [], 1, "<stdin>:2:6: error[name-error] there is no function `sigmod`"),
        (f"\ufeff{WRONG}", ["--stdin-filename", "a/b.loss"], 1, "a/b.loss:2:6: error[name-error]"),
        (CONFIG, ["--stdin-filename", "b.yaml"], 1, "b.yaml:3:5: warning[unused-definition]"),
        # files that YAML names are looked for beside it
        ("loss: {file: in.loss}", ["--stdin-filename", "deep/b.yml"], 1, "deep/in.loss:2:6: error[name-error]"),
        ("a: 1", ["--stdin-filename", "b.yaml"], 1, "b.yaml:1:1: error[config-error] there is no loss in this file"),
        ("", [], 1, "<stdin>:1:1: error[syntax-error] there is no loss in this text"),
    ],
)
def test_standard_input(run, given, data, options, status, first):
    Path("deep").mkdir()
    Path("deep/in.loss").write_text(WRONG, encoding="utf-8")
    given(data.encode())
    got, out, err = run("-", "--format", "compact", *options)
    assert (got, err) == (status, "")
    assert out.startswith(first)
    assert bool(out) == bool(first)


def test_standard_input_that_cannot_be_read(run, given, monkeypatch):
    given(b"\xff")
    assert run("-")[::2] == (
        2,
        "file error: standard input is not UTF-8 text (byte 0)\n  help: save it as UTF-8 in its editor\n",
    )
    given(b"x" * 1_000_001)
    status, _, err = run("-")
    assert (status, "more than 1000000 bytes" in err) == (2, True)
    monkeypatch.setattr(sys, "stdin", None)
    status, _, err = run("-")
    assert (status, "standard input is closed" in err) == (2, True)


def test_standard_input_stands_among_files(run, given):
    given(WRONG.encode())
    _, out, _ = run("right.loss", "-", "--format", "json")
    assert [loss["file"] for loss in json.loads(out)["losses"]] == ["right.loss", "<stdin>"]


# --- the table of findings


@pytest.mark.parametrize("row", FINDINGS.values(), ids=lambda row: row.id)
def test_every_finding_is_explained(run, row):
    status, out, err = run("--explain", row.id)
    assert (status, err) == (0, "")
    assert out.startswith(f"{row.id} ({row.severity}): {row.name}\n\n{row.meaning}\n")
    assert (f"allow {row.id} " in out) == row.allowable
    assert (f"`--properties`, or `--select {row.id}`" in out) == row.asked
    shown = [f"    {line}"[:90] for text in (row.wrong, row.right) if text for line in text.split("\n")]
    assert all(line in out for line in shown)
    assert max(map(len, out.split("\n"))) < 200


def test_all_findings_are_listed(run):
    status, out, _ = run("--list")
    assert status == 0
    assert [line.split()[:2] for line in out.splitlines()] == [[row.id, row.severity] for row in FINDINGS.values()]
    assert [line.endswith("(when asked for)") for line in out.splitlines()] == [row.asked for row in FINDINGS.values()]


def test_every_row_is_of_one_family_and_no_family_is_called_like_a_row():
    ids = [row.id for family in FAMILIES.values() for row in family.ROWS]
    assert ids == list(FINDINGS)
    assert not set(ids) & set(FAMILIES)


def test_the_examples_of_a_wrong_configuration(run, given):
    row = FINDINGS["config-error"]
    for text, ids in [(row.wrong, [row.id]), (row.right, [])]:
        given(text.encode())
        _, out, _ = run("-", "--stdin-filename", "a.yaml", "--format", "compact")
        assert re.findall(r"\[(\S+)\]", out) == ids


# --- what is known of properties


@pytest.fixture
def known(monkeypatch):
    verdicts = (
        Known("continuous", "proved", "intervals"),
        Known("convex", "refuted", "sympy", "second slope -2 at x = 0"),
        Known("smooth", "open"),
    )
    monkeypatch.setattr("lossdsl.checks.run.STUDIED", (lambda subject: iter(verdicts),))
    monkeypatch.setattr("lossdsl.checks.run.ASKED", {})


def test_properties_are_told_on_demand(run, known):
    assert run("right.loss")[1] == "1 loss checked: nothing found (1 property proved)\n"
    assert run("right.loss", "--properties")[1].splitlines() == [
        "properties of right:",
        "  continuous  proved   by intervals",
        "  convex      refuted  by sympy; second slope -2 at x = 0",
        "  smooth      open",
        "1 loss checked: nothing found (1 property proved)",
    ]
    assert run("right.loss", "--properties", "--format", "compact")[1].splitlines() == [
        "right.loss: continuous proved by intervals",
        "right.loss: convex refuted by sympy: second slope -2 at x = 0",
        "right.loss: smooth open",
    ]


def test_properties_are_in_the_document(run, known):
    (loss,) = json.loads(run("right.loss", "--format", "json")[1])["losses"]
    assert loss["properties"][1] == {
        "property": "convex",
        "how": "refuted",
        "by": "sympy",
        "detail": "second slope -2 at x = 0",
        "finding": None,
        "scope": "",
        "at": {},
        "points": 0,
    }


@pytest.mark.parametrize(
    "text, options, row",
    [
        ("abs(t - x)", [], "see kink above"),
        ("abs(t - x)", ["--ignore", "kink"], "by search; at t=0, x=0; the slope goes from -1 to 1"),
        ('abs(t - x)\nallow kink "a norm"', [], "by search; at t=0, x=0; the slope goes from -1 to 1"),
        ('abs(t - x)\nallow kink "a norm"', ["--show-allowed"], "see kink above"),
        ("abs(t - x)\nexpect smooth", [], "see broken-promise above"),
    ],
)
def test_what_a_finding_tells_the_table_does_not_tell_again(run, text, options, row):
    _, out, _ = run(text, "--properties", *options)
    (line,) = [line for line in out.splitlines() if line.startswith("  smooth ")]
    assert line.split(None, 2)[1:] == ["refuted", row]
    assert out.count("the slope goes from -1 to 1") == (row != "see kink above")


def test_remarks_that_were_asked_for_are_counted(run):
    assert (
        run("abs(t - x)", "--select", "kink")[1]
        .splitlines()[-1]
        .startswith("1 loss checked: nothing found, 1 remark (")
    )
    assert "1 loss checked: 1 remark (" in run("abs(t - x)", "--select", "kink", "--strict")[1]
    assert "1 loss checked: nothing found (" in run("abs(t - x)", "--select", "jump")[1]


def test_a_finding_that_was_asked_for_stands_for_its_verdict_in_every_format(run):
    _, out, _ = run("abs(t - x)", "--properties", "--format", "compact")
    assert "smooth" not in out
    assert "<formula>: convex proved" in out
    (loss,) = json.loads(run("abs(t - x)", "--properties", "--format", "json")[1])["losses"]
    named = {one["property"]: one["finding"] for one in loss["properties"]}
    assert (named["smooth"], named["convex"]) == ("kink", None)
    (kink,) = [one for one in loss["findings"] if one["id"] == "kink"]
    assert (kink["severity"], kink["known"], kink["place"]["text"]) == ("info", "refuted at t=0, x=0", "abs(t - x)")
    notices = run("abs(t - x)", "--properties", "--format", "github")[1].splitlines()
    assert [line.partition("::the ")[0] for line in notices] == [
        "::notice title=lossdsl kink",
        "::notice title=lossdsl minimiser",
    ]


def test_sarif_says_which_rules_are_off_unless_asked_for(run):
    document = json.loads(run("abs(t - x)", "--properties", "--format", "sarif")[1])
    jsonschema.validate(document, LOG)
    (log,) = document["runs"]
    off = [
        rule["id"] for rule in log["tool"]["driver"]["rules"] if not rule["defaultConfiguration"].get("enabled", True)
    ]
    assert off == [row.id for row in FINDINGS.values() if row.asked]
    assert [(one["ruleId"], one["level"]) for one in log["results"]] == [("kink", "note"), ("minimiser", "note")]


# --- many files: processes and the bar


def test_processes_change_nothing(run):
    for number in range(5):
        Path(f"l{number}.loss").write_text(f"loss l{number}(t, x)\ne = {number}\n(t - x)^2\n", encoding="utf-8")
    one = run(".", "c.yaml", "--jobs", "1", "--format", "json")
    assert run(".", "c.yaml", "--jobs", "2", "--format", "json") == one
    assert [loss["file"] for loss in json.loads(one[1])["losses"]][:3] == ["kept.loss", "l0.loss", "l1.loss"]


class Deadly:
    """Ends the process that takes it up."""

    def __reduce__(self):
        return os._exit, (1,)


def test_a_process_that_is_ended_is_told():
    with pytest.raises(WrongUse, match="--jobs 1"):
        list(jobs.reports([Deadly(), Deadly()], 2, {}))


def test_few_losses_take_one_process():
    assert [jobs.usual(count) for count in (0, 1, jobs.MANY - 1)] == [1, 1, 1]
    assert 1 <= jobs.usual(1000) <= jobs.MOST


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Makes standard error a terminal; in the test itself, since capturing starts after fixtures are made."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def terminal() -> Terminal:
        stream = Terminal()
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    return terminal


def test_the_bar_says_how_far_it_is_and_goes_away(terminal):
    stream = terminal()
    bar = progress._Bar(3)
    bar.advance()
    bar.show()
    bar.advance()
    bar.close()
    plain = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", stream.getvalue())
    assert re.search(r"checking .*2/3", plain)
    assert stream.getvalue().endswith("\x1b[1A\x1b[2K")  # up, and the line is gone


def test_a_bar_that_comes_too_late_is_not_shown(terminal):
    stream = terminal()
    bar = progress._Bar(3)
    bar.close()
    bar.show()
    assert stream.getvalue() == ""


@pytest.mark.parametrize("variables, coloured", [({}, True), ({"NO_COLOR": "1"}, False)])
def test_the_bar_has_colours_where_they_are_wanted(terminal, monkeypatch, variables, coloured):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    stream = terminal()
    bar = progress._Bar(1)
    bar.show()
    bar.close()
    assert bool(re.search(r"\x1b\[[\d;]*m", stream.getvalue())) == coloured


def test_the_bar_waits_for_long_work_and_a_terminal(monkeypatch, terminal, run):
    started = []

    class Timer(threading.Timer):
        def start(self) -> None:
            started.append((self.interval, self))

    monkeypatch.setattr(threading, "Timer", Timer)
    stream = terminal()
    assert run("right.loss")[0] == 0
    ((interval, timer),) = started
    assert (interval, timer.finished.is_set()) == (progress.PATIENCE, True)  # cancelled
    timer.function()
    assert stream.getvalue() == ""
    monkeypatch.setenv("TERM", "dumb")
    run("right.loss")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    run("right.loss")
    assert len(started) == 1


# --- pre-commit


def test_the_hooks_for_pre_commit(capsys, folder):
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert [hook["id"] for hook in hooks] == ["lossdsl-check", "lossdsl-fmt"]
    arguments = {}
    for hook in hooks:
        assert {"id", "name", "entry", "language"} <= set(hook)  # what pre-commit requires of a hook
        assert hook["language"] == "python"
        matching = sorted(path.name for path in folder.iterdir() if re.search(hook["files"], path.name))
        assert matching == ["kept.loss", "remark.loss", "right.loss", "wrong.loss"]
        program, *arguments[hook["id"]] = shlex.split(hook["entry"])
        assert f'{program} = "lossdsl.cli:console"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    check, form = arguments.values()
    assert cli.main([*check, "right.loss"]) == 0
    assert cli.main([*check, *matching]) == 1
    assert "wrong.loss:2:6: error[name-error]" in capsys.readouterr().out
    (folder / "right.loss").write_text("loss right(t,x)\n(t-x)^2\n", encoding="utf-8")
    assert cli.main([*form, *matching]) == 0  # pre-commit sees for itself that a file has changed
    assert "loss right(t, x)" in (folder / "right.loss").read_text(encoding="utf-8")


def test_a_finding_of_another_severity_is_coloured_alike_in_every_format():
    """Each format gives a line its severity, by which the terminal colours it, or none for a document."""
    from lossdsl.cli.formats import Checked

    report = checks.Report("f", (Finding("some", "warning", "it is so"),), file="f.loss")
    shown = {name: next(FORMATS[name](Checked((report,)))).severity for name in ("text", "compact", "json", "github")}
    assert shown == {"text": "warning", "compact": "warning", "json": "", "github": ""}
