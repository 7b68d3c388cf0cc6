"""The port to the public URL: who reads it, and what comes back."""

from __future__ import annotations

import time
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, Self

#: Longer bodies are cut: nothing that relying parties read is longer (design.md, proving).
BODY_LIMIT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Validity:
    """From when until when the host's certificate is valid; aware UTC."""

    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer to one anonymous GET, as it came.

    Headers are empty strings where the host sent none; several of one name are joined by ", ". `oversized` says that
    the body was longer than BODY_LIMIT_BYTES and was cut. `date_offset` is the host's clock (Date) minus ours on
    receipt, None where it stated none or the answer came from a cache. `elapsed` counts from the request until the
    end of the body, with name resolution and handshake for the first request of a connection. `private_address` is an
    address of the host that the public cannot reach, empty where all of them are public.
    """

    url: str
    status: int
    body: bytes = b""
    content_type: str = ""
    cache_control: str = ""
    content_encoding: str = ""
    location: str = ""
    oversized: bool = False
    date_offset: timedelta | None = None
    elapsed: timedelta = timedelta(0)
    certificate: Validity | None = None
    private_address: str = ""


@dataclass(frozen=True, slots=True)
class Deadline:
    """The end of one visit: both documents must have been read by then.

    `at` is on the monotonic clock, which is the event loop's; `timeout` is what the admin asked for, for messages.
    """

    at: float
    timeout: timedelta

    @classmethod
    def after(cls, timeout: timedelta) -> Self:
        """The deadline that lies `timeout` ahead."""
        return cls(time.monotonic() + timeout.total_seconds(), timeout)


class Visit(Protocol):
    """One relying party's visit: its requests share a connection, where the host allows."""

    async def get(self, url: str, deadline: Deadline) -> Fetched:
        """Read one URL as a stranger. Raises FetchError when there is no whole answer; any status is an answer."""
        ...


class Wire(Protocol):
    """A way to the public URL."""

    def visit(self, number: int) -> AbstractAsyncContextManager[Visit]:
        """A new visit over a connection of its own. Raises FetchError for settings that do not work.

        `number` counts the visits of one look from 0. Each goes to another address of the host, as far as there are
        several. Visit 0 speaks no newer TLS than 1.2: so "TLS 1.2 must do" is proven in every look at no cost, and the
        later visits prove that a current client gets through as well.
        """
        ...
