"""Generated functions as text, laid out as `ruff format` lays out Python.

Lines are kept short by giving names to parts, as a person would, so that nothing has to be broken but calls of many
arguments.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Container, Iterator, Sequence
from itertools import count
from typing import Any

from lossdsl.targets.expression_layout import expression, held, quoted

WIDTH = 88

_KINDS = ("v", "block", "apart", "near")
_COUNTED = re.compile(rf"\b(?:{'|'.join(_KINDS)})[1-9]\d*\b")
"""The names that code gives to parts, of which a user may have some for arguments."""
_NOT_LAID_OUT = (ast.comprehension, ast.If, ast.With, ast.JoinedStr)
"""What only texts of helpers have."""


def function(tree: ast.FunctionDef) -> str:
    """The text of a function. Where its parts get names in order, these are longer, and may need others again."""
    for _ in range(4):
        text = "\n".join(_function(tree, 0, _fresh(tree)))
        numbered = _numbered(text, tree)
        if numbered == text:
            break
        (tree,) = [one for one in ast.parse(numbered).body if isinstance(one, ast.FunctionDef)]
    return numbered


def body(tree: ast.FunctionDef) -> list[str]:
    """The lines of its body."""
    text = function(tree)
    (found,) = [one for one in ast.parse(text).body if isinstance(one, ast.FunctionDef)]
    return text.split("\n")[found.body[0].lineno - 1 :]


def _numbered(text: str, tree: ast.FunctionDef) -> str:
    """A function whose parts `v7`, `block3` are counted in the order in which they are read, each kind from 1."""
    fixed = {argument.arg for argument in tree.args.args}
    names = dict.fromkeys(name for name in _COUNTED.findall(text) if name not in fixed)
    fresh = {kind: _counted(kind, fixed) for kind in _KINDS}
    new = {name: next(fresh[name.rstrip("0123456789")]) for name in names}
    return _COUNTED.sub(lambda found: new.get(found[0], found[0]), text)


def _counted(kind: str, taken: Container[str]) -> Iterator[str]:
    """`v1`, `v2`, …, but for what is taken."""
    return (name for number in count(1) if (name := f"{kind}{number}") not in taken)


def _fresh(tree: ast.FunctionDef) -> Iterator[str]:
    """Names for parts that a function does not have."""
    taken = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    taken |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return _counted("v", taken)


def signature(head: str, arguments: Sequence[str], tail: str, indent: int = 0) -> list[str]:
    """`HEAD(ARGUMENTS)TAIL` on one line, on three, or with one argument a line."""
    pad = " " * indent
    flat = f"{pad}{head}({', '.join(arguments)}){tail}"
    if len(flat) <= WIDTH or not arguments:
        return [flat]
    inner = f"{pad}    {', '.join(arguments)}"
    if len(inner) <= WIDTH and not any(argument.startswith("*") for argument in arguments):
        return [f"{pad}{head}(", inner, f"{pad}){tail}"]
    lines = [line for argument in arguments for line in _argument(argument, f"{pad}    ")]
    return [f"{pad}{head}(", *lines, f"{pad}){tail}"]


def _argument(text: str, pad: str) -> list[str]:
    """An argument on lines of its own, where its default may be a long tuple."""
    name, equals, value = text.partition("=(")
    if not equals or not name.isidentifier() or len(f"{pad}{text},") <= WIDTH:
        return [f"{pad}{text},"]
    return _broken(f"{pad}{name}=", ast.parse(f"({value}", mode="eval").body, pad)


def _broken(head: str, tree: ast.expr, pad: str) -> list[str]:
    flat = f"{head}{expression(tree)},"
    if len(flat) <= WIDTH or not isinstance(tree, ast.Tuple):
        return [flat]
    inner = f"{pad}    "
    return [f"{head}(", *(line for part in tree.elts for line in _broken(inner, part, inner)), f"{pad}),"]


def tuple_lines(head: str, items: Sequence[str]) -> list[str]:
    """`HEAD(ITEMS)`, a tuple."""
    if len(items) == 1:
        return [f"{head}({items[0]},)"]
    flat = f"{head}({', '.join(items)})"
    return [flat] if len(flat) <= WIDTH else [f"{head}(", *(f"    {item}," for item in items), ")"]


def laid_out(text: str) -> str:
    """The text of a helper function, set anew where a line is too long."""
    (tree,) = ast.parse(text).body
    assert isinstance(tree, ast.FunctionDef)
    lines = text[text.index(":\n") :].split('"""')[-1].split("\n")
    is_plain = not any(isinstance(node, _NOT_LAID_OUT) for node in ast.walk(tree))
    return function(tree) if is_plain and max(map(len, lines)) > WIDTH else text


def refusal(condition: ast.expr, message: str, guard: str) -> list[str]:
    """`if GUARD and not CONDITION: raise ValueError(MESSAGE)` in a function's body, for each part if it is long."""
    parts = list(_conjuncts(condition))
    together = parts[0] if len(parts) == 1 else ast.BoolOp(ast.And(), parts)
    heads = [_refusing(together, guard)]
    if len(heads[0]) > 1 or len(heads[0][0]) > WIDTH:
        heads = [_refusing(part, guard) for part in parts]
    raised = signature("raise ValueError", [quoted(message)], "", 8)
    return [line for head in heads for line in (*head, *raised)]


def _refusing(condition: ast.expr, guard: str) -> list[str]:
    test = ast.UnaryOp(ast.Not(), condition)
    if not guard:
        return [f"    if {expression(test)}:"]
    flat = f"    if {guard} and {held(test, 5)}:"
    return [flat] if len(flat) <= WIDTH else ["    if (", f"        {guard}", f"        and {held(test, 5)}", "    ):"]


