"""Compare the schema of OIDCIssuer that the API server has with the one of this version. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from oidc_publisher.api import PLURAL, VERSION
from oidc_publisher.api.crd import CRD_NAME, custom_resource_definition
from oidc_publisher.cli.check.lines import CheckResult, Line
from oidc_publisher.wording import listed

_CHECK = f"CustomResourceDefinition {CRD_NAME}"
_NAMED = 4
_INSTALL = "The Helm chart installs it with crds.enabled; else kubectl apply --server-side -f crds/."
_UPGRADE = f"helm upgrade with crds.enabled, or kubectl apply --server-side -f crds/ of this version ({PLURAL})."


def definition_line(served: Mapping[str, Any] | None, *, pre: bool) -> Line:
    """Make the line of the CRD from the schema that the API server serves, None where it serves none.

    Fields are compared, and not descriptions: a field that the API server does not know is lost when an object or its
    status is written.
    """
    if served is None:
        if pre:
            return Line(CheckResult.YES, _CHECK, "not there yet: the installation brings it")
        return Line(CheckResult.NO, _CHECK, f"not there, or without version {VERSION}", _INSTALL)
    there, ours = set(_fields(served)), set(_fields(_own()))
    missing, foreign = sorted(ours - there), sorted(there - ours)
    if missing:
        found = f"of another version, without {listed(missing, most=_NAMED)}"
        return Line(CheckResult.WARNING if pre else CheckResult.NO, _CHECK, found, _UPGRADE)
    if foreign:
        found = f"of a newer version, with {listed(foreign, most=_NAMED)}"
        return Line(
            CheckResult.WARNING, _CHECK, found, "Upgrade the operator: this version does not know these fields."
        )
    return Line(CheckResult.YES, _CHECK, "there, with the fields of this version")


def _own() -> Mapping[str, Any]:
    version = custom_resource_definition()["spec"]["versions"][0]
    schema: Mapping[str, Any] = version["schema"]["openAPIV3Schema"]
    return schema


def _fields(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield the paths of the fields of spec and status; metadata is the API server's own."""
    members = schema.get("properties", {})
    for name in ("spec", "status"):
        yield from _below(members.get(name, {}), name)


def _below(schema: Mapping[str, Any], path: str) -> Iterator[str]:
    yield path
    for name, member in schema.get("properties", {}).items():
        yield from _below(member, f"{path}.{name}")
    items = schema.get("items")
    if isinstance(items, Mapping):
        yield from (field for field in _below(items, f"{path}[]") if field != f"{path}[]")
