"""`lossdsl fmt`: files in their canonical form."""

from __future__ import annotations

import argparse
import codecs
import difflib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lossdsl import catalog
from lossdsl.cli.named import add_exclude, files_in, kept_by
from lossdsl.cli.status import CLEAN, FOUND, WRONG_USE, WrongUse
from lossdsl.cli.streams import Stdin
from lossdsl.cli.terminal import deliver, write
from lossdsl.errors import LossError, LossFileError
from lossdsl.runtime.files import store
from lossdsl.source import Source

_STDIN = "-"


def add(commands: Any) -> None:
    """Adds the command to a command line."""
    parser = commands.add_parser(
        "fmt",
        help="rewrite files in the canonical form",
        description="Rewrites .loss files in the form that the built-in losses have: spaces as in `a + b`, `a*b`,\n"
        "`u^2`, a definition a line, a blank line between blocks, and lines of up to 120 columns where\n"
        "brackets allow it. Meaning, comments, documentation and numbers stay what they are, and a file\n"
        "with a syntax error stays as it is. So do YAML files.",
        epilog="exit status: 0 done; 1 with --check or --diff, some file would change; 2 wrong use, or a file\n"
        "that cannot be read, parsed or written. Line ends become those of the file's first line; a byte\n"
        "order mark stays.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "files", nargs="+", metavar="PATH", help="a .loss file, a folder, or `-` for standard input to standard output"
    )
    parser.add_argument("--check", action="store_true", help="write nothing, name the files that would change")
    parser.add_argument("--diff", action="store_true", help="write nothing, print what would change")
    add_exclude(parser)
    parser.set_defaults(run=run)


@dataclass(frozen=True)
class _File:
    """A file, or standard input where there is no path, as bytes before and after."""

    path: Path | None
    before: bytes
    after: bytes

    @property
    def name(self) -> str:
        return str(self.path) if self.path is not None else "<stdin>"

    @property
    def is_changed(self) -> bool:
        return self.before != self.after

    def diff(self) -> str:
        return unified(lines_of(self.before)[0], lines_of(self.after)[0], self.name)


def unified(before: str, after: str, name: str) -> str:
    """What differs in a file, as `diff -u` tells it."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), name, name, lineterm="")
    return "".join(f"{line}\n" for line in lines)


def run(options: argparse.Namespace) -> int:
    is_dry = options.check or options.diff
    outcome = "would be rewritten" if is_dry else "" if options.quiet else "rewritten"
    changed = same = failed = 0
    for path in _paths(options):
        try:
            file = _formatted(path)
            _keep(file, path, is_dry=is_dry)
        except LossError as error:
            write(sys.stderr, error.kind, str(error))
            failed += 1
            continue
        changed += file.is_changed
        same += not file.is_changed
        if options.diff:
            deliver(file.diff())
        elif file.is_changed and outcome and (path or is_dry):
            print(f"{outcome}: {file.name}")
    if not (_STDIN in options.files or options.diff or options.quiet):
        print(_summary(changed, same, failed, is_dry=is_dry))
    return WRONG_USE if failed else FOUND if is_dry and changed else CLEAN


def _keep(file: _File, path: Path | None, *, is_dry: bool) -> None:
    """Writes what was standard input to standard output, and a file in place if it is another."""
    if is_dry:
        return
    if path is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(file.after)
    elif file.is_changed:
        store(file.after, path)


def _summary(changed: int, same: int, failed: int, *, is_dry: bool) -> str:
    counts = {"would be rewritten" if is_dry else "rewritten": changed, "in canonical form": same, "left alone": failed}
    shown = [f"{count} file{'' if count == 1 else 's'} {what}" for what, count in counts.items() if count]
    return ", ".join(shown)


def _paths(options: argparse.Namespace) -> Iterator[Path | None]:
    """The files that are named, None for standard input. Raises WrongUse or LossFileError before any is touched."""
    from lossdsl.cli.project import Project

    keeps = kept_by(options, Project())
    found: list[Path | None] = []
    for name in options.files:
        path = Path(name)
        if not name.strip():
            raise WrongUse("an argument is empty, and names no file")
        if name == _STDIN:
            found.append(None)
        elif path.suffix in (".yaml", ".yml"):
            raise WrongUse(f"{name} is YAML, which stays as it was written; fmt rewrites .loss files")
        elif path.is_dir():
            found += files_in(path, keeps)
        elif path.exists():
            found.append(path)
        else:
            is_builtin = catalog.read(name) is not None
            hint = f"a built-in's text is printed by `lossdsl show {name} --stage text`" if is_builtin else None
            raise LossFileError(f"there is no file {name}", None, hint)
    yield from found


def _formatted(path: Path | None) -> _File:
    """Raises LossError for a file that cannot be read or parsed."""
    from lossdsl.frontend.format import formatted
    from lossdsl.runtime.sources import not_utf8, read

    name = str(path) if path is not None else "<stdin>"
    if path is not None:
        read(path)  # says what is wrong with a file that is no text
        before = path.read_bytes()
    else:
        before = Stdin().data()
    try:
        text, newline = lines_of(before)
    except UnicodeDecodeError as error:
        raise not_utf8(name, error) from None
    mark = codecs.BOM_UTF8 if before.startswith(codecs.BOM_UTF8) else b""
    return _File(path, before, mark + formatted(Source(text, name)).replace("\n", newline).encode())


def lines_of(data: bytes) -> tuple[str, str]:
    """A text with `\\n` at the end of its lines, and what its first line ends in."""
    text = data.decode("utf-8-sig")
    newline = "\r\n" if text.partition("\n")[0].endswith("\r") else "\n"
    return text.replace("\r\n", "\n").replace("\r", "\n"), newline
