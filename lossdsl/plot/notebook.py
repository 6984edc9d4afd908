"""What a notebook shows of a loss."""

from __future__ import annotations

import base64
from html import escape

from lossdsl.errors import LossError
from lossdsl.plot import name, number, png
from lossdsl.runtime.spec import LoadedLoss

_WIDTH = 540
"""Of the picture, in pixels of a page; it has more of its own."""


def html(loss: LoadedLoss) -> str:
    """Name, title, formula (in `$$`, which a notebook typesets), parameters, and a picture if the loss is a curve.

    Whatever a user wrote is escaped, and only the formula is marked as one.
    """
    parts = [f"<strong>{_plain(name(loss))}</strong>"]
    title = loss.doc.partition("\n")[0]
    if title:
        parts.append(f"<div>{_plain(title)}</div>")
    parts.append(f"<div>$$\n{escape(loss.latex)}\n$$</div>")
    if loss.parameters:
        values = ", ".join(f"{each} = {number(value)}" for each, value in loss.parameters.items())
        parts.append(f"<div>{_plain(values)}</div>")
    picture = _picture(loss)
    if picture:
        parts.append(picture)
    return f'<div class="lossdsl">{"".join(parts)}</div>'


def _plain(text: str) -> str:
    """Text that a browser reads as text, and MathJax leaves alone."""
    return f'<span class="tex2jax_ignore mathjax_ignore">{escape(text)}</span>'


def _picture(loss: LoadedLoss) -> str:
    try:
        data = base64.b64encode(png(loss)).decode()
    except LossError:
        return ""  # no curve, or no matplotlib: a formula can be without
    return f'<img width="{_WIDTH}" alt="{escape(loss.name)}: value and gradient" src="data:image/png;base64,{data}">'
