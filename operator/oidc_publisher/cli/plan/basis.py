"""The object as if the manifest were applied now: the manifest's spec with the status of the living object. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from oidc_publisher.api import OIDCIssuer, OIDCIssuerSpec
from oidc_publisher.api.celrules import Rule
from oidc_publisher.errors import InvalidObjectError
from oidc_publisher.findings import Reason
from oidc_publisher.wording import listed

#: The CEL rule of an immutable field, which needs the old value and the new one.
_IMMUTABLE = "self == oldSelf"
_NAMED = 6


@dataclass(frozen=True, slots=True)
class Basis:
    """The object to plan for, and the sentence that tells people which one it is."""

    issuer: OIDCIssuer
    sentence: str


def basis_of(manifest: OIDCIssuer, living: OIDCIssuer | None) -> Basis:
    """Put the manifest's spec on the living object of its name, whose status has the ledger.

    Raises:
        InvalidObjectError: the API server would refuse the change, or the object is being deleted (SpecUnsupported).
    """
    name = f"oidci/{manifest.metadata.name}"
    if living is None:
        return Basis(manifest, f"{name}, which is not in the cluster yet")
    if living.metadata.deletion_timestamp is not None:
        message = f"{name} is being deleted, so nothing is published for it any more"
        raise InvalidObjectError(Reason.SpecUnsupported, message, hint="Wait until it is gone, then plan anew.")
    refused = tuple(_refused(manifest.spec, living.spec))
    if refused:
        message = f"The API server would refuse this change of {name}: {'; '.join(refused)}"
        raise InvalidObjectError(Reason.SpecUnsupported, message)
    changed = tuple(_changed(_plain(living.spec), _plain(manifest.spec), "spec"))
    metadata = living.metadata
    if changed:
        metadata = metadata.model_copy(update={"generation": metadata.generation + 1})
    issuer = living.model_copy(update={"metadata": metadata, "spec": manifest.spec})
    told = f"{name} as it is in the cluster" if not changed else f"{name}, changed in {listed(changed, most=_NAMED)}"
    return Basis(issuer, told)


def _refused(wanted: OIDCIssuerSpec, living: OIDCIssuerSpec) -> Iterator[str]:
    """Yield each immutable field that the manifest changes, with the sentence of the CRD."""
    for attribute, field in OIDCIssuerSpec.model_fields.items():
        rule = next((m for m in field.metadata if isinstance(m, Rule) and m.cel == _IMMUTABLE), None)
        if rule is not None and getattr(wanted, attribute) != getattr(living, attribute):
            yield f"spec.{field.alias or attribute}: {rule.message}"


def _plain(spec: OIDCIssuerSpec) -> Any:
    return spec.model_dump(mode="json", by_alias=True)


def _changed(before: Any, after: Any, path: str) -> Iterator[str]:
    """Yield the paths of the members that differ; a list counts as one value."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for member in after:
            yield from _changed(before.get(member), after[member], f"{path}.{member}")
    elif before != after:
        yield path
