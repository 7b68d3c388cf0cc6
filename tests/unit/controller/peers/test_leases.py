"""Leases over a real connection: what is renewed, what is read, and what an operator without rights says."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from aiohttp import web

from oidc_publisher.controller.peers import leases
from oidc_publisher.controller.peers.leases import RENEW_S, ShardLeases
from oidc_publisher.controller.shard import Shard
from tests.support.apistub import APIStub, client_of, refuses, serving
from tests.support.looptime import EPOCH

if TYPE_CHECKING:
    from datetime import datetime

    from tests.support.pki import PKI

PATH = "/apis/coordination.k8s.io/v1/namespaces/publishers/leases"
PLACE = ("publishers", "the-shard")


@dataclass
class Time:
    """A clock that a test moves."""

    s: float = 0.0

    def monotonic(self) -> float:
        """The seconds that the test says."""
        return self.s

    def now(self) -> datetime:
        """A fixed time."""
        return EPOCH


@dataclass
class Leases:
    """The Leases of an API server, which merges patches as a real one does."""

    specs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def serve(self, stub: APIStub, *parts: int) -> None:
        """Let these Leases exist."""
        for part in parts:
            path = f"{PATH}/the-shard-{part}"
            self.specs[path] = {}
            stub.on("GET", path, self._get)
            stub.on("PATCH", path, self._patch)

    def of(self, part: int) -> dict[str, Any]:
        """What a Lease holds."""
        return self.specs[f"{PATH}/the-shard-{part}"]

    async def _get(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"kind": "Lease", "spec": self.specs[request.path]})

    async def _patch(self, request: web.Request) -> web.StreamResponse:
        assert request.content_type == "application/merge-patch+json"
        self.specs[request.path] |= (await request.json())["spec"]
        return web.json_response({"kind": "Lease", "spec": self.specs[request.path]})


@asynccontextmanager
async def shard_of(stub: APIStub, pki: PKI, index: int, count: int, clock: Time) -> AsyncIterator[ShardLeases]:
    """The leases as the process of one shard sees them."""
    async with client_of(pki, stub.address) as client:
        yield ShardLeases(client, Shard(index, count), PLACE, clock)


async def test_a_shard_renews_its_own_lease_and_reads_the_next_one(pki: PKI) -> None:
    """As client-go writes it: holder, duration, and a time with microseconds."""
    kept = Leases()
    async with serving(pki) as stub, shard_of(stub, pki, 2, 3, Time()) as shard:
        kept.serve(stub, 1, 2, 3)
        await shard.look()
        assert [(seen.method, seen.path.rpartition("-")[2]) for seen in stub.seen] == [("PATCH", "2"), ("GET", "3")]
        renewed = kept.of(2)
        assert renewed["holderIdentity"]
        assert renewed["leaseDurationSeconds"] == 60
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", renewed["renewTime"])


async def test_a_shard_that_is_down_is_named_in_the_log_once_and_again_when_it_is_back(pki: PKI) -> None:
    """Two shards, one of which never runs for two minutes."""
    kept, clock = Leases(), Time()
    async with serving(pki) as stub, shard_of(stub, pki, 1, 2, clock) as shard:
        kept.serve(stub, 1, 2)
        with structlog.testing.capture_logs() as logs:
            for _ in range(8):
                await shard.look()
                clock.s += RENEW_S
            assert shard.silent_s == {2: 7 * RENEW_S}
            kept.of(2)["renewTime"] = "2026-01-01T00:00:00.000000Z"
            await shard.look()
        assert shard.silent_s == {2: 0.0}
        assert [(log["event"].partition(":")[0], log["shard"]) for log in logs] == [
            ("A shard is down", "2/2"),
            ("The shard renews its lease again, or another one looks at it.", "2/2"),
        ]


@pytest.mark.parametrize(
    ("status", "reason", "hint"), [(403, "Forbidden", "rbac.create"), (404, "NotFound", "--shard-leases")]
)
async def test_a_lease_that_may_not_be_used_is_said_once_and_calls_nobody_down(
    pki: PKI, status: int, reason: str, hint: str
) -> None:
    """What is missing, and what grants it; what can be done is done all the same."""
    kept, clock = Leases(), Time()
    async with serving(pki) as stub, shard_of(stub, pki, 1, 2, clock) as shard:
        kept.serve(stub, 1, 2)
        stub.on("GET", f"{PATH}/the-shard-2", refuses(status, reason, "no"))
        with structlog.testing.capture_logs() as logs:
            for _ in range(8):
                await shard.look()
                clock.s += RENEW_S
        (warning,) = logs
        assert hint in warning["hint"]
        assert "renewTime" in kept.of(1)
        assert not shard.silent_s


async def test_a_shard_that_may_not_renew_still_looks_at_the_others(pki: PKI) -> None:
    """Its own lease is for them, theirs are for it."""
    kept = Leases()
    async with serving(pki) as stub, shard_of(stub, pki, 1, 2, Time()) as shard:
        kept.serve(stub, 1, 2)
        stub.on("PATCH", f"{PATH}/the-shard-1", refuses(403, "Forbidden", "no"))
        await shard.look()
        assert shard.silent_s == {2: 0.0}


async def test_nothing_ends_it(pki: PKI, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator whose parts end stops as a whole: not for a lease of any shape, nor for an API server that is away."""
    monkeypatch.setattr(leases, "RENEW_S", 0.01)
    async with serving(pki) as stub, shard_of(stub, pki, 1, 2, Time()) as shard:
        kept = Leases()
        kept.serve(stub, 1, 2)
        answers: list[Any] = [[], "text", {"spec": []}, {"spec": {"renewTime": 5}}, None]

        async def odd(_: web.Request) -> web.StreamResponse:
            return web.json_response(answers[len(stub.seen) // 2 % len(answers)])

        stub.on("GET", f"{PATH}/the-shard-2", odd)
        running = asyncio.create_task(shard.run())
        async with asyncio.timeout(60):
            while len(stub.seen) < 24:  # noqa: ASYNC110 - the stub sets no event
                await asyncio.sleep(0.01)
        assert not running.done()
        running.cancel()
