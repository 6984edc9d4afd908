"""The docstrings of the functions and classes: the catalog's text, then arguments, result and errors."""

from __future__ import annotations

import textwrap

from lossdsl import catalog
from lossdsl.runtime.drop_in.row import BuiltInRow

_SHARED = {
    "axis": "the axis (or axes) over which each value is made; None for all of them.",
    "from_logits": "whether `y_pred` holds logits instead of probabilities.",
    "label_smoothing": "how far labels are drawn to the middle, from 0 to 1.",
    "reduction": 'how the values become one number: "sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", '
    '"none" or None.',
    "name": "the name in logs.",
    "dtype": "the dtype of the computation; by default `keras.config.floatx()`.",
}


def doc(row: BuiltInRow, options: list[str], *, is_function: bool) -> str:
    """The docstring of a function or class: the catalog's text, then arguments, result and errors."""
    source = catalog.read(row.name)
    assert source is not None, row.name
    text = source.text.split('"""')[1].strip()
    lines = [text, "", "Args:"]
    if is_function:
        lines += _item("y_true", f"the target t; shapes {row.shapes}.")
        lines += _item("y_pred", "the prediction x, of any floating dtype, which is that of the result.")
    for name in options:
        lines += _item(name, row.arguments.get(name) or _SHARED[name])
    if is_function:
        lines += ["", "Returns:", f"    {row.gives}"]
    lines += ["", "Raises:", *_item("LossError", "shapes that do not agree, or an argument out of its range.")]
    return "\n".join(lines)


def _item(name: str, text: str) -> list[str]:
    return textwrap.wrap(f"{name}: {text}", 112, initial_indent=" " * 4, subsequent_indent=" " * 8)
