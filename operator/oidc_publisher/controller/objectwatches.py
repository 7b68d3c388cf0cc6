"""Watches of the single ConfigMaps and Secrets that issuers read: a change starts a pass at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import structlog

from oidc_publisher.cluster import ClusterClient, ObjectReference, watch_object
from oidc_publisher.controller.backoff import Backoff
from oidc_publisher.errors import ClusterError

log = structlog.stdlib.get_logger(__name__)

#: Between two watches that fail. A watch saves time, it decides nothing: every interval reads the object anyway.
_RETRIES = Backoff(base_s=0.5, cap_s=30.0)

Wake = Callable[[str, str], None]


class ObjectWatches:
    """One watch for each object, however many issuers read it."""

    def __init__(self, client: ClusterClient) -> None:
        self._client = client
        self._wake: Wake = _nobody
        self._followed: dict[str, frozenset[ObjectReference]] = {}
        self._tasks: dict[ObjectReference, asyncio.Task[None]] = {}

    def wake_with(self, wake: Wake) -> None:
        """Call `wake(issuer, reason)` from now on when an object of an issuer changes."""
        self._wake = wake

    def follow(self, issuer: str, references: Iterable[ObjectReference]) -> None:
        """Watch exactly these objects for the issuer."""
        wanted = frozenset(references)
        if self._followed.get(issuer, frozenset()) == wanted:
            return
        self._followed[issuer] = wanted
        self._settle()

    def forget(self, issuer: str) -> None:
        """Watch nothing for the issuer any more."""
        if self._followed.pop(issuer, None):
            self._settle()

    async def close(self) -> None:
        """End every watch."""
        tasks = [*self._tasks.values()]
        self._followed.clear()
        self._settle()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _settle(self) -> None:
        wanted = frozenset().union(*self._followed.values())
        for reference in [r for r in self._tasks if r not in wanted]:
            self._tasks.pop(reference).cancel()
        for reference in wanted - self._tasks.keys():
            self._tasks[reference] = asyncio.create_task(self._watch(reference), name=f"watch {reference}")

    async def _watch(self, reference: ObjectReference) -> None:
        pauses = iter(_RETRIES)
        known: str | None = None
        while True:
            try:
                async for version in watch_object(self._client, reference):
                    pauses = iter(_RETRIES)
                    if version != known:
                        known = version
                        self._tell(reference)
            except ClusterError as error:
                # A finding of the next pass says so to people: what cannot be watched can rarely be read.
                log.debug("The watch ended; it begins again.", object=str(reference), why=error.message)
            await asyncio.sleep(next(pauses))

    def _tell(self, reference: ObjectReference) -> None:
        for issuer, references in self._followed.items():
            if reference in references:
                self._wake(issuer, f"{reference} changed")


def _nobody(issuer: str, reason: str) -> None:
    """Before the queue is there nobody needs to be woken."""
