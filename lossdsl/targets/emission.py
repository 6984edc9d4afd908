"""What a module of its own is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lossdsl.ir.expr import Expr, Input
from lossdsl.ir.loss import Argument, Loss
from lossdsl.ir.meets import Home


@dataclass(frozen=True)
class Emission:
    """What a module is made of: guarded expressions, and what the author requires.

    `gradients` has expressions for each real input, and, where there is a `seed`, for each parameter; with it they are
    those of the sum of all values, each times its own seed. `requirements` pairs each condition with its text;
    `defaults` are the values of the parameters, as the module shall have them.
    """

    loss: Loss
    value: Expr
    gradients: Sequence[tuple[Argument, tuple[Expr, ...]]]
    requirements: Sequence[tuple[str, Expr]]
    meetings: Sequence[frozenset[Home]]
    defaults: Mapping[str, object]
    seed: Input | None = None
