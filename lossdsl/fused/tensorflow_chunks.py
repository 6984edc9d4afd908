"""Place values on TensorFlow, a few places at a time: what `torch_chunks` is on torch, as a loop of the graph.

Second derivatives are right, and need the logits as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import tensorflow as tf

from lossdsl.fused.steps import Steps, chunk_of
from lossdsl.runtime.keras_internals import is_recorded

Tensor = Any

_CHUNK = 2**22
"""How many logits there are at a time, if nobody says otherwise: 16 MB of them in float32."""


class TensorFlowChunks:
    """The code of a loss, and how many places it takes at a time."""

    def __init__(self, steps: Steps, chunk: int | None, classes: int) -> None:
        self.steps = steps
        self.chunk = chunk_of(chunk, classes, _CHUNK)
        self.classes = classes

    def place_values(self, arguments: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Each place value; their gradient makes the logits again, with what comes after folded in place by place."""
        wanted = _wanted(arguments)

        def with_gradient(*tensors: Tensor) -> tuple[Any, Any]:
            def gradient(*upstream: Tensor) -> list[Tensor | None]:
                return self._gradients(tensors, upstream, wanted)

            return tuple(self.run(_unrecorded(tensors), [], wanted)[0]), gradient

        found: tuple[Tensor, ...] = tf.custom_gradient(with_gradient)(*arguments)
        return found

    def weighted_total(self, weights: Sequence[Tensor], arguments: Sequence[Tensor]) -> Tensor:
        """The sum of all place values, each times its weight; if a tape listens, its gradient is made with it."""
        wanted = _wanted(arguments)
        is_heard = any(map(is_recorded, arguments))
        count = len(weights)

        def with_gradient(*tensors: Tensor) -> tuple[Any, Any]:
            factors, given = tensors[:count], tensors[count:]
            plain = _unrecorded(tensors)
            values, made = self.run(plain[count:], plain[:count] if is_heard else [], wanted)

            def gradient(upstream: Tensor) -> list[Tensor | None]:
                again = any(map(is_recorded, tensors))
                of_weights = self.place_values(given) if again else values
                seeds = [upstream * factor for factor in factors]
                if again or not is_heard:
                    slopes = self._gradients(given, seeds, wanted)
                else:
                    slopes = _spread([upstream * one for one in made], given, wanted)
                return [*(upstream * value for value in of_weights), *slopes]

            products = [tf.reduce_sum(weight * value) for weight, value in zip(plain, values, strict=False)]
            return tf.add_n(products), gradient

        return tf.custom_gradient(with_gradient)(*weights, *arguments)

    def _gradients(
        self, arguments: Sequence[Tensor], upstream: Sequence[Tensor], wanted: Sequence[bool]
    ) -> list[Tensor | None]:
        """The gradients of the sum of place values, each times its `upstream`; to be differentiated where one asks."""
        if any(map(is_recorded, (*arguments, *upstream))):
            reals = [each for each in arguments if each.dtype.is_floating]
            with tf.GradientTape() as tape:
                tape.watch(reals)
                values = self._whole(arguments)
            found = iter(tape.gradient(values, reals, list(upstream), tf.UnconnectedGradients.ZERO))
            return [next(found) if each.dtype.is_floating else None for each in arguments]
        return _spread(self.run(arguments, upstream, wanted)[1], arguments, wanted)

    def _whole(self, arguments: Sequence[Tensor]) -> list[Tensor]:
        """The place values of all places at once, as TensorFlow differentiates them."""
        inputs, settings = self._inputs(self.steps.grouped(arguments), work_dtype(arguments))
        return [code.carried(*inputs, *own) for code, own in zip(self.steps.codes, settings, strict=True)]

    def _inputs(self, groups: Sequence[Sequence[Tensor]], dtype: Any) -> tuple[list[Tensor], list[list[Any]]]:
        """The inputs of the loss, and the arguments of each code behind them."""
        inputs = [_product(group, dtype) if len(group) > 1 else group[0] for group in groups]
        like = inputs[self.steps.codes[0].prediction]
        return inputs, self.steps.settings(self.classes, lambda each: tf.constant(each, like.dtype))

    def run(
        self, arguments: Sequence[Tensor], upstream: Sequence[Tensor], wanted: Sequence[bool]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """The place values and, given the derivative of what comes after in them, the gradients that are wanted."""
        steps, dtype = self.steps, work_dtype(arguments)
        needed = [one and len(upstream) > 0 for one in wanted]
        pairs = zip(arguments, steps.are_places, strict=True)
        arguments = [_cast_whole(each, dtype) if not is_place else each for each, is_place in pairs]
        first = steps.parted(arguments)[0][0]
        count = tf.shape(first)[0] if first.shape[0] is None else int(first.shape[0])

        def part(start: Any, length: Any) -> tuple[list[Tensor], list[Tensor]]:
            """What some places have of their own, values and gradients, and what they add to the gradients of all."""
            rows = partial(_rows, start=start, length=length)
            values, slopes = self._part(steps.cut(arguments, rows), list(map(rows, upstream)), needed, dtype)
            own, shared = steps.parted(slopes)
            return [*values, *own], shared

        def step(place: Any, arrays: list[Any], sums: list[Tensor]) -> tuple[Any, list[Any], list[Tensor]]:
            own, shared = part(place * self.chunk, self.chunk)
            arrays = [array.write(place, one) for array, one in zip(arrays, own, strict=True)]
            return place + 1, arrays, list(map(tf.add, sums, shared))

        places, whole = steps.parted([each if one else None for each, one in zip(arguments, needed, strict=True)])
        shapes = [tf.TensorShape([])] * len(steps.codes) + [each.shape[1:] for each in places]
        sums = [tf.zeros(tf.shape(each), dtype) for each in whole]
        full, more = count // self.chunk, count % self.chunk
        pieces: list[list[Tensor]] = []
        if not _is_none(full):
            arrays = [tf.TensorArray(dtype, full, element_shape=[self.chunk, *shape]) for shape in shapes]
            _, arrays, sums = tf.while_loop(
                lambda place, *_: place < full, step, (tf.constant(0), arrays, sums), parallel_iterations=1
            )
            stacks = [array.stack() for array in arrays]
            pieces.append([tf.reshape(stack, [-1, *shape]) for stack, shape in zip(stacks, shapes, strict=True)])
        if not (_is_none(more) and pieces):
            own, shared = part(full * self.chunk, more)
            sums = list(map(tf.add, sums, shared))
            pieces.append(own)
        found = [tf.concat(both, 0) if len(both) > 1 else both[0] for both in zip(*pieces, strict=True)]
        values, own = found[: len(steps.codes)], found[len(steps.codes) :]
        return values, steps.together(own, sums, needed)

    def _part(
        self, given: Sequence[Tensor], upstream: Sequence[Tensor], needed: Sequence[bool], dtype: Any
    ) -> tuple[list[Tensor], list[Tensor | None]]:
        """Values and gradients of some places; None for a gradient that is not wanted."""
        groups = self.steps.grouped(given)
        inputs, settings = self._inputs(groups, dtype)
        if not any(needed):
            return self.steps.values(inputs, settings), [None] * len(given)
        wanted = self.steps.grouped(needed)
        values, slopes = self.steps.values_and_slopes(inputs, settings, upstream, [any(one) for one in wanted])
        found: list[Tensor | None] = []
        for slope, group, which in zip(slopes, groups, wanted, strict=True):
            if len(group) == 1 or slope is None:
                found += [slope] * len(group)
                continue
            hidden = tf.cast(group[0], dtype)
            found.append(tf.matmul(slope, group[1], transpose_b=True) if which[0] else None)
            found.append(tf.matmul(hidden, slope, transpose_a=True) if which[1] else None)
            found += [tf.reduce_sum(slope, 0) if one else None for one in which[2:]]
        return values, found


def _is_none(count: Any) -> bool:
    """Whether a number is known to be 0 beforehand."""
    return isinstance(count, int) and count == 0


def _cast_whole(argument: Tensor, dtype: Any) -> Tensor:
    """What is the same for all places, in the dtype of the work if it is real."""
    return tf.cast(argument, dtype) if argument.dtype.is_floating else argument


def work_dtype(arguments: Sequence[Tensor]) -> Any:
    """The dtype of logits and of sums: float32, or float64 where an argument has it."""
    return tf.float64 if any(each.dtype == tf.float64 for each in arguments) else tf.float32


def _wanted(arguments: Sequence[Tensor]) -> list[bool]:
    """Which gradients may be asked for: those that a tape listens to, or in a graph, where none may yet, all."""
    heard = [is_recorded(each) for each in arguments]
    is_open = not any(heard) and not tf.executing_eagerly()
    return [each.dtype.is_floating and (is_open or one) for each, one in zip(arguments, heard, strict=True)]


def _unrecorded(tensors: Sequence[Tensor]) -> Sequence[Tensor]:
    """The tensors where no tape hears them; a graph differentiates what it is made of if it is asked twice."""
    return [tf.stop_gradient(each) for each in tensors] if tf.executing_eagerly() else tensors


def _rows(tensor: Tensor, start: Any, length: Any) -> Tensor:
    """Some places of a tensor.

    XLA compiles the loop for shapes in which it never runs, too, and takes no slice that is longer than its tensor.
    """
    if tensor.shape[0] is None and isinstance(length, int):
        return tf.gather(tensor, start + tf.range(length))
    rest = [tf.shape(tensor)[1 + place] if one is None else one for place, one in enumerate(tensor.shape[1:])]
    return tf.slice(tensor, [start, *[0] * len(rest)], [length, *rest])


def _product(group: Sequence[Tensor], dtype: Any) -> Tensor:
    hidden, kernel, *bias = (tf.cast(each, dtype) for each in group)
    logits = tf.matmul(hidden, kernel)
    return logits + bias[0] if bias else logits


def _spread(made: Sequence[Tensor], given: Sequence[Tensor], wanted: Sequence[bool]) -> list[Tensor | None]:
    """The gradients that were made, each in the dtype of its argument, with None for the others."""
    rest = iter(made)
    return [tf.cast(next(rest), each.dtype) if one else None for each, one in zip(given, wanted, strict=True)]
