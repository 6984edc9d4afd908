"""What an emitted module says of its loss, whatever the language of its comments."""

from __future__ import annotations

import textwrap

from lossdsl.ir.axes import names
from lossdsl.ir.inputs import InputSpec
from lossdsl.ir.loss import Loss


def gradient_title(loss: Loss, spec: InputSpec, is_elementwise: bool) -> str:
    """What a gradient is the gradient of."""
    if is_elementwise:
        return f"The gradient of {loss.name} in {spec.name}: of the loss of each element, before the average."
    return f"The gradient of {loss.name} in {spec.name}: of the sum of its values."


def gradient_name(name: str, loss: Loss, spec: InputSpec) -> str:
    """What the function of a gradient is called."""
    return f"{name}_gradient" if spec is loss.prediction else f"{name}_gradient_{spec.identifier}"


def lines(loss: Loss) -> list[str]:
    """Title, reference, formula and shapes."""
    body = loss.text.strip()
    if body.startswith('"""') and body.count('"""') == 2:
        body = body.rsplit('"""', 1)[1].strip()  # the documentation stands above already
    parts = [loss.doc or f"The loss {loss.name}.", "In the language of lossdsl:", textwrap.indent(body, "    ")]
    return "\n\n".join(parts).split("\n")


def shapes(loss: Loss) -> list[str]:
    """A line for each argument."""
    lines = []
    for spec in loss.inputs:
        kind = "whole numbers" if spec.is_label else spec.values
        lines.append(f"    {spec.name}: {kind}, axes ({names(spec.over)})")
    for parameter in loss.parameters:
        if parameter.name not in loss.settled:
            lines.append(f"    {parameter.name}: {'a number' if parameter.kind == 'real' else parameter.kind}")
    if loss.settled:
        settled = ", ".join(f"{name} = {value}" for name, value in loss.settled.items())
        lines.append(f"    settled when this was written: {settled}")
    return lines


def title(loss: Loss) -> str:
    """The first line of the documentation."""
    return loss.doc.split("\n", 1)[0] if loss.doc else f"The loss {loss.name}."
