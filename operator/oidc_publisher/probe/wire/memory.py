"""The wire in memory: it serves dry runs and tests through the same port as the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from oidc_publisher.probe.wire.port import Deadline, Fetched, Visit

#: Answers a GET of a URL in the visit of that number, or raises FetchError.
Handler = Callable[[str, int], Fetched]


@dataclass(slots=True)
class MemoryWire:
    """A wire whose answers come from a function; `requests` remembers what was asked, as (visit, URL)."""

    handler: Handler
    requests: list[tuple[int, str]] = field(default_factory=list)

    @asynccontextmanager
    async def visit(self, number: int) -> AsyncIterator[Visit]:
        """A visit that no network is needed for."""
        yield _MemoryVisit(self, number)


@dataclass(frozen=True, slots=True)
class _MemoryVisit:
    wire: MemoryWire
    number: int

    async def get(self, url: str, deadline: Deadline) -> Fetched:  # noqa: ARG002 - memory is in time
        """Ask the function."""
        self.wire.requests.append((self.number, url))
        return self.wire.handler(url, self.number)


def serving(documents: dict[str, Fetched]) -> Handler:
    """The function of a host that has these answers by URL and says 404 to everything else."""
    return lambda url, _: documents.get(url, Fetched(url, 404))
