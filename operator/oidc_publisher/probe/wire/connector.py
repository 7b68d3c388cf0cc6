"""Open the one connection of a visit, keep what it showed, and close it without waiting for the host."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import aiohttp

from oidc_publisher.probe.wire.addresses import Gate
from oidc_publisher.probe.wire.phases import Connecting

#: "identity", because the stored bytes are judged. A User-Agent of its own, because some firewalls refuse known
#: libraries.
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "oidc-publisher"}


class Connector(aiohttp.TCPConnector):
    """The connector keeps the TLS object and the host's certificate of its last connection, because a response may release it with its headers.

    `hang_up` aborts the connections that are still open. A regular close of a response that was not read to its end
    sends TLS close_notify, and asyncio then waits 30 s for the answer of a host that still sends.
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
        self.certificate: Mapping[str, Any] | None = None
        self.connecting = Connecting()
        self.peer = ""
        self._gate = gate
        self._opened: list[asyncio.Transport] = []

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> aiohttp.connector.Connection:
        """Connect as the parent does, and keep what the connection shows."""
        began_s = time.monotonic()
        connection = await super().connect(req, traces, timeout)
        if connection.transport is not None:
            self.tls = connection.transport.get_extra_info("ssl_object")
            self.certificate = connection.transport.get_extra_info("peercert")  # asyncio has decoded it already
            self.peer = str((connection.transport.get_extra_info("peername") or ("",))[0])
            if connection.transport not in self._opened:  # a new one, and not the one that the host kept open
                self.connecting = Connecting(began_s, time.monotonic(), self._gate.resolve_s)
            self._opened.append(connection.transport)
        return connection

    def hang_up(self) -> None:
        """Abort every connection without a TLS close_notify."""
        for transport in self._opened:
            _abort(transport)


def _abort(transport: asyncio.Transport) -> None:
    """Abort a connection without a TLS close_notify; a connection that is closed already stays closed.

    In CPython 3.11.1 to 3.11.3 (Debian 12 has 3.11.2) a closed TLS transport has no protocol any more, and abort()
    raises AttributeError on that None (python/cpython#98539, fixed by #104474 in 3.11.4).
    """
    with suppress(AttributeError):
        transport.abort()


def session_of(connector: Connector) -> aiohttp.ClientSession:
    """Return a session that sends no credentials, keeps no cookies and has no deadline of its own."""
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=_HEADERS,
        auto_decompress=False,
        trust_env=False,
        timeout=aiohttp.ClientTimeout(total=None),  # the deadline spans several requests
    )
