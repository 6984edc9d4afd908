"""The command line: `lossdsl check`, `show`, `emit` and `list`.

What is heavy is imported by the command that needs it, and Keras by none. Exit status: 0 nothing found, 1 something
found, 2 wrong use, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from lossdsl import catalog
from lossdsl.errors import LossError, LossFileError, did_you_mean, near_miss
from lossdsl.source import Source

if TYPE_CHECKING:
    from lossdsl.checks import Report
    from lossdsl.config import Described
    from lossdsl.pipeline import Program

CLEAN, FOUND, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
BROKEN_PIPE = 141

_COLOURS = {"error": "bold red", "warning": "bold yellow", "info": "cyan"}
_COUNTED = ("error", "warning")

_EPILOG = """\
examples:
  lossdsl check mine.loss losses/     files, and folders of *.loss files
  lossdsl check train.yaml            the losses under `loss` and `losses` in a YAML file
  lossdsl check huber                 a built-in loss
  lossdsl check "abs(t - x)^2"        a formula
  lossdsl show huber --stage gradient what the compiler makes of a loss, stage by stage
  lossdsl emit huber --target torch   the loss as a module of its own
  lossdsl list                        the built-in losses

exit status: 0 nothing found, 1 errors or warnings found, 2 wrong use.
Colours are used on a terminal unless NO_COLOR is set.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        options = _parser().parse_args(argv)
        status: int = options.run(options)
        sys.stdout.flush()
    except LossError as error:
        _write(sys.stderr, error.kind, str(error))
        return WRONG_USE if isinstance(error, LossFileError) and error.span is None else FOUND
    except _WrongUse as error:
        return _wrong_use(str(error))
    except BrokenPipeError:
        # What is left in the buffer has no reader; it must not be flushed when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


class _WrongUse(Exception):
    """A command line that makes no sense, found while it is carried out."""


# --- arguments ----------------------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """A parser that names the near miss of a command."""

    commands: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        words = list(sys.argv[1:] if args is None else args)
        if self.commands and words and not words[0].startswith("-") and words[0] not in self.commands:
            hint = did_you_mean(words[0], self.commands) or f"there are {', '.join(self.commands)}"
            self.error(f"there is no command `{words[0]}`; {hint}")
        return super().parse_known_args(words, namespace)

    def error(self, message: str) -> NoReturn:
        self.exit(WRONG_USE, f"{self.format_usage()}{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    from lossdsl import __version__

    layout = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        prog="lossdsl",
        description="Loss functions written as in the paper, checked, differentiated and compiled for Keras.",
        epilog=_EPILOG,
        formatter_class=layout,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"lossdsl {__version__}")
    parser.set_defaults(run=_help(parser))
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)

    check = commands.add_parser(
        "check",
        help="look for mistakes in losses",
        description="Looks for mistakes in losses, without Keras: in the text, in the worked examples (`example`), in\n"
        "the gradient, and names without use. Each finding has its place, the line and a remedy.",
        formatter_class=layout,
    )
    check.add_argument(
        "sources", nargs="+", metavar="FILE", help="a .loss or YAML file, a folder, a built-in's name, or a formula"
    )
    check.set_defaults(run=_check)

    show = commands.add_parser(
        "show",
        help="print what the compiler makes of a loss",
        description="Prints a loss at a stage of the compiler.",
        formatter_class=layout,
    )
    show.add_argument("source", metavar="NAME", help="a .loss file, a built-in's name, or a formula")
    show.add_argument("--stage", default="loss", help="one of the stages of the compiler (by default `loss`)")
    show.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="the value of a parameter; those of kind bool and int change what is made of a loss",
    )
    show.set_defaults(run=_show)

    emit = commands.add_parser(
        "emit",
        help="print a loss as a module that needs no lossdsl",
        description="Prints a self-contained Python module: the function, its gradient where it is ours, and for\n"
        "keras a class for model.compile.",
        formatter_class=layout,
    )
    emit.add_argument("source", metavar="NAME", help="a .loss file, a built-in's name, or a formula")
    emit.add_argument("--target", default="numpy", help="numpy, tensorflow, jax, torch or keras (by default numpy)")
    emit.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="the value that a parameter has by default"
    )
    emit.set_defaults(run=_emit)

    names = commands.add_parser("list", help="list the built-in losses", description="Lists the built-in losses.")
    names.set_defaults(run=_list)
    parser.commands = list(commands.choices)
    return parser


