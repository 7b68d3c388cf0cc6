"""Decide when the pass of each object runs.

A run that takes long, for example because a server does not answer, goes on beside the places (places.py), and a key
whose last run was slow begins there. So a thousand issuers keep their interval while the servers of fifty others hang.
Changed keys come before keys that only rest (waitingline.py), and these begin one after the other (restpace.py).

A key is in one of four states::

              add, deadline                       run ends
    (none) ────────────────▶ waiting ──▶ running ──────────▶ idle with a deadline
                                ▲           │ added meanwhile     │ add, deadline
                                └───────────┴─────────────────────┘

The queue belongs to one event loop and has no locks. Call its methods from that loop only.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from oidc_publisher.controller.places import Places, Run
from oidc_publisher.controller.restpace import RestPace
from oidc_publisher.controller.settings import MAX_CONCURRENT
from oidc_publisher.controller.waitingline import WaitingLine
from oidc_publisher.reconcile.passes import Gone, Outcome, caused_s
from oidc_publisher.reconcile.status.watchfulness import waited_s
from oidc_publisher.timing.backoff import Backoff
from oidc_publisher.timing.clock import Clock, SystemClock

log = structlog.stdlib.get_logger(__name__)

#: The first retry of a failed run comes soon (for a restarted API server or a lost race), the later ones cost little.
RETRY = Backoff(base_s=0.5, cap_s=120.0)

#: A run that takes longer waits for a server: a pass at rest takes 0.1 s, and STS itself gives up after 5 s.
SLOW_S = 5.0

#: Cancelled runs get this long to close their connections before they are abandoned.
CANCEL_S = 0.3


Process = Callable[[str], Awaitable[Outcome | Gone]]


@dataclass(slots=True)
class _Entry:
    waiting: bool = False
    running: bool = False
    again: bool = False  # it was added while it ran, or its deadline came
    changed: bool = False  # it was added while it ran
    due: float | None = None  # in monotonic seconds
    failures: int = 0
    slow: bool = False  # its last run was slow
    since: float = 0.0  # since when it waits, in monotonic seconds
    changed_s: float = float("-inf")  # when somebody last had a reason to run it, in monotonic seconds
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Load:
    """A Load says how busy the queue is; times are in seconds, and 0 where nothing waits or runs.

    `running` counts all runs in progress; the `slow` ones among them take none of the places, of which there are `capacity`.
    """

    waiting: int
    running: int
    slow: int
    capacity: int
    longest_wait_s: float
    oldest_run_s: float
    standstill_s: float


class WorkQueue:
    """A WorkQueue runs `process` once per key at a time, and for at most `max_concurrent` keys at once.

    Beside them there are at most `max_slow` slow runs. Above that, a slow run keeps its place until it ends.
    """

    def __init__(
        self,
        process: Process,
        *,
        max_concurrent: int = MAX_CONCURRENT,
        max_slow: int | None = None,
        retry: Backoff = RETRY,
        clock: Clock | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._process = process
        self._places = Places(max_concurrent, max_slow)
        self._retry = retry
        self._clock = clock or SystemClock()
        self._jitter = jitter
        self._entries: dict[str, _Entry] = {}
        self._waiting = WaitingLine()
        self._waiting_slow = WaitingLine()
        self._deadlines: list[tuple[float, str]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._pace = RestPace()
        self._paused: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = self._stopping = False

    def start(self) -> None:
        """Start to run waiting keys. Before this call, keys are only collected."""
        self._started = True
        self._arm()
        self._dispatch()

    def add(self, key: str, reason: str) -> None:
        """Run the key, which has changed, as soon as there is a place, once more after a run in progress; a waiting key runs once."""
        entry = self._entries.setdefault(key, _Entry())
        entry.changed_s = self._clock.monotonic()
        if reason not in entry.reasons:
            entry.reasons.append(reason)
        if entry.running:
            entry.again = entry.changed = True
        else:
            self._enqueue(key, entry, changed=True)
            self._dispatch()

    def wake_at(self, key: str, at: float) -> None:
        """Run the key, which may have changed, at a monotonic time at the latest. An earlier deadline stays; the next run clears it."""
        entry = self._entries.setdefault(key, _Entry())
        entry.changed_s = self._clock.monotonic()
        self._wake_at(key, entry, at)

    def _wake_at(self, key: str, entry: _Entry, at: float) -> None:
        if entry.waiting or (entry.due is not None and entry.due <= at):
            return
        entry.due = at
        heapq.heappush(self._deadlines, (at, key))
        if len(self._deadlines) > 2 * len(self._entries) + 64:
            self._drop_stale_deadlines()
        if self._deadlines[0] == (at, key):
            self._arm()

    async def stop(self, grace_s: float) -> bool:
        """Start no run, let running keys end within `grace_s` seconds, cancel the rest; return whether all ended."""
        self._stopping = True
        for timer in (self._timer, self._paused):
            if timer is not None:
                timer.cancel()
        if not self._tasks:
            return True
        _, late = await asyncio.wait(self._tasks, timeout=grace_s)
        for task in late:
            task.cancel()
        if late:
            log.warning("Running reconciles were cut short to stop in time.", count=len(late))
            await asyncio.wait(late, timeout=CANCEL_S)
        return not late

    @property
    def keys(self) -> frozenset[str]:
        """All keys of the queue."""
        return frozenset(self._entries)

    @property
    def count(self) -> int:
        """How many keys the queue has."""
        return len(self._entries)

    def standstill_s(self) -> float:
        """Return for how many seconds all places have been taken without a run starting; 0 while a place is free."""
        return self._places.standstill_s(self._clock.monotonic())

    def load(self) -> Load:
        """Return how busy the queue is. Unlike every other method this one may be called from any thread."""
        now, entries, runs = self._clock.monotonic(), tuple(self._entries.values()), self._places.runs
        waits = [now - entry.since for entry in entries if entry.waiting]
        return Load(
            waiting=len(waits),
            running=len(runs),
            slow=sum(run.slow for run in runs),
            capacity=self._places.count,
            longest_wait_s=max(waits, default=0.0),
            oldest_run_s=max((now - run.began for run in runs), default=0.0),
            standstill_s=self.standstill_s(),
        )

    def _enqueue(self, key: str, entry: _Entry, *, changed: bool) -> None:
        if not entry.waiting:
            entry.waiting, entry.due, entry.since = True, None, self._clock.monotonic()
        (self._waiting_slow if entry.slow else self._waiting).put(key, changed=changed)

    def _dispatch(self) -> None:
        while self._started and not self._stopping:
            key = self._next()
            if key is None:
                return
            self._begin(key)

    def _next(self) -> str | None:
        """Take the key whose turn it is from its line, None where no key may begin."""
        if self._waiting_slow and self._places.free_beside:
            return self._waiting_slow.take()
        line = self._waiting
        if not line or not self._places.free:
            return None
        if not line.rests_next():
            return line.take()
        now = self._clock.monotonic()
        pause_s = self._pace.wait_s(now, line.resting)
        if pause_s <= 0:
            self._pace.began(now)
            return line.take()
        self._pause(pause_s)
        return line.take(resting=False) if len(line) > line.resting else None

    def _pause(self, seconds: float) -> None:
        """Look again after a pause, in which no resting key begins."""
        if self._paused is not None:
            self._paused.cancel()
        self._paused = asyncio.get_running_loop().call_later(seconds, self._dispatch)

    def _begin(self, key: str) -> None:
        entry = self._entries[key]
        entry.waiting, entry.running = False, True
        waited_s.set(self._clock.monotonic() - entry.since)
        caused_s.set(entry.changed_s)
        reasons, entry.reasons = entry.reasons, []
        log.debug("reconcile", issuer=key, why=reasons or ["deadline"])
        task = asyncio.create_task(self._run(key, entry), name=f"reconcile {key}")
        self._tasks.add(task)
        self._places.take(run := Run(self._clock.monotonic(), slow=entry.slow))
        timer = asyncio.get_running_loop().call_later(SLOW_S, self._on_overdue, run)
        task.add_done_callback(lambda ended: self._ended(ended, run, timer))

    def _on_overdue(self, run: Run) -> None:
        run.overdue = True
        self._places.let_overdue_aside()
        self._dispatch()

    async def _run(self, key: str, entry: _Entry) -> None:
        outcome: Outcome | Gone = Outcome(failed=True)
        began = self._clock.monotonic()
        try:
            outcome = await self._process(key)
        except Exception:
            log.exception("A reconcile failed in a way it does not know; it is tried again.", issuer=key)
        finally:
            entry.running = False
            entry.slow = self._clock.monotonic() - began > SLOW_S
            if not self._stopping:
                self._settle(key, entry, outcome)

    def _settle(self, key: str, entry: _Entry, outcome: Outcome | Gone) -> None:
        if isinstance(outcome, Gone):
            entry.due, entry.failures = None, 0
            if not entry.again:
                del self._entries[key]
                return
        else:
            entry.failures = entry.failures + 1 if outcome.failed else 0
            self._plan(key, entry, outcome)
        if entry.again:
            changed, entry.again, entry.changed = entry.changed, False, False
            self._enqueue(key, entry, changed=changed)

    def _plan(self, key: str, entry: _Entry, outcome: Outcome) -> None:
        delays: list[float] = []
        if outcome.wake_after is not None:
            delays.append(max(0.0, outcome.wake_after.total_seconds()))
        if outcome.failed:
            delays.append(self._retry.delay(entry.failures, self._jitter))
        if delays:
            self._wake_at(key, entry, self._clock.monotonic() + min(delays))

    def _ended(self, task: asyncio.Task[None], run: Run, timer: asyncio.TimerHandle) -> None:
        timer.cancel()
        self._tasks.discard(task)
        self._places.leave(run)
        self._dispatch()

    def _arm(self) -> None:
        """Set the timer to the earliest deadline."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._started and not self._stopping and self._deadlines:
            delay = max(0.0, self._deadlines[0][0] - self._clock.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._on_deadline)

    def _on_deadline(self) -> None:
        now = self._clock.monotonic()
        while self._deadlines and self._deadlines[0][0] <= now:
            at, key = heapq.heappop(self._deadlines)
            entry = self._entries.get(key)
            if entry is None or entry.due != at:  # replaced, or gone since
                continue
            if entry.running:
                entry.due, entry.again = None, True
            else:
                self._enqueue(key, entry, changed=False)
        self._arm()
        self._dispatch()

    def _drop_stale_deadlines(self) -> None:
        self._deadlines = [(entry.due, key) for key, entry in self._entries.items() if entry.due is not None]
        heapq.heapify(self._deadlines)
