"""The stages of the compiler as text: what `lossdsl show --stage` prints."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from lossdsl.frontend import syntax
from lossdsl.ir.axes import names
from lossdsl.ir.loss import Loss
from lossdsl.ir.text import definitions, formula
from lossdsl.targets import LIBRARIES, TARGETS
from lossdsl.transform.passes import VALUE, through

if TYPE_CHECKING:
    from lossdsl.pipeline import Program


def shown(program: Program, stage: str) -> str:
    """A stage of a loss; `stage` is one of STAGES."""
    return _SHOWN[stage](program)


def _loss(loss: Loss) -> str:
    """The resolved loss: its inputs and parameters with their axes, and what it computes."""
    lines = [f"loss {loss.name}"]
    for spec in loss.inputs:
        kind = spec.layout if spec.is_label else " ".join(word for word in (spec.values, spec.layout) if word)
        lines.append(f"  input {spec.name}: {kind}; axes {names(spec.over)}")
    for parameter in loss.parameters:
        settled = f" = {loss.settled[parameter.name]}" if parameter.name in loss.settled else ""
        lines.append(f"  parameter {parameter.name}: {parameter.kind}{settled}")
    lines += [f"  require {formula(condition)}" for condition in loss.granted]
    lines += [f"  {line}" for line in definitions(loss.result)]
    lines.append(f"  axes of the result: {names(loss.result.axes)}")
    return "\n".join(lines)


def _tree(node: object, depth: int = 0) -> Iterator[str]:
    """A syntax tree, one node a line, with its place."""
    pad = "  " * depth
    match node:
        case None:
            pass
        case tuple():
            for part in node:
                yield from _tree(part, depth)
        case syntax.FileText():
            yield from _tree(node.losses, depth)
        case syntax.LossText():
            yield f"{pad}LossText"
            yield from _tree((node.header, *node.lines), depth + 1)
        case syntax.Node():
            values = [getattr(node, field) for field in node.__dataclass_fields__ if field != "span"]
            own = [f"{value}" for value in values if not isinstance(value, syntax.Node | tuple | None)]
            head = f"{pad}{type(node).__name__} {' '.join(own)}".rstrip()
            yield f"{head}  @{node.span.line}:{node.span.column}"
            yield from _tree(tuple(value for value in values if isinstance(value, syntax.Node | tuple)), depth + 1)
        case _:
            yield f"{pad}{node}"


def _after(count: int, program: Program) -> str:
    """The value after the first passes."""
    (found,) = through(VALUE[:count], (program.loss.result,), program.known)
    return "\n".join(definitions(found, program.loss.names))


def _gradients(program: Program) -> str:
    lines = []
    for spec, exprs in program.gradients.items():
        for node, expr in zip(spec.nodes, exprs, strict=True):
            lines += [f"# d/d{node.name}", *definitions(expr)]
    return "\n".join(lines)


def _code(target: str, program: Program) -> str:
    if target not in LIBRARIES:
        return program.emitted(target, {})
    return ast.unparse(program.module(target))


_SHOWN: Mapping[str, Callable[[Program], str]] = {
    "text": lambda program: program.loss.source.text.rstrip("\n"),
    "tree": lambda program: "\n".join(_tree(program.file)),
    "loss": lambda program: _loss(program.loss),
    "latex": lambda program: program.latex,
    **{one.name: partial(_after, count) for count, one in enumerate(VALUE, 1)},
    "stable": lambda program: "\n".join(definitions(program.value, program.loss.names)),
    "proposals": lambda program: "\n\n".join(map(str, program.proposals)) or "none",
    "gradient": _gradients,
    **{target: partial(_code, target) for target in TARGETS},
}
STAGES = tuple(_SHOWN)
"""In order; of the passes (see `transform.passes`), the value after each."""
