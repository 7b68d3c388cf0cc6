"""A publication that dies before or after any single call of the store, and the clean run that follows it.

Each kind of store is driven as the operator drives it: read both documents, plan the writes, publish. A reader who
comes at any moment finds no discovery document that names a key set which is not there, and no key missing.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

import pytest

from oidc_publisher.documents import (
    DISCOVERY_PATH,
    OwnerMark,
    PlannedDocuments,
    StoredDocuments,
    differences,
    plan_documents,
    plan_writes,
    read_discovery,
    read_jwks_document,
)
from oidc_publisher.keys import PublicKey
from oidc_publisher.reconcile.delete import delete_documents
from oidc_publisher.reconcile.publish import write
from oidc_publisher.stores import Document, Store, StoredDocument
from tests.contract.stores.conftest import Place
from tests.support.signingkeys import Kind, signing_key

T = TypeVar("T")
ISSUER, JWKS_PATH, OWNER = "https://oidc.example.com/prod", "openid/v1/jwks", "uid/prod"


def public(kind: Kind, name: str = "a") -> PublicKey:
    return PublicKey.from_pem(signing_key(kind, name).public_pem.decode())


A, B, WIDE = public("P-256"), public("P-256", "b"), public("P-384")
#: From these keys to those; WIDE has an algorithm of its own, so the discovery document changes with it.
CHANGES = {
    "first-publication": ((), (A,)),
    "growing": ((A,), (B, A)),
    "growing-with-another-algorithm": ((A,), (WIDE, A)),
    "shrinking": ((B, A), (B,)),
    "shrinking-with-an-algorithm": ((WIDE, A), (A,)),
    "other-headers": ((A,), (A,)),
}


class DiedError(BaseException):
    """The process is gone: nothing catches it, as nothing catches a SIGKILL."""


@dataclass(slots=True)
class Mortal:
    """A store whose process dies at one call: before it reaches the store, or after, with the answer lost."""

    store: Store
    dies_at: int | None
    after: bool
    called: Callable[[], Awaitable[None]]
    calls: int = 0

    async def read(self, path: str) -> StoredDocument | None:
        """Read, or die."""
        return await self._call(lambda: self.store.read(path))

    async def write(self, path: str, document: Document, *, expected: str | None) -> StoredDocument:
        """Write, or die."""
        return await self._call(lambda: self.store.write(path, document, expected=expected))

    async def delete(self, path: str, *, expected: str) -> None:
        """Delete, or die."""
        await self._call(lambda: self.store.delete(path, expected=expected))

    async def _call(self, work: Callable[[], Awaitable[T]]) -> T:
        self.calls += 1
        dies = self.calls == self.dies_at
        if dies and not self.after:
            raise DiedError
        result = await work()
        await self.called()
        if dies:
            raise DiedError
        return result


@dataclass(slots=True)
class Reader:
    """Somebody who has read nothing before: after each call of the operator, the discovery document, then the key set."""

    place: Place
    needed: frozenset[PublicKey]
    looks: int = 0

    async def look(self) -> None:
        """Read both, and complain."""
        self.looks += 1
        discovery, jwks = await stored(self.place.open())
        if discovery is not None:
            assert read_discovery(discovery.document.body).jwks_uri == f"{ISSUER}/{JWKS_PATH}"
            assert jwks is not None, "the discovery document names a key set that is not there"
        if self.needed:
            assert discovery is not None
            assert jwks is not None
            assert self.needed <= set(read_jwks_document(jwks.document.body).keys), "the published set shrank"


async def stored(store: Store | Mortal) -> tuple[StoredDocument | None, StoredDocument | None]:
    return await store.read(DISCOVERY_PATH), await store.read(JWKS_PATH)


def planned(keys: tuple[PublicKey, ...], *, serial: int, max_age_s: int = 300) -> PlannedDocuments:
    mark = OwnerMark(OWNER, serial, timedelta(hours=24), timedelta(minutes=5))
    return plan_documents(ISSUER, JWKS_PATH, keys, cache_max_age=timedelta(seconds=max_age_s), mark=mark)


async def run(store: Store | Mortal, keys: tuple[PublicKey, ...], *, serial: int, **how: Any) -> int:
    """One pass of the operator over the place, and the number of its writes; a difference raises the serial (R12)."""
    found = StoredDocuments(*await stored(store))
    differing = differences(planned(keys, serial=serial, **how), found)
    if not differing:
        return 0
    writes = plan_writes(planned(keys, serial=serial + 1, **how), found, differing)
    written = await write(cast("Store", store), writes, found)
    assert written.error is None
    assert not written.raced
    return written.writes


@pytest.mark.parametrize("after", [False, True], ids=["before-the-call", "answer-lost"])
@pytest.mark.parametrize(("before", "wanted"), CHANGES.values(), ids=CHANGES.keys())
async def test_a_crash_at_any_call_is_made_up_for(
    place: Place, before: tuple[PublicKey, ...], wanted: tuple[PublicKey, ...], *, after: bool
) -> None:
    """The next run ends with exactly what was planned, and on the way no reader is let down."""
    how = {"max_age_s": 60} if before == wanted else {}
    reader = Reader(place, frozenset(before) & frozenset(wanted))
    serials = itertools.count(1, 10)
    for dies_at in itertools.count(1):
        serial = next(serials)
        if before:
            await run(place.open(), before, serial=serial)
        mortal = Mortal(place.open(), dies_at, after, reader.look)
        try:
            await run(mortal, wanted, serial=serial + 1, **how)
        except DiedError:
            await reader.look()
            await run(Mortal(place.open(), None, after, reader.look), wanted, serial=serial + 2, **how)
        discovery, jwks = await stored(place.open())
        assert discovery is not None
        assert jwks is not None
        last = OwnerMark.read(jwks.document.metadata)
        assert last is not None
        assert not differences(planned(wanted, serial=last.serial, **how), StoredDocuments(discovery, jwks))
        assert await run(place.open(), wanted, serial=last.serial, **how) == 0, "at rest nothing is written"
        if mortal.calls < dies_at:
            break
        if not before:
            await remove(place)
    assert dies_at == 5, "two reads and two writes, and each of them was the last once"
    assert reader.looks > 4


@pytest.mark.parametrize("lost", [DISCOVERY_PATH, JWKS_PATH])
async def test_a_document_that_somebody_deleted_is_repaired_over_a_crash(place: Place, lost: str) -> None:
    """What is missing is written first when it is the key set, and the other document stays as it is meanwhile."""
    for serial, (dies_at, after) in enumerate(itertools.product((1, 2, 3, 4), (False, True)), start=1):
        await run(place.open(), (A,), serial=10 * serial)
        found = await place.open().read(lost)
        assert found is not None
        await place.open().delete(lost, expected=found.version)
        with pytest.raises(DiedError):
            await run(Mortal(place.open(), dies_at, after, nothing), (A,), serial=10 * serial + 1)
        await run(place.open(), (A,), serial=10 * serial + 2)
        await Reader(place, frozenset({A})).look()


@pytest.mark.parametrize("after", [False, True], ids=["before-the-call", "answer-lost"])
async def test_a_deletion_that_dies_at_any_call_goes_on(place: Place, *, after: bool) -> None:
    """The discovery document goes first, nobody else's object goes at all, and the next run ends the work."""
    reader = Reader(place, frozenset())
    beside = Document(b"{}", "application/json", "no-store")
    await place.open().write("beside", beside, expected=None)
    for dies_at in (1, 2, 3, 4):
        await run(place.open(), (A,), serial=10 * dies_at)
        with pytest.raises(DiedError):
            await delete_documents(
                alive(Mortal(place.open(), dies_at, after, reader.look)), JWKS_PATH, owner=OWNER, nonces=frozenset()
            )
        await reader.look()
        await delete_documents(
            alive(Mortal(place.open(), None, after, reader.look)), JWKS_PATH, owner=OWNER, nonces=frozenset()
        )
        assert await stored(place.open()) == (None, None)
        left = await place.open().read("beside")
        assert left is not None
        assert left.document == beside


def alive(mortal: Mortal) -> Store:
    """As a store: it has no place and no clock, which no deletion asks for."""
    return cast("Store", mortal)


async def nothing() -> None:
    """Nobody looks."""


async def remove(place: Place) -> None:
    """The place is empty again: the discovery document goes first."""
    store = place.open()
    for path in (DISCOVERY_PATH, JWKS_PATH):
        found = await store.read(path)
        if found is not None:
            await store.delete(path, expected=found.version)
