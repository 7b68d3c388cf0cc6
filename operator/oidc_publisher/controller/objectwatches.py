"""Watch the single ConfigMaps and Secrets that issuers read, so that a change starts a pass at once."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from http import HTTPStatus

import structlog

from oidc_publisher.cluster import ClusterAPI, ObjectReference, watch_object
from oidc_publisher.errors import AnswerError, ClusterError
from oidc_publisher.sources.sharing import SHARED_S
from oidc_publisher.timing.backoff import Backoff

log = structlog.stdlib.get_logger(__name__)

#: The pause between two watches that fail. A watch only saves time, because the pass of every interval reads the
#: object.
_RETRIES = Backoff(base_s=0.5, cap_s=30.0)
#: A watch that lasted this long did not fail.
_STEADY_S = 30.0
#: A refusal is logged when it repeats: an API server that has just started refuses until it has read its RBAC rules.
_REFUSALS_TOLD = 2

Wake = Callable[[str, str], None]


@dataclass(slots=True, eq=False)
class _Watched:
    """A watched object: who reads it, what its watch told last and when (monotonic seconds), and the refusals in a row."""

    reference: ObjectReference
    readers: dict[str, None] = field(default_factory=dict)
    version: str | None = None
    told_s: float = float("-inf")
    refusals: int = 0

    def report(self, error: ClusterError) -> None:
        """Warn once in the log when `watch` is forbidden; the next pass has a finding of it."""
        refused = isinstance(error, AnswerError) and error.status == HTTPStatus.FORBIDDEN
        self.refusals = self.refusals + 1 if refused else 0
        if self.refusals == _REFUSALS_TOLD:
            log.warning("Its changes are seen at the interval only.", why=error.message, hint=error.hint)
        else:
            log.debug("The watch ended; it begins again.", object=str(self.reference), why=error.message)


class ObjectWatches:
    """ObjectWatches keeps one watch for each object, whatever the number of issuers that read the object.

    `wake(issuer, reason)` is called for each of these issuers when the object changes, except for those that have read that
    very version. `restarts` counts the watches that ended soon or with an error.
    """

    def __init__(self, client: ClusterAPI, wake: Wake, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._client = client
        self._wake = wake
        self._followed: dict[str, Mapping[ObjectReference, str | None]] = {}
        self._watched: dict[ObjectReference, _Watched] = {}
        # Apart from _Watched: a cancelled task has its traceback, and that the frames that hold the _Watched.
        self._tasks: dict[ObjectReference, asyncio.Task[None]] = {}
        self.restarts = 0

    @property
    def count(self) -> int:
        """The number of objects that are watched."""
        return len(self._tasks)

    def follow(self, issuer: str, read: Mapping[ObjectReference, str | None], *, began_s: float) -> None:
        """Watch exactly these objects for the issuer, whose pass began at a time (monotonic seconds) and has these versions.

        None is a version that is not known. An object that others watch already may have changed between the reading and
        this call; the reading may be a shared one, from the second before the pass.
        """
        before = self._followed.get(issuer, {})
        self._followed[issuer] = read
        for reference in before.keys() - read.keys():
            self._leave(issuer, reference)
        for reference in read.keys() - before.keys():
            watched = self._join(issuer, reference)
            if watched.told_s >= began_s - SHARED_S and watched.version != read[reference]:
                self._wake(issuer, f"{reference} changed")

    def forget(self, issuer: str) -> None:
        """Watch nothing for the issuer any more."""
        for reference in self._followed.pop(issuer, {}):
            self._leave(issuer, reference)

    async def close(self) -> None:
        """End every watch."""
        tasks = [*self._tasks.values()]
        for issuer in tuple(self._followed):
            self.forget(issuer)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _join(self, issuer: str, reference: ObjectReference) -> _Watched:
        watched = self._watched.get(reference)
        if watched is None:
            watched = self._watched[reference] = _Watched(reference)
            self._tasks[reference] = asyncio.create_task(self._watch(watched), name=f"watch {reference}")
        watched.readers[issuer] = None
        return watched

    def _leave(self, issuer: str, reference: ObjectReference) -> None:
        readers = self._watched[reference].readers
        del readers[issuer]
        if not readers:
            del self._watched[reference]
            self._tasks.pop(reference).cancel()

    async def _watch(self, watched: _Watched) -> None:
        loop = asyncio.get_running_loop()
        short = 0
        while True:
            began = loop.time()
            await self._watch_once(watched)
            # A watch that lasted is repeated at once. A watch that ended soon counts as failed, whatever it has
            # yielded.
            short = 0 if loop.time() - began >= _STEADY_S else short + 1
            if short:
                self.restarts += 1
                await asyncio.sleep(_RETRIES.delay(short, random.random))

    async def _watch_once(self, watched: _Watched) -> None:
        """Run one watch to its end. No exception ends the watching itself."""
        try:
            async with aclosing(watch_object(self._client, watched.reference)) as versions:
                async for version in versions:
                    watched.refusals = 0
                    # The first version is told too: the pass that began the watch may have read an older object.
                    if version != watched.version:
                        self._tell(watched, version)
        except ClusterError as error:
            watched.report(error)
        except Exception:
            log.exception("A watch failed in a way it does not know; it begins again.", object=str(watched.reference))

    def _tell(self, watched: _Watched, version: str) -> None:
        watched.version, watched.told_s = version, self._monotonic()
        for issuer in watched.readers:
            if self._followed[issuer][watched.reference] != version:
                self._wake(issuer, f"{watched.reference} changed")
