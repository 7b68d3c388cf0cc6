"""Two operators under one mark, as the controller sees them: whose write it is, what is said, what is deleted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from oidc_publisher.documents import Document, OwnerMark, StoredDocument, StoredDocuments, jwks_document
from oidc_publisher.findings import Reason
from oidc_publisher.reconcile.delete import delete_documents
from oidc_publisher.reconcile.ownership import Place, Standing, Stored, refusal, stored_reading
from oidc_publisher.rotation import OwnWrites, StoreState
from oidc_publisher.stores.memory import MemoryStore
from tests.support.builders import public_key

KEY = public_key()
OURS, JWKS = "uid/prod", "openid/v1/jwks"
DISCOVERY = ".well-known/openid-configuration"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def document(nonce: str, *, serial: int = 12, owner: str = OURS) -> Document:
    """A document whose mark bears this nonce."""
    mark = OwnerMark(owner, serial, HOUR, HOUR, nonce)
    return Document(jwks_document([KEY]), "application/json", "", mark.to_metadata())


def stored(discovery: str, jwks: str) -> StoredDocuments:
    """Both documents, with these nonces."""
    return StoredDocuments(StoredDocument(document(discovery), "d", NOW), StoredDocument(document(jwks), "j", NOW))


def place(*, certain: bool = True, known: bool = True) -> Place:
    """Our place; our writes bore the nonces a and b, the latest with serial 10."""
    return Place("s3://abc", OURS, known, writes=OwnWrites(10, frozenset({"a", "b"}), certain=certain))


def test_an_unknown_nonce_under_our_mark_is_a_second_writer() -> None:
    """On either document: nothing is written, nothing counts as ours, and the finding names both serials."""
    for found in (stored("x", "x"), stored("b", "x"), stored("x", "b")):
        assert Stored(place(), found).standing is Standing.SECOND_WRITER
        reading = stored_reading(Stored(place(), found))
        assert (reading.state, reading.second_writer) == (StoreState.LOST, True)
        refused = refusal(Stored(place(), found))
        assert refused is not None
        assert refused.reason is Reason.OwnershipLost
        assert "its serial is 12, ours is 10" in refused.message
        assert "status.ledger.secondWriterTime" in refused.advice


def test_where_nobody_remembers_it_is_an_unknown_writer_and_counts_as_ours() -> None:
    """After a restart; the rules then rebuild the ledger."""
    reading = stored_reading(Stored(place(certain=False), stored("x", "x")))
    assert (reading.state, reading.ours, reading.unknown_writer) == (StoreState.PRESENT, True, True)
    assert reading.nonces == ("x", "x")


def test_our_own_nonces_no_nonce_and_a_place_that_we_never_wrote_are_no_second_writers() -> None:
    """Half of our own write, an earlier version's mark, and documents that we left at a former place."""
    for where, found in (
        (place(), stored("a", "b")),
        (place(), stored("", "")),
        (place(known=False), stored("x", "x")),
        (replace(place(), writes=None), stored("x", "x")),
    ):
        assert Stored(where, found).standing is Standing.OURS
        assert not stored_reading(Stored(where, found)).unknown_writer


async def test_a_second_writers_documents_are_not_deleted_with_our_object() -> None:
    """DeletionPolicy Delete on the clone would take the documents of the cluster that goes on."""
    store = MemoryStore()
    for path, nonce in ((DISCOVERY, "x"), (JWKS, "b")):
        await store.write(path, document(nonce), expected=None)
    done = await delete_documents(store, JWKS, owner=OURS, nonces=frozenset({"a", "b"}))
    assert done.deleted == (JWKS,)
    ((path, owner),) = done.left
    assert path == DISCOVERY
    assert "another operator" in owner
    assert (await delete_documents(store, JWKS, owner=OURS, nonces=frozenset())).deleted == (DISCOVERY,)


def test_a_nonce_is_carried_through_the_metadata_and_bounded() -> None:
    """An earlier version's mark has none, and is written without one as long as it is the latest."""
    assert OwnerMark.read(document("n1").metadata) == OwnerMark(OURS, 12, HOUR, HOUR, "n1")
    assert not any("nonce" in name for name in document("").metadata)
    long = OwnerMark.read(document("n" * 1000).metadata)
    assert long is not None
    assert len(long.nonce) <= 64
