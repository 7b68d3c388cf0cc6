"""Implement the wire in memory, for dry runs and tests, behind the same port as HTTPSWire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from oidc_publisher.errors import FetchError
from oidc_publisher.probe.wire.port import Deadline, Fetched, Visit

#: A function that answers a GET of a URL in the visit with that number, or raises FetchError.
Handler = Callable[[str, int], Fetched]


@dataclass(slots=True)
class MemoryWire:
    """MemoryWire answers from a function; `requests` records each request as (visit number, URL)."""

    handler: Handler
    requests: list[tuple[int, str]] = field(default_factory=list)

    @asynccontextmanager
    async def visit(self, number: int) -> AsyncIterator[Visit]:
        """Yield a visit that needs no network."""
        yield _MemoryVisit(self, number)


@dataclass(frozen=True, slots=True)
class _MemoryVisit:
    wire: MemoryWire
    number: int

    async def get(self, url: str, deadline: Deadline) -> Fetched:  # noqa: ARG002 - memory answers at once
        """Return the function's answer (see Visit.get)."""
        self.wire.requests.append((self.number, url))
        return self.wire.handler(url, self.number)


@dataclass(frozen=True, slots=True)
class ClosedWire:
    """A ClosedWire stands for a way to the public URL that may not be used: each of its visits raises why."""

    why: FetchError

    @asynccontextmanager
    async def visit(self, number: int) -> AsyncIterator[Visit]:
        """Raise the reason why nothing is fetched."""
        del number
        raise self.why
        yield  # a generator, as the port wants it


def serving(documents: dict[str, Fetched]) -> Handler:
    """Return the handler of a host that has these answers by URL, and answers 404 to every other URL."""
    return lambda url, _: documents.get(url, Fetched(url, 404))
