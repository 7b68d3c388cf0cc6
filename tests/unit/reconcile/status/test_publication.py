"""status.publication: when a place is ours, and when a move is told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from oidc_publisher.api import OIDCIssuer, OIDCIssuerStatus, StatusCondition, StatusPublication
from oidc_publisher.documents import Document, OwnerMark, StoredDocument, StoredDocuments, jwks_document
from oidc_publisher.findings import Reason
from oidc_publisher.reconcile.ownership import Place, Standing, Stored, place_of
from oidc_publisher.reconcile.status.publication import move_noted, publication_of, saved_publication
from oidc_publisher.rotation import Advance, Ledger
from tests.support.builders import issuer_of, public_key

KEY = public_key()
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEDGER = Ledger(serial=9, jwks_digest="sha256:planned")
PLAN = Advance(LEDGER, (KEY,), None, (), (), may_sign=True)
OLD, NEW = "s3://old", "s3://new"
AMAZON, OTHER = "https://s3.eu-central-1.amazonaws.com", "https://s3.example.com"
OWNER = "uid/prod"


def stored(owner: str = "uid/prod") -> StoredDocuments:
    """Both documents with the mark of one owner."""
    zero = NOW - NOW
    document = Document(jwks_document([KEY]), "", "", OwnerMark(owner, 9, zero, zero).to_metadata())
    return StoredDocuments(StoredDocument(document, "1", NOW), StoredDocument(document, "2", NOW))


def test_what_is_saved_before_a_write_says_nothing_of_a_place() -> None:
    """R12: serial and digest survive; who wins the race to the place is not known yet."""
    assert saved_publication(None, LEDGER) == StatusPublication(serial=9, jwks_digest="sha256:planned")
    known = StatusPublication(location=OLD, serial=8, key_count=2)
    assert saved_publication(known, LEDGER).location == OLD


def test_a_location_is_ours_once_both_documents_are() -> None:
    """Not while it is foreign, half written or unreadable: adoption still speaks then."""
    known = StatusPublication(serial=8)
    ours = publication_of(known, Stored(Place(NEW, "uid/prod", known=True), stored()), PLAN, LEDGER, changed_at=NOW)
    assert ours is not None
    assert (ours.location, ours.serial, ours.key_count, ours.last_change_time) == (NEW, 9, 1, NOW)
    for place, documents in (
        (Place(NEW, "uid/prod", known=False), stored()),
        (Place(NEW, "uid/prod", known=True), stored("uid/other")),
        (Place(NEW, "uid/prod", known=True), StoredDocuments()),
    ):
        kept = publication_of(known, Stored(place, documents), PLAN, LEDGER, changed_at=None)
        assert kept is not None
        assert (kept.location, kept.serial) == (None, 9)
    nothing = publication_of(None, Stored(Place(NEW, "x", known=False), stored()), PLAN, Ledger(), changed_at=None)
    assert nothing is None


def test_a_move_remembers_where_the_documents_were() -> None:
    """Also through later passes, and anew when it moves again."""
    place = Place(NEW, "uid/prod", known=True)
    known = StatusPublication(location=OLD, serial=8, moved_time=NOW, former_location="s3://older")
    moved = publication_of(known, Stored(place, stored()), PLAN, LEDGER, changed_at=NOW)
    assert moved is not None
    assert (moved.location, moved.former_location, moved.moved_time) == (NEW, OLD, None)
    later = publication_of(moved, Stored(place, stored()), PLAN, LEDGER, changed_at=None)
    assert later == moved


def issuer(publication: StatusPublication) -> OIDCIssuer:
    """An issuer with this in its status."""
    made = issuer_of(store={"s3": {"bucket": "new", "region": "eu-central-1"}})
    return made.model_copy(update={"status": made.status.model_copy(update={"publication": publication})})


@pytest.mark.parametrize(
    ("noted", "now", "known"),
    [
        (AMAZON, AMAZON, True),
        (AMAZON, OTHER, False),
        (OTHER, AMAZON, False),
        (OTHER, f"{OTHER}:9000", False),
        (None, OTHER, True),
        (None, AMAZON, True),
        (None, None, True),
    ],
)
def test_the_same_bucket_on_another_server_is_another_place(noted: str | None, now: str, *, known: bool) -> None:
    """A status of a former version names no server: an existing place does not become foreign by that."""
    status = StatusPublication(location=NEW, endpoint_url=noted)
    place = place_of(issuer(status), NEW, OWNER, now)
    assert (place.known, place.endpoint_url) == (known, now)
    assert Stored(place, stored("uid/other")).standing is (Standing.LOST if known else Standing.FOREIGN)
    assert not place_of(issuer(status), OLD, OWNER, now).known


def test_the_server_is_noted_where_it_was_not_and_that_is_no_move() -> None:
    """The first pass of this version over the status of a former one."""
    known = StatusPublication(location=NEW, serial=9, moved_time=NOW, former_location=OLD)
    place = Place(NEW, OWNER, known=True, endpoint_url=OTHER)
    noted = publication_of(known, Stored(place, stored()), PLAN, LEDGER, changed_at=None)
    assert noted is not None
    assert (noted.location, noted.endpoint_url) == (NEW, OTHER)
    assert (noted.former_location, noted.former_endpoint_url, noted.moved_time) == (OLD, None, NOW)
    assert saved_publication(noted, LEDGER).endpoint_url == OTHER


def test_a_move_to_another_server_remembers_and_names_the_old_one() -> None:
    """The location is the same; and the other URL may be another name of the same server."""
    known = StatusPublication(location=NEW, endpoint_url=OTHER, serial=8)
    place = Place(NEW, OWNER, known=True, endpoint_url=AMAZON)
    moved = publication_of(known, Stored(place, stored()), PLAN, LEDGER, changed_at=NOW)
    assert moved is not None
    assert (moved.location, moved.endpoint_url) == (NEW, AMAZON)
    assert (moved.former_location, moved.former_endpoint_url, moved.moved_time) == (NEW, OTHER, None)
    assert publication_of(moved, Stored(place, stored()), PLAN, LEDGER, changed_at=None) == moved
    after, (told,) = move_noted(status(moved, "Published", "Served"), NOW)
    assert f"the documents at {NEW} on {OTHER} (if that is another server) are left as they are" in told.message
    assert move_noted(after, NOW) == (after, ())


def status(publication: StatusPublication | None, *good: str) -> OIDCIssuerStatus:
    """A status with these conditions True and Ready False."""
    conditions = tuple(
        StatusCondition(type=kind, status=word, last_transition_time=NOW, reason="Any", message="")
        for kind, word in (("Ready", "False"), *((kind, "True") for kind in good))
    )
    return OIDCIssuerStatus(conditions=conditions, publication=publication)


@pytest.mark.parametrize("good", [(), ("Published",), ("Served",)])
def test_nothing_is_said_of_the_old_place_before_the_new_one_is_proven(good: tuple[str, ...]) -> None:
    """Whatever goes wrong on the way, the old documents are what people have."""
    before = status(StatusPublication(location=NEW, former_location=OLD), *good)
    assert move_noted(before, NOW) == (before, ())


def test_a_move_is_told_once() -> None:
    """With both places, as soon as Published and Served are True; then it is noted in the status."""
    after, (told,) = move_noted(
        status(StatusPublication(location=NEW, former_location=OLD), "Published", "Served"), NOW
    )
    assert told.reason is Reason.StoreChanged
    assert OLD in told.message
    assert NEW in told.message
    assert after.publication is not None
    assert after.publication.moved_time == NOW
    assert move_noted(after, NOW) == (after, ())
    assert move_noted(status(None, "Published", "Served"), NOW)[1] == ()
    assert move_noted(status(StatusPublication(location=NEW), "Published", "Served"), NOW)[1] == ()
