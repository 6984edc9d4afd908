"""The torch target."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from lossdsl.ir.expr import Call, Expr, Input
from lossdsl.ir.loss import Loss
from lossdsl.ir.op import Kind
from lossdsl.targets import arguments, pairs_torch, source_layout, special
from lossdsl.targets.printer import Printer
from lossdsl.targets.template import fill

_OTHERWISE = {"torch.tanh": "_tanh", "torch.expm1": "_expm1"}
"""Functions that torch's compiler has slowly, or without digits, and what takes their place."""
_BOUND = {"max": "min", "min": "max"}
"""What the bound of a largest or smallest is for `torch.clamp`."""


class TorchPrinter(Printer):
    target = "torch"
    lifts_all = True
    is_compiled: ClassVar[bool] = True
    """Whether the code is for torch's compiler, too."""
    spell: ClassVar[Mapping[str, str]] = {
        "lift": "torch.tensor(a, dtype=dtype, device=device)",
        "dtype": "a.dtype",
        "real": "_real(a)",
        "like": "torch.as_tensor(a, dtype=x.dtype, device=x.device)",
        "number": "torch.as_tensor(a, dtype=x.dtype, device=x.device)",
        "given shape": "torch.as_tensor(a).shape",
        "ones": "torch.ones(s, dtype=x.dtype, device=x.device)",
        "label": "torch.as_tensor(a, device=x.device).long()",
        "vector": "_vector(torch.as_tensor(a, dtype=x.dtype, device=x.device), x)",
        "matrix": "torch.as_tensor(a, dtype=x.dtype, device=x.device)",
        "split": "torch.chunk(a, n, dim=-1)",
        "joined": "torch.cat(parts, dim=-1)",
        "shape": "a.shape",
        "reshape": "torch.reshape(a, s)",
        "flat with last": "a.reshape(a.shape[0], math.prod(a.shape[1:-1]), a.shape[-1])",
        "flat": "a.reshape(a.shape[0], math.prod(a.shape[1:]))",
        "filled with number": "torch.broadcast_to(torch.tensor(a, dtype=dtype, device=device), s)",
        "filled": "torch.broadcast_to(a, s)",
        "length": "a.shape[k]",
        "count": "a.shape[k]",
        "size": "a.numel()",
        "arange": "torch.arange(a.shape[k], device=a.device)",
        "range": "torch.arange(n, device=device)",
        "shorter range": "torch.arange(max(a.shape[k] - n, 0), device=a.device)",
        "reduced": "F(a, dim=k)",
        "reduced, kept": "F(a, dim=k, keepdim=True)",
        "position": "_position(F, a, k)",
        "position in last": "F(a, dim=k)",
        "einsum": "torch.einsum(s, a, b)",
        "transpose": "torch.permute(a, k)",
        "diagonal": "torch.diagonal(a, dim1=i, dim2=j)",
        "pick": "torch.select(a, k, min(max(i, 0), a.shape[k] - 1))",
        "take": "a[torch.clamp(i, 0, a.shape[0] - 1)]",
        "take last": "_take_along(a, i[..., None], -1)",
        "near": "_near(t, s, a, b)",
        "add rows": "_added_rows(a, i, n, k)",
        "put": "_put(a, i, b)",
        "put among zeros": "_put_among_zeros(n, i, b)",
    }

    def mixes(self, node: Call) -> bool:
        """`where` takes the dtype of its tensor, if that has one of its own: a whole number would become float32."""
        pieces = [arg for arg in node.args[1:] if not self.is_plain(arg)]
        return node.op.name == "where" and bool(pieces) and all(arg.kind is Kind.REAL for arg in pieces)

    def _call(self, node: Call) -> ast.expr:
        """A bound that is a plain number goes into `clamp`, which makes no tensor of it."""
        bounds = [arg for arg in node.args if self.is_plain(arg)]
        if node.op.name in ("max", "min") and len(bounds) == 1:
            (bounded,) = (arg for arg in node.args if arg is not bounds[0])
            if bounded.kind is Kind.REAL and not self._is_count(bounded):
                tree = self.meet(bounded, self.has(node))
                return fill(f"torch.clamp(a, {_BOUND[node.op.name]}=b)", a=tree, b=self.done[bounds[0]])
        tree = super()._call(node)
        quick = _OTHERWISE.get(ast.unparse(tree.func), "") if self.is_compiled and isinstance(tree, ast.Call) else ""
        if not quick or not isinstance(tree, ast.Call):
            return tree
        self.helpers.add(quick)
        return ast.Call(ast.Name(quick, ast.Load()), tree.args, [])

    def returned(self, root: Expr, tree: ast.expr) -> ast.expr:
        """An input as it stands, which a function with its own derivative may not return, is a view of it."""
        found = super().returned(root, tree)
        return fill("a.view_as(a)", a=found) if isinstance(root, Input) else found

    def condition(self, tree: ast.expr) -> ast.expr:
        return fill("torch.tensor(a, device=device)", a=tree)

    def reduced(self, function: str, tree: ast.expr, axis: int | tuple[int, ...] | None, keep: bool) -> ast.expr:
        if function == "torch.prod" and isinstance(axis, tuple):  # it takes one dimension at a time
            for place in sorted(axis, reverse=True):
                tree = super().reduced(function, tree, place, keep)
            return tree
        if axis != -1:  # a batch may be empty, and torch has no largest of nothing
            nothing = {"torch.amax": "-math.inf", "torch.amin": "math.inf"}.get(function)
            if nothing is not None:
                self.helpers.add("_extreme")
                return fill(f"_extreme({function}, a, k, {nothing})", a=tree, k=() if axis is None else axis)
        return super().reduced(function, tree, axis, keep)


