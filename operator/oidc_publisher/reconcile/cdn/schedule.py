"""The schedule decides when copies at a distribution are invalidated. Pure: `Copies` is what is known, each step a value.

The store alone says what changed. Every write raises the serial in the owner mark (R12) of both documents, so both are
invalidated together, in one call. Nothing is remembered outside the process. After a restart, a pair of documents that is
younger than copies can live is invalidated under the same reference, which follows from the serials: CloudFront makes no
second invalidation under a reference that it knows.

One invalidation runs at a time. A change during an invalidation waits for the next one. The result of an invalidation
decides nothing: keys are served when the wire shows the keys (R2).

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

#: People change the origins of a distribution by hand. Good origins are looked at rarely, and wrong ones soon again,
#: because somebody may be mending them.
CHECK_GOOD_S, CHECK_BAD_S = 6 * 3600.0, 60.0
#: CloudFront completes an invalidation after some ten seconds, sometimes after minutes.
POLL = Backoff(base_s=2.0, cap_s=10.0)
RETRY = Backoff(base_s=2.0, cap_s=300.0)
#: A failure that may pass by itself is reported only when a second failure follows.
_TOLD_AFTER = 2


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair is the serials of the two stored documents, discovery first, and the time of the later write."""

    serials: tuple[int | None, int | None]
    written: datetime | None


@dataclass(frozen=True, slots=True)
class Attempts:
    """Attempts say how calls of one kind went.

    No call is made before `at`, in seconds of the monotonic clock. `failures` counts failures in a row, and `problem` is
    their finding.
    """

    at: float = float("-inf")
    failures: int = 0
    problem: Finding | None = None

    def after(self, error: StoreError, now: float) -> Attempts:
        """Return the attempts after another failure."""
        failures = self.failures + 1
        told = failures >= _TOLD_AFTER or not error.retryable
        delay = RETRY.delay(failures, lambda: unit_interval(f"{error.subject} {failures}"))
        return Attempts(now + delay, failures, error.finding() if told else None)


@dataclass(frozen=True, slots=True)
class Running:
    """A running invalidation was accepted, and nobody knows yet that it is completed."""

    invalidation: str
    polls: int = 0


@dataclass(frozen=True, slots=True)
class Copies:
    """Copies are what is known of the copies at the distribution.

    `stale` is the reference under which the copies are still to be invalidated. `dropped` says that the edges have dropped
    their copies since the last pass, which may have read the wire a moment before.
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
        """The problems that keep old copies; where the distribution is the wrong one, that problem alone."""
        if self.mismatch is not None:
            return (self.mismatch,)
        problems = (self.check.problem, self.ask.problem, self.poll.problem)
        return tuple(dict.fromkeys(problem for problem in problems if problem))


@dataclass(frozen=True, slots=True)
class Check:
    """The step looks whether the distribution serves the store."""


@dataclass(frozen=True, slots=True)
class Poll:
    """The step asks whether an invalidation is completed."""

    invalidation: str


@dataclass(frozen=True, slots=True)
class Ask:
    """The step asks for an invalidation."""

    reference: str


def viewer_paths(*urls: str) -> tuple[str, ...]:
    """Return the paths as viewers ask for them, whatever path the distribution puts before a path on the way to the bucket.

    CloudFront wants what RFC 1738 calls unsafe to be encoded; of what our URLs may hold that is the tilde alone.
    """
    return tuple(urlsplit(url).path.replace("~", "%7E") for url in urls)


def pair_of(stored: StoredDocuments, owner: str) -> Pair | None:
    """Return the stored pair, None where no document bears this owner's mark."""
    marks = ((stored.discovery, stored.discovery_mark), (stored.jwks, stored.jwks_mark))
    ours = [(document, mark) for document, mark in marks if document and mark and mark.owner == owner]
    if not ours:
        return None
    first, second = (mark.serial if mark and mark.owner == owner else None for _, mark in marks)
    times = [document.last_modified for document, _ in ours if document.last_modified]
    return Pair((first, second), max(times, default=None))


def reference_of(distribution: str, owner: str, pair: Pair) -> str:
    """Return the reference of the invalidation of this pair, which every process makes alike for the same writes."""
    return _reference(distribution, owner, *map(str, pair.serials))


def reference_of_deletion(distribution: str, owner: str, uid: str) -> str:
    """Return the reference of the invalidation after the documents of the object with this UID were deleted."""
    return _reference(distribution, owner, "deleted", uid)


def next_pass(copies: Copies) -> Copies:
    """Return the copies at the beginning of a pass, which has just read the wire."""
    return replace(copies, dropped=False)


def note(copies: Copies, pair: Pair, reference: str, *, fresh: bool) -> Copies:
    """Note the stored pair. `fresh` says that the pair is so young that older copies may still live."""
    changed = fresh if copies.seen is None else pair.serials != copies.seen.serials
    stale = reference if changed or copies.stale else None
    return replace(copies, seen=pair, stale=stale)


def is_fresh(pair: Pair, *, longest_age: timedelta, now: datetime) -> bool:
    """Tell whether copies of documents that were stored before the pair may still live."""
    return pair.written is not None and now < pair.written + longest_age


def next_step(copies: Copies, now: float) -> Check | Poll | Ask | None:
    """Return the step that is due at this time, None where no step is due."""
    if now >= copies.check.at:
        return Check()
    if copies.running and now >= copies.poll.at:
        return Poll(copies.running.invalidation)
    if _may_ask(copies) and copies.stale and now >= copies.ask.at:
        return Ask(copies.stale)
    return None


def wake_after(copies: Copies, now: float) -> timedelta:
    """Return the time until the next step, rounded up, because a pass that comes a moment early finds nothing due."""
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
    # A running invalidation of which nobody can ask lets the next one begin.
    return copies.mismatch is None and (copies.running is None or copies.poll.failures > 0)


def checked(copies: Copies, error: StoreError | None, now: float) -> Copies:
    """Return the copies after a look at the distribution; `error` is why the distribution is not well."""
    if error is None:
        return replace(copies, mismatch=None, check=Attempts(now + CHECK_GOOD_S))
    if error.reason is Reason.DistributionMismatch:
        return _mismatched(copies, error, now)
    return replace(copies, check=copies.check.after(error, now))


def asked(copies: Copies, answer: str | StoreError, now: float) -> Copies:
    """Return the copies after a request for an invalidation; `answer` is the invalidation's ID, or the error of a refusal."""
    if isinstance(answer, str):
        return replace(copies, stale=None, ask=Attempts(), running=Running(answer), poll=_poll_at(now, 0))
    if answer.reason is Reason.DistributionMismatch:
        return _mismatched(copies, answer, now)
    return replace(copies, ask=copies.ask.after(answer, now))


def polled(copies: Copies, answer: bool | StoreError, now: float) -> Copies:  # noqa: FBT001 - the answer is the matter
    """Return the copies after a look at the running invalidation.

    `answer` says whether the invalidation is completed, or is the error for which nobody can tell.
    """
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
    # A wrong distribution is asked for nothing more, because an invalidation there would drop another owner's copies.
    return replace(copies, mismatch=error.finding(), check=Attempts(now + CHECK_BAD_S), running=None)
