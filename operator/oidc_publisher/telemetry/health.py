"""Serve the health pages: /livez, its alias /healthz, and /readyz.

Live means that a restart would not help. Ready means that the API server answers the operator. Both pages name each
check, as kube-apiserver does, and fail with 500 and 503. A blocked event loop cannot answer at all: then kubelet's
probe fails by its own timeout, and the loop check reports the blockage afterwards.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from aiohttp import web

from oidc_publisher.telemetry.address import Address

log = structlog.stdlib.get_logger(__name__)

#: kubelet probes every 10 s by default and waits 1 s. A shorter limit lets the answer name the cause.
READY_TIMEOUT_S = 0.8

#: The shortest time between two requests to the API server, however often the page is requested.
READY_CACHE_S = 1.0

BEAT_S = 1.0
OLDEST_BEAT_S = 30.0

#: A pass ends at its deadline, far below this limit. Where all places of the queue are taken for so long, no issuer
#: makes progress. A single pass that hangs is no reason for a restart, which would cut off all other passes.
LONGEST_STANDSTILL_S = 180.0

#: Returns None when the checked part is healthy, else a sentence.
HealthCheck = Callable[[], str | None]
AsyncHealthCheck = Callable[[], Awaitable[str | None]]

Monotonic = Callable[[], float]


class Heartbeat:
    """A Heartbeat notes once per second that the event loop runs."""

    def __init__(self, monotonic: Monotonic = time.monotonic) -> None:
        self._monotonic = monotonic
        self._last = self._monotonic()

    async def run(self) -> None:
        """Note the time once per second, without end."""
        while True:
            self._last = self._monotonic()
            await asyncio.sleep(BEAT_S)

    @property
    def age_s(self) -> float:
        """The seconds since the event loop was last seen to run."""
        return self._monotonic() - self._last

    def check(self) -> str | None:
        """Return for how long the event loop has not run when that is too long, else None."""
        age = self.age_s
        return f"the event loop's last beat was {age:.0f} s ago" if age > OLDEST_BEAT_S else None


class Readiness:
    """Readiness calls `ask` on request, for at most READY_TIMEOUT_S, and caches its answer for READY_CACHE_S."""

    def __init__(self, ask: AsyncHealthCheck, monotonic: Monotonic = time.monotonic) -> None:
        self._ask = ask
        self._monotonic = monotonic
        self._answer: str | None = None
        self._asked_at = -READY_CACHE_S * 2
        self._lock = asyncio.Lock()

    async def check(self) -> str | None:
        """Return why the API server cannot be used, None when it can."""
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
        except Exception as error:  # noqa: BLE001 - every error is the answer
            return str(error) or type(error).__name__


@dataclass(frozen=True, slots=True)
class Checks:
    """Checks holds the checks of the pages by their printed names; `ready` runs for /readyz only."""

    live: Mapping[str, HealthCheck]
    ready: Mapping[str, AsyncHealthCheck]


class ListenError(Exception):
    """The operator cannot listen on an address; `option` is the option that names the address."""

    def __init__(self, message: str, *, option: str = "--health-address") -> None:
        super().__init__(message)
        self.option = option


class HealthServer:
    """A HealthServer serves the pages at one address; port 0 picks a free port, which `port` then holds."""

    def __init__(self, address: Address, checks: Checks) -> None:
        self._address = address
        self._checks = checks
        self._runner: web.AppRunner | None = None
        self.port = address.port

    @property
    def url(self) -> str | None:
        """The URL of the pages, None when they are not served."""
        host = str(Address(self._address.host or "127.0.0.1", self.port))
        return f"http://{host}" if self._runner is not None else None

    async def start(self) -> None:
        """Start to serve the pages.

        Raises:
            ListenError: the operator cannot listen on the address.
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
            # asyncio's own text repeats the address as a tuple.
            why = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error)
            raise ListenError(f"cannot listen on {self._address}: {why}") from None
        self._runner = runner
        self.port = runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _live(self, _request: web.Request) -> web.Response:
        results = {name: check() for name, check in self._checks.live.items()}
        return _page("livez", results, failed=HTTPStatus.INTERNAL_SERVER_ERROR)

    async def _ready(self, _request: web.Request) -> web.Response:
        results = {name: await check() for name, check in self._checks.ready.items()}
        return _page("readyz", results, failed=HTTPStatus.SERVICE_UNAVAILABLE)


def _page(name: str, results: Mapping[str, str | None], *, failed: HTTPStatus) -> web.Response:
    lines = [f"[+]{check} ok" if wrong is None else f"[-]{check} failed: {wrong}" for check, wrong in results.items()]
    healthy = not any(results.values())
    lines.append(f"{name} check {'passed' if healthy else 'failed'}")
    return web.Response(
        text="\n".join(lines) + "\n", status=HTTPStatus.OK if healthy else failed, headers={"Cache-Control": "no-store"}
    )
