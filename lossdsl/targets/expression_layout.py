"""Expressions on one line, as `ruff format` writes them."""

from __future__ import annotations

import ast

_BINARY = {
    ast.Add: ("+", 12),
    ast.Sub: ("-", 12),
    ast.Mult: ("*", 13),
    ast.Div: ("/", 13),
    ast.FloorDiv: ("//", 13),
    ast.Mod: ("%", 13),
    ast.BitOr: ("|", 8),
    ast.BitXor: ("^", 9),
    ast.BitAnd: ("&", 10),
    ast.Pow: ("**", 15),
}
_UNARY = {ast.USub: ("-", 14), ast.Not: ("not ", 6), ast.Invert: ("~", 14), ast.UAdd: ("+", 14)}
_COMPARE = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}
_ATOM = 20


def quoted(text: str) -> str:
    """A string in double quotes."""
    return f'"{text}"' if not set(text) & {'"', "\\", "\n"} and text.isprintable() else repr(text)


def expression(tree: ast.expr) -> str:
    """An expression on one line."""
    return _text(tree)[0]


def held(tree: ast.expr, least: int) -> str:
    """An expression in brackets, unless it holds together at least so strongly."""
    text, strength = _text(tree)
    return text if strength >= least else f"({text})"


def _text(tree: ast.expr) -> tuple[str, int]:
    """The text, and how strongly it holds together."""
    match tree:
        case ast.Name(text):
            return text, _ATOM
        case ast.Constant(str(text)):
            return quoted(text), _ATOM
        case ast.Constant(value):
            return repr(value).replace("Ellipsis", "..."), _ATOM
        case ast.Attribute(value, attribute):
            return f"{held(value, 17)}.{attribute}", _ATOM
        case ast.Call(called, args, keywords):
            parts = [*map(expression, args)]
            parts += [f"{key.arg}=" * bool(key.arg) + "**" * (not key.arg) + expression(key.value) for key in keywords]
            return f"{held(called, 17)}({', '.join(parts)})", 18
        case ast.Subscript(value, index):
            return f"{held(value, 17)}[{_index(index)}]", 18
        case ast.Starred(value):
            return f"*{held(value, 8)}", 1
        case ast.Tuple([part]):
            return f"({expression(part)},)", _ATOM
        case ast.Tuple(parts):
            return f"({', '.join(map(expression, parts))})", _ATOM
        case ast.List(parts):
            return f"[{', '.join(map(expression, parts))}]", _ATOM
        case ast.UnaryOp(op, operand):
            sign, strength = _UNARY[type(op)]
            return f"{sign}{held(operand, strength)}", strength
        case ast.BinOp(left, ast.Pow(), right):
            space = "" if _hugs(left) and _hugs(right) else " "
            return f"{held(left, 16)}{space}**{space}{held(right, 14)}", 15
        case ast.BinOp(left, op, right):
            sign, strength = _BINARY[type(op)]
            return f"{held(left, strength)} {sign} {held(right, strength + 1)}", strength
        case ast.Compare(left, ops, rights):
            rest = "".join(f" {_COMPARE[type(op)]} {held(right, 8)}" for op, right in zip(ops, rights, strict=True))
            return f"{held(left, 8)}{rest}", 7
        case ast.BoolOp(ast.And(), [ast.Compare() as one, ast.Compare() as two, *rest]) if (
            ast.dump(one.comparators[-1]) == ast.dump(two.left)
        ):
            chain = ast.Compare(one.left, [*one.ops, *two.ops], [*one.comparators, *two.comparators])
            return _text(ast.BoolOp(ast.And(), [chain, *rest]) if rest else chain)
        case ast.BoolOp(op, values):
            word, strength = ("and", 5) if isinstance(op, ast.And) else ("or", 4)
            return f" {word} ".join(held(value, strength + 1) for value in values), strength
        case ast.IfExp(test, body, other):
            return f"{held(body, 4)} if {held(test, 4)} else {held(other, 3)}", 3
        case ast.Lambda(args, body):
            return f"lambda {', '.join(argument.arg for argument in args.args)}: {held(body, 3)}", 2
    raise AssertionError(f"no layout for {type(tree).__name__}")


def _hugs(tree: ast.expr) -> bool:
    """Whether `**` stands beside an operand without spaces."""
    if isinstance(tree, ast.UnaryOp):
        tree = tree.operand
    if isinstance(tree, ast.Attribute):
        return _is_dotted(tree)
    return isinstance(tree, ast.Name) or (isinstance(tree, ast.Constant) and isinstance(tree.value, int | float))


def _is_dotted(tree: ast.expr) -> bool:
    return isinstance(tree, ast.Name) or (isinstance(tree, ast.Attribute) and _is_dotted(tree.value))


def _index(tree: ast.expr) -> str:
    if isinstance(tree, ast.Tuple) and len(tree.elts) > 1:
        return ", ".join(map(_index, tree.elts))
    if not isinstance(tree, ast.Slice):
        return expression(tree)
    lower, upper = (("" if end is None else expression(end)) for end in (tree.lower, tree.upper))
    step = f":{expression(tree.step)}" if tree.step is not None else ""
    return f"{lower}:{upper}{step}"
