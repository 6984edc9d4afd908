"""The JAX target: numpy's code under JAX's names."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import ClassVar

from lossdsl.targets import arguments, numpy_code, pairs_jax, special
from lossdsl.targets.numpy_code import NumpyPrinter

_NAMES = {"np": "jnp", "special": "jsp"}


class JaxPrinter(NumpyPrinter):
    differentiates = True
    target = "jax"
    keeps_dimensions = False  # value and slope have in common what both spell alike
    fuses = True
    spell: ClassVar[Mapping[str, str]] = {
        **{key: text.replace("np.", "jnp.") for key, text in NumpyPrinter.spell.items() if not key.startswith("put")},
        "number": "jnp.asarray(a, x.dtype)",
        "ones": "jnp.ones(s, x.dtype)",
        "position in last": "_position(F, a, k)",
        "steps": "_steps(a, k, n, i, j)",
    }

    def finished(self, tree: ast.FunctionDef) -> ast.FunctionDef:
        renamed(tree)
        return tree


def renamed(tree: ast.AST) -> None:
    """Gives the modules their JAX names, in place."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = _NAMES.get(node.id, node.id)


def _helper(text: str) -> str:
    return re.sub(r"\bnp\.", "jnp.", text)


_BLOCKS = '''
def _in_blocks(function, combined, joined, lengths, *arrays):
    """A reduction of what is large together, a few rows at a time: their results combined, or joined along an axis."""
    size, (first, axis) = math.prod(lengths), arrays[0]
    if size <= 2**22:
        return function(*(a for a, _ in arrays))
    step = max(1, first.shape[axis] * 2**20 // size)
    count, more = divmod(first.shape[axis], step)
    function = jax.checkpoint(function)  # else a transposed loop keeps all blocks

    def part(start, step=step):
        return function(
            *(jax.lax.dynamic_slice_in_dim(a, start, step, k) for a, k in arrays)
        )

    rest = [part(count * step, more)] if more else []
    if combined:
        found = jax.lax.fori_loop(
            1, count, lambda k, found: combined(found, part(k * step)), part(0)
        )
        return combined(found, rest[0]) if rest else found
    found = jnp.moveaxis(jax.lax.map(part, step * jnp.arange(count)), 0, joined)
    found = found.reshape(
        *found.shape[:joined], count * step, *found.shape[joined + 2 :]
    )
    return jnp.concatenate([found, *rest], axis=joined)
'''


CARRIED = '''
@jax.custom_jvp
def _carried(*arguments):
    """The loss with its own gradient, in each mode of differentiation."""
    return _value(*arguments)


def _tangent(arguments, tangents):
    """The VJP, which is linear in what comes after, transposed."""
    value = _carried(*arguments)
    pairs = [
        (vjp, tangent)
        for vjp, tangent in zip(_VJPS, tangents)
        if vjp and not isinstance(tangent, jax.custom_derivatives.SymbolicZero)
    ]
    if not pairs:
        return value, jnp.zeros_like(value)

    def gradients(upstream):
        return [vjp(*arguments, upstream) for vjp, _ in pairs]

    transposed = jax.linear_transpose(gradients, value)
    return value, transposed([tangent for _, tangent in pairs])[0]


_carried.defjvp(_tangent, symbolic_zeros=True)
'''
_KNOWN = '''
def _is_known(*numbers):
    """Whether numbers can be compared now; under jit, those that it traces cannot."""
    return not any(isinstance(a, jax.core.Tracer) for a in numbers)
'''
_NORM = '''
def _norm(a, **along):
    """sqrt(sum(a^2)), of smaller or larger numbers where the squares do not fit."""
    total = jnp.sum(jnp.square(a), **along)

    def scaled():
        size = jnp.abs(jax.lax.stop_gradient(a))
        top = jnp.max(size, initial=0.0, **{**along, "keepdims": True})
        top = jnp.where((top > 0.0) & (top < math.inf), top, 1.0)
        part = _root(jnp.sum(jnp.square(a / top), **along))
        return jnp.reshape(top, jnp.shape(part)) * part

    if a.dtype.itemsize == 2:
        return scaled()
    fits = jnp.all((total > 1e-30) & (total < 1e37))
    return jax.lax.cond(fits, lambda: _root(total), scaled)
'''
_POSITION = '''
def _position(function, a, axis):
    """jnp.argmax or jnp.argmin, for which XLA takes ten times as long on a processor; 0 over nothing."""
    count = a.shape[axis]
    if not count:
        return jnp.sum(a, axis=axis).astype(int)
    if count > 2**24:  # positions that float32 does not have
        return function(a, axis=axis)
    best = jnp.max if function is jnp.argmax else jnp.min
    is_best = (a == best(a, axis=axis, keepdims=True)) | jnp.isnan(a)
    order = -jax.lax.broadcasted_iota(jnp.float32, a.shape, axis % a.ndim)
    return -jnp.max(jnp.where(is_best, order, -count), axis=axis).astype(int)
'''
_ARRAY = '''
def _array(a):
    """`a`, made in one pass. XLA hands a sum to a library, and would make several arrays for it instead."""
    info = jnp.finfo(a.dtype)
    return jax.lax.reduce_precision(a, info.nexp, info.nmant)
'''
_STEPS = '''
def _steps(a, axis, count, start, other):
    """`a` from `start` on along an axis of a length, less `a` from `other` on. Of two pads XLA works out `a` twice."""
    one, two = (len(range(count)[:first]) for first in (start, other))
    low, high = max(one, two), count - a.shape[axis] - min(one, two)
    widths = [(0, 0)] * a.ndim
    widths[axis] = low, high
    padded = jnp.pad(a, widths)
    first, second = (
        jax.lax.slice_in_dim(padded, low - k, low - k + count, axis=axis)
        for k in (one, two)
    )
    return first - second
'''
_REAL = '''
def _real(a):
    """An array of floating numbers."""
    a = jnp.asarray(a)
    return a if jnp.issubdtype(a.dtype, jnp.floating) else a.astype(float)
'''

PRINTER = JaxPrinter
IMPORTS = {
    "math": "import math",
    "jax": "import jax",
    "jnp": "import jax.numpy as jnp",
    "jsp": "import jax.scipy.special as jsp",
}
HELPERS = {
    **special.helpers(special.JAX),
    **arguments.HELPERS,
    **{name: _helper(text) for name, text in numpy_code.OWN.items()},
    "_array": _ARRAY,
    "_in_blocks": _BLOCKS,
    "_is_known": _KNOWN,
    "_norm": _NORM,
    "_position": _POSITION,
    "_steps": _STEPS,
    "_real": _REAL,
    **pairs_jax.HELPERS,
}
