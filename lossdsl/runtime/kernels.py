"""A loss as a function of a backend's tensors, with our gradient.

Ours is used on every backend, so that kinks and unselected pieces are treated alike on all; docs/performance.md has
what it costs and gains beside Keras. It is written to be recomputed from the arguments, so that second derivatives
come out by differentiating it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from itertools import compress
from typing import Any
from weakref import WeakKeyDictionary

from lossdsl.errors import LossConfigError
from lossdsl.ir.axes import BATCH, NONE, SAMPLE, SPACE
from lossdsl.ir.expr import Call, Reduce, walk
from lossdsl.ir.mixing import is_separable
from lossdsl.pipeline import Program
from lossdsl.runtime.execute import functions
from lossdsl.runtime.spec import LoadedLoss

_ARITHMETIC = 4
"""What a quotient costs, the dearest of what is worked out while the next numbers are read."""

Kernel = Callable[[list[Any], list[Any]], Any]
"""Takes the inputs, aligned, and the parameters; gives one value a sample (and place), or one number."""


class Axes(Enum):
    """What axes the inputs have that a code is made for."""

    EVERY = "batch, places and last"
    PLACELESS = "batch and last"
    WHOLE = "all of them one sample"


def kernel(spec: LoadedLoss, backend: str) -> Kernel:
    """The function of a loss for a Keras backend; made once for each loss."""
    return _kept(spec, backend, False)


def whole_kernel(spec: LoadedLoss, backend: str) -> Kernel | None:
    """The same for inputs of any shape that are one sample: one number. None if there is no such code."""
    return None if spec.program.whole is None else _kept(spec, backend, True)


def _kept(spec: LoadedLoss, backend: str, is_whole: bool) -> Kernel:
    if backend not in _MAKERS:
        known = ", ".join(_MAKERS)
        raise LossConfigError(
            f"there is no code for the Keras backend {backend}", None, f"set KERAS_BACKEND to one of: {known}"
        )
    made = _made.setdefault(spec, {})
    if (backend, is_whole) not in made:
        made[backend, is_whole] = _MAKERS[backend](spec, is_whole)
    return made[backend, is_whole]


_made: WeakKeyDictionary[LoadedLoss, dict[tuple[str, bool], Kernel]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Code:
    """The generated functions of a loss for a backend, its numbers put in."""

    value: Callable[..., Any]
    pullbacks: tuple[Callable[..., Any] | None, ...]
    """For each input; None for labels, which have no gradient."""
    of_settings: tuple[Callable[..., Any] | None, ...]
    """For each argument behind the inputs; None for what stays as it is while a model is trained."""
    prediction: int
    has_numbers: bool
    """Whether the numbers among the parameters stand in the code; they are arguments else."""
    carried: Callable[..., Any]
    """The value with our gradient, in each mode of differentiation that the backend has."""
    program: Program
    """What it was made of."""
    backend: str
    around: Callable[[Callable[..., Any]], Callable[..., Any]] = lambda function: function
    """What each of the functions is given to."""
    joints: dict[tuple[bool, ...], Callable[..., Any]] = field(default_factory=dict, compare=False)

    def within(self, around: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Code:
        """The same code, each of whose functions was given to another."""
        pullbacks, of_settings = (
            tuple(each and around(each) for each in some) for some in (self.pullbacks, self.of_settings)
        )
        return replace(
            self, value=around(self.value), pullbacks=pullbacks, of_settings=of_settings, around=around, joints={}
        )

    def joint(self, wanted: Sequence[bool]) -> Callable[..., Any]:
        """The value and behind it what pulls back into the inputs that are wanted, none of them a label.

        One function of inputs, settings and the upstream derivative, in which they share what they have in common.
        """
        key = tuple(wanted)
        if key not in self.joints:
            chosen = list(compress(self.program.loss.inputs, key))
            made = functions(self.program.joint_module(self.backend, chosen), self.program.loss.name)
            self.joints[key] = self.around(made["value_and_pullbacks"])
        return self.joints[key]

    @cached_property
    def value_and_slope(self) -> Callable[..., Any]:
        """The value and the derivative in the prediction of its sum, of tensors of which nothing is recorded."""
        target = "torch_eager" if self.backend == "torch" else self.backend
        made = functions(self.program.eager_module(target), self.program.loss.name)
        return self.around(made["value_and_slope"])

    @cached_property
    def is_fusible(self) -> bool:
        """Whether XLA hides no nan: to it, the largest and the smallest of several elements are never nan."""
        nodes = walk(self.program.loss.result)
        return not any(isinstance(node, Reduce) and node.op.name in ("max", "min") for node in nodes)

    @cached_property
    def is_light(self) -> bool:
        """Whether the derivative in the prediction is arithmetic, which costs no more than to keep and read it."""
        nodes = walk(*self.program.gradients[self.program.loss.prediction])
        return all(not node.children or (isinstance(node, Call) and node.op.cost <= _ARITHMETIC) for node in nodes)

    @cached_property
    def is_separable(self) -> bool:
        """Whether what comes after, place by place, is a factor of the gradient in the prediction."""
        loss = self.program.loss
        axes = loss.result.axes
        known = axes in (NONE, frozenset({BATCH}), SAMPLE) and axes <= loss.prediction.over and not loss.places
        return known and is_separable(loss.result)

    def settings(self, parameters: list[Any], array: Callable[[Any], Any]) -> list[Any]:
        """The arguments behind the inputs, as tensors: what parameters the code does not have for numbers."""
        return [array(each) for each in parameters if not (self.has_numbers and isinstance(each, float))]

    @classmethod
    def of(cls, spec: LoadedLoss, backend: str, axes: Axes = Axes.EVERY) -> Code:
        """Made of the loss with the numbers among its parameters settled, for inputs with those axes."""
        numbers = {name: value for name, value in spec.parameters.items() if isinstance(value, float)}
        bound = spec.program.bound(numbers)
        program: Program | None = bound
        if axes is not Axes.EVERY:
            program = bound.placeless if axes is Axes.PLACELESS else bound.whole
        assert program is not None, "no code for the whole"
        found = functions(program.kernel(backend, spec.live), spec.name)
        inputs = program.loss.inputs
        return cls(
            found["value"],
            tuple(found[f"pullback_{one.identifier}"] if one.is_real else None for one in inputs),
            tuple(found.get(f"parameter_pullback_{one.name}") for one in program.loss.open),
            inputs.index(program.loss.prediction),
            bound is not spec.program,
            found["_carried"],
            program,
            backend,
        )


def _has_places(over: frozenset[Any], tensor: Any) -> bool:
    return SPACE in over and len(tensor.shape) >= len(over)


def _coded(spec: LoadedLoss, backend: str, is_whole: bool) -> Callable[[list[Any]], Code]:
    """What gives the code for inputs: one for all of them, or, where space is an axis of its own, two; made once."""
    made: dict[Axes, Code] = {}
    over = [one.over for one in spec.program.loss.inputs]

    def fitting(inputs: list[Any]) -> Code:
        axes = Axes.WHOLE if is_whole else Axes.EVERY
        if not (is_whole or spec.program.is_flexible or any(map(_has_places, over, inputs))):
            axes = Axes.EVERY if spec.program.placeless is None else Axes.PLACELESS
        if axes not in made:
            made[axes] = Code.of(spec, backend, axes)
        return made[axes]

    return fitting


def _tensorflow(spec: LoadedLoss, is_whole: bool = False) -> Kernel:
    import tensorflow as tf

    from lossdsl.runtime import keras_internals  # noqa: F401 - imports Keras, which must not find this half imported
    from lossdsl.runtime.tensorflow_calls import carried
    from lossdsl.runtime.tensorflow_fused import fused, is_large

    coded = _coded(spec, "tensorflow", is_whole)
    for_large: dict[int, Code] = {}

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def call(inputs: list[Any], parameters: list[Any]) -> Any:
        code = coded(inputs)
        prediction = inputs[code.prediction]
        settings = code.settings(
            parameters, lambda each: each if tf.is_tensor(each) else tf.constant(each, prediction.dtype)
        )
        large = is_large(prediction) and code.is_fusible
        if large and id(code) not in for_large:
            for_large[id(code)] = code.within(fused)
        return carried(for_large[id(code)] if large else code, [*inputs, *settings], large)

    return call  # type: ignore[no-any-return]


def _jax(spec: LoadedLoss, is_whole: bool = False) -> Kernel:
    import jax.numpy as jnp

    coded = _coded(spec, "jax", is_whole)

    def call(inputs: list[Any], parameters: list[Any]) -> Any:
        code = coded(inputs)
        settings = code.settings(parameters, lambda each: jnp.asarray(each, inputs[code.prediction].dtype))
        return code.carried(*inputs, *settings)

    return call


def _torch(spec: LoadedLoss, is_whole: bool = False) -> Kernel:
    from lossdsl.runtime.torch_eager import carried

    coded = _coded(spec, "torch", is_whole)

    def call(inputs: list[Any], parameters: list[Any]) -> Any:
        code = coded(inputs)
        return carried(code, [*inputs, *_torch_settings(code, inputs, parameters)])

    return call


def _torch_settings(code: Code, inputs: list[Any], parameters: list[Any]) -> list[Any]:
    import torch

    like = inputs[code.prediction]
    return code.settings(parameters, lambda each: torch.as_tensor(each, dtype=like.dtype, device=like.device))


def torch_code(
    spec: LoadedLoss, inputs: list[Any], parameters: list[Any], is_whole: bool = False
) -> tuple[Code, list[Any]]:
    """The code that the kernel of torch has for inputs, and the arguments that it takes behind them."""
    code = _coded(spec, "torch", is_whole)(inputs)
    return code, _torch_settings(code, inputs, parameters)


_MAKERS: dict[str, Callable[[LoadedLoss, bool], Kernel]] = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
