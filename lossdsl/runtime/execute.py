"""Generated code into functions. The only place where code is run that was not written by hand.

What is run is a syntax tree that `targets` built from checked expressions; no text of a user's ever becomes code.
"""

from __future__ import annotations

import ast
import itertools
import linecache
from collections.abc import Callable
from typing import Any

_numbers = itertools.count(1)


def functions(module: ast.Module, label: str) -> dict[str, Callable[..., Any]]:
    """The functions that a module defines. Tracebacks show its lines, under `<lossdsl LABEL>`."""
    text = ast.unparse(module)
    filename = f"<lossdsl {label} {next(_numbers)}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    namespace: dict[str, Any] = {"__name__": f"lossdsl.generated.{label}"}
    exec(compile(text, filename, "exec"), namespace)  # noqa: S102 - see above
    return {node.name: namespace[node.name] for node in module.body if isinstance(node, ast.FunctionDef)}
