"""What SARIF 2.1.0 demands of the objects that lossdsl writes, as a JSON schema; sections are those of the standard.

OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", Errata 01 (2023). Objects are closed: what is
not named here is not written, so that a misspelt property does not pass for an extension.
"""

from typing import Any


def _object(required: str, **properties: Any) -> dict[str, Any]:
    """A closed object with these properties, of which some are required."""
    return {
        "type": "object",
        "properties": {name.replace("__", "$"): schema for name, schema in properties.items()},
        "required": [name.replace("__", "$") for name in required.split()],
        "additionalProperties": False,
    }


def _list(items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


TEXT = {"type": "string", "minLength": 1}
POSITIVE = {"type": "integer", "minimum": 1}

# 3.11.5: braces that are no placeholder are doubled; 3.11.6: no link is meant
PLAIN = {"type": "string", "minLength": 1, "pattern": r"^([^{}]|\{\{|\}\})*$", "not": {"pattern": r"\]\("}}
MESSAGE = _object("text", text=PLAIN)  # 3.11
MULTIFORMAT = _object("text", text=PLAIN, markdown=PLAIN)  # 3.12
LEVEL = {"enum": ["none", "note", "warning", "error"]}  # 3.27.10

# 3.4.3: a URI reference; a relative one does not begin with a slash and is told against a base (3.4.4)
ARTIFACT = {
    "oneOf": [
        _object("uri uriBaseId", uri={"type": "string", "pattern": r"^[\w.~%-]+(/[\w.~%-]+)*$"}, uriBaseId=TEXT),
        _object("uri", uri={"type": "string", "pattern": "^file:///"}),
    ]
}
REGION = _object(  # 3.30.5 to 3.30.8
    "startLine", startLine=POSITIVE, startColumn=POSITIVE, endLine=POSITIVE, endColumn=POSITIVE
)
LOCATION = _object(  # 3.28, 3.29
    "physicalLocation", physicalLocation=_object("artifactLocation", artifactLocation=ARTIFACT, region=REGION)
)
SUPPRESSION = _object(  # 3.35
    "kind", kind={"enum": ["inSource", "external"]}, justification=TEXT
)
RULE = _object(  # 3.49
    "id",
    id=TEXT,
    name=TEXT,
    shortDescription=MULTIFORMAT,
    fullDescription=MULTIFORMAT,
    help=MULTIFORMAT,
    defaultConfiguration=_object("", level=LEVEL, enabled={"type": "boolean"}),  # 3.50
)
RESULT = _object(  # 3.27; `suppressions` for all results or for none (3.27.23)
    "message ruleId suppressions",
    ruleId=TEXT,
    ruleIndex={"type": "integer", "minimum": 0},
    level=LEVEL,
    message=MESSAGE,
    locations=_list(LOCATION, maxItems=1),
    suppressions=_list(SUPPRESSION, uniqueItems=True),
    properties={"type": "object"},  # 3.8
)
DRIVER = _object(  # 3.19
    "name", name=TEXT, semanticVersion={"type": "string", "pattern": r"^\d+\.\d+\.\d+"}, rules=_list(RULE)
)
RUN = _object(  # 3.14; `columnKind` is required where there are results (3.14.27)
    "tool results columnKind",
    tool=_object("driver", driver=DRIVER),  # 3.18
    originalUriBaseIds={"type": "object", "additionalProperties": _object("", description=MESSAGE)},  # 3.14.14
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results=_list(RESULT),
)
LOG = _object(  # 3.13
    "version runs", __schema={"type": "string", "pattern": "^https://"}, version={"const": "2.1.0"}, runs=_list(RUN)
)
