"""R9: the status is lost, and one document was rewritten without a mark while the other still bears ours: drift, no stranger."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from oidc_publisher.documents import Document, StoredDocument, StoredDocuments, jwks_document
from oidc_publisher.findings import Reason
from oidc_publisher.reconcile.ownership import Stored, place_of, stored_reading
from oidc_publisher.reconcile.plan import documents_for, intend, policy_of
from oidc_publisher.rotation import (
    ClockReading,
    Ledger,
    LedgerKey,
    Listing,
    Mint,
    Mints,
    Pass,
    SourceReading,
    WireReading,
    advance,
)
from tests.support.builders import issuer_of, public_key

SIGNER, RETIRING = public_key("signer"), public_key("retiring")
OURS, HERE, API = "uid/prod", "s3://abc", "10.0.0.1:6443"
WRITTEN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = WRITTEN + timedelta(hours=7)
HOUR = timedelta(hours=1)
ISSUER = issuer_of(metadata={"generation": 3})


def written() -> StoredDocuments:
    """Both keys as our eighth write left them; a token of RETIRING may live for two days."""
    entries = tuple(LedgerKey(key, n, WRITTEN, 48 * HOUR, HOUR) for n, key in enumerate((RETIRING, SIGNER)))
    made = documents_for(ISSUER.spec, Ledger(keys=entries, serial=8), (SIGNER, RETIRING), owner=OURS)
    return StoredDocuments(StoredDocument(made.discovery, "d", WRITTEN), StoredDocument(made.jwks, "j", WRITTEN))


def rewritten() -> StoredDocuments:
    """The key set of somebody who edited it with a tool that keeps no metadata."""
    body = jwks_document([RETIRING, SIGNER])
    bare = StoredDocument(Document(body, "application/json", "public, max-age=300", {}), "x", NOW - HOUR)
    return replace(written(), jwks=bare)


def at_our_place(documents: StoredDocuments) -> Stored:
    """What the store holds where the status remembers nothing."""
    return Stored(place_of(ISSUER, HERE, OURS, None), documents)


def look(stored: StoredDocuments) -> Pass:
    """A pass of a cluster that lists and signs with SIGNER alone."""
    source = SourceReading("api", complete=True, listings=(Listing(SIGNER),), from_api_server=True)
    return Pass(
        sources=(source,),
        mints=Mints((API,), (Mint(API, SIGNER.key_id, SIGNER.spki),)),
        stored=stored_reading(at_our_place(stored)),
        wire=WireReading((frozenset({SIGNER, RETIRING}),), timedelta(minutes=5)),
        clock=ClockReading(api_server=(timedelta(0),)),
        policy=policy_of(ISSUER.spec),
        instant=NOW,
    )


def test_a_set_that_was_rewritten_without_a_mark_still_tells_a_lost_ledger_its_keys() -> None:
    """RETIRING stays until its tokens have died, by the lifetime and above the serial that the discovery document's mark says."""
    plan = advance(Ledger(), look(rewritten()))
    assert set(plan.publish) == {SIGNER, RETIRING}
    entry = plan.ledger.get(RETIRING.key_id)
    assert entry is not None
    assert entry.token_lifetime == 48 * HOUR
    assert plan.ledger.serial == 8


def test_such_drift_is_repaired_and_told() -> None:
    """No adoption is asked for, and the event names the document that had lost its mark."""
    plan = advance(Ledger(), look(rewritten()))
    intent = intend(ISSUER, plan, at_our_place(rewritten()), nonce="n9")
    assert intent.problem is None
    assert intent.writes
    (told,) = intent.events
    assert told.reason is Reason.DriftRepaired
    assert "openid/v1/jwks" in told.message
    assert ".well-known" not in told.message


def test_a_discovery_document_that_lost_its_mark_is_repaired_as_well() -> None:
    """The other way round: the key set bears our mark."""
    stored = written()
    assert stored.discovery is not None
    bare = replace(stored.discovery, document=replace(stored.discovery.document, metadata={}))
    stored = replace(stored, discovery=bare)
    plan = advance(Ledger(), look(stored))
    intent = intend(ISSUER, plan, at_our_place(stored), nonce="n9")
    assert intent.problem is None
    assert intent.writes
    (told,) = intent.events
    assert ".well-known/openid-configuration" in told.message
