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
from types import MappingProxyType
from typing import Any, NoReturn

from lossdsl.cli import check, completion, emit, fmt, grad, listing, plot, show
from lossdsl.cli.garbage import collect_seldom
from lossdsl.cli.named import WrongUse, is_setting
from lossdsl.cli.status import BROKEN_PIPE, FOUND, INTERRUPTED, WRONG_USE
from lossdsl.cli.terminal import write
from lossdsl.errors import LossError, LossFileError, did_you_mean

GROUPS = {
    "write a loss": (check, fmt),
    "look at a loss": (listing, plot, grad, show),
    "take it elsewhere": (emit, completion),
}
"""The commands, in the order in which help lists them."""

_EPILOG = """\
A loss is named by a built-in's name (`huber`, or `mse` for short), by a .loss file, by a YAML file
that describes one, or it is a formula in quotes, in which t is the target and x the prediction.
plot, grad, show and emit take the value of a parameter as --param NAME=VALUE.

examples:
  lossdsl check mine.loss losses/              files, and folders of *.loss files
  lossdsl check train.yaml                     the losses under `loss` and `losses` in a YAML file
  lossdsl check "abs(t - x)^2"                 a formula
  lossdsl fmt --diff losses/                   what the canonical form would change
  lossdsl plot huber mse log_cosh -o out.png   values and gradients in one picture
  lossdsl grad huber --as latex                the gradient, to be pasted into a paper
  lossdsl show huber --stage stable            what the compiler makes of a loss, stage by stage
  lossdsl emit huber --target torch            the loss as a module of its own

exit status: 0 nothing found, 1 errors or warnings found, 2 wrong use.
Colours are used on a terminal unless NO_COLOR is set. Keras is not loaded.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        options = parser().parse_args(argv)
        status: int = options.run(options)
        sys.stdout.flush()
    except LossError as error:
        write(sys.stderr, error.kind, str(error))
        return WRONG_USE if isinstance(error, LossFileError) and error.span is None else FOUND
    except WrongUse as error:
        return _wrong_use(str(error))
    except BrokenPipeError:
        # What is left in the buffer has no reader; it must not be flushed when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


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
        if self.helps and words and not words[0].startswith("-") and words[0] not in self.helps:
            hint = did_you_mean(words[0], self.helps) or f"there are {', '.join(self.helps)}"
            self.error(f"there is no command `{words[0]}`; {hint}")
        return super().parse_known_args(words, namespace)

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
        parts.append(f"  -h, --help  {more}\n  --version   the version")
        return "\n\n".join([*parts, self.epilog or ""])


def parser() -> argparse.ArgumentParser:
    """The command line with all its commands."""
    from lossdsl import __version__

    made = _Parser(
        prog="lossdsl",
        description="Loss functions written as in the paper, checked, differentiated and compiled for Keras.",
        epilog=_EPILOG,
    )
    made.add_argument("--version", action="version", version=f"lossdsl {__version__}")
    made.set_defaults(run=_help(made))
    commands = made.add_subparsers(metavar="COMMAND", parser_class=_Parser)
    for modules in GROUPS.values():
        for module in modules:
            module.add(commands)
    for each in commands.choices.values():
        each.set_defaults(parser=each)
    made.helps = {action.dest: action.help or "" for action in commands._choices_actions}
    return made


def _help(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    def run(_: argparse.Namespace) -> int:
        parser.print_help()
        return WRONG_USE

    return run


def _wrong_use(message: str) -> int:
    print(f"lossdsl: {message}", file=sys.stderr)
    return WRONG_USE
