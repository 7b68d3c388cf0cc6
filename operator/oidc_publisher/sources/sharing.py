"""Share the answers of a cluster among issuers at rest, whose passes would ask for the same within a second.

A pass that uses an answer which another pass asked for is like a pass that began with that request and took longer. So
the answers are of use only where a second does not matter, which each pass says with `readings_since`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping
from contextlib import aclosing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from oidc_publisher.cluster import Answer, ClusterAPI

#: No answer is used that was asked for longer ago, and none is kept longer: it may hold a Secret.
SHARED_S: Final = 1.0

#: Requests of the pass in progress may be answered by what was asked for since then (monotonic seconds); the pass sets it.
counts_since_s: ContextVar[float] = ContextVar("counts_since_s", default=float("inf"))

_Key = tuple[str, str, str | None, str, str]


@contextmanager
def readings_since(monotonic_s: float) -> Iterator[None]:
    """Within the block, answers count that were asked for since then; elsewhere every request is sent."""
    token = counts_since_s.set(monotonic_s)
    try:
        yield
    finally:
        counts_since_s.reset(token)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that was sent at a time, in monotonic seconds, and its answer to come."""

    at_s: float
    answer: asyncio.Task[Answer]


class SharingCluster:
    """A SharingCluster is another ClusterAPI whose readings are shared; what changes something is always sent.

    Of two requests for the same, the one that was sent last is shared, so that no issuer ever reads what is older than
    what it has read. A failure is not shared with requests that come after it: who tries again asks again.
    """

    def __init__(self, cluster: ClusterAPI, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._cluster = cluster
        self._monotonic = monotonic
        self._asked: dict[_Key, _Asked] = {}

    @property
    def host_port(self) -> str:
        """The HOST:PORT of the API server for requests that name no endpoint."""
        return self._cluster.host_port

    @property
    def vouches(self) -> bool:
        """Whether an explicit CA identifies API servers."""
        return self._cluster.vouches

    @property
    def grantee(self) -> str:
        """Who needs the rights that findings name."""
        return self._cluster.grantee

    async def request(
        self,
        method: str,
        path: str,
        *,
        endpoint: str | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        params: Mapping[str, str] | None = None,
        timeout_s: float = 10.0,
        repeatable: bool = False,
    ) -> Answer:
        """Return the answer to the same request of another pass, or send the request (see ClusterAPI.request)."""

        async def send() -> Answer:
            return await self._cluster.request(
                method,
                path,
                endpoint=endpoint,
                body=body,
                content_type=content_type,
                params=params,
                timeout_s=timeout_s,
                repeatable=repeatable,
            )

        if method != "GET" and not repeatable:
            return await send()
        key = (method, path, endpoint, json.dumps(body), json.dumps(params))
        asked = self._asked.get(key)
        if asked is None or asked.at_s < counts_since_s.get():
            asked = self._ask(key, send)
        # Another pass may wait for the same answer, so the end of this pass does not end the request.
        return await asyncio.shield(asked.answer)

    async def stream(
        self, path: str, *, params: Mapping[str, str] | None = None, accept: str, timeout_s: float
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the JSON objects of a watch of its own (see ClusterAPI.stream)."""
        async with aclosing(self._cluster.stream(path, params=params, accept=accept, timeout_s=timeout_s)) as lines:
            async for line in lines:
                yield line

    def clock_offsets(self, since_s: float) -> Mapping[str, timedelta]:
        """Return each API server's clock minus the operator's, by the answers that count for this pass."""
        return self._cluster.clock_offsets(min(since_s, counts_since_s.get()))

    def _ask(self, key: _Key, send: Callable[[], Coroutine[Any, Any, Answer]]) -> _Asked:
        asked = self._asked[key] = _Asked(self._monotonic(), asyncio.create_task(send(), name=f"reading {key[1]}"))
        asked.answer.add_done_callback(lambda answer: self._answered(key, asked, answer))
        return asked

    def _answered(self, key: _Key, asked: _Asked, answer: asyncio.Task[Answer]) -> None:
        if answer.cancelled() or answer.exception() is not None:
            self._forget(key, asked)
            return
        left_s = asked.at_s + SHARED_S - self._monotonic()
        answer.get_loop().call_later(max(left_s, 0.0), self._forget, key, asked)

    def _forget(self, key: _Key, asked: _Asked) -> None:
        if self._asked.get(key) is asked:
            del self._asked[key]
