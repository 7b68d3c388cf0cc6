"""The loop of `wait`: it asks the operator, and judges the status until there is a verdict or the time is up."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from oidc_publisher.api import OIDCIssuer, format_duration, format_time
from oidc_publisher.cli.connection import NoAnswerError, cluster_time, issuer_named, request_look, sentence
from oidc_publisher.cli.wait.verdict import Request, Verdict, VerdictKind, fresh_for
from oidc_publisher.cluster import ClusterClient
from oidc_publisher.errors import ClusterError

_FAST_S, _SLOW_S = 0.5, 10.0
#: A restarted API server answers within this time. An API server that never has by then is probably the wrong one.
_FIRST_CONTACT_S = 30.0

Judge = Callable[[OIDCIssuer, datetime], Verdict]


@dataclass(slots=True)
class Waiting:
    """One wait; `tell` prints a line of progress.

    With `asks` only a status counts that answers our question: an older status may be from before the operator died.
    """

    client: ClusterClient
    name: str
    judge: Judge
    timeout: timedelta
    tell: Callable[[str], None]
    asks: bool
    _request: Request | None = field(default=None, init=False)
    _asked_s: float = field(default=0.0, init=False)
    _last: tuple[Verdict, float] | None = field(default=None, init=False)
    _outage: ClusterError | None = field(default=None, init=False)
    _patience_s: float = field(default=0.0, init=False)

    async def verdict(self) -> Verdict:
        """Wait for YES or NO; return NOT_YET when the time is up.

        Raises:
            NoAnswerError: nobody can tell.
        """
        end_s = time.monotonic() + self.timeout.total_seconds()
        contact_s = time.monotonic() + _FIRST_CONTACT_S
        while True:
            issuer = await self._read()
            settled = await self._look(issuer, end_s) if issuer is not None else None
            if settled is not None:
                return settled
            # `_patience_s` is 0 until the first reading has succeeded.
            left_s = (end_s if self._patience_s else min(end_s, contact_s)) - time.monotonic()
            if left_s <= 0:
                return self._too_late()
            await asyncio.sleep(min(self._pause_s(), left_s))

    async def _look(self, issuer: OIDCIssuer, end_s: float) -> Verdict | None:
        """Judge a status; None means: go on waiting."""
        now = cluster_time(self.client)
        verdict = self.judge(issuer, now)
        if verdict.answer is VerdictKind.NONE:
            raise NoAnswerError(verdict.sentence)
        self._patience_s = fresh_for(issuer).total_seconds()
        if self.asks and not await self._fresh(issuer, verdict):
            return None
        if verdict.answer is not VerdictKind.NOT_YET:
            return verdict
        self._note(verdict)
        left = timedelta(seconds=end_s - time.monotonic())
        return verdict if verdict.not_before is not None and verdict.not_before > now + left else None

    async def _fresh(self, issuer: OIDCIssuer, verdict: Verdict) -> bool:
        """Tell whether this status answers our question; ask when there is no question yet, or when its answer is too old."""
        waited_s = time.monotonic() - self._asked_s
        if self._request is None:
            await self._ask(issuer)
            return False
        if not self._request.answered_by(issuer):
            if waited_s > self._patience_s:
                raise NoAnswerError(_unanswered(self.name, timedelta(seconds=waited_s)))
            return False
        # NOT_YET may rest on one answer for a while. A final verdict needs an answer that is younger than its question.
        changed = (
            verdict.answer is not VerdictKind.NOT_YET and self._last is not None and self._last[1] >= self._asked_s
        )
        if changed or waited_s > self._patience_s:
            await self._ask(issuer)
            return False
        return True

    async def _ask(self, issuer: OIDCIssuer) -> None:
        if not self._asked_s:
            self.tell(
                f"Asking the operator to look at {self.name} now (it has {format_duration(fresh_for(issuer))} to answer)."
            )
        try:
            _, self._request = await request_look(self.client, issuer, question())
        except ClusterError as error:
            self._lost(error)
            return
        self._asked_s = time.monotonic()

    async def _read(self) -> OIDCIssuer | None:
        """Read the issuer; None while the API server does not answer, as during the restart that somebody waits for."""
        try:
            issuer = await issuer_named(self.client, self.name)
        except ClusterError as error:
            self._lost(error)
            return None
        if self._outage is not None:
            # The operator may have lost its API server as well, and the question with it.
            self._outage, self._request = None, None
        return issuer

    def _lost(self, error: ClusterError) -> None:
        if self._outage is None:
            self.tell(f"{sentence(error)} Trying again.")
        self._outage = error

    def _note(self, verdict: Verdict) -> None:
        if self._last is None or self._last[0].sentence != verdict.sentence:
            self.tell(verdict.sentence)
        self._last = (verdict, time.monotonic())

    def _pause_s(self) -> float:
        """Return the seconds until the next reading, which are more when the answer is hours away."""
        if self._last is None or self._last[0].not_before is None:
            return _FAST_S
        left = self._last[0].not_before - cluster_time(self.client)
        return min(max(left.total_seconds() / 20, _FAST_S), _SLOW_S)

    def _too_late(self) -> Verdict:
        if self._outage is not None:
            raise NoAnswerError(sentence(self._outage))
        if self._last is None or (self.asks and time.monotonic() - self._last[1] > self._patience_s):
            raise NoAnswerError(_unanswered(self.name, self.timeout))
        if self._last[0].silent:
            raise NoAnswerError(self._last[0].sentence)
        return self._last[0]


def question() -> str:
    """Return a value for the annotation that nobody used before.

    The time is for people. The random end keeps apart two people who ask in the same second.
    """
    return f"{format_time(datetime.now(UTC))}-{secrets.token_hex(4)}"


def _unanswered(name: str, waited: timedelta) -> str:
    about = format_duration(timedelta(seconds=round(waited.total_seconds())))
    return (
        f"The operator did not look at {name} within {about} of being asked. Is it running? What the status says of its "
        "keys is from before, and no permission to sign."
    )
