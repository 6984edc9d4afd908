"""Wrong programs, and what their authors are shown.

`wrong/` holds the programs: `*.loss` files, `*.yaml` files whose loss stands under `loss`, and `calls.json`, calls of
`lossdsl.load` and of what it gives. `wrong/transcript.txt` holds what is said of each, and was read line by line.
`LOSSDSL_UPDATE=1 pytest tests/test_wrong.py` writes it anew; read the difference before you keep it.
"""

import itertools
import json
import os
import random
import re
from pathlib import Path
from typing import Any

import pytest

import lossdsl
from lossdsl import catalog, pipeline
from lossdsl.config import description
from lossdsl.errors import width
from lossdsl.runtime.spec import LoadedLoss, axes_of
from lossdsl.source import Source

FOLDER = Path(__file__).parent / "wrong"
TRANSCRIPT = FOLDER / "transcript.txt"

LOSSES = sorted(path.name for path in FOLDER.glob("*.loss"))
YAMLS = sorted(path.name for path in FOLDER.glob("*.yaml"))
CALLS = {call["name"]: call for call in json.loads((FOLDER / "calls.json").read_text(encoding="utf-8"))}


def of_loss(name: str) -> str:
    """What `load` says of a file, or, if it says nothing, what `check` says."""
    source = Source((FOLDER / name).read_text(encoding="utf-8"), name)
    try:
        lossdsl.load(source)
    except lossdsl.LossError as error:
        return str(error)
    return "\n".join(map(str, lossdsl.check(source).findings))


def of_yaml(name: str) -> str:
    try:
        found = description(name, "loss")
        with found.blamed():
            LoadedLoss(found.source, axes_of(found.options.get("axis", -1)), found.parameters)
    except lossdsl.LossError as error:
        return str(error)
    return ""


def of_call(call: dict[str, Any]) -> str:
    source = call["source"] if "source" in call else call["source_times"][0] * call["source_times"][1]
    try:
        loss = lossdsl.load(source, axis=call.get("axis", -1), **call.get("parameters", {}))
        if "wrt" in call:
            loss.numpy.grad(**call["inputs"], wrt=call["wrt"])
        elif "inputs" in call:
            loss.numpy(**call["inputs"])
    except lossdsl.LossError as error:
        return str(error)
    return ""


def transcript() -> dict[str, str]:
    """What is said of each program."""
    said = {name: of_loss(name) for name in LOSSES}
    said |= {name: of_yaml(name) for name in YAMLS}
    return said | {f"call: {name}": of_call(call) for name, call in CALLS.items()}


def reviewed() -> dict[str, str]:
    """The transcript, taken apart."""
    parts = TRANSCRIPT.read_text(encoding="utf-8").split("=== ")[1:]
    return {head: body.rstrip("\n") for head, _, body in (part.partition("\n") for part in parts)}


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    here = Path.cwd()
    os.chdir(FOLDER)  # so that messages name files without the folder they are in
    try:
        found = transcript()
    finally:
        os.chdir(here)
    if os.environ.get("LOSSDSL_UPDATE"):
        TRANSCRIPT.write_text("\n".join(f"=== {name}\n{text}\n" for name, text in found.items()), encoding="utf-8")
    return found


def test_what_is_said_is_what_was_reviewed(said):
    kept = reviewed()
    assert list(said) == list(kept)
    changed = [name for name in said if said[name] != kept[name]]
    assert not changed, "\n\n".join(f"{name}\n--- reviewed\n{kept[name]}\n--- now\n{said[name]}" for name in changed)


UNSEEN = ("tab.yaml", "pdf-no-break-space.loss", "pdf-thin-space.loss", "pdf-zero-width.loss")
"""Programs in which what is to blame is white."""


def test_every_message_says_what_to_do(said):
    assert [name for name, text in said.items() if "\n  help: " not in text] == []


def test_every_wrong_program_is_found_out(said):
    assert [name for name, text in said.items() if not text] == []
    assert len(said) > 400


# --- texts that nobody wrote on purpose

BUILT_INS = [source.text for name in catalog.names() if (source := catalog.read(name))]
BARE = [re.sub(r"(?m)^(#.*|example .*|expect .*)\n", "", text.split('"""')[2]) for text in BUILT_INS]
"""Their formulas, without what is said of them."""
SIGNS = "()[]{},;:=+-*/^<>!|&.#\"'\n\t _e09txj≤δ²"
WORDS = ("self", "if", "in", "loss", "require", "example", "not", "[j]", "[t]", "(m, s)", "sum", "where(", "cases(",
         "1e9", "1e999", "->", "x[1:]", "sort", "mean[all]")  # fmt: skip
PIECES = (*SIGNS, *(f" {word} " for word in WORDS), '\"\"\"')


def mutated(text: str, chance: random.Random) -> str:
    """A text with a few characters taken out, pieces put in, or a part moved."""
    for _ in range(chance.choice([1, 1, 2, 3, 6])):
        at, other = sorted(chance.randrange(len(text) + 1) for _ in range(2))
        match chance.randrange(4):
            case 0:
                text = text[:at] + text[at + chance.choice([1, 2, 5]) :]
            case 1 | 2:
                text = text[:at] + chance.choice(PIECES) + text[at:]
            case 3:
                text = text[:other] + text[at:other] + text[other:]
    return text


def test_a_spoilt_text_is_a_loss_or_an_error_of_ours():
    chance = random.Random(20250)
    counts = {"compiled": 0, "refused": 0}
    for number in range(2000):
        text = mutated(BARE[number % len(BARE)], chance)
        try:
            program = pipeline.program(pipeline.parsed(Source(text, "spoilt.loss")))
            counts["compiled"] += 1
            assert program.latex
        except lossdsl.LossError:
            counts["refused"] += 1
    assert min(counts.values()) > 50


def test_carets_stand_under_what_is_to_blame(said):
    """Each line of carets begins and ends under something; where a value is missing, it stands right after the key."""
    count = 0
    for name, text in said.items():
        lines = ["".join(char * width(char) for char in line) for line in text.split("\n")]
        for above, line in itertools.pairwise(lines):
            bare = line.strip(" |")
            if bare and set(bare) == {"^"}:
                count += 1
                first, last = line.index("^"), line.rindex("^")
                if "this is nothing" not in text and name not in UNSEEN:
                    assert above[first : first + 1].strip(), name
                    assert above[last : last + 1].strip(), name
    assert count > 350
