"""What `lossdsl.load` gives: a loss with its parameters bound, without Keras."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from lossdsl import pipeline
from lossdsl.errors import LossTypeError, format_value
from lossdsl.ir.axes import LAST
from lossdsl.ir.mixing import needs_whole_batch
from lossdsl.runtime.bind import Value, bound, check_requirements, settled
from lossdsl.runtime.twin import Twin
from lossdsl.source import Source


class LoadedLoss:
    """A checked loss with a value for each of its parameters.

    `name`, `parameters` (by name), `source` (its text), `doc`, `latex`; `numpy` computes it on arrays.
    """

    def __init__(
        self,
        source: Source,
        axis: tuple[int, ...],
        parameters: Mapping[str, Any],
        made: Iterable[pipeline.Program] = (),
        live: frozenset[str] = frozenset(),
        live_shapes: Mapping[str, tuple[int, ...]] = MappingProxyType({}),
    ) -> None:
        """`made` are programs of this source; the one with these `bool` and `int` parameters is used if it is there.

        `live` are parameters that have no value here: they come with each call, vectors and matrices among them in the
        shapes of `live_shapes`, where these are known.
        """
        self.origin = source
        self.axis = axis
        programs = tuple(made)
        file = programs[0].file if programs else pipeline.parsed(source)
        self.live = live
        self.live_shapes = live_shapes
        values = bound(file, parameters, live)
        chosen = settled(pipeline.parameters(file), values)
        found = next((one for one in programs if one.loss.settled == chosen), None)
        self.program = pipeline.program(file, chosen) if found is None else found
        self.parameters: Mapping[str, Value] = MappingProxyType(values)
        check_requirements(self.program, values)

    @property
    def name(self) -> str:
        """The name in the header; `loss` for a bare formula."""
        return self.program.loss.name

    @property
    def source(self) -> str:
        """The text that was compiled, with that of the files that it uses."""
        return self.program.file.text

    @property
    def doc(self) -> str:
        """The documentation of the loss."""
        return self.program.loss.doc

    @property
    def latex(self) -> str:
        """The formula as LaTeX, without delimiters."""
        return self.program.latex

    @cached_property
    def numpy(self) -> Twin:
        """The loss on numpy arrays."""
        return Twin(self)

    def _repr_latex_(self) -> str:
        """The formula for a notebook."""
        return f"$$\n{self.latex}\n$$"

    def _repr_html_(self) -> str:
        """Name, formula, parameters and, where the loss is a curve, its picture, for a notebook."""
        from lossdsl.plot.notebook import html  # pictures stand above what they show: they are asked for late

        return html(self)

    @cached_property
    def parameter_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shapes of vector and matrix parameters; a vector given as one number fits every length and has none."""
        rows = {name: np.shape(value) for name, value in self.parameters.items() if isinstance(value, tuple)}
        return {**{name: shape for name, shape in rows.items() if shape != (1,)}, **self.live_shapes}

    def joins_batch(self, rank: int) -> bool:
        """Whether the batch is among the axes that play `last`, for a prediction of that rank."""
        over = self.program.loss.prediction.over
        return rank > 0 and (not self.axis or (rank > 1 and not {0, -rank}.isdisjoint(self.axis) and LAST in over))

    def couples_samples(self, rank: int) -> bool:
        """Whether the samples of a batch take part in one another's loss, for a prediction of that rank."""
        return rank > 0 and (self._needs_whole_batch or self.joins_batch(rank))

    @cached_property
    def _needs_whole_batch(self) -> bool:
        return needs_whole_batch(self.program.loss.result)

    def arguments(self, last: int | None, live: Mapping[str, Any] = MappingProxyType({})) -> list[Any]:
        """The values of the parameters that the generated functions take, vectors stretched to length `last`.

        `live` are the values of those that come with each call, taken as they are.
        """
        found: list[Any] = []
        for spec in self.program.loss.parameters:
            if spec.name in self.program.loss.settled:
                continue
            if spec.name in self.live:
                found.append(live[spec.name])
                continue
            value = self.parameters[spec.name]
            if isinstance(value, tuple):
                row = np.asarray(value, dtype=float)
                found.append(np.full(last, row[0]) if row.shape == (1,) and last is not None else row)
            else:
                found.append(value)
        return found

    def over(self, program: pipeline.Program) -> LoadedLoss:
        """The same values of the parameters over another program that was made of this one's."""
        found = object.__new__(LoadedLoss)
        found.origin, found.axis, found.parameters = self.origin, self.axis, self.parameters
        found.live, found.live_shapes = self.live, self.live_shapes
        found.program = program
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied and sent to other processes as what it was made of."""
        return LoadedLoss, (self.origin, self.axis, dict(self.parameters), (), self.live, dict(self.live_shapes))

    def __repr__(self) -> str:
        inputs = ", ".join(spec.name for spec in self.program.loss.inputs)
        values = ", ".join(f"{name}={_shown(value)}" for name, value in self.parameters.items())
        return f"<loss {self.name}({inputs}{'; ' if values else ''}{values})>"


def _shown(value: Value) -> str:
    return f"[{', '.join(map(repr, value))}]" if isinstance(value, tuple) else repr(value)


def axes_of(axis: Any) -> tuple[int, ...]:
    """`axis` as a tuple of whole numbers, empty for None, which stands for all axes. Raises LossTypeError."""
    if axis is None:
        return ()
    items = axis if isinstance(axis, tuple | list) else (axis,)
    if not items or any(isinstance(item, bool) or not isinstance(item, int) for item in items):
        message = f"`axis` is a whole number or several, not {format_value(axis)}"
        raise LossTypeError(message, None, "as in `axis=-1` or `axis=(1, 2)`")
    return tuple(items)
