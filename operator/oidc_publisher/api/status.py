"""Define status: what was last seen and proven, and the ledger of keys.

Below status the schema has no enum, limit or rule except those of standard conditions, because one entry that the API
server refuses would keep the operator from reporting anything at all. The code that fills these models keeps the
limits.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from oidc_publisher.api.celrules import ListType
from oidc_publisher.api.common import APIModel, Flag, Int32, Int64, LongDuration, Time


class StatusCondition(APIModel):
    """One aspect of the issuer's state, in the form of all Kubernetes conditions."""

    type: Annotated[
        str,
        Field(
            max_length=316,
            pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
            r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
        ),
    ]
    """Name of the aspect."""
    status: Literal["True", "False", "Unknown"]
    """True, False, or Unknown when the operator could not determine it."""
    observed_generation: Annotated[Int64, Field(ge=0)] | None = None
    """The metadata.generation that the condition is about."""
    last_transition_time: Time
    """When `status` last changed."""
    reason: Annotated[str, Field(min_length=1, max_length=1024, pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    """The cause in one word. Each reason has a runbook."""
    message: Annotated[str, Field(max_length=32768)]
    """The cause in a sentence, and what to do."""


class StatusFinding(APIModel):
    """A check that failed."""

    reason: str
    """What failed, in one word. Each reason has a runbook."""
    severity: str
    """Critical (relying parties are affected), Warning (they may be) or Info."""
    subject: str | None = None
    """What the finding concerns: a key ID, an API server, a key source, a relying party."""
    message: str
    """What is wrong."""
    advice: str | None = None
    """What to do about it. A finding that an older version wrote has none: its message ends with it."""
    since_time: Time | None = None
    """When the finding was first seen."""


class StatusKeyOrigin(APIModel):
    """A source that lists a key."""

    source: str
    """Name of the key source."""
    entry: str | None = None
    """Name of the entry or file that holds the key, if the source has entries or files. It is absent too where more
    entries hold the key than the object has room for."""


class StatusKey(APIModel):
    """A public key of the ledger, with all values by which its rotation is decided."""

    key_id: str
    """The key's `kid`, as in tokens and in the published key set."""
    version: str | None = None
    """Version as a decimal number. It is a string, because it may have more digits than a number in JSON can keep."""
    version_named: Flag | None = None
    """Whether the version was read from an entry's name. Otherwise the ledger assigned it."""
    algorithm: str | None = None
    """RS256, ES256, ES384 or ES512."""
    public_key: str | None = None
    """The key itself: SubjectPublicKeyInfo in PEM."""
    origins: Annotated[tuple[StatusKeyOrigin, ...], ListType("atomic")] = ()
    """Which sources list the key at present."""
    unlisted_by: Annotated[tuple[str, ...], ListType("atomic")] = ()
    """The API servers (HOST:PORT) that were read and do not list the key, so that they would refuse its tokens. The
    list is empty where there is only one API server. While an API server is named, the key is not safe to sign with."""
    state: str | None = None
    """Pending, Published, Served, SafeToSign, Signing, Retiring or Leaving. This summarizes the times below. To decide
    whether to sign with the key, use safeSinceTime."""
    baseline: Flag | None = None
    """Whether the cluster signed with the key already when everything was first read in one pass."""
    founding: Flag | None = None
    """Whether the key was listed in the first pass of an issuer without an apiServer source, while nothing was stored
    or served. Such a key is safe as soon as it is served."""
    signed_before_safe: Flag | None = None
    """Whether the key's first signature was seen before the key was safe to sign with."""
    material_changed: Flag | None = None
    """Whether the key ID stood for another key before, and not every cache knows the present key yet."""
    known_to_caches: Flag | None = None
    """Whether the key has been published for so long that every cache knows it. It is safe to sign with if, besides, no
    API server lacks it: use safeSinceTime."""
    only_here: Flag | None = None
    """Whether no other location can hold the key: once the public URL shows the key, the URL is known to lead to the
    location of the documents (ledger.shown)."""
    leaving: Flag | None = None
    """Whether the key is being removed from the store."""
    stale_age: LongDuration | None = None
    """The greatest age that a cached key set without this key may have."""
    token_lifetime: LongDuration | None = None
    """The longest maxTokenLifetime that was in force while the key was known."""
    first_seen_time: Time | None = None
    """When a source first listed the key."""
    published_time: Time | None = None
    """When the key was first read back from the store."""
    rebuilt_time: Time | None = None
    """When the stored set was last modified from which a lost ledger took the key back. It is set until the public URL
    shows the key."""
    served_since_time: Time | None = None
    """Since when the public URL shows the key without a gap."""
    safe_to_sign_time: Time | None = None
    """When the key is expected to become safe to sign with. This is a forecast, not a permission."""
    safe_since_time: Time | None = None
    """Since when the key is safe to sign with. This is the permission, in a status that is not older than three
    intervals. It is absent while an API server does not list the key. To wait for it: oidc-publisher wait NAME
    --safe-to-sign KID."""
    first_signed_time: Time | None = None
    """When a token that is signed with the key was first seen."""
    last_listed_time: Time | None = None
    """About when a source last listed the key."""
    last_signed_time: Time | None = None
    """About when a token that is signed with the key was last seen."""
    unused_since_time: Time | None = None
    """Since when no source lists the key and no API server signs with it."""
    retire_time: Time | None = None
    """When the key may leave the published set. It is absent while the key is in use."""


class StatusPublication(APIModel):
    """What the store holds."""

    location: str | None = None
    """Where the documents are, such as s3://bucket/prefix. It is set once both were written there. From then on
    documents of another owner are never taken over there."""
    endpoint_url: str | None = None
    """URL of the S3 server of location. For Amazon's own endpoints, PrivateLink included, it is the region's. The same
    bucket and prefix on another server are another location."""
    key_count: Int32 | None = None
    """Number of keys in the published set."""
    jwks_digest: str | None = None
    """Digest of the key set's bytes, as sha256:<hex>."""
    discovery_digest: str | None = None
    """Digest of the discovery document's bytes, as sha256:<hex>."""
    serial: Int64 | None = None
    """Number of writes. The stored object bears the same number."""
    last_change_time: Time | None = None
    """When a write last changed a document."""
    former_location: str | None = None
    """Where the documents were before spec.store was changed. The documents there are left as they are."""
    former_endpoint_url: str | None = None
    """URL of the S3 server of formerLocation. It may be another name of the same server, which cannot be determined."""
    moved_time: Time | None = None
    """When the documents at location were first seen published and served, after they had been at formerLocation."""


class StatusCacheAge(APIModel):
    """A cache age under which a key set was served."""

    age: LongDuration
    """How long a copy may be kept."""
    until_time: Time
    """Until when copies with this age may exist."""


class StatusEndpoint(APIModel):
    """An API server."""

    address: str
    """HOST:PORT of the API server."""
    key_id: str | None = None
    """The `kid` of the last token that the API server minted."""
    gone_since_time: Time | None = None
    """When the API server was first missing among the cluster's API servers. It is absent while the API server is
    present."""


class StatusLedger(APIModel):
    """What the ledger remembers besides its keys."""

    next_version: str | None = None
    """The version for the next key whose entry names no version."""
    last_complete_pass_time: Time | None = None
    """About when everything could last be read in one pass. Keys retire only in such passes."""
    adopted_time: Time | None = None
    """When documents of another owner were taken over. Relying parties do not know keys that were not in them."""
    nonces: Annotated[tuple[str, ...], ListType("atomic")] = ()
    """Random marks of this issuer's latest writes, the newest last. A stored document that bears this issuer's owner
    mark with another nonce was written by a second operator."""
    unknown_writer_time: Time | None = None
    """When the ledger was rebuilt from stored documents whose nonce was unknown."""
    second_writer_time: Time | None = None
    """Since when nothing is written because a second operator writes under this issuer's owner mark. Stop that
    operator, then remove this member; see the runbook of OwnershipLost."""
    shown: Flag | None = None
    """Whether the public URL is known to lead to the location of the documents. Documents that are written before that
    may not be what the URL shows; a status that is rebuilt from them counts no key as served before a probe sees it."""
    cache_ages_forgotten_time: Time | None = None
    """The last value of spec.rotation.forgetCacheAgesBefore that was applied."""
    cache_ages: Annotated[tuple[StatusCacheAge, ...], ListType("atomic")] = ()
    """The cache ages under which copies of earlier key sets may still exist."""
    endpoints: Annotated[tuple[StatusEndpoint, ...], ListType("atomic")] = ()
    """The API servers, and the key that each signs with."""


class OIDCIssuerStatus(APIModel):
    """What was last seen and proven. Only the operator writes the status."""

    observed_generation: Int64 | None = None
    """The metadata.generation that the operator last acted upon."""
    last_handled_reconcile_at: str | None = None
    """The value of the annotation oidc-publisher.io/reconcile-requested-at that the operator last acted upon."""
    conditions: Annotated[tuple[StatusCondition, ...], ListType("map", ("type",))] = ()
    """Ready, KeysRead, SafeToSign, Published, Served and TokenAccepted; Reconciling or Stalled exist only while
    true. SafeToSign covers only the key IDs that its message names, never a key that was added since. To sign with a
    key, wait for safeSinceTime of that key in keys."""
    findings: Annotated[tuple[StatusFinding, ...], ListType("atomic")] = ()
    """All checks that fail at present, the root cause first; 32 at most."""
    issuer_url: str | None = None
    """`issuer` of the discovery document that the public URL serves."""
    jwks_uri: str | None = None
    """`jwks_uri` of the discovery document that the public URL serves."""
    signing_key_ids: Annotated[tuple[str, ...], ListType("set")] = ()
    """Key IDs of the tokens that were minted last. There are several while API servers sign with different keys."""
    keys: Annotated[tuple[StatusKey, ...], ListType("map", ("keyID",))] = ()
    """The ledger: every key that is published, waits to be, or is about to leave. Newest version first."""
    publication: StatusPublication | None = None
    """What the store holds."""
    ledger: StatusLedger | None = None
    """What the ledger remembers besides its keys."""
    last_proven_time: Time | None = None
    """When everything was last proven. It is rounded, so that it is up to 5 minutes old while the issuer is healthy."""


#: The status of an object that no operator has seen, so that its row in `kubectl get` is not blank and `kubectl wait`
#: waits.
WAITING_STATUS = OIDCIssuerStatus(
    conditions=(
        StatusCondition(
            type="Ready",
            status="Unknown",
            reason="WaitingForOperator",
            message="No operator has looked at this object yet.",
            last_transition_time=datetime(1970, 1, 1, tzinfo=UTC),
        ),
    )
)


def to_status_json(status: OIDCIssuerStatus) -> dict[str, Any]:
    """Return `status` as the JSON of the API: with JSON names, times and durations as text, and no nulls.

    Empty lists are written as such, so that a merge patch empties them. A merge patch leaves an absent member as it is,
    and server-side apply removes it.
    """
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)
