"""Every write of the operator to its store, seen on the way at the edge."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from aiohttp import web

from tests.live.rotation_proof.chronicle import Chronicle
from tests.support import faults
from tests.support.edge import Edge
from tests.support.faults import Exchange

JWKS_PATH = "openid/v1/jwks"
LATE_S = 4.0


class Fate(Enum):
    """What becomes of a write."""

    PASSES = auto()
    LOST = auto()  # it never reaches the store
    ANSWER_LOST = auto()  # it reaches the store, and its sender never learns
    LATE = auto()  # it reaches the store LATE_S after its sender died, when another process works there


@dataclass(frozen=True, slots=True)
class Publication:
    """A key set that the store took.

    `began` is when the write set out: nobody saw the set before. `at` is when the store had answered: everybody sees it
    since. `kids` are in the order of the document.
    """

    began: float
    at: float
    kids: tuple[str, ...]


class Publications:
    """Watches the writes through an edge and remembers the key sets.

    `meddle` may decide the fate of each write, and `written` is told once the store has taken one, before its sender is.
    """

    def __init__(self, edge: Edge, chronicle: Chronicle, numbers: Mapping[str, int]) -> None:
        self.meddle: Callable[[], Fate] | None = None
        self.written: Callable[[Fate], None] | None = None
        self.complaints: list[str] = []
        self._chronicle = chronicle
        self._numbers = numbers
        self._lock = threading.Lock()
        self._all: list[Publication] = []
        self._written_paths: set[str] = set()
        edge.misbehave("/", self._watch, methods=("PUT", "DELETE"))

    @property
    def all(self) -> tuple[Publication, ...]:
        """Every key set that was ever published, in the order of time."""
        with self._lock:
            return tuple(self._all)

    def at(self, when: float) -> str:
        """What was published at a time, in versions."""
        before = [p for p in self.all if p.began <= when]
        return self.describe(before[-1].kids) if before else "nothing"

    def describe(self, kids: tuple[str, ...]) -> str:
        """Key IDs as versions."""
        return " ".join(str(self._numbers.get(kid, kid)) for kid in kids) or "no key"

    async def _watch(self, exchange: Exchange) -> web.StreamResponse:
        request = exchange.request
        body = await request.read()
        path = request.raw_path.partition("?")[0]
        if self._must_fail(request, path):
            return await faults.passed_on(exchange)
        fate = await asyncio.to_thread(self.meddle) if self.meddle else Fate.PASSES
        if fate is Fate.LOST:
            self._chronicle.note(f"lost on the way: {request.method} {path}")
            return web.Response(status=503)  # to nobody: its sender is dead
        if fate is Fate.LATE:
            await asyncio.sleep(LATE_S)
        began = time.time()
        answer = await exchange.forward()
        if answer.status < 300:
            self._written_paths.add(path)
            self._remember(request, path, body, began)
            if self.written:
                await asyncio.to_thread(self.written, fate)
        else:
            self._chronicle.note(f"the store answers {answer.status} to {request.method} {path}")
        return faults.respond(request, answer)

    def _must_fail(self, request: web.Request, path: str) -> bool:
        """Whether the operator only tries whether the store honours conditions: it does so after its first write."""
        if request.headers.get("If-Match", "").strip('"') == "0" * 32:
            return True
        return request.headers.get("If-None-Match") == "*" and path in self._written_paths

    def _remember(self, request: web.Request, path: str, body: bytes, began: float) -> None:
        serial = request.headers.get("x-amz-meta-oidc-publisher-serial")
        if request.method == "DELETE":
            self.complaints.append(f"{self._chronicle.clock(began)}: {path} was deleted")
        elif path.endswith(JWKS_PATH):
            published = Publication(began, time.time(), tuple(key["kid"] for key in json.loads(body)["keys"]))
            with self._lock:
                self._all.append(published)
            self._chronicle.note(f"published: {self.describe(published.kids)} (serial {serial})")
        else:
            self._chronicle.note(f"published: the discovery document (serial {serial})")
            if not self.all:
                self.complaints.append(f"{self._chronicle.clock(began)}: discovery names a key set that is not there")
