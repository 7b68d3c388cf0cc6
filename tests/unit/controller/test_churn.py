"""Issuers that come and go leave nothing behind: the parts of the operator over memory ports, cycle after cycle."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from oidc_publisher.api import OIDCIssuer
from oidc_publisher.cluster.memory import MemoryCluster
from oidc_publisher.controller.kopf.events import IssuerEvents
from oidc_publisher.controller.metrics.observed import observing
from oidc_publisher.controller.metrics.series import Series
from oidc_publisher.controller.objectwatches import ObjectWatches
from oidc_publisher.controller.queue import WorkQueue
from oidc_publisher.controller.shard import WHOLE
from oidc_publisher.keys.remembering import forget_unused
from oidc_publisher.probe.wire.memory import MemoryWire
from oidc_publisher.probe.wire.port import Fetched
from oidc_publisher.reconcile.passes import Gone, Outcome
from oidc_publisher.reconcile.ports import PortOpener, Ports
from oidc_publisher.reconcile.reconciler import Reconciler
from oidc_publisher.reconcile.status import eventqueue
from oidc_publisher.reconcile.status.newissuers import NewIssuers
from oidc_publisher.stores.memory import MemoryStore
from tests.support.publickeys import mixed_pem

#: What may stay of an issuer that is gone: 5 MiB of 10,000.
_MOST_BYTES = 5 * 2**20 / 10_000
#: Lives of an issuer: before anything is traced, until small caches are full of what was traced, and those that count.
_WARM, _FILLS, _COUNTED = 20, 80, 120
#: An RSA key each: the largest kind that many have.
_pem = mixed_pem.__wrapped__
_CONFIG_MAPS = "/api/v1/namespaces/default/configmaps/"


@dataclass(slots=True)
class _Cluster(MemoryCluster):
    """A cluster that has every ConfigMap, with one key, and watches that say nothing."""

    def _read(self, path: str) -> dict[str, Any] | None:
        if path.startswith(_CONFIG_MAPS):
            return {"metadata": {"uid": path, "resourceVersion": "1"}, "data": {"1.pub": _pem(int(path[-5:])).decode()}}
        return MemoryCluster._read(self, path)

    async def stream(
        self, path: str, *, params: Mapping[str, str] | None = None, accept: str, timeout_s: float
    ) -> AsyncGenerator[dict[str, Any], None]:
        del path, params, accept, timeout_s
        await asyncio.Event().wait()
        yield {}


class _Operator:
    """The parts as the operator connects them, and the API server's events by hand."""

    def __init__(self) -> None:
        self.cluster, self.series = _Cluster(), Series()
        self.passed: asyncio.Queue[Outcome | Gone] = asyncio.Queue()
        self._opener = PortOpener(self.cluster)
        opened = observing(self._open, self.series.notes_of)
        new = NewIssuers()
        self._reconciler = Reconciler(self.cluster, opened, observer=self.series, new_issuers=new)
        self.queue = WorkQueue(self._reconcile)
        self.watches = ObjectWatches(self.cluster, self.queue.add)
        self._events = IssuerEvents(self.queue, WHOLE, new)
        self.queue.start()

    async def cycle(self, number: int) -> None:
        """An issuer comes, is proven, and is deleted."""
        name = f"issuer-{number:05}"
        uid = f"00000000-0000-4000-8000-{number:012}"
        made = self.cluster.apply(name, _spec(name), uid=uid)
        self._events.seen("ADDED", made)
        outcome = await self.passed.get()
        assert isinstance(outcome, Outcome)
        assert not outcome.failed
        (ready,) = [c for c in self.cluster.issuers[name]["status"]["conditions"] if c["type"] == "Ready"]
        assert ready["status"] == "True", ready
        del self.cluster.issuers[name]
        self._events.seen("DELETED", made)
        assert isinstance(await self.passed.get(), Gone)
        self.cluster.events.clear()

    async def rest(self) -> None:
        """Wait until no answer is kept for other issuers any more, which takes a second."""
        while self._opener._shared._asked:  # noqa: ASYNC110 - timers take them away, and tell nobody
            await asyncio.sleep(0.05)

    async def _reconcile(self, name: str) -> Outcome | Gone:
        outcome = await self._reconciler.reconcile(name)
        if isinstance(outcome, Gone):
            self.watches.forget(name)
        else:
            self.watches.follow(name, outcome.follows or {}, began_s=0.0)
        self.passed.put_nowait(outcome)
        return outcome

    async def _open(self, issuer: OIDCIssuer) -> Ports:
        store = MemoryStore()
        wire = MemoryWire(lambda url, _: _served(store, url.removeprefix(f"{issuer.spec.issuer_url}/"), url))
        return replace(await self._opener.open(issuer), store=store, wire=wire, stranger=None)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_of_ten_thousand_issuers_that_came_and_went_at_most_five_mebibytes_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each has a name, a UID, a ConfigMap and a URL of its own; what stays of one is counted over many."""
    monkeypatch.setattr(eventqueue, "BURST", 10**6)  # no event waits, whose issuer may be gone meanwhile
    operator = _Operator()
    for number in range(_WARM):
        await operator.cycle(number)
    tracemalloc.start(1)
    try:
        before = await _held(operator, range(_WARM, _WARM + _FILLS))
        after = await _held(operator, range(_WARM + _FILLS, _WARM + _FILLS + _COUNTED))
        grown = (after - before) / _COUNTED
    finally:
        tracemalloc.stop()
        await operator.watches.close()
    assert operator.queue.keys == frozenset()
    assert grown <= _MOST_BYTES, f"{grown:.0f} bytes stay of each issuer"


async def _held(operator: _Operator, numbers: range) -> int:
    for number in numbers:
        await operator.cycle(number)
    await operator.rest()
    for _ in range(2):  # as the operator does from time to time
        forget_unused()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def _spec(name: str) -> dict[str, Any]:
    source = {"namespace": "default", "name": name, "entryPattern": r"(?P<version>[0-9]+)\.pub"}
    return {
        "issuerURL": f"https://oidc.example.com/{name}",
        "store": {"s3": {"bucket": "example-oidc", "region": "eu-central-1", "prefix": name}},
        "keySources": [{"name": "keys", "configMap": source}],
        "probe": {"relyingParties": ["Kubernetes"]},
    }


def _served(store: MemoryStore, path: str, url: str) -> Fetched:
    found = store.documents.get(path)
    if found is None:
        return Fetched(url, 404)
    document = found.document
    return Fetched(url, 200, document.body, content_type=document.content_type, cache_control=document.cache_control)
