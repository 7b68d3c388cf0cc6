"""The plan of writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from oidc_publisher.documents import (
    DISCOVERY_PATH,
    Difference,
    Document,
    OwnerMark,
    PlannedDocuments,
    StoredDocument,
    StoredDocuments,
    Write,
    WriteReason,
    differences,
    plan_documents,
    plan_writes,
    read_discovery,
    read_jwks_document,
)
from oidc_publisher.errors import KeyRefusedError
from oidc_publisher.findings import Reason
from oidc_publisher.keys import PublicKey
from tests.support.signingkeys import Kind, signing_key

JWKS_PATH = "openid/v1/jwks"


def public(kind: Kind, name: str = "a") -> PublicKey:
    return PublicKey.from_pem(signing_key(kind, name).public_pem.decode())


A, B, WIDE = public("P-256"), public("P-256", "b"), public("P-384")


def plan(*keys: PublicKey, serial: int = 3, max_age: timedelta = timedelta(minutes=5)) -> PlannedDocuments:
    mark = OwnerMark("uid/prod", serial, timedelta(hours=24), timedelta(minutes=5))
    return plan_documents("https://i.example/prod", JWKS_PATH, keys, cache_max_age=max_age, mark=mark)


def stored(document: Document, version: str) -> StoredDocument:
    return StoredDocument(document, version, datetime(2030, 1, 1, tzinfo=UTC))


def both(planned: PlannedDocuments) -> tuple[StoredDocument, StoredDocument]:
    return stored(planned.discovery, "d1"), stored(planned.jwks, "j1")


def differ(
    planned: PlannedDocuments, discovery: StoredDocument | None, jwks: StoredDocument | None
) -> tuple[Difference, ...]:
    return differences(planned, StoredDocuments(discovery, jwks))


def writes_of(
    planned: PlannedDocuments, discovery: StoredDocument | None, jwks: StoredDocument | None
) -> tuple[Write, ...]:
    return plan_writes(planned, StoredDocuments(discovery, jwks), differ(planned, discovery, jwks))


def test_the_documents_are_what_a_stranger_should_see() -> None:
    """Content, headers and mark of both."""
    planned = plan(A, WIDE)
    discovery = read_discovery(planned.discovery.body)
    assert (discovery.issuer, discovery.jwks_uri) == ("https://i.example/prod", "https://i.example/prod/openid/v1/jwks")
    assert discovery.algorithms == ("ES256", "ES384", "RS256")
    assert read_jwks_document(planned.jwks.body).keys == (A, WIDE)
    for document in (planned.discovery, planned.jwks):
        assert (document.content_type, document.cache_control) == ("application/json", "public, max-age=300")
        assert document.metadata["oidc-publisher-serial"] == "3"


def test_nothing_changed_is_no_write() -> None:
    """A healthy issuer costs nothing, whatever others add to the metadata."""
    planned = plan(A, B)
    discovery, jwks = both(plan(A, B))
    theirs = replace(jwks, document=replace(jwks.document, metadata={"backup": "x", **jwks.document.metadata}))
    assert differ(planned, discovery, theirs) == ()
    assert writes_of(planned, discovery, theirs) == ()


def test_the_first_publication_writes_the_keys_first() -> None:
    """The discovery document never exists without the key set that it names."""
    writes = writes_of(plan(A), None, None)
    assert [(w.path, w.expected_version, w.reason) for w in writes] == [
        (JWKS_PATH, None, WriteReason.CREATED),
        (DISCOVERY_PATH, None, WriteReason.CREATED),
    ]


ORDERS: dict[str, tuple[tuple[PublicKey, ...], tuple[PublicKey, ...], list[str]]] = {
    "a key enters": ((A,), (B, A), [JWKS_PATH, DISCOVERY_PATH]),
    "a key of a new algorithm enters": ((A,), (A, WIDE), [JWKS_PATH, DISCOVERY_PATH]),
    "a key leaves": ((A, B), (A,), [DISCOVERY_PATH, JWKS_PATH]),
    "the last key of an algorithm leaves": ((A, WIDE), (A,), [DISCOVERY_PATH, JWKS_PATH]),
    "one enters and one leaves (adoption Replace)": ((A, WIDE), (A, B), [JWKS_PATH, DISCOVERY_PATH]),
    "the order changes": ((A, B), (B, A), [JWKS_PATH, DISCOVERY_PATH]),
}


@pytest.mark.parametrize("name", ORDERS)
def test_growing_writes_keys_first_and_shrinking_last(name: str) -> None:
    """At every moment between the writes each published key is advertised for or each algorithm has its key."""
    before, after, paths = ORDERS[name]
    writes = writes_of(plan(*after, serial=4), *both(plan(*before)))
    assert [write.path for write in writes] == paths
    assert {write.path: write.expected_version for write in writes} == {JWKS_PATH: "j1", DISCOVERY_PATH: "d1"}
    assert {write.document.metadata["oidc-publisher-serial"] for write in writes} == {"4"}


def test_one_missing_document_is_made_anew() -> None:
    """A deleted object is drift, and its write demands that there is none."""
    discovery, jwks = both(plan(A))
    (write,) = writes_of(plan(A), discovery, None)
    assert (write.path, write.expected_version, write.reason) == (JWKS_PATH, None, WriteReason.CREATED)
    (write,) = writes_of(plan(A), None, jwks)
    assert (write.path, write.expected_version, write.reason) == (DISCOVERY_PATH, None, WriteReason.CREATED)
    assert [w.path for w in writes_of(plan(A, serial=4), None, both(plan(A, B))[1])] == [JWKS_PATH, DISCOVERY_PATH]


def changed(**fields: object) -> Callable[[StoredDocument], StoredDocument]:
    return lambda found: replace(found, document=replace(found.document, **fields))  # type: ignore[arg-type]


DRIFT: dict[str, tuple[Callable[[StoredDocument], StoredDocument], WriteReason]] = {
    "its content became white space": (
        lambda found: changed(body=found.document.body + b" ")(found),
        WriteReason.CONTENT_CHANGED,
    ),
    "content type": (changed(content_type="binary/octet-stream"), WriteReason.HEADERS_CHANGED),
    "no cache control": (changed(cache_control=""), WriteReason.HEADERS_CHANGED),
    "another max-age": (changed(cache_control="public, max-age=3600"), WriteReason.HEADERS_CHANGED),
    "content encoding": (lambda found: replace(found, content_encoding="aws-chunked"), WriteReason.HEADERS_CHANGED),
    "no mark": (changed(metadata={}), WriteReason.MARK_CHANGED),
    "lower serial": (
        lambda found: changed(metadata=dict(found.document.metadata) | {"oidc-publisher-serial": "2"})(found),
        WriteReason.MARK_CHANGED,
    ),
    "another owner": (
        lambda found: changed(metadata=dict(found.document.metadata) | {"oidc-publisher-owner": "x/y"})(found),
        WriteReason.MARK_CHANGED,
    ),
    "a mark of another form": (
        lambda found: changed(metadata=dict(found.document.metadata) | {"oidc-publisher-x": "1"})(found),
        WriteReason.MARK_CHANGED,
    ),
}


@pytest.mark.parametrize("name", DRIFT)
@pytest.mark.parametrize("which", [0, 1], ids=["discovery", "jwks"])
def test_drift_of_one_document_is_one_difference_with_its_reason(name: str, which: int) -> None:
    """Everything that a reader sees is compared, and the mark like the bytes (R9)."""
    damage, reason = DRIFT[name]
    found = list(both(plan(A)))
    found[which] = damage(found[which])
    (difference,) = differ(plan(A), *found)
    assert (difference.path, difference.reason) == ((DISCOVERY_PATH, JWKS_PATH)[which], reason)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"keys":[]}', b'{"keys":[{}]}', b'{"keys":7}'])
def test_an_unreadable_stored_set_is_repaired_keys_first(body: bytes) -> None:
    """Whatever was put there, it is replaced, and says that the keys changed."""
    discovery, jwks = both(plan(A))
    writes = writes_of(plan(A, serial=4), discovery, changed(body=body)(jwks))
    assert [(write.path, write.reason) for write in writes] == [
        (JWKS_PATH, WriteReason.KEYS_CHANGED),
        (DISCOVERY_PATH, WriteReason.MARK_CHANGED),
    ]


def test_reasons_name_what_matters_most() -> None:
    """Keys and algorithms before the serial that rises with every write."""
    writes = writes_of(plan(A, WIDE, serial=4), *both(plan(A)))
    assert [write.reason for write in writes] == [WriteReason.KEYS_CHANGED, WriteReason.ALGORITHMS_CHANGED]
    (difference, _) = differ(plan(A, max_age=timedelta(minutes=1)), *both(plan(A)))
    assert difference.reason is WriteReason.HEADERS_CHANGED


def test_under_a_raised_serial_both_documents_are_written_and_each_says_why() -> None:
    """The one that differs for its own reason, the other for the serial alone; in the order of a set that shrinks."""
    found = StoredDocuments(*both(plan(A, B)))
    differing = differences(plan(A), found)
    assert [(d.path, d.reason) for d in differing] == [(JWKS_PATH, WriteReason.KEYS_CHANGED)]
    writes = plan_writes(plan(A).under(OwnerMark("uid/prod", 4, timedelta(0), timedelta(0))), found, differing)
    assert [(write.path, write.reason) for write in writes] == [
        (DISCOVERY_PATH, WriteReason.SERIAL_RAISED),
        (JWKS_PATH, WriteReason.KEYS_CHANGED),
    ]
    assert {write.document.metadata["oidc-publisher-serial"] for write in writes} == {"4"}


def test_ask_raise_and_write_comes_to_rest() -> None:
    """The protocol of the module: after its writes nothing differs, and a lost second write is made up for."""
    discovery, jwks = both(plan(A, serial=3))
    assert differ(plan(A, B, serial=3), discovery, jwks)
    first, _lost = writes_of(plan(A, B, serial=4), discovery, jwks)
    jwks = stored(first.document, "j2")
    assert [d.path for d in differ(plan(A, B, serial=4), discovery, jwks)] == [DISCOVERY_PATH]
    for write in writes_of(plan(A, B, serial=5), discovery, jwks):
        if write.path == JWKS_PATH:
            jwks = stored(write.document, "j3")
        else:
            discovery = stored(write.document, "d2")
    assert differ(plan(A, B, serial=5), discovery, jwks) == ()


def test_a_set_too_large_for_ourselves_comes_to_rest_too() -> None:
    """Above the probe's cap the probe complains; the writer must not write it again and again."""
    many = tuple(PublicKey(f"{number:0>1024}", A.algorithm, A.spki) for number in range(80))
    assert len(plan(*many).jwks.body) > 65536
    assert differ(plan(*many), *both(plan(*many))) == ()


def test_an_empty_plan_is_not_made() -> None:
    """R6: an empty plan is not written."""
    with pytest.raises(KeyRefusedError) as caught:
        plan()
    assert caught.value.reason is Reason.NoUsableKey
