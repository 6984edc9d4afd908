"""A JSON schema of what YAML says about a loss, for editors that complete and check it.

    # yaml-language-server: $schema=lossdsl.schema.json

`python -m lossdsl.config.schema` writes it. It describes a file whose losses stand under `loss` or `losses`, at any
depth, and a file that is a loss as a whole. What is wrong in a formula, or what a loss requires of a number, only
`lossdsl check` tells.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from lossdsl import catalog, pipeline
from lossdsl.config.forms import REDUCTIONS
from lossdsl.ir.loss import ParameterSpec

_WRITTEN = {"type": "string", "pattern": r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"}
"""A number that YAML reads as text, such as 1e-3."""

_NUMBER: dict[str, Any] = {"anyOf": [{"type": "number"}, _WRITTEN]}
_CHANGING = {"$ref": "#/$defs/changing"}
_KINDS: dict[str, dict[str, Any]] = {
    "bool": {"type": "boolean"},
    "int": {"type": "integer"},
    "real": {"anyOf": [*_NUMBER["anyOf"], _CHANGING]},
    "vector": {"anyOf": [*_NUMBER["anyOf"], {"type": "array", "items": _NUMBER}, _CHANGING]},
    "matrix": {"anyOf": [{"type": "array", "items": {"type": "array", "items": _NUMBER}}, _CHANGING]},
}
_OPTIONS: dict[str, Any] = {
    "reduction": {"enum": [*REDUCTIONS, None], "description": "How the values of a batch become one number."},
    "axis": {
        "anyOf": [{"type": ["integer", "null"]}, {"type": "array", "items": {"type": "integer"}, "minItems": 1}],
        "description": "The axis or axes that play `last`; null for all of them.",
    },
    "name": {"type": "string", "description": "The name in logs."},
    "dtype": {"type": "string", "description": "The dtype of the computation."},
}


def schema() -> dict[str, Any]:
    """The schema, as plain JSON.

    >>> sorted(schema()["$defs"]["one"]["anyOf"][1]["properties"]["huber"]["$ref"].split("/"))
    ['#', '$defs', 'huber']
    """
    names = {name: full for name in catalog.known() if (full := catalog.full_name(name)) is not None}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Losses for lossdsl",
        "anyOf": [_LOSS, {"$ref": "#/$defs/nested"}],
        "$defs": {
            "loss": {"anyOf": [{"$ref": "#/$defs/one"}, {"$ref": "#/$defs/terms"}, {"$ref": "#/$defs/outputs"}]},
            "one": {"anyOf": [{"type": "string", "minLength": 1}, _mapping(names)]},
            "terms": {"type": "array", "items": {"$ref": "#/$defs/one"}, "minItems": 1},
            "outputs": _object({"outputs": _all(_LOSS)}, ["outputs"]),
            "changing": {
                "anyOf": [
                    _object({"learned": True, "low": _NUMBER, "high": _NUMBER}, ["learned"]),
                    _object({"schedule": {"type": "object"}, "by": {"enum": ["step", "epoch"]}}, ["schedule"]),
                ]
            },
            "nested": {
                "type": "object",
                "properties": {"loss": _LOSS, "losses": {"anyOf": [_all(_LOSS), {"type": "array", "items": _LOSS}]}},
                "additionalProperties": {"anyOf": [{"$ref": "#/$defs/nested"}, {"not": {"type": "object"}}]},
            },
            **{name: _builtin(name) for name in catalog.names()},
        },
    }


_LOSS = {"$ref": "#/$defs/loss"}


def _object(properties: Mapping[str, Any], required: Sequence[str] = ()) -> dict[str, Any]:
    return {"type": "object", "properties": {**properties}, "required": [*required], "additionalProperties": False}


def _all(inner: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": {**inner}}


def _mapping(names: Mapping[str, str]) -> dict[str, Any]:
    """A loss as a mapping: one way to name it, and options beside that."""
    ways = {
        "file": {"type": "string", "description": "A `.loss` file, relative to this one."},
        "formula": {"type": "string", "description": "A formula, in which t is the target and x the prediction."},
        "terms": {"$ref": "#/$defs/terms"},
        **{name: {"$ref": f"#/$defs/{full}"} for name, full in names.items()},
    }
    beside = {
        "params": {"type": ["object", "null"], "additionalProperties": {"anyOf": [*_KINDS.values()]}},
        "weight": {**_KINDS["real"], "description": "The factor of the loss in a list, or of an output."},
        **_OPTIONS,
    }
    one_way = {"propertyNames": {"enum": [*beside]}, "minProperties": 0}
    return {
        **_object({**ways, **beside}),
        "not": one_way,  # some way is there
        "if": {"anyOf": [{"required": ["file"]}, {"required": ["formula"]}]},
        "else": {"not": {"required": ["params"]}},
    }


def _builtin(name: str) -> dict[str, Any]:
    """The parameters of a built-in loss."""
    file = pipeline.builtin(name)
    assert file is not None
    parameters = {one.name: _parameter(one) for one in pipeline.parameters(file)}
    return {**_object(parameters), "type": ["object", "null"], "description": catalog.title(name)}


def _parameter(spec: ParameterSpec) -> dict[str, Any]:
    found = dict(_KINDS[spec.kind])
    default = spec.default
    if default is not None and default not in (math.inf, -math.inf):
        found["default"] = default
    return found


if __name__ == "__main__":
    print(json.dumps(schema(), indent=1, ensure_ascii=False))
