"""Run an HTTPS edge in front of S3 (or any upstream) that passes requests on, or applies faults.

The edge stands for a CDN in front of the public documents as well as for a faulty S3 endpoint: headers, Host included,
and body are forwarded unchanged, so that signatures stay valid. The faults are in `faults`.
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import contextlib
import logging
import re
import ssl
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from tests.support import faults
from tests.support.faults import Answer, Fault
from tests.support.loopback import listen
from tests.support.processes import free_port, https_origin
from tests.support.startable import Startable

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from tests.support.pki import PKI, Certificate

T = TypeVar("T")
READS = ("GET", "HEAD")
WRITES = ("PUT", "POST", "DELETE")
# RFC 9110, 7.6.1, and Expect, which is answered here. Content-Length follows from the body.
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "trailer", "expect", "content-length"}
_AIOHTTP_WOULD_ADD = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_QUIET = logging.getLogger("tests.edge")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


@dataclass(slots=True)
class Rule:
    """A fault for the requests that match; `times` counts down, None means always."""

    path: re.Pattern[str]
    methods: tuple[str, ...]
    fault: Fault
    times: int | None

    def takes(self, method: str, path: str) -> bool:
        """Return whether the fault applies to this request, and count the request."""
        if self.times == 0 or method not in self.methods or not self.path.search(path):
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Edge(Startable):
    """A server on localhost in a thread of its own, before an upstream such as S3's `endpoint_url`."""

    def __init__(self, upstream: str, pki: PKI, *, port: int | None = None) -> None:
        self.upstream = upstream
        self.pki = pki
        self.port = port or free_port()
        self.requests: collections.Counter[tuple[str, str]] = collections.Counter()
        self._rules: list[Rule] = []
        self._tls: ssl.SSLContext | None = _context(pki.serving())
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="edge", daemon=True)
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        """The origin of the edge: prefix of public URLs, and endpoint URL for an S3 client."""
        return https_origin(self.port)

    def public_url(self, bucket: str, prefix: str = "") -> str:
        """Return the URL of a bucket's objects as seen through the edge."""
        return "/".join([self.url, bucket, *([prefix] if prefix else [])])

    def start(self) -> None:
        """Start listening."""
        # A broken handshake or a reset connection is what the tests want, not worth a log.
        self._loop.set_exception_handler(lambda _loop, _context: None)
        self._thread.start()
        self._run(self._open())

    def stop(self) -> None:
        """Stop listening and end the thread."""
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def serve_with(
        self,
        certificate: Certificate | None,
        *,
        minimum: ssl.TLSVersion | None = None,
        maximum: ssl.TLSVersion | None = None,
    ) -> None:
        """Continue with another certificate (`pki.expired()`, ...) or TLS version; None serves plain HTTP.

        Connections that are open are closed.
        """
        context = None if certificate is None else _context(certificate)
        if context is not None and minimum is not None:
            context.minimum_version = minimum
        if context is not None and maximum is not None:
            context.maximum_version = maximum
        self._tls = context
        self._run(self._reopen())

    def misbehave(self, path: str, fault: Fault, *, methods: tuple[str, ...] = READS, times: int | None = None) -> Rule:
        """Apply a fault to requests whose path matches (`re.search`); the latest rule that matches wins."""
        rule = Rule(re.compile(path), methods, fault, times)
        self._rules.insert(0, rule)
        return rule

    def fail(self, method: str, path: str, status: int, *, times: int | None = None, code: str | None = None) -> Rule:
        """Answer S3 requests with an error of the S3 API, without asking S3."""
        return self.misbehave(path, faults.s3_error(status, code), methods=(method,), times=times)

    def drop_answer_after_forwarding(self, method: str, path: str, *, times: int | None = 1) -> Rule:
        """Let a write take effect and lose its answer, so that the client repeats a completed write."""
        return self.misbehave(path, faults.answer_lost(), methods=(method,), times=times)

    def freeze(self, path: str) -> Rule:
        """Take a copy of one path now and serve it from now on, as a cache that does not expire."""
        return self.misbehave(f"^{re.escape(path)}$", faults.fixed(self.fetch(path)))

    def fetch(self, path: str) -> Answer:
        """Return what the upstream answers to an anonymous GET of a path."""
        return self._run(self._ask("GET", path, CIMultiDict(), b""))

    def heal(self) -> None:
        """Forget all rules and use a good certificate again."""
        self._rules.clear()
        self.serve_with(self.pki.serving())

    def forget_requests(self) -> None:
        """Begin to count anew."""
        self.requests.clear()

    def count(self, *methods: str, path: str = "") -> int:
        """Count requests by method (none given: all) whose path matches."""
        seen = self.requests.copy()
        return sum(n for (method, at), n in seen.items() if (not methods or method in methods) and re.search(path, at))

    def writes(self, path: str = "") -> int:
        """Count requests that would change something, failed ones too."""
        return self.count(*WRITES, path=path)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path = request.raw_path.partition("?")[0]
        self.requests[request.method, path] += 1
        exchange = _Exchange(self, request, await request.read())
        fault = next((rule.fault for rule in list(self._rules) if rule.takes(request.method, path)), faults.passed_on)
        try:
            return await fault(exchange)
        except aiohttp.ClientError as error:  # the upstream is down
            return web.Response(status=502, text=repr(error))

    async def _ask(self, method: str, target: str, headers: CIMultiDict[str], body: bytes) -> Answer:
        if self._session is None:
            raise RuntimeError("the edge was not started")
        async with self._session.request(
            method,
            URL(self.upstream + target, encoded=True),
            headers=_end_to_end(headers),
            data=body or None,
            allow_redirects=False,
            skip_auto_headers=_AIOHTTP_WOULD_ADD,
        ) as response:
            kept = _end_to_end(CIMultiDict(response.headers))
            if method == "HEAD" and "Content-Length" in response.headers:
                kept["Content-Length"] = response.headers["Content-Length"]
            return Answer(response.status, kept, await response.read())

    async def _open(self) -> None:
        if self._session is None:
            connector = aiohttp.TCPConnector(ssl=self.pki.client_context(), force_close=True)
            self._session = aiohttp.ClientSession(
                connector=connector, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
            )
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{anything:.*}", self._handle)
        app.on_response_prepare.append(_take_away_invented)
        self._runner = web.AppRunner(app, access_log=None, logger=_QUIET, shutdown_timeout=0.1)
        await self._runner.setup()
        for listener in listen(self.port):
            await web.SockSite(self._runner, listener, ssl_context=self._tls).start()

    async def _reopen(self) -> None:
        await self._hang_up()
        await self._open()

    async def _close(self) -> None:
        if self._session is not None:
            await self._session.close()
        await self._hang_up()

    async def _hang_up(self) -> None:
        """Stop listening and abort every connection, also those in a TLS handshake or shutdown."""
        if self._runner is not None:
            await self._runner.cleanup()
        # asyncio's own list: aiohttp knows nothing of a connection before and after it speaks HTTP.
        transports: Mapping[int, asyncio.Transport] = getattr(self._loop, "_transports", {})
        for transport in list(transports.values()):
            with contextlib.suppress(AttributeError):  # closed already, in CPython 3.11.1 to 3.11.3
                transport.abort()
        await asyncio.sleep(0.02)  # sockets are closed in the next turns of the loop

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        done: concurrent.futures.Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return done.result(timeout=20)


@dataclass(slots=True)
class _Exchange:
    edge: Edge
    request: web.Request
    body: bytes

    async def forward(self) -> Answer:
        headers = CIMultiDict(self.request.headers)
        return await self.edge._ask(self.request.method, self.request.raw_path, headers, self.body)


class _AlertingTLS(ssl.SSLObject):
    """The protocol sends the TLS alert of a failed handshake; without it the client sees a closed connection only."""

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            # asyncio sends what OpenSSL has to say when OpenSSL wants to read; the client ends the connection then.
            raise ssl.SSLWantReadError from error


def _context(certificate: Certificate) -> ssl.SSLContext:
    context = certificate.server_context()
    context.sslobject_class = _AlertingTLS
    return context


def _end_to_end(headers: CIMultiDict[str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _HOP_BY_HOP)


async def _take_away_invented(request: web.Request, response: web.StreamResponse) -> None:
    del request
    for name in response.get(faults.ABSENT, []):
        response.headers.popall(name, None)
