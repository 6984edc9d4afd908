"""`lossdsl list`: the built-in losses, by family, and those that some words find."""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
import unicodedata
from typing import Any

from lossdsl import catalog
from lossdsl.cli.status import CLEAN, FOUND
from lossdsl.errors import did_you_mean

COLUMNS = 100


def add(commands: Any) -> None:
    """Adds the command to a command line."""
    parser = commands.add_parser(
        "list",
        help="list the built-in losses",
        description="Lists the built-in losses by family, a line each: the name, what it is, and in brackets its other "
        "names. With words, lists the losses that have each of them in a name, or at the start of a word of family or "
        "documentation: what the loss is for, an author, a year, as in "
        '"lossdsl list noisy labels" or "lossdsl list huber 1964".',
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="only losses that have this word somewhere")
    parser.add_argument("--family", metavar="FAMILY", help="only losses of this family")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    families = catalog.families()
    if arguments.family not in (None, *families):
        hint = did_you_mean(arguments.family, families) or f"there are {', '.join(families)}"
        return _nothing(f"there is no family `{arguments.family}`", hint)
    found = [name for name in catalog.names(arguments.family) if _has(name, arguments.words)]
    if not found:
        near = did_you_mean(arguments.words[-1], catalog.known())
        return _nothing(f"no built-in loss has {_listed(arguments.words)}", near)
    for family in families:
        members = [name for name in found if catalog.family_of(name) == family]
        if not members:
            continue
        print(family)
        width = max(map(len, members)) + 1
        for name in members:
            print(f"  {name:{width}}{_told(name, COLUMNS - width - 2)}")
    return CLEAN


def _has(name: str, words: list[str]) -> bool:
    """Whether a loss has each of the words, whatever joins their parts: `cross_entropy` is `cross-entropy`.

    A name has a word anywhere; of the rest a word begins with it: `mse` is not in "themselves".
    """
    names = _joined(" ".join([name, *catalog.aliases(name)]))
    text = f"{name} {catalog.family_of(name)} {' '.join(catalog.documentation(name).split())}".lower()
    wanted = [_plain(word) for word in " ".join(words).split()]
    return all(
        _joined(word) in names or _begins(word, text) or _begins(_joined(word), _joined(text)) for word in wanted
    )


def _begins(start: str, text: str) -> bool:
    """Whether a word of a text begins so; what is no letter or digit begins anywhere."""
    return re.search(rf"(?<![a-z0-9]){re.escape(start)}" if start[:1].isalnum() else re.escape(start), text) is not None


def _joined(text: str) -> str:
    return text.replace("_", "").replace("-", "")


def _plain(word: str) -> str:
    """A word as it is written in the files, without accents."""
    return unicodedata.normalize("NFKD", word.lower()).encode("ascii", "ignore").decode() or word


def _listed(words: list[str]) -> str:
    return " and ".join(f"`{word}`" for word in words)


def _nothing(what: str, hint: str | None) -> int:
    print(f"{what}; {hint}" if hint else what, file=sys.stderr)
    return FOUND


def _told(name: str, width: int) -> str:
    """The title of a loss, or what of it fits beside its other names."""
    title = catalog.title(name).rstrip(".")
    others = sorted(catalog.aliases(name), key=len)
    end = f" ({', '.join(others)})" if others else ""
    room = max(1, width - len(end))
    if len(title) > room:
        head = title.partition(":")[0]
        rest = textwrap.shorten(title, room, placeholder="…")
        title = head if len(rest) < len(head) <= room else rest
    return f"{title}{end}"
