"""Where in the space of inputs something happens, in words: a bound on one simple quantity, if one tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lossdsl.ir.loss import Loss
from lossdsl.oracle.accuracy import Errors
from lossdsl.oracle.float_formats import Floats, Format
from lossdsl.oracle.samples import Samples

FEW = 3
"""How many samples it takes to speak of a range."""
PURE = 0.6
"""How much of a range must be affected for it to be named."""


@dataclass(frozen=True)
class Whereabouts:
    """Where something happens: as a clause, and whether inputs of everyday sizes are among it."""

    text: str
    is_everyday: bool


@dataclass(frozen=True)
class Affected:
    """Samples of a loss, their errors, and which of them it happens to."""

    samples: Samples
    loss: Loss
    errors: Errors
    which: NDArray[np.bool_]


def region(runs: Sequence[Affected], kind: Format) -> Whereabouts | None:
    """Where samples are affected, everyday ones first; None where none is."""
    affected = [(run, int(row)) for run in runs for row in np.flatnonzero(run.which)]
    if not affected:
        return None
    everyday = [(run, row) for run, row in affected if run.errors.everyday[row]]
    run, row = (everyday or affected)[0]
    place = ", ".join(filter(None, (run.samples.shown(row, kind), run.loss.setting)))
    point = f"at {place}: {run.errors.told(row)}"
    bound = _bound([one for one in runs if one.loss is run.loss], everyday_only=bool(everyday))
    return Whereabouts(f"where {bound}, such as {point}" if bound else point, bool(everyday))


def _bound(runs: Sequence[Affected], *, everyday_only: bool) -> str | None:
    """The simplest bound that most of the affected samples meet and most of the others do not."""
    held: dict[str, list[Floats]] = {}
    hit, counted = [], []
    for run in runs:
        for name, values in quantities(run.samples, run.loss):
            held.setdefault(name, []).append(values)
        hit.append(run.which)
        errors = run.errors
        with_digits = errors.is_known & ~errors.excused & (errors.size > 0)
        counted.append(with_digits & (errors.everyday | (not everyday_only)))
    which, among = np.concatenate(hit), np.concatenate(counted)
    which = which & among
    if np.sum(which) < FEW:
        return None
    best, text = PURE, None
    for name, parts in held.items():
        values = np.concatenate(parts)
        for sign, low in ((">=", np.min(values[which])), ("<=", np.max(values[which]))):
            inside = values >= low if sign == ">=" else values <= low
            purity = np.sum(which) / max(int(np.sum(inside & among)), 1)
            if purity > best and not np.all(inside[among]):
                best, text = float(purity), f"{name} {sign} {low:.2g}"
    return text


def quantities(samples: Samples, loss: Loss) -> Iterator[tuple[str, Floats]]:
    """What a bound may be about, a number for each sample: elements, their sizes, and their differences."""
    reals = [node for spec in loss.inputs if spec.is_real for node in spec.nodes]
    rows = samples.rows
    arrays = {node.name: samples.inputs[node].reshape(rows, -1) for node in reals if samples.has_rows(node)}
    single = all(array.shape[1] == 1 for array in arrays.values())
    with np.errstate(invalid="ignore"):  # inputs may be infinite
        differences = {
            f"{one} - {other}": arrays[one] - arrays[other]
            for place, one in enumerate(arrays)
            for other in list(arrays)[place + 1 :]
            if arrays[one].shape == arrays[other].shape
        }
    for name, array in {**differences, **arrays}.items():
        if single:
            yield f"abs({name})", np.abs(array[:, 0])
            yield name, array[:, 0]
        else:
            yield f"max(abs({name}))", np.max(np.abs(array), axis=1)
            yield f"min(abs({name}))", np.min(np.abs(array), axis=1)
            yield f"max({name}) - min({name})", np.max(array, axis=1) - np.min(array, axis=1)