PRINTER = TorchPrinter
IMPORTS = {"math": "import math", "torch": "import torch"}
# torch.compile counts the arguments of `forward`: EVERY stands for their names.
CARRIED = '''
class _Function(torch.autograd.Function):
    """The loss with its own gradient, which is worked out from the arguments again."""

    generate_vmap_rule = True

    @staticmethod
    def forward(EVERY):
        return _value(EVERY)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs, output)

    @staticmethod
    def backward(ctx, upstream):
        return tuple(
            vjp(*ctx.saved_tensors, upstream) if vjp is not None and needed else None
            for vjp, needed in zip(_VJPS, ctx.needs_input_grad)
        )


class _ForwardToo(_Function):
    """The same with a forward mode, which torch.compile does not take."""

    @staticmethod
    def jvp(ctx, *tangents):
        *arguments, value = ctx.saved_tensors
        pairs = [
            (vjp, tangent)
            for vjp, tangent in zip(_VJPS, tangents)
            if vjp is not None and tangent is not None
        ]

        def gradients(upstream):
            return tuple(vjp(*arguments, upstream) for vjp, _ in pairs)

        _, transposed = torch.func.vjp(gradients, torch.zeros_like(value))
        return transposed(tuple(tangent for _, tangent in pairs))[0]


def _carried(*arguments):
    """The loss of tensors, with its own gradient in each mode of differentiation."""
    compiling = torch.compiler.is_compiling()
    return (_Function if compiling else _ForwardToo).apply(*arguments)
'''
HELPERS = (
    special.helpers(special.TORCH)
    | arguments.HELPERS
    | pairs_torch.HELPERS
    | {
        "_tanh": '''
def _tanh(a):
    """torch.tanh; where it is compiled by exp(2*a) - 1, which takes half of the time; beyond 20 it is 1."""
    if not torch.compiler.is_compiling() or a.dtype == torch.float16:
        return torch.tanh(a)
    power = _expm1(2.0 * torch.clamp(a, -20.0, 20.0))
    return power / (power + 2.0)
''',
        "_expm1": '''
def _expm1(a):
    """torch.expm1, which torch compiles to exp(a) - 1: near 0 its series, by as many terms as the dtype has digits."""
    if not torch.compiler.is_compiling():
        return torch.expm1(a)
    is_near = torch.abs(a) < 0.5
    near = torch.where(is_near, a, 0.0)
    total = torch.zeros_like(a)
    for place in range(16 if a.dtype == torch.float64 else 9, 0, -1):
        total = (total + 1.0) * (near / place)
    return torch.where(is_near, total, torch.exp(a) - 1.0)
''',
        "_norm": '''
def _norm(a, dim=None, keepdim=False):
    """sqrt(sum(a^2)), of multiples of `a` whose largest is 1: no square overflows or vanishes."""
    if not a.numel():
        return torch.sum(a, dim=dim, keepdim=keepdim)
    axes = () if dim is None else dim
    top = torch.amax(torch.abs(a.detach()), dim=axes, keepdim=True)
    top = torch.where((top > 0.0) & (top < math.inf), top, torch.ones_like(top))
    found = _root(torch.sum(torch.square(a / top), dim=dim, keepdim=keepdim))
    return top.reshape(found.shape) * found
''',
        "_is_known": '''
def _is_known(*numbers):
    """Whether all are plain numbers; a tensor is not waited for."""
    return not any(isinstance(a, torch.Tensor) for a in numbers)
''',
        "_real": '''
def _real(a):
    """A tensor of floating numbers."""
    a = torch.as_tensor(a)
    return a if a.is_floating_point() else a.to(torch.get_default_dtype())
''',
        "_in_blocks": '''
def _in_blocks(function, combined, joined, lengths, *tensors):
    """A reduction of what is large together, a few rows at a time: their results combined, or joined along an axis."""
    size, (first, axis) = math.prod(lengths), tensors[0]
    if size <= 2**22:
        return function(*(a for a, _ in tensors))
    step = max(1, first.shape[axis] * 2**19 // size)
    found = None
    for start in range(0, first.shape[axis], step):
        part = function(
            *(a.narrow(k, start, min(step, a.shape[k] - start)) for a, k in tensors)
        )
        if combined:
            found = part if found is None else combined(found, part)
            continue
        if found is None:  # made beforehand: parts in a list keep the room between them
            shape = list(part.shape)
            shape[joined] = first.shape[axis]
            found = part.new_empty(shape)
        found.narrow(joined, start, part.shape[joined]).copy_(part)
    return found
''',
        "_mean": '''
def _mean(a, axis):
    """torch.mean; 0 over nothing, as in an empty batch."""
    return torch.mean(a, dim=axis) if a.numel() else torch.sum(a, dim=axis)
''',
        "_extreme": '''
def _extreme(function, a, axis, nothing):
    """torch.amax or torch.amin; `nothing` over nothing, as in an empty batch."""
    return function(a, dim=axis) if a.numel() else torch.sum(a, dim=axis) + nothing
''',
        "_position": '''
def _position(function, a, axis):
    """torch.argmax or torch.argmin; 0 over nothing."""
    return function(a, dim=axis) if a.numel() else torch.sum(a, dim=axis).long()
''',
        "_put": '''
def _put(a, index, value):
    """`a` with another value at a position of the last axis, if it has such a position."""
    if not a.shape[-1]:
        return a
    inside = torch.clamp(index, 0, a.shape[-1] - 1).long()
    value = torch.where(index == inside, value, torch.gather(a, -1, inside))
    return torch.scatter(a, -1, inside, value)
''',
        "_put_among_zeros": '''
def _put_among_zeros(count, index, value):
    """A value at a position of the last axis, if it is inside, and 0 elsewhere."""
    rows = torch.broadcast_shapes(index.shape, value.shape)[:-1]
    zeros = torch.zeros((*rows, count), dtype=value.dtype, device=value.device)
    return _put(zeros, index.expand(*rows, 1), value)
''',
        "_take_along": '''
def _take_along(a, index, axis):
    """The elements of `a` at positions of an axis, held inside its range; all other dimensions broadcast."""
    axis = axis % a.ndim
    index = torch.clamp(index, 0, a.shape[axis] - 1).long()
    shape = list(
        torch.broadcast_shapes(
            [n for k, n in enumerate(a.shape) if k != axis],
            [n for k, n in enumerate(index.shape) if k != axis],
        )
    )
    a = a.expand(*shape[:axis], a.shape[axis], *shape[axis:])
    index = index.expand(*shape[:axis], 1, *shape[axis:])
    return torch.squeeze(torch.take_along_dim(a, index, dim=axis), axis)
''',
        "_unslice": '''
def _unslice(a, axis, count, start):
    """`a` from `start` on along an axis of a length, and 0 elsewhere."""
    first = len(range(count)[:start])
    widths = [0, 0] * (-axis - 1) + [first, count - first - a.shape[axis]]
    return torch.nn.functional.pad(a, widths)
''',
        "_dft": '''
def _dft(a):
    """The discrete Fourier transform along the last axis, of 16-bit numbers in 32."""
    return torch.fft.fft(a if a.dtype == torch.float64 else a.float(), dim=-1)
''',
    }
)

