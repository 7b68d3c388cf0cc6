"""Run the signer's server in a thread of the tests, on a real socket, with keys that a test chooses."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self, TypeVar

from oidc_publisher.signer.keypairs import TokenSigner, make_pair
from oidc_publisher.signer.ring import RingKey
from oidc_publisher.signer.server import GrpcServer, Offer, SigningService

T = TypeVar("T")


def new_key(number: int, algorithm: str = "ES256") -> RingKey:
    """A version with a key of its own."""
    public, private = make_pair(algorithm)
    now = datetime.now(UTC)
    return RingKey(number, public, now, private, signed_time=now)


class SignerThread:
    """A server that signs with the first of its keys that may sign, until it is told otherwise."""

    def __init__(self, path: Path, *keys: RingKey, hint: timedelta = timedelta(seconds=1)) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="signer", daemon=True)
        self._path, self._keys, self._hint = path, keys, hint

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def offer(self, *keys: RingKey) -> None:
        """List these keys, and sign with the first one that may."""
        self._run(self._renew(keys))

    def hand_over(self) -> None:
        """Start a second server at the same path, then stop the first one."""
        self._run(self._handed_over())

    def restart(self) -> None:
        """Stop, then start."""
        self._run(self._restarted())

    async def _start(self) -> None:
        self._service = SigningService(_offer(self._keys), max_token_lifetime=timedelta(hours=24), hint=self._hint)
        self._service.ring_was_read()
        self._server = GrpcServer(self._path, self._service.calls)
        await self._server.start()

    async def _renew(self, keys: tuple[RingKey, ...]) -> None:
        self._keys = keys
        self._service.renew(_offer(keys))

    async def _handed_over(self) -> None:
        former = self._server
        await self._start()
        await former.stop()

    async def _restarted(self) -> None:
        await self._server.stop()
        await self._start()

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)


def _offer(keys: tuple[RingKey, ...]) -> Offer:
    signer = next((TokenSigner.of(key) for key in keys if key.can_sign), None)
    return Offer(signer, keys, datetime.now(UTC))
