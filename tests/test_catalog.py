"""The catalogue: what each file owes its reader, and how a loss is found. `test_checks.py` checks the files."""

import re
from collections.abc import Iterator
from typing import Any

import mpmath
import pytest
from shipped import THOROUGH

import lossdsl
from lossdsl import catalog, pipeline
from lossdsl.ir.ops import function_names

NAMES = catalog.names()
YEAR = re.compile(r"\(\d{4}\)")
ORIGIN = re.compile("# (by hand|mpmath, 50 digits)(: )?")


@pytest.fixture(scope="module")
def losses():
    return {name: pipeline.program(pipeline.builtin(name)).loss for name in NAMES}


def test_there_are_250_of_them_in_families():
    assert len(NAMES) >= 250
    assert len(catalog.families()) >= 18
    assert sorted(name for family in catalog.families() for name in catalog.names(family)) == NAMES


def test_a_name_means_one_loss():
    """No two files, in whatever families, have one name; no other name is a second loss's, or a function's."""
    others = [alias for name in NAMES for alias in catalog.aliases(name)]
    assert len(set(NAMES) | set(others)) == len(NAMES) + len(others)
    assert not {*NAMES, *others} & {*function_names(), *catalog.families()}
    assert all(word.isidentifier() for word in (*NAMES, *others))


def test_a_loss_is_found_by_each_of_its_names():
    for name in NAMES:
        for word in (name, *catalog.aliases(name)):
            assert catalog.full_name(word) == catalog.full_name(f"{catalog.family_of(name)}/{word}") == name
    assert catalog.full_name("ranking/huber") is None
    with pytest.raises(lossdsl.LossError, match="list --family robust"):
        lossdsl.load("robust")
    assert catalog.read("robust/") is None


@pytest.mark.parametrize("name", NAMES)
def test_a_file_says_what_its_reader_needs(name, losses):
    loss = losses[name]
    file = pipeline.builtin(name)
    assert [one.header.name.text for one in file.losses] == [name]
    title, references, *about = catalog.documentation(name).split("\n\n")
    assert " ".join(title.split()) == catalog.title(name)
    assert title[0].isupper()
    assert title.endswith(".")
    assert YEAR.search(references)
    text = " ".join(" ".join(about).split())
    words = set(re.findall(r"\w+", text))
    assert {spec.name for spec in loss.parameters} <= words, "a parameter is not explained"
    named = {node.name for spec in loss.inputs for node in spec.nodes} - words
    assert not named or "corners of a box" in text or "those of `dpo`" in text, f"not explained: {named}"


def test_each_reference_has_an_address_and_each_loss_a_promise(losses):
    address = re.compile(r"doi:10\.\d{4,9}/\S|arXiv:\d{4}\.\d{4,5}|https?://\S")
    assert {name for name in NAMES if not address.search(catalog.documentation(name))} == set()
    assert [name for name in NAMES if not losses[name].expectations] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_file_has_examples_of_stated_origin(name):
    program = pipeline.program(pipeline.builtin(name))
    found = list(origins(program.loss))
    assert len(found) == len(program.loss.examples)
    assert len(found) >= (3 if program.is_elementwise and len(program.loss.prediction.nodes) == 1 else 1)
    assert all(any(map(ORIGIN.match, lines)) for lines in found), found


def origins(loss: Any) -> Iterator[list[str]]:
    """The comments above each example."""
    lines = loss.source.text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("example"):
            before = number
            while lines[before - 1].startswith("#"):
                before -= 1
            yield lines[before:number]


MATH = mpmath.MPContext()
MATH.dps = 50
KNOWN = {
    name: getattr(MATH, name)
    for name in "log exp sqrt tanh tan cos sin cosh atan acos pi gamma besseli log10 ncdf mpf".split()  # noqa: SIM905
} | {"log2": lambda a: MATH.log(a, 2)}
NUMBER = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?(?:e-?\d+)?)")


def worked_out(origin: str) -> list[Any]:
    """The values of "a, b, with c = 1" at 50 digits; what stands before the last semicolon is words."""
    text, _, names = origin.replace("^", "**").partition(", with ")
    known = dict(KNOWN)
    for each in filter(None, names.split(";")):
        name, _, value = each.partition("=")
        known[name.strip()] = _value(value, known)
    return list(_value(f"({text.split(';')[-1]},)", known))


def _value(text: str, known: dict[str, Any]) -> Any:
    return eval(NUMBER.sub(r'mpf("\1")', text.strip()), {"__builtins__": {}}, known)  # noqa: S307 - our own comment


def flat(value: Any) -> list[Any]:
    return [one for each in value for one in flat(each)] if isinstance(value, list | tuple) else [value]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in THOROUGH])  # their origins are told in words
def test_an_example_has_the_value_that_its_origin_tells(name, losses):
    for example, lines in zip(losses[name].examples, origins(losses[name]), strict=True):
        text = " ".join(line.removeprefix("# ") for line in lines)
        found = worked_out(ORIGIN.sub("", f"# {text}", count=1))
        wanted = flat(example.expected)
        assert len(found) == len(wanted), text
        for one, written in zip(found, wanted, strict=True):
            gap = abs(one - MATH.mpf(written.value.numerator) / written.value.denominator)
            assert gap <= MATH.mpf(written.unit.numerator) / written.unit.denominator, text


def test_a_file_that_is_compiled_is_the_only_one_that_is_read(monkeypatch):
    read, original = [], catalog.Path.read_text
    monkeypatch.setattr(catalog.Path, "read_text", lambda path, **how: read.append(path.stem) or original(path, **how))
    catalog._text.cache_clear()
    assert catalog.read("huber").name == "huber.loss"
    assert read == ["huber"]
