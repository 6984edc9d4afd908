"""The losses that the arguments of a command line name, and the parameters beside them."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lossdsl.cli.status import WrongUse
from lossdsl.cli.streams import Stdin, of_pipe
from lossdsl.errors import LossError, LossFileError, LossParameterError, did_you_mean
from lossdsl.source import Source

if TYPE_CHECKING:
    from lossdsl.cli.project import Project
    from lossdsl.config import Described
    from lossdsl.frontend.syntax import FileText
    from lossdsl.pipeline import Program

_YAML = (".yaml", ".yml")


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


def losses(given: str, stdin: Stdin | None = None, keeps: Callable[[Path], bool] = lambda _: True) -> Iterator[Named]:
    """The losses that an argument names: of a folder those that are kept, of a YAML file all. Raises LossFileError."""
    from lossdsl.runtime.sources import is_file, is_folder, is_pipe

    path = Path(given)
    if not given.strip():
        raise WrongUse("an argument is empty, and names no loss")
    if given == STDIN:
        yield from _in_text((stdin or Stdin()).read())
    elif is_folder(path):
        yield from map(_read, files_in(path, keeps))
    elif path.suffix in _YAML:
        yield from _in_yaml(path)
    elif is_file(path):
        yield _read(path)
    elif is_pipe(path):
        yield of_pipe(path)
    elif path.suffix == ".loss" or not _is_formula(given):
        yield _named(given, path)
    else:
        yield Source(given)


def _named(given: str, path: Path) -> Source:
    """The built-in of a name. Raises LossFileError for everything else that is no file."""
    from lossdsl.runtime.sources import is_name, read

    try:
        return read(given if path.suffix == ".loss" or is_name(given) else path)
    except LossFileError as error:
        if error.hint is None and is_setting(given):
            hint = f"plot, grad, eval, show and emit take the value of a parameter as `--param {given}`"
        elif error.hint is None and path.suffix != ".loss":
            hint = "a formula is known by a space, a bracket, `*`, `^` or `+` in it, as in `t - x`"
        else:
            raise
        raise LossFileError(error.message, None, hint) from None


def is_setting(text: str) -> bool:
    """Whether a text looks like the value of a parameter, NAME=VALUE."""
    return re.fullmatch(r"\w+=[^=].*", text) is not None


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


def files_in(folder: Path, keeps: Callable[[Path], bool] = lambda _: True) -> list[Path]:
    """The `.loss` files of a folder and of those in it that are kept, but for hidden ones.

    Raises LossFileError if there is none.
    """
    found = (file for file in folder.rglob("*.loss") if not _is_hidden(file.relative_to(folder)))
    files = sorted(file for file in found if not file.is_dir())
    if not files:
        raise LossFileError(f"there is no *.loss file in the folder {folder}")
    kept = [file for file in files if keeps(file)]
    if not kept:
        count = "the only *.loss file" if len(files) == 1 else f"each of the {len(files)} *.loss files"
        raise LossFileError(f"{count} in the folder {folder} is excluded")
    return kept


def add_exclude(parser: argparse.ArgumentParser) -> None:
    """Adds the patterns of files that folders are looked at without."""
    told = "leave out these files and folders, patterns separated by commas; what is named itself is not left out"
    parser.add_argument("--exclude", action="append", default=[], metavar="PATHS", help=told)


def kept_by(options: argparse.Namespace, project: Project) -> Callable[[Path], bool]:
    """Which files of a folder are looked at, by `--exclude` and by the project."""
    patterns = [word for text in options.exclude for word in map(str.strip, text.split(",")) if word]

    def keeps(path: Path) -> bool:
        try:
            return project.keeps(path, patterns)
        except LossError as error:
            raise WrongUse(str(error)) from None

    return keeps


def _read(path: Path) -> Source | Unread:
    from lossdsl.runtime.sources import read

    try:
        return read(path)
    except LossError as error:
        return Unread(str(path), error)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _is_formula(text: str) -> bool:
    return any(sign in text for sign in " ([^*+\n")


def add_one_loss(parser: argparse.ArgumentParser) -> None:
    """Adds what names one loss to the command line of a command."""
    parser.add_argument(
        "source",
        metavar="NAME",
        help="a built-in's name, a .loss or YAML file, a formula in quotes, or - for standard input",
    )
    parser.add_argument("--key", metavar="KEY", help="which loss of a YAML file with several, as in train.loss")


def add_output(parser: argparse.ArgumentParser) -> None:
    """Adds the file in which what is printed is kept instead."""
    parser.add_argument("-o", "--output", metavar="PATH", help="write it into this file, as UTF-8")


def add_parameters(parser: argparse.ArgumentParser, told: str, form: str = "NAME=VALUE") -> None:
    """Adds the values of parameters."""
    parser.add_argument("--param", action="append", default=[], metavar=form, help=told)


def one_loss(given: str, key: str | None) -> Source | Described:
    """The loss that an argument and the key beside it name. Raises LossError, WrongUse if it is not one."""
    is_yaml = Path(given).suffix in _YAML
    if key is not None:
        from lossdsl.config import description

        if not is_yaml:
            raise WrongUse(f"--key says which loss of a YAML file is meant, and {given} is none")
        return description(Path(given), key)
    found = list(losses(given))
    if len(found) > 1 and is_yaml:
        from lossdsl.config import keys_of_losses

        keys = ", ".join(keys_of_losses(given))
        raise WrongUse(f"{given} holds {len(found)} losses, and one is wanted: --key takes one of {keys}")
    if len(found) > 1:
        raise WrongUse(f"{given} holds {len(found)} losses, and one is wanted: name its file, a built-in or a formula")
    (loss,) = found
    if isinstance(loss, Unread):
        raise loss.error
    return loss


def program_of(loss: Source | Described, settings: Sequence[str]) -> tuple[Program, dict[str, Any]]:
    """A loss under the parameters of the command line (`NAME=VALUE`) and of YAML, and those.

    Raises WrongUse for a setting that fits no parameter, and LossParameterError for one of YAML that does not, or for a
    value that the loss does not admit.
    """
    from lossdsl import pipeline
    from lossdsl.runtime.bind import check_requirements, known, settled

    file = pipeline.parsed(loss if isinstance(loss, Source) else loss.source)
    named: dict[str, Any] = {}
    specs = {spec.name: spec for spec in pipeline.parameters(file)}
    for text in settings:
        name, sign, value = text.partition("=")
        if not sign:
            raise WrongUse(f"--param is NAME=VALUE, not `{text}`")
        if name not in specs:
            hint = did_you_mean(name, specs) or (f"there are {', '.join(specs)}" if specs else "it has none")
            raise WrongUse(f"the loss has no parameter `{name}`; {hint}")
        named[name] = value_of(value)
    refuse_other_kinds(file, named)
    given = named if isinstance(loss, Source) else {**loss.parameters, **named}
    with nullcontext() if isinstance(loss, Source) else loss.blamed():
        values = known(file, given)
        chosen = settled(tuple(spec for name, spec in specs.items() if name in given), values)
        program = pipeline.program(file, chosen)
        if given and len(values) == len(specs):
            check_requirements(program, values)
    return program, given


def refuse_other_kinds(file: FileText, settings: Mapping[str, Any]) -> None:
    """Raises WrongUse for a value on the command line that is not of its parameter's kind."""
    from lossdsl import pipeline
    from lossdsl.runtime.bind import known

    try:
        known(file, settings)
    except LossParameterError as error:
        (kind,) = [spec.kind for spec in pipeline.parameters(file) if spec.name in error.names]
        example = {"vector": "; as in `[1, 2]`", "matrix": "; as in `[[1, 2], [3, 4]]`"}.get(kind, "")
        raise WrongUse(f"{error.message}{example}") from None


def value_of(text: str) -> Any:
    """A value on the command line: true, false, a number, or a list as in `[1, 2]`; anything else as it is.

    Raises WrongUse for a number that is too large.
    """
    words = {"true": True, "false": False}
    text = text.strip()
    if text.lower() in words:
        return words[text.lower()]
    if text.startswith("[") and text.endswith("]"):
        return [value_of(part) for part in split(text[1:-1])]
    for kind in (int, float):
        with suppress(ValueError):
            found = kind(text)
            if math.isinf(found) and "inf" not in text.lower():
                shown = text if len(text) < 40 else f"{text[:36]}…"
                raise WrongUse(f"{shown} is too large for a floating-point number")
            return found
    return text


def split(text: str) -> list[str]:
    """The parts of a text between its commas, but for those in brackets."""
    depth = 0
    parts = [""] if text.strip() else []
    for char in text:
        depth += (char == "[") - (char == "]")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts
