"""Define the port to the public endpoint: its protocols, and the values that a fetch returns."""

from __future__ import annotations

import time
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, Self

#: Longer bodies are cut. No document that relying parties read is longer (design.md, proving).
BODY_LIMIT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Validity:
    """Validity holds the times from and until which the host's certificate is valid (aware UTC)."""

    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Phases:
    """Phases hold the seconds that the parts of one fetch over a new connection took, in the words of blackbox_exporter.

    `resolve`: the name. `connect`: the TCP connection. `tls`: the handshake. `processing`: from the request until the
    headers. `transfer`: the body.
    """

    resolve: float
    connect: float
    tls: float
    processing: float
    transfer: float


@dataclass(frozen=True, slots=True)
class Fetched:
    """The answer to one anonymous GET holds what the host sent, unchanged.

    Headers are empty strings where the host sent none; several of one name are joined by ", ".
    `age`, `vary`: what a cache between the host and the operator states.
    `oversized`: the body was longer than BODY_LIMIT_BYTES and was cut.
    `date_offset`: the host's clock (Date) minus the operator's on receipt, None where the host stated no Date or the
    answer came from a cache.
    `elapsed`: the time from the request until the end of the body; that of the first request of a connection includes
    name resolution and handshake. `starved`: the part of it in which the operator's event loop did not run.
    `strict_refusal`: why Python 3.13 refuses the host's certificate, in OpenSSL's words; empty where it does not, and
    where that was not tried. `negative_serial`: whether the serial number of that certificate is negative.
    `private_address`: an address of the host that the public cannot reach, empty where all of them are public.
    `phases`: None for a further fetch over a kept connection.
    `proxy`: the proxy by which the host was reached, whose business its addresses are; empty without one. `opened_tls`: why
    the certificate may be the proxy's own; empty where it is not.
    `address`: the address that answered. `headers`: all headers of the answer, in the order in which they came.
    """

    url: str
    status: int
    body: bytes = b""
    content_type: str = ""
    cache_control: str = ""
    content_encoding: str = ""
    location: str = ""
    age: str = ""
    vary: str = ""
    oversized: bool = False
    date_offset: timedelta | None = None
    elapsed: timedelta = timedelta(0)
    starved: timedelta = timedelta(0)
    certificate: Validity | None = None
    strict_refusal: str = ""
    negative_serial: bool = False
    private_address: str = ""
    phases: Phases | None = None
    proxy: str = ""
    opened_tls: str = ""
    address: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    def header(self, name: str) -> str:
        """Return the first header of this name, empty where the host sent none."""
        return next((value for given, value in self.headers if given.lower() == name.lower()), "")


@dataclass(frozen=True, slots=True)
class Deadline:
    """The deadline of one visit is the time by which both documents must have been read.

    `at` is on the monotonic clock, which the event loop uses too. `timeout` is the setting of the spec, for messages.
    """

    at: float
    timeout: timedelta

    @classmethod
    def after(cls, timeout: timedelta) -> Self:
        """Return the deadline that lies `timeout` ahead."""
        return cls(time.monotonic() + timeout.total_seconds(), timeout)


class Visit(Protocol):
    """One visit fetches as one relying party does: its requests share a connection, where the host allows that."""

    async def get(self, url: str, deadline: Deadline) -> Fetched:
        """Fetch one URL anonymously; raises FetchError when no whole answer comes. Any status is an answer."""
        ...


class Wire(Protocol):
    """A wire opens visits to the public endpoint."""

    def visit(self, number: int) -> AbstractAsyncContextManager[Visit]:
        """Open a visit over a connection of its own; raises FetchError for settings that do not work.

        `number` counts the visits of one probe from 0. Each visit uses another address of the host, as far as there are
        several. Visit 0 offers no newer TLS than 1.2, so that every probe proves at no cost that TLS 1.2 suffices; the
        later visits prove that a current client can connect as well. Visit 1 tries the strict checks of Python 3.13 first.
        """
        ...
