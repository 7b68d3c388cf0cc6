"""S10: which calls are answered from the disk, and which wait until the ring was read once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from oidc_publisher.signer.keypairs import TokenSigner
from oidc_publisher.signer.server import Offer, SigningService
from oidc_publisher.signer.server.protobuf import bytes_field
from tests.support.rings import NOW, ring_key

DISK, NEWER = ring_key(1, signed=NOW), ring_key(2, signed=NOW)
SIGN = bytes_field(1, "eyJzdWIiOiJhIn0")


def service(patience_s: float, missed_s: float = 60) -> SigningService:
    """A service that has begun from the disk."""
    lifetime = timedelta(hours=24)
    return SigningService(offer(1), max_token_lifetime=lifetime, patience_s=patience_s, missed_s=missed_s)


def offer(versions: int) -> Offer:
    """The first versions, of which the newest signs."""
    keys = (NEWER, DISK)[-versions:]
    return Offer(TokenSigner.of(keys[0]), keys, NOW)


async def answer(made: SigningService, name: str, message: bytes = b"") -> bytes:
    """What a call returns, at once or later."""
    result = made.calls[name](message)
    return result if isinstance(result, bytes) else await result


@pytest.mark.parametrize(("name", "message"), [("Sign", SIGN), ("FetchKeys", b"")])
def test_a_call_waits_for_the_ring(name: str, message: bytes) -> None:
    """A token, and the list for which an API server asks when it misses a key; the list by which it starts is there."""

    async def work() -> None:
        made = service(60)
        first = made.calls["FetchKeys"](b"")
        assert isinstance(first, bytes)
        assert isinstance(made.calls["Metadata"](b""), bytes)
        waiting = asyncio.create_task(answer(made, name, message))
        await asyncio.sleep(0)
        assert not waiting.done()
        made.renew(offer(2))
        made.ring_was_read()
        assert NEWER.key_id.encode() not in first
        renewed = await answer(made, "FetchKeys")
        assert NEWER.key_id.encode() in renewed
        assert name == "Sign" or await waiting == renewed
        await waiting

    asyncio.run(work())


def test_nothing_waits_for_ever() -> None:
    """Where no API server answers the signer, the disk has to do."""

    async def work() -> None:
        made = service(0, 0)
        for _ in range(2):
            assert DISK.key_id.encode() in await answer(made, "FetchKeys")
            assert await answer(made, "Sign", SIGN)

    asyncio.run(work())


def test_a_list_that_waits_does_not_begin_the_time_of_the_first_signature() -> None:
    """Lists are asked for from the start, and tokens only when the ring can be read."""

    async def work() -> None:
        made = service(0.2, 0.2)
        for _ in range(3):
            await answer(made, "FetchKeys")
        waiting = asyncio.create_task(answer(made, "Sign", SIGN))
        await asyncio.sleep(0)
        assert not waiting.done()
        assert await waiting

    asyncio.run(work())
