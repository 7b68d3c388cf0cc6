"""A server whose answers trickle is late, though no single read of it ever is; its threads end, and nobody else waits."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores.cloudfront.distribution import CloudFrontClients, CloudFrontDistribution
from oidc_publisher.stores.gcs.clients import GCSClients
from oidc_publisher.stores.gcs.store import GCSPlace, GCSStore
from oidc_publisher.stores.port import Store
from oidc_publisher.stores.s3.clients import S3Clients
from oidc_publisher.stores.s3.store import S3Endpoint, S3Place, S3Store
from tests.support.builders import DOCUMENT
from tests.support.scripted import ObjectServer, ScriptedServer
from tests.support.trickle import BODY, HEADERS, TricklingServer

if TYPE_CHECKING:
    from tests.support.pki import PKI

JWKS = "openid/v1/jwks"
#: Below the 5 s that a single read may take: what ends the call is the deadline.
DEADLINE_S = 0.5
Make = Callable[[TricklingServer], Store]


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch, credentials: None) -> None:
    del credentials
    monkeypatch.setattr("oidc_publisher.stores.blocking.OPERATION_S", DEADLINE_S)


@pytest.fixture
def s3(warm_clients: S3Clients, pki: PKI) -> Make:
    """A store at S3."""

    def make(server: TricklingServer) -> Store:
        endpoint = S3Endpoint("eu-central-1", server.url, "Path", pki.ca_pem.decode())
        return S3Store(S3Place("bucket", "prod"), endpoint, warm_clients)

    return make


@pytest.fixture
def gcs(monkeypatch: pytest.MonkeyPatch, pki: PKI) -> Make:
    """A store at Cloud Storage."""

    def make(server: TricklingServer) -> Store:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pki.ca_file))
        return GCSStore(GCSPlace("bucket", "prod"), GCSClients())

    return make


@pytest.mark.slow
@pytest.mark.parametrize("begin", [HEADERS, BODY], ids=["headers", "body"])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("kind", ["s3", "gcs"])
async def test_a_trickling_answer_ends_at_the_deadline(
    kind: str, tls: bool, begin: bytes, pki: PKI, request: pytest.FixtureRequest
) -> None:
    """Headers or a body, for ever: the error says so, and the thread lets go of the connection by itself."""
    make: Make = request.getfixturevalue(kind)
    with TricklingServer(begin, context=pki.serving().server_context() if tls else None) as server:
        store = make(server)
        operations: tuple[Callable[[], Awaitable[object]], ...] = (
            lambda: store.read(JWKS),
            lambda: store.write(JWKS, DOCUMENT, expected=None),
            lambda: store.delete(JWKS, expected="1"),
        )
        for operation in operations:
            server.over.clear()
            before = server.asked
            while (
                server.asked == before
            ):  # on a busy machine a client that is built takes the whole of a short deadline
                with pytest.raises(StoreError) as caught:
                    await operation()
            assert caught.value.reason is Reason.StoreUnavailable
            assert caught.value.retryable
            assert f"the server does not complete its answers within {DEADLINE_S} s" in caught.value.message
            assert await asyncio.to_thread(server.over.wait, 20), "the thread has ended its connection"
        await store.aclose()


async def test_cloudfront_that_trickles_is_a_warning_like_one_that_is_away(
    monkeypatch: pytest.MonkeyPatch, warm_clients: S3Clients
) -> None:
    """Published is not made Unknown by it."""
    with TricklingServer() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", server.url)
        clients = CloudFrontClients(warm_clients)
        distribution = CloudFrontDistribution("E1", "bucket", S3Endpoint("eu-central-1"), clients)
        while not server.asked:  # as above
            with pytest.raises(StoreError) as caught:
                await distribution.check()
        assert caught.value.reason is Reason.InvalidationDenied
        assert caught.value.retryable
        assert await asyncio.to_thread(server.over.wait, 20)


async def test_a_thread_that_waits_for_no_socket_is_given_up(s3: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that hangs, a metadata server that never answers: whoever waits is told all the same."""
    monkeypatch.setattr("oidc_publisher.stores.blocking._GRACE_S", 0.01)
    over = threading.Event()
    monkeypatch.setattr("oidc_publisher.stores.s3.objects.S3Objects.get", lambda *_, **__: over.wait(60))
    try:
        with TricklingServer() as server, pytest.raises(StoreError, match="does not complete its answers"):
            await s3(server).read(JWKS)
    finally:
        over.set()


async def test_silent_stores_leave_the_threads_of_others_alone(
    monkeypatch: pytest.MonkeyPatch, s3: Make, serve: Callable[..., ScriptedServer], store_of: Callable[..., S3Store]
) -> None:
    """Two reads of each of 40 issuers hang at one server; a healthy one is read meanwhile."""
    monkeypatch.setattr("oidc_publisher.stores.blocking.OPERATION_S", 60.0)
    with TricklingServer(silent=True) as silent:
        hanging = [asyncio.create_task(s3(silent).read(JWKS)) for _ in range(80)]
        await asyncio.to_thread(silent.wait_asked, 32)
        healthy = store_of(serve(ObjectServer()))
        began = time.monotonic()
        assert await healthy.read(JWKS) is None
        assert time.monotonic() - began < 30, "it did not wait for any of them"
        assert not any(task.done() for task in hanging)
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
