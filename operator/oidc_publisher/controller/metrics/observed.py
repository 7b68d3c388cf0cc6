"""Wrap the ports of an issuer, so that calls of its store and fetches from its public URL are noted. Nothing else changes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Protocol, TypeVar

from oidc_publisher.api import OIDCIssuer
from oidc_publisher.errors import PreconditionError, StoreError
from oidc_publisher.probe import Wire
from oidc_publisher.probe.wire.port import Deadline, Fetched, Visit
from oidc_publisher.reconcile.ports import OpenPorts, Ports
from oidc_publisher.stores import Store
from oidc_publisher.stores.port import Document, StoredDocument

T = TypeVar("T")


class Notes(Protocol):
    """Notes take what the ports of one issuer did."""

    def called(self, operation: str, code: str, seconds: float, *, error: bool) -> None:
        """Note a call of the store."""
        ...

    def fetched(self, answer: Fetched) -> None:
        """Note an answer of the public URL."""
        ...


def observing(open_ports: OpenPorts, notes_of: Callable[[str], Notes]) -> OpenPorts:
    """Return the function that opens the same ports, with a store and a wire that are noted; `notes_of` takes an issuer's name."""

    async def opened(issuer: OIDCIssuer) -> Ports:
        ports, notes = await open_ports(issuer), notes_of(issuer.metadata.name)
        return replace(ports, store=ObservedStore(ports.store, notes), wire=ObservedWire(ports.wire, notes))

    return opened


class ObservedStore:
    """An ObservedStore is a store whose calls are noted."""

    def __init__(self, store: Store, notes: Notes) -> None:
        self._store = store
        self._notes = notes

    @property
    def location(self) -> str:
        """The location of the store."""
        return self._store.location

    @property
    def endpoint_url(self) -> str | None:
        """The server of the location."""
        return self._store.endpoint_url

    @property
    def clock_offsets(self) -> tuple[timedelta, ...]:
        """The clock offsets since the last read of this property."""
        return self._store.clock_offsets

    async def read(self, path: str) -> StoredDocument | None:
        """Read a document."""
        return await self._noted("read", self._store.read(path))

    async def write(self, path: str, document: Document, *, expected: str | None) -> StoredDocument:
        """Write a document."""
        return await self._noted("write", self._store.write(path, document, expected=expected))

    async def delete(self, path: str, *, expected: str) -> None:
        """Delete a document."""
        await self._noted("delete", self._store.delete(path, expected=expected))

    async def aclose(self) -> None:
        """Close the connections of the store."""
        await self._store.aclose()

    async def _noted(self, operation: str, call: Awaitable[T]) -> T:
        began_s = time.monotonic()
        code, error = "ok", False
        try:
            return await call
        except PreconditionError:
            code = "PreconditionFailed"
            raise
        except StoreError as failure:
            code, error = str(failure.reason), True
            raise
        except BaseException:  # the deadline of the pass has ended the call
            code, error = "Abandoned", True
            raise
        finally:
            self._notes.called(operation, code, time.monotonic() - began_s, error=error)


class ObservedWire:
    """An ObservedWire is a wire whose answers are noted."""

    def __init__(self, wire: Wire, notes: Notes) -> None:
        self._wire = wire
        self._notes = notes

    @asynccontextmanager
    async def visit(self, number: int) -> AsyncIterator[Visit]:
        """Open a visit (see Wire.visit)."""
        async with self._wire.visit(number) as visit:
            yield _ObservedVisit(visit, self._notes)


class _ObservedVisit:
    def __init__(self, visit: Visit, notes: Notes) -> None:
        self._visit = visit
        self._notes = notes

    async def get(self, url: str, deadline: Deadline) -> Fetched:
        """Fetch one URL (see Visit.get)."""
        answer = await self._visit.get(url, deadline)
        self._notes.fetched(answer)
        return answer
