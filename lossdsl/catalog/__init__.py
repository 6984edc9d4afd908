"""The built-in losses: one `NAME.loss` file each, and the other names that they go by."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lossdsl.source import Source

_FOLDER = Path(__file__).resolve().parent

ALIASES: Mapping[str, str] = {
    "bce": "binary_crossentropy",
    "cosine_proximity": "cosine_similarity",
    "huber_loss": "huber",
    "kld": "kl_divergence",
    "kullback_leibler_divergence": "kl_divergence",
    "l1": "mean_absolute_error",
    "l2": "mean_squared_error",
    "logcosh": "log_cosh",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "mse": "mean_squared_error",
    "msle": "mean_squared_logarithmic_error",
    "pinball": "quantile",
}
"""Other names of built-in losses, in Keras or elsewhere, and the name that each stands for."""


def names() -> list[str]:
    """The names of the built-in losses, sorted, each loss once.

    >>> "huber" in names()
    True
    """
    return sorted(path.stem for path in _FOLDER.glob("*.loss"))


def known() -> list[str]:
    """The names of the built-in losses and their other names, sorted."""
    return sorted({*names(), *ALIASES})


def aliases(name: str) -> list[str]:
    """The other names of a built-in loss, sorted.

    >>> aliases("mean_squared_error")
    ['l2', 'mse']
    """
    return sorted(alias for alias, full in ALIASES.items() if full == name)


def read(name: str) -> Source | None:
    """The text of a built-in loss, by its name or another of its names; None if there is none of that name.

    >>> read("mse") == read("mean_squared_error")
    True
    """
    full = ALIASES.get(name, name)
    if full not in names():
        return None
    return Source((_FOLDER / f"{full}.loss").read_text(encoding="utf-8"), f"{full}.loss")
