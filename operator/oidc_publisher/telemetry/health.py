"""The health pages: /livez, its alias /healthz, and /readyz.

Live means: a restart would not help. Ready means: the API server answers us. Both name each check, as kube-apiserver
does, and fail with 500 and 503. An event loop that is stuck cannot answer at all; then the probe's own timeout is the
failure, and the loop check tells afterwards that it had been so.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog
from aiohttp import web

from oidc_publisher.telemetry.address import Address

log = structlog.stdlib.get_logger(__name__)

#: kubelet asks every 10 s by default and waits 1 s: stay below, so that the answer names the cause.
READY_TIMEOUT_S = 0.8

#: However many ask, the API server is asked no more often than this.
READY_CACHE_S = 1.0

BEAT_S = 1.0
OLDEST_BEAT_S = 30.0

#: A pass ends at its deadline, far below this: where all places of the queue are taken for so long, nothing is done for
#: any issuer. A single pass that hangs is no reason for a restart, which would cut all others.
LONGEST_STANDSTILL_S = 180.0

#: Looks at something and returns None when it is well, else a sentence.
HealthCheck = Callable[[], str | None]
AsyncHealthCheck = Callable[[], Awaitable[str | None]]

Monotonic = Callable[[], float]


class Heartbeat:
    """Beats once per second on the event loop."""

    def __init__(self, monotonic: Monotonic = time.monotonic) -> None:
        self._monotonic = monotonic
        self._last = self._monotonic()

    async def run(self) -> None:
        """Beat for ever."""
        while True:
            self._last = self._monotonic()
            await asyncio.sleep(BEAT_S)

    def check(self) -> str | None:
        """Say how long the loop has been silent when that is too long."""
        age = self._monotonic() - self._last
        return f"the event loop's last beat was {age:.0f} s ago" if age > OLDEST_BEAT_S else None


class Readiness:
    """Asks `ask` when somebody wants to know, within READY_TIMEOUT_S, and remembers the answer for READY_CACHE_S."""

    def __init__(self, ask: AsyncHealthCheck, monotonic: Monotonic = time.monotonic) -> None:
        self._ask = ask
        self._monotonic = monotonic
        self._answer: str | None = None
        self._asked_at = -READY_CACHE_S * 2
        self._lock = asyncio.Lock()

    async def check(self) -> str | None:
        """Say why the API server cannot be used, or None."""
        async with self._lock:
            if self._monotonic() - self._asked_at > READY_CACHE_S:
                self._answer = await self._fresh()
                self._asked_at = self._monotonic()
            return self._answer

    async def _fresh(self) -> str | None:
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                return await self._ask()
        except TimeoutError:
            return f"no answer within {READY_TIMEOUT_S:g} s"
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            return str(error) or type(error).__name__


@dataclass(frozen=True, slots=True)
class Checks:
    """What the pages look at, by the names they print; `ready` is asked for /readyz only."""

    live: Mapping[str, HealthCheck]
    ready: Mapping[str, AsyncHealthCheck]


class ListenError(Exception):
    """The address of the health pages cannot be listened on."""


class HealthServer:
    """Serves the pages at one address; port 0 picks a free one, `port` says which."""

    def __init__(self, address: Address, checks: Checks) -> None:
        self._address = address
        self._checks = checks
        self._runner: web.AppRunner | None = None
        self.port = address.port

    @property
    def url(self) -> str | None:
        """Where the pages are, None when they are not served."""
        host = str(Address(self._address.host or "127.0.0.1", self.port))
        return f"http://{host}" if self._runner is not None else None

    async def start(self) -> None:
        """Begin to serve.

        Raises:
            ListenError: the address cannot be listened on.
        """
        app = web.Application()
        app.router.add_get("/livez", self._live)
        app.router.add_get("/healthz", self._live)
        app.router.add_get("/readyz", self._ready)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._address.host, self._address.port).start()
        except OSError as error:
            await runner.cleanup()
            # asyncio's own text repeats the address as a tuple
            why = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error)
            raise ListenError(f"cannot listen on {self._address}: {why}") from None
        self._runner = runner
        self.port = runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the address."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _live(self, _request: web.Request) -> web.Response:
        results = {name: check() for name, check in self._checks.live.items()}
        return _page("livez", results, failed=web.HTTPInternalServerError.status_code)

    async def _ready(self, _request: web.Request) -> web.Response:
        results = {name: await check() for name, check in self._checks.ready.items()}
        return _page("readyz", results, failed=web.HTTPServiceUnavailable.status_code)


def _page(name: str, results: Mapping[str, str | None], *, failed: int) -> web.Response:
    lines = [f"[+]{check} ok" if wrong is None else f"[-]{check} failed: {wrong}" for check, wrong in results.items()]
    healthy = not any(results.values())
    lines.append(f"{name} check {'passed' if healthy else 'failed'}")
    return web.Response(
        text="\n".join(lines) + "\n", status=200 if healthy else failed, headers={"Cache-Control": "no-store"}
    )
