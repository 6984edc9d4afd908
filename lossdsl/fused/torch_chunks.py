"""Place values on torch, a few places at a time.

The logits of a chunk are made, their values and slopes taken, and the slopes multiplied into the gradients of hidden
states, kernel and bias at once. Where the weight of each place is known beforehand (`weighted_total`), all of that is
done in the forward pass; else (`place_values`) the backward pass makes the logits again. Second derivatives are right,
and need the logits as a whole. There is no forward mode: torch says so.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import torch

from lossdsl.fused.steps import Steps, chunk_of

if TYPE_CHECKING:
    Tensor = Any
else:
    Tensor = torch.Tensor  # operations of torch's read their signature

_CHUNK = 2**24
"""How many logits a product makes at a time, if nobody says otherwise: 64 MB of them in float32."""
_BLOCK = 2**20
"""How many of them are worked with at a time, so that what is made of them stays in a cache."""

_numbers = itertools.count()
_known: WeakValueDictionary[int, TorchChunks] = WeakValueDictionary()
"""By number, since an operation of torch's takes numbers and tensors only."""


class TorchChunks:
    """The code of a loss, and how many places it takes at a time."""

    def __init__(self, steps: Steps, chunk: int | None, classes: int) -> None:
        self.steps = steps
        self.chunk = chunk_of(chunk, classes, _CHUNK)
        self.classes = classes
        self.number = next(_numbers)
        _known[self.number] = self

    def place_values(self, arguments: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Each place value, a tensor `(places,)`."""
        found: tuple[Tensor, ...] = _PlaceValues.apply(self.number, 0, *arguments)
        return found

    def weighted_total(self, weights: Sequence[Tensor], arguments: Sequence[Tensor]) -> Tensor:
        """The sum of all place values, each times its weight `(places,)`."""
        wanted = tuple(torch.is_grad_enabled() and each.requires_grad for each in arguments)
        total: Tensor = _WeightedTotal.apply(self.number, wanted, len(weights), *weights, *arguments)[0]
        return total

    def inputs(self, arguments: Sequence[Tensor], dtype: torch.dtype) -> list[Tensor]:
        """The inputs of the loss, for the places that the arguments hold."""
        return [_product(group, dtype) if len(group) > 1 else group[0] for group in self.steps.grouped(arguments)]

    def settings(self, inputs: Sequence[Tensor]) -> list[list[Any]]:
        """For each place value the arguments of its code behind the inputs."""
        like = inputs[self.steps.codes[0].prediction]
        return self.steps.settings(
            self.classes, lambda each: torch.as_tensor(each, dtype=like.dtype, device=like.device)
        )

    def whole(self, arguments: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The place values of all places at once, as torch differentiates them."""
        inputs = self.inputs(arguments, work_dtype(arguments))
        pairs = zip(self.steps.codes, self.settings(inputs), strict=True)
        return tuple(code.carried(*inputs, *own) for code, own in pairs)

    def run(self, arguments: list[Tensor], upstream: list[Tensor], wanted: Sequence[bool]) -> list[Tensor]:
        """The place values, and behind them the gradients that are wanted where there is a derivative `upstream`."""
        steps, dtype = self.steps, work_dtype(arguments)
        pairs = zip(arguments, steps.are_places, strict=True)
        arguments = [each.to(dtype) if _is_whole_real(each, is_place) else each for each, is_place in pairs]
        values, made = self.results(arguments, bool(upstream), wanted)
        for start in range(0, self._count(arguments), self.chunk):
            self._fill(slice(start, start + self.chunk), arguments, upstream, values, made)
        return [*values, *(each for each in made if each is not None)]

    def _fill(
        self,
        rows: slice,
        arguments: Sequence[Tensor],
        upstream: Sequence[Tensor],
        values: Sequence[Tensor],
        made: Sequence[Tensor | None],
    ) -> None:
        """Puts the values of some places where they belong, and adds what these have of the gradients."""
        steps = self.steps
        given, parts = (steps.cut(every, itemgetter(rows)) for every in (arguments, made))
        inputs = self.inputs(given, work_dtype(arguments))
        settings = self.settings(inputs)
        groups = steps.grouped(parts)
        wanted = [any(part is not None for part in group) for group in groups]
        for block in self._blocks(inputs):
            some = itemgetter(block)
            own, results = steps.of_inputs(inputs, some), [some(value[rows]) for value in values]
            if not upstream:
                found = steps.values(own, settings)
            else:
                seeds = [some(each[rows]) for each in upstream]
                found, slopes = steps.values_and_slopes(own, settings, seeds, wanted)
                _put(slopes, own, steps.grouped(steps.cut(parts, some)))
                del slopes
            for result, value in zip(results, found, strict=True):
                result.copy_(value)
        if upstream:
            for slope, group, into in zip(inputs, steps.grouped(given), groups, strict=True):
                if len(group) > 1:
                    _accumulate(into, slope, group)

    def _blocks(self, inputs: Sequence[Tensor]) -> Iterator[slice]:
        """Some places at a time, whose numbers fit a cache; an accelerator has all at once."""
        like = inputs[self.steps.codes[0].prediction]
        count = like.shape[0]
        step = max(1, _BLOCK // max(self.classes, 1)) if like.device.type == "cpu" else max(count, 1)
        return (slice(start, start + step) for start in range(0, count, step))

    def results(
        self, arguments: Sequence[Tensor], has_slopes: bool, wanted: Sequence[bool]
    ) -> tuple[list[Tensor], list[Tensor | None]]:
        """Room for the place values, and zeros for the gradient in each argument that is wanted."""
        dtype = work_dtype(arguments)
        values = [arguments[0].new_empty((self._count(arguments),), dtype=dtype) for _ in self.steps.codes]
        needed = wanted if has_slopes else [False] * len(arguments)
        pairs = zip(arguments, needed, strict=True)
        made = [torch.zeros_like(each, dtype=dtype) if one else None for each, one in pairs]
        return values, made

    def _count(self, arguments: Sequence[Tensor]) -> int:
        """How many places there are."""
        return int(self.steps.parted(arguments)[0][0].shape[0])


def work_dtype(arguments: Sequence[Tensor]) -> torch.dtype:
    """The dtype of logits and of sums: float32, or float64 where an argument has it."""
    return torch.float64 if any(each.dtype == torch.float64 for each in arguments) else torch.float32


def _is_whole_real(argument: Tensor, is_place: bool) -> bool:
    """Whether an argument is brought to the dtype of the work once, not chunk by chunk."""
    return not is_place and argument.is_floating_point()


def _product(group: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
    hidden, kernel, *bias = (each.to(dtype) for each in group)
    return torch.addmm(bias[0], hidden, kernel) if bias else hidden @ kernel


def _put(slopes: Sequence[Tensor | None], inputs: Sequence[Tensor], into: Sequence[Sequence[Tensor | None]]) -> None:
    """Puts slopes in place of the logits, which nobody needs any more, and adds those of other inputs to gradients."""
    for slope, logits, (whole, *more) in zip(slopes, inputs, into, strict=True):
        if slope is not None and more:
            logits.copy_(slope)
        elif slope is not None and whole is not None:
            whole += slope


def _accumulate(into: Sequence[Tensor | None], slope: Tensor, group: Sequence[Tensor]) -> None:
    """Adds the slope of logits, of some places, to the gradients of hidden states, kernel and bias."""
    hidden, kernel = (each.to(slope.dtype) for each in group[:2])
    if into[0] is not None:
        into[0].addmm_(slope, kernel.T)
    if into[1] is not None:
        into[1].addmm_(hidden.T, slope)
    if len(into) > 2 and into[2] is not None:
        into[2].add_(slope.sum(0))


@torch.library.custom_op("lossdsl::places", mutates_args=())  # type: ignore[untyped-decorator]
def _places(number: int, arguments: list[Tensor], upstream: list[Tensor], wanted: list[bool]) -> list[Tensor]:
    """`TorchChunks.run` as one operation, which `torch.compile` takes as it is. Under autocast it works as without."""
    chunks, device = _known[number], arguments[0].device.type
    if not torch.is_autocast_enabled(device):
        return chunks.run(arguments, upstream, wanted)
    with torch.autocast(device, enabled=False):
        return chunks.run(arguments, upstream, wanted)


@_places.register_fake  # type: ignore[untyped-decorator]
def _like_places(number: int, arguments: list[Tensor], upstream: list[Tensor], wanted: list[bool]) -> list[Tensor]:
    values, made = _known[number].results(arguments, bool(upstream), wanted)
    return [*values, *(each for each in made if each is not None)]


def _keep(ctx: Any, number: int) -> None:
    """Remembers the chunks of a number until the backward pass; compiled code has them in its closure."""
    ctx.number = number
    if not torch.compiler.is_compiling():
        ctx.chunks = _known[number]


def _mapped(function: Any, info: Any, in_dims: Sequence[Any], arguments: Sequence[Any]) -> tuple[Any, Any]:
    """A function over a further axis: one after another, since each of them fills the machine."""
    results = []
    for place in range(info.batch_size):
        pairs = zip(arguments, in_dims, strict=True)
        own = [
            one.select(dim, place) if isinstance(one, torch.Tensor) and dim is not None else one for one, dim in pairs
        ]
        results.append(function.apply(*own))
    found = tuple(map(torch.stack, zip(*results, strict=True)))
    return found, (0,) * len(found)


class _PlaceValues(torch.autograd.Function):  # type: ignore[misc]
    """The place values, which may have been made already.

    Their gradient makes the logits again, with what comes after folded in place by place.
    """

    @staticmethod
    def forward(number: int, made: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        if made:
            return tuple(value.clone() for value in tensors[:made])
        return tuple(_places(number, list(tensors), [], []))

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        _keep(ctx, inputs[0])
        ctx.made = inputs[1]
        ctx.save_for_backward(*inputs[2 + ctx.made :])

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        wanted = ctx.needs_input_grad[2 + ctx.made :]
        one = torch.ones((), dtype=upstream[0].dtype, device=upstream[0].device)
        slopes: Any = ()
        if any(wanted):
            slopes = _Slopes.apply(ctx.number, wanted, len(upstream), 0, one, *upstream, *ctx.saved_tensors)
        found = iter(slopes)
        return None, None, *[None] * ctx.made, *(next(found) if needed else None for needed in wanted)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return _mapped(_PlaceValues, info, in_dims, arguments)


class _WeightedTotal(torch.autograd.Function):  # type: ignore[misc]
    """The sum of place values under weights, and behind it the place values and gradients, which come with it."""

    @staticmethod
    def forward(number: int, wanted: tuple[bool, ...], count: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        weights, arguments = list(tensors[:count]), list(tensors[count:])
        found = _places(number, arguments, weights if any(wanted) else [], list(wanted))
        total = sum((weight * value).sum() for weight, value in zip(weights, found, strict=False))
        return total, *found

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        _keep(ctx, inputs[0])
        ctx.wanted, ctx.count = inputs[1:3]
        ctx.made = len(output) - 1 - ctx.count
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)  # else zeros as large as the kernel come in for its gradient
        ctx.save_for_backward(*output[1:], *inputs[3:])

    @staticmethod
    def backward(ctx: Any, upstream: Tensor | None, *others: None) -> tuple[Tensor | None, ...]:
        if upstream is None:
            return (None,) * len(ctx.needs_input_grad)
        values, tensors = ctx.saved_tensors[: ctx.count], ctx.saved_tensors[ctx.count :]
        made, tensors = tensors[: ctx.made], tensors[ctx.made :]
        weights, arguments = tensors[: ctx.count], tensors[ctx.count :]
        of_weights, wanted = ctx.needs_input_grad[3 : 3 + ctx.count], ctx.needs_input_grad[3 + ctx.count :]
        slopes: Any = ()
        if any(wanted):
            made = made if wanted == ctx.wanted else ()
            slopes = _Slopes.apply(ctx.number, wanted, ctx.count, len(made), upstream, *weights, *made, *arguments)
        if any(of_weights):
            values = _PlaceValues.apply(ctx.number, ctx.count, *values, *arguments)
        found = iter(slopes)
        weighed = (upstream * value if needed else None for value, needed in zip(values, of_weights, strict=True))
        return None, None, None, *weighed, *(next(found) if needed else None for needed in wanted)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return _mapped(_WeightedTotal, info, in_dims, arguments)


class _Slopes(torch.autograd.Function):  # type: ignore[misc]
    """The gradients that are wanted of the sum of place values under weights, times one number.

    They may have been made already, without the number. Their own derivative takes the logits as a whole.
    """

    @staticmethod
    def forward(
        number: int, wanted: tuple[bool, ...], count: int, made: int, upstream: Tensor, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        weights, slopes, arguments = tensors[:count], tensors[count : count + made], tensors[count + made :]
        if made:
            slopes = tuple(upstream * slope for slope in slopes)
        else:
            seeds = [(upstream * weight).contiguous() for weight in weights]
            slopes = tuple(_places(number, list(arguments), seeds, list(wanted))[count:])
        dtypes = [each.dtype for each, needed in zip(arguments, wanted, strict=True) if needed]
        return tuple(slope.to(dtype) for slope, dtype in zip(slopes, dtypes, strict=True))

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        _keep(ctx, inputs[0])
        ctx.wanted, ctx.count, ctx.made, upstream, *tensors = inputs[1:]
        ctx.save_for_backward(upstream, *tensors[: ctx.count], *tensors[ctx.count + ctx.made :])

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor | None, ...]:
        upstream, *tensors = ctx.saved_tensors
        weights, arguments = tensors[: ctx.count], tensors[ctx.count :]
        is_real = [each.is_floating_point() for each in arguments]

        def slopes(upstream: Tensor, weights: list[Tensor], reals: list[Tensor]) -> list[Tensor]:
            _, pullback = torch.func.vjp(lambda reals: _known[ctx.number].whole(_mixed(arguments, reals)), reals)
            (found,) = pullback(tuple(upstream * weight for weight in weights))
            return [one for one, needed in zip(_mixed(is_real, found), ctx.wanted, strict=True) if needed]

        reals = [each for each in arguments if each.is_floating_point()]
        _, pullback = torch.func.vjp(slopes, upstream, weights, reals)
        first, seconds, thirds = pullback(list(cotangents))
        rest = iter(thirds)
        return (
            None,
            None,
            None,
            None,
            first,
            *seconds,
            *[None] * ctx.made,
            *(next(rest) if one else None for one in is_real),
        )

    @staticmethod
    def vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
        return _mapped(_Slopes, info, in_dims, arguments)


def _mixed(every: Sequence[Any], reals: Sequence[Tensor]) -> list[Any]:
    """A list in which the floating ones of `every` (or what is true in it) give way to those of `reals`, in order."""
    rest = iter(reals)
    return [
        next(rest) if one is True or (isinstance(one, torch.Tensor) and one.is_floating_point()) else one
        for one in every
    ]
