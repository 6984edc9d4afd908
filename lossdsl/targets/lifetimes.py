"""What a function has no more use for, let go at once: an array of a large batch may be its largest piece of memory."""

from __future__ import annotations

import ast
from collections.abc import Sequence

_FUNCTIONS = (ast.FunctionDef, ast.Lambda)


def freed(body: Sequence[ast.stmt], end: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Statements with each name that they assign deleted after its last use, unless `end` uses it.

    What a function inside uses may be needed as long as that is called, and stays.
    """
    assigned = {one.id for statement in body for one in _names(statement) if isinstance(one.ctx, ast.Store)}
    inside = [part for statement in body for part in ast.walk(statement) if isinstance(part, _FUNCTIONS)]
    waiting = assigned - {one.id for statement in (*end, *inside) for one in _names(statement)}
    found: list[ast.stmt] = []
    for statement in reversed(body):
        last = sorted({one.id for one in _names(statement)} & waiting)
        waiting.difference_update(last)
        if last:
            found.append(ast.Delete([ast.Name(each, ast.Del()) for each in last]))
        found.append(statement)
    return found[::-1]


def _names(statement: ast.AST) -> list[ast.Name]:
    return [part for part in ast.walk(statement) if isinstance(part, ast.Name)]