def _help(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    def run(_: argparse.Namespace) -> int:
        parser.print_help()
        return WRONG_USE

    return run


def _wrong_use(message: str) -> int:
    print(f"lossdsl: {message}", file=sys.stderr)
    return WRONG_USE


# --- check --------------------------------------------------------------------------------------------------------


def _check(options: argparse.Namespace) -> int:
    counts: Counter[str] = Counter()
    checked: list[Report] = []
    losses = 0
    for given in options.sources:
        for item in _losses(given):
            losses += 1
            try:
                report = _report(item)
            except LossError as error:
                counts["error"] += 1
                _write(sys.stdout, "error", str(error))
                continue
            checked.append(report)
            for finding in report.findings:
                counts[finding.severity] += 1
                _write(sys.stdout, finding.severity, str(finding))
    found = ", ".join(_number(counts[severity], severity) for severity in _COUNTED if counts[severity])
    passed = f" ({'; '.join(checked[0].passed)})" if losses == 1 and checked and checked[0].passed else ""
    print(f"{_number(losses, 'loss')} checked: {found or 'nothing found'}{passed}")
    return FOUND if found else CLEAN


def _report(item: Source | Described | LossError) -> Report:
    """What is found in a loss and, of one in YAML, in the parameters given there. Raises LossError."""
    from lossdsl.checks import check

    if isinstance(item, LossError):
        raise item
    if isinstance(item, Source):
        return check(item)
    report = check(item.source)
    if report.ok:
        from lossdsl.runtime.spec import LoadedLoss, axes_of

        with item.blamed():
            LoadedLoss(item.source, axes_of(item.options.get("axis", -1)), item.parameters)
    return report


def _number(count: int, noun: str) -> str:
    plural = "" if count == 1 else "es" if noun.endswith("s") else "s"
    return f"{count} {noun}{plural}"


def _losses(given: str) -> Iterator[Source | Described | LossError]:
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


# --- show and list ------------------------------------------------------------------------------------------------


def _show(options: argparse.Namespace) -> int:
    from lossdsl import pipeline

    if options.stage not in pipeline.STAGES:
        near = near_miss(options.stage, pipeline.STAGES)
        hint = f"did you mean `{near}`?" if near else f"there are {', '.join(pipeline.STAGES)}"
        return _wrong_use(f"there is no stage `{options.stage}`; {hint}")
    loss = _one_loss(options.source)
    if options.stage == "text":  # also of a text that has mistakes
        print((loss if isinstance(loss, Source) else loss.source).text.rstrip("\n"))
        return CLEAN
    program, _ = _program(loss, options.param)
    print(program.show(options.stage))
    return CLEAN


def _emit(options: argparse.Namespace) -> int:
    from lossdsl import pipeline

    if options.target not in pipeline.TARGETS:
        near = near_miss(options.target, pipeline.TARGETS)
        hint = f"did you mean `{near}`?" if near else f"there are {', '.join(pipeline.TARGETS)}"
        return _wrong_use(f"there is no target `{options.target}`; {hint}")
    program, given = _program(_one_loss(options.source), options.param)
    defaults = {spec.name: spec.default for spec in program.loss.parameters if spec.default is not None}
    print(program.emitted(options.target, {**defaults, **given}), end="")
    return CLEAN


def _one_loss(given: str) -> Source | Described:
    found = list(_losses(given))
    if len(found) > 1:
        raise _WrongUse(f"{given} holds {len(found)} losses; name one")
    if isinstance(found[0], LossError):
        raise found[0]
    return found[0]


def _program(loss: Source | Described, settings: Sequence[str]) -> tuple[Program, dict[str, Any]]:
    """A loss under the parameters of the command line (`NAME=VALUE`) and of YAML, and those."""
    from lossdsl import pipeline

    file = pipeline.parsed(loss if isinstance(loss, Source) else loss.source)
    given = {} if isinstance(loss, Source) else dict(loss.parameters)
    specs = {spec.name: spec for spec in pipeline.parameters(file)}
    for text in settings:
        name, sign, value = text.partition("=")
        if not sign:
            raise _WrongUse(f"--param is NAME=VALUE, not `{text}`")
        if name not in specs:
            hint = did_you_mean(name, specs) or (f"there are {', '.join(specs)}" if specs else "it has none")
            raise _WrongUse(f"the loss has no parameter `{name}`; {hint}")
        given[name] = _value(value)
    settled: dict[str, bool | int] = {}
    for name, spec in specs.items():
        if spec.kind in ("bool", "int") and name in given:
            wanted = bool if spec.kind == "bool" else int
            if type(given[name]) is not wanted:
                raise _WrongUse(f"`{name}` is {'true or false' if wanted is bool else 'a whole number'}")
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


def _list(_: argparse.Namespace) -> int:
    from lossdsl.frontend.parse import parse

    names = catalog.names()
    width = max(map(len, names))
    for name in names:
        source = catalog.read(name)
        assert source is not None
        title = parse(source).losses[-1].doc.partition("\n")[0]
        print(f"{name:{width}}  {title}".rstrip())
    return CLEAN


# --- text ---------------------------------------------------------------------------------------------------------


def _write(stream: TextIO, severity: str, text: str) -> None:
    """A message on a stream, coloured on a terminal: the first line, the carets and the remedy."""
    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        print(text, file=stream)
        return
    from rich.console import Console
    from rich.text import Text

    shown = Text()
    style = _COLOURS.get(severity, "bold red")
    for count, line in enumerate(text.split("\n")):
        bare = line.strip(" |")
        loud = count == 0 or (bare and not bare.strip("^"))
        shown.append(f"{line}\n", style if loud else "green" if line.startswith("  help:") else "")
    Console(file=stream, highlight=False, soft_wrap=True).print(shown, end="")
