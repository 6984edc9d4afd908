"""The losses that the arguments of a command line name, and the parameters beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lossdsl.errors import LossError, LossFileError, did_you_mean
from lossdsl.source import Source

if TYPE_CHECKING:
    from lossdsl.config import Described
    from lossdsl.pipeline import Program


class WrongUse(Exception):
    """A command line that makes no sense, found while it is carried out."""


def losses(given: str) -> Iterator[Source | Described | LossError]:
    """The losses that an argument names: of a folder or YAML file several. Raises LossFileError."""
    from lossdsl.runtime.sources import is_file, is_folder, read

    path = Path(given)
    if is_folder(path):
        files = sorted(file for file in path.rglob("*.loss") if not _is_hidden(file.relative_to(path)))
        if not files:
            raise LossFileError(f"there is no *.loss file in the folder {path}")
        yield from map(_read, files)
    elif path.suffix in (".yaml", ".yml"):
        from lossdsl.config import find_losses

        yield from find_losses(path)
    elif is_file(path):
        yield _read(path)
    elif path.suffix == ".loss" or not _is_formula(given):
        yield read(given if path.suffix == ".loss" or given.isidentifier() else path)
    else:
        yield Source(given)


def _read(path: Path) -> Source | LossError:
    from lossdsl.runtime.sources import read

    try:
        return read(path)
    except LossError as error:
        return error


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _is_formula(text: str) -> bool:
    return any(sign in text for sign in " (^*+\n")


def one_loss(given: str) -> Source | Described:
    found = list(losses(given))
    if len(found) > 1:
        raise WrongUse(f"{given} holds {len(found)} losses; name one")
    if isinstance(found[0], LossError):
        raise found[0]
    return found[0]


def program_of(loss: Source | Described, settings: Sequence[str]) -> tuple[Program, dict[str, Any]]:
    """A loss under the parameters of the command line (`NAME=VALUE`) and of YAML, and those."""
    from lossdsl import pipeline

    file = pipeline.parsed(loss if isinstance(loss, Source) else loss.source)
    given = {} if isinstance(loss, Source) else dict(loss.parameters)
    specs = {spec.name: spec for spec in pipeline.parameters(file)}
    for text in settings:
        name, sign, value = text.partition("=")
        if not sign:
            raise WrongUse(f"--param is NAME=VALUE, not `{text}`")
        if name not in specs:
            hint = did_you_mean(name, specs) or (f"there are {', '.join(specs)}" if specs else "it has none")
            raise WrongUse(f"the loss has no parameter `{name}`; {hint}")
        given[name] = _value(value)
    settled: dict[str, bool | int] = {}
    for name, spec in specs.items():
        if spec.kind in ("bool", "int") and name in given:
            wanted = bool if spec.kind == "bool" else int
            if type(given[name]) is not wanted:
                raise WrongUse(f"`{name}` is {'true or false' if wanted is bool else 'a whole number'}")
            settled[name] = given[name]
    return pipeline.program(file, settled), given


def _value(text: str) -> Any:
    """A value on the command line: true, false, or a number; anything else as it is."""
    words = {"true": True, "false": False}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text
