"""status: what was last seen and proven, and the ledger of keys.

The schema holds no enum, limit or rule below status but those of standard conditions: one entry that the API server
refuses would keep the operator from reporting anything at all. Limits are kept by whoever fills these models.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from oidc_publisher.api.celrules import ListType
from oidc_publisher.api.common import APIModel, Flag, Int32, Int64, LongDuration, Time


class StatusCondition(APIModel):
    """One aspect of the issuer's state, as all Kubernetes conditions are."""

    type: Annotated[
        str,
        Field(
            max_length=316,
            pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
            r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
        ),
    ]
    """Which aspect."""
    status: Literal["True", "False", "Unknown"]
    """True, False, or Unknown when it could not be found out."""
    observed_generation: Annotated[Int64, Field(ge=0)] | None = None
    """The metadata.generation for which this was found."""
    last_transition_time: Time
    """When `status` last became what it is."""
    reason: Annotated[str, Field(min_length=1, max_length=1024, pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    """Why, in one word; each has a runbook."""
    message: Annotated[str, Field(max_length=32768)]
    """Why, in a sentence, and what to do."""


class StatusFinding(APIModel):
    """A check that failed."""

    reason: str
    """What failed, in one word; each has a runbook."""
    severity: str
    """Critical (relying parties are affected), Warning (they may be) or Info."""
    subject: str | None = None
    """What it concerns: a key ID, an API server, a key source, a relying party."""
    message: str
    """What is wrong."""
    advice: str | None = None
    """What to do about it. A finding that an older version wrote has none: its message ends with it."""
    since_time: Time | None = None
    """When it was first seen."""


class StatusKeyOrigin(APIModel):
    """A source that lists a key."""

    source: str
    """Name of the key source."""
    entry: str | None = None
    """Name of the entry or file that holds the key, where the source has such. Absent too where more entries hold it
    than the object has room for."""


class StatusKey(APIModel):
    """A public key of the ledger, with all that its rotation is decided by."""

    key_id: str
    """The key's `kid`, as in tokens and in the published key set."""
    version: str | None = None
    """Version as a decimal number. A string, since it may have more digits than JSON's numbers can keep."""
    version_named: Flag | None = None
    """Whether the version was read from an entry's name; otherwise the ledger counted it."""
    algorithm: str | None = None
    """RS256, ES256, ES384 or ES512."""
    public_key: str | None = None
    """The key itself: SubjectPublicKeyInfo in PEM."""
    origins: Annotated[tuple[StatusKeyOrigin, ...], ListType("atomic")] = ()
    """Which sources list the key at present."""
    unlisted_by: Annotated[tuple[str, ...], ListType("atomic")] = ()
    """The API servers (HOST:PORT) that were read and do not list the key: they would refuse its tokens. None is named
    where there is only one API server. As long as one is named, the key is not safe to sign with."""
    state: str | None = None
    """Pending, Published, Served, SafeToSign, Signing, Retiring or Leaving. A summary of the times below; to decide
    whether to sign with the key look at safeSinceTime."""
    baseline: Flag | None = None
    """Whether the cluster signed with it already when it was first looked at in full."""
    founding: Flag | None = None
    """Whether it was listed in the first pass of an issuer without an apiServer source, while nothing was stored or served.
    It is then safe as soon as it is served."""
    signed_before_safe: Flag | None = None
    """Whether its first signature was seen before it was safe to sign with."""
    material_changed: Flag | None = None
    """Whether its ID stood for another key before, and not every cache knows this one yet."""
    known_to_caches: Flag | None = None
    """Whether it has been published for so long that every cache knows it. It is safe to sign with if, besides, no API
    server lacks it: look at safeSinceTime."""
    leaving: Flag | None = None
    """Whether it is being taken out of the store."""
    stale_age: LongDuration | None = None
    """How old a cached key set without this key may be at most."""
    token_lifetime: LongDuration | None = None
    """The longest maxTokenLifetime that was in force while the key was known."""
    first_seen_time: Time | None = None
    """When a source first listed it."""
    published_time: Time | None = None
    """When it was first read back from the store."""
    rebuilt_time: Time | None = None
    """The age of the stored set from which the key was taken back into a lost ledger, until it is seen on the wire."""
    served_since_time: Time | None = None
    """Since when the public URL shows it without a gap."""
    safe_to_sign_time: Time | None = None
    """When it is expected to become safe to sign with. A forecast, not a permission."""
    safe_since_time: Time | None = None
    """Since when it is safe to sign with. This is the permission, in a status that is not older than three intervals;
    absent while an API server does not list the key. To wait for it: oidc-publisher wait NAME --safe-to-sign KID."""
    first_signed_time: Time | None = None
    """When a token signed with it was first seen."""
    last_listed_time: Time | None = None
    """About when a source last listed it."""
    last_signed_time: Time | None = None
    """About when a token signed with it was last seen."""
    unused_since_time: Time | None = None
    """Since when nothing lists it and nothing signs with it."""
    retire_time: Time | None = None
    """When it may leave the published set. Absent while the key is in use."""


class StatusPublication(APIModel):
    """What the store holds."""

    location: str | None = None
    """Where the documents are, such as s3://bucket/prefix. Set once both were written there: from then on documents of
    another owner are never taken over there."""
    endpoint_url: str | None = None
    """URL of the S3 server that location is on; for Amazon's own endpoints, PrivateLink included, the region's. The same
    bucket and prefix on another server are another place."""
    key_count: Int32 | None = None
    """How many keys the published set has."""
    jwks_digest: str | None = None
    """Digest of the key set's bytes, as sha256:<hex>."""
    discovery_digest: str | None = None
    """Digest of the discovery document's bytes, as sha256:<hex>."""
    serial: Int64 | None = None
    """Counts the writes; the stored object bears the same number."""
    last_change_time: Time | None = None
    """When a write last changed a document."""
    former_location: str | None = None
    """Where the documents were before spec.store was changed. They are left as they are."""
    former_endpoint_url: str | None = None
    """URL of the S3 server that formerLocation is on. It may be another name of the same server: nobody can tell."""
    moved_time: Time | None = None
    """When the documents at location were first seen published and served, after they had been at formerLocation."""


class StatusCacheAge(APIModel):
    """A cache age under which a key set was served."""

    age: LongDuration
    """How long a copy may be kept."""
    until_time: Time
    """Until when such copies may exist."""


class StatusEndpoint(APIModel):
    """An API server."""

    address: str
    """HOST:PORT of the server."""
    key_id: str | None = None
    """The `kid` of the last token that it minted."""
    gone_since_time: Time | None = None
    """When it was first found missing among the cluster's API servers. Absent while it is there."""


class StatusLedger(APIModel):
    """What the ledger remembers besides its keys."""

    next_version: str | None = None
    """The version for the next key whose entry names none."""
    last_complete_pass_time: Time | None = None
    """About when everything could last be read in one pass. Keys retire only in such passes."""
    adopted_time: Time | None = None
    """When documents of another owner were taken over. Keys that were not among them are new to relying parties."""
    nonces: Annotated[tuple[str, ...], ListType("atomic")] = ()
    """Random marks of our latest writes, the newest last. A stored document of this issuer with another one was written by
    somebody else who bears its name."""
    unknown_writer_time: Time | None = None
    """When stored documents whose writer nobody remembered were taken back into the ledger."""
    second_writer_time: Time | None = None
    """Since when nothing is written because a second operator writes under this issuer's mark. A person who has stopped that
    one removes this member; see the runbook of OwnershipLost."""
    cache_ages_forgotten_time: Time | None = None
    """The spec.rotation.forgetCacheAgesBefore that was last obeyed."""
    cache_ages: Annotated[tuple[StatusCacheAge, ...], ListType("atomic")] = ()
    """The cache ages under which copies of earlier key sets may still exist."""
    endpoints: Annotated[tuple[StatusEndpoint, ...], ListType("atomic")] = ()
    """The API servers, and the key that each signs with."""


class OIDCIssuerStatus(APIModel):
    """What was last seen and proven. Written by the operator alone."""

    observed_generation: Int64 | None = None
    """The metadata.generation that the operator last acted upon."""
    last_handled_reconcile_at: str | None = None
    """The value of the annotation oidc-publisher.io/reconcile-requested-at that the operator last acted upon."""
    conditions: Annotated[tuple[StatusCondition, ...], ListType("map", ("type",))] = ()
    """Ready, KeysRead, SafeToSign, Published, Served and TokenAccepted; Reconciling or Stalled exist only while
    true. SafeToSign speaks of the key IDs that its message names, never of a key that was added since: whoever wants to
    sign with a key waits for safeSinceTime of that key in keys."""
    findings: Annotated[tuple[StatusFinding, ...], ListType("atomic")] = ()
    """All checks that fail at present, the root cause first; 32 at most."""
    issuer_url: str | None = None
    """`issuer` of the discovery document that the public URL serves."""
    jwks_uri: str | None = None
    """`jwks_uri` of the discovery document that the public URL serves."""
    signing_key_ids: Annotated[tuple[str, ...], ListType("set")] = ()
    """Key IDs of the tokens minted last. More than one while API servers sign with different keys."""
    keys: Annotated[tuple[StatusKey, ...], ListType("map", ("keyID",))] = ()
    """The ledger: every key that is published, waits to be, or is about to leave. Newest version first."""
    publication: StatusPublication | None = None
    """What the store holds."""
    ledger: StatusLedger | None = None
    """What the ledger remembers besides its keys."""
    last_proven_time: Time | None = None
    """When everything was last proven, rounded: up to 5 minutes old while the issuer is healthy."""


#: The status of an object that no operator has seen: its row in `kubectl get` is not blank, and `kubectl wait` waits.
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
    """`status` as the JSON of the API: names on the wire, times and durations as text, no nulls.

    Empty lists are written as such, so that a merge patch empties them. An absent member is left as it is by a merge
    patch and removed by server-side apply.
    """
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)
