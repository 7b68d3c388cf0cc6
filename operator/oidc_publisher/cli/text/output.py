"""The two streams of a command: its result goes to stdout in the form of --output, its progress to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import click
import yaml

from oidc_publisher.api import StatusFinding, format_time
from oidc_publisher.api.common import wire_name
from oidc_publisher.cli.options import Asking, Output
from oidc_publisher.cli.text.progress import tell

__all__ = ["tell", "to_json", "write_line", "write_result", "written"]


def write_result(asking: Asking, result: object, as_text: Callable[[], object]) -> None:
    """Write a result to stdout, unless --quiet.

    `as_text` prints the result for people; for --output json and yaml, `result` is written as `to_json` makes it.
    """
    if asking.quiet:
        return
    if asking.output is Output.TEXT:
        as_text()
    else:
        click.echo(written(to_json(result), asking.output), nl=False)


def write_line(asking: Asking, result: object) -> None:
    """Write one of several results to stdout as JSON on a line of its own, or as a document of YAML, unless --quiet."""
    if asking.quiet:
        return
    value = to_json(result)
    click.echo(f"---\n{written(value, Output.YAML)}" if asking.output is Output.YAML else json.dumps(value), nl=True)
    sys.stdout.flush()


def to_json(value: Any) -> Any:
    """Turn a result into JSON values.

    Names of members are written as in the API (camelCase), times in RFC 3339. Members that are None or "" are left out.
    """
    if is_dataclass(value) and not isinstance(value, type):
        members = {wire_name(field.name): to_json(getattr(value, field.name)) for field in fields(value)}
        return {name: member for name, member in members.items() if member is not None and member != ""}
    if isinstance(value, StatusFinding):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, StrEnum):
        return value.value
    return [to_json(item) for item in value] if isinstance(value, tuple) else value


def written(value: object, output: Output) -> str:
    """Write JSON values as JSON or YAML in the given order, and escape every character that could steer a terminal."""
    dump = _as_json if output is Output.JSON else _as_yaml
    text = dump(value, ascii_only=False)
    # Both formats escape the control characters of ASCII only, not 8-bit escapes and not marks of direction.
    return text if text.replace("\n", "").isprintable() else dump(value, ascii_only=True)


def _as_json(value: object, *, ascii_only: bool) -> str:
    return json.dumps(value, indent=2, ensure_ascii=ascii_only) + "\n"


def _as_yaml(value: object, *, ascii_only: bool) -> str:
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=not ascii_only, width=120))
