"""What a saved model holds of its loss: what it has to be, before anything is made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lossdsl import pipeline
from lossdsl.errors import LossConfigError, format_value
from lossdsl.source import Source

FORMAT = 1
"""The version of what `get_config` returns."""
CHANGING = 2
"""That of a loss with parameters that change, which versions before did not know."""


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_text, value))


def _is_axis(value: Any) -> bool:
    return value is None or _is_whole(value) or (isinstance(value, list | tuple) and all(map(_is_whole, value)))


_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "source": (_is_text, "a text"),
    "parameters": (_is_mapping, "a mapping from names to values"),
    "axis": (_is_axis, "a whole number, a list of them, or None"),
    "name": (lambda value: value is None or _is_text(value), "a text"),
    "reduction": (lambda value: value is None or _is_text(value), "a text or None"),
    "dtype": (lambda value: not isinstance(value, bool | int | float), "the name of a dtype, or None"),
    "file": (_is_text, "a text"),
    "version": (_is_whole, "a whole number"),
    "layer": (lambda value: value is None or _is_text(value), "a text or None"),
}
"""Each field of a saved loss: what it may be, and that in words."""

_NEEDED = ("source", "parameters")
_REMEDY = "save the model again, or compile it with the loss made anew"


def check_config(config: Mapping[str, Any]) -> None:
    """Raises LossConfigError for a saved loss that lacks something, or holds what cannot be there."""
    version = config.get("version", FORMAT)
    if _is_whole(version) and version > CHANGING:
        raise LossConfigError(
            f"the saved loss has format {format_value(version)}; this version of lossdsl reads up to {CHANGING}",
            None,
            "install a newer lossdsl",
        )
    for name, value in config.items():
        if name not in _FIELDS:
            raise LossConfigError(f"the saved loss has a field {format_value(name)} that no loss has", None, _REMEDY)
        fits, wanted = _FIELDS[name]
        if not fits(value):
            raise LossConfigError(f"`{name}` of the saved loss is {wanted}, not {format_value(value)}", None, _REMEDY)
    for name in _NEEDED:
        if name not in config:
            raise LossConfigError(f"the saved loss has no `{name}`", None, _REMEDY)
    file = pipeline.parsed(Source(config["source"], str(config.get("file", "<formula>"))))
    for spec in pipeline.parameters(file):
        if spec.name not in config["parameters"]:
            message = f"the saved loss has no value for its parameter `{spec.name}`"
            raise LossConfigError(message, None, _REMEDY)
