"""What this version cannot do yet. A field whose work is missing is refused by name, never silently ignored."""

from __future__ import annotations

from collections.abc import Iterator

from oidc_publisher.api import Adoption, DeletionPolicy, OIDCIssuerSpec
from oidc_publisher.findings import Finding, Reason


def unsupported(spec: OIDCIssuerSpec) -> tuple[Finding, ...]:
    """A SpecUnsupported finding for each field of `spec` that asks for what this version cannot do."""
    return tuple(
        Finding.of(Reason.SpecUnsupported, f"{field} is not supported by this version", hint=hint, subject=field)
        for field, hint in _fields(spec)
    )


def _fields(spec: OIDCIssuerSpec) -> Iterator[tuple[str, str]]:
    if spec.store.gcs is not None:
        yield "spec.store.gcs", "Use spec.store.s3, or run a version that supports it."
    if spec.store.s3 is not None and spec.store.s3.cloud_front is not None:
        yield (
            "spec.store.s3.cloudFront",
            "Remove it: copies then live for their max-age. Or run a version that supports it.",
        )
    if spec.adoption is not Adoption.REFUSE:
        yield (
            "spec.adoption",
            "Set it to Refuse and choose a place without foreign documents, or run a version that supports it.",
        )
    if spec.deletion_policy is not DeletionPolicy.RETAIN:
        yield (
            "spec.deletionPolicy",
            "Set it to Retain and delete the documents by hand, or run a version that supports it.",
        )
