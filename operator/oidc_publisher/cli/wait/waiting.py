"""Waiting for a verdict: the operator is asked, and its answers are judged until there is one or the time is up."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from oidc_publisher.api import OIDCIssuer, format_duration, format_time
from oidc_publisher.cli.connection import NoAnswerError, issuer_named, request_look, sentence
from oidc_publisher.cli.wait.verdict import Request, Verdict, VerdictKind, fresh_for
from oidc_publisher.cluster import ClusterClient
from oidc_publisher.errors import ClusterError

_FAST_S, _SLOW_S = 0.5, 10.0
#: An API server that is restarted is back within this time; one that never answered by then is the wrong one.
_FIRST_CONTACT_S = 30.0

Judge = Callable[[OIDCIssuer, datetime], Verdict]


@dataclass(slots=True)
class Waiting:
    """One wait. `tell` prints a line of progress.

    `asks`: only what the operator answers counts, for a status that rests may be from before it died.
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
        """YES or NO; NOT_YET when the time is up.

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
            # The patience is set by the first issuer that is read.
            left_s = (end_s if self._patience_s else min(end_s, contact_s)) - time.monotonic()
            if left_s <= 0:
                return self._too_late()
            await asyncio.sleep(min(self._pause_s(), left_s))

    async def _look(self, issuer: OIDCIssuer, end_s: float) -> Verdict | None:
        """What the status says, None when that is to be waited for."""
        now = datetime.now(UTC)
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
        """Whether this status answers our question; asks where there is none, or where the answer is too old for this."""
        waited_s = time.monotonic() - self._asked_s
        if self._request is None:
            await self._ask(issuer)
            return False
        if not self._request.answered_by(issuer):
            if waited_s > self._patience_s:
                raise NoAnswerError(_unanswered(self.name, timedelta(seconds=waited_s)))
            return False
        # One answer may be waited upon for a while, but a final one is never older than its question.
        changed = (
            verdict.answer is not VerdictKind.NOT_YET and self._last is not None and self._last[1] >= self._asked_s
        )
        if changed or waited_s > self._patience_s:
            await self._ask(issuer)
            return False
        return True

    async def _ask(self, issuer: OIDCIssuer) -> None:
        if not self._asked_s:
            self.tell(f"Asking the operator to look at {self.name} now (it has {format_duration(fresh_for(issuer))}).")
        # A time for people, and a random end: two who ask in one second ask different things.
        value = f"{format_time(datetime.now(UTC))}-{secrets.token_hex(4)}"
        try:
            _, self._request = await request_look(self.client, issuer, value)
        except ClusterError as error:
            self._lost(error)
            return
        self._asked_s = time.monotonic()

    async def _read(self) -> OIDCIssuer | None:
        """The issuer as it is now; None while the API server is away, which may be the one that is being restarted."""
        try:
            issuer = await issuer_named(self.client, self.name)
        except ClusterError as error:
            self._lost(error)
            return None
        if self._outage is not None:
            # The operator may have lost its API server as well, and with it the question.
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
        """Seconds until the next reading: more while the answer is hours away."""
        if self._last is None or self._last[0].not_before is None:
            return _FAST_S
        left = self._last[0].not_before - datetime.now(UTC)
        return min(max(left.total_seconds() / 20, _FAST_S), _SLOW_S)

    def _too_late(self) -> Verdict:
        if self._outage is not None:
            raise NoAnswerError(sentence(self._outage))
        if self._last is None or (self.asks and time.monotonic() - self._last[1] > self._patience_s):
            raise NoAnswerError(_unanswered(self.name, self.timeout))
        if self._last[0].silent:
            raise NoAnswerError(self._last[0].sentence)
        return self._last[0]


def _unanswered(name: str, waited: timedelta) -> str:
    about = format_duration(timedelta(seconds=round(waited.total_seconds())))
    return (
        f"The operator did not look at {name} within {about} of being asked. Is it running? What the status says of its "
        "keys is from before, and no permission to sign."
    )
