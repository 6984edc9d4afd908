"""Pictures of losses and their gradients. matplotlib is loaded when a picture is drawn.

    draw([load("huber"), load("log_cosh")], "out/robust.png")
    family("quantile", "q", [0.1, 0.5, 0.9], "out/quantile.svg")

A figure is made by itself, without pyplot: no window, no backend to choose, nothing left behind in the process.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from lossdsl.errors import LossFileError
from lossdsl.ir.loss import ParameterSpec
from lossdsl.plot.curve import Curve, curve
from lossdsl.plot.figure import figure
from lossdsl.runtime.files import store
from lossdsl.runtime.sources import read
from lossdsl.runtime.spec import LoadedLoss

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")


def draw(
    losses: LoadedLoss | Iterable[LoadedLoss],
    path: str | os.PathLike[str],
    *,
    over: tuple[float, float] | None = None,
    targets: Sequence[float] | None = None,
    gradient: bool = True,
    labels: Sequence[str] | None = None,
    title: str | None = None,
    graded: bool = False,
) -> Path:
    """Draws losses, and below them their gradients in the prediction, into a file; gives its path.

    Args:
        losses: what `lossdsl.load` gives, one or several (`.spec` of a compiled loss).
        path: a `.png`, `.svg` or `.pdf` file; its folder is made, and it appears whole or not at all.
        over: the range of the horizontal axis. That axis is x - t where only the difference counts, else x; of a loss
            over classes it is the prediction for the second of two.
        targets: values of t, or labels 0 and 1, a curve for each; the horizontal axis is then x.
        gradient: whether the gradient is drawn.
        labels: a name for each loss, by default its own with its parameters.
        title: what stands above, by default the name of a single loss.
        graded: whether colours are those of a scale, as for the values of one parameter.

    Raises:
        LossFileError: the suffix is none of these, or the file cannot be written.
        LossTypeError: a loss is no function of two numbers, or has no finite value in the range.

    >>> import os, tempfile, lossdsl.plot
    >>> losses = [lossdsl.load("huber", delta=1.0), lossdsl.load("log_cosh")]
    >>> lossdsl.plot.draw(losses, os.path.join(tempfile.mkdtemp(), "robust.png")).name
    'robust.png'
    """
    target = Path(path)
    if target.suffix.lower() not in SUFFIXES:
        hint = f"its name ends in one of {', '.join(SUFFIXES)}"
        raise LossFileError(f"{target.name} is no picture that can be written", None, hint)
    given = [losses] if isinstance(losses, LoadedLoss) else list(losses)
    names = list(labels) if labels is not None else [label(loss) for loss in given]
    made = figure(given, names, over=over, targets=targets, gradient=gradient, title=title, graded=graded)
    return _written(made, target)


def family(
    source: str | os.PathLike[str],
    parameter: str,
    values: Sequence[Any],
    path: str | os.PathLike[str],
    *,
    fixed: Mapping[str, Any] | None = None,
    over: tuple[float, float] | None = None,
    targets: Sequence[float] | None = None,
    gradient: bool = True,
    title: str | None = None,
) -> Path:
    """Draws one loss for several values of a parameter; `fixed` gives values to others. Otherwise as `draw`.

    Args:
        source: what `lossdsl.load` takes: a path, a built-in's name, the text of a formula or file.
        parameter: the parameter that differs from curve to curve.
        values: its values, a curve each, in the colours of a scale.
        path, over, targets, gradient, title: as for `draw`; by default the title is the name of the loss.
        fixed: values for other parameters.

    Raises:
        LossError: what `lossdsl.load` or `draw` raises.

    >>> import os, tempfile, lossdsl.plot
    >>> path = os.path.join(tempfile.mkdtemp(), "quantile.svg")
    >>> lossdsl.plot.family("quantile", "q", [0.1, 0.5, 0.9], path).name
    'quantile.svg'
    """
    text = read(source)
    given = [LoadedLoss(text, (-1,), {**(fixed or {}), parameter: value}) for value in values]
    names = [f"{parameter} = {number(value)}" for value in values]
    heading = title if title is not None or not given else name(given[0])
    return draw(given, path, over=over, targets=targets, gradient=gradient, labels=names, title=heading, graded=True)


def png(loss: LoadedLoss) -> bytes:
    """The picture of one loss as a png file, without a title.

    Args:
        loss: what `lossdsl.load` gives.

    Raises:
        LossTypeError: the loss is no function of two numbers, or has no finite value.

    >>> import lossdsl.plot
    >>> lossdsl.plot.png(lossdsl.load("log_cosh"))[1:4]
    b'PNG'
    """
    kept = io.BytesIO()
    _save(figure([loss], [label(loss)], title=""), kept, ".png", dpi=110)
    return kept.getvalue()


def label(loss: LoadedLoss) -> str:
    """A loss's name (of a formula, the formula) with its parameters: `huber, delta = 0.5`.

    Of several parameters, those that have their default values are left out.

    Args:
        loss: what `lossdsl.load` gives. Raises nothing.

    >>> import lossdsl.plot
    >>> lossdsl.plot.label(lossdsl.load("huber", delta=0.5))
    'huber, delta = 0.5'
    """
    specs = loss.program.loss.parameters
    told = specs if len(specs) == 1 else [spec for spec in specs if not _is_default(loss, spec)]
    return ", ".join([name(loss), *(f"{spec.name} = {number(loss.parameters[spec.name])}" for spec in told)])


def _is_default(loss: LoadedLoss, spec: ParameterSpec) -> bool:
    return loss.parameters[spec.name] in (spec.default, (spec.default,))


def name(loss: LoadedLoss) -> str:
    """The name in the header; the text of a formula, shortened.

    Args:
        loss: what `lossdsl.load` gives. Raises nothing.

    >>> import lossdsl.plot
    >>> lossdsl.plot.name(lossdsl.load("mse"))
    'mean_squared_error'
    """
    if loss.program.file.losses[-1].header is not None:
        return loss.name
    text = " ".join(loss.source.split())
    return text if len(text) <= 60 else f"{text[:59]}…"


def number(value: Any) -> str:
    """A parameter's value for a reader.

    Args:
        value: a number, a truth value, or an array of numbers. Raises nothing.

    >>> import lossdsl.plot
    >>> lossdsl.plot.number(0.50)
    '0.5'
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(number, value))}]" if len(value) != 1 else number(value[0])
    return f"{value:g}".replace("-", "−") if isinstance(value, int | float) else str(value)


def _written(made: Figure, path: Path) -> Path:
    """The file, whole or not at all."""
    kept = io.BytesIO()
    _save(made, kept, path.suffix.lower())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LossFileError(f"{path} cannot be written: {error.strerror or error}") from None
    store(kept.getvalue(), path)
    return path


def _save(made: Figure, target: BinaryIO, suffix: str, dpi: int | str = "figure") -> None:
    import matplotlib

    # Dates and random identifiers would make each writing of one picture another file.
    undated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(suffix, {})
    with matplotlib.rc_context({"svg.hashsalt": "lossdsl"}):
        made.savefig(target, format=suffix[1:], metadata=undated, dpi=dpi)


__all__ = ["SUFFIXES", "Curve", "curve", "draw", "family", "figure", "label", "name", "number", "png"]
