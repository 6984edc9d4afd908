"""A parsed text into an `ir.Loss`: headers, lines, and losses that call losses."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from lossdsl.errors import LossNameError, LossParameterError, LossSyntaxError, LossTypeError
from lossdsl.frontend import syntax as s
from lossdsl.frontend.expectations import example, expectations
from lossdsl.frontend.expressions import Resolver
from lossdsl.frontend.headers import implied_header, input_spec, parameter_spec
from lossdsl.frontend.indices import Bound, bound_name, within
from lossdsl.frontend.loss_calls import meanings_of, settled_node
from lossdsl.frontend.named_places import check_names, places_of, with_places, words_of_call
from lossdsl.frontend.packed_parts import has_lengths, unpacked
from lossdsl.frontend.scope import Indexed, LocalFunction, Meaning, Scope
from lossdsl.frontend.stated_orders import check_orders, is_about_inputs, orders
from lossdsl.ir import build as b
from lossdsl.ir.axes import ROWS, Axis, names, without_last
from lossdsl.ir.expr import Expr, Flag, Input, walk
from lossdsl.ir.inputs import InputSpec, Order
from lossdsl.ir.loss import Allowance, Example, Expectation, Loss, ParameterSpec, Requirement
from lossdsl.ir.ops import function_names
from lossdsl.ir.text import formula
from lossdsl.source import Span, normal_name

_NO_RECURSION = "write out what is meant: a loss does not call itself"

T = TypeVar("T")

Finder = Callable[[str], s.FileText | None]
"""Gives the text of a built-in loss by name, or None."""


def resolve(
    file: s.FileText,
    settled: Mapping[str, bool | int] | None = None,
    find: Finder = lambda _: None,
    builtins: Callable[[], Iterable[str]] = tuple,
    free: Collection[str] = (),
) -> Loss:
    """The last loss of a file, checked.

    `settled` gives values to `bool` and `int` parameters, which fold away; those not given take their defaults, and an
    `int` that is `free` stays a number of which nothing is known. `find` gives the text of a built-in loss, `builtins`
    their names. Raises LossNameError, LossTypeError, LossParameterError
    or LossSyntaxError.
    """
    *helpers, main = file.losses
    known: dict[str, s.LossText] = {}
    for helper in helpers:
        if helper.header is None:
            raise LossSyntaxError(
                "a file of several losses needs a header for each", helper.span, "begin it with `loss name(t, x)`"
            )
        known[helper.header.name.text] = helper
    header = main.header if main.header is not None else implied_header(main)
    return _Main(file, known, find, builtins).resolve(main, header, dict(settled or {}), free)


def declared(file: s.FileText) -> tuple[tuple[InputSpec, ...], tuple[ParameterSpec, ...]]:
    """The inputs and parameters of a file's loss, before anything else is looked at."""
    main = file.losses[-1]
    header = main.header if main.header is not None else implied_header(main)
    return tuple(map(input_spec, header.inputs)), tuple(map(parameter_spec, header.parameters))


# --- bodies -------------------------------------------------------------------------------------------------------


@dataclass
class _Body:
    """What the lines of a loss amount to."""

    value: Expr | None = None
    requirements: list[Requirement] = field(default_factory=list)
    expectations: list[Expectation] = field(default_factory=list)
    allowances: list[Allowance] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)


