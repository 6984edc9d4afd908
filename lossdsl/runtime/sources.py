"""What a user names a loss by, into its text: a path, a built-in's name, a formula, or a whole file as text."""

from __future__ import annotations

import itertools
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from lossdsl import catalog
from lossdsl.errors import LossFileError, LossLimitError, near_miss
from lossdsl.frontend.foreign import is_foreign_name, name_hint
from lossdsl.frontend.parse import parse
from lossdsl.frontend.scripts import off_the_line
from lossdsl.source import Source

MAX_BYTES = 1_000_000


def read(source: str | os.PathLike[str] | Source) -> Source:
    """The text that `source` names.

    A path, or text that ends in `.loss`, is a file, if there is one, else the built-in of that name. One word that is
    a name of a built-in (`huber`, `mse`, or with its family `robust/huber`) is that built-in. Everything else is a
    formula or the text of a file. Raises LossFileError.
    """
    if isinstance(source, Source):
        return source
    if isinstance(source, os.PathLike):
        return _file(Path(source))
    if not isinstance(source, str):
        raise LossFileError(f"a loss is named by text or a path, not by {_described(source)}", None, _remedy(source))
    if "\n" not in source and source.endswith(".loss"):
        return _file(Path(source))
    if re.fullmatch(r"[\w./\\:~-]*[\w-]\.(txt|ya?ml|json|py|toml|los|lss|keras|h5)", source):
        hint = f'losses in YAML are read by `from_yaml("{source}")`' if source.endswith(("yaml", "yml")) else (
            "the file of a loss ends in `.loss`; one of another name is given as a `pathlib.Path`"
        )  # fmt: skip
        raise LossFileError(f"{source} is no name of a loss", None, hint)
    word = source.strip()
    if is_name(word):
        found = catalog.read(word)
        if found is not None:
            return found
        hint = f"that is a family: see `lossdsl list --family {word}`" if word in catalog.families() else ""
        raise LossFileError(f"there is no built-in loss `{word}`", None, hint or _near(word.rpartition("/")[2]))
    return Source(source)


def is_name(text: str) -> bool:
    """Whether a text can only be meant for the name of a built-in loss: a word, or a family's name, `/` and a word.

    So is a name with other signs between its words, as `mean-squared-error`.
    """
    if "_" in (joined := re.sub(r"[ -]+", "_", text)) and "_" not in text and joined in catalog.known():
        return True
    family, slash, name = text.rpartition("/")
    # The product in `t·x` and the letters of `xᵀt` are parts of a word to Unicode.
    is_word = name.isidentifier() and "·" not in name and not off_the_line(name)
    return is_word and name not in ("t", "x") and (not slash or family in catalog.families())


def _near(name: str) -> str:
    """What a name that no built-in loss has was probably meant to be."""
    if is_foreign_name(name) and (hint := name_hint(name)) is not None:
        return hint
    bare = _bare(name)
    same = [one for one in catalog.known() if _bare(one) == bare]
    having = [one for one in catalog.names() if len(bare) > 4 and bare in _bare(one)]
    if not same and len(having) > 1:
        return f"several have that in their names: `lossdsl list {name}` names them"
    near = same[0] if same else having[0] if having else near_miss(name, catalog.known())
    full = catalog.full_name(near) if near else None
    if near is None or full is None:
        return "`lossdsl list` names the built-in losses, `lossdsl list WORD` those that have a word"
    return f"did you mean `{catalog.family_of(full)}/{near}`?" if name == near else f"did you mean `{near}`?"


def _bare(name: str) -> str:
    """A name without what it is often written with or without: `_`, and `loss` at its end."""
    return name.lower().replace("_", "").removesuffix("loss")


def _described(source: object) -> str:
    if source is None:
        return "None"
    return f"the class {source.__name__}" if isinstance(source, type) else f"a value of type {type(source).__name__}"


def _remedy(source: object) -> str:
    """What to do about an object that names no loss."""
    if isinstance(source, bytes | bytearray):
        return "decode it: `text.decode()`"
    if isinstance(source, list | tuple | set):
        return "give one loss at a time; `lossdsl.from_config` takes a list for a sum of losses"
    if hasattr(source, "spec") and hasattr(source.spec, "source"):
        return "it is compiled already; its text is `loss.spec.source`"
    if hasattr(source, "source") and hasattr(source, "parameters"):
        return "it is loaded already; its text is `loss.source`"
    if callable(source):
        name = str(getattr(source, "__name__", type(source).__name__))
        near = near_miss(name, catalog.known())
        return f'give the built-in\'s name, `"{near}"`' if near else "write it as a formula: Python's code is not read"
    return 'give a built-in\'s name, a formula, a mapping or a path: `"huber"`, `"abs(t - x)^2"`'


def not_utf8(name: object, error: UnicodeDecodeError) -> LossFileError:
    """The mistake that a text is written in another encoding."""
    return LossFileError(f"{name} is not UTF-8 text (byte {error.start})", None, "save it as UTF-8 in its editor")


def is_file(path: Path) -> bool:
    """Whether there is such a file. There is none of a name that is too long or has a null character."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_pipe(path: Path) -> bool:
    """Whether there is a pipe or a device of that name, of which nobody knows how much there is to be read."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def is_folder(path: Path) -> bool:
    """Whether there is such a folder."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


MOST_USES = 200
"""How many lines `use` are followed, those of used files too: a text that is used twice is read twice."""


def _with_uses(source: Source, folder: Path, around: tuple[Path, ...], count: Iterator[int]) -> Source:
    """A text with the files that it uses, whose names are relative to a folder; `around` are those that use it.

    Raises LossFileError for a file that is not there or uses itself, LossError for one that is no loss.
    """
    if _USE.search(source.text) is None:
        return source
    found: dict[str, Source] = {}
    for line in parse(source).uses:
        path = folder / line.path
        if is_file(path) and path.resolve() in around:
            raise LossFileError(f"{path} uses itself", line.span, "losses that need each other belong into one file")
        if next(count) >= MOST_USES:
            raise LossLimitError(f"more than {MOST_USES} files are used", line.span, "put losses into one file")
        try:
            found[line.path] = _file(path, around, count)
        except LossFileError as error:
            raise error if error.span is not None else LossFileError(error.message, line.span, error.hint) from None
    return replace(source, uses=tuple(found.items()))


_USE = re.compile(r"^[ \t]*use\b", re.M)


def _file(path: Path, around: tuple[Path, ...] = (), count: Iterator[int] | None = None) -> Source:
    if is_file(path):
        if path.stat().st_size > MAX_BYTES:
            raise LossFileError(f"{path} has more than {MAX_BYTES} bytes; that is no loss")
        try:
            found = Source(path.read_text(encoding="utf-8-sig"), str(path))
        except UnicodeDecodeError as error:
            raise not_utf8(path, error) from None
        except OSError as error:
            raise LossFileError(f"{path} cannot be read: {error.strerror}") from None
        return _with_uses(found, path.parent, (*around, path.resolve()), itertools.count() if count is None else count)
    if is_folder(path):
        raise LossFileError(f"{path} is a folder", None, "name a file in it")
    if path.parent == Path() and path.suffix == ".loss":
        builtin = catalog.read(path.stem)
        if builtin is not None:
            return builtin
    near = near_miss(path.stem, catalog.known())
    raise LossFileError(f"there is no file {path}", None, f"did you mean `{near}.loss`?" if near else None)
