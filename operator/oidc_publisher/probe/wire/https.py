"""Reads a URL as a stranger: no credentials, no cookies, no proxy, no redirects, in time, and no more than a document."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import yarl

from oidc_publisher.errors import FetchError
from oidc_publisher.findings import Reason
from oidc_publisher.probe.wire import failures
from oidc_publisher.probe.wire.addresses import Gate, resolver_answers
from oidc_publisher.probe.wire.chain import judge_chain, sent_chain
from oidc_publisher.probe.wire.port import BODY_LIMIT_BYTES, Deadline, Fetched, Validity, Visit
from oidc_publisher.probe.wire.trust import Trust, roots_state
from oidc_publisher.timing.httpdate import parsed_date

#: "identity": what is judged is the stored bytes. A stranger's name: some firewalls refuse clients of known libraries.
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "oidc-publisher"}
# A further question, put only after a failure, to tell two causes apart.
_DIAGNOSIS_TIMEOUT = timedelta(seconds=3)


class HTTPSWire:
    """The way over the network, with the settings of one issuer's probe.

    `certificate_authority` is PEM, trusted beside the system's roots. Each visit has its own connection, so a look costs
    as many handshakes as visits.
    """

    def __init__(self, *, certificate_authority: str = "", allow_private_address: bool = False) -> None:
        self._certificate_authority = certificate_authority
        self._allow_private_address = allow_private_address
        self._trust: Trust | None = None

    @asynccontextmanager
    async def visit(self, number: int) -> AsyncIterator[Visit]:
        """A visit whose connection is closed at its end (see Wire.visit)."""
        trust = self._trust
        if trust is None or trust.roots != roots_state():
            trust = self._trust = await asyncio.to_thread(Trust.of, self._certificate_authority)
        context = trust.tls12 if number == 0 else trust.current
        gate = Gate(number, allow_private=self._allow_private_address)
        connector = _Connector(gate, context)
        async with _session(connector) as session:
            try:
                yield _HTTPSVisit(session, connector, gate, trust)
            finally:
                connector.hang_up()


class _Connector(aiohttp.TCPConnector):
    """Remembers the TLS object of its last connection: at the headers a response may have let go of it already.

    `hang_up` ends what is left of its connections: asyncio says good-bye in TLS and waits 30 s for the answer of a host
    that still sends, whenever a response was not read to its end.
    """

    def __init__(self, gate: Gate, context: ssl.SSLContext) -> None:
        super().__init__(
            ssl=context,
            resolver=gate,
            socket_factory=gate.open_socket,
            use_dns_cache=False,
            happy_eyeballs_delay=None,  # there is one address
            limit=1,
        )
        self.tls: ssl.SSLObject | None = None
        self._opened: list[asyncio.Transport] = []

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> aiohttp.connector.Connection:
        connection = await super().connect(req, traces, timeout)
        if connection.transport is not None:
            self.tls = connection.transport.get_extra_info("ssl_object")
            self._opened.append(connection.transport)
        return connection

    def hang_up(self) -> None:
        """Close every connection without a word."""
        for transport in self._opened:
            _abort(transport)


def _abort(transport: asyncio.Transport) -> None:
    """Close a connection without a word; one that is closed already stays closed.

    In CPython 3.11.1 to 3.11.3 (Debian 12 has 3.11.2) a closed TLS transport has no protocol any more, and abort() asks
    that None to abort: AttributeError (python/cpython#98539, mended by #104474 in 3.11.4).
    """
    with suppress(AttributeError):
        transport.abort()


def _session(connector: _Connector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=_HEADERS,
        auto_decompress=False,
        trust_env=False,
        timeout=aiohttp.ClientTimeout(total=None),  # the deadline spans several requests
    )


class _HTTPSVisit:
    def __init__(self, session: aiohttp.ClientSession, connector: _Connector, gate: Gate, trust: Trust) -> None:
        self._session = session
        self._connector = connector
        self._gate = gate
        self._trust = trust
        self._certificate: Validity | None = None

    async def get(self, url: str, deadline: Deadline) -> Fetched:
        """Read one URL (see Visit.get)."""
        try:
            async with asyncio.timeout_at(deadline.at):
                return await self._get(_parsed(url))
        except TimeoutError:
            raise failures.too_late(url, deadline, self._gate, connected=self._connector.tls is not None) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = await self._diagnosis(error, url)
            raise failure from error

    async def _get(self, url: yarl.URL) -> Fetched:
        began = asyncio.get_running_loop().time()
        async with self._session.get(url, allow_redirects=False) as answer:
            body, oversized = await _read(answer)
        headers = answer.headers
        return Fetched(
            url=str(url),
            status=answer.status,
            body=body,
            content_type=", ".join(headers.getall("Content-Type", [])),
            cache_control=", ".join(headers.getall("Cache-Control", [])),
            content_encoding=", ".join(headers.getall("Content-Encoding", [])),
            location=headers.get("Location", ""),
            oversized=oversized,
            date_offset=_date_offset(headers.get("Date", ""), headers.get("Age", ""), datetime.now(UTC)),
            elapsed=timedelta(seconds=asyncio.get_running_loop().time() - began),
            certificate=self._validity(),
            private_address=self._gate.private,
        )

    def _validity(self) -> Validity | None:
        tls = self._connector.tls
        if self._certificate is None and tls and (certificate := tls.getpeercert()):
            times = (ssl.cert_time_to_seconds(str(certificate[name])) for name in ("notBefore", "notAfter"))
            self._certificate = Validity(*(datetime.fromtimestamp(time, UTC) for time in times))
        return self._certificate

    async def _diagnosis(self, error: Exception, url: str) -> FetchError:
        """What a failure means, asking once more where that takes a further question."""
        if failures.is_silent_resolver(error):
            with suppress(TimeoutError):
                async with asyncio.timeout(_DIAGNOSIS_TIMEOUT.total_seconds()):
                    if await resolver_answers(yarl.URL(url, encoded=True).raw_host or ""):
                        return failures.broken_zone(url)
            return failures.silent_resolver(url)
        if failures.is_chain_question(error):
            return judge_chain(url, await self._chain(url))
        return failures.failure_of(error, url)

    async def _chain(self, url: str) -> tuple[bytes, ...]:
        """The certificates that the host sends, read over a connection that believes none of them."""
        gate = Gate(self._gate.number, allow_private=self._gate.allow_private)
        connector = _Connector(gate, self._trust.unverified)
        async with _session(connector) as session:
            try:
                with suppress(aiohttp.ClientError, OSError):
                    async with (
                        asyncio.timeout(_DIAGNOSIS_TIMEOUT.total_seconds()),
                        session.head(_parsed(url), allow_redirects=False),
                    ):
                        pass
                return sent_chain(connector.tls) if connector.tls else ()
            finally:  # also where the pass has run out of time
                connector.hang_up()


def _parsed(url: str) -> yarl.URL:
    parsed = yarl.URL(url, encoded=True)  # byte for byte: nothing is normalised
    if parsed.scheme != "https" or parsed.user is not None or not parsed.host:
        raise FetchError(Reason.ConnectionFailed, f"Relying parties read https URLs only, not {url}", subject=url)
    return parsed


async def _read(answer: aiohttp.ClientResponse) -> tuple[bytes, bool]:
    """The body, and whether there was more of it than anybody should read."""
    body = bytearray()
    async for chunk in answer.content.iter_any():  # content.read(n) returns the first chunk only
        body += chunk
        if len(body) > BODY_LIMIT_BYTES:
            answer.close()
            return bytes(body[:BODY_LIMIT_BYTES]), True
    return bytes(body), False


def _date_offset(date: str, age: str, received: datetime) -> timedelta | None:
    """The host's clock minus ours. A cached answer's Date is when it was made or passed on, which no CDN says: None."""
    stated = parsed_date(date) if age.strip() in ("", "0") else None
    return stated - received if stated else None
