"""What is stored as the rules take it, and whose it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from oidc_publisher.api import OIDCIssuerSpec, read_issuer
from oidc_publisher.controller.planning import Place, documents_for, foreign_owner, policy_of, stored_reading
from oidc_publisher.controller.support import unsupported
from oidc_publisher.documents import Document, OwnerMark, StoredDocument, digest, jwks_document
from oidc_publisher.findings import Reason
from oidc_publisher.keys import PublicKey
from oidc_publisher.rotation import Ledger, LedgerKey, StoreState

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


def test_a_stored_set_is_read_with_its_mark() -> None:
    """Keys in stored order, the mark's numbers, the digest of the bytes."""
    reading = stored_reading(stored(OURS), owner=OURS)
    assert (reading.state, reading.keys, reading.ours, reading.serial) == (StoreState.PRESENT, (KEY,), True, 7)
    assert (reading.token_lifetime, reading.stale_age, reading.last_modified) == (HOUR, 2 * HOUR, NOW)
    assert reading.digest == digest(jwks_document([KEY]))


def test_no_object_is_absence_and_garbage_holds_no_keys() -> None:
    """Both are readings, not failures."""
    assert stored_reading(None, owner=OURS).state is StoreState.ABSENT
    garbage = stored_reading(stored(OURS, b"<html>"), owner=OURS)
    assert (garbage.state, garbage.keys) == (StoreState.PRESENT, ())


@pytest.mark.parametrize(
    ("owner", "known", "expected"),
    [
        (OURS, False, None),
        (OURS, True, None),
        (None, True, None),
        (None, False, Reason.DocumentsNotOurs),
        (OTHERS, False, Reason.DocumentsNotOurs),
        (OTHERS, True, Reason.OwnershipLost),
    ],
)
def test_whose_documents_they_are(owner: str | None, known: bool, expected: Reason | None) -> None:
    """R9: before our first write nothing foreign is touched; after it another owner's mark stops us."""
    place = Place("s3://abc", OURS, known)
    for discovery, jwks in ((None, stored(owner)), (stored(owner), None), (stored(owner), stored(OURS))):
        found = foreign_owner(place, discovery, jwks)
        assert (found.reason if found else None) is expected


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


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"store": {"gcs": {"bucket": "abc"}}}, "spec.store.gcs"),
        (
            {"store": {"s3": {"bucket": "abc", "region": "x", "cloudFront": {"distributionID": "E1ABCDEF"}}}},
            "spec.store.s3.cloudFront",
        ),
        ({"adoption": "Merge"}, "spec.adoption"),
        ({"deletionPolicy": "Delete"}, "spec.deletionPolicy"),
    ],
)
def test_what_this_version_cannot_do_is_refused_by_name(changes: dict[str, object], field: str) -> None:
    """A field whose work is missing is never silently ignored."""
    (finding,) = unsupported(spec(**changes))
    assert (finding.reason, finding.subject) == (Reason.SpecUnsupported, field)
    assert field in finding.message


def test_the_smallest_spec_is_supported() -> None:
    """Nothing to refuse."""
    assert unsupported(spec()) == ()
