"""Define spec: what to publish, where, and for which relying parties."""

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from oidc_publisher.api.celrules import Between, Keyword, ListType, Rule
from oidc_publisher.api.common import (
    NO_OUTER_SLASH,
    NO_PRIVATE_KEY,
    PATH_CHARACTERS,
    PORT,
    APIModel,
    CertificateAuthority,
    Duration,
    Flag,
    UTCTime,
    has_dot_segment,
)
from oidc_publisher.api.keysources import DEFAULT_KEY_SOURCES, KeySources
from oidc_publisher.api.storespec import StoreSpec

_HOST_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_ISSUER_URL = rf"^https://({_HOST_LABEL})(\.{_HOST_LABEL})*(:{PORT})?(/[A-Za-z0-9._~-]+)*/?$"
_PROXY_URL = r"^http://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$"


class RelyingParty(StrEnum):
    """A RelyingParty verifies tokens of the issuer, and has rules of its own."""

    AWS = "AWS"
    GCP = "GCP"
    AZURE = "Azure"
    KUBERNETES = "Kubernetes"
    VAULT = "Vault"


class Adoption(StrEnum):
    """An Adoption decides about another writer's documents at a location that the issuer has not written to yet."""

    REFUSE = "Refuse"
    MERGE = "Merge"
    REPLACE = "Replace"


class DeletionPolicy(StrEnum):
    """A DeletionPolicy decides about the documents when the OIDCIssuer is deleted."""

    RETAIN = "Retain"
    DELETE = "Delete"


class RotationSpec(APIModel):
    """The times between which a key is safe to sign with, and after which it may leave."""

    pre_publish_period: Annotated[Duration, Between("0s", "8784h")] = timedelta(hours=24)
    """How long the public URL must have shown a new key before the key counts as safe to sign with. Relying parties
    decide themselves when they fetch keys, so this should exceed the longest time for which any of them keeps a
    copy."""
    max_token_lifetime: Annotated[Duration, Between("1s", "8784h")] = timedelta(hours=24)
    """The longest lifetime of tokens that relying parties should accept. A key that is no longer used stays published
    for this long. A known key keeps the longest value that was set since a source first listed it."""
    clock_skew: Annotated[Duration, Between("0s", "1h")] = timedelta(minutes=5)
    """How far the clocks of the cluster, the store and relying parties may differ. It is added to every wait."""
    forget_cache_ages_before: UTCTime | None = None
    """A time. When it has come, cache ages that were seen before it are forgotten, once. Use this after a long max-age
    was served by mistake and keys still wait for it. Make sure that no cache keeps such a copy: purge the CDN first."""
    withdrawn_key_ids: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=1024), NO_PRIVATE_KEY], ...],
        Field(max_length=16),
        ListType("set"),
    ] = ()
    """Key IDs (`kid`) of keys to remove at once, even while the cluster still uses them, for example stolen keys.
    Relying parties refuse tokens that are signed with these keys from then on. The last key of the set is never
    removed."""


class ProbeSpec(APIModel):
    """How the operator proves in every interval that relying parties can use the issuer."""

    rules = (
        # At the parent, because a message about the value would repeat a password in it.
        Rule(
            f"!has(self.proxyURL) || self.proxyURL.matches(r'{_PROXY_URL}')",
            "must be http://HOST:PORT, without user information and without a path",
            lambda s: s.proxy_url is None or re.fullmatch(_PROXY_URL, s.proxy_url) is not None,
            field_path=".proxyURL",
        ),
    )

    timeout: Annotated[Duration, Between("1s", "30s")] = timedelta(seconds=5)
    """How long fetching both documents may take together. AWS STS gives up after 5 seconds."""
    audiences: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=600), NO_PRIVATE_KEY], ...],
        Field(min_length=1, max_length=8),
        ListType("set"),
    ] = ("sts.amazonaws.com",)
    """Audiences of the tokens that are minted as proof. Each API server mints one token for each audience, never one
    token for two audiences."""
    relying_parties: Annotated[
        tuple[Annotated[RelyingParty, Keyword("maxLength", 16)], ...],
        Field(min_length=1, max_length=8),
        ListType("set"),
    ] = (RelyingParty.AWS,)
    """Relying parties that have to be able to use the issuer. The rules of each one are checked, and a broken rule
    makes the issuer not Ready."""
    allow_private_address: Flag = False
    """Whether the issuer's host name may resolve to a private address. This is for issuers that no cloud has to reach:
    while AWS, GCP or Azure is among relyingParties, an issuer at a private address is not Ready."""
    certificate_authority: CertificateAuthority | None = None
    """PEM certificates to trust beside the system's when the issuer URL is fetched. Every relying party needs a setting
    to trust them as well. Clouds have no such setting, so while AWS, GCP or Azure is among relyingParties, the issuer
    needs a certificate that the system's roots verify."""
    proxy_url: Annotated[str, Field(min_length=10, max_length=255)] | None = None
    """The HTTP proxy by which the issuer URL is fetched, such as http://proxy.example.com:3128. When absent, the operator
    uses the proxy of its environment (HTTPS_PROXY, NO_PROXY), if there is one. The operator uses a proxy named here only
    if it is that one, or if the operator was started with --probe-proxy. A proxy resolves the host name itself, so that
    allowPrivateAddress then concerns IP addresses in the issuer URL only."""


