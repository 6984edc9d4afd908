"""`lossdsl completion`: scripts that complete the command line in bash, zsh and fish.

They are made from the argument parser: its commands, their options and helps, and what each metavar stands for.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lossdsl.cli.named import add_output
from lossdsl.cli.status import CLEAN
from lossdsl.cli.terminal import COLOURS, deliver

_PATHS = ("PATH", "FILE", "NAME")
"""The metavars that a path may stand in for."""


def add(commands: Any) -> None:
    """Adds the command to a command line."""
    parser = commands.add_parser(
        "completion",
        help="print a script that completes the command line",
        description="Prints a script for a shell, which then completes commands, options, built-in losses and files.",
        epilog="to have it in every shell:\n"
        "  bash   echo 'eval \"$(lossdsl completion bash)\"' >> ~/.bashrc\n"
        "  zsh    echo 'eval \"$(lossdsl completion zsh)\"' >> ~/.zshrc     after compinit\n"
        "  fish   lossdsl completion fish > ~/.config/fish/completions/lossdsl.fish",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_output(parser)
    parser.add_argument("shell", choices=tuple(_SCRIPTS), metavar="SHELL", help="bash, zsh or fish")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from lossdsl.cli import parser

    deliver(_SCRIPTS[options.shell](_commands(parser())), options.output)
    return CLEAN


# --- what there is to complete ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Option:
    """An option: its spellings, the metavar of its value (None for a switch), its help, whether it may be repeated."""

    flags: tuple[str, ...]
    value: str | None
    help: str
    is_repeated: bool


@dataclass(frozen=True)
class _Command:
    """A command: its options, the metavar of what stands without an option (None: nothing does)."""

    name: str
    help: str
    options: tuple[_Option, ...]
    value: str | None

    @property
    def flags(self) -> list[str]:
        return [flag for option in self.options for flag in option.flags]


def _commands(parser: argparse.ArgumentParser) -> list[_Command]:
    """The commands in the order of help; the first, without a name, is the program itself."""
    (sub,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    helps = {action.dest: action.help or "" for action in sub._choices_actions}
    found = [_command("", "", parser)]
    return found + [_command(name, helps[name], each) for name, each in sub.choices.items()]


def _command(name: str, text: str, parser: argparse.ArgumentParser) -> _Command:
    options = tuple(
        _Option(
            tuple(action.option_strings),
            None if action.nargs == 0 else _metavar(action),
            action.help or "",
            isinstance(action, argparse._AppendAction),
        )
        for action in parser._actions
        if action.option_strings
    )
    plain = [
        each for each in parser._actions if not each.option_strings and not isinstance(each, argparse._SubParsersAction)
    ]
    return _Command(name, text, options, _metavar(plain[0]) if plain else None)


def _metavar(action: argparse.Action) -> str:
    return " ".join([action.metavar] if isinstance(action.metavar, str) else action.metavar or ())


def _words(metavar: str | None) -> list[str]:
    """The words that a metavar stands for, if it stands for words."""
    from lossdsl import catalog, pipeline
    from lossdsl.checks import FAMILIES, FINDINGS
    from lossdsl.cli import parser
    from lossdsl.cli.check import BACKENDS
    from lossdsl.cli.formats import FORMATS
    from lossdsl.cli.grad import FORMS

    meaning: dict[str, Sequence[str]] = {
        "NAME": catalog.known(),
        "FILE": catalog.known(),
        "FAMILY": catalog.families(),
        "TARGET": pipeline.TARGETS,
        "STAGE": pipeline.STAGES,
        "FORM": (*FORMS, *pipeline.TARGETS),
        "FORMAT": tuple(FORMATS),
        "BACKEND": BACKENDS,
        "ID": tuple(FINDINGS),
        "IDS": (*FINDINGS, *(name for name, family in FAMILIES.items() if family.ROWS)),
        "SHELL": tuple(_SCRIPTS),
        "WHEN": COLOURS,
        "COMMAND": tuple(parser().helps),
    }
    return list(meaning.get(metavar or "", ()))


# --- scripts ------------------------------------------------------------------------------------------------------


def _bash(commands: Sequence[_Command]) -> str:
    program, *rest = commands
    names = " ".join([*(command.name for command in rest), *program.flags])
    lines = [
        "# bash completion for lossdsl",
        "_lossdsl() {",
        '    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" command="" words="" files="" i',
        '    [[ $cur == "=" ]] && cur=""',
        '    [[ $prev == "=" ]] && prev="${COMP_WORDS[COMP_CWORD-2]}"',
        "    for ((i = 1; i < COMP_CWORD; i++)); do",
        '        [[ ${COMP_WORDS[i]} != -* && ${COMP_WORDS[i-1]} != --color ]] && command="${COMP_WORDS[i]}" && break',
        "    done",
        '    case "$command" in',
        f'        "") words={shlex.quote(names)} ;;',
    ]
    for command in rest:
        lines += [f"        {command.name})", '            case "$prev" in']
        for option in command.options:
            if option.value is not None:
                lines.append(f"                {'|'.join(option.flags)}) {_bash_value(option.value)} ;;")
        flags = shlex.quote(" ".join(command.flags))
        lines += [
            "                *)",
            f"                    if [[ $cur == -* ]]; then words={flags}",
            f"                    else {_bash_value(command.value)}; fi ;;",
            "            esac ;;",
        ]
    lines += [
        "    esac",
        '    COMPREPLY=($(compgen -W "$words" -- "$cur"))',
        "    local IFS=$'\\n'  # names of files may have spaces",
        '    [[ -n $files ]] && COMPREPLY+=($(compgen -f -- "$cur"))',
        "}",
        "complete -o filenames -F _lossdsl lossdsl",
    ]
    return "\n".join(lines) + "\n"


def _bash_value(metavar: str | None) -> str:
    words = shlex.quote(" ".join(_words(metavar)))
    return f"words={words} files={'1' if metavar in _PATHS else shlex.quote('')}"


def _zsh(commands: Sequence[_Command]) -> str:
    program, *rest = commands
    described = "\n".join(f"                {_zsh_quoted(f'{each.name}:{each.help}')}" for each in rest)
    cases = "\n".join(_zsh_case(command) for command in rest)
    return f"""#compdef lossdsl
