"""The order of a pass, on the real pass over memory ports: what is saved when, what is read anew, what counts as ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest

from oidc_publisher.documents import DISCOVERY_PATH, Document, StoredDocument, read_jwks_document
from oidc_publisher.findings import Reason
from oidc_publisher.keys import PublicKey
from oidc_publisher.reconcile.delete import FINALIZER
from tests.simulation.cluster import Server
from tests.simulation.keypool import public_key
from tests.simulation.operatorprocess import NAME, Crash
from tests.simulation.publicface import JWKS_PATH, StoreDownError
from tests.simulation.world import HOUR, MINUTE, World, started

K1, K2, K3 = public_key(1), public_key(2), public_key(3)


@pytest.fixture
def world() -> World:
    """One API server with K1, after its first pass."""
    return started(1, named=False, interval=HOUR)


def _lists(world: World, *keys: PublicKey) -> Server:
    server = next(iter(world.cluster.servers.values()))
    server.files = list(keys)
    return server


def _before_each_write(world: World, look: Callable[[str, Document], None]) -> None:
    """Call `look` with the path and the document of every PUT, before it is done."""
    write = world.bucket.write

    def looked(path: str, document: Document, expected: str | None, now: datetime) -> StoredDocument:
        look(path, document)
        return write(path, document, expected, now)

    world.bucket.write = looked  # type: ignore[method-assign]


def _keys(document: Document) -> set[PublicKey]:
    return set(read_jwks_document(document.body).keys)


def test_the_ledger_is_saved_before_each_write_that_needs_it(world: World) -> None:
    """R12: at the time of a PUT the status has every key of it, and the serial in its mark."""
    saved: list[tuple[bool, bool]] = []

    def look(path: str, document: Document) -> None:
        ledger = world.operator.ledger
        known = {entry.key for entry in ledger.keys}
        if path == JWKS_PATH:
            saved.append((_keys(document) <= known, str(ledger.serial) in document.metadata.values()))

    _before_each_write(world, look)
    _lists(world, K1, K2)
    world.run_pass()
    assert saved == [(True, True)]


@pytest.mark.parametrize("where", [Crash.BEFORE_WRITE, Crash.AFTER_WRITE])
def test_a_process_that_dies_at_a_write_leaves_a_ledger_that_knows_the_key(world: World, where: Crash) -> None:
    """The next process goes on where this one ended."""
    _lists(world, K1, K2)
    world.operator.crash = where
    world.run_pass()
    assert world.operator.ledger.get(K2.key_id) is not None
    world.run_pass()
    assert _keys(world.bucket.documents[JWKS_PATH].document) == {K1, K2}


def test_what_is_observed_after_a_write_is_dated_after_it(world: World) -> None:
    """A PUT that takes half an hour: the key was not seen at the public URL before it was there."""
    written = []

    def look(path: str, _: Document) -> None:
        if path == JWKS_PATH:
            world.now += 30 * MINUTE
            written.append(world.now)

    _before_each_write(world, look)
    _lists(world, K1, K2)
    world.meets = (2, 2)
    world.edges[2].copy = None
    world.run_pass()
    entry = world.operator.ledger.get(K2.key_id)
    assert entry is not None
    assert entry.served_since_time is not None
    assert entry.served_since_time >= written[0]


def test_a_place_is_not_ours_before_both_documents_are() -> None:
    """The second of the first two writes fails: status.publication must not say that we publish there."""
    world = World(started(1, named=False, interval=HOUR).cluster, HOUR)

    def look(path: str, _: Document) -> None:
        if path == DISCOVERY_PATH:
            raise StoreDownError

    _before_each_write(world, look)
    world.run_pass()
    assert JWKS_PATH in world.bucket.documents
    assert DISCOVERY_PATH not in world.bucket.documents
    assert not world.operator.known_place


def test_a_place_is_ours_while_nothing_is_left_to_write(world: World) -> None:
    """Both are there and as planned: the location is known, without a write."""
    world.run_pass()
    assert world.operator.known_place


def test_the_place_of_a_lost_race_is_not_ours() -> None:
    """A stranger publishes between our read and our PUT, and we may not touch what it wrote."""
    world = World(started(1, named=False, interval=HOUR).cluster, HOUR)
    theirs = started(1, named=False, interval=HOUR).bucket.documents

    def strike() -> None:
        for path, stored in theirs.items():
            metadata = {key: value.replace("simulated", "another") for key, value in stored.document.metadata.items()}
            world.bucket.overwrite(path, replace(stored.document, metadata=metadata), world.now)

    world.operator.before_write = strike
    world.run_pass()
    assert not world.operator.known_place
    assert Reason.DocumentsNotOurs in {Reason(finding.reason) for finding in world.operator.issuer.status.findings}
    assert {path: stored.document.body for path, stored in world.bucket.documents.items()} == {
        path: stored.document.body for path, stored in theirs.items()
    }, "and its documents are left as they are"


def test_the_first_discovery_document_never_comes_before_its_key_set() -> None:
    """A reader that sees the discovery document finds the key set that it names."""
    world = World(started(1, named=False, interval=HOUR).cluster, HOUR)
    order: list[str] = []
    _before_each_write(world, lambda path, _: order.append(path))
    world.run_pass()
    assert order == [JWKS_PATH, DISCOVERY_PATH]


def test_a_lost_race_is_read_and_planned_anew(world: World) -> None:
    """A rival adds a key of its own under our mark, faster than our PUT: our pass ends with what is planned."""

    def strike() -> None:
        stored = world.bucket.documents[JWKS_PATH]
        world.bucket.overwrite(JWKS_PATH, stored.document, world.now)

    world.operator.before_write = strike
    _lists(world, K1, K2)
    world.run_pass()
    assert _keys(world.bucket.documents[JWKS_PATH].document) == {K1, K2}
    assert Reason.StoreUnavailable not in {Reason(f.reason) for f in world.operator.issuer.status.findings}


def test_somebody_who_writes_each_time_is_named(world: World) -> None:
    """Five races lost in a row are no accident."""
    bucket = world.bucket

    def look(path: str, _: Document) -> None:
        bucket.overwrite(path, bucket.documents[path].document, world.now)

    _before_each_write(world, look)
    _lists(world, K1, K2)
    world.run_pass()
    (finding,) = [f for f in world.operator.issuer.status.findings if f.reason == Reason.StoreUnavailable]
    assert "Somebody else keeps writing" in finding.message


def test_a_last_round_that_succeeds_is_no_lost_race(world: World) -> None:
    """Four races are lost and the fifth write is done: the documents are as planned, and nobody is accused."""
    bucket, lost = world.bucket, iter(range(4))

    def look(path: str, _: Document) -> None:
        if next(lost, None) is not None:
            bucket.overwrite(path, bucket.documents[path].document, world.now)

    _before_each_write(world, look)
    _lists(world, K1, K2)
    world.run_pass()
    assert _keys(bucket.documents[JWKS_PATH].document) == {K1, K2}
    assert Reason.StoreUnavailable not in {Reason(f.reason) for f in world.operator.issuer.status.findings}


@pytest.mark.parametrize("ours", [False, True], ids=["theirs", "ours beside theirs"])
@pytest.mark.parametrize("suspended", [False, True], ids=["", "suspended"])
def test_an_object_that_is_being_deleted_does_not_stay_ready(world: World, *, ours: bool, suspended: bool) -> None:
    """A finalizer of others holds it, perhaps for ever, and no pass looks at it: its last proof is no proof."""
    _lists(world, K1, K2)
    world.run_pass()
    operator = world.operator
    world.set_spec(suspend=suspended)
    finalizers = [*([FINALIZER] if ours else []), "example.com/keep"]
    operator.hub.issuers[NAME]["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": finalizers}
    world.run_pass()
    assert operator.issuer.metadata.finalizers == ("example.com/keep",)
    said = {c.type: (c.status, c.reason) for c in operator.issuer.status.conditions}
    assert set(said.values()) == {("Unknown", "BeingDeleted")}
    assert {"Ready", "Served", "SafeToSign", "TokenAccepted"} <= set(said)
    assert operator.ledger.get(K2.key_id) is not None, "the ledger stays, whatever is decided about the object"
    patches = operator.hub.patches
    world.run_pass()
    assert operator.hub.patches == patches
