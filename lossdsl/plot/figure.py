"""The figure of some losses: their values above, their gradients below. The only door to matplotlib."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lossdsl.errors import LossTypeError
from lossdsl.extras import load
from lossdsl.plot.curve import Curve, curves
from lossdsl.plot.view import Array, View
from lossdsl.runtime.spec import LoadedLoss

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 16
"""How many curves a picture may hold."""

_COLOURS = ("#1b5e9e", "#c8453c", "#2c8f5f", "#d98a1e", "#6b4ba1", "#3d3d3d")
_DASHES: tuple[Any, ...] = (
    "-",
    (0, (6, 2)),
    (0, (1, 1.4)),
    (0, (6, 1.8, 1, 1.8)),
    (0, (3, 1.2)),
    (0, (6, 1.6, 1, 1.6, 1, 1.6)),
    (0, (10, 2.5)),
    (0, (1, 3)),
)
"""Lines that differ without their colours, too."""

_WIDE = 64
"""How many letters a line of text may have."""

_DOT: Mapping[str, Any] = {
    "marker": "o",
    "linestyle": "none",
    "color": "#555555",
    "markersize": 5,
    "markeredgecolor": "white",
}


@dataclass(frozen=True)
class _Drawn:
    """A curve with its name in the legend, and how its line looks."""

    curve: Curve
    label: str
    style: Mapping[str, Any]


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
    """The matplotlib figure that `draw` writes.

    Args:
        losses: what `lossdsl.load` gives.
        labels: a name for each loss.
        over, targets, gradient, title, graded: as for `draw`.

    Raises:
        LossTypeError: there is no loss, or one is no function of two numbers.

    >>> import lossdsl.plot
    >>> huber = lossdsl.load("huber", delta=1.0)
    >>> [axes.get_ylabel() for axes in lossdsl.plot.figure([huber], ["huber"]).axes]
    ['loss', 'gradient in the prediction']
    """
    load("matplotlib")
    from matplotlib.figure import Figure

    if not losses:
        raise LossTypeError("there is no loss to draw")
    drawn = _drawn(losses, labels, over, targets, graded=graded)
    height = (5.8 if gradient else 3.6) + 0.2 * max(0, len(drawn) - 3)
    made = Figure(figsize=(6.4, height), dpi=160, layout="constrained", facecolor="white")
    panels = made.subplots(2 if gradient else 1, 1, squeeze=False, sharex=True)[:, 0]
    for panel, name in zip(panels, ("value", "slope"), strict=False):
        for one in drawn:
            _line(panel, one.curve, getattr(one.curve, name), one.style)
        _dress(panel, "loss" if name == "value" else "gradient in the prediction")
        _fit(panel)
    edges = [one.curve.at[[0, -1]] for one in drawn]
    panels[0].set_xlim(min(edge[0] for edge in edges), max(edge[1] for edge in edges))
    below = list(dict.fromkeys(_along(one.curve, drawn) for one in drawn))
    panels[-1].set_xlabel(_plain("  or  ".join(below)) if len(below) < 3 else "prediction", fontsize=10)
    _explain(made, panels[0], drawn)
    heading = title if title is not None else labels[0] if len(losses) == 1 else ""
    if heading:
        panels[0].set_title(_plain(textwrap.fill(heading, _WIDE)), loc="left", fontsize=11.5, fontweight="bold", pad=10)
    return made


def _drawn(
    losses: Sequence[LoadedLoss],
    labels: Sequence[str],
    over: tuple[float, float] | None,
    targets: Sequence[float] | None,
    *,
    graded: bool,
) -> list[_Drawn]:
    """The curves of a figure: one a loss over the difference, if that is all that counts, or one for each target."""
    views = [View(loss) for loss in losses]
    other = next((view.targets for view in views if view.has_target and not view.is_shift_invariant), None)
    chosen = [_targets(view, targets, other) for view in views]
    count = sum(map(len, chosen))
    if count > MOST:
        raise LossTypeError(f"{count} curves are too many for one picture", None, f"it holds up to {MOST}")
    rows = [curves(view, each, over) for view, each in zip(views, chosen, strict=True)]
    colours = _scale(len(losses)) if graded else _COLOURS
    is_alone = len(losses) == 1
    pairs = [(number, one) for number, row in enumerate(rows) for one in row]
    found: list[_Drawn] = []
    for place, (number, one) in enumerate(pairs):
        parts = [one.told] * (count > 1) if is_alone else [labels[number], one.told]
        colour = colours[(place if is_alone else number) % len(colours)]
        style = {"color": colour, "linestyle": _DASHES[place % len(_DASHES)]}
        found.append(_Drawn(one, ", ".join(filter(None, parts)), style))
    return found


def _targets(view: View, given: Sequence[float] | None, others: Sequence[float] | None) -> Sequence[float | None]:
    """The targets that a loss is drawn for, given those of the user and those of other losses in the picture."""
    if not view.has_target:
        return [None]
    if given is not None:
        return given
    if others is None:
        return [None]
    return others if view.is_shift_invariant else view.targets


def _scale(count: int) -> list[Any]:
    import matplotlib

    return [tuple(map(float, row)) for row in matplotlib.colormaps["viridis"](np.linspace(0.05, 0.8, count))]


def _along(one: Curve, drawn: Sequence[_Drawn]) -> str:
    """The name of the horizontal axis, with the target if the legend does not tell it."""
    is_told = any(other.curve is one and one.told in other.label for other in drawn)
    return one.along if is_told or not one.told else f"{one.along}   ({one.told})"


def _plain(text: str) -> str:
    """Text in which matplotlib sees no formula."""
    return text.replace("$", r"\$")


def _line(panel: Axes, one: Curve, height: Array, style: Mapping[str, Any]) -> None:
    finite = np.where(np.isfinite(height), height, np.nan)
    panel.plot(one.at, finite, linewidth=1.9, dash_capstyle="butt", **style)
    gaps = np.flatnonzero(np.isnan(one.at))  # the numbers on either side of a gap are those on either side of a join
    places = np.concatenate([gaps - 1, gaps + 1])
    panel.plot(one.at[places], finite[places], **{**_DOT, "color": style["color"]}, zorder=4)


def _dress(panel: Axes, name: str) -> None:
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        panel.spines[side].set_color("#9a9a9a")
    panel.tick_params(colors="#444444", labelsize=9)
    panel.grid(True, color="#e6e6e6", linewidth=0.8)
    panel.set_axisbelow(True)
    panel.set_ylabel(name, fontsize=10)


def _explain(made: Figure, panel: Axes, drawn: Sequence[_Drawn]) -> None:
    """The legend: the curves, if there are several, and what the dots are; below the panels if it is long."""
    from matplotlib.lines import Line2D

    named = [(_plain(textwrap.fill(one.label, _WIDE)), one.style) for one in drawn if one.label]
    handles = [Line2D([], [], linewidth=1.9, label=text, **style) for text, style in named]
    if any(one.curve.joins.size for one in drawn):
        handles.append(Line2D([], [], label="pieces meet", **_DOT))
    if not handles:
        return
    look: dict[str, Any] = {"handles": handles, "fontsize": 9, "handlelength": 2.8, "edgecolor": "none"}
    if len(handles) <= 3:
        panel.legend(loc="best", framealpha=0.85, **look)
        return
    longest = max(len(str(handle.get_label())) for handle in handles)
    columns = 1 if longest > 40 else 2 if longest > 18 else 3
    made.legend(loc="outside lower center", ncols=columns, **look)


def _fit(panel: Axes) -> None:
    """Vertical limits that show the bulk of the curves where a pole would press them flat."""
    heights = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in panel.get_lines()])
    heights = heights[np.isfinite(heights)]
    if not heights.size:
        return
    low, high = float(heights.min()), float(heights.max())
    bulk = float(np.ptp(np.percentile(heights, [2, 98])))
    if high - low > 8 * bulk > 0:
        low, high = map(float, np.percentile(heights, [2, 98]))
    margin = 0.06 * (high - low) or 0.5
    panel.set_ylim(low - margin, high + margin)
