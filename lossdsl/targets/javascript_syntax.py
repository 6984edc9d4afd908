"""Python's syntax trees as JavaScript: the part of Python in which spellings and the texts of helpers are written."""

from __future__ import annotations

import ast
import json
import math
import re
from collections import Counter
from collections.abc import Iterator

_BINARY = {
    ast.Add: ("+", 12), ast.Sub: ("-", 12), ast.Mult: ("*", 13), ast.Div: ("/", 13), ast.Mod: ("%", 13),
    ast.BitAnd: ("&&", 5), ast.BitOr: ("||", 4),
}  # fmt: skip
_UNARY = {ast.USub: ("-", 14), ast.Not: ("!", 14), ast.Invert: ("!", 14)}
_COMPARE = {
    ast.Lt: ("<", 10), ast.LtE: ("<=", 10), ast.Gt: (">", 10), ast.GtE: (">=", 10), ast.Eq: ("===", 9),
    ast.NotEq: ("!==", 9),
}  # fmt: skip
_ATOM, _CALL = 20, 18
_CONSTANTS = {"math.pi": "Math.PI", "math.inf": "Infinity", "math.nan": "NaN"}
_FUNCTIONS = {"ValueError": "RangeError", "max": "Math.max", "min": "Math.min", "abs": "Math.abs"}


def expression(tree: ast.expr) -> str:
    """An expression on one line."""
    return _text(tree)[0]


def _held(tree: ast.expr, least: int) -> str:
    """An expression in brackets, unless it holds together at least so strongly."""
    text, strength = _text(tree)
    return text if strength >= least else f"({text})"


def _text(tree: ast.expr) -> tuple[str, int]:
    """The text, and how strongly it holds together."""
    match tree:
        case ast.Name(text):
            return text, _ATOM
        case ast.Constant():
            return _constant(tree.value)
        case ast.Attribute():
            dotted = ast.unparse(tree)
            return (_CONSTANTS[dotted], _ATOM) if dotted in _CONSTANTS else (_member(tree), _CALL)
        case ast.Call():
            return _call(tree)
        case ast.Subscript(value, index):
            return _subscript(value, index), _CALL
        case ast.Starred(value):
            return f"...{_held(value, 3)}", 1
        case ast.Tuple(parts) | ast.List(parts):
            return f"[{', '.join(map(expression, parts))}]", _ATOM
        case ast.UnaryOp(op, operand):
            sign, strength = _UNARY[type(op)]
            inner = _held(operand, strength)
            return (f"{sign}({inner})" if inner.startswith(sign) else f"{sign}{inner}"), strength
        case ast.BinOp(left, ast.Pow(), right):
            return (
                f"{_held(left, 16)} ** {_held(right, 14)}",
                15,
            )  # before the sign of a negative base there are brackets
        case ast.BinOp(left, ast.FloorDiv(), right):
            return f"Math.floor({_held(left, 13)} / {_held(right, 14)})", _CALL
        case ast.BinOp(left, op, right):
            sign, strength = _BINARY[type(op)]
            return f"{_held(left, strength)} {sign} {_held(right, strength + 1)}", strength
        case ast.Compare(left, [ast.Eq()], [ast.Tuple() as right]):
            return f"String({expression(left)}) === String({expression(right)})", 9
        case ast.Compare():
            return _comparison(tree)
        case ast.BoolOp(op, values):
            word, strength = ("&&", 5) if isinstance(op, ast.And) else ("||", 4)
            return f" {word} ".join(_held(value, 6) for value in values), strength
        case ast.IfExp(test, body, other):
            return f"{_held(test, 4)} ? {_held(body, 3)} : {_held(other, 3)}", 3
    raise AssertionError(f"no JavaScript for {type(tree).__name__}")


def _constant(value: object) -> tuple[str, int]:
    match value:
        case bool():
            return str(value).lower(), _ATOM
        case None:
            return "undefined", _ATOM
        case str():
            return json.dumps(value, ensure_ascii=False), _ATOM
        case float() if not math.isfinite(value):
            return ("NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"), 14
        case float() if value.is_integer() and abs(value) < 1e6:
            return repr(int(value)), _ATOM if value >= 0 else 14
        case int() | float():
            return repr(value), _ATOM if value >= 0 else 14
    raise AssertionError(f"no JavaScript for {value!r}")


def _member(tree: ast.Attribute) -> str:
    owner = tree.value
    if isinstance(owner, ast.Name) and owner.id == "math":
        return f"Math.{tree.attr}"
    return f"{_held(owner, 17)}.{tree.attr}"


def _call(tree: ast.Call) -> tuple[str, int]:
    """A call; a choice is no function, and what is like an array is a number here."""
    name = tree.func.id if isinstance(tree.func, ast.Name) else ""
    if name == "_where":
        condition, one, other = tree.args
        return _text(ast.IfExp(condition, one, other))
    if name in ("_ones_like", "_zeros_like"):
        return ("1" if name == "_ones_like" else "0"), _ATOM
    if name == "len":
        return f"{_held(tree.args[0], 17)}.length", _CALL
    function = _FUNCTIONS.get(name) or _held(tree.func, 17)
    return f"{function}({', '.join(map(expression, tree.args))})", _CALL


