"""The command line: each command is a module of this folder.

What is heavy is imported by the command that needs it, and Keras by none. Exit status: 0 nothing found, 1 something
found, 2 wrong use, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from lossdsl.cli import check, emit, fmt, grad, listing, plot, show
from lossdsl.cli.named import WrongUse
from lossdsl.cli.status import BROKEN_PIPE, FOUND, INTERRUPTED, WRONG_USE
from lossdsl.cli.terminal import write
from lossdsl.errors import LossError, LossFileError, did_you_mean

COMMANDS = (check, fmt, plot, grad, show, emit, listing)
"""The commands, in the order in which help lists them."""

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

    for command in COMMANDS:
        command.add(commands)
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
