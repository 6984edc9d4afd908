"""The command line: each command is a module of this folder.

What is heavy is imported by the command that needs it, and Keras by none. Exit status: 0 nothing found, 1 something
found, 2 wrong use, 130 interrupted.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, NoReturn, TextIO

from lossdsl.cli import check, compare, completion, emit, eval, fmt, grad, help, listing, new, plot, show
from lossdsl.cli.named import is_setting
from lossdsl.cli.status import BROKEN_PIPE, FOUND, INTERRUPTED, WRONG_USE, WrongUse
from lossdsl.cli.terminal import COLOURS, coloured, write
from lossdsl.errors import LossError, LossFileError, did_you_mean
from lossdsl.garbage import collect_seldom

GROUPS = {
    "write a loss": (new, check, fmt),
    "look at a loss": (listing, plot, grad, eval, show, compare),
    "take it elsewhere": (emit,),
    "find your way": (help, completion),
}
"""The commands, in the order in which help lists them."""

_EPILOG = """\
A loss is named by a built-in's name (`huber`, or `mse` for short), by a .loss file, by a YAML file
that describes one, or it is a formula in quotes, in which t is the target and x the prediction.
plot, grad, eval, show and emit take the value of a parameter as --param NAME=VALUE.

examples:
  lossdsl new charbonnier                      charbonnier.loss, to begin with
  lossdsl check mine.loss losses/              files, and folders of *.loss files
  lossdsl check train.yaml                     the losses under `loss` and `losses` in a YAML file
  lossdsl check "abs(t - x)^2"                 a formula
  lossdsl fmt --diff losses/                   what the canonical form would change
  lossdsl plot huber mse log_cosh -o out.png   values and gradients in one picture
  lossdsl grad huber --as latex                the gradient, to be pasted into a paper
  lossdsl eval huber t=0 x=3                   the value for given numbers
  lossdsl show huber --stage stable            what the compiler makes of a loss, stage by stage
  lossdsl emit huber --target torch            the loss as a module of its own

exit status: 0 nothing found, 1 errors or warnings found, 2 wrong use.
Colours are used on a terminal; --color, FORCE_COLOR and NO_COLOR decide otherwise.
Keras is not loaded.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line; returns the exit status."""
    if sys.stderr is None:  # closed: whatever is said has no reader
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process
    if sys.stdout is None:
        return _wrong_use("standard output is closed")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        options = parser().parse_args(argv)
        with coloured(options.color):
            status = _carried_out(options)
        sys.stdout.flush()
    except WrongUse as error:
        return _wrong_use(str(error))
    except BrokenPipeError:
        _discard(sys.stdout)
        return BROKEN_PIPE
    except OSError as error:
        _discard(sys.stdout)
        what = error.filename or "standard output"
        return _wrong_use(f"{what} cannot be {'read' if error.filename else 'written'}: {error.strerror or error}")
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


def _carried_out(options: argparse.Namespace) -> int:
    """What a command comes to."""
    try:
        status: int = options.run(options)
    except LossError as error:
        write(sys.stderr, error.kind, str(error))
        return WRONG_USE if isinstance(error, LossFileError) and error.span is None else FOUND
    return status


def _discard(stream: TextIO) -> None:
    """Leads a stream nowhere: what is left in its buffer has no reader, and must not be flushed when Python ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def console() -> int:
    """`main` in a process of its own."""
    collect_seldom()
    return main()


# --- arguments ----------------------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """A parser that names the near miss of a command or option, and lists the commands in groups."""

    helps: Mapping[str, str] = MappingProxyType({})

    def __init__(self, *args: Any, **more: Any) -> None:
        more["allow_abbrev"] = False
        super().__init__(*args, **more)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        words = list(sys.argv[1:] if args is None else args)
        if self.helps and words and not words[0].startswith("-"):
            self.check_command(words[0])
        return super().parse_known_args(words, namespace)

    def check_command(self, word: str) -> None:
        """Ends the process where there is no such command."""
        if word not in self.helps:
            hint = did_you_mean(word, self.helps) or f"there are {', '.join(self.helps)}"
            self.error(f"there is no command `{word}`; {hint}")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        options, rest = self.parse_known_args(args, namespace)
        if rest:
            parser: _Parser = getattr(options, "parser", self)
            parser.error(f"unrecognized arguments: {' '.join(rest)}{parser.advice(rest)}")
        return options

    def advice(self, words: Sequence[str]) -> str:
        """What the first of some words was probably meant to be."""
        flags = [flag for action in self._actions for flag in action.option_strings]
        word = words[0].partition("=")[0]
        if word.startswith("-"):
            hint = did_you_mean(word, flags)
        else:
            is_value = is_setting(words[0]) and "--param" in flags
            hint = f"a parameter is given as `--param {words[0]}`" if is_value else None
        return f"; {hint}" if hint else ""

    def error(self, message: str) -> NoReturn:
        self.exit(WRONG_USE, f"{self.format_usage()}{self.prog}: {message}\n")

    def format_help(self) -> str:
        if not self.helps:
            return super().format_help()
        parts = [f"usage: {self.prog} COMMAND …", self.description or ""]
        commands = iter(self.helps.items())
        for title, modules in GROUPS.items():
            lines = [f"  {name:12}{text}" for name, text in itertools.islice(commands, len(modules))]
            parts.append("\n".join([f"{title}:", *lines]))
        more = "this help; `lossdsl COMMAND --help` tells more of a command"
        parts.append(f"  -h, --help     {more}\n  -V, --version  the version")
        return "\n\n".join([*parts, self.epilog or ""])


def parser() -> _Parser:
    """The command line with all its commands."""
    from lossdsl import __version__

    made = _Parser(
        prog="lossdsl",
        description="Loss functions written as in the paper, checked, differentiated and compiled for Keras.",
        epilog=_EPILOG,
    )
    made.add_argument("-V", "--version", action="version", version=f"lossdsl {__version__}")
    _add_common(made, quiet=False, color="auto")
    made.set_defaults(run=_help(made))
    commands = made.add_subparsers(metavar="COMMAND", parser_class=_Parser)
    for modules in GROUPS.values():
        for module in modules:
            module.add(commands)
    for each in commands.choices.values():
        _add_common(each, quiet=argparse.SUPPRESS, color=argparse.SUPPRESS)
        each.set_defaults(parser=each)
    made.helps = {action.dest: action.help or "" for action in commands._choices_actions}
    return made


def help_of(command: str | None) -> str:
    """The help of the program or of a command. Ends the process where there is no such command."""
    made = parser()
    if command is None:
        return made.format_help()
    made.check_command(command)
    (commands,) = (action for action in made._actions if isinstance(action, argparse._SubParsersAction))
    found: str = commands.choices[command].format_help()
    return found


def _add_common(parser: argparse.ArgumentParser, *, quiet: Any, color: Any) -> None:
    """Adds the options that may stand before a command or behind it."""
    group = parser.add_argument_group("everywhere")
    group.add_argument(
        "-q", "--quiet", action="store_true", default=quiet, help="print what was asked for, and no summary"
    )
    group.add_argument(
        "--color",
        choices=COLOURS,
        default=color,
        metavar="WHEN",
        help="colours: auto (on a terminal), always or never; before FORCE_COLOR and NO_COLOR",
    )


def _help(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    def run(_: argparse.Namespace) -> int:
        parser.print_help()
        return WRONG_USE

    return run


def _wrong_use(message: str) -> int:
    try:
        print(f"lossdsl: {message}", file=sys.stderr, flush=True)
    except OSError:  # nor is there a place to say so
        _discard(sys.stderr)
    return WRONG_USE
