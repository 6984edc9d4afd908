"""Generated code into functions. The only place where code is run that was not written by hand.

What is run is a syntax tree that `targets` built from checked expressions; no text of a user's ever becomes code.
"""

from __future__ import annotations

import ast
import itertools
import linecache
import re
import sys
import weakref
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

from lossdsl.errors import LossError, LossParameterError, LossShapeError

_AXIS = "the axis is shorter than the formula takes it to be: give longer rows, or mend the index"
_numbers = itertools.count(1)


def functions(module: ast.Module, label: str) -> dict[str, Callable[..., Any]]:
    """The functions that a module defines. Tracebacks show its lines, under `<lossdsl LABEL>`.

    The module can be imported by its name, as `torch.compile` does, as long as one of its functions is in use.
    """
    text = ast.unparse(module)
    number = next(_numbers)
    filename = f"<lossdsl {label} {number}>"
    home = ModuleType(f"lossdsl.generated.{re.sub(r'[^a-zA-Z0-9]', '_', label)}_{number}")
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    sys.modules[home.__name__] = home
    exec(compile(text, filename, "exec"), home.__dict__)  # noqa: S102 - see above
    use = _Use()
    weakref.finalize(use, _forget, home.__name__, filename).atexit = False
    names = [node.name for node in module.body if isinstance(node, ast.FunctionDef)]
    return {name: _told(home.__dict__[name], label, use) for name in names}


class _Use:
    """Held by each function of a module, so that the module goes when the last of them does."""


def _forget(name: str, filename: str) -> None:
    sys.modules.pop(name, None)
    linecache.cache.pop(filename, None)


def _of_value_error(text: str, label: str) -> LossError | None:
    """What a ValueError of Python's or numpy's says of the caller's arguments."""
    if text.startswith(("math domain error", "expected a ")):
        return LossParameterError(f"{label}: the parameters leave the domain of a function ({text})")
    if "zero-size array" in text or "empty sequence" in text:
        message = f"{label}: of an axis without elements there is no largest or least one"
        return LossShapeError(message, None, "leave out tensors that have none")
    if "broadcast" in text:
        return LossShapeError(f"{label}: tensors meet whose lengths do not agree ({text})")
    return None


def _told(function: Callable[..., Any], label: str, use: _Use) -> Callable[..., Any]:
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
            found = _of_value_error(str(error), label)
            if found is None:
                raise
            raise found from None

    call.__dict__["module"] = use
    return call
