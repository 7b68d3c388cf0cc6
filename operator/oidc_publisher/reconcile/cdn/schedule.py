"""When copies at a distribution are invalidated. Pure: what is known, what is to be done next, what came of it.

The store alone says what changed: every write raises the serial in the owner mark (R12) of both documents, which go
together, so both are invalidated together, in one call. Nothing is remembered outside the process. After a restart a
pair that was written more recently than copies can live is invalidated under the same reference, which is a function of
what was written: if it was done before, CloudFront makes no second invalidation of it.

One invalidation at a time: what changes while one is in progress waits and is gathered into the next one. What comes of
an invalidation decides nothing: keys are served when the wire shows them (R2).

Times are of the monotonic clock, in seconds, except those of the documents.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from oidc_publisher.documents import StoredDocuments
from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.timing.backoff import Backoff, unit_interval

#: A distribution's origins change by hand: rarely looked at when good, soon again when somebody is mending them.
CHECK_GOOD_S, CHECK_BAD_S = 6 * 3600.0, 60.0
#: CloudFront takes some ten seconds, sometimes minutes.
POLL = Backoff(base_s=2.0, cap_s=10.0)
RETRY = Backoff(base_s=2.0, cap_s=300.0)
#: One failure of what may pass by itself is no news.
_TOLD_AFTER = 2


@dataclass(frozen=True, slots=True)
class Pair:
    """The two stored documents: which write of ours each comes from, and when the later one was written."""

    serials: tuple[int | None, int | None]
    written: datetime | None


@dataclass(frozen=True, slots=True)
class Attempts:
    """How calls of one kind went: not again before `at`; failures in a row, and what is told of them."""

    at: float = float("-inf")
    failures: int = 0
    problem: Finding | None = None

    def after(self, error: StoreError, now: float) -> Attempts:
        """After a failure."""
        failures = self.failures + 1
        told = failures >= _TOLD_AFTER or not error.retryable
        delay = RETRY.delay(failures, lambda: unit_interval(f"{error.subject} {failures}"))
        return Attempts(now + delay, failures, error.finding() if told else None)


@dataclass(frozen=True, slots=True)
class Running:
    """An invalidation that was taken and is not known to be completed."""

    invalidation: str
    polls: int = 0


@dataclass(frozen=True, slots=True)
class Copies:
    """What is known of the copies.

    `stale` is the reference under which they are still to be invalidated. `dropped`: since the last pass, which may have
    read the wire a moment before.
    """

    seen: Pair | None = None
    stale: str | None = None
    running: Running | None = None
    dropped: bool = False
    mismatch: Finding | None = None
    check: Attempts = Attempts()
    ask: Attempts = Attempts()
    poll: Attempts = Attempts()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What keeps copies from being dropped; where the distribution is the wrong one, that alone."""
        if self.mismatch is not None:
            return (self.mismatch,)
        problems = (self.check.problem, self.ask.problem, self.poll.problem)
        return tuple(dict.fromkeys(problem for problem in problems if problem))


@dataclass(frozen=True, slots=True)
class Check:
    """Look whether the distribution serves the store."""


@dataclass(frozen=True, slots=True)
class Poll:
    """Ask whether an invalidation is completed."""

    invalidation: str


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask for an invalidation."""

    reference: str


def viewer_paths(*urls: str) -> tuple[str, ...]:
    """The paths as viewers ask for them, whatever path the distribution puts before them on the way to the bucket.

    CloudFront wants what RFC 1738 calls unsafe to be encoded; of what our URLs may hold that is the tilde alone.
    """
    return tuple(urlsplit(url).path.replace("~", "%7E") for url in urls)


def pair_of(stored: StoredDocuments, owner: str) -> Pair | None:
    """The stored pair, None when there is nothing of this owner's."""
    marks = ((stored.discovery, stored.discovery_mark), (stored.jwks, stored.jwks_mark))
    ours = [(document, mark) for document, mark in marks if document and mark and mark.owner == owner]
    if not ours:
        return None
    first, second = (mark.serial if mark and mark.owner == owner else None for _, mark in marks)
    times = [document.last_modified for document, _ in ours if document.last_modified]
    return Pair((first, second), max(times, default=None))


