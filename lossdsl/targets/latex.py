"""A loss as a LaTeX formula, in the form in which its author wrote it.

An element of a tensor has a subscript where an enclosing sum, or an index of the author's, runs over its axis; the
sample at hand has none. Amounts that only keep a computation from overflowing are left out, for they cancel.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence

from lossdsl.ir import build as b
from lossdsl.ir.axes import Axes, Axis, ordered
from lossdsl.ir.expr import (
    Along,
    Call,
    Const,
    Expr,
    Flag,
    Gather,
    Input,
    Length,
    Param,
    Position,
    Reduce,
    Rename,
    Slice,
    Unslice,
    walk,
)
from lossdsl.ir.loss import Loss
from lossdsl.ir.op import Kind, Op
from lossdsl.ir.plain import written_out
from lossdsl.ir.text import decimal, named
from lossdsl.targets.symbols import symbol
from lossdsl.transform.language import expression

_OPEN, _SUM, _PRODUCT, _SIGN, _FRACTION, _ATOM = 55, 50, 60, 70, 90, 100
"""How tightly a text holds together; `_OPEN` is a product that ends in a sum sign, which would swallow what follows."""

_LETTERS = {"last": "iklmpq", "batch": "bcad", "space": "suvw", "rows": "rghf"}
_LENGTHS = {"last": "nNK", "batch": "BMN", "space": "SPU", "rows": "RHG"}

_NEUTRAL = {"sum": 0.0, "prod": 1.0, "max": float("-inf"), "min": float("inf")}

Places = Mapping[Axis, str]
Request = tuple[Expr, Places]
Text = tuple[str, int]
Steps = Generator[Request, Text, Text]


def latex(loss: Loss) -> str:
    """One formula without delimiters; with definitions of the author's, they stand above it, aligned."""
    roots = written_out((loss.result, *loss.names))
    known: dict[Expr, str] = {}
    for node, name in zip(roots[1:], loss.names.values(), strict=True):
        if node.children and node is not roots[0] and name not in known.values():
            known.setdefault(node, name)
    writer = _Writer(roots[0], known)
    reached = set(walk(roots[0]))
    lines = [writer.definition(node) for node in known if node in reached]
    value = writer.text(roots[0], {}, top=True)
    return _aligned([*lines, rf"\mathcal{{L}} &= {value}"]) if lines else value


def gradient(slope: Expr, node: Input, names: Mapping[Expr, str], is_elementwise: bool) -> str:
    """The equation of a gradient in an input, under definitions of what is named and of what is used more than once.

    `is_elementwise` tells of what: of an element's loss, or of that of a sample or batch.
    """
    root, *parts = written_out((slope, *names))
    writer = _Writer(root, named(root, dict(zip(parts, names.values(), strict=True))))
    lines = [writer.definition(part) for part in writer.known]
    places = writer.places(Input(node.name, root.axes | node.axes))
    letters = list(places.values())
    above = rf"\ell_{{{','.join(letters)}}}" if is_elementwise else r"\mathcal{L}"
    left = rf"\frac{{\partial {above}}}{{\partial {symbol(node.name, letters)}}}"
    lines.append(f"{left} &= {writer.text(root, places, top=True)}")
    return _aligned(lines) if len(lines) > 1 else lines[0].replace("&= ", "= ", 1)


def _aligned(lines: Iterable[str]) -> str:
    return "\n".join([r"\begin{aligned}", " \\\\\n".join(lines), r"\end{aligned}"])


def _applied(op: Op, texts: Sequence[Text]) -> Text:
    """An operation on what has been written."""
    plain = [text for text, _ in texts]
    if "#1" in op.latex:
        return op.latex.replace("#1", plain[0]), _ATOM
    if op.gives is Kind.BOOL and op.latex:
        if len(texts) == 1:
            return f"{op.latex} {_held(*texts[0], _ATOM)}", op.precedence
        one, two = (_held(*text, op.precedence + (Kind.BOOL not in op.takes)) for text in texts)
        return f"{one} {op.latex} {two}", op.precedence
    function = op.latex or rf"\operatorname{{{_escaped(op.name)}}}"
    return (f"{function}{_fenced(', '.join(plain))}" if texts else function), _ATOM


