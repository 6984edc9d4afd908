"""What `torch.compile` is told of functions that it must not read: the objects that describe a loss are not for it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any

import torch


def whole_in_graph(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that `torch.compile` puts into its graph as one call, without reading its Python.

    It takes tensors and plain values alone, and no tensor by another way: neither as an attribute nor as a cell of its
    closure.
    """

    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    # What was compiled for one closure is taken for every other of equal code, whatever their cells hold: so the code
    # is that of this function alone.
    code = call.__code__.replace(co_consts=(*call.__code__.co_consts, function))
    own = FunctionType(code, call.__globals__, closure=call.__closure__)
    functools.update_wrapper(own, function)
    found: Callable[..., Any] = torch.compiler.allow_in_graph(own)
    return found
