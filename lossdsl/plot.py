"""Pictures of losses and their gradients. The only door to matplotlib, which is loaded when a picture is drawn.

    draw([load("huber"), load("log_cosh")], "out/robust.png")
    family("quantile", "q", [0.1, 0.5, 0.9], "out/quantile.svg")

A figure is made by itself, without pyplot: no window, no backend to choose, nothing left behind in the process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lossdsl.errors import LossFileError, LossTypeError
from lossdsl.ir import build as b
from lossdsl.ir.axes import BATCH
from lossdsl.ir.expr import Along, Call, Expr, Reduce, walk
from lossdsl.ir.ops import OPS
from lossdsl.runtime.execute import functions
from lossdsl.runtime.sources import read
from lossdsl.runtime.spec import LoadedLoss
from lossdsl.targets import code

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

SUFFIXES = (".png", ".svg", ".pdf")
POINTS = 801

_RANGES = {
    "prob": (0.0, 1.0),
    "simplex": (0.0, 1.0),
    "binary": (0.0, 1.0),
    "onehot": (0.0, 1.0),
    "positive": (0.0, 4.0),
    "nonneg": (0.0, 4.0),
    "count": (0.0, 4.0),
    "logprob": (-5.0, 0.0),
    "sign": (-1.0, 1.0),
    "unit": (-1.0, 1.0),
}
_TARGETS = {
    "prob": (0.0, 1.0),
    "binary": (0.0, 1.0),
    "onehot": (0.0, 1.0),
    "sign": (-1.0, 1.0),
    "simplex": (1.0,),
    "positive": (1.0,),
    "nonneg": (1.0,),
    "count": (1.0,),
}
_COLOURS = ("#1b5e9e", "#c8453c", "#2c8f5f", "#d98a1e", "#6b4ba1", "#3d3d3d")
_DASHES = ("-", "--", ":", "-.")


@dataclass(frozen=True, eq=False)
class Curve:
    """A loss and its slope in the prediction at the places `at`, each a batch of one sample with one element.

    A nan in all three arrays separates pieces that do not join smoothly; `joins` are the places where pieces meet.
    `shifted` is true where `at` is x - t, false where it is x.
    """

    at: Array
    value: Array
    slope: Array
    joins: Array
    shifted: bool
    target: float | None


def curve(loss: LoadedLoss, target: float | None = None, over: tuple[float, float] | None = None) -> Curve:
    """One loss along a range, of x - t where only the difference counts, else of the prediction for one target.

    Args:
        loss: what `lossdsl.load` gives.
        target: the value of t; by default 0, or what the kind of t suggests. It has no influence on a curve over x - t.
        over: the range of x - t or x; by default what the kind of x suggests, else -3 to 3.

    Raises:
        LossTypeError: the loss is no function of two numbers: it has a label, packed or further inputs. Also for a
            range that is none.
    """
    drawn = _Drawn(loss)
    shifted = target is None and drawn.is_shift_invariant
    if target is None and drawn.has_target:
        target = 0.0 if shifted else drawn.targets[0]
    low, high = over if over is not None else drawn.range
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise LossTypeError(f"a picture goes from a number to a larger one, not from {low!r} to {high!r}")
    grid = np.linspace(low, high, POINTS)
    brackets = drawn.brackets(grid, target)
    at = np.unique(np.concatenate([grid, *brackets])) if brackets else grid
    value, slope = drawn.sampled(at, target)
    sizes = (_bulk(value), _bulk(slope), _bulk(slope) / (high - low))
    joins = [pair for pair in brackets if drawn.is_join(pair, target, (high - low) / 1000, sizes)]
    cuts = np.searchsorted(at, [pair[1] for pair in joins])
    at, value, slope = (np.insert(array, cuts, np.nan) for array in (at, value, slope))
    return Curve(at, value, slope, np.array([pair[1] for pair in joins]), shifted, target)


class _Drawn:
    """A loss as a function of one number, the prediction, for one target."""

    def __init__(self, loss: LoadedLoss) -> None:
        self.loss = loss
        self.checked = loss.program.loss
        inputs = self.checked.inputs
        if len(inputs) > 2 or any(spec.is_label or len(spec.nodes) > 1 for spec in inputs):
            shown = ", ".join(spec.name for spec in inputs)
            raise LossTypeError(
                f"{loss.name}({shown}) is no curve", None, "a picture shows losses of two numbers, t and x"
            )
        nodes = list(walk(self.checked.result))
        self.is_coupled = any(isinstance(node, Reduce | Along) and BATCH in node.over for node in nodes)
        target = self.checked.target
        self.has_target = target is not None and any(node in nodes for node in target.nodes)
        self._conditions: list[Callable[..., Any]] | None = None

    @property
    def range(self) -> tuple[float, float]:
        return _RANGES.get(self.checked.prediction.domain, (-3.0, 3.0))

    @property
    def targets(self) -> tuple[float, ...]:
        """The targets that tell most about the loss."""
        spec = self.checked.target
        return _TARGETS.get(spec.domain, (0.0,)) if spec is not None and self.has_target else (0.0,)

    @property
    def is_shift_invariant(self) -> bool:
        """Whether only x - t counts: the same values, to eleven digits, for several targets."""
        if not self.has_target or self.checked.prediction.domain != "real":
            return False
        grid = np.linspace(-3.0, 3.0, 25)
        values = [self.sampled(grid + shift, shift)[0] for shift in (0.0, 0.375, -2.5)]
        return all(np.allclose(values[0], other, rtol=1e-11, atol=1e-11, equal_nan=True) for other in values[1:])

    def sampled(self, x: Array, target: float | None) -> tuple[Array, Array]:
        """Value and slope at each prediction, each a sample of one element."""

        def both(*inputs: Array) -> tuple[Any, Any]:
            return self.loss.numpy.value_and_grad(*inputs)

        value, slope = self._each(both, x, target)
        return np.broadcast_to(value, x.shape), np.broadcast_to(slope, x.shape)

    def _each(self, call: Callable[..., tuple[Any, ...]], x: Array, target: float | None) -> list[Array]:
        """What `call` gives at each prediction; each is a batch of its own where samples have a say in each other."""
        column = x[:, None]
        inputs = [column] if len(self.checked.inputs) == 1 else [np.full_like(column, target or 0.0), column]
        if not self.is_coupled:
            return [np.asarray(part, dtype=float).reshape(-1) for part in call(*inputs)]
        rows = [call(*(array[i : i + 1] for array in inputs)) for i in range(len(x))]
        return [
            np.array([np.asarray(part, dtype=float).reshape(-1)[0] for part in parts])
            for parts in zip(*rows, strict=True)
        ]

    # --- where pieces meet

    def brackets(self, grid: Array, target: float | None) -> list[tuple[float, float]]:
        """The places where a choice of the formula changes, each as two neighbouring numbers, in order."""
        found: set[tuple[float, float]] = set()
        for condition in self._choices():
            held = self._held(condition, grid, target)
            for place in np.flatnonzero(held[1:] != held[:-1]):
                found.add(self._bisected(condition, grid[place], grid[place + 1], bool(held[place]), target))
        return sorted(found)

    def _bisected(
        self, condition: Callable[..., Any], low: float, high: float, before: bool, target: float | None
    ) -> tuple[float, float]:
        while True:
            middle = 0.5 * (low + high)
            if not low < middle < high or high - low < 1e-14 * max(1.0, abs(low)):
                return float(low), float(high)
            if self._held(condition, np.array([middle]), target)[0] == before:
                low = middle
            else:
                high = middle

    def _held(self, condition: Callable[..., Any], x: Array, target: float | None) -> NDArray[np.bool_]:
        (held,) = self._each(lambda *inputs: (condition(*inputs, *self.loss.arguments(1)),), x, target)
        return np.asarray(np.broadcast_to(held, x.shape) != 0)

    def _choices(self) -> list[Callable[..., Any]]:
        """The conditions of all choices, as functions of the inputs."""
        if self._conditions is None:
            conditions = {_condition(node): None for node in walk(self.checked.result)}
            wanted = [expr for expr in conditions if expr is not None and not expr.is_static and expr.axes]
            made = [
                code.value_function(self.checked, b.number(expr), "numpy", f"choice_{number}")
                for number, expr in enumerate(wanted)
            ]
            label = f"{self.loss.name} choices"
            self._conditions = list(functions(code.module(made, "numpy"), label).values()) if made else []
        return [_quiet(condition) for condition in self._conditions]

    def is_join(
        self, pair: tuple[float, float], target: float | None, step: float, sizes: tuple[float, float, float]
    ) -> bool:
        """Whether value, slope or curvature visibly differ on the two sides; the choice in abs(e)^2 at 0 is no join.

        `sizes` are what value, slope and curvature amount to in the picture.
        """
        low, high = pair
        value, slope = self.sampled(np.array([low - step, low, high, high + step]), target)
        bends = (slope[1] - slope[0]) / step, (slope[3] - slope[2]) / step
        sides = ((value[1], value[2]), (slope[1], slope[2]), bends)
        return any(
            abs(one - other) > max(0.05 * max(abs(one), abs(other)), 0.01 * size)
            for (one, other), size in zip(sides, sizes, strict=True)
        )


def _bulk(heights: Array) -> float:
    """How far the bulk of some numbers reaches, poles left aside."""
    heights = heights[np.isfinite(heights)]
    return float(np.ptp(np.percentile(heights, [2, 98]))) if heights.size else 0.0


def _condition(node: Expr) -> Expr | None:
    """What a node chooses by."""
    if not isinstance(node, Call):
        return None
    if node.op is OPS["where"]:
        return node.args[0]
    if node.op.name in ("max", "min"):
        return b.call("ge", node.args[0], node.args[1])
    if node.op.name in ("abs", "sign", "relu"):
        return b.call("gt", node.args[0], b.ZERO)
    return None


def _quiet(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*arguments)

    return call


# --- figures ------------------------------------------------------------------------------------------------------


def draw(
    losses: LoadedLoss | Iterable[LoadedLoss],
    path: str | os.PathLike[str],
    *,
    over: tuple[float, float] | None = None,
    targets: Sequence[float] | None = None,
    gradient: bool = True,
    labels: Sequence[str] | None = None,
    title: str | None = None,
) -> Path:
    """Draws losses, and beside them their slopes in the prediction, into a file; gives its path.

    Args:
        losses: what `lossdsl.load` gives, one or several (`.spec` of a compiled loss).
        path: a `.png`, `.svg` or `.pdf` file; its folder is made, and it appears whole or not at all.
        over: the range of the horizontal axis. That axis is x - t where only the difference counts, else x.
        targets: values of t, a curve for each; the horizontal axis is then x.
        gradient: whether the slope is drawn.
        labels: a name for each loss, by default its own with its parameters.
        title: what stands above, by default the name of a single loss.

    Raises:
        LossFileError: the suffix is none of these, or the file cannot be written.
        LossTypeError: a loss is no function of two numbers.
    """
    given = [losses] if isinstance(losses, LoadedLoss) else list(losses)
    names = list(labels) if labels is not None else [label(loss) for loss in given]
    return _written(figure(given, names, over=over, targets=targets, gradient=gradient, title=title), Path(path))


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

    Raises also what `lossdsl.load` raises.
    """
    text = read(source)
    given = [LoadedLoss(text, (-1,), {**(fixed or {}), parameter: value}) for value in values]
    names = [f"{parameter} = {_number(value)}" for value in values]
    heading = title if title is not None or not given else _name(given[0])
    shown = figure(given, names, over=over, targets=targets, gradient=gradient, title=heading, graded=True)
    return _written(shown, Path(path))


