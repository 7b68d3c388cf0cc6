"""The events of all passes of a process go through one queue, and nothing of an issuer that is gone is remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NoReturn

from oidc_publisher.cluster.memory import MemoryCluster
from oidc_publisher.errors import AnswerError
from oidc_publisher.findings import Reason
from oidc_publisher.reconcile.passes import Gone
from oidc_publisher.reconcile.reconciler import Reconciler
from oidc_publisher.reconcile.status.eventqueue import BURST
from tests.support.looptime import LoopClock, run_jumping

SUSPENDED = {
    "issuerURL": "https://oidc.example.com/prod",
    "store": {"gcs": {"bucket": "example"}},
    "suspend": True,
}


async def _open(_: object) -> NoReturn:
    raise AssertionError("no pass of these tests needs a port")


def cluster_of(*names: str, before: Callable[[str, str], None]) -> MemoryCluster:
    """A cluster with these issuers, which are suspended."""
    cluster = MemoryCluster(before=before)
    for name in names:
        cluster.apply(name, SUSPENDED)
    return cluster


def forbids(*names: str) -> Callable[[str, str], None]:
    """An API server that lets nobody get these objects."""

    def before(method: str, path: str) -> None:
        if method == "GET" and path.rpartition("/")[2] in names:
            raise AnswerError(Reason.InternalError, "it is forbidden", status=403)

    return before


def test_what_is_refused_forbidden_or_reported_waits_in_one_queue() -> None:
    """A CRD of a newer version, or a right that was taken away, concerns a thousand issuers at once."""

    async def main() -> tuple[int, int]:
        cluster = cluster_of("a", "b", "c", "d", "e", "f", before=forbids("a", "b"))
        for name in ("c", "d"):
            cluster.apply(name, SUSPENDED | {"store": {"azureBlob": {}}})
        reconciler = Reconciler(cluster, _open, clock=LoopClock())
        for name in ("a", "b", "c", "d", "e", "f"):
            await reconciler.reconcile(name)
        at_once = len(cluster.events)
        await reconciler.close()
        await asyncio.sleep(60)
        return at_once, len(cluster.events)

    assert run_jumping(main) == (BURST, BURST)


def test_an_issuer_that_is_gone_leaves_nothing() -> None:
    """Neither what was recorded of it, nor that its refusal was told: an object of its name is told of anew."""

    async def main() -> tuple[int, int]:
        cluster = cluster_of("reported", "forbidden", before=forbids("forbidden"))
        reconciler = Reconciler(cluster, _open, clock=LoopClock())
        for name in ("reported", "forbidden"):
            await reconciler.reconcile(name)
        told = len(cluster.events)
        cluster.before = forbids()
        cluster.issuers.clear()
        for name in ("reported", "forbidden"):
            assert isinstance(await reconciler.reconcile(name), Gone)
        assert reconciler._events._known == {}
        cluster.apply("forbidden", SUSPENDED, uid="another")
        cluster.before = forbids("forbidden")
        await reconciler.reconcile("forbidden")
        return told, len(cluster.events)

    assert run_jumping(main) == (2, 3)
