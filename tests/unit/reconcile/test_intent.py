"""What would be written, why, and what of it is worth telling."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oidc_publisher.api import Adoption, OIDCIssuer, StatusPublication
from oidc_publisher.documents import (
    Document,
    OwnerMark,
    StoredDocument,
    StoredDocuments,
    WriteReason,
    digest,
    jwks_document,
)
from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason, Severity
from oidc_publisher.keys import PublicKey
from oidc_publisher.reconcile.ownership import Place, Stored, place_of
from oidc_publisher.reconcile.plan import documents_for, intend
from oidc_publisher.rotation import Advance, Ledger, LedgerKey
from tests.support.builders import issuer_of, public_key

KEY, OTHER = public_key("ours"), public_key("other")
OURS, THEIRS = "uid/prod", "uid-2/prod"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
HERE = "s3://abc"


def ledger(*keys: PublicKey, serial: int = 4) -> Ledger:
    """A ledger of these keys."""
    return Ledger(keys=tuple(LedgerKey(key, n, NOW, HOUR, HOUR) for n, key in enumerate(keys)), serial=serial)


def plan(known: Ledger) -> Advance:
    """A plan that publishes the whole ledger."""
    keys = tuple(entry.key for entry in known.keys)
    return Advance(known, keys, None, (), (), may_sign=True)


def issuer(*, digest_saved: str = "", generation: int = 3, observed: int = 3) -> OIDCIssuer:
    """An issuer that has published `digest_saved` at HERE."""
    made = issuer_of(metadata={"generation": generation})
    publication = StatusPublication(location=HERE, jwks_digest=digest_saved, serial=4)
    status = made.status.model_copy(update={"publication": publication, "observed_generation": observed})
    return made.model_copy(update={"status": status})


def written(known: Ledger) -> StoredDocuments:
    """What our own write of the plan leaves."""
    documents = documents_for(issuer().spec, known, plan(known).publish, owner=OURS)
    return StoredDocuments(StoredDocument(documents.discovery, "d", NOW), StoredDocument(documents.jwks, "j", NOW))


def settled(known: Ledger) -> OIDCIssuer:
    """The issuer whose last pass wrote the plan of this ledger."""
    jwks = written(known).jwks
    assert jwks is not None
    return issuer(digest_saved=digest(jwks.document.body))


def changed(document: StoredDocument | None, **changes: Any) -> StoredDocument:
    """A stored document that somebody changed."""
    assert document is not None
    return replace(document, document=replace(document.document, **changes))


KNOWN = Place(HERE, OURS, known=True)


def test_what_is_in_place_is_not_written() -> None:
    """And it is known to be in place, so that the place is ours from then on."""
    known = ledger(KEY)
    intent = intend(settled(known), plan(known), Stored(KNOWN, written(known)), nonce="n5")
    assert (intent.writes, intent.problem, intent.in_place, intent.ledger) == ((), None, True, known)


def test_a_write_raises_the_serial_of_the_ledger_that_is_saved_first() -> None:
    """R12: the documents bear the raised serial, the saved ledger has it."""
    known = ledger(KEY)
    intent = intend(issuer(), plan(known), Stored(KNOWN, StoredDocuments()), nonce="n5")
    assert intent.ledger.serial == known.serial + 1
    for write in intent.writes:
        mark = OwnerMark.read(write.document.metadata)
        assert mark is not None
        assert (mark.serial, mark.owner, mark.nonce) == (known.serial + 1, OURS, "n5")
    jwks, discovery = intent.writes
    assert intent.ledger.jwks_digest == digest(jwks.document.body)
    assert {jwks.reason, discovery.reason} == {WriteReason.CREATED}


def test_an_unreadable_store_and_another_owner_are_problems_and_nothing_is_written() -> None:
    """What cannot be read cannot be compared; what is another's is not ours to write."""
    known = ledger(KEY)
    error = StoreError(Reason.AccessDenied, "no")
    refused = intend(issuer(), plan(known), Stored(KNOWN, StoredDocuments(error=error)), nonce="n5")
    assert refused.problem is not None
    assert (refused.problem.reason, refused.writes, refused.in_place) == (Reason.AccessDenied, (), False)
    foreign = StoredDocuments(None, changed(written(known).jwks, metadata={}))
    barred = intend(issuer(), plan(known), Stored(replace(KNOWN, known=False), foreign), nonce="n5")
    assert barred.problem is not None
    assert (barred.problem.reason, barred.writes) == (Reason.DocumentsNotOurs, ())


DRIFT: dict[str, tuple[dict[str, Any], str]] = {
    "edited": ({"body": b'{"keys":[]}'}, "the keys changed"),
    "headers": ({"cache_control": "no-store"}, "its headers"),
    "mark removed": ({"metadata": {}}, "its owner mark"),
}


@pytest.mark.parametrize(("changes", "why"), DRIFT.values(), ids=DRIFT.keys())
def test_what_somebody_else_changed_is_drift(changes: dict[str, Any], why: str) -> None:
    """The plan is the one that was written: a difference is not our doing."""
    known = ledger(KEY)
    stored = replace(written(known), jwks=changed(written(known).jwks, **changes))
    (told,) = intend(settled(known), plan(known), Stored(KNOWN, stored), nonce="n5").events
    assert told.reason is Reason.DriftRepaired
    assert f"openid/v1/jwks: {why}" in told.message
    assert HERE in told.message