def label(loss: LoadedLoss) -> str:
    """A loss's name (of a formula, the formula) with its parameters: `huber, delta = 0.5`."""
    parts = [f"{name} = {_number(value)}" for name, value in loss.parameters.items()]
    return ", ".join([_name(loss), *parts])


def _name(loss: LoadedLoss) -> str:
    if loss.program.file.losses[-1].header is not None:
        return loss.name
    text = " ".join(loss.source.split())
    return text if len(text) <= 60 else f"{text[:59]}…"


def _number(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_number, value))}]"
    return f"{value:g}".replace("-", "−") if isinstance(value, int | float) else str(value)


def figure(
    losses: Sequence[LoadedLoss],
    labels: Sequence[str],
    *,
    over: tuple[float, float] | None = None,
    targets: Sequence[float] | None = None,
    gradient: bool = True,
    title: str | None = None,
    graded: bool = False,
) -> Figure:
    """The matplotlib figure that `draw` writes; `graded` colours are those of a scale instead of separate ones."""
    import matplotlib
    from matplotlib.figure import Figure

    if not losses:
        raise LossTypeError("there is no loss to draw")
    drawn = [_Drawn(loss) for loss in losses]
    chosen: Sequence[float | None] | None = targets
    if chosen is None:
        chosen = [None] if all(one.is_shift_invariant or not one.has_target for one in drawn) else drawn[0].targets
    curves = [[curve(loss, target, over) for target in chosen] for loss in losses]
    if graded:
        scale = matplotlib.colormaps["viridis"](np.linspace(0.08, 0.82, len(losses)))
        colours: list[Any] = [tuple(map(float, row)) for row in scale]
    else:
        colours = [_COLOURS[number % len(_COLOURS)] for number in range(len(losses))]

    made = Figure(figsize=(9.2 if gradient else 5.6, 3.9), dpi=160, layout="constrained", facecolor="white")
    panels = made.subplots(1, 2 if gradient else 1, squeeze=False)[0]
    single = len(losses) == 1
    for name, colour, row in zip(labels, colours, curves, strict=True):
        for number, one in enumerate(row):
            shown = "" if one.target is None or len(row) == 1 else f"t = {_number(one.target)}"
            text = ", ".join(part for part in ("" if single else name, shown) if part)
            style = {"color": colour, "linestyle": _DASHES[number % len(_DASHES)], "label": _plain(text) or None}
            if single and len(row) > 1:
                style |= {"color": _COLOURS[number % len(_COLOURS)], "linestyle": "-"}
            _line(panels[0], one, one.value, style)
            if gradient:
                _line(panels[1], one, one.slope, style)
    first = curves[0][0]
    below = "x − t" if first.shifted else "x"
    if not first.shifted and first.target is not None and len(chosen) == 1:
        below = f"x   (t = {_number(first.target)})"
    for panel, heading in zip(panels, ("loss", "slope in x"), strict=False):
        _dress(panel, below, heading, (first.at[0], first.at[-1]))
    if panels[0].get_legend_handles_labels()[0]:
        panels[0].legend(frameon=False, fontsize=9, handlelength=1.6)
    heading = title if title is not None else labels[0] if single else ""
    if heading:
        made.suptitle(_plain(heading), fontsize=12, x=0.012, horizontalalignment="left", fontweight="bold")
    return made


