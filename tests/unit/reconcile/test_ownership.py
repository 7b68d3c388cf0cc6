"""Whose the stored documents are (R9), and what the rules of rotation may make of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from oidc_publisher.api import Adoption
from oidc_publisher.documents import StoredDocument, StoredDocuments, digest, jwks_document
from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.reconcile.ownership import (
    Place,
    Standing,
    Stored,
    refusal,
    stored_reading,
)
from oidc_publisher.rotation import StoreState, TakeOver
from tests.support.builders import public_key, stored_document

KEY = public_key()
OURS, OTHERS = "uid/prod", "uid-2/prod"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def document(owner: str | None, body: bytes | None = None) -> StoredDocument:
    """A stored document with the mark of `owner`, None without a mark."""
    return stored_document(body or jwks_document([KEY]), owner)


def place(*, known: bool, adoption: Adoption = Adoption.REFUSE) -> Place:
    """Our place."""
    return Place("s3://abc", OURS, known, adoption)


FIRST = {Adoption.REFUSE: Standing.FOREIGN, Adoption.MERGE: Standing.MERGE, Adoption.REPLACE: Standing.REPLACE}


@pytest.mark.parametrize("adoption", list(Adoption))
@pytest.mark.parametrize("owner", [None, OTHERS], ids=["unmarked", "another's"])
def test_adoption_speaks_before_our_first_write_alone(owner: str | None, adoption: Adoption) -> None:
    """Afterwards what has no mark is drift, and what has another's is lost, whatever the field says."""
    for stored in (StoredDocuments(None, document(owner)), StoredDocuments(document(owner), None)):
        assert Stored(place(known=False, adoption=adoption), stored).standing is FIRST[adoption]
        afterwards = Standing.OURS if owner is None else Standing.LOST
        assert Stored(place(known=True, adoption=adoption), stored).standing is afterwards


@pytest.mark.parametrize("adoption", list(Adoption))
def test_beside_a_document_of_ours_no_mark_is_drift_and_anothers_mark_is_not(adoption: Adoption) -> None:
    """The status may be lost, and with it what it said of the place: our own mark says it."""
    for owner, first in ((None, Standing.OURS), (OTHERS, FIRST[adoption])):
        for stored in (
            StoredDocuments(document(owner), document(OURS)),
            StoredDocuments(document(OURS), document(owner)),
        ):
            assert Stored(place(known=False, adoption=adoption), stored).standing is first


@pytest.mark.parametrize("known", [False, True])
def test_nothing_and_our_own_mark_are_ours(known: bool) -> None:
    """An empty place, half a publication, and a whole one of which the status was lost."""
    for stored in (
        StoredDocuments(),
        StoredDocuments(None, document(OURS)),
        StoredDocuments(document(OURS), document(OURS)),
    ):
        assert Stored(place(known=known), stored).standing is Standing.OURS
        assert refusal(Stored(place(known=known), stored)) is None


def test_a_refusal_names_the_owner_and_what_to_do() -> None:
    """For an admin who sees nothing but the condition."""
    found = refusal(Stored(place(known=False), StoredDocuments(None, document(OTHERS))))
    assert found is not None
    assert found.reason is Reason.DocumentsNotOurs
    assert OTHERS in found.message
    assert all(word in found.advice for word in ("spec.adoption", "Merge", "Replace"))
    unsigned = refusal(Stored(place(known=False), StoredDocuments(document(None), None)))
    assert unsigned is not None
    assert "owner: none" in unsigned.message
    lost = refusal(Stored(place(known=True), StoredDocuments(document(OTHERS), document(OURS))))
    assert lost is not None
    assert lost.reason is Reason.OwnershipLost
    assert OTHERS in lost.message
    assert "create it again with spec.adoption Merge" in lost.advice


def test_a_stored_set_is_read_with_its_mark() -> None:
    """Keys in stored order, the mark's numbers, the digest of the bytes."""
    reading = stored_reading(Stored(place(known=True), StoredDocuments(None, document(OURS))))
    assert (reading.state, reading.keys, reading.ours, reading.serial) == (StoreState.PRESENT, (KEY,), True, 7)
    assert (reading.token_lifetime, reading.stale_age, reading.last_modified) == (HOUR, 2 * HOUR, NOW)
    assert reading.digest == digest(jwks_document([KEY]))
    assert reading.take_over is None


def test_no_object_is_absence_garbage_holds_no_keys_and_an_error_is_no_reading() -> None:
    """The first two are readings, not failures."""
    assert stored_reading(Stored(place(known=True), StoredDocuments())).state is StoreState.ABSENT
    garbage = stored_reading(Stored(place(known=True), StoredDocuments(None, document(OURS, b"<html>"))))
    assert (garbage.state, garbage.keys) == (StoreState.PRESENT, ())
    error = StoreError(Reason.StoreUnavailable, "away")
    assert stored_reading(Stored(place(known=True), StoredDocuments(error=error))).state is StoreState.UNREADABLE


def test_a_set_under_a_mark_is_read_beyond_the_probes_limit() -> None:
    """Former versions wrote sets of more than 64 KiB: a lost ledger must be rebuilt from them. A stranger's is not read."""
    keys = [replace(KEY, key_id=f"{number:01000}") for number in range(80)]
    large = jwks_document(keys)
    assert len(large) > 64 * 1024
    assert len(stored_reading(Stored(place(known=False), StoredDocuments(None, document(OURS, large)))).keys) == len(
        keys
    )
    merged = stored_reading(
        Stored(place(known=False, adoption=Adoption.MERGE), StoredDocuments(None, document(None, large)))
    )
    assert merged.keys == ()


def test_anothers_set_counts_only_where_it_is_taken_over() -> None:
    """Refused or lost it says nothing of our keys; merged or replaced it does."""
    theirs = StoredDocuments(document(OTHERS), document(OTHERS))
    assert stored_reading(Stored(place(known=False), theirs)).state is StoreState.FOREIGN
    assert stored_reading(Stored(place(known=True), theirs)).state is StoreState.LOST
    merged = stored_reading(Stored(place(known=False, adoption=Adoption.MERGE), theirs))
    assert (merged.state, merged.keys, merged.take_over) == (StoreState.PRESENT, (KEY,), TakeOver.MERGE)
    replaced = stored_reading(Stored(place(known=False, adoption=Adoption.REPLACE), theirs))
    assert replaced.take_over is TakeOver.REPLACE
    half = StoredDocuments(document(OTHERS), document(OURS))
    assert stored_reading(Stored(place(known=False, adoption=Adoption.MERGE), half)).take_over is None