class _Writer:
    """Expressions of one loss as LaTeX. `known` has the nodes that the author gave a name."""

    def __init__(self, value: Expr, known: Mapping[Expr, str]) -> None:
        self.known = known
        nodes = list(walk(value))
        taken = {node.name for node in nodes if isinstance(node, Input | Param)} | set(known.values())
        taken |= {axis.name for node in nodes for axis in node.axes if axis.is_index}
        self.taken = taken
        lengths: dict[str, str] = {}
        for domain, letters in _LENGTHS.items():
            free = [letter for letter in letters if letter not in taken and letter not in lengths.values()]
            lengths[domain] = free[0] if free else rf"n_{{\mathrm{{{domain}}}}}"
        self.lengths = lengths
        self.done: dict[tuple[Expr, tuple[tuple[Axis, str], ...], bool], Text] = {}

    def definition(self, node: Expr) -> str:
        places = self.places(node)
        return f"{self._named(self.known[node], node, places)} &= {self.text(node, places, top=True)}"

    def places(self, node: Expr) -> dict[Axis, str]:
        """The subscripts that a node has where no sum runs over its axes."""
        places: dict[Axis, str] = {}
        for axis in ordered(node.axes):
            if axis.is_index:
                places[axis] = symbol(axis.name)
            elif axis.domain in ("last", "rows"):
                places[axis] = self._letter(axis, places)
        return places

    def text(self, node: Expr, places: Places, *, top: bool = False) -> str:
        """A node's text, worked out with a stack of its own, for formulas may be nested deeply."""
        stack = [(self._key(node, places, top), self._steps(node, places, top))]
        answer: Text | None = None
        while stack:
            key, steps = stack[-1]
            try:
                child, inside = next(steps) if answer is None else steps.send(answer)
            except StopIteration as stop:
                answer = self.done[key] = stop.value
                stack.pop()
                continue
            wanted = self._key(child, inside, False)
            answer = self.done.get(wanted)
            if answer is None:
                stack.append((wanted, self._steps(child, inside, False)))
        assert answer is not None
        return answer[0]

    def _key(self, node: Expr, places: Places, top: bool) -> tuple[Expr, tuple[tuple[Axis, str], ...], bool]:
        return node, tuple(sorted(places.items(), key=lambda pair: (pair[0].domain, pair[0].number, pair[1]))), top

    def _letter(self, axis: Axis, places: Places) -> str:
        if axis.is_index:
            return symbol(axis.name)
        letters = _LETTERS["space" if axis.is_place else axis.domain]
        free = [letter for letter in letters if letter not in self.taken and letter not in places.values()]
        return free[0] if free else f"{letters[0]}'"

    def _named(self, name: str, node: Expr, places: Places) -> str:
        return symbol(name, [places[axis] for axis in ordered(node.axes) if axis in places])

    # --- one node

    def _steps(self, node: Expr, places: Places, top: bool) -> Steps:
        if node in self.known and not top:
            return self._named(self.known[node], node, places), _ATOM
        match node:
            case Const(value):
                return _number(decimal(value))
            case Flag(value):
                return rf"\text{{{'true' if value else 'false'}}}", _ATOM
            case Input(name) | Param(name):
                return self._named(name, node, places), _ATOM
            case Position(axis):
                return places.get(axis) or self._letter(axis, {}), _ATOM
            case Length():
                is_short = len(node.over) == 1 and any(axis.cut for axis in node.over)
                return self._count(node.over), _SUM if is_short else _ATOM if len(node.over) == 1 else _PRODUCT
            case Call(op, args) if op.name in ("add", "sub", "mul", "div", "neg", "pow"):
                return (yield from self._arithmetic(op.name, args, places))
            case Call(op, args):
                return (yield from self._call(op, args, places))
            case Reduce():
                return (yield from self._reduce(node, places))
            case Along():
                return (yield from self._along(node, places))
            case Rename(arg, old, new):
                letter = places.get(new) or self._letter(new, {})
                return (yield arg, {**places, old: letter})
            case Gather(arg, axis, index):
                text, _ = yield index, places
                return (yield arg, {**places, axis: text})
            case Slice():
                return (yield from self._slice(node, places))
            case Unslice(arg):
                text, _ = yield arg, places
                return rf"\operatorname{{pad}}{_fenced(text)}", _ATOM
        raise AssertionError(f"no LaTeX for {type(node).__name__}")

    def _along(self, node: Along, places: Places) -> Steps:
        texts = []
        for arg in node.args[:1] if node.args[-1] is node.args[0] else node.args:
            text, _ = yield arg, _without(places, node.over)
            texts.append(text)
        below = ",".join(places[axis] for axis in ordered(node.over) if axis in places)
        function = rf"\operatorname{{{_escaped(node.op.name)}}}{_fenced(', '.join(texts))}"
        return (f"{function}_{{{below}}}" if below else function), _ATOM

    def _slice(self, node: Slice, places: Places) -> Steps:
        old, new, start = node.old, node.new, node.start
        letter = places.get(new) or (self._letter(new, {}) if new.is_index else "")
        if letter and start >= 0:
            return (yield node.arg, {**places, old: f"{letter}+{start}" if start else letter})
        text, level = yield node.arg, _without(places, frozenset({old, new}))
        base = text if level == _ATOM and "_" not in text else _fenced(text)
        bounds = ":".join("" if end is None else str(end) for end in node.bounds)
        return f"{base}_{{{bounds}}}", _ATOM

    def _count(self, over: Axes) -> str:
        several = len(over) > 1
        times = Counter(self._length(axis, several) for axis in ordered(over))
        return r" \, ".join(f"{length}^{{{count}}}" if count > 1 else length for length, count in times.items())

    def _length(self, axis: Axis, is_factor: bool) -> str:
        if axis.size is not None:
            return str(axis.size)
        whole = self.lengths.get(axis.domain) or rf"n_{{\mathrm{{{_escaped(axis.domain)}}}}}"
        less = f"{whole} - {axis.cut}"
        return whole if not axis.cut else _fenced(less) if is_factor else less

    def _arithmetic(self, name: str, args: tuple[Expr, ...], places: Places) -> Steps:
        left, level = yield args[0], places
        if name == "neg":
            return f"-{_held(left, level, _OPEN)}", _OPEN if level == _OPEN else _SIGN
        right, other = yield args[1], places
        if name == "add":
            return f"{_held(left, level, _SUM)} + {_held(right, other, _SUM, inner=True)}", _SUM
        if name == "sub":
            return f"{_held(left, level, _SUM)} - {_held(right, other, _SUM + 1, inner=True)}", _SUM
        if name == "div":
            return rf"\frac{{{left}}}{{{right}}}", _FRACTION
        if name == "pow":
            return f"{_held(left, level, _ATOM)}^{{{right}}}", _FRACTION
        right = _held(right, other, _OPEN, inner=True)
        sign = r"\cdot" if right[0].isdigit() else r"\,"
        return rf"{_held(left, level, _PRODUCT)} {sign} {right}", _OPEN if other == _OPEN else _PRODUCT

    def _call(self, op: Op, args: tuple[Expr, ...], places: Places) -> Steps:
        if op.name == "real":
            return (yield args[0], places)
        if op.name == "where":
            return (yield from self._cases(args, places))
        if op.written and not op.latex:
            meant = expression(op.written, dict(zip(op.args, args, strict=True)))
            if meant is not Call(op, args):  # of a constant it may be: log(1 + 1e-300) is folded to log1p(1e-300)
                return (yield meant, places)
        texts: list[Text] = []
        for arg in args:
            texts.append((yield arg, places))
        return _applied(op, texts)

    def _cases(self, args: tuple[Expr, ...], places: Places) -> Steps:
        """A choice, and those in its last piece, as one environment; a piece without a value is left out."""
        lines: list[str] = []
        condition, value, otherwise = args
        while True:
            test, _ = yield condition, places
            text, _ = yield value, places
            lines.append(rf"{text} & \text{{if }} {test}")
            if not (isinstance(otherwise, Call) and otherwise.op.name == "where" and otherwise not in self.known):
                break
            condition, value, otherwise = otherwise.args
        if not (isinstance(otherwise, Const) and otherwise.value != otherwise.value):
            text, _ = yield otherwise, places
            lines.append(rf"{text} & \text{{otherwise}}")
        joined = r" \\ ".join(lines)
        return rf"\begin{{cases}} {joined} \end{{cases}}", _ATOM

    def _reduce(self, node: Reduce, places: Places) -> Steps:
        name, arg = node.op.name, node.arg
        inner = dict(places)
        for axis in ordered(node.over):
            inner[axis] = self._letter(axis, inner)
        below = ",".join(inner[axis] for axis in ordered(node.over))
        chosen = _filter(name, arg) if arg not in self.known else None
        if chosen is not None:
            condition, arg = chosen
            test, _ = yield condition, inner
            below = rf"{below} \,:\, {test}"
        text, level = yield arg, inner
        if name in ("any", "all"):
            quantifier = r"\exists" if name == "any" else r"\forall"
            return rf"{quantifier} {below} : {_held(text, level, 30)}", 15
        body = _held(text, level, _OPEN, inner=True)
        if name == "mean":
            return rf"\frac{{1}}{{{self._count(node.over)}}} \sum_{{{below}}} {body}", _OPEN
        return rf"{node.op.latex}_{{{below}}} {body}", _OPEN


