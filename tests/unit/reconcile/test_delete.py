"""deletionPolicy: when our finalizer is there, and what goes with the object."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from oidc_publisher.api import OIDCIssuer, StatusPublication
from oidc_publisher.documents import DISCOVERY_PATH, Document, OwnerMark
from oidc_publisher.errors import PreconditionError, StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.reconcile.delete import (
    FINALIZER,
    delete_documents,
    finalizers_of,
    held_by_us,
    left_elsewhere,
    not_deleted,
    why_left,
    without_ours,
)
from oidc_publisher.reconcile.ownership import Place
from oidc_publisher.stores.memory import MemoryStore
from tests.support.builders import issuer_of

OURS, THEIRS = "uid/prod", "uid-2/prod"
JWKS = "openid/v1/jwks"
OTHERS = "example.com/keep"


def issuer(*finalizers: str, **spec: Any) -> OIDCIssuer:
    """An issuer with these finalizers."""
    return issuer_of(metadata={"finalizers": list(finalizers)}, **spec)


def document(owner: str | None) -> Document:
    """A document with the mark of one owner."""
    zero = timedelta(0)
    return Document(b"{}", "application/json", "", OwnerMark(owner, 1, zero, zero).to_metadata() if owner else {})


async def store_with(**owners: str | None) -> MemoryStore:
    """A store with the documents of these owners."""
    store = MemoryStore()
    paths = {"discovery": DISCOVERY_PATH, "jwks": JWKS}
    for name, owner in owners.items():
        await store.write(paths[name], document(owner), expected=None)
    return store


@pytest.mark.parametrize(
    ("policy", "present", "wanted"),
    [
        ("Retain", (), ()),
        ("Retain", (OTHERS, FINALIZER), (OTHERS,)),
        ("Delete", (), (FINALIZER,)),
        ("Delete", (OTHERS,), (OTHERS, FINALIZER)),
        ("Delete", (FINALIZER, OTHERS), (FINALIZER, OTHERS)),
    ],
)
def test_the_finalizer_is_there_under_delete_alone(
    policy: str, present: tuple[str, ...], wanted: tuple[str, ...]
) -> None:
    """And those of others stay as they are, in their order."""
    found = issuer(*present, deletionPolicy=policy)
    assert finalizers_of(found) == wanted
    assert held_by_us(found) is (FINALIZER in present)
    assert FINALIZER not in without_ours(found)


def test_documents_go_under_delete_and_not_while_suspended() -> None:
    """Suspended means that nobody touches anything."""
    assert why_left(issuer(deletionPolicy="Delete")) is None
    assert "Retain" in str(why_left(issuer()))
    assert "suspended" in str(why_left(issuer(deletionPolicy="Delete", suspend=True)))


def test_documents_at_former_places_are_spoken_of() -> None:
    """Nobody else would remember them."""
    found = issuer()
    publication = StatusPublication(location="s3://b", former_location="s3://a")
    found = found.model_copy(update={"status": found.status.model_copy(update={"publication": publication})})
    told = [event.subject for event in left_elsewhere(found, Place("s3://c", OURS, known=False))]
    assert told == ["s3://b", "s3://a"]
    assert [event.subject for event in left_elsewhere(found, Place("s3://b", OURS, known=True))] == ["s3://a"]
    assert left_elsewhere(issuer(), Place("s3://c", OURS, known=False)) == ()


def test_documents_on_a_former_server_are_spoken_of() -> None:
    """The location alone would not say where; a server that nobody noted is taken for the present one."""
    found, here = issuer(), Place("s3://b", OURS, known=True, endpoint_url="https://new")
    for noted, on in (("https://old", ["s3://b on https://old (if that is another server)"]), (None, [])):
        publication = StatusPublication(
            location="s3://b", endpoint_url="https://new", former_location="s3://b", former_endpoint_url=noted
        )
        status = found.status.model_copy(update={"publication": publication})
        told = left_elsewhere(found.model_copy(update={"status": status}), here)
        assert [event.subject for event in told] == on


async def test_both_documents_go_discovery_first() -> None:
    """It never names a key set that is not there."""
    store = await store_with(discovery=OURS, jwks=OURS)
    order: list[str] = []
    delete = store.delete

    async def noted(path: str, *, expected: str) -> None:
        order.append(path)
        await delete(path, expected=expected)

    store.delete = noted  # type: ignore[method-assign]
    done = await delete_documents(store, JWKS, owner=OURS, nonces=frozenset())
    assert (done.deleted, done.left) == ((DISCOVERY_PATH, JWKS), ())
    assert order == [DISCOVERY_PATH, JWKS]
    assert store.documents == {}


@pytest.mark.parametrize("owner", [THEIRS, None])
async def test_what_is_not_ours_stays_and_is_named(owner: str | None) -> None:
    """Another owner's mark, and no mark at all."""
    store = await store_with(discovery=owner, jwks=OURS)
    done = await delete_documents(store, JWKS, owner=OURS, nonces=frozenset())
    assert done.deleted == (JWKS,)
    assert done.left == ((DISCOVERY_PATH, owner or "none"),)
    assert set(store.documents) == {DISCOVERY_PATH}


async def test_what_is_gone_already_is_gone() -> None:
    """One document, both, and the bucket."""
    assert (await delete_documents(await store_with(jwks=OURS), JWKS, owner=OURS, nonces=frozenset())).deleted == (
        JWKS,
    )
    assert (await delete_documents(MemoryStore(), JWKS, owner=OURS, nonces=frozenset())).deleted == ()

    class NoBucket(MemoryStore):
        async def read(self, path: str) -> None:
            raise StoreError(Reason.BucketNotFound, f"{path} has no bucket")

    assert (await delete_documents(NoBucket(), JWKS, owner=OURS, nonces=frozenset())).deleted == ()


async def test_a_document_that_changes_hands_meanwhile_is_looked_at_anew() -> None:
    """A lost race: it is another's by now, and stays."""
    store = await store_with(jwks=OURS)
    found = store.documents[JWKS]

    async def overtaken(path: str, *, expected: str) -> None:
        await MemoryStore.write(store, path, document(THEIRS), expected=found.version)
        raise PreconditionError(Reason.StoreUnavailable, f"{path} is not {expected}")

    store.delete = overtaken  # type: ignore[method-assign]
    done = await delete_documents(store, JWKS, owner=OURS, nonces=frozenset())
    assert (done.deleted, done.left) == ((), ((JWKS, THEIRS),))


async def test_a_document_that_keeps_changing_is_given_up_until_the_next_pass() -> None:
    """And a store that refuses is an error at once: the key set stays while the discovery document names it."""
    store = await store_with(discovery=OURS, jwks=OURS)
    tries = 0

    async def refused(path: str, *, expected: str) -> None:
        nonlocal tries
        tries += 1
        raise PreconditionError(Reason.StoreUnavailable, f"{path} is not {expected}")

    store.delete = refused  # type: ignore[method-assign]
    with pytest.raises(PreconditionError):
        await delete_documents(store, JWKS, owner=OURS, nonces=frozenset())
    assert tries == 5
    assert set(store.documents) == {DISCOVERY_PATH, JWKS}


def test_the_finding_names_the_way_out() -> None:
    """After what the store's own error says to do."""
    found = not_deleted(StoreError(Reason.AccessDenied, "s3:DeleteObject is denied", hint="Allow it."), "s3://abc")
    assert found.reason is Reason.AccessDenied
    assert "s3://abc" in found.message
    assert found.advice.index("Allow it.") < found.advice.index("spec.deletionPolicy to Retain")
