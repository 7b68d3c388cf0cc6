"""The ring is read for all issuers at once, and where it cannot be read nothing changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from oidc_publisher.reconcile.signingkeyring.ringreader import KEPT_S, SERVED_AGAIN_S, RingReader
from tests.support.apistub import APIStub, client_of, refuses, says, serving

if TYPE_CHECKING:
    from tests.support.pki import PKI

KINDS = "/apis/oidc-publisher.io/v1alpha1"
RING = f"{KINDS}/signingkeyrings/default"
SERVED = says({"kind": "APIResourceList", "resources": [{"name": "oidcissuers"}, {"name": "signingkeyrings"}]})
NOT_SERVED = says({"kind": "APIResourceList", "resources": [{"name": "oidcissuers"}]})


def ring(highest: str) -> dict[str, Any]:
    """A SigningKeyRing as the API server stores it."""
    return {
        "apiVersion": "oidc-publisher.io/v1alpha1",
        "kind": "SigningKeyRing",
        "metadata": {"name": "default", "uid": "u"},
        "spec": {},
        "status": {"highest": highest},
    }


@dataclass
class Now:
    """A clock that a test moves."""

    s: float = 1000.0

    def monotonic(self) -> float:
        """Seconds that a test counts."""
        return self.s

    def now(self) -> datetime:
        """The time of this machine."""
        return datetime.now(UTC)


@dataclass
class Place:
    """An API server, and the reader of its ring."""

    api: APIStub
    reader: RingReader
    clock: Now
    told: list[str]

    async def highest(self) -> str | None:
        """What the ring says, None where it is not read."""
        read = await self.reader.read()
        return read.status.highest if read else None

    @property
    def asked(self) -> list[str]:
        """The paths that were asked for."""
        return [seen.path for seen in self.api.seen]


@pytest.fixture
async def place(pki: PKI) -> AsyncIterator[Place]:
    async with serving(pki) as api, client_of(pki, api.address) as client:
        clock, told = Now(), list[str]()
        yield Place(api, RingReader(client, clock, on_refusal=told.append), clock, told)


async def test_the_ring_is_read_once_for_all_passes_of_some_seconds(place: Place) -> None:
    """A thousand issuers ask for it in the same minute."""
    place.api.on("GET", KINDS, SERVED)
    place.api.on("GET", RING, says(ring("1")), says(ring("2")))
    assert await asyncio.gather(*(place.highest() for _ in range(9))) == ["1"] * 9
    place.clock.s += KEPT_S - 1
    assert await place.highest() == "1"
    assert place.asked == [KINDS, RING]
    place.clock.s += 1
    assert await place.highest() == "2"
    assert place.asked == [KINDS, RING, RING]


async def test_a_cluster_without_the_kind_is_never_asked_for_the_object(place: Place) -> None:
    """RBAC would refuse each request, also for an object that cannot be there; the kind may come later."""
    place.api.on("GET", KINDS, NOT_SERVED, SERVED)
    place.api.on("GET", RING, says(ring("1")))
    for _ in range(3):
        assert await place.highest() is None
        place.clock.s += KEPT_S
    assert place.asked == [KINDS]
    place.clock.s += SERVED_AGAIN_S
    assert await place.highest() == "1"


@pytest.mark.parametrize("status", [404, 403, 500, 503])
async def test_a_ring_that_cannot_be_read_is_none_and_is_there_again(status: int, place: Place) -> None:
    """No failure of it ends a pass."""
    place.api.on("GET", KINDS, SERVED)
    place.api.on("GET", RING, refuses(status, "Why", "no"), says(ring("1")))
    assert await place.highest() is None
    place.clock.s += KEPT_S
    assert await place.highest() == "1"


async def test_what_is_no_ring_is_none(place: Place) -> None:
    """A newer version of the API may have another form."""
    place.api.on("GET", KINDS, SERVED)
    place.api.on("GET", RING, says({**ring("1"), "spec": {"algorithm": "NONE"}}), says([]))
    assert await place.highest() is None
    place.clock.s += KEPT_S
    assert await place.highest() is None


async def test_a_right_that_is_missing_is_said_once(place: Place) -> None:
    """With the right and the value of the chart that grants it; and again when it was there in between."""
    place.api.on("GET", KINDS, SERVED)
    no = refuses(403, "Forbidden", "no")
    place.api.on("GET", RING, no, no, says(ring("1")), no)
    counts = []
    for _ in range(4):
        await place.reader.read()
        counts.append(len(place.told))
        place.clock.s += KEPT_S
    assert counts == [1, 1, 1, 2]
    assert "get signingkeyrings.oidc-publisher.io with resourceNames [default]" in place.told[0]
    assert "managedKeys.enabled" in place.told[0]


async def test_kinds_that_cannot_be_listed_are_no_missing_right_on_the_ring(place: Place) -> None:
    """A hardened cluster lists them for nobody, and most clusters have no ring."""
    place.api.on("GET", KINDS, refuses(403, "Forbidden", "no"), SERVED)
    place.api.on("GET", RING, says(ring("1")))
    assert await place.highest() is None
    assert place.told == []
    place.clock.s += SERVED_AGAIN_S
    assert await place.highest() == "1"
