"""Second derivatives on numpy arrays, from products of the Hessian with vectors.

A product with a vector of ones gives the diagonal where no elements meet. Where some do, there is a product for each
position along the axes on which they meet.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossdsl.errors import LossLimitError
from lossdsl.ir.axes import BATCH, LAST, SPACE, Axes, ordered
from lossdsl.ir.inputs import InputSpec
from lossdsl.ir.mixing import is_elementwise
from lossdsl.pipeline import Program
from lossdsl.runtime.execute import functions
from lossdsl.transform.gradient import is_by_sample

Array = NDArray[Any]
MAX_PRODUCTS = 10_000
"""The largest number of products for one Hessian."""


@dataclass(frozen=True)
class Hessian:
    """The second derivatives of the sum of all values of a loss in one input; components of a packed one apart."""

    program: Program
    spec: InputSpec

    @cached_property
    def product(self) -> Callable[..., Any]:
        """`product(inputs, vector, parameters)`, compiled when it is asked for."""
        return functions(self.program.second_module("numpy", self.spec), f"{self.program.loss.name} second")["second"]

    @cached_property
    def mixed(self) -> Axes:
        """The axes along which elements of the input meet in the loss."""
        loss, nodes = self.program.loss, self.spec.nodes
        if is_elementwise(loss.value, nodes):
            return frozenset()
        return self.spec.over - loss.result.axes if is_by_sample(loss.result, nodes) else self.spec.over

    def diagonal(self, arguments: list[Any], array: Array) -> Array:
        """The diagonal, in the shape of the input, which is among the arguments."""
        return self._gathered(arguments, array, lambda product, chosen: np.where(chosen, product, 0.0))

    def row_sums(self, arguments: list[Any], array: Array) -> Array:
        """The sum of the absolute values of each row: as a diagonal matrix it dominates the Hessian."""
        return self._gathered(arguments, array, lambda product, _: np.abs(product))

    def _gathered(self, arguments: list[Any], array: Array, part: Callable[[Array, Array], Array]) -> Array:
        count = len(self.program.loss.inputs)
        total: Array = np.zeros(array.shape)
        with np.errstate(all="ignore"):
            for vector in self._vectors(array.shape, array.dtype):
                product = np.asarray(self.product(*arguments[:count], vector, *arguments[count:])[0])
                total = total + part(product, vector != 0)
        return total.astype(array.dtype, copy=False)

    def _vectors(self, shape: tuple[int, ...], dtype: Any) -> Iterator[Array]:
        """Vectors of ones where no two elements meet; components do not, and each has a one at a time."""
        places = self._places(len(shape))
        elements = [self._elements(shape, place) for place in places]
        lengths = [len(each) for each in elements]
        if np.prod(lengths) > MAX_PRODUCTS:
            message = f"{self.program.loss.name}: {int(np.prod(lengths))} elements meet, more than {MAX_PRODUCTS}"
            raise LossLimitError(message, None, "take second derivatives of a part of the batch, or use fewer elements")
        for position in np.ndindex(*lengths):
            vector = np.zeros(shape, dtype)
            index: list[Any] = [slice(None)] * len(shape)
            for place, each, here in zip(places, elements, position, strict=True):
                index[place] = each[here]
            vector[tuple(index)] = 1
            yield vector

    def _elements(self, shape: tuple[int, ...], place: int) -> Sequence[Any]:
        """The positions along a dimension, those of the last axis together that each component has at one place."""
        if place < len(shape) - 1 or LAST not in self.spec.over:
            return range(shape[place])
        blocks = [range(shape[-1])[block] for block in self.spec.blocks(shape[-1])]
        rows = itertools.zip_longest(*blocks)
        return [[at for at in row if at is not None] for row in rows]

    def _places(self, rank: int) -> list[int]:
        """The dimensions of the input that the mixed axes have."""
        over = self.spec.over
        first, last = int(BATCH in over), rank - int(LAST in over)
        dims = {BATCH: range(first), SPACE: range(first, last), LAST: range(last, rank)}
        dims.update({axis: range(at, at + 1) for at, axis in enumerate(ordered(over)) if axis.place})
        return [place for axis, places in dims.items() if axis in self.mixed for place in places]
