"""The JAX target: numpy's code under JAX's names."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import ClassVar

from lossdsl.targets import numpy, special
from lossdsl.targets.numpy import NumpyPrinter

_NAMES = {"np": "jnp", "special": "jsp"}


class JaxPrinter(NumpyPrinter):
    target = "jax"
    module_names = ("jax", "jnp", "jsp", "math")
    spell: ClassVar[Mapping[str, str]] = {
        key: text.replace("np.", "jnp.") for key, text in NumpyPrinter.spell.items()
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
    tree = ast.parse(text.replace(', kind="stable"', ""))
    renamed(tree)
    return ast.unparse(tree)


_BLOCKS = '''
def _in_blocks(function, combined, joined, lengths, *arrays):
    """A reduction of what is large together, a few rows at a time: their results combined, or joined along an axis."""
    size, (first, axis) = math.prod(lengths), arrays[0]
    if size <= 2**22:
        return function(*(a for a, _ in arrays))
    step = max(1, first.shape[axis] * 2**20 // size)
    count, more = divmod(first.shape[axis], step)

    def part(start, step=step):
        return function(*(jax.lax.dynamic_slice_in_dim(a, start, step, k) for a, k in arrays))

    rest = [part(count * step, more)] if more else []
    if combined:
        found = jax.lax.fori_loop(1, count, lambda k, found: combined(found, part(k * step)), part(0))
        return combined(found, rest[0]) if rest else found
    found = jnp.moveaxis(jax.lax.map(part, step * jnp.arange(count)), 0, joined)
    found = found.reshape(*found.shape[:joined], count * step, *found.shape[joined + 2 :])
    return jnp.concatenate([found, *rest], axis=joined)
'''


PRINTER = JaxPrinter
HELPERS = {
    **{name: _helper(text) for name, text in numpy.HELPERS.items()},
    "_in_blocks": _BLOCKS,
    **special.helpers(special.JAX),
}
