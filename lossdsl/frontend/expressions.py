"""Expressions of the syntax tree into expressions of the IR: names, kinds, calls and aggregates."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial, reduce

from lossdsl.errors import LossLimitError, LossNameError, LossTypeError
from lossdsl.frontend import aggregates, subscripts
from lossdsl.frontend import syntax as s
from lossdsl.frontend.foreign import function_hint
from lossdsl.frontend.indices import Bound, Key, Ranges, Reads, is_window, within
from lossdsl.frontend.last_axes import agreed, together
from lossdsl.frontend.scope import Index, Indexed, LocalFunction, Scope
from lossdsl.frontend.windows import written_out
from lossdsl.ir import build as b
from lossdsl.ir.axes import LAST, Axes, Axis, last_of, names, ordered
from lossdsl.ir.expr import Call, Const, Expr, Flag, Position
from lossdsl.ir.op import Kind
from lossdsl.ir.ops import AGGREGATES, CONSTANTS, LOSSES_TOO, OPS, function_names
from lossdsl.source import Span

_INFIX = {row.infix: row.name for row in OPS.values() if row.infix and row.arity == 2}
_COMPARISONS = {row.infix for row in OPS.values() if row.gives is Kind.BOOL and row.takes == () and row.infix}
MAX_DEPTH = 150
MAX_NODES = 50_000


class Resolver:
    """Turns syntax into expressions.

    `sized` gives, for an axis, an expression that has it: what a length or a position is measured on. `call_loss`
    resolves a loss used as a function; `losses` gives the names of those that are not in scope, for hints. `spans`
    collects where each node was first written, `repeated` the aggregates whose terms lack an axis, with its name.
    """

    def __init__(
        self,
        sized: Callable[[Axis, Span], Expr],
        call_loss: Callable[[Resolver, s.Call, Scope], Expr | None],
        spans: dict[Expr, Span] | None = None,
        losses: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self.spans: dict[Expr, Span] = {} if spans is None else spans
        self.sized = sized
        self.call_loss = call_loss
        self.losses = losses
        self.reads: Reads = {}
        self.ranges: Ranges = {}
        self.said: set[Key] = set()
        self.windows: set[Key] = set()
        self.repeated: list[tuple[Span, str]] = []
        self._depth = 0
        self._nodes = 0

    # --- entry points

    def resolve(self, node: s.Node, scope: Scope) -> Expr:
        """The expression that `node` means in `scope`."""
        self._depth += 1
        self._nodes += 1
        if self._depth > MAX_DEPTH:
            raise LossLimitError(
                f"the expression is nested more than {MAX_DEPTH} deep", node.span, "give the inner parts names"
            )
        if self._nodes > MAX_NODES:
            raise LossLimitError(f"the loss has more than {MAX_NODES} operations", node.span)
        try:
            found = agreed(self._resolve(node, scope), node.span)
        finally:
            self._depth -= 1
        if found.children:
            self.spans.setdefault(found, node.span)
        return found

    def condition(self, node: s.Node, scope: Scope) -> Expr:
        """A condition; a number is an error."""
        found = self.resolve(node, scope)
        if found.kind is not Kind.BOOL:
            raise LossTypeError(
                f"`{node.span.text}` is a number where a condition belongs",
                node.span,
                "compare it with something, as in `e > 0`",
            )
        return found

    # --- one method a kind of node

    def _resolve(self, node: s.Node, scope: Scope) -> Expr:
        match node:
            case s.Number(_, exact):
                return b.const(exact)
            case s.Truth(_, flag):
                return Flag(flag)
            case s.Name(span, text):
                return self._name(text, span, scope)
            case s.Self(span):
                return Position(_here(span, scope))
            case s.Unary(_, "not", operand):
                return b.call("not", self.condition(operand, scope))
            case s.Unary(_, sign, operand):
                value = self.resolve(operand, scope)
                value = value if value.kind is Kind.INT else b.number(value)
                return b.neg(value) if sign == "-" else value
            case s.Chain():
                return self._chain(node, scope)
            case s.Power(_, base, exponent):
                return b.power(b.number(self.resolve(base, scope)), b.number(self.resolve(exponent, scope)))
            case s.Cases():
                return self._cases(node, scope)
            case s.Call():
                return self._call(node, scope)
            case s.Aggregate():
                return self._aggregate(node, scope)
            case s.Subscript():
                return subscripts.subscript(node, scope, self)
            case s.ListValue(span):
                raise LossTypeError("a list stands in examples only", span)
        raise AssertionError(f"no meaning for {type(node).__name__}")

    def _name(self, text: str, span: Span, scope: Scope) -> Expr:
        meaning = scope.names.get(text)
        match meaning:
            case Expr():
                return meaning
            case Index(axis, low):
                return b.add(Position(axis), b.const(low))
            case LocalFunction(arguments):
                shown = ", ".join(arguments)
                raise LossTypeError(f"`{text}` is a function", span, f"call it: `{text}({shown})`")
            case Indexed(_, indices):
                shown = ", ".join(one.axis.name for one in indices)
                raise LossTypeError(f"`{text}` has free indices", span, f"say which element: `{text}[{shown}]`")
        if text in CONSTANTS:
            return b.const(CONSTANTS[text]) if text != "pi" else Call(PI, ())
        if text in function_names():
            raise LossTypeError(f"`{text}` is a function", span, f"call it: `{text}(…)`")
        if text in scope.words:
            hint = f"it stands in the brackets of an aggregate, as in `sum[{text}](e)` or `sum[j in {text}](x[j])`"
            raise LossNameError(f"`{text}` is an axis", span, hint)
        raise LossNameError(f"`{text}` is not defined", span, scope.hint(text))

    def _chain(self, node: s.Chain, scope: Scope) -> Expr:
        symbols = [symbol for symbol, _ in node.rest]
        if symbols[0] in ("and", "or"):
            result = self.condition(node.first, scope)
            for symbol, operand in node.rest:
                result = b.call(symbol, result, self.condition(operand, scope))
            return result
        operands = [node.first, *(operand for _, operand in node.rest)]
        inner = replace(scope, beside=_beside(operands, scope))
        values = [self.resolve(operand, inner) for operand in operands]
        values = [value if value.kind is Kind.INT else b.number(value) for value in values]
        if symbols[0] in _COMPARISONS:
            result = b.call(_INFIX[symbols[0]], values[0], values[1])
            for symbol, left, right in zip(symbols[1:], values[1:], values[2:], strict=False):
                result = b.call("and", result, b.call(_INFIX[symbol], left, right))
            return result
        result = values[0]
        for (symbol, operand), value in zip(node.rest, values[1:], strict=True):
            result = b.call(_INFIX[symbol], result, value)
            if result.children:
                self.spans.setdefault(result, node.first.span | operand.span)
        return result

    def _cases(self, node: s.Cases, scope: Scope) -> Expr:
        result: Expr = UNDEFINED if node.otherwise is None else b.number(self.resolve(node.otherwise, scope))
        pieces = [(self.condition(c, scope), b.number(self.resolve(v, scope))) for c, v in node.pieces]
        for condition, value in reversed(pieces):
            result = b.where(condition, value, result)
        return result

    # --- calls

    def _call(self, node: s.Call, scope: Scope) -> Expr:
        name = node.function.text
        meaning = scope.names.get(name)
        if isinstance(meaning, LocalFunction):
            return self._local(node, meaning, scope)
        if meaning is not None:
            raise LossTypeError(
                f"`{name}` is not a function", node.function.span, f"a product is written `{name}*(…)`"
            )
        loss = None if self._is_aggregate(node, scope) else self.call_loss(self, node, scope)
        if loss is not None:
            return loss
        if node.keywords:
            raise LossTypeError(
                f"`{name}` takes no parameters after `;`", node.keywords[0][0].span, "only losses have parameters"
            )
        found = self._operation(node, scope)
        if found is None:
            raise self._unknown(node, scope)
        return found

    def _operation(self, node: s.Call, scope: Scope) -> Expr | None:
        """A function of the language over its arguments; None if there is none of that name."""
        name, args = node.function.text, node.args
        match name:
            case "max" | "min" if len(args) > 1:
                return reduce(partial(b.call, name), [self._element(arg, scope) for arg in args])
            case _ if name in AGGREGATES and AGGREGATES[name].public:
                everything = aggregates.Selection(frozenset({LAST}), None, self._sized(node))
                return self._apply(name, node, args, everything, scope)
            case "where":
                self._count(node, "c", "a", "b")
                pieces = [self.resolve(arg, scope) for arg in args[1:]]
                return b.where(self.condition(args[0], scope), *pieces)
            case "clip":
                self._count(node, "a", "lo", "hi")
                value, low, high = (self._element(arg, scope) for arg in args)
                return b.call("min", b.call("max", value, low), high)
            case "onehot":
                self._count(node, "t")
                label = subscripts.index(args[0], scope, self)
                self.sized(LAST, node.span)
                return b.number(b.call("eq", Position(LAST), label))
            case _ if name in OPS and OPS[name].public:
                self._count(node, *OPS[name].args)
                return b.call(name, *(self._element(arg, scope) for arg in args))
        return None

    def _unknown(self, node: s.Call, scope: Scope) -> LossTypeError | LossNameError:
        """The error for a call of what is no function."""
        name = node.function.text
        if name in CONSTANTS:
            hint = f"a product is written `{name}*(…)`" if node.args else f"leave out the brackets: `{name}`"
            return LossTypeError(f"`{name}` is a number, not a function", node.function.span, hint)
        near = function_hint(name, [*scope.names, *scope.losses, *self.losses(), *function_names()])
        if _begins_a_text(node):
            near = f"a loss begins with the word `loss`: `loss {node.span.text}`"
        hint = near or f"a function of your own is defined above, as in `{name}(u) = …`"
        return LossNameError(f"there is no function `{name}`", node.function.span, hint)

    def _is_aggregate(self, node: s.Call, scope: Scope) -> bool:
        """Whether a name that is a loss, too, is meant as an aggregate: with a number for its last argument."""
        is_one = node.function.text in LOSSES_TOO and len(node.args) == 2 and not node.keywords
        return is_one and self.resolve(node.args[1], scope).is_static

    def _element(self, node: s.Node, scope: Scope) -> Expr:
        value = self.resolve(node, scope)
        return value if value.kind is Kind.INT else b.number(value)

    def _count(self, node: s.Call, *wanted: str) -> None:
        """Raises unless a function is called with as many arguments as are named."""
        if len(node.args) != len(wanted):
            name, plural = node.function.text, "" if len(wanted) == 1 else "s"
            raise LossTypeError(
                f"`{name}` takes {len(wanted)} argument{plural}, not {len(node.args)}",
                node.span,
                "a logarithm to another base b is `log(a)/log(b)`"
                if name == "log" and len(node.args) == 2
                else f"as in `{name}({', '.join(wanted)})`",
            )

    def _local(self, node: s.Call, function: LocalFunction, scope: Scope) -> Expr:
        if len(node.args) != len(function.arguments) or node.keywords:
            shown = f"{node.function.text}({', '.join(function.arguments)})"
            wanted = len(function.arguments)
            plural = "" if wanted == 1 else "s"
            hint = f"as in `{shown}`"
            raise LossTypeError(f"`{shown}` takes {wanted} argument{plural}, not {len(node.args)}", node.span, hint)
        inner = replace(function.scope, depth=max(function.scope.depth, scope.depth), around=scope.around)
        for name, arg in zip(function.arguments, node.args, strict=True):
            inner = inner.plus(name, self.resolve(arg, scope))
        return self.resolve(function.body, inner)

    # --- aggregates

    def _aggregate(self, node: s.Aggregate, scope: Scope) -> Expr:
        known = [name for name, row in AGGREGATES.items() if row.public]
        if not isinstance(node.function, s.Name) or node.function.text not in known:
            shown = node.function.span.text
            hint = function_hint(shown, known) or f"there are {', '.join(known)}"
            raise LossTypeError(f"`{shown}` is not an aggregate", node.function.span, hint)
        name = node.function.text
        found, bound = within(self, node.items, scope, lambda bound: (self._inside(node, name, bound), bound))
        if not is_window(bound, self):
            return found
        in_terms = written_out(node, name, bound, scope, lambda called, each: self._inside(node, called, each))
        return found if in_terms is None else in_terms

    def _inside(self, node: s.Aggregate, name: str, bound: Bound) -> Expr:
        inner, places, indices = bound
        condition = None if node.condition is None else self.condition(node.condition, inner)
        if name == "filter":
            return b.number(condition or Flag(True))
        if condition is not None and not AGGREGATES[name].takes_filter:
            hint = "filter the aggregate around it, or choose before it by `where`"
            raise LossTypeError(f"`{name}` takes no filter", node.condition.span if node.condition else node.span, hint)
        if AGGREGATES[name].on_one_axis and len(places) > 1:
            message = f"`{name}` goes along one axis, and here it runs over {names(places)}"
            raise LossTypeError(message, node.span, f"name one axis, as in `{name}[batch](…)`")
        for axis, span in places.items():
            if axis.size is None:
                self.sized(axis, span)
        chosen = aggregates.Selection(frozenset(places), condition, self._sized(node))
        found = self._apply(name, node, node.args, chosen, inner)
        if name in ("argmax", "argmin") and indices and indices[0][1].low:
            found = b.add(found, b.const(indices[0][1].low))  # the number of an index, not its position
        return found

    def _apply(
        self, name: str, node: s.Node, args: tuple[s.Node, ...], chosen: aggregates.Selection, scope: Scope
    ) -> Expr:
        row = AGGREGATES[name]
        least, most = row.arity
        if not least <= len(args) <= most:
            wanted = f"{most} argument{'' if most == 1 else 's'}"
            hint = f"as in `{name}({', '.join('ab'[:most])})`; axes stand in brackets, as in `{name}[batch](a)`"
            raise LossTypeError(f"`{name}` takes {wanted}, not {len(args)}", node.span, hint)
        take = self.condition if row.takes is Kind.BOOL else self._element
        values, chosen = _along_one([take(arg, scope) for arg in args], chosen, node.span)
        if name == "len" and not chosen.over <= values[0].axes and chosen.condition is None:
            lacking = names(chosen.over - values[0].axes)
            raise LossTypeError(f"`{args[0].span.text}` has no axis `{lacking}` to measure", args[0].span)
        if name == "quantile" and not values[1].is_static:
            hint = "as in `quantile(x, 0.9)`"
            raise LossTypeError("which quantile it is, is a number or a parameter", args[1].span, hint)
        if row.counts:
            self._note_repeated(node, chosen, [*values, *([] if chosen.condition is None else [chosen.condition])])
        return aggregates.LOWERED[name](values[0], chosen, *values[1:])

    def _note_repeated(self, node: s.Node, chosen: aggregates.Selection, terms: list[Expr]) -> None:
        """Remembers an aggregate whose terms do not vary along an axis that has a name."""
        varying = frozenset[Axis]().union(*(term.axes for term in terms))
        for axis in ordered(chosen.over - varying):
            if not axis.is_index and varying:
                self.repeated.append((node.span, axis.name))

    def _sized(self, node: s.Node) -> Callable[[Axes], Expr]:
        def length(over: Axes) -> Expr:
            result: Expr = b.ONE
            for axis in ordered(over):
                if axis.size is not None:
                    result = b.mul(result, b.const(axis.size))
                    continue
                whole = b.cut(self.sized(axis, node.span), axis.home, axis)
                result = b.mul(result, b.length(whole, frozenset({axis})))
            return result

        return length


def _here(span: Span, scope: Scope) -> Axis:
    """The axis along which `self` counts: that of the index beside it, or of all indices around."""
    if scope.beside is not None:
        return scope.beside
    if len(scope.around) == 1:
        return next(iter(scope.around))
    hint = "say which: `self[batch]`, `self[space]` or `self[last]`"
    raise LossTypeError("`self` is a position, but on which axis is not said", span, hint)


def _beside(operands: list[s.Node], scope: Scope) -> Axis | None:
    """Along which axis `self` counts beside these operands: that of an index among them; None if there are several."""
    homes: set[Axis] = set()
    waiting = list(operands)
    while waiting:
        match waiting.pop():
            case s.Name(_, text) if isinstance(meaning := scope.names.get(text), Index):
                homes.add(meaning.home)
            case s.Chain(_, first, rest):
                waiting += [first, *(operand for _, operand in rest)]
            case s.Unary(_, _, operand):
                waiting.append(operand)
    return homes.pop() if len(homes) == 1 else None


def _along_one(
    values: list[Expr], chosen: aggregates.Selection, span: Span
) -> tuple[list[Expr], aggregates.Selection]:
    """The arguments of an aggregate and its filter along one last axis; that is the one which it ranges over."""
    condition = chosen.condition
    *values, last_one = together([*values, *([] if condition is None else [condition])], span)
    if condition is None:
        values.append(last_one)
    else:
        condition = last_one
    found = last_of(frozenset[Axis]().union(*(value.axes for value in (*values, last_one))))
    over = frozenset(found if axis.is_last and found is not None else axis for axis in chosen.over)
    return values, chosen._replace(over=over, condition=condition)


def _begins_a_text(node: s.Call) -> bool:
    """Whether a call of names alone is the first of several lines, as a header is."""
    text = node.span.source.text
    is_first = not text[: node.span.start].strip() and text[node.span.end :].lstrip(" \t").startswith("\n")
    return is_first and bool(text[node.span.end :].strip()) and all(isinstance(arg, s.Name) for arg in node.args)


PI = OPS["pi"]
UNDEFINED = Const(float("nan"))
