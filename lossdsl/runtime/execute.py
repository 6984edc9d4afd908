"""Generated code into functions. The only place where code is run that was not written by hand.

What is run is a syntax tree that `targets` built from checked expressions; no text of a user's ever becomes code.
"""

from __future__ import annotations

import ast
import itertools
import linecache
import weakref
from collections.abc import Callable
from functools import wraps
from typing import Any

from lossdsl.errors import LossParameterError, LossShapeError

_AXIS = "the axis is shorter than the formula takes it to be: give longer rows, or mend the index"
_numbers = itertools.count(1)


class _Lifetime:
    """Ends with the functions whose globals hold it, and so ends what is kept for their tracebacks."""


def functions(module: ast.Module, label: str) -> dict[str, Callable[..., Any]]:
    """The functions that a module defines. Tracebacks show its lines, under `<lossdsl LABEL>`."""
    text = ast.unparse(module)
    filename = f"<lossdsl {label} {next(_numbers)}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    lifetime = _Lifetime()
    weakref.finalize(lifetime, linecache.cache.pop, filename, None)
    namespace: dict[str, Any] = {"__name__": f"lossdsl.generated.{label}", "__lifetime__": lifetime}
    exec(compile(text, filename, "exec"), namespace)  # noqa: S102 - see above
    return {node.name: _told(namespace[node.name], label) for node in module.body if isinstance(node, ast.FunctionDef)}


def _told(function: Callable[..., Any], label: str) -> Callable[..., Any]:
    """The function, with what Python's arithmetic and numpy's indices may raise told as a mistake of the caller's."""

    @wraps(function)
    def call(*args: Any) -> Any:
        try:
            return function(*args)
        except (OverflowError, ZeroDivisionError) as error:
            raise LossParameterError(
                f"{label}: the parameters lead to a number that floating point does not have ({error})"
            ) from None
        except IndexError as error:
            message = f"{label}: an element is named that its axis does not have ({error})"
            raise LossShapeError(message, None, _AXIS) from None
        except ValueError as error:
            if str(error).startswith(("math domain error", "expected a ")):
                raise LossParameterError(
                    f"{label}: the parameters leave the domain of a function ({error})"
                ) from None
            if "broadcast" in str(error):
                raise LossShapeError(f"{label}: tensors meet whose lengths do not agree ({error})") from None
            raise

    return call
