"""JSON schemas for kubeconform, made from what an API server says of its own objects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_KINDS = "x-kubernetes-group-version-kind"

_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"


def write_schemas(openapi: Mapping[str, Any], folder: Path) -> str:
    """Write a schema for each kind of an OpenAPI v2 document, and return kubeconform's template of their paths.

    Every object is closed, so that an unknown field is an error, as the API server's strict validation has it.
    """
    definitions = {name: _closed(definition) for name, definition in openapi["definitions"].items()}
    definitions[_QUANTITY] = {"type": ["string", "number"]}  # the server takes `cpu: 1`
    (folder / "definitions.json").write_text(json.dumps({"definitions": definitions}))
    for name, definition in openapi["definitions"].items():
        for file in _files(definition):
            (folder / file).write_text(json.dumps({"$ref": f"file://{folder}/definitions.json#/definitions/{name}"}))
    return f"{folder}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"


def _files(definition: Mapping[str, Any]) -> Iterator[str]:
    for kind in definition.get(_KINDS, ()):
        group = [kind["group"].partition(".")[0]] if kind["group"] else []
        yield "-".join([kind["kind"].lower(), *group, kind["version"]]) + ".json"


def _closed(schema: Any) -> Any:
    """The same schema as JSON Schema has it: references to the file's own definitions, no unknown member."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "int-or-string":
        return {"type": ["integer", "string"]}
    made = {name: _closed(member) for name, member in schema.items() if not name.startswith("x-kubernetes")}
    if "properties" in schema:  # where a name that begins so is a member: a CRD's own schema
        made["properties"] = {name: _closed(member) for name, member in schema["properties"].items()}
    if "properties" in schema and "additionalProperties" not in schema:
        made["additionalProperties"] = False
    return made
