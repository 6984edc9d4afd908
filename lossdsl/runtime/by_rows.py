"""A function of numpy arrays worked out some samples at a time.

Arrays that no cache holds cost more than what is done with their numbers, and every operation makes one. Of a few
samples each such array stays in a cache, in memory that was used a moment ago; so memory is taken for some samples, not
for all. Each sample is worked out as before, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossdsl.ir.axes import BATCH
from lossdsl.ir.inputs import InputSpec
from lossdsl.pipeline import Program
from lossdsl.runtime.execute import functions
from lossdsl.targets.some_samples import EXACT

Array = NDArray[Any]

_BLOCK = 2**18
"""How many bytes of the largest input are worked with at a time."""
SEVERAL = 2 * _BLOCK
"""How many make more than one block."""


class ByRows:
    """The value of a loss, the gradient in an input, or both, given the inputs and parameters as arrays.

    A tuple with one array for each.
    """

    def __init__(self, program: Program, spec: InputSpec | None, *, has_value: bool) -> None:
        module, rows = program.twin_module(spec, has_value=has_value)
        made = functions(module, program.loss.name)
        self._function = made["twin"]
        self._is_tuple = spec is not None
        self._before: list[tuple[Callable[..., Any], Callable[[Any, Any], Any]]] | None = None
        if rows is not None:
            self._before = [(made[leaf.name], getattr(np, EXACT[node.op.name])) for leaf, node in rows.before.items()]
        self._has_rows = [BATCH in one.over for one in program.loss.inputs]

    def __call__(self, inputs: Sequence[Array], settings: Sequence[Any]) -> tuple[Array, ...]:
        """The results for all samples."""
        if self._before is None:
            return self._whole((*inputs, *settings))
        size = max(each.nbytes for each in inputs)
        counts = {len(each) for each, has_rows in zip(inputs, self._has_rows, strict=True) if has_rows}
        if size < 2 * _BLOCK or len(counts) != 1:
            known = [function(*inputs, *settings) for function, _ in self._before]
            return self._whole((*inputs, *known, *settings))
        (count,) = counts
        step = max(1, _BLOCK * count // size)
        return self._in_blocks(inputs, settings, [slice(start, start + step) for start in range(0, count, step)], count)

    def _whole(self, arguments: Sequence[Any]) -> tuple[Array, ...]:
        found = self._function(*arguments)
        return found if self._is_tuple else (found,)

    def _in_blocks(
        self, inputs: Sequence[Array], settings: Sequence[Any], blocks: Sequence[slice], count: int
    ) -> tuple[Array, ...]:
        assert self._before is not None

        def some(block: slice) -> list[Array]:
            return [each[block] if has_rows else each for each, has_rows in zip(inputs, self._has_rows, strict=True)]

        known = [
            reduce(together, (function(*some(block), *settings) for block in blocks))
            for function, together in self._before
        ]
        results: tuple[Array, ...] = ()
        for block in blocks:
            parts = self._whole((*some(block), *known, *settings))
            results = results or tuple(np.empty((count, *part.shape[1:]), part.dtype) for part in parts)
            for result, part in zip(results, parts, strict=True):
                result[block] = part
        return results
