"""The words of other libraries: each row is met by a message, and what it says to write is in the language."""

import re

import pytest

import lossdsl
from lossdsl import catalog
from lossdsl.checks.names import below
from lossdsl.frontend import foreign_signs as signs
from lossdsl.frontend import foreign_words as words
from lossdsl.frontend import syntax as s
from lossdsl.frontend.parse import parse
from lossdsl.frontend.scripts import as_latin, confusion, scripts
from lossdsl.ir.ops import function_names
from lossdsl.source import Source

TABLES = [
    words.FUNCTIONS, words.CONSTANTS, words.KEYWORDS, words.INPUT_KINDS, words.PARAMETER_KINDS, words.AXES,
    words.STATEMENTS, signs.LATEX, signs.CHARACTERS,
]  # fmt: skip
CODE = sorted({row.here for table in (words.FUNCTIONS, words.CONSTANTS, signs.LATEX) for row in table if row.here})


@pytest.mark.parametrize("text", [text for text in CODE if text != "name = a"])
def test_what_stands_for_a_word_is_in_the_language(text):
    file = parse(Source(re.sub(r"\bcondition\b", "a > b", text)))
    called = {node.function.text for node in below(file.losses[0].lines) if isinstance(node, s.Call)}
    assert called <= {*function_names(), *catalog.known()}


def test_no_word_stands_twice_and_none_is_of_the_language():
    for table in TABLES:
        each = [word for row in table for word in row.words.split()]
        assert sorted({word for word in each if each.count(word) > 1}) == []
    assert {word for row in words.FUNCTIONS for word in row.words.split()} & set(function_names()) == set()


@pytest.mark.parametrize("row", words.FUNCTIONS, ids=lambda row: row.words.split()[0])
def test_every_function_is_told_by_its_row(row):
    for word in row.words.split():
        if word.isidentifier() and word not in catalog.known():
            with pytest.raises(lossdsl.LossError) as caught:
                lossdsl.load(f"loss mine(t, x)\nt + {word}(x)")
            assert (row.here or row.more)[:30] in str(caught.value), word


@pytest.mark.parametrize("row", signs.CHARACTERS, ids=lambda row: row.words)
def test_every_character_is_told_by_its_row(row):
    for char in row.words.split():
        with pytest.raises(lossdsl.LossError) as caught:
            lossdsl.load(f"t {char} x")
        assert "help:" in str(caught.value), char


@pytest.mark.parametrize(
    "word, said",
    [
        ("х", "looks like Latin `x`, and is Cyrillic"),
        ("errоr", "looks like Latin `error`, and is Latin and Cyrillic"),
        ("ο", "looks like Latin `o`, and is Greek"), ("lossж", "has letters of Latin and Cyrillic"), ("ошибка", None),
        ("Δx", None), ("σ_max", None), ("x", None), ("誤差", None), ("μ", None), ("ŷ", None), ("e_1", None),
        ("σж", "has letters of"),
    ],
)  # fmt: skip
def test_names_that_look_like_others(word, said):
    found = confusion(word)
    assert (found is None) if said is None else (found is not None and found.startswith(said))


def test_letters_that_look_alike_are_of_other_scripts():
    from lossdsl.frontend.scripts import _ALIKE

    for number, latin in _ALIKE.items():
        assert scripts(chr(number)) != ("Latin",)
        assert as_latin(chr(number)) == chr(latin) if isinstance(latin, int) else latin


@pytest.mark.parametrize("text, sign", [("x.^2", "^"), ("t .* x", "*"), ("(t - x) ./ t", "/")])
def test_operators_with_a_point_are_told_without_it(text, sign):
    with pytest.raises(lossdsl.LossSyntaxError) as caught:
        lossdsl.compile(text)
    assert f"`.{sign}` is no operator" in caught.value.message
    assert f"write `{sign}`" in caught.value.hint
