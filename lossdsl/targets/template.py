"""Pieces of Python as syntax trees: a text with letters, and what to put in their place."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any


@cache
def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _filled(part: Any, trees: Mapping[str, ast.expr]) -> Any:
    """A copy of a tree, list or value; written out here, since `copy.deepcopy` takes ten times as long."""
    if isinstance(part, ast.Name):
        return trees[part.id] if part.id in trees else ast.Name(part.id, part.ctx)
    if isinstance(part, list):
        return [_filled(each, trees) for each in part]
    if isinstance(part, ast.AST) and part._fields:
        return type(part)(*[_filled(getattr(part, field), trees) for field in part._fields])
    return part


def fill(text: str, **parts: ast.expr | int | str | tuple[int, ...] | list[int] | None) -> ast.expr:
    """The expression `text` with trees (or plain constants) in place of names."""
    trees = {name: part if isinstance(part, ast.expr) else literal(part) for name, part in parts.items()}
    filled: ast.expr = _filled(_parsed(text), trees)
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
    own = [ast.arg(argument) for argument in arguments]
    signature = ast.arguments(posonlyargs=[], args=own, kwonlyargs=[], kw_defaults=[], defaults=[])
    return ast.FunctionDef(name=identifier, args=signature, body=body, decorator_list=[])
