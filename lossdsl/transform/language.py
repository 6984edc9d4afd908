"""Texts of the project's own tables (derivatives, rules), read as expressions over given arguments."""

from __future__ import annotations

from lossdsl.frontend import syntax as s
from lossdsl.frontend.expressions import Resolver
from lossdsl.frontend.parse import parse_expression
from lossdsl.frontend.scope import Meaning, Scope
from lossdsl.ir.axes import Axis
from lossdsl.ir.build import call
from lossdsl.ir.expr import Expr
from lossdsl.ir.ops import OPS
from lossdsl.source import Span


def expression(text: str, arguments: dict[str, Expr]) -> Expr:
    """The expression that `text` means when its letters stand for `arguments`. All ops may be called."""
    meanings: dict[str, Meaning] = dict(arguments)
    return Resolver(_unsized, _private).resolve(parse_expression(text), Scope(meanings))


def _unsized(axis: Axis, span: Span) -> Expr:
    raise AssertionError("a table's text has no axes")


def _private(resolver: Resolver, node: s.Call, scope: Scope) -> Expr | None:
    row = OPS.get(node.function.text)
    if row is None or row.public:
        return None
    return call(row.name, *(resolver.resolve(arg, scope) for arg in node.args))
