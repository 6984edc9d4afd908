"""The settings of a project: `[tool.lossdsl]` in a pyproject.toml.

    [tool.lossdsl]
    select = ["names", "lost-digits"]       only these findings, or families of them
    ignore = ["no-example"]                 all but these
    strict = true                           remarks count as well
    exclude = ["drafts"]                    folders and files that a folder is looked at without

    [tool.lossdsl.per-file-ignores]
    "legacy/*.loss" = ["unused-parameter"]  all but these, in these files

A file has the settings of the nearest folder above it whose pyproject.toml has such a table. Paths are matched against
patterns as they lie below that folder, and names alone.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from lossdsl.errors import LossConfigError, did_you_mean
from lossdsl.runtime.sources import is_file, read
from lossdsl.source import Source, Span

FILE = "pyproject.toml"
KEYS = ("select", "ignore", "per-file-ignores", "strict", "exclude")


@dataclass(frozen=True)
class Settings:
    """What a project wants: ids of findings and families, as they are written. `folder` is where the file lies."""

    folder: Path = Path()
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    per_file: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    strict: bool = False
    exclude: tuple[str, ...] = ()

    def ignored_in(self, file: str) -> tuple[str, ...]:
        """What is ignored in a file beyond `ignore`."""
        return tuple(
            word
            for pattern, words in self.per_file.items()
            if _is_named(Path(file).absolute(), pattern, self.folder)
            for word in words
        )


def is_excluded(path: Path, patterns: Iterable[str], folder: Path) -> bool:
    """Whether a pattern names a file, or a folder that it lies in below `folder`."""
    above = [one for one in path.absolute().parents if one != folder and one.is_relative_to(folder)]
    return any(_is_named(one, pattern.rstrip("/"), folder) for pattern in patterns for one in (path.absolute(), *above))


def _is_named(path: Path, pattern: str, folder: Path) -> bool:
    """Whether a pattern is met by a path as it lies below a folder, or by its name alone."""
    below = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()
    return fnmatch(below, pattern.removeprefix("./")) or fnmatch(path.name, pattern)


class Project:
    """The settings of what is checked. `given` names a file of settings for all of it; `isolated` leaves all out."""

    def __init__(self, given: str | None = None, *, isolated: bool = False) -> None:
        self._all = Settings() if isolated else None if given is None else _read(Path(given).absolute()) or Settings()
        self._found: dict[Path, Settings] = {}

    def settings(self, file: str) -> Settings:
        """The settings for a file, or for what is no file: those of the folder at hand. Raises LossError."""
        if self._all is not None:
            return self._all
        return self._above(Path(file).absolute().parent if is_file(Path(file)) else Path.cwd())

    def keeps(self, path: Path, patterns: Sequence[str] = ()) -> bool:
        """Whether a file of a folder is looked at: neither the project nor patterns below the folder at hand name it.

        Raises LossError.
        """
        settings = self.settings(str(path))
        return not (is_excluded(path, settings.exclude, settings.folder) or is_excluded(path, patterns, Path.cwd()))

    def _above(self, folder: Path) -> Settings:
        if folder not in self._found:
            path = folder / FILE
            found = _read(path) if is_file(path) else None
            if found is None:
                found = Settings() if folder == folder.parent else self._above(folder.parent)
            self._found[folder] = found
        return self._found[folder]


def _read(path: Path) -> Settings | None:
    """The settings in a file, None where it has no such table."""
    source = read(path)
    try:
        table = tomllib.loads(source.text).get("tool", {}).get("lossdsl")
    except (tomllib.TOMLDecodeError, AttributeError, RecursionError) as error:
        raise LossConfigError(f"{path} is no TOML: {error}") from None
    if table is None:
        return None
    if not isinstance(table, dict):
        raise LossConfigError("`tool.lossdsl` is a table", _place(source, "lossdsl"), "as in `[tool.lossdsl]`")
    for key in table:
        if key not in KEYS:
            hint = did_you_mean(key, KEYS) or f"there are {', '.join(KEYS)}"
            raise LossConfigError(f"`tool.lossdsl` has no setting `{key}`", _place(source, key), hint)
    per_file = table.get("per-file-ignores", {})
    if not isinstance(per_file, dict):
        hint = 'as in `per-file-ignores = { "legacy/*.loss" = ["no-example"] }`'
        raise LossConfigError("`per-file-ignores` is a table", _place(source, "per-file-ignores"), hint)
    strict = table.get("strict", False)
    if not isinstance(strict, bool):
        raise LossConfigError("`strict` is true or false", _place(source, "strict"))
    return Settings(
        path.parent,
        _ids(source, "select", table.get("select", [])),
        _ids(source, "ignore", table.get("ignore", [])),
        {pattern: _ids(source, pattern, words) for pattern, words in per_file.items()},
        strict,
        _texts(source, "exclude", table.get("exclude", []), "patterns of paths", '["drafts", "*_old.loss"]'),
    )


def _texts(source: Source, key: str, value: Any, what: str, example: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise LossConfigError(f"`{key}` is a list of {what}", _place(source, key), f"as in `{example}`")
    return tuple(value)


def _ids(source: Source, key: str, value: Any) -> tuple[str, ...]:
    from lossdsl.checks import FAMILIES, FINDINGS

    words = _texts(source, key, value, "ids of findings", '["unused-parameter"]')
    for word in words:
        if word not in FINDINGS and word not in FAMILIES and word != "ALL":
            hint = did_you_mean(word, [*FINDINGS, *FAMILIES]) or "`lossdsl check --list` names them"
            raise LossConfigError(f"there is no finding `{word}`", _place(source, word), hint)
    return words


def _place(source: Source, word: str) -> Span | None:
    """Where a word stands below the table's head."""
    head = source.text.find("tool.lossdsl")
    found = re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])").search(source.text, max(head, 0))
    return Span(source, found.start(), found.end()) if found else None
