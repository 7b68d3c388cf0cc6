"""The event recorder tells people once what has happened: by a line in the log and by an event of the object."""

from __future__ import annotations

import logging
from typing import Protocol

import structlog

from oidc_publisher.api import ObjectMeta, OIDCIssuerStatus, StatusCondition
from oidc_publisher.cluster import ClusterAPI, post_event
from oidc_publisher.cluster.access import is_allowed
from oidc_publisher.cluster.events import RECORDING
from oidc_publisher.errors import ClusterError
from oidc_publisher.findings import CONDITION_ORDER, ConditionType, Finding, Reason, Severity
from oidc_publisher.timing.clock import Clock

log = structlog.stdlib.get_logger(__name__)


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
    """An event recorder tells people what has happened to an issuer; no pass depends on whether an event was recorded."""

    def __init__(self, client: ClusterAPI, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._refused = False
        self._forbidden: Finding | None = None

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

    async def _post(self, issuer: Told, reason: str, note: str, *, warning: bool) -> None:
        metadata = {"name": issuer.metadata.name, "uid": issuer.metadata.uid}
        try:
            await post_event(
                self._client,
                metadata,
                reason=reason,
                note=note,
                warning=warning,
                action="Reconcile",
                at=self._clock.now(),
            )
        except ClusterError as error:
            level = logging.DEBUG if self._refused else logging.WARNING  # the first refusal in a row is a warning
            self._refused = True
            if error.reason is Reason.EventsForbidden:
                self._forbidden = error.finding()
            log.log(
                level, "The event was not recorded.", issuer=issuer.metadata.name, why=error.message, hint=error.hint
            )
        else:
            self._refused, self._forbidden = False, None


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
