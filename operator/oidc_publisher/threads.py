"""Run blocking work in threads, with separate threads for each kind of work and separate places for each server.

A thread cannot be ended from outside. The caller abandons work that is late, while the thread of that work continues
and keeps its place until it ends. So a server that does not answer uses up the places of its own key only. Threads are
daemons, because an exit must not wait for them. asyncio's default executor is used only by asyncio's own name
resolution and by computations, which always end.
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

#: An idle thread ends after this time. With less than the usual interval of a minute, a pass would find no idle thread.
_IDLE_S = 90.0


@dataclass(slots=True)
class _Lane:
    """The places of one key, and the number of users that have a place or wait for one."""

    places: asyncio.Semaphore
    users: int = 0


class Threads:
    """Threads runs one kind of work; at most `limit` threads work for the same key at once."""

    def __init__(self, kind: str, limit: int) -> None:
        self._kind = kind
        self._limit = limit
        self._lanes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Lane]] = (
            weakref.WeakKeyDictionary()
        )
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []

    async def run(self, work: Callable[[], T], *, key: str, timeout_s: float) -> T:
        """Run `work` in a thread as soon as there is a place for `key`, and return its result.

        Raises TimeoutError when the result did not come within `timeout_s` seconds, the wait for a place included.
        Raises every exception of `work`.
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
            except BaseException as raised:  # noqa: BLE001 - run() raises it again
                error = raised
            with contextlib.suppress(RuntimeError):  # the event loop is closed, so no caller waits any more
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
        """Note that a thread is idle."""
        with self._lock:
            self._idle.append(worker)

    def dismiss(self, worker: _Worker) -> bool:
        """Return whether an idle thread may end, which is so unless it was given a job meanwhile."""
        with self._lock:
            if worker in self._idle:
                self._idle.remove(worker)
                return True
            return False


@dataclass(slots=True, eq=False)
class _Worker:
    """A worker runs the jobs of one thread one after the other, until none came for _IDLE_S."""

    threads: Threads
    jobs: queue.SimpleQueue[Callable[[], None]] = field(default_factory=queue.SimpleQueue)

    def work(self) -> None:
        """Run jobs until the thread may end."""
        while True:
            try:
                job = self.jobs.get(timeout=_IDLE_S)
            except queue.Empty:
                if self.threads.dismiss(self):
                    return
                continue
            job()
            del job  # an idle thread keeps no reference to its last job
            self.threads.rest(self)
