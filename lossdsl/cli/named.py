"""The losses that the arguments of a command line name, and the parameters beside them."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lossdsl.errors import LossError, LossFileError, did_you_mean
from lossdsl.source import Source

if TYPE_CHECKING:
    from lossdsl.config import Described
    from lossdsl.pipeline import Program

_YAML = (".yaml", ".yml")


class WrongUse(Exception):
    """A command line that makes no sense, found while it is carried out."""


def one_of(word: str, known: Collection[str], what: str, otherwise: str) -> str:
    """The word, which is one of those known. Raises WrongUse with the near miss, or says what to do otherwise."""
    if word in known:
        return word
    raise WrongUse(f"there is no {what} `{word}`; {did_you_mean(word, known) or otherwise}")


STDIN = "-"
"""The argument that stands for standard input."""


@dataclass(frozen=True)
class Unread:
    """A loss that cannot be read, by the name of its file; others beside it can be."""

    name: str
    error: LossError


if TYPE_CHECKING:
    Named = Source | Described | Unread


@dataclass(frozen=True)
class Stdin:
    """Standard input, under the name that it has in messages; the name's ending says what is in it."""

    name: str = "<stdin>"

    def read(self) -> Source:
        """The text. Raises LossFileError."""
        from lossdsl.runtime.sources import MAX_BYTES

        try:
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        except (OSError, ValueError, AttributeError) as error:  # there is none, or it is closed
            raise LossFileError(f"standard input cannot be read: {error}") from None
        if len(data) > MAX_BYTES:
            raise LossFileError(f"standard input has more than {MAX_BYTES} bytes; that is no loss")
        try:
            return Source(data.decode("utf-8-sig"), self.name)
        except UnicodeDecodeError as error:
            raise LossFileError(f"standard input is not UTF-8 text (byte {error.start})") from None


def losses(given: str, stdin: Stdin | None = None) -> Iterator[Named]:
    """The losses that an argument names: of a folder or YAML file several. Raises LossFileError."""
    from lossdsl.runtime.sources import is_file, is_folder, read

    path = Path(given)
    if given == STDIN:
        yield from _in_text((stdin or Stdin()).read())
    elif is_folder(path):
        yield from map(_read, files_in(path))
    elif path.suffix in _YAML:
        yield from _in_yaml(path)
    elif is_file(path):
        yield _read(path)
    elif path.suffix == ".loss" or not _is_formula(given):
        yield read(given if path.suffix == ".loss" or given.isidentifier() else path)
    else:
        yield Source(given)


def _in_text(source: Source) -> Iterator[Named]:
    if Path(source.name).suffix in _YAML:
        yield from _in_yaml(source)
    else:
        yield source


def _in_yaml(given: Path | Source) -> Iterator[Named]:
    from lossdsl.config import find_losses

    name = given.name if isinstance(given, Source) else str(given)
    try:
        losses = find_losses(given)
    except LossError as error:
        if isinstance(error, LossFileError) and error.span is None:
            raise
        losses = [error]
    for found in losses:
        yield Unread(name, found) if isinstance(found, LossError) else found


def files_in(folder: Path) -> list[Path]:
    """The `.loss` files of a folder and of those in it, but for hidden ones. Raises LossFileError if there is none."""
    files = sorted(file for file in folder.rglob("*.loss") if not _is_hidden(file.relative_to(folder)))
    if not files:
        raise LossFileError(f"there is no *.loss file in the folder {folder}")
    return files


def _read(path: Path) -> Source | Unread:
    from lossdsl.runtime.sources import read

    try:
        return read(path)
    except LossError as error:
        return Unread(str(path), error)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _is_formula(text: str) -> bool:
    return any(sign in text for sign in " (^*+\n")


def one_loss(given: str) -> Source | Described:
    found = list(losses(given))
    if len(found) > 1:
        raise WrongUse(f"{given} holds {len(found)} losses; name one")
    (loss,) = found
    if isinstance(loss, Unread):
        raise loss.error
    return loss


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
        given[name] = value_of(value)
    settled: dict[str, bool | int] = {}
    for name, spec in specs.items():
        if spec.kind in ("bool", "int") and name in given:
            wanted = bool if spec.kind == "bool" else int
            if type(given[name]) is not wanted:
                raise WrongUse(f"`{name}` is {'true or false' if wanted is bool else 'a whole number'}")
            settled[name] = given[name]
    return pipeline.program(file, settled), given


def value_of(text: str) -> Any:
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
