"""Place values on TensorFlow, a few places at a time: what `torch_chunks` is on torch, as a loop of the graph.

Second derivatives are right, and need the logits as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import tensorflow as tf

from lossdsl.fused.steps import Steps, chunk_of
from lossdsl.runtime.keras_internals import is_recorded

Tensor = Any

_CHUNK = 3 * 2**20
"""How many logits there are at a time, if nobody says otherwise: 12 MB of them in float32, several times over."""
_LARGE = 2**20
"""With how many logits a part is compiled, which takes a second."""


class TensorFlowChunks:
    """The code of a loss, and how many places it takes at a time."""

    def __init__(self, steps: Steps, chunk: int | None, classes: int) -> None:
        self.steps = steps
        self.chunk = chunk_of(chunk, classes * len(steps.heads), _CHUNK)
        self.classes = classes
        self._made: dict[tuple[Any, ...], Callable[..., Any]] = {}

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
                    slopes = _spread(made if _is_one(upstream) else [upstream * one for one in made], given, wanted)
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
        needed = tuple(one and len(upstream) > 0 for one in wanted)
        pairs = zip(arguments, steps.are_places, strict=True)
        arguments = [_cast_whole(each, dtype) if not is_place else each for each, is_place in pairs]
        first = steps.parted(arguments)[0][0]
        count = tf.shape(first)[0] if first.shape[0] is None else int(first.shape[0])
        seeds = list(upstream)

        def at_once() -> tuple[list[Tensor], list[Tensor]]:
            values, slopes = self._part(arguments, seeds, needed, dtype)
            own, sums = steps.parted(slopes)
            return [*values, *own], sums

        in_parts = partial(self._in_parts, arguments, seeds, needed, dtype, count)
        is_short = count <= self.chunk  # few places fill no part
        if isinstance(is_short, bool):
            own, sums = at_once() if is_short else in_parts()
        else:
            own, sums = tf.cond(is_short, at_once, in_parts)
        return own[: len(steps.codes)], steps.together(own[len(steps.codes) :], sums, needed)

    def _in_parts(
        self, arguments: Sequence[Tensor], upstream: Sequence[Tensor], needed: tuple[bool, ...], dtype: Any, count: Any
    ) -> tuple[list[Tensor], list[Tensor]]:
        """What places have of their own, values and gradients, and the gradients of what they share."""
        parts = parts_of(count, self.chunk)
        if not (isinstance(count, int) and count == parts.length * parts.room):
            places = tf.range(parts.length * parts.room)  # there are more than there are places:
            inside = tf.maximum(tf.minimum(places, count - 1), 0)  # the last place stands in those, too,
            counts = tf.cast(places < count, dtype)  # and does not count
            arguments = self.steps.cut(arguments, lambda each: tf.gather(_filled(each), inside))
            upstream = [tf.gather(_filled(each), inside) * counts for each in upstream]
        own, sums = self._loop(needed, dtype, parts.length)(arguments, upstream, parts.number)
        return [each[:count] for each in own], sums

    def _loop(self, needed: tuple[bool, ...], dtype: Any, length: int) -> Callable[..., Any]:
        """The loop over parts of a length. XLA compiles it if they are large: it adds up in place, and fuses."""

        def loop(arguments: Sequence[Tensor], upstream: Sequence[Tensor], number: Any) -> tuple[list[Tensor], ...]:
            return self._looped(arguments, upstream, number, needed, dtype, length)

        if length * self.classes < _LARGE:
            return loop
        key = needed, dtype, length
        if key not in self._made:
            self._made[key] = tf.function(loop, autograph=False, jit_compile=True)
        return self._made[key]

    def _looped(
        self,
        arguments: Sequence[Tensor],
        upstream: Sequence[Tensor],
        number: Any,
        needed: Sequence[bool],
        dtype: Any,
        length: int,
    ) -> tuple[list[Tensor], list[Tensor]]:
        steps = self.steps
        places, whole = steps.parted([each if one else None for each, one in zip(arguments, needed, strict=True)])
        shapes = [[]] * len(steps.codes) + [each.shape[1:] for each in places]
        room = tf.shape(steps.parted(arguments)[0][0])[0] // length

        def step(at: Any, arrays: list[Any], sums: list[Tensor]) -> tuple[Any, list[Any], list[Tensor]]:
            rows = partial(_rows, start=at * length, length=length)
            values, slopes = self._part(steps.cut(arguments, rows), list(map(rows, upstream)), needed, dtype)
            own, shared = steps.parted(slopes)
            arrays = [array.write(at, one) for array, one in zip(arrays, [*values, *own], strict=True)]
            return at + 1, arrays, list(map(tf.add, sums, shared))

        arrays = [tf.TensorArray(dtype, room, element_shape=[length, *shape]) for shape in shapes]
        sums = [tf.zeros(tf.shape(each), dtype) for each in whole]
        _, arrays, sums = tf.while_loop(
            lambda at, *_: at < number, step, (tf.constant(0), arrays, sums), parallel_iterations=1
        )
        stacks = zip([array.stack() for array in arrays], shapes, strict=True)
        return [tf.reshape(stack, [-1, *shape]) for stack, shape in stacks], sums

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


class _Parts(NamedTuple):
    """How many parts places come in, how many places are in each, and for how many parts there is room."""

    number: Any
    length: int
    room: Any


def parts_of(count: Any, chunk: int) -> _Parts:
    """As few parts as a chunk allows, as short as these allow.

    Where other numbers of places may come, there is room for a power of 2 of parts, all of one length: what is compiled
    is compiled for each length and room, and so a few times however many numbers come.
    """
    number = -(-count // chunk)
    if not isinstance(count, int):
        powers = tf.constant([2**power for power in range(31)], tf.int32)
        return _Parts(number, chunk, tf.reduce_min(tf.where(powers >= number, powers, 2**30)))
    if tf.executing_eagerly():
        return _Parts(number, chunk, 2 ** (number - 1).bit_length())
    return _Parts(number, -(-count // number), number)


def _rows(tensor: Tensor, start: Any, length: int) -> Tensor:
    """Some places of a tensor."""
    rest = [tf.shape(tensor)[1 + place] if one is None else one for place, one in enumerate(tensor.shape[1:])]
    return tf.ensure_shape(tf.slice(tensor, [start, *[0] * len(rest)], [length, *rest]), [length, *tensor.shape[1:]])


def _filled(tensor: Tensor) -> Tensor:
    """A tensor with something in its first place: XLA compiles for no places, too, what never runs then."""
    if tensor.shape[0] is not None:
        return tensor
    return tf.pad(tensor, [[0, 1], *[[0, 0]] * (len(tensor.shape) - 1)])


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


def _product(group: Sequence[Tensor], dtype: Any) -> Tensor:
    hidden, kernel, *bias = (tf.cast(each, dtype) for each in group)
    logits = tf.matmul(hidden, kernel)
    return logits + bias[0] if bias else logits


def _is_one(upstream: Tensor) -> bool:
    """Whether a number is known to be 1, as where a loss is all that is differentiated: then nothing is copied."""
    return bool(tf.executing_eagerly() and upstream == 1.0)


def _spread(made: Sequence[Tensor], given: Sequence[Tensor], wanted: Sequence[bool]) -> list[Tensor | None]:
    """The gradients that were made, each in the dtype of its argument, with None for the others."""
    rest = iter(made)
    return [tf.cast(next(rest), each.dtype) if one else None for each, one in zip(given, wanted, strict=True)]