ATTRIBUTES = frozenset(
    re.findall(
        r"\w+",
        """
    T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches
    eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half input ipu
    load_state_dict modules mtia named_buffers named_children named_modules named_parameters parameters
    reduction register_backward_hook register_buffer register_forward_hook register_forward_pre_hook
    register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook
    register_state_dict_pre_hook requires_grad_ self set_extra_state set_submodule share_memory state_dict target
    to to_empty torch train training type xpu zero_grad
    """,
    )
)
"""What a module of torch's has already, so that no parameter of a loss can be called so in one."""


def class_text(
    *, loss: Loss, function: str, name: str, title: str, signature: Callable[..., list[str]], parameters: Sequence[str]
) -> str:
    """A module of torch's around the function of a loss."""
    target = ["target", "*others"][: len(loss.inputs) - 1]
    given = [*target[:1], "input", *target[1:], *(f"self.{one}" for one in parameters)]
    batch = ""
    if loss.prediction.is_full:
        batch = f"""
        input = torch.as_tensor(input)
        if input.ndim == {1 + len(loss.places)}:
            input = input[..., None]"""
    head = source_layout.signature("def __init__", ["self", *signature('reduction="mean"')], ":", 4)
    assigned = "".join(f"\n        self.{one} = {one}" for one in parameters)
    values = "\n".join(source_layout.signature(f"values = {function}", given, "", 8))
    return f'''class {name}(torch.nn.Module):
    """{title}

    Takes the prediction first, as torch's losses do; its first axis is the batch.
    """

{chr(10).join(head)}
        super().__init__()
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(f"reduction is mean, sum or none, not {{reduction}}"){assigned}
        self.reduction = reduction

    def forward(self, {", ".join(["input", *target])}):{batch}
{values}
        if self.reduction == "none":
            return values
        return values.mean() if self.reduction == "mean" else values.sum()'''
