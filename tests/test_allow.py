"""`allow` lines: what they acknowledge, for which loss, and that they stay with a loss wherever it goes."""

import pytest

import lossdsl
from lossdsl import pipeline
from lossdsl.checks import FINDINGS
from lossdsl.config import description
from lossdsl.source import Source

KEPT = 'allow unused-parameter "kept"'
HELPED = "loss first(t, x; a = 1.0)\n(t - x)^2\n{}\nloss second(t, x; a = 1.0)\nfirst(t, x)\n{}"


def told(text: str, **options) -> tuple[list[tuple[str, str]], list[str]]:
    """The ids of the findings, in order, with the reasons of those that are allowed; and the ids that count."""
    report = lossdsl.check(Source(text), **options)
    return [(one.id, one.allowed) for one in report.findings], [one.id for one in report.counted]


@pytest.mark.parametrize(
    "text, findings, counted",
    [
        (f"loss f(t, x; a = 1)\n(t - x)^2\n{KEPT}", [("unused-parameter", "kept")], []),
        # it stands anywhere among the lines, with a comment after it, and with every sign in its reason
        (f"loss f(t, x; a = 1)\n{KEPT}  # so far\n(t - x)^2", [("unused-parameter", "kept")], []),
        (
            'loss f(t, x; a = 1)\n(t - x)^2\nallow unused-parameter "see (2], #3 and ²"',
            [("unused-parameter", "see (2], #3 and ²")],
            [],
        ),
        # one line speaks for all findings of its kind, and for no other kind
        (
            f"loss f(t, x; a = 1, b = 2)\ne = t\n(t - x)^2\n{KEPT}",
            [("unused-parameter", "kept"), ("unused-parameter", "kept"), ("unused-definition", "")],
            ["unused-definition"],
        ),
        # a finding that is a remark
        ('loss mine(t, x)\nt - x\nallow unbounded-below "a joke"', [("unbounded-below", "a joke")], []),
        # each loss of a file has its own
        (HELPED.format(KEPT, KEPT), [("unused-parameter", "kept"), ("unused-parameter", "kept")], []),
        (
            HELPED.format(KEPT, ""),
            [("unused-parameter", "kept"), ("unused-parameter", "")],
            ["unused-parameter"],
        ),
        (
            HELPED.format("", KEPT),
            [("unused-parameter", ""), ("unused-parameter", "kept")],
            ["unused-parameter"],
        ),
        # what meets nothing
        (f"(t - x)^2\n{KEPT}", [("unmet-allow", "")], ["unmet-allow"]),
        (
            f"loss f(t, x; a = 1)\n(t - x)^2\n{KEPT}\n{KEPT}",
            [("unused-parameter", "kept"), ("unmet-allow", "")],
            ["unmet-allow"],
        ),
        # what meets nothing since it was not looked for is not told: the text means nothing
        ('sigmod(x) - t\nallow untested-gradient "a joke"', [("name-error", "")], ["name-error"]),
        # what cannot be acknowledged
        ('(t - x)^2\nallow jmp "why"', [("allow-error", "")], ["allow-error"]),
        ('(t - x)^2\nallow unmet-allow "why"', [("allow-error", "")], ["allow-error"]),
    ],
)
def test_what_is_acknowledged(text, findings, counted):
    assert told(text) == (findings, counted)


ROWS = [row for row in FINDINGS.values() if row.wrong]


@pytest.mark.parametrize("row", [row for row in ROWS if row.allowable], ids=lambda row: row.id)
def test_every_finding_that_may_be_acknowledged_can_be(row):
    findings, counted = told(f'{row.wrong}\nallow {row.id} "it is wanted"', asked=row.id)
    assert (row.id, "it is wanted") in findings
    assert not {row.id, "unmet-allow", "allow-error"} & set(counted)


@pytest.mark.parametrize(
    "text, options, findings",
    [
        ("abs(t - x)", {}, []),  # whether it meets something is not known: kinks were not looked for
        ("(t - x)^2", {}, []),
        ("(t - x)^2", {"asked": "flat-region"}, []),
        ("abs(t - x)", {"asked": "kink"}, [("kink", "why")]),
        ("abs(t - x)", {"properties": True}, [("kink", "why"), ("minimiser", "")]),
        ("(t - x)^2", {"asked": "kink"}, [("unmet-allow", "")]),
        ("(t - x)^2", {"properties": True}, [("minimiser", ""), ("unbounded-slope", ""), ("unmet-allow", "")]),
    ],
)
def test_what_is_told_only_where_it_is_asked_for_may_be_acknowledged_in_advance(text, options, findings):
    assert told(f'{text}\nallow kink "why"', **options)[0] == findings


@pytest.mark.parametrize("row", [row for row in FINDINGS.values() if not row.allowable], ids=lambda row: row.id)
def test_no_other_can_be(row):
    _, counted = told(f'(t - x)^2\nallow {row.id} "it is wanted"')
    assert counted == ["allow-error"]


def test_an_acknowledged_error_does_not_fail_a_loss():
    from lossdsl.checks import Finding, Report

    error = Finding("some", "error", "it is so")
    assert not Report("f", (error,)).ok
    report = Report("f", (Finding("some", "error", "it is so", allowed="known"),))
    assert report.ok
    assert str(report) == "f: 1 allowed"


TEXT = f'"""Half the square."""\nloss half(t, x; a = 1.0)\n0.5*(t - x)^2\n{KEPT}\n'


def allowances(program: pipeline.Program) -> list[tuple[str, str, int]]:
    return [(one.id, one.reason, one.span.line) for one in program.loss.allowances]


def test_the_loss_knows_it():
    program = lossdsl.load(TEXT).program
    assert allowances(program) == [("unused-parameter", "kept", 4)]
    assert "Allow kept  @4:1" in program.show("tree")
    assert program.show("text").endswith(KEPT)


def test_it_is_no_part_of_what_is_computed():
    plain = lossdsl.load(TEXT.replace(KEPT, ""))
    loss = lossdsl.load(TEXT)
    assert loss.program.loss.result is plain.program.loss.result
    for stage in ("loss", "latex", "gradient", "tensorflow"):
        assert loss.program.show(stage) == plain.program.show(stage)
    names: dict[str, object] = {}
    exec(loss.program.emitted("numpy", {"a": 1.0}), names)  # noqa: S102 - our own code
    assert callable(names["half"])


def test_it_stands_in_yaml():
    block = "".join(f"    {line}\n" for line in TEXT.splitlines())
    found = description(f"loss:\n  formula: |\n{block}", "loss")
    report = lossdsl.check(found.source)
    kept = [one for one in report.findings if one.allowed]
    assert [(one.allowed, one.span.line, one.span.column) for one in kept] == [("kept", 4, 21)]
    (allowance,) = pipeline.program(pipeline.parsed(found.source)).loss.allowances
    assert (allowance.span.line, allowance.span.column) == (6, 11)


def test_it_is_saved_with_a_keras_loss():
    import keras

    loss = lossdsl.compile(TEXT)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert allowances(again.spec.program) == allowances(loss.spec.program) != []
