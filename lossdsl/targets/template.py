"""Pieces of Python as syntax trees: a text with letters, and what to put in their place."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from functools import cache


@cache
def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


class _Filled(ast.NodeTransformer):
    def __init__(self, parts: dict[str, ast.expr]) -> None:
        self.parts = parts

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.parts.get(node.id, node)


def fill(text: str, **parts: ast.expr | int | str | tuple[int, ...] | list[int] | None) -> ast.expr:
    """The expression `text` with trees (or plain constants) in place of names."""
    trees = {name: part if isinstance(part, ast.expr) else literal(part) for name, part in parts.items()}
    filled: ast.expr = _Filled(trees).visit(copy.deepcopy(_parsed(text)))
    return filled


@cache
def repeated(text: str) -> tuple[str, ...]:
    """The names that occur more than once in the expression `text`."""
    found = Counter(node.id for node in ast.walk(_parsed(text)) if isinstance(node, ast.Name))
    return tuple(identifier for identifier, count in found.items() if count > 1)


def literal(value: object) -> ast.expr:
    """A constant, tuple or list as a tree."""
    return ast.parse(repr(value), mode="eval").body


def name(identifier: str) -> ast.Name:
    return ast.Name(identifier, ast.Load())


def assign(identifier: str, value: ast.expr) -> ast.stmt:
    return ast.Assign([ast.Name(identifier, ast.Store())], value)


def statements(text: str) -> list[ast.stmt]:
    return ast.parse(text).body


def defined(identifier: str, arguments: list[str], body: list[ast.stmt]) -> ast.FunctionDef:
    """A function of plain arguments."""
    found = ast.parse(f"def {identifier}({', '.join(arguments)}): ...").body[0]
    assert isinstance(found, ast.FunctionDef)
    found.body = body
    return found