def _comparison(tree: ast.Compare) -> tuple[str, int]:
    left, parts = tree.left, list[str]()
    strength = 10
    for op, right in zip(tree.ops, tree.comparators, strict=True):
        sign, strength = _COMPARE[type(op)]
        parts.append(f"{_held(left, strength)} {sign} {_held(right, strength + 1)}")
        left = right
    return (parts[0], strength) if len(parts) == 1 else (" && ".join(parts), 5)


def _subscript(value: ast.expr, index: ast.expr) -> str:
    """An element, a part of an array, or an input with one axis more or less."""
    owner = _held(value, 17)
    match index:
        case ast.Constant(None):
            return f"_led({owner})"
        case ast.Tuple([ast.Constant(), ast.Constant(0)]):
            return f"_unended({owner})"
        case ast.Tuple([ast.Constant(), ast.Constant(None)]):
            return f"_ended({owner})"
        case ast.Tuple([ast.Constant(), ast.Slice(first, step=ast.expr() as step)]):
            return f"_component({', '.join([owner, expression(step), *([expression(first)] if first else [])])})"
        case ast.Slice(lower, upper):
            ends = [expression(lower) if lower else "0"] + ([expression(upper)] if upper else [])
            return f"{owner}.slice({', '.join(ends)})"
        case ast.UnaryOp(ast.USub(), ast.Constant(int())):
            return f"{owner}.at({expression(index)})"
    return f"{owner}[{expression(index)}]"


# --- statements ---------------------------------------------------------------------------------------------------


def function(text: str) -> str:
    """A function of Python's as one of JavaScript's; its docstring becomes a comment."""
    (tree,) = ast.parse(text).body
    assert isinstance(tree, ast.FunctionDef)
    arguments = [argument.arg for argument in tree.args.args]
    known = set(arguments)
    if tree.args.vararg:
        known.add(tree.args.vararg.arg)
        arguments.append(f"...{tree.args.vararg.arg}")
    doc = ast.get_docstring(tree)
    body = tree.body[1:] if doc else tree.body
    lines = [f"// {line}".rstrip() for line in (doc or "").splitlines()]
    return "\n".join([*lines, f"function {tree.name}({', '.join(arguments)}) {{", *block(body, 2, known), "}"])


def block(body: list[ast.stmt], indent: int, known: set[str]) -> list[str]:
    """Statements as lines; `known` are the names that have been declared."""
    parts = [part for statement in body for part in ast.walk(statement) if isinstance(part, ast.Name)]
    often = Counter(part.id for part in parts if isinstance(part.ctx, ast.Store))
    return [line for statement in body for line in _statement(statement, " " * indent, known, often)]


def _statement(statement: ast.stmt, pad: str, known: set[str], often: Counter[str]) -> Iterator[str]:
    match statement:
        case ast.Assign([ast.Name(name)], value):
            yield f"{pad}{_declaring([name], known, often)}{name} = {expression(value)};"
        case ast.Assign([ast.Tuple(parts)], ast.Tuple() as value):
            names = [part.id for part in parts if isinstance(part, ast.Name)]
            yield f"{pad}{_declaring(names, known, often)}[{', '.join(names)}] = {expression(value)};"
        case ast.Assign([ast.Tuple(parts)], value):
            names = [part.id for part in parts if isinstance(part, ast.Name)]
            yield f"{pad}{_declaring(names, known, often)}[{', '.join(names)}] = {expression(value)};"
        case ast.For(ast.Name(name), ast.Call(_, [*ends]), body):
            yield f"{pad}for ({_counted(name, ends)}) {{"
            yield from block(body, len(pad) + 2, {*known, name})
            yield f"{pad}}}"
        case ast.For(target, over, body):
            own = {part.id for part in ast.walk(target) if isinstance(part, ast.Name)}
            yield f"{pad}for (const {expression(target)} of {expression(over)}) {{"
            yield from block(body, len(pad) + 2, known | own)
            yield f"{pad}}}"
        case ast.If(test, body, _):
            yield f"{pad}if ({expression(test)}) {{"
            yield from block(body, len(pad) + 2, known)
            yield f"{pad}}}"
        case ast.Return(value) if value is not None:
            yield f"{pad}return {expression(value)};"
        case ast.Raise(ast.Call() as made):
            yield f"{pad}throw new {expression(made)};"
        case ast.Expr(value):
            yield f"{pad}{expression(value)};"
        case _:
            raise AssertionError(f"no JavaScript for {type(statement).__name__}")


def _declaring(names: list[str], known: set[str], often: Counter[str]) -> str:
    if known.issuperset(names):
        return ""
    assert not known & set(names), "one of several names is new"
    known.update(names)
    return "const " if all(often[name] == 1 for name in names) else "let "


def _counted(name: str, ends: list[ast.expr]) -> str:
    """The head of a loop over `range(ends)`."""
    texts = [expression(end) for end in ends]
    first, last, step = ["0", *texts, "1"] if len(texts) == 1 else [*texts, "1"][:3]
    sign, change = (">", f"{name}--") if step == "-1" else ("<", f"{name}++")
    return f"let {name} = {first}; {name} {sign} {last}; {change}"


RESERVED = frozenset(
    re.findall(
        r"\w+",
        """
    arguments await break case catch class const continue debugger default delete do else enum eval export extends
    false finally for function if implements import in instanceof interface let new null package private protected
    public return static super switch this throw true try typeof undefined var void while with yield
    Array Float64Array Infinity Math NaN Number RangeError String Object
    """,
    )
)
"""What a variable cannot be called, or is called already."""
