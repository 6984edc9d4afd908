"""What of a loss can be worked out a few places at a time, read from the axes of its formula.

A place is one sample, or one position of one: a token of a sequence. What a place makes of its own logits alone is a
*place value*, such as the cross-entropy of a token or its log-probability. Most losses are one place value. Others go
on with them: a mean over the tokens that count, or the sum of a sequence's log-probabilities, in which case the rest of
the formula is a loss of its own whose inputs are the place values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from lossdsl.errors import LossTypeError
from lossdsl.ir import build as b
from lossdsl.ir.axes import BATCH, LAST, SAMPLE, Axis
from lossdsl.ir.expr import Along, Expr, Gather, Input, Length, Position, Reduce, Rename, walk
from lossdsl.ir.inputs import ELEMENT, InputSpec
from lossdsl.ir.loss import Loss
from lossdsl.ir.op import Kind
from lossdsl.ir.text import formula
from lossdsl.pipeline import Program

_REMEDY = "use it on whole logits: `keras.layers.Dense` and `lossdsl.compile`"


@dataclass(frozen=True)
class PlaceValues:
    """A loss taken apart: what each place makes of its logits, and what the loss makes of that.

    The programs of `values` take the inputs of the loss, at one place each; `rest` takes the place values in the order
    of `values`, one input each, and those inputs of the loss that are no logits. `rest` is None where the loss is its
    only place value.
    """

    values: tuple[Program, ...]
    rest: Program | None
    names: tuple[str, ...] = ()
    """What the place values are called as inputs of `rest`."""


def taken_apart(program: Program, heads: Mapping[InputSpec, int]) -> PlaceValues:
    """A loss taken apart, where `heads` are the inputs that come as a product of hidden states and a kernel.

    Each comes with the length of its last axis, which is a number in the loss then.

    Raises:
        LossTypeError: an input of `heads` has no last axis, or the logits of several places meet.
    """
    if program.loss.places:
        message = f"{program.loss.name} cannot be fused with its layer: it names its places"
        raise LossTypeError(message, None, _REMEDY)
    for spec in heads:
        if spec.over != ELEMENT:
            message = f"{program.loss.name}: `{spec.name}` has one number a place, so that there is no layer to fuse"
            raise LossTypeError(message, None, "a fused layer makes the logits of an input over the last axis")
    leaves = _leaves(heads)
    lengths: dict[Expr, Expr] = {
        Length(node, frozenset({LAST})): b.const(count) for spec, count in heads.items() for node in spec.nodes
    }
    result = b.substitute(program.loss.result, lengths)
    loss = replace(program.loss, value=result, result=result)
    cuts = _cuts(loss, leaves)
    values = tuple(_program(program, loss, b.number(cut)) for cut in cuts)
    if cuts == [loss.result]:
        return PlaceValues(values, None)
    return _with_rest(Program(program.file, loss), tuple(heads), cuts, values)


def _program(program: Program, loss: Loss, result: Expr) -> Program:
    return Program(program.file, replace(loss, value=result, result=result))


def _with_rest(
    program: Program, heads: tuple[InputSpec, ...], cuts: list[Expr], values: tuple[Program, ...]
) -> PlaceValues:
    loss = program.loss
    taken = {node.name for one in loss.inputs for node in one.nodes} | {one.name for one in loss.parameters}
    names = _fresh_names(len(cuts), taken)
    made = [InputSpec((Input(name, SAMPLE),), layout="scalar") for name in names]
    put: dict[Expr, Expr] = {}
    for cut, spec in zip(cuts, made, strict=True):
        value = spec.nodes[0]
        put[cut] = value if cut.kind is Kind.REAL else b.call("gt", value, b.const(0.5))
    for node in walk(loss.result):
        if isinstance(node, Length) and node.over <= SAMPLE and b.depends(node, _leaves(heads)):
            put[node] = Length(made[0].nodes[0], node.over)
    others = tuple(spec for spec in loss.inputs if spec not in heads)
    inputs = (*others[:1], *made, *others[1:])  # the second input is the prediction
    result = b.substitute(loss.result, put)
    has_classes = any(axis.domain == "last" for node in walk(result) for axis in node.axes)
    if has_classes and not any(LAST in spec.over for spec in others):
        message = f"{loss.name} cannot be fused with its layer: it goes on along the classes where places meet"
        raise LossTypeError(message, None, _REMEDY)
    rest = replace(loss, inputs=inputs, value=result, result=result, names={})
    return PlaceValues(values, Program(program.file, rest), tuple(names))


def _fresh_names(count: int, taken: set[str]) -> list[str]:
    names = (f"value{number}" for number in range(1, count + len(taken) + 1))
    return [name for name in names if name not in taken][:count]


def _leaves(heads: Iterable[InputSpec]) -> set[Expr]:
    return {node for spec in heads for node in spec.nodes}


def _cuts(loss: Loss, leaves: set[Expr]) -> list[Expr]:
    """The largest parts of the result that are place values, outermost first. Raises LossTypeError."""
    wide: set[Expr] = set()  # what is made of logits
    local: set[Expr] = set()  # what no other place takes part in
    for node in walk(loss.result):
        if node in leaves or any(child in wide for child in node.children):
            wide.add(node)
        if _stays_in_place(node) and all(child in local for child in node.children):
            local.add(node)
    found: dict[Expr, None] = {}
    seen: set[Expr] = set()
    stack: list[tuple[Expr, Expr]] = [(loss.result, loss.result)]  # each with what brings its places together
    while stack:
        node, above = stack.pop()
        if node in seen or node not in wide or (isinstance(node, Length) and node.over <= SAMPLE):
            continue
        seen.add(node)
        if node not in local:
            above = above if _stays_in_place(node) else node
            stack.extend((child, above) for child in reversed(node.children))
        elif BATCH in node.axes and node.axes <= SAMPLE and node.kind is not Kind.INT:
            found[node] = None
        else:
            raise _refused(loss, above)
    if not found:
        message = f"{loss.name} does not use its prediction, so that there is no layer to fuse"
        raise LossTypeError(message, None, _REMEDY)
    return list(found)


def _refused(loss: Loss, node: Expr) -> LossTypeError:
    """The mistake that logits of several places meet in a node."""
    about = formula(node, {part: name for part, name in loss.names.items() if part is not node})
    message = f"{loss.name} cannot be fused with its layer: in `{about}` the logits of several places meet"
    return LossTypeError(message, loss.spans.get(node), _REMEDY)


def _stays_in_place(node: Expr) -> bool:
    """Whether a node takes what it needs from the place at hand, if its children do."""
    return not any(axis.domain in ("batch", "space") for axis in _crossed(node))


def _crossed(node: Expr) -> Iterator[Axis]:
    match node:
        case Reduce() | Along() | Length():
            yield from node.over
        case Rename():
            yield from (node.old, node.new)
        case Gather() | Position():
            yield node.axis
