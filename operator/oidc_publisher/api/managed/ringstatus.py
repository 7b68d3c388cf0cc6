"""Define status of SigningKeyRing, which signers write for people. No rule decides by it, and it holds no key.

As below the status of an OIDCIssuer the schema has no enum, limit or rule but those of standard conditions.
"""

from datetime import UTC, datetime
from typing import Annotated

from oidc_publisher.api.celrules import ListType
from oidc_publisher.api.common import APIModel, Flag, Int64, LongDuration, Time
from oidc_publisher.api.status import StatusCondition


class StatusVersion(APIModel):
    """One version of the signing key."""

    version: str
    """The version as a decimal number."""
    key_id: str | None = None
    """The key's `kid`, as in tokens and in key sets."""
    algorithm: str | None = None
    """RS256, ES256, ES384 or ES512."""
    state: str | None = None
    """Waiting (for permission), Allowed (but no signer signs with it), Signing, VerifyOnly (its private half is
    destroyed, and it is excluded from the published set), or Withdrawn."""
    imported: Flag | None = None
    """Whether the key signed tokens before the ring existed."""
    created_time: Time | None = None
    """When the version was made or imported."""
    signing_since_time: Time | None = None
    """When the first signer was allowed to sign with it."""
    verify_only_time: Time | None = None
    """When its private half was destroyed."""


class StatusSigner(APIModel):
    """One signer, beside one API server."""

    node: str
    """Name of the node."""
    api_server: str | None = None
    """HOST:PORT of the API server that the signer signs for."""
    version: str | None = None
    """The version that the signer signs with."""
    serial: Int64 | None = None
    """The write of the ring that the signer has read."""
    last_seen_time: Time | None = None
    """About when the signer last reported."""
    max_token_lifetime: LongDuration | None = None
    """The longest lifetime that the signer allows its API server to give a token."""
    findings: Annotated[tuple[str, ...], ListType("atomic")] = ()
    """What is wrong at this signer, each in a word. Each word has a runbook."""


class SigningKeyRingStatus(APIModel):
    """What the signers report."""

    observed_generation: Int64 | None = None
    """The metadata.generation that a signer last acted upon."""
    conditions: Annotated[tuple[StatusCondition, ...], ListType("map", ("type",))] = ()
    """Ready: every signer signs and reads the ring. Rotating: a version is on its way to sign."""
    versions: Annotated[tuple[StatusVersion, ...], ListType("atomic")] = ()
    """All versions, newest first."""
    signers: Annotated[tuple[StatusSigner, ...], ListType("map", ("node",))] = ()
    """All signers. Each one writes its own entry."""
    highest: str | None = None
    """The highest version there ever was."""
    next_rotation_time: Time | None = None
    """When the next version is made by rotationPeriod, at the earliest."""
    waiting_for: str | None = None
    """What the next version waits for, as a sentence."""


#: The status of a ring that no signer has seen.
WAITING_RING = SigningKeyRingStatus(
    conditions=(
        StatusCondition(
            type="Ready",
            status="Unknown",
            reason="WaitingForSigner",
            message="No signer has looked at this object yet.",
            last_transition_time=datetime(1970, 1, 1, tzinfo=UTC),
        ),
    )
)