def _filter(name: str, arg: Expr) -> tuple[Expr, Expr] | None:
    """Condition and term of an aggregate over those elements only where the condition holds."""
    if name in _NEUTRAL and isinstance(arg, Call) and arg.op.name == "where":
        condition, term, otherwise = arg.args
        return (condition, term) if b.is_const(otherwise, _NEUTRAL[name]) else None
    return None


def _escaped(name: str) -> str:
    return name.replace("_", r"\_")


def _without(places: Places, over: Iterable[Axis]) -> Places:
    return {axis: letter for axis, letter in places.items() if axis not in over}


def _fenced(text: str) -> str:
    return rf"\left({text}\right)"


def _held(text: str, level: int, wanted: int, *, inner: bool = False) -> str:
    """A text in brackets if it is too loose for its place, or would put one sign right after another."""
    return _fenced(text) if level < wanted or (inner and text.startswith("-")) else text


def _number(text: str) -> Text:
    if text in ("inf", "-inf"):
        return (r"\infty", _ATOM) if text == "inf" else (r"-\infty", _SIGN)
    if "/" in text:
        sign, top, bottom = re.fullmatch(r"(-?)(\d+)/(\d+)", text).groups()  # type: ignore[union-attr]
        return rf"{sign}\frac{{{top}}}{{{bottom}}}", _SIGN if sign else _FRACTION
    digits, mark, exponent = text.partition("e")
    if mark:
        power = f"10^{{{int(exponent)}}}"
        return (power, _FRACTION) if digits == "1" else (rf"{digits} \cdot {power}", _PRODUCT)
    return text, _SIGN if text.startswith("-") else _ATOM