def test_drift_under_our_own_mark_is_told_though_the_rules_have_noted_it() -> None:
    """The ledger's digest is the stranger's by then (R2); what status.publication saved is ours."""
    known = ledger(KEY)
    body = jwks_document([OTHER])
    stored = replace(written(known), jwks=changed(written(known).jwks, body=body))
    noted = replace(known, jwks_digest=digest(body))
    (told,) = intend(settled(known), plan(noted), Stored(KNOWN, stored), nonce="n5").events
    assert told.reason is Reason.DriftRepaired
    assert "openid/v1/jwks: the keys changed" in told.message


def test_a_missing_document_is_drift() -> None:
    """It was there: status.publication says so."""
    known = ledger(KEY)
    (told,) = intend(
        settled(known), plan(known), Stored(KNOWN, replace(written(known), discovery=None)), nonce="n5"
    ).events
    assert "there is none" in told.message


def test_what_we_change_ourselves_is_not_called_drift() -> None:
    """A new plan, a new generation, a write that was cut short, a lifetime that rose, a first write: nobody is accused."""
    known = ledger(KEY)
    empty = StoredDocuments()
    assert intend(settled(known), plan(ledger(KEY, OTHER)), Stored(KNOWN, written(known)), nonce="n5").events == ()
    newer = settled(known).model_copy(update={"metadata": issuer(generation=4).metadata})
    headers = replace(written(known), jwks=changed(written(known).jwks, cache_control="no-store"))
    assert intend(newer, plan(known), Stored(KNOWN, headers), nonce="n5").events == ()
    saved = ledger(KEY, OTHER, serial=5)
    assert intend(settled(saved), plan(saved), Stored(KNOWN, written(known)), nonce="n5").events == ()
    longer = replace(known, keys=tuple(replace(entry, stale_age=2 * HOUR) for entry in known.keys))
    assert intend(settled(known), plan(longer), Stored(KNOWN, written(known)), nonce="n5").events == ()
    assert intend(settled(known), plan(known), Stored(replace(KNOWN, known=False), empty), nonce="n5").events == ()


def test_a_key_that_the_ledger_does_not_know_is_named() -> None:
    """R9: unknown keys at our serial or lower are removed and reported, whoever put them there."""
    known = ledger(KEY)
    evil = changed(written(known).jwks, body=jwks_document([OTHER, KEY]))
    (told,) = intend(settled(known), plan(known), Stored(KNOWN, replace(written(known), jwks=evil)), nonce="n5").events
    assert f"key {OTHER.key_id} is not known" in told.message


def test_a_mark_of_ours_with_a_lifetime_that_cannot_be_is_named_and_written_anew() -> None:
    """R9: also where the status that knew the place is lost."""
    known = ledger(KEY)
    metadata = OwnerMark(OURS, 4, timedelta(days=36500), HOUR).to_metadata()
    stored = replace(written(known), jwks=changed(written(known).jwks, metadata=metadata))
    intent = intend(issuer(), plan(known), Stored(replace(KNOWN, known=False), stored), nonce="n5")
    assert intent.writes
    (told,) = intent.events
    assert told.reason is Reason.DriftRepaired
    assert "the token lifetime of 876000h in its owner mark is beyond 8784h and ignored" in told.message


@pytest.mark.parametrize("adoption", [Adoption.MERGE, Adoption.REPLACE])
def test_a_take_over_is_told_with_the_former_owner(adoption: Adoption) -> None:
    """What became of its keys as well."""
    known = ledger(KEY, OTHER)
    theirs = Document(jwks_document([OTHER]), "application/json", "", OwnerMark(THEIRS, 1, HOUR, HOUR).to_metadata())
    stored = StoredDocuments(None, StoredDocument(theirs, "j", NOW))
    place = Place(HERE, OURS, known=False, adoption=adoption)
    (told,) = intend(issuer(), plan(known), Stored(place, stored), nonce="n5").events
    assert told.reason is Reason.DocumentsAdopted
    assert told.severity is Severity.INFO
    assert f"owner: {THEIRS}" in told.message
    assert ("1 of their keys" if adoption is Adoption.MERGE else "replaced at once") in told.message


def test_keys_that_a_merge_leaves_out_are_named_in_a_warning() -> None:
    """Bytes that are no key set, and a key ID of ours that stands for another key."""
    known = ledger(replace(KEY, key_id="named"))
    place = Place(HERE, OURS, known=False, adoption=Adoption.MERGE)
    twin = replace(OTHER, key_id="named")
    for body, word in ((b"<html>", "left out"), (jwks_document([twin]), "key named (ours is another one)")):
        stored = StoredDocuments(None, StoredDocument(Document(body, "", "", {}), "j", NOW))
        (told,) = intend(issuer(), plan(known), Stored(place, stored), nonce="n5").events
        assert told.severity is Severity.WARNING
        assert word in told.message


def test_a_large_set_under_a_mark_is_merged_and_not_called_left_out() -> None:
    """Its keys are read beyond the probe's 64 KiB, and what is said of them is said by the same reading."""
    keys = tuple(replace(KEY, key_id=f"{number:01000}") for number in range(80))
    known = ledger(*keys)
    metadata = OwnerMark(THEIRS, 1, HOUR, HOUR).to_metadata()
    theirs = StoredDocument(Document(jwks_document(keys), "application/json", "", metadata), "j", NOW)
    place = Place(HERE, OURS, known=False, adoption=Adoption.MERGE)
    (told,) = intend(issuer(), plan(known), Stored(place, StoredDocuments(None, theirs)), nonce="n5").events
    assert "80 of their keys" in told.message
    assert "left out" not in told.message
    assert told.severity is Severity.INFO


def test_a_place_is_known_by_its_location() -> None:
    """Another bucket or prefix is another place, where adoption speaks anew."""
    assert place_of(issuer(), HERE, OURS, None).known
    assert not place_of(issuer(), "s3://abc/other", OURS, None).known