# zsh completion for lossdsl
_lossdsl() {{
    local curcontext="$curcontext" state line
    typeset -A opt_args
    _arguments -C {" ".join(_zsh_option(option) for option in program.options)} '1: :->command' '*:: :->argument'
    case $state in
        command)
            local -a commands
            commands=(
{described}
            )
            _describe -t commands command commands ;;
        argument)
            case $words[1] in
{cases}
            esac ;;
    esac
}}
_lossdsl_losses() {{
    _alternative 'losses:built-in loss:({" ".join(_words("NAME"))})' 'files:file:_files'
}}
if [[ $funcstack[1] == _lossdsl ]]; then _lossdsl "$@"; else compdef _lossdsl lossdsl; fi
"""


def _zsh_case(command: _Command) -> str:
    parts = [_zsh_option(option) for option in command.options]
    if command.value is not None:
        parts.append(_zsh_quoted(f"*:{command.value}:{_zsh_values(command.value)}"))
    joined = " \\\n                    ".join(parts)
    return f"                {command.name}) _arguments \\\n                    {joined} ;;"


def _zsh_option(option: _Option) -> str:
    text = option.help.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
    values = (option.value or "").split()
    end = "".join(f":{value.replace(':', ' ')}:{_zsh_values(value)}" for value in values)
    once = "*" if option.is_repeated else f"({' '.join(option.flags)})"
    signs = ["=" if values and flag.startswith("--") else "" for flag in option.flags]
    return " ".join(
        _zsh_quoted(f"{once}{flag}{sign}[{text}]{end}") for flag, sign in zip(option.flags, signs, strict=True)
    )


def _zsh_values(metavar: str) -> str:
    words = " ".join(_words(metavar))
    if metavar in _PATHS:
        return "_lossdsl_losses" if words else "_files"
    return f"({words})" if words else " "


def _zsh_quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _fish(commands: Sequence[_Command]) -> str:
    program, *rest = commands
    lines = ["# fish completion for lossdsl", "complete -c lossdsl -f"]
    for option in program.options:
        lines.append(f"complete -c lossdsl -n __fish_use_subcommand {_fish_option(option)}")
    for command in rest:
        lines.append(f"complete -c lossdsl -n __fish_use_subcommand -a {command.name} -d {_fish_quoted(command.help)}")
    for command in rest:
        seen = f"complete -c lossdsl -n '__fish_seen_subcommand_from {command.name}'"
        lines += [f"{seen} {_fish_option(option)}" for option in command.options]
        if _words(command.value):
            lines.append(f"{seen} -a {_fish_quoted(' '.join(_words(command.value)))}")
        if command.value in _PATHS:
            lines.append(f"{seen} -F")
    return "\n".join(lines) + "\n"


def _fish_option(option: _Option) -> str:
    flags = [f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags]
    words = _words(option.value)
    takes = "" if option.value is None else " -r -F" if option.value in _PATHS else " -x"
    given = f" -a {_fish_quoted(' '.join(words))}" if words else ""
    return f"{' '.join(flags)}{takes}{given} -d {_fish_quoted(option.help)}"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_SCRIPTS: Mapping[str, Callable[[Sequence[_Command]], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