def _conjuncts(tree: ast.expr) -> Iterator[ast.expr]:
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        for value in tree.values:
            yield from _conjuncts(value)
    else:
        yield tree


def _function(tree: ast.FunctionDef, indent: int, fresh: Iterator[str]) -> list[str]:
    arguments = [argument.arg for argument in tree.args.args]
    if tree.args.kwarg:
        arguments.append(f"**{tree.args.kwarg.arg}")
    plain = len(tree.args.args) - len(tree.args.defaults)
    for place, default in enumerate(tree.args.defaults, plain):
        arguments[place] += f"={expression(default)}"
    lines = signature(f"def {tree.name}", arguments, ":", indent)
    return lines + _block(tree.body, indent + 4, fresh)


def _block(body: Sequence[ast.stmt], indent: int, fresh: Iterator[str]) -> list[str]:
    lines: list[str] = []
    for place, statement in enumerate(body):
        nested = isinstance(statement, ast.FunctionDef)
        if nested and place and lines[-1]:
            lines.append("")
        lines += _statement(statement, indent, fresh)
        if nested:
            lines.append("")
    return lines


def _statement(statement: ast.stmt, indent: int, fresh: Iterator[str]) -> list[str]:
    pad = " " * indent
    match statement:
        case ast.Expr(ast.Constant(str(text))):
            return [f'{pad}"""{text}"""']
        case ast.FunctionDef():
            return _function(statement, indent, fresh)
        case ast.For(target, over, body):
            return [f"{pad}for {expression(target)} in {expression(over)}:", *_block(body, indent + 4, fresh)]
        case ast.Assign([target], value):
            return _simple(f"{pad}{_targets(target)} = ", value, indent, fresh)
        case ast.Return(value) if value is not None:
            return _simple(f"{pad}return ", value, indent, fresh)
    raise AssertionError(f"no layout for {type(statement).__name__}")


def _targets(target: ast.expr) -> str:
    return ", ".join(map(expression, target.elts)) if isinstance(target, ast.Tuple) else expression(target)


def _simple(head: str, value: ast.expr, indent: int, fresh: Iterator[str]) -> list[str]:
    """A statement of one expression, after those that name its parts."""
    before: list[str] = []
    while len(head) + len(expression(value)) > WIDTH:
        part = _widest(value, WIDTH - indent - 8) or _longest_call(value, WIDTH - indent - 5)
        if part is None:
            break
        found = next(fresh)
        before += assigned(found, part, indent)
        before_it = len(expression(value))
        value = _replaced(value, part, ast.Name(found, ast.Load()))
        assert len(expression(value)) < before_it, "a part that has a name is still there"
    return [*before, *_last(head, value, indent)]


def assigned(name: str, value: ast.expr, indent: int) -> list[str]:
    """`NAME = VALUE`, where a call may be broken."""
    return _last(f"{' ' * indent}{name} = ", value, indent)


def _last(head: str, value: ast.expr, indent: int) -> list[str]:
    flat = f"{head}{expression(value)}"
    if len(flat) <= WIDTH or not isinstance(value, ast.Call):
        return [flat]
    arguments = [*map(expression, value.args), *(f"{key.arg}={expression(key.value)}" for key in value.keywords)]
    text = f"{head.strip()} {expression(value.func)}"
    return signature(text, arguments, "", indent)


def _inside(tree: ast.expr) -> Iterator[ast.expr]:
    """The parts that are worked out whenever the whole is."""
    match tree:
        case ast.IfExp(test, _, _):
            below = [test]
        case ast.BoolOp(_, [first, *_]):
            below = [first]
        case ast.Lambda():
            below = []
        case ast.Call(function, args, keywords):
            owner = [function.value] if isinstance(function, ast.Attribute) else []
            below = [*owner, *args, *(keyword.value for keyword in keywords)]
        case ast.Starred():
            below = []
        case ast.Subscript(owner, _):
            below = [owner]
        case _:
            below = [child for child in ast.iter_child_nodes(tree) if isinstance(child, ast.expr)]
    for part in below:
        yield part
        yield from _inside(part)


def _widest(tree: ast.expr, room: int) -> ast.expr | None:
    """The widest part that fits on a line of its own, and is more than a name, a number or a module's function."""
    found, widest = None, 11
    for part in _inside(tree):
        if isinstance(part, ast.Call | ast.BinOp | ast.Compare | ast.IfExp | ast.Subscript | ast.Tuple):
            width = len(expression(part))
            if widest < width <= room:
                found, widest = part, width
    return found


def _longest_call(tree: ast.expr, room: int) -> ast.expr | None:
    """A call that is too long for any line, and is broken on lines of its own: inside of others, it is named."""
    tops = [arg for arg in tree.args if len(expression(arg)) > room] if isinstance(tree, ast.Call) else _inside(tree)
    parts = (part for top in tops for part in (top, *_inside(top)))
    calls = (part for part in parts if isinstance(part, ast.Call))
    return max(calls, key=lambda part: len(expression(part)), default=None)


def _replaced(tree: ast.expr, part: ast.expr, other: ast.expr) -> ast.expr:
    """The tree with another wherever it has a part, but where it may not be worked out."""
    text = ast.dump(part)

    class Change(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> Any:
            if isinstance(node, type(part)) and ast.dump(node) == text:
                return other
            if isinstance(node, ast.IfExp):
                return ast.IfExp(self.visit(node.test), node.body, node.orelse)
            if isinstance(node, ast.BoolOp):
                return ast.BoolOp(node.op, [self.visit(node.values[0]), *node.values[1:]])
            if isinstance(node, ast.Lambda):
                return node
            return super().visit(node)

    changed: ast.expr = Change().visit(tree)
    return changed
