"""The built-in losses: one `NAME.loss` file each."""

from __future__ import annotations

from pathlib import Path

from lossdsl.source import Source

_FOLDER = Path(__file__).resolve().parent


def names() -> list[str]:
    """The names of the built-in losses, sorted.

    >>> "huber" in names()
    True
    """
    return sorted(path.stem for path in _FOLDER.glob("*.loss"))


def read(name: str) -> Source | None:
    """The text of a built-in loss, or None if there is none of that name."""
    if name not in names():
        return None
    return Source((_FOLDER / f"{name}.loss").read_text(encoding="utf-8"), f"{name}.loss")