class _Main:
    """The resolution of one file."""

    def __init__(
        self, file: s.FileText, helpers: dict[str, s.LossText], find: Finder, builtins: Callable[[], Iterable[str]]
    ) -> None:
        self.file = file
        self.helpers = helpers
        self.find = find
        self.builtins = builtins
        self.inputs: tuple[InputSpec, ...] = ()
        self.parameters: tuple[ParameterSpec, ...] = ()
        self.requirements: list[Requirement] = []
        self.orders: list[Order] = []
        self.stack: list[str] = []
        self.names: dict[Expr, str] = {}
        self.called: dict[Expr, str] = {}

    def resolve(
        self, loss: s.LossText, header: s.Header, settled: dict[str, bool | int], free: Collection[str]
    ) -> Loss:
        self._check_names(header)
        places = places_of(loss)
        self.inputs = tuple(input_spec(each, tuple(places.values())) for each in header.inputs)
        self.parameters = tuple(map(parameter_spec, header.parameters))
        predicted = header.inputs[min(1, len(header.inputs) - 1)]
        if "sample" in (word.text for word in predicted.kinds):
            hint = "remove `sample`: where tensors have no places, nothing is lost by it"
            raise LossTypeError("a prediction has the places that there are", predicted.span, hint)
        if places and not self.inputs[min(1, len(self.inputs) - 1)].has_places:
            kinds = " ".join(word.text for word in predicted.kinds)
            raise LossTypeError("a prediction has the places that are named", predicted.span, f"remove `{kinds}`")
        names_, values = self._meanings(header, settled, free)
        resolver = Resolver(self._sized, self._call_loss, losses=self.builtins)
        scope = Scope(names_, self.helpers, words=with_places(places))
        check_names(loss, scope)
        body = self._lines(resolver, loss, scope)
        if body.value is None:
            raise LossSyntaxError(
                "the loss has no value", header.name.span if loss.header else loss.span, _no_value_hint(loss)
            )
        value = b.number(body.value)
        last = next(line.span for line in reversed(loss.lines) if isinstance(line, s.Formula))
        self._check_end(value, resolver, last)
        result = b.average(value)
        spans = dict(resolver.spans)
        if value in spans:
            spans.setdefault(result, spans[value])
        return Loss(
            name=header.name.text,
            doc=loss.doc,
            inputs=self.inputs,
            parameters=self.parameters,
            value=value,
            result=result,
            source=self.file.source,
            text=self.file.text,
            settled=values,
            requirements=_once([*body.requirements, *self.requirements]),
            orders=tuple(self.orders),
            expectations=tuple(body.expectations),
            allowances=tuple(body.allowances),
            examples=tuple(body.examples),
            spans=spans,
            names={node: text for node, text in self.names.items() if node.children},
            called=self.called,
            repeated=tuple(dict.fromkeys(each for each in resolver.repeated if each[0].source is self.file.source)),
        )

    def _check_names(self, header: s.Header) -> None:
        scope = Scope()
        words = [(word, "input") for spec in header.inputs for word in spec.names]
        words += [(spec.name, "parameter") for spec in header.parameters]
        packed = {"_".join(word.text for word in spec.names) for spec in header.inputs if len(spec.names) > 1}
        for word, what in words:
            scope.check_free(word, what)
            scope = scope.plus(word.text, b.ZERO)
            if word.text in packed:
                raise LossNameError(
                    f"`{word.text}` is what a packed input is called", word.span, f"give the {what} another name"
                )

    def _settled(self, spec: ParameterSpec, settled: Mapping[str, bool | int]) -> bool | int:
        value = settled.get(spec.name, spec.usual)
        if value is None:
            raise LossParameterError(
                f"the parameter `{spec.name}` has no value", spec.span, f"give it one: `{spec.name}=…`"
            )
        return bool(value) if spec.kind == "bool" else int(value)

    def _meanings(
        self, header: s.Header, settled: dict[str, bool | int], free: Collection[str]
    ) -> tuple[dict[str, Meaning], dict[str, bool | int]]:
        """What the names of the header mean, and the values of its `bool` and `int` parameters."""
        names_: dict[str, Meaning] = {node.name: node for spec in self.inputs for node in spec.nodes}
        packed = [(one, spec) for one, spec in zip(header.inputs, self.inputs, strict=True) if has_lengths(one)]
        counted = [spec for spec in self.parameters if spec.kind in ("bool", "int") and spec.name not in free]
        values = {spec.name: self._settled(spec, settled) for spec in counted}
        names_.update({spec.name: spec.node for spec in self.parameters})
        names_.update({name: settled_node(value) for name, value in values.items()})
        for declaration, whole in packed:
            spec, meanings = unpacked(declaration, whole, values)
            self.inputs = tuple(spec if one is whole else one for one in self.inputs)
            names_.update(meanings)
        return names_, values

    def _sized(self, axis: Axis, span: Span) -> Expr:
        """An input on which the length of an axis can be measured, the prediction first."""
        home = axis.home
        order = self.inputs[1:2] + self.inputs[:1] + self.inputs[2:]
        nodes: list[Expr] = [node for spec in order for node in spec.nodes]
        nodes += [spec.node for spec in self.parameters if spec.over]
        for node in nodes:
            if home in node.axes:
                return node
        hint = "an input with rows is declared `r: matrix`" if home == ROWS else "leave the axis out"
        raise LossTypeError(f"nothing here has an axis `{home.name}`", span, hint)

    def _lines(self, resolver: Resolver, loss: s.LossText, scope: Scope) -> _Body:
        body = _Body()
        for line in loss.lines:
            match line:
                case s.Places():
                    pass  # see `named_places`
                case s.Definition(_, left, right):
                    scope = self._define(resolver, left, right, scope)
                case s.Formula(span, node):
                    if body.value is not None:
                        raise LossSyntaxError(
                            "this is a second value", span, "a loss has one last line; give the earlier one a name"
                        )
                    body.value = resolver.resolve(node, scope)
                case s.Require(_, node):
                    body.requirements += self._required(resolver, node, scope)
                case s.Expect(span, text):
                    body.expectations += expectations(span, text)
                case s.Allow(_, finding, reason):
                    body.allowances.append(Allowance(finding.text, reason, finding.span))
                case s.Example():
                    body.examples.append(example(line, self.inputs, self.parameters))
                case _:
                    raise AssertionError(f"no meaning for {type(line).__name__}")
        return body

    def _required(self, resolver: Resolver, node: s.Node, scope: Scope) -> Iterator[Requirement]:
        """What a line requires of parameters; an order of the parts of an input is noted."""
        parts_ = {one.name: one for spec in self.inputs if len(spec.nodes) > 1 for one in spec.nodes}
        named: dict[str, Meaning] = {**parts_, **{spec.name: scope.names[spec.name] for spec in self.parameters}}
        try:
            condition = resolver.condition(node, Scope(named, {}, scope.depth, words=scope.words))
        except LossNameError as error:
            if error.span is None or error.span.text not in scope.names:
                raise
            hint = "`require` speaks of parameters; which numbers an input may be, its kind says, as in `x: positive`"
            raise LossNameError(f"`{error.span.text}` is no parameter", error.span, hint) from None
        if is_about_inputs(condition):
            self._ordered(condition, node.span)
        else:
            yield Requirement(condition, node.span, node.span.text)

    def _ordered(self, condition: Expr, span: Span) -> None:
        self.orders += [one for one in orders(condition, self.inputs, span) if one not in self.orders]
        check_orders(self.orders)

    def _define(self, resolver: Resolver, left: s.Node, right: s.Node, scope: Scope) -> Scope:
        match left:
            case s.Name(span, text):
                scope.check_free(s.Word(span, text), "definition")
                value = _not_of_itself(text, lambda: resolver.resolve(right, scope))
                self.names.setdefault(value, text)
                return scope.plus(text, value)
            case s.Call(_, function, args, ()) if args and all(isinstance(arg, s.Name) for arg in args):
                scope.check_free(function, "function")
                words = tuple(arg.text for arg in args if isinstance(arg, s.Name))
                return scope.plus(function.text, LocalFunction(words, right, scope))
            case s.Subscript(_, s.Name(span, text), items, None):
                scope.check_free(s.Word(span, text), "definition")
                for item in items:
                    if bound_name(item) is None:
                        raise LossSyntaxError("a definition has index names in brackets", item.span, "`s[i, j] = …`")
                indexed = _not_of_itself(
                    text, lambda: within(resolver, items, scope, lambda bound: self._indexed(resolver, right, bound))
                )
                self.names.setdefault(indexed.value, text)
                return scope.plus(text, indexed)
        raise LossSyntaxError(
            "the left side of `=` is not a name", left.span, "a comparison is written `==`; a definition `e = t - x`"
        )

    def _indexed(self, resolver: Resolver, right: s.Node, bound: Bound) -> Indexed:
        for axis, span in bound.places.items():
            if axis.size is None:
                resolver.sized(axis, span)
        return Indexed(resolver.resolve(right, bound.scope), tuple(index for _, index in bound.indices))

    def _check_end(self, value: Expr, resolver: Resolver, last: Span) -> None:
        left = frozenset(axis for axis in without_last(value.axes) if not axis.is_sample)
        if left:
            raise LossTypeError(
                f"the loss still depends on {names(left)}",
                resolver.spans.get(value, last),
                "reduce it, as in `mean[rows](e)`",
            )
        if not any(isinstance(node, Input) for node in walk(value)):
            inputs = ", ".join(node.name for spec in self.inputs for node in spec.nodes)
            hint = f"its inputs are {inputs}; without a header, t is the target and x the prediction"
            raise LossTypeError("the loss depends on no input", last, hint)

    # --- losses that call losses

    def _call_loss(self, resolver: Resolver, call: s.Call, scope: Scope) -> Expr | None:
        name = call.function.text
        text = scope.losses.get(name)
        losses: Mapping[str, s.LossText] = scope.losses
        if text is None:
            if name in function_names():
                return None
            found = self.find(name)
            if found is None:
                self._check_above(call, scope)
                return None
            text = found.losses[-1]
            losses = {loss.header.name.text: loss for loss in found.losses[:-1] if loss.header is not None}
        else:
            before = list(scope.losses)[: list(scope.losses).index(name)]
            losses = {n: scope.losses[n] for n in before}
        if name in self.stack:
            raise LossNameError(f"`{name}` calls itself", call.span, _NO_RECURSION)
        self.stack.append(name)
        try:
            return self._inlined(resolver, call, text, losses, scope)
        finally:
            self.stack.pop()

    def _check_above(self, call: s.Call, scope: Scope) -> None:
        """Raises for a loss of this file that does not stand above its call."""
        name = call.function.text
        for loss in self.file.losses:
            if loss.header is not None and loss.header.name.text == name and name not in scope.losses:
                if loss.span.start <= call.span.start < loss.span.end:
                    raise LossNameError(f"`{name}` calls itself", call.span, _NO_RECURSION)
                raise LossNameError(
                    f"the loss `{name}` stands below", call.function.span, "a loss is put above those that call it"
                )

    def _inlined(
        self, resolver: Resolver, call: s.Call, text: s.LossText, losses: Mapping[str, s.LossText], scope: Scope
    ) -> Expr:
        header = text.header
        assert header is not None
        meanings = meanings_of(resolver, call, header, scope)
        words = words_of_call(call, text, self.inputs[0].places)
        inner = Scope(meanings, losses, scope.depth, scope.around, words=words)
        value_: Expr | None = None
        for line in text.lines:
            match line:
                case s.Definition(_, left, right):
                    inner = self._define(resolver, left, right, inner)
                case s.Formula(_, node):
                    value_ = resolver.resolve(node, inner)
                case s.Require(_, node):
                    self._require(resolver, node, inner, call)
        if value_ is None:
            raise LossSyntaxError("the loss has no value", text.span)
        self.called.setdefault(value_, call.function.text)
        return value_

    def _require(self, resolver: Resolver, node: s.Node, scope: Scope, call: s.Call) -> None:
        """What a called loss requires becomes a requirement here, if it is settled by parameters."""
        condition = resolver.condition(node, scope)
        if isinstance(condition, Flag) and not condition.value:
            text = normal_name(node.span.text)
            given = [value.span for word, value in call.keywords if re.search(rf"\b{word.text}\b", text)]
            place = given[0] if given else call.span
            hint = "give it a value that fulfils this"
            raise LossParameterError(f"`{call.function.text}` requires `{node.span.text}`", place, hint)
        if isinstance(condition, Flag):
            return
        if not is_about_inputs(condition):
            self.requirements.append(Requirement(condition, call.span, formula(condition)))
            return
        with suppress(LossTypeError):  # of what a call gives, nothing may be known
            self._ordered(condition, call.span)


def _once(requirements: list[Requirement]) -> tuple[Requirement, ...]:
    """Requirements without those that another makes, too."""
    found: dict[Expr, Requirement] = {}
    for one in requirements:
        found.setdefault(one.condition, one)
    return tuple(found.values())


def _not_of_itself(name: str, value: Callable[[], T]) -> T:
    """The value of a definition. Raises LossNameError for one that reads itself."""
    try:
        return value()
    except LossNameError as error:
        if error.message != f"`{name}` is not defined":
            raise
        hint = "there are no recursions: a running sum is `cumsum(e)`; of a few steps, each is a definition"
        raise LossNameError(f"`{name}` is made of itself", error.span, hint) from None


def _no_value_hint(loss: s.LossText) -> str:
    """What to do about a loss whose last line is no formula."""
    last = loss.lines[-1] if loss.lines else None
    if not isinstance(last, s.Definition):
        return "its last line is a formula"
    left = last.left.span.text
    if isinstance(last.left, s.Call) and loss.header is None:
        return f"its last line is a formula; a header is a line of its own above it: `loss {left}`"
    return f"its last line is a formula: leave out `{left} =`, or write `{left}` below"
