"""What values.yaml says of itself: each value with its default and the comment above it that begins with `--`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

_MEMBER = re.compile(r"^(?P<indent> *)(?P<name>[A-Za-z]+):")
_COMMENT = re.compile(r"^ *# -- (?P<said>.*)$")


@dataclass(frozen=True, slots=True)
class Value:
    """One value as values.yaml has it; `path` is written with dots, as `--set` takes it."""

    path: str
    default: Any
    said: str

    @property
    def default_json(self) -> str:
        """Its default on one line."""
        return json.dumps(self.default, separators=(", ", ": "))


def documented(text: str) -> list[Value]:
    """Every value with a comment of its own, in the order of the file."""
    defaults = yaml.safe_load(text)
    return [Value(path, _at(defaults, path), said) for path, said in _comments(text)]


def _comments(text: str) -> Iterator[tuple[str, str]]:
    above: list[str] = []
    said = ""
    for line in text.splitlines():
        if comment := _COMMENT.match(line):
            said = comment["said"]
        elif member := _MEMBER.match(line):
            above = [*above[: len(member["indent"]) // 2], member["name"]]
            if said:
                yield ".".join(above), said
            said = ""


def _at(values: Mapping[str, Any], path: str) -> Any:
    found: Any = values
    for name in path.split("."):
        found = found[name]
    return found


def type_of(schema: Mapping[str, Any], path: str) -> str:
    """What the schema lets a value be, in a few words."""
    for name in path.split("."):
        schema = schema["properties"][name]
    if "enum" in schema:
        return ", ".join(f"`{word}`" if word else "empty" for word in schema["enum"])
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    said = " or ".join({"array": "list", "integer": "number", "object": "map"}.get(kind, kind) for kind in kinds)
    if "minimum" in schema and "maximum" in schema:
        return f"{said}, {schema['minimum']} to {schema['maximum']}"
    return said
