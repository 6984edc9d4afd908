"""Place values on JAX, a few places at a time: what `torch_chunks` is on torch, as a scan.

Second derivatives come out by differentiating the scan. There is no forward mode: JAX says so.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp

from lossdsl.fused.steps import Steps, chunk_of

Array = Any

_CHUNK = 4 * 2**20
"""How many logits there are at a time at most, if nobody says otherwise: 16 MB of them in float32, several times over.

With fewer, the gradient in the kernel is added to more often, which is as large as some hundred places of logits.
"""


class JaxChunks:
    """The code of a loss, and how many places it takes at a time."""

    def __init__(self, steps: Steps, chunk: int | None, classes: int) -> None:
        self.steps = steps
        most = chunk_of(chunk, classes, _CHUNK)
        self.chunk = most if chunk else 1 << most.bit_length() - 1  # XLA keeps less of what it can cut evenly
        self.classes = classes
        self.place_values = _place_values(self)
        self.weighted_total = _weighted_total(self)

    def run(
        self, arguments: Sequence[Array], upstream: Sequence[Array], wanted: Sequence[bool]
    ) -> tuple[list[Array], list[Array]]:
        """The place values and, given the derivative of what comes after in them, the gradients that are wanted."""
        steps, dtype = self.steps, work_dtype(arguments)
        needed = [one and bool(upstream) for one in wanted]
        count = len(steps.parted(arguments)[0][0])

        def part(start: Array, length: int) -> tuple[list[Array], list[Array], list[Array]]:
            """Values of some places, their own gradients, and what they add to the gradients of all."""
            rows = partial(jax.lax.dynamic_slice_in_dim, start_index=start, slice_size=length)
            values, slopes = self._part(steps.cut(arguments, rows), [rows(each) for each in upstream], needed, dtype)
            return values, *steps.parted(slopes)

        def step(sums: list[Array], start: Array) -> tuple[list[Array], tuple[list[Array], list[Array]]]:
            values, own, shared = part(start, self.chunk)
            return [one + other for one, other in zip(sums, shared, strict=True)], (values, own)

        whole = steps.parted([each if one else None for each, one in zip(arguments, needed, strict=True)])[1]
        sums = [jnp.zeros(each.shape, dtype) for each in whole]
        full, more = divmod(count, self.chunk)
        pieces = []
        if full:
            sums, parts = jax.lax.scan(step, sums, self.chunk * jnp.arange(full))
            pieces = [jax.tree.map(lambda one: one.reshape(full * self.chunk, *one.shape[2:]), parts)]
        if more or not full:
            values, own, shared = part(full * self.chunk, more)
            sums = [one + other for one, other in zip(sums, shared, strict=True)]
            pieces.append((values, own))
        values, own = jax.tree.map(lambda *each: jnp.concatenate(each) if len(each) > 1 else each[0], *pieces)
        return values, steps.together(own, sums, needed)

    def _part(
        self, given: Sequence[Array], upstream: Sequence[Array], needed: Sequence[bool], dtype: Any
    ) -> tuple[list[Array], list[Array | None]]:
        """Values and gradients of some places; None for a gradient that is not wanted."""
        steps = self.steps
        groups = steps.grouped(given)
        inputs = [_product(group, dtype) if len(group) > 1 else group[0] for group in groups]
        like = inputs[steps.codes[0].prediction]
        settings = steps.settings(self.classes, lambda each: jnp.asarray(each, like.dtype))
        if not any(needed):
            return steps.values(inputs, settings), [None] * len(given)
        wanted = steps.grouped(needed)
        values, slopes = steps.values_and_slopes(inputs, settings, upstream, [any(one) for one in wanted])
        found: list[Array | None] = []
        for slope, group, which in zip(slopes, groups, wanted, strict=True):
            found += [
                make() if one and slope is not None else None
                for make, one in zip(_gradients(slope, group, dtype), which, strict=False)
            ]
        return values, found


def work_dtype(arguments: Sequence[Array]) -> Any:
    """The dtype of logits and of sums: float32, or float64 where an argument has it."""
    return jnp.float64 if any(each.dtype == jnp.float64 for each in arguments) else jnp.float32


def _dot(one: Array, other: Array, dtype: Any) -> Array:
    """A matrix product with its sums in the dtype of the work."""
    return jnp.matmul(one, other, preferred_element_type=dtype)


def _product(group: Sequence[Array], dtype: Any) -> Array:
    logits = _dot(group[0], group[1], dtype).astype(dtype)
    return logits + group[2].astype(dtype) if len(group) > 2 else logits


def _gradients(slope: Array, group: Sequence[Array], dtype: Any) -> list[Callable[[], Array]]:
    """What makes the gradients in the arguments of an input from that in the input."""
    if len(group) == 1:
        return [lambda: slope]
    return [lambda: _dot(slope, group[1].T, dtype), lambda: _dot(group[0].T, slope, dtype), lambda: slope.sum(0)]


def _place_values(chunks: JaxChunks) -> Callable[[Sequence[Array]], tuple[Array, ...]]:
    """The place values; their gradient makes the logits again, with what comes after folded in place by place."""

    @jax.custom_vjp  # type: ignore[untyped-decorator]
    def values(arguments: Sequence[Array]) -> tuple[Array, ...]:
        return tuple(chunks.run(arguments, [], [False] * len(arguments))[0])

    def forward(arguments: Any) -> Any:
        given = [each.value for each in arguments]
        return values(given), (given, _Flags(each.perturbed for each in arguments))

    def backward(kept: Any, upstream: Any) -> Any:
        given, wanted = kept
        seeds = [_instantiated(each) for each in upstream]
        _, made = chunks.run(given, seeds, wanted.flags)
        return (_spread(made, given, wanted.flags),)

    values.defvjp(forward, backward, symbolic_zeros=True)
    return values  # type: ignore[no-any-return]


def _weighted_total(chunks: JaxChunks) -> Callable[[Sequence[Array], Sequence[Array]], Array]:
    """The sum of all place values, each times its weight; its gradient is made in the forward pass."""

    def summed(weights: Sequence[Array], values: Sequence[Array]) -> Array:
        products = [(weight * value).sum() for weight, value in zip(weights, values, strict=True)]
        return reduce(operator.add, products)

    @jax.custom_vjp  # type: ignore[untyped-decorator]
    def total(weights: Sequence[Array], arguments: Sequence[Array]) -> Array:
        return summed(weights, chunks.run(arguments, [], [False] * len(arguments))[0])

    def forward(weights: Any, arguments: Any) -> Any:
        given, factors = [each.value for each in arguments], [each.value for each in weights]
        wanted = _Flags(each.perturbed for each in arguments)
        values, made = chunks.run(given, factors, wanted.flags)
        return summed(factors, values), (values, made, given, wanted)

    def backward(kept: Any, upstream: Any) -> Any:
        values, made, given, wanted = kept
        upstream = _instantiated(upstream)
        scaled = [upstream * one for one in made]
        return [upstream * value for value in values], _spread(scaled, given, wanted.flags)

    total.defvjp(forward, backward, symbolic_zeros=True)
    return total  # type: ignore[no-any-return]


@jax.tree_util.register_static
class _Flags:
    """Which gradients are wanted, kept from the forward pass to the backward pass as no array."""

    def __init__(self, flags: Any) -> None:
        self.flags = tuple(map(bool, flags))

    def __hash__(self) -> int:
        return hash(self.flags)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Flags) and self.flags == other.flags


def _instantiated(cotangent: Any) -> Array:
    is_zero = isinstance(cotangent, jax.custom_derivatives.SymbolicZero)
    return jnp.zeros(cotangent.shape, cotangent.dtype) if is_zero else cotangent


def _spread(made: Sequence[Array], given: Sequence[Array], wanted: Sequence[bool]) -> list[Array | None]:
    """The gradients that were made, each in the dtype of its argument, with None for the others."""
    rest = iter(made)
    return [next(rest).astype(each.dtype) if one else None for each, one in zip(given, wanted, strict=True)]
