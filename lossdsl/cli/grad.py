"""`lossdsl grad`: the gradient of a loss, as a formula, LaTeX or code."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lossdsl.cli.named import add_one_loss, add_output, add_parameters, one_loss, program_of
from lossdsl.cli.status import CLEAN, WrongUse
from lossdsl.cli.terminal import deliver
from lossdsl.errors import did_you_mean

if TYPE_CHECKING:
    from lossdsl.ir.expr import Expr
    from lossdsl.ir.inputs import InputSpec
    from lossdsl.pipeline import Program

FORMS = ("formula", "latex")


def add(commands: Any) -> None:
    """Adds the command to a command line."""
    parser = commands.add_parser(
        "grad",
        help="print the gradient of a loss as formula, LaTeX or code",
        description="Prints the gradient of a loss in its prediction or another input: of the loss of each element,\n"
        "before the average over the last axis, or where elements count together, of the sum of the\n"
        "loss's values. The formula and LaTeX are written for readers, code for the last digit;\n"
        "`lossdsl show NAME --stage gradient` prints what is compiled.",
        epilog="examples:\n"
        "  lossdsl grad huber\n"
        "  lossdsl grad huber --param delta=0.5 --as latex\n"
        "  lossdsl grad 'log(cosh(t - x))' --as torch",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_one_loss(parser)
    add_output(parser)
    parser.add_argument("--wrt", metavar="INPUT", help="the input (by default the prediction)")
    parser.add_argument(
        "--as",
        dest="form",
        default="formula",
        metavar="FORM",
        help="formula, latex, numpy, tensorflow, jax, torch, keras or javascript (by default formula)",
    )
    add_parameters(parser, "the value of a parameter; in code, its default")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from lossdsl import pipeline

    known = (*FORMS, *pipeline.TARGETS)
    if options.form not in known:
        hint = did_you_mean(options.form, known) or f"there are {', '.join(known)}"
        raise WrongUse(f"there is no form `{options.form}`; {hint}")
    program, given = program_of(one_loss(options.source, options.key), options.param)
    spec = _input(program, options.wrt)
    if options.form in FORMS:
        text = _equations(program, spec, given, is_latex=options.form == "latex")
    else:
        defaults = {each.name: each.default for each in program.loss.parameters if each.default is not None}
        text = program.emitted_gradient(spec, options.form, {**defaults, **given})
    deliver(text, options.output)
    return CLEAN


def _input(program: Program, name: str | None) -> InputSpec:
    loss = program.loss
    spec = loss.prediction if name is None else loss.input(name)
    names = [each.name for each in loss.inputs]
    if spec is None:
        hint = did_you_mean(name or "", names) or f"its inputs are {', '.join(names)}"
        raise WrongUse(f"{loss.name} has no input `{name}`; {hint}")
    if not spec.is_real:
        raise WrongUse(f"`{spec.name}` is a label: there is no gradient in it")
    return spec


def _equations(program: Program, spec: InputSpec, given: Mapping[str, Any], *, is_latex: bool) -> str:
    """The gradient in each component of an input, with the given numbers in the place of parameters."""
    from lossdsl.ir import build as b
    from lossdsl.ir.plain import plain
    from lossdsl.ir.text import definitions
    from lossdsl.targets import latex
    from lossdsl.targets.documentation import gradient_title

    values: dict[Expr, Expr] = {
        each.node: b.const(given[each.name])
        for each in program.loss.parameters
        if each.kind == "real" and isinstance(given.get(each.name), int | float)
    }
    written = plain(b.substitute(node, values) for node in program.loss.names)
    names = dict(zip(written, program.loss.names.values(), strict=True))
    blocks = []
    for node, slope in zip(spec.nodes, program.readable_gradients[spec], strict=True):
        (part,) = plain([b.substitute(slope, values)])
        if is_latex:
            blocks.append(latex.gradient(part, node, names, program.is_elementwise))
        else:
            head = [f"# in {node.name}"] if len(spec.nodes) > 1 else []
            blocks.append("\n".join([*head, *definitions(part, names)]))
    title = gradient_title(program.loss, spec, program.is_elementwise)
    return "\n".join([f"{'%' if is_latex else '#'} {title}", *blocks, ""])
