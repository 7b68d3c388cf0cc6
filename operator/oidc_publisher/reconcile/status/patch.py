"""A merge patch writes the status: it holds what changed alone, and keeps the conditions of others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oidc_publisher.findings import ConditionType

_OURS = frozenset(str(kind) for kind in ConditionType)


def status_patch(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON merge patch (RFC 7386) that makes the `stored` status the `wanted` one; empty where nothing differs."""
    return merge_patch(stored, {**wanted, "conditions": _with_foreign(stored, wanted)})


def merge_patch(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return what RFC 7386 needs to turn `stored` into `wanted`: changed members, and null for each member that is gone."""
    patch: dict[str, Any] = {name: None for name in stored if name not in wanted}
    for name, value in wanted.items():
        known = stored.get(name)
        if isinstance(value, Mapping) and isinstance(known, Mapping):
            inner = merge_patch(known, value)
            if inner:
                patch[name] = inner
        elif name not in stored or known != value:
            patch[name] = value
    return patch


def _with_foreign(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Any]:
    """Return our conditions, then the conditions of others, which a merge patch of the list would delete otherwise."""
    foreign = [
        condition
        for condition in stored.get("conditions") or ()
        if isinstance(condition, Mapping) and condition.get("type") not in _OURS
    ]
    return [*wanted.get("conditions", ()), *foreign]
