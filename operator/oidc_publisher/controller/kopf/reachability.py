"""Track the reachability of the API server, and log each cause of an outage once."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from oidc_publisher.timing.clock import Clock, SystemClock

log = structlog.stdlib.get_logger(__name__)


class Contact:
    """A Contact remembers whether the API server last answered, and calls `on_return` when it answers again.

    `outages` counts how often the API server stopped answering.
    """

    def __init__(self, on_return: Callable[[], None], clock: Clock | None = None) -> None:
        self._on_return = on_return
        self._clock = clock or SystemClock()
        self._lost_since: float | None = None
        self._told: set[str] = set()
        self._asked_at: float | None = None
        self._reached: bool | None = None
        self.outages = 0

    @property
    def reachable(self) -> bool | None:
        """Whether the last request was answered, None before the first answer or failure."""
        return self._reached

    @property
    def age_s(self) -> float | None:
        """The seconds since the watch last asked anything, with whatever result, None before its first request."""
        return None if self._asked_at is None else self._clock.monotonic() - self._asked_at

    @property
    def lost(self) -> bool:
        """Whether the last request failed, or was refused."""
        return self._lost_since is not None

    def asked(self) -> None:
        """Note that the watch is about to ask something."""
        self._asked_at = self._clock.monotonic()

    def failed(self, why: str) -> None:
        """Note a request that failed or was refused; `why` is a sentence without its final full stop."""
        self._asked_at = now = self._clock.monotonic()
        self._reached = False
        if self._lost_since is None:
            self._lost_since = now
            self.outages += 1
        if why not in self._told:
            self._told.add(why)
            log.warning("The API server cannot be used. It is asked again until it can.", why=why)

    def answered(self) -> None:
        """Note a request that was answered."""
        self._asked_at, self._reached = self._clock.monotonic(), True
        if self._lost_since is None:
            return
        away_s = self._clock.monotonic() - self._lost_since
        self._lost_since = None
        self._told.clear()
        log.info("The API server answers again: all issuers are looked at.", away_s=round(away_s, 1))
        self._on_return()
