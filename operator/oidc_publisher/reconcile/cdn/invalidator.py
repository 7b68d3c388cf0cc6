"""The invalidator asks a distribution to drop old copies of one issuer's documents, as `schedule` decides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import assert_never

import structlog

from oidc_publisher.documents import StoredDocuments
from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.reconcile.cdn.schedule import (
    Ask,
    Check,
    Copies,
    Poll,
    asked,
    checked,
    is_fresh,
    next_pass,
    next_step,
    note,
    pair_of,
    polled,
    reference_of,
    reference_of_deletion,
    wake_after,
)
from oidc_publisher.stores import Distribution
from oidc_publisher.timing.clock import Clock

log = structlog.stdlib.get_logger(__name__)


class Invalidator:
    """An invalidator looks after the copies of one issuer's documents at one distribution.

    `paths` are the paths of the documents as viewers ask for them.

    No call waits for an invalidation: each pass does what is due and says when the next one should come.
    """

    def __init__(self, distribution: Distribution, paths: Sequence[str], owner: str) -> None:
        self._distribution = distribution
        self._paths = tuple(paths)
        self._owner = owner
        self._copies = Copies()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The problems that keep old copies at the distribution."""
        return self._copies.findings

    def wake_after(self, clock: Clock) -> timedelta:
        """Return the time until the invalidator has something to do."""
        return wake_after(self._copies, clock.monotonic())

    async def follow(self, stored: StoredDocuments, *, longest_age: timedelta, clock: Clock) -> None:
        """Do what is due while these documents are stored; `stored` is empty where the store could not be read."""
        self._copies = next_pass(self._copies)
        pair = pair_of(stored, self._owner)
        if pair is not None:
            fresh = is_fresh(pair, longest_age=longest_age, now=clock.now())
            reference = reference_of(self._distribution.name, self._owner, pair)
            self._copies = note(self._copies, pair, reference, fresh=fresh)
        while (step := next_step(self._copies, clock.monotonic())) is not None:
            await self._take(step, clock)

    async def drop_deleted(self, uid: str) -> StoreError | None:
        """Ask once to drop copies of the deleted documents of the object with this UID; return the error of a refusal.

        Nobody waits for it: the object goes. At a distribution of another bucket nothing is asked.
        """
        problem = await self._check()
        if problem is not None and problem.reason is Reason.DistributionMismatch:
            return problem
        answer = await self._invalidate(reference_of_deletion(self._distribution.name, self._owner, uid))
        return answer if isinstance(answer, StoreError) else None

    async def _take(self, step: Check | Poll | Ask, clock: Clock) -> None:
        match step:
            case Check():
                problem = await self._check()
                self._copies = checked(self._copies, problem, clock.monotonic())
            case Poll():
                completed = await self._completed(step.invalidation)
                self._copies = polled(self._copies, completed, clock.monotonic())
            case Ask():
                answer = await self._invalidate(step.reference)
                self._copies = asked(self._copies, answer, clock.monotonic())
            case other:
                assert_never(other)

    async def _check(self) -> StoreError | None:
        try:
            await self._distribution.check()
        except StoreError as error:
            return error
        return None

    async def _completed(self, invalidation: str) -> bool | StoreError:
        try:
            completed = await self._distribution.completed(invalidation)
        except StoreError as error:
            return error
        if completed:
            log.info("Every edge has dropped its copies.", distribution=self._distribution.name, id=invalidation)
        return completed

    async def _invalidate(self, reference: str) -> str | StoreError:
        try:
            invalidation = await self._distribution.invalidate(self._paths, reference)
        except StoreError as error:
            return error
        log.info("Copies are invalidated.", distribution=self._distribution.name, id=invalidation, paths=self._paths)
        return invalidation
