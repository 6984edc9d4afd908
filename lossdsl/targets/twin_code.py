"""The module of the numpy twin: one function of some samples, and what it needs of all of them."""

from __future__ import annotations

import ast

from lossdsl.ir.axes import BATCH
from lossdsl.ir.expr import Expr
from lossdsl.ir.inputs import InputSpec
from lossdsl.ir.loss import Loss
from lossdsl.targets import code
from lossdsl.targets.some_samples import Rows, by_rows
from lossdsl.targets.template import statements

_TARGET = "numpy"
QUICK = '''
def _choose(condition, a, b):
    """np.where by the bits of numbers: a branch that no processor can foresee costs ten times as much."""
    if not np.ndim(condition) and np.shape(a) == np.shape(b):
        return np.array(a if condition else b, np.result_type(a, b))
    dtype = np.result_type(a, b)
    bits = {2: np.int16, 4: np.int32, 8: np.int64}.get(dtype.itemsize)
    if np.size(condition) < 4096 or dtype.kind != "f" or bits is None:
        return np.where(condition, a, b)
    a, b = (np.asarray(one, dtype).view(bits) for one in (a, b))
    mask = condition.view(np.int8).astype(bits)
    np.negative(mask, out=mask)
    if not (b.ndim or b):
        return np.bitwise_and(mask, a, out=_room(mask, a)).view(dtype)
    apart = a ^ b
    found = np.bitwise_and(mask, apart, out=_room(mask, apart))
    return np.bitwise_xor(found, b, out=_room(found, b)).view(dtype)

def _room(own, other):
    """An array that nobody else has, if what is made of it and another one fits there."""
    return own if np.broadcast_shapes(own.shape, np.shape(other)) == own.shape else None

def _larger(a, b):
    """np.maximum, which takes three times as long as np.clip does where one side is a number."""
    return np.clip(a, b, np.inf) if _is_bounded(a, b) else np.maximum(a, b)

def _smaller(a, b):
    """np.minimum."""
    return np.clip(a, -np.inf, b) if _is_bounded(a, b) else np.minimum(a, b)

def _excess_if_any(a, **along):
    """_excess, which sums a second time, where some sum is near enough to 1 that this matters."""
    total = np.sum(a, **along)
    return _excess(a, **along) if np.any(total < 2.0) else total - 1.0

def _is_bounded(a, b):
    return np.size(a) >= 4096 and np.ndim(b) == 0 and a.dtype.kind == "f"

def _row_sums(a):
    """np.sum over the last axis, by products with 1 where rows are so short that it makes no more partial sums."""
    return np.vecdot(a, np.ones(a.shape[-1], a.dtype)) if _has_short_rows(a) else np.sum(a, axis=-1)

def _row_means(a):
    """np.mean over the last axis."""
    return _row_sums(a) / a.shape[-1] if _has_short_rows(a) else np.mean(a, axis=-1)

def _has_short_rows(a):
    return np.ndim(a) > 1 and 32 <= a.shape[-1] <= 2048 and a.dtype in (np.float32, np.float64)
'''
_INSTEAD = {
    "np.where": (3, "_choose"),
    "np.maximum": (2, "_larger"),
    "np.minimum": (2, "_smaller"),
    "_excess": (1, "_excess_if_any"),
}
"""Functions by the number of their arguments, and what takes their place; those of numpy's have no others by name."""
_OVER_ROWS = {"np.sum": "_row_sums", "np.mean": "_row_means"}
"""The same of those that take the last axis together."""


def module(
    loss: Loss, value: tuple[Expr, ...], spec: InputSpec | None, slopes: tuple[Expr, ...]
) -> tuple[ast.Module, Rows | None]:
    """The function `twin` of a value, of the gradient in an input, or of both; see `Program.twin_module`."""
    over = [value[0].axes if value else None, spec.over if spec else None]
    found = by_rows(loss, (*value, *slopes)) if all(BATCH in axes for axes in over if axes is not None) else None
    made: list[code.Function] = []
    if found is not None:
        made += [code.value_function(loss, node, _TARGET, leaf.name) for leaf, node in found.before.items()]
        loss, (value, slopes) = found.loss(loss), (found.roots[: len(value)], found.roots[len(value) :])
    if spec is None:
        made.append(code.value_function(loss, value[0], _TARGET, "twin"))
    elif value:
        made.append(code.joint_function(loss, value[0], [(spec, slopes)], _TARGET, "twin"))
    else:
        made.append(code.gradient_function(loss, [(spec, slopes)], _TARGET, "twin"))
    tree = _Quick().visit(code.module(made, _TARGET))  # of QUICK itself nothing is changed
    place = next(number for number, part in enumerate(tree.body) if isinstance(part, ast.FunctionDef))
    tree.body[place:place] = statements(QUICK.strip("\n"))
    return ast.fix_missing_locations(tree), found


class _Quick(ast.NodeTransformer):
    """Calls of functions that numpy is slow at are calls of those of `QUICK`."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        called = ast.unparse(node.func)
        if called in _OVER_ROWS and len(node.args) == 1 and [*map(ast.unparse, node.keywords)] == ["axis=-1"]:
            return ast.Call(ast.Name(_OVER_ROWS[called], ast.Load()), node.args, [])
        count, function = _INSTEAD.get(called, (0, ""))
        if function and len(node.args) == count and (function.startswith("_excess") or not node.keywords):
            node.func = ast.Name(function, ast.Load())
        return node
