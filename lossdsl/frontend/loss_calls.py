"""What a call of a loss gives for its inputs and parameters."""

from __future__ import annotations

from collections.abc import Sequence

from lossdsl.errors import LossParameterError, LossTypeError, did_you_mean
from lossdsl.frontend import syntax as s
from lossdsl.frontend.expressions import Resolver
from lossdsl.frontend.headers import input_spec, parameter_spec
from lossdsl.frontend.scope import Meaning, Scope
from lossdsl.ir import build as b
from lossdsl.ir.expr import Const, Expr, Flag
from lossdsl.ir.loss import ParameterSpec
from lossdsl.ir.op import Kind


def meanings_of(resolver: Resolver, call: s.Call, header: s.Header, scope: Scope) -> dict[str, Meaning]:
    """What the names of a called loss's header mean. Raises LossTypeError and LossParameterError for a wrong call."""
    meanings = _input_values(resolver, call, header, scope)
    given = {word.text: (word, node) for word, node in call.keywords}
    for parameter in map(parameter_spec, header.parameters):
        if parameter.name in given:
            _, node = given.pop(parameter.name)
            meanings[parameter.name] = _parameter_value(resolver, parameter, node, scope)
        elif parameter.default is None or isinstance(parameter.default, tuple):
            raise _without_value(parameter, call, header)
        else:
            meanings[parameter.name] = settled_node(parameter.default)
    for name, (word, _) in given.items():
        known = [spec.name.text for spec in header.parameters]
        hint = did_you_mean(name, known) or (f"its parameters: {', '.join(known)}" if known else None)
        raise LossParameterError(f"`{header.name.text}` has no parameter `{name}`", word.span, hint)
    return meanings


def settled_node(value: float | int | bool) -> Expr:
    """A value of a parameter as an expression."""
    return Flag(value) if isinstance(value, bool) else b.const(value)


def _without_value(parameter: ParameterSpec, call: s.Call, header: s.Header) -> LossParameterError:
    what = f"the parameter `{parameter.name}` of `{header.name.text}`"
    if parameter.default is None:
        hint = f"give it one after a semicolon: `{header.name.text}(…; {parameter.name}=…)`"
        return LossParameterError(f"{what} has no value", call.span, hint)
    hint = f"declare `w: {parameter.kind}` here: `{header.name.text}(…; {parameter.name}=w)`"
    return LossParameterError(f"{what} has several numbers by default", call.span, hint)


def _miscounted(call: s.Call, header: s.Header, words: Sequence[s.Word]) -> LossTypeError:
    shown = ", ".join(word.text for word in words)
    hint = f"as in `{header.name.text}({shown})`"
    if len(call.args) > len(words) and header.parameters:
        first = header.parameters[0].name.text
        hint = f"parameters follow a semicolon: `{header.name.text}({shown}; {first}=…)`"
    wanted = f"{len(words)} input{'' if len(words) == 1 else 's'} ({shown})"
    return LossTypeError(f"`{header.name.text}` takes {wanted}, not {len(call.args)}", call.span, hint)


def _input_values(resolver: Resolver, call: s.Call, header: s.Header, scope: Scope) -> dict[str, Meaning]:
    """What a call gives for the inputs of a loss."""
    words = [word for spec in header.inputs for word in spec.names]
    if len(call.args) != len(words):
        raise _miscounted(call, header, words)
    found: dict[str, Meaning] = {}
    specs = [spec for one, spec in zip(header.inputs, map(input_spec, header.inputs), strict=True) for _ in one.names]
    for word, spec, arg in zip(words, specs, call.args, strict=True):
        value = resolver.resolve(arg, scope)
        if spec.is_label and value.kind is not Kind.INT:
            hint = "give it an input that is declared so, as in `t: label`"
            raise LossTypeError(f"`{header.name.text}` wants a label here", arg.span, hint)
        found[word.text] = value if spec.is_label else b.number(value)
    return found


def _parameter_value(resolver: Resolver, parameter: ParameterSpec, node: s.Node, scope: Scope) -> Expr:
    value = resolver.resolve(node, scope)
    if parameter.kind == "bool" and not isinstance(value, Flag):
        raise LossTypeError(f"`{parameter.name}` is `true` or `false`", node.span)
    if parameter.kind == "int" and not isinstance(value, Const):
        raise LossTypeError(f"`{parameter.name}` is a whole number", node.span)
    return value if parameter.kind in ("bool", "int") else b.number(value)
