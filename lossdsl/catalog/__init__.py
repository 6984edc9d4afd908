"""The built-in losses: a folder for each family, and in it one `NAME.loss` file for each loss.

A file tells all there is to know of its loss: where it lies is its family, its name is the loss's name, the first line
of its documentation the title, and the last paragraph, `Other names: mse, l2.`, what else it goes by.

A loss that is asked for by its name costs a look at the folders and one file. Only where a name is none of these are
the files searched for other names. That takes 10 ms, once in a process, which is why there is no index to keep up to
date beside them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from lossdsl.source import Source

_FOLDER = Path(__file__).resolve().parent
_ENDS = re.compile(r"(?:doi:|arXiv:|https?://)\S*$|\([a-z][^()]*\)$")
"""How a reference ends: with an address, or a note on what it is for."""
_YEAR = re.compile(r"^[A-Z][^()]*\(\d{4}\), [A-Z]")
"""How one begins whose authors have room in a line."""
_DOCSTRING = re.compile(r'\A"""(.*?)"""', re.S)
_OTHER_NAMES = re.compile(r"^Other names: ([\w\s,]+)\.\s*\Z", re.M)


@cache
def _paths() -> Mapping[str, Path]:
    """The file of each built-in loss, by name."""
    found = {}
    for family in os.scandir(_FOLDER):
        if family.is_dir() and not family.name.startswith("_"):
            for file in os.listdir(family.path):
                name, ends_in, _ = file.rpartition(".loss")
                if ends_in:
                    found[name] = Path(family.path, file)
    return dict(sorted(found.items()))


@cache
def _text(name: str) -> str:
    return _paths()[name].read_text(encoding="utf-8")


@cache
def _full_names() -> Mapping[str, str]:
    """Each other name of a built-in loss, and the name that it stands for."""
    return {alias: name for name in _paths() for alias in aliases(name)}


def names(family: str | None = None) -> list[str]:
    """The names of the built-in losses, or of those of a family, sorted, each loss once.

    >>> "huber" in names()
    True
    >>> "huber" in names("ranking")
    False
    """
    return [name for name in _paths() if family in (None, family_of(name))]


def families() -> list[str]:
    """The families of the built-in losses, sorted.

    >>> "robust" in families()
    True
    """
    return sorted({path.parent.name for path in _paths().values()})


def family_of(name: str) -> str:
    """The family of a built-in loss, by its name.

    >>> family_of("huber")
    'robust'
    """
    return _paths()[name].parent.name


def known() -> list[str]:
    """The names of the built-in losses and their other names, sorted."""
    return sorted({*_paths(), *_full_names()})


def aliases(name: str) -> list[str]:
    """The other names of a built-in loss, sorted.

    >>> aliases("mean_squared_error")
    ['l2', 'mse']
    """
    found = _OTHER_NAMES.search(documentation(name))
    return sorted(re.split(r",\s*", found[1])) if found else []


def documentation(name: str) -> str:
    """What the file of a built-in loss says of it, as text."""
    found = _DOCSTRING.match(_text(name))
    return found[1].strip() if found else ""


def paragraphs(name: str) -> list[str]:
    """What the documentation of a built-in loss has below its title: each reference by itself, then what it is for.

    >>> paragraphs("huber")[0]  # doctest: +ELLIPSIS
    'Huber (1964), Robust Estimation of a Location Parameter, The Annals of ... doi:10.1214/aoms/1177703732'
    """
    references, *others = documentation(name).split("\n\n")[1:]
    found: list[str] = []
    for line in references.split("\n"):
        is_next = bool(found) and bool(_YEAR.match(line) and _YEAR.match(found[-1]))
        if found and not is_next and (line.startswith("(") or not _ENDS.search(found[-1])):
            found[-1] += f" {line}"
        else:
            found.append(line)
    return [*found, *(" ".join(part.split()) for part in others if not part.startswith("Other names:"))]


def title(name: str) -> str:
    """What a built-in loss is, in a sentence.

    >>> title("huber")
    'Huber loss: quadratic near zero, linear in the tails.'
    """
    return " ".join(documentation(name).partition("\n\n")[0].split())


def full_name(name: str) -> str | None:
    """The name of the built-in loss that goes by `name`, which may have its family before it; None if there is none.

    >>> full_name("mse"), full_name("regression/mse"), full_name("ranking/mse")
    ('mean_squared_error', 'mean_squared_error', None)
    """
    family, _, short = name.rpartition("/")
    full = short if short in _paths() else _full_names().get(short)
    return full if full is not None and family in ("", family_of(full)) else None


def read(name: str) -> Source | None:
    """The text of a built-in loss, by its name or another of its names; None if there is none of that name.

    >>> read("mse") == read("mean_squared_error") == read("regression/mse")
    True
    """
    full = full_name(name)
    return None if full is None else Source(_text(full), f"{full}.loss")