def _plain(text: str) -> str:
    """Text in which matplotlib sees no formula."""
    return text.replace("$", r"\$")


def _line(panel: Axes, one: Curve, height: Array, style: Mapping[str, Any]) -> None:
    finite = np.where(np.isfinite(height), height, np.nan)
    panel.plot(one.at, finite, linewidth=2.0, solid_capstyle="round", **style)
    ends = np.flatnonzero(np.isnan(one.at))  # the numbers on either side of a gap are those on either side of a join
    places = np.concatenate([ends - 1, ends + 1])
    panel.plot(one.at[places], finite[places], "o", color=style["color"], markersize=4.5, markeredgecolor="white")


def _dress(panel: Axes, below: str, heading: str, ends: tuple[float, float]) -> None:
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        panel.spines[side].set_color("#9a9a9a")
    panel.tick_params(colors="#555555", labelsize=9)
    panel.grid(True, color="#e6e6e6", linewidth=0.8)
    panel.set_axisbelow(True)
    panel.set_xlabel(below, fontsize=10)
    panel.set_title(heading, loc="left", fontsize=10, color="#333333")
    panel.set_xlim(*ends)
    _fit(panel)


def _fit(panel: Axes) -> None:
    """Vertical limits that show the bulk of the curves where a pole would press them flat."""
    heights = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in panel.get_lines()])
    heights = heights[np.isfinite(heights)]
    if not heights.size:
        return
    low, high = float(heights.min()), float(heights.max())
    if high - low > 8 * _bulk(heights) > 0:
        low, high = map(float, np.percentile(heights, [2, 98]))
    margin = 0.06 * (high - low) or 0.5
    panel.set_ylim(low - margin, high + margin)


def _written(made: Figure, path: Path) -> Path:
    """The figure in a file, which appears whole or not at all."""
    import matplotlib

    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise LossFileError(f"{path.name} is no picture that can be written", None, f"its name ends in one of {known}")
    # Dates and random identifiers would make each writing of one picture another file.
    undated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(suffix, {})
    aside = path.with_name(f".{path.stem}.{os.getpid()}{suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with matplotlib.rc_context({"svg.hashsalt": "lossdsl"}):
            made.savefig(aside, metadata=undated)
        aside.replace(path)
    except OSError as error:
        raise LossFileError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
    return path
