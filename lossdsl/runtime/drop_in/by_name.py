"""Losses as plain dicts, and from them or their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras


def serialize(loss: Any) -> Any:
    """A loss function or object as a plain dict, from which `deserialize` makes it again."""
    return keras.saving.serialize_keras_object(loss)


def found_by(known: Mapping[str, Any], name: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """A loss function or object from what `serialize` gave, from the name of one, or from class name and config."""
    if isinstance(name, Mapping) and "registered_name" not in name and name.get("class_name") in known:
        return known[name["class_name"]].from_config(dict(name.get("config") or {}))
    if isinstance(name, str) and name not in (custom_objects or {}) and name in known:
        return known[name]
    return keras.saving.deserialize_keras_object(name, custom_objects=custom_objects, module_objects=dict(known))