def reference_of(distribution: str, owner: str, pair: Pair) -> str:
    """The reference of the invalidation of this pair: the same for the same writes, in every process."""
    return _reference(distribution, owner, *map(str, pair.serials))


def reference_of_deletion(distribution: str, owner: str, uid: str) -> str:
    """The reference of the invalidation after the documents of the object with this UID were deleted."""
    return _reference(distribution, owner, "deleted", uid)


def next_pass(copies: Copies) -> Copies:
    """At the beginning of a pass, which has just read the wire."""
    return replace(copies, dropped=False)


def note(copies: Copies, pair: Pair, reference: str, *, fresh: bool) -> Copies:
    """Note what is stored. `fresh`: it was written so recently that older copies may still live."""
    changed = fresh if copies.seen is None else pair.serials != copies.seen.serials
    stale = reference if changed or copies.stale else None
    return replace(copies, seen=pair, stale=stale)


def is_fresh(pair: Pair, *, longest_age: timedelta, now: datetime) -> bool:
    """Whether copies of what was there before the pair may still live."""
    return pair.written is not None and now < pair.written + longest_age


def next_step(copies: Copies, now: float) -> Check | Poll | Ask | None:
    """What is to be done at this time, None when nothing is."""
    if now >= copies.check.at:
        return Check()
    if copies.running and now >= copies.poll.at:
        return Poll(copies.running.invalidation)
    if _may_ask(copies) and copies.stale and now >= copies.ask.at:
        return Ask(copies.stale)
    return None


def wake_after(copies: Copies, now: float) -> timedelta:
    """When the next step is due, rounded up: a pass that comes a moment early is one too many."""
    if copies.dropped:
        return timedelta(0)
    due = [copies.check.at]
    if copies.running:
        due.append(copies.poll.at)
    if _may_ask(copies) and copies.stale:
        due.append(copies.ask.at)
    return timedelta(milliseconds=math.ceil(max(min(due) - now, 0.0) * 1000))


def _reference(*parts: str) -> str:
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return f"oidc-publisher-{digest[:32]}"


def _may_ask(copies: Copies) -> bool:
    # One that nobody can follow keeps nothing waiting.
    return copies.mismatch is None and (copies.running is None or copies.poll.failures > 0)


def checked(copies: Copies, error: StoreError | None, now: float) -> Copies:
    """After a look at the distribution."""
    if error is None:
        return replace(copies, mismatch=None, check=Attempts(now + CHECK_GOOD_S))
    if error.reason is Reason.DistributionMismatch:
        return _mismatched(copies, error, now)
    return replace(copies, check=copies.check.after(error, now))


def asked(copies: Copies, answer: str | StoreError, now: float) -> Copies:
    """After an invalidation was asked for: its ID, or why it was not taken."""
    if isinstance(answer, str):
        return replace(copies, stale=None, ask=Attempts(), running=Running(answer), poll=_poll_at(now, 0))
    if answer.reason is Reason.DistributionMismatch:
        return _mismatched(copies, answer, now)
    return replace(copies, ask=copies.ask.after(answer, now))


def polled(copies: Copies, answer: bool | StoreError, now: float) -> Copies:  # noqa: FBT001 - the answer is the matter
    """After a look at the running invalidation: whether it is completed, or why nobody knows."""
    if isinstance(answer, StoreError):
        if answer.reason is Reason.DistributionMismatch:
            return _mismatched(copies, answer, now)
        return replace(copies, poll=copies.poll.after(answer, now))
    if answer or copies.running is None:
        return replace(copies, running=None, poll=Attempts(), dropped=True)
    polls = copies.running.polls + 1
    return replace(copies, running=replace(copies.running, polls=polls), poll=_poll_at(now, polls))


def _poll_at(now: float, polls: int) -> Attempts:
    return Attempts(now + POLL.delay(polls + 1, lambda: 0.0))


def _mismatched(copies: Copies, error: StoreError, now: float) -> Copies:
    # Nothing more is asked of the wrong one, where another's copies would pay for it.
    return replace(copies, mismatch=error.finding(), check=Attempts(now + CHECK_BAD_S), running=None)
