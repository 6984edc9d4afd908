"""The JAX target: numpy's code under JAX's names."""

from __future__ import annotations

import ast

from lossdsl.targets import numpy, special
from lossdsl.targets.numpy import NumpyPrinter

_NAMES = {"np": "jnp", "special": "jsp"}


class JaxPrinter(NumpyPrinter):
    target = "jax"
    module_names = ("jax", "jnp", "jsp", "math")

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


PRINTER = JaxPrinter
HELPERS = {name: _helper(text) for name, text in numpy.HELPERS.items()} | special.helpers(special.JAX)
