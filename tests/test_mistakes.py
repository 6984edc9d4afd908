"""What newcomers are told of their mistakes: each has a cause and a remedy, as `known/mistakes.yaml` has them.

`LOSSDSL_UPDATE=1 pytest tests/test_mistakes.py` writes what is told anew; read the difference before you keep it.
"""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import lossdsl
from lossdsl import catalog
from lossdsl.checks.names import below
from lossdsl.config import description
from lossdsl.frontend import syntax as s
from lossdsl.frontend.notations import NOTATIONS, notation_hint
from lossdsl.frontend.parse import parse
from lossdsl.ir.ops import function_names
from lossdsl.runtime.spec import LoadedLoss, axes_of
from lossdsl.source import Source

FILE = Path(__file__).parent / "known" / "mistakes.yaml"
MISTAKES: list[dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))


def told(mistake: dict[str, Any]) -> lossdsl.LossError:
    with pytest.raises(lossdsl.LossError) as caught:
        from_yaml(mistake["yaml"]) if "yaml" in mistake else lossdsl.load(Source(mistake["text"], "mine.loss"))
    return caught.value


def from_yaml(text: str) -> None:
    found = description(f"{text}\n", "loss")
    with found.blamed():
        LoadedLoss(found.source, axes_of(found.options.get("axis", -1)), found.parameters)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: str(mistake.get("text") or mistake.get("yaml")))
def test_a_mistake_is_told_with_cause_and_remedy(mistake, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    error = told(mistake)
    if os.environ.get("LOSSDSL_UPDATE"):
        text = FILE.read_text(encoding="utf-8")
        for key, now in (("cause", error.message), ("remedy", error.hint or "")):
            text = text.replace(f"  {key}: {_quoted(mistake[key])}\n", f"  {key}: {_quoted(now)}\n")
        FILE.write_text(text, encoding="utf-8")
    else:
        assert (error.message, error.hint) == (mistake["cause"], mistake["remedy"])
        assert error.hint


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def test_there_are_many_and_each_is_another():
    texts = [mistake.get("text") or mistake["yaml"] for mistake in MISTAKES]
    assert len(set(texts)) == len(texts) >= 250


def test_every_notation_is_met_by_a_mistake():
    """A row that nothing meets is a row that some other one hides."""
    met = set()
    for mistake in MISTAKES:
        text = mistake.get("text", "")
        hints = {notation_hint(Source(text, ""), at) for at in range(len(text))}
        met |= {row for row in NOTATIONS if any(hint and _is_of(row.hint, hint) for hint in hints)}
    assert [row.hint for row in NOTATIONS if row not in met] == []


def _is_of(hint: str, told: str) -> bool:
    return re.fullmatch(re.sub(r"\\\{\w+\\\}", ".*", re.escape(hint)), told) is not None


CODE = [code for row in NOTATIONS for code in re.findall(r"`([a-z_]+[\[(].*?[)\]])`", row.hint) if "{" not in code]


@pytest.mark.parametrize("code", [code for code in CODE if "…" not in code and not code.startswith("loss")])
def test_what_a_notation_says_to_write_is_in_the_language(code):
    file = parse(Source(re.sub(r"\bcondition\b", "a > b", code)))
    called = {node.function.text for node in below(file.losses[0].lines) if isinstance(node, s.Call)}
    assert called <= {*function_names(), *catalog.known()}