class OIDCIssuerSpec(APIModel):
    """What to publish, where, and for which relying parties; only issuerURL and store are required."""

    rules = (
        Rule(
            "!('AWS' in self.probe.relyingParties) || !self.issuerURL.matches('^https://[^/]*:[0-9]')",
            "must have no port while AWS is among probe.relyingParties: IAM refuses it",
            lambda s: RelyingParty.AWS not in s.probe.relying_parties or not _has_port(s.issuer_url),
            field_path=".issuerURL",
        ),
    )

    issuer_url: Annotated[
        str,
        Field(min_length=9, max_length=255),
        Rule(
            "self == oldSelf",
            "is immutable: tokens carry it as `iss`; create a second OIDCIssuer for the new URL",
            reason="FieldValueForbidden",
        ),
        Rule(
            "self.startsWith('https://')",
            "must start with https:// (lower case)",
            lambda v: v.startswith("https://"),
        ),
        Rule(
            "!self.contains('?') && !self.contains('#')",
            "must have no query and no fragment",
            lambda v: "?" not in v and "#" not in v,
        ),
        Rule("!self.contains('@')", "must not contain user information (user@host)", lambda v: "@" not in v),
        Rule(
            "!self.contains('/.well-known/')",
            "must be the issuer itself, without /.well-known/openid-configuration",
            lambda v: "/.well-known/" not in v,
        ),
        Rule(
            "!self.startsWith('https://') || self.contains('?') || self.contains('#') || self.contains('@') || "
            f"self.matches(r'{_ISSUER_URL}')",
            "must be https://HOST[:PORT][/PATH] with a DNS name or IPv4 address, and in the path only letters, digits "
            "and . _ ~ - between single slashes",
            lambda v: re.fullmatch(_ISSUER_URL, v) is not None,
        ),
        Rule(
            "!self.matches(r'/[.]{1,2}(/|$)')",
            "must have no . or .. path segment",
            lambda v: not has_dot_segment(v),
        ),
    ]
    """The public URL of the issuer, such as https://oidc.example.com/prod. It has to equal the API servers'
    --service-account-issuer in every byte, a slash at the end included. It is immutable: for another URL create a
    second OIDCIssuer, and let the API servers accept both while you move."""
    jwks_path: Annotated[
        str,
        Field(min_length=1, max_length=128),
        Rule(
            "self == oldSelf",
            "is immutable: verifiers keep the discovery document that names it",
            reason="FieldValueForbidden",
        ),
        NO_OUTER_SLASH,
        PATH_CHARACTERS,
        Rule(
            "self != '.well-known/openid-configuration'",
            "is the place of the discovery document",
            lambda v: v != ".well-known/openid-configuration",
        ),
    ] = "openid/v1/jwks"
    """The path of the key set below the issuer URL. Set it to keys.json to take over an issuer that ccoctl made. It is
    immutable."""
    key_sources: KeySources = DEFAULT_KEY_SOURCES
    """Where the public keys of the cluster are read. Every key that any source lists is published. All sources must
    belong to one cluster. Anybody who can write to a source can forge every identity of the issuer."""
    store: StoreSpec
    """Where the discovery document and the key set are written. Set exactly one of the members."""
    interval: Annotated[Duration, Between("1s", "24h")] = timedelta(minutes=1)
    """How often the operator reads the keys, compares and repairs the documents, and proves the issuer."""
    cache_max_age: Annotated[Duration, Between("0s", "24h")] = timedelta(minutes=5)
    """How long caches may keep a document (max-age of its Cache-Control header). With a longer time every new key waits
    longer."""
    rotation: RotationSpec = RotationSpec()
    """When a new key is safe to sign with, and when an old one leaves."""
    probe: ProbeSpec = ProbeSpec()
    """How the issuer is proven, and for whom."""
    adoption: Adoption = Adoption.REFUSE
    """What to do before the first publication with documents that another writer has stored. Refuse leaves them alone
    and reports them. Merge publishes their keys along with the cluster's until they have expired. Replace overwrites
    them. After the first publication this has no effect: documents of another writer are then reported and never taken
    over."""
    deletion_policy: DeletionPolicy = DeletionPolicy.RETAIN
    """What happens to the documents when this object is deleted. Retain leaves them as they are. Delete removes both,
    and every relying party refuses the cluster's tokens from then on. Nothing is deleted while suspend is true."""
    suspend: Flag = False
    """Whether the operator stops all work for this issuer: nothing is read, published, retired or proven, and Ready
    becomes Unknown. The published documents stay as they are."""


def _has_port(issuer_url: Any) -> bool:
    return re.search("^https://[^/]*:[0-9]", issuer_url) is not None
