"""The terms of a sum as metrics: a loss like `nll + beta*kl` shows `nll` and `kl` in the logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import keras

from lossdsl.errors import LossConfigError
from lossdsl.ir import build as b
from lossdsl.ir.expr import Call, Expr, Input, walk
from lossdsl.ir.loss import Loss as Resolved
from lossdsl.pipeline import Program
from lossdsl.runtime import keras_internals
from lossdsl.runtime.keras_loss import Loss
from lossdsl.runtime.keras_metric import counted


def named_terms(loss: Resolved) -> dict[str, Expr]:
    """The terms of a loss that is a sum, by name: that of a definition, or of a loss that is called.

    What stands with a term as a factor is no part of it. A term without a name is left out; a second one of a name has
    a number behind it. Empty for a loss that is no sum.
    """
    known = {**loss.called, **loss.names}
    parts = list(_summands(loss.value, {one: name for one, name in known.items() if one is not loss.value}))
    found: dict[str, Expr] = {}
    for part in parts if len(parts) > 1 else ():
        factors = [one for one in _factors(part) if one in known and _has_inputs(one)]
        if len(factors) != 1:
            continue
        name, number = known[factors[0]], 2
        while name in found:
            name, number = f"{known[factors[0]]}{number}", number + 1
        found[name] = factors[0]
    return found


def _summands(expr: Expr, known: Mapping[Expr, str]) -> Iterator[Expr]:
    if expr not in known and isinstance(expr, Call) and expr.op.signs:
        for arg in expr.args:
            yield from _summands(arg, known)
    else:
        yield expr


def _factors(expr: Expr) -> Iterator[Expr]:
    """The factors of a product that the author did not name as a whole."""
    yield expr
    if isinstance(expr, Call) and expr.op.name == "mul":
        for arg in expr.args:
            yield from _factors(arg)
    elif isinstance(expr, Call) and expr.op.name in ("div", "neg"):
        yield from _factors(expr.args[0])


def _has_inputs(expr: Expr) -> bool:
    return any(isinstance(node, Input) for node in walk(expr))


@keras.saving.register_keras_serializable(package="lossdsl", name="Term")
class TermMetric(keras.metrics.Mean):  # type: ignore[misc]
    """The mean over samples of one term of a loss that is a sum; one of `loss.terms`."""

    def __init__(self, loss: Loss, term: str) -> None:
        super().__init__(name=str(term), dtype=loss.dtype)
        terms = named_terms(loss.spec.program.loss)
        if term not in terms:
            message = f"{loss.name} has no term `{term}`"
            raise LossConfigError(message, None, f"its terms: {', '.join(terms) or 'none'}")
        program = loss.spec.program
        value = terms[term]
        own = replace(program.loss, value=value, result=b.average(value), requirements=())
        self._of = loss
        self._spec = loss.spec.over(Program(program.file, own))

    @keras_internals.opaque
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Takes up the values of a batch; what a mask leaves out, or a weight of 0, does not count."""
        values, weight = counted(self._of, self._spec, self._of.name, y_true, y_pred, sample_weight)
        return super().update_state(values, sample_weight=weight)

    def get_config(self) -> dict[str, Any]:
        """Plain JSON: the loss and the name of the term."""
        return {"loss": self._of.get_config(), "term": self.name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> TermMetric:
        """The metric that `get_config` described."""
        return cls(Loss.from_config(config["loss"]), config["term"])
