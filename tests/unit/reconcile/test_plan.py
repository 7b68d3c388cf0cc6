"""What is stored as the rules take it, and whose it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec

from oidc_publisher.api import OIDCIssuerSpec, read_issuer
from oidc_publisher.documents import Document, OwnerMark, StoredDocument, jwks_document
from oidc_publisher.keys import PublicKey
from oidc_publisher.reconcile.plan import documents_for, policy_of
from oidc_publisher.rotation import Ledger, LedgerKey

KEY = PublicKey.of(ec.generate_private_key(ec.SECP256R1()).public_key())
OURS, OTHERS = "uid/prod", "uid-2/prod"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def stored(owner: str | None, body: bytes | None = None) -> StoredDocument:
    """A stored key set with the mark of `owner`."""
    metadata = OwnerMark(owner, 7, HOUR, 2 * HOUR).to_metadata() if owner else {}
    return StoredDocument(Document(body or jwks_document([KEY]), "application/json", "", metadata), "v1", NOW)


def spec(**changes: object) -> OIDCIssuerSpec:
    """The smallest spec, with changes."""
    base = {"issuerURL": "https://oidc.example.com", "store": {"s3": {"bucket": "abc", "region": "eu-central-1"}}}
    return read_issuer({"metadata": {"name": "prod"}, "spec": base | changes}).spec


def test_the_mark_carries_the_longest_times_of_the_published_keys() -> None:
    """R9: what a rebuilt ledger needs."""
    other = PublicKey.of(ec.generate_private_key(ec.SECP256R1()).public_key())
    ledger = Ledger(keys=(LedgerKey(KEY, 1, NOW, HOUR, 3 * HOUR), LedgerKey(other, 2, NOW, 2 * HOUR, HOUR)), serial=4)
    planned = documents_for(spec(), ledger, (other, KEY), owner=OURS)
    assert OwnerMark.read(planned.jwks.metadata) == OwnerMark(OURS, 4, 2 * HOUR, 3 * HOUR)


def test_the_policy_is_the_specs() -> None:
    """Durations and withdrawn keys reach the rules as they stand."""
    rotation = {"prePublishPeriod": "5s", "maxTokenLifetime": "10s", "clockSkew": "1s", "withdrawnKeyIDs": ["x"]}
    policy = policy_of(spec(rotation=rotation, cacheMaxAge="2s"))
    assert policy.pre_publish_period == timedelta(seconds=5)
    assert policy.max_token_lifetime == timedelta(seconds=10)
    assert policy.clock_skew == timedelta(seconds=1)
    assert policy.cache_max_age == timedelta(seconds=2)
    assert policy.withdrawn_key_ids == {"x"}
