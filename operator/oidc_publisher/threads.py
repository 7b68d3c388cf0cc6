"""Blocking work in threads, each kind of work in threads of its own, and no server's work in those of another.

A thread cannot be ended from outside. Work that is late is given up by whoever waits for it, while its thread goes on
and keeps its place until it ends: a server that hangs takes the places of its own key, and nobody else's. Threads are
daemons, for an exit must not wait for them. asyncio's default executor is left to the name resolution of asyncio itself
and to work that computes and always ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import queue
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")

#: An idle thread ends after this time; below the usual interval of a minute a pass would find none.
_IDLE_S = 90.0


@dataclass(slots=True)
class _Lane:
    """The places of one key, and how many wait for one or have one."""

    places: asyncio.Semaphore
    users: int = 0


class Threads:
    """Threads for one kind of work; at most `limit` of them work for the same key at once."""

    def __init__(self, kind: str, limit: int) -> None:
        self._kind = kind
        self._limit = limit
        self._lanes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Lane]] = (
            weakref.WeakKeyDictionary()
        )
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []

    async def run(self, work: Callable[[], T], *, key: str, timeout_s: float) -> T:
        """The result of `work`, which is run in a thread once there is a place for `key`.

        Raises TimeoutError when the result did not come within `timeout_s`, waiting included, and what `work` raises.
        """
        loop = asyncio.get_running_loop()
        lanes = self._lanes.setdefault(loop, {})
        lane = lanes.setdefault(key, _Lane(asyncio.Semaphore(self._limit)))
        lane.users += 1
        future: asyncio.Future[T] = loop.create_future()

        def leave() -> None:
            lane.users -= 1
            if not lane.users:
                lanes.pop(key, None)

        def done(result: Any, error: BaseException | None) -> None:
            lane.places.release()
            leave()
            if future.cancelled():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        def body() -> None:
            result: Any = None
            error: BaseException | None = None
            try:
                result = context.run(work)
            except BaseException as raised:  # noqa: BLE001 - it is raised again where it is waited for
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits any more
                loop.call_soon_threadsafe(done, result, error)

        context = contextvars.copy_context()
        async with asyncio.timeout(timeout_s):
            try:
                await lane.places.acquire()
            except BaseException:
                leave()
                raise
            self._start(body)
            return await future

    def _start(self, body: Callable[[], None]) -> None:
        with self._lock:
            if self._idle:
                self._idle.pop().jobs.put(body)
                return
        worker = _Worker(self)
        worker.jobs.put(body)
        threading.Thread(target=worker.work, name=self._kind, daemon=True).start()

    def rest(self, worker: _Worker) -> None:
        """Note that a thread has nothing to do."""
        with self._lock:
            self._idle.append(worker)

    def dismiss(self, worker: _Worker) -> bool:
        """Let a thread end if nothing was given to it meanwhile."""
        with self._lock:
            if worker in self._idle:
                self._idle.remove(worker)
                return True
            return False


@dataclass(slots=True, eq=False)
class _Worker:
    """What one thread does: its jobs one after the other, until there was none for a while."""

    threads: Threads
    jobs: queue.SimpleQueue[Callable[[], None]] = field(default_factory=queue.SimpleQueue)

    def work(self) -> None:
        """Work until dismissed."""
        while True:
            try:
                job = self.jobs.get(timeout=_IDLE_S)
            except queue.Empty:
                if self.threads.dismiss(self):
                    return
                continue
            job()
            del job  # an idle thread holds on to nothing
            self.threads.rest(self)
