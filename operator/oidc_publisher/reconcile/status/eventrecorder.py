"""The event recorder tells people once what has happened: by a line in the log and by an event of the object."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Protocol

import structlog

from oidc_publisher.api import ObjectMeta, OIDCIssuerStatus, StatusCondition
from oidc_publisher.cluster import ClusterAPI
from oidc_publisher.cluster.access import is_allowed
from oidc_publisher.cluster.events import RECORDING, event_name, post_event, repeat_event
from oidc_publisher.cluster.failures import ObjectMissingError
from oidc_publisher.errors import AnswerError, ClusterError
from oidc_publisher.findings import CONDITION_ORDER, ConditionType, Finding, Reason, Severity
from oidc_publisher.reconcile.status.eventqueue import EventQueue
from oidc_publisher.timing.clock import Clock

log = structlog.stdlib.get_logger(__name__)


#: The UID of the object, the reason, and the note of an event: what is alike in all three is the same event.
_Key = tuple[str, str, str]
#: The API server drops an event an hour after its last change (--event-ttl).
_KEPT_FOR = timedelta(hours=1)
#: So many different events of one issuer are remembered: an issuer that flaps has a few that come again and again.
_MOST_KNOWN = 16


@dataclass(frozen=True, slots=True)
class _Recorded:
    """An event that this process has recorded: its name, when it was last observed, and how often."""

    name: str
    at: datetime
    count: int = 1


@dataclass(frozen=True, slots=True)
class _Event:
    """An event that is to be recorded, perhaps minutes after it has happened at `at`; so it holds no object.

    `name` is what it is called if it is not one more of the `known` ones, the events of its issuer that were recorded before.
    """

    name: str
    issuer: str
    uid: str
    reason: str
    note: str
    warning: bool
    at: datetime
    known: dict[_Key, _Recorded]

    @property
    def key(self) -> _Key:
        return (self.uid, self.reason, self.note)


class Told(Protocol):
    """An OIDCIssuer as far as the event recorder needs the object."""

    @property
    def metadata(self) -> ObjectMeta:
        """The object's name and UID."""
        ...

    @property
    def status(self) -> OIDCIssuerStatus:
        """The object's status before the change."""
        ...


class EventRecorder:
    """An event recorder tells people what has happened to an issuer; no pass depends on whether an event was recorded.

    What happens again within an hour becomes a series of the first event, as `kubectl describe` shows it: an issuer that
    flaps has a line for each thing that it does, and not a hundred lines. Events of a burst wait in a queue.
    """

    def __init__(self, client: ClusterAPI, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._queue = EventQueue(clock)
        self._refused = ""
        self._unpatchable = False
        self._forbidden: Finding | None = None
        self._known: dict[str, dict[_Key, _Recorded]] = {}

    async def problems(self) -> tuple[Finding, ...]:
        """Return the finding that events are forbidden, as long as they are.

        A resting issuer has no event that would show that the right was granted, so the API server is asked for the right.
        """
        if self._forbidden is not None and await is_allowed(self._client, RECORDING):
            self._forbidden = None
        return () if self._forbidden is None else (self._forbidden,)

    async def happened(self, issuer: Told, event: Finding) -> None:
        """Tell what is over as soon as it has happened: that a key became safe, that drift was repaired."""
        name, reason = issuer.metadata.name, str(event.reason)
        log.info(event.message, issuer=name, reason=reason, subject=event.subject, advice=event.advice)
        await self._post(issuer, reason, event.sentence, warning=event.severity is not Severity.INFO)

    async def changed(self, issuer: Told, status: OIDCIssuerStatus) -> None:
        """Tell which conditions have changed: each condition in the log, and Ready as an event too."""
        before = {c.type: (c.status, c.reason) for c in issuer.status.conditions}
        told: set[str] = set()
        for condition in status.conditions:
            if before.get(condition.type) == (condition.status, condition.reason):
                continue
            # Ready comes first and repeats the message of its cause. One line in the log is enough for both.
            if condition.message not in told:
                told.add(condition.message)
                _log(issuer, condition)
            if condition.type == ConditionType.READY:
                await self._post(issuer, condition.reason, condition.message, warning=condition.status != "True")

    def forget(self, name: str) -> None:
        """Forget the events of an issuer that is gone: an object that comes under its name has another UID."""
        self._known.pop(name, None)  # an event of it that still waits keeps what it needs

    async def aclose(self) -> None:
        """Record no event that waits."""
        await self._queue.aclose()

    async def _post(self, issuer: Told, reason: str, note: str, *, warning: bool) -> None:
        metadata = issuer.metadata
        known = self._known.setdefault(metadata.name, {})
        name, now = event_name(metadata.name), self._clock.now()
        event = _Event(name, metadata.name, metadata.uid, reason, note, warning, now, known)
        await self._queue.send(partial(self._record, event))

    async def _record(self, event: _Event) -> bool:
        """Record an event, or one more of a known one; return False where the API server may take it later."""
        try:
            if not await self._repeated(event):
                await self._new(event)
                _note(event)
        except ClusterError as error:
            if error.reason is Reason.EventsForbidden:
                self._forbidden = error.finding()
            self._refuse(
                event, "The event is tried again." if error.retryable else "The event was not recorded.", error
            )
            return not error.retryable
        self._refused, self._forbidden = "", None
        return True

    async def _new(self, event: _Event) -> None:
        await post_event(
            self._client,
            {"name": event.issuer, "uid": event.uid},
            name=event.name,
            reason=event.reason,
            note=event.note,
            warning=event.warning,
            action="Reconcile",
            at=event.at,
        )

    async def _repeated(self, event: _Event) -> bool:
        """Record one more of a known event; return False where it is not known, or not there any more, or may not be changed."""
        known = event.known.get(event.key)
        if known is None or event.at - known.at > _KEPT_FOR:
            return False
        try:
            await repeat_event(self._client, known.name, count=known.count + 1, at=event.at)
        except ObjectMissingError:
            return False
        except AnswerError as error:
            if error.status != HTTPStatus.FORBIDDEN:
                raise
            if not self._unpatchable:
                self._unpatchable = True
                log.warning("The same event is recorded anew each time.", why=error.message, hint=error.hint)
            return False
        self._unpatchable = False
        event.known.pop(event.key, None)  # what happens again is the latest
        event.known[event.key] = _Recorded(known.name, event.at, known.count + 1)
        return True

    def _refuse(self, event: _Event, what: str, error: ClusterError) -> None:
        level = (
            logging.DEBUG if self._refused == what else logging.WARNING
        )  # the first of its kind in a row is a warning
        self._refused = what
        log.log(level, what, issuer=event.issuer, why=error.message, hint=error.hint)


def _note(event: _Event) -> None:
    """Remember a new event; those that the API server has dropped are forgotten, and of more than a few the oldest."""
    known = event.known
    known.pop(event.key, None)
    for key in [key for key, recorded in known.items() if event.at - recorded.at > _KEPT_FOR]:
        del known[key]
    known[event.key] = _Recorded(event.name, event.at)
    if len(known) > _MOST_KNOWN:
        del known[next(iter(known))]


def _log(issuer: Told, condition: StatusCondition) -> None:
    broken = condition.type in CONDITION_ORDER or condition.type == ConditionType.READY
    level = logging.WARNING if broken and condition.status == "False" else logging.INFO
    log.log(
        level,
        condition.message,
        issuer=issuer.metadata.name,
        condition=condition.type,
        status=condition.status,
        reason=condition.reason,
    )
