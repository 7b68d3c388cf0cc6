"""S3Store before servers that no test bed has: with Last-Modified in a 304, without preconditions, slow, foreign."""

from __future__ import annotations

import asyncio
import dataclasses
import subprocess
import sys
from collections.abc import Callable

import pytest

from oidc_publisher import __version__
from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores.s3.clients import ConditionalWrites, S3Clients
from oidc_publisher.stores.s3.store import S3Endpoint, S3Place, S3Store
from tests.support.builders import DOCUMENT
from tests.support.scripted import Answer, ObjectServer, Request, ScriptedServer, s3_error

Serve = Callable[..., ScriptedServer]
StoreOf = Callable[..., S3Store]
JWKS = "openid/v1/jwks"


async def test_an_unchanged_document_is_not_sent_again(serve: Serve, store_of: StoreOf) -> None:
    """Two seconds after a write a 304 proves that nothing was written since."""
    objects = ObjectServer("If-Match", "If-None-Match")
    server = serve(objects)
    await store_of(server).write(JWKS, DOCUMENT, expected=None)
    objects.now += 2
    store = store_of(server)
    first = await store.read(JWKS)
    assert first is not None
    assert first.document == DOCUMENT
    assert await store.read(JWKS) is first
    assert "If-None-Match" in server.requests[-1].headers


async def test_a_fresh_document_is_read_in_full(serve: Serve, store_of: StoreOf) -> None:
    """Within the same second another write would have the same Last-Modified."""
    objects = ObjectServer("If-Match", "If-None-Match")
    server = serve(objects)
    store = store_of(server)
    written = await store.write(JWKS, DOCUMENT, expected=None)
    objects.now += 1
    await store.read(JWKS)
    other = dataclasses.replace(DOCUMENT, metadata={"owner": "rival/prod"})
    await store_of(server).write(JWKS, other, expected=written.version)
    seen = await store.read(JWKS)
    assert seen is not None
    assert seen.document == other
    assert all("If-None-Match" not in request.headers for request in server.requests if request.method == "GET")


async def test_another_mark_on_the_same_bytes_is_seen(serve: Serve, store_of: StoreOf) -> None:
    """The ETag of S3 stays; Last-Modified tells."""
    objects = ObjectServer("If-Match", "If-None-Match")
    server = serve(objects)
    written = await store_of(server).write(JWKS, DOCUMENT, expected=None)
    objects.now += 60
    store = store_of(server)
    await store.read(JWKS)
    other = dataclasses.replace(DOCUMENT, metadata={"owner": "rival/prod"})
    assert (await store_of(server).write(JWKS, other, expected=written.version)).version == written.version
    seen = await store.read(JWKS)
    assert seen is not None
    assert seen.document == other


async def test_a_deleted_document_is_seen(serve: Serve, store_of: StoreOf) -> None:
    """What is known of it does not outlive it."""
    objects = ObjectServer("If-Match", "If-None-Match")
    server = serve(objects)
    store = store_of(server)
    await store.write(JWKS, DOCUMENT, expected=None)
    objects.now += 60
    await store.read(JWKS)
    objects.objects.clear()
    assert await store.read(JWKS) is None


@pytest.mark.parametrize("honours", [(), ("If-None-Match",), ("If-Match",)], ids=["neither", "create", "replace"])
async def test_a_server_that_ignores_preconditions_is_refused(
    serve: Serve, store_of: StoreOf, honours: tuple[str, ...]
) -> None:
    """It would let two writers overwrite each other; the first write finds out, and nothing goes there afterwards."""
    objects = ObjectServer(*honours)
    server = serve(objects)
    store = store_of(server, proven=False)
    with pytest.raises(StoreError, match="ignores preconditions") as caught:
        await store.write(JWKS, DOCUMENT, expected=None)
    assert caught.value.reason is Reason.ConditionalWritesUnsupported
    assert objects.objects[f"/bucket/prod/{JWKS}"][0] == DOCUMENT.body
    calls = len(server.requests)
    for attempt in (store.read(JWKS), store.write(JWKS, DOCUMENT, expected=None)):
        with pytest.raises(StoreError) as again:
            await attempt
        assert str(again.value) == str(caught.value)
    assert len(server.requests) == calls


async def test_a_server_without_preconditions_says_so(serve: Serve, store_of: StoreOf) -> None:
    """501 to the first write: nothing was written."""
    server = serve(lambda _: s3_error(501, "NotImplemented"))
    with pytest.raises(StoreError, match="does not implement preconditions") as caught:
        await store_of(server).write(JWKS, DOCUMENT, expected=None)
    assert caught.value.reason is Reason.ConditionalWritesUnsupported


async def test_an_outage_between_write_and_proof_leaves_the_write_good(serve: Serve, store_of: StoreOf) -> None:
    """The proof is made up with the next write."""
    objects, down = ObjectServer("If-Match", "If-None-Match"), False

    def script(request: Request) -> Answer:
        nonlocal down
        answer = s3_error(503, "SlowDown") if down else objects(request)
        down = request.method == "PUT"
        return answer

    server = serve(script)
    store = store_of(server, proven=False)
    written = await store.write(JWKS, DOCUMENT, expected=None)
    server.script = objects
    server.requests.clear()
    await store.write(JWKS, dataclasses.replace(DOCUMENT, body=b"2"), expected=written.version)
    assert server.methods() == ["PUT", "PUT", "PUT"]


async def test_a_server_without_conditional_deletion_deletes(serve: Serve, store_of: StoreOf) -> None:
    """What was read a moment before is compared instead."""
    objects = ObjectServer("If-Match", "If-None-Match")
    server = serve(objects)
    store = store_of(server)
    written = await store.write(JWKS, DOCUMENT, expected=None)
    await store.delete(JWKS, expected=written.version)
    assert objects.objects == {}


async def test_no_answer_ends_in_time(serve: Serve, store_of: StoreOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that hangs holds a thread for two attempts, not for minutes."""
    monkeypatch.setattr("oidc_publisher.stores.s3.clients.READ_TIMEOUT_S", 0.2)
    monkeypatch.setattr("oidc_publisher.stores.connections.READ_TIMEOUT_S", 0.2)
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang(_: Request) -> Answer:
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result(10)
        return Answer(200)

    server = serve(hang)
    try:
        async with asyncio.timeout(5):
            with pytest.raises(StoreError, match=r"does not answer within 0\.2 s") as caught:
                await store_of(server).read(JWKS)
    finally:
        release.set()
    assert (caught.value.reason, caught.value.retryable) == (Reason.StoreUnavailable, True)
    assert server.methods() == ["GET", "GET"]


async def test_requests_say_who_asks(serve: Serve, store_of: StoreOf) -> None:
    """The operator can be found in the bucket's access log; it never sends an ACL, nor a checksum trailer."""
    server = serve(ObjectServer("If-Match", "If-None-Match"))
    await store_of(server).write(JWKS, DOCUMENT, expected=None)
    headers = {name.lower(): value for name, value in server.requests[0].headers.items()}
    assert f"oidc-publisher/{__version__}" in headers["user-agent"]
    assert not [name for name in headers if "acl" in name or "checksum" in name or "trailer" in name]
    assert headers["content-type"] == "application/json"


async def test_the_process_cannot_move_the_place(
    serve: Serve, store_of: StoreOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS_ENDPOINT_URL in the operator's environment is not in the object that names the bucket."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    shared = S3Clients().get(S3Endpoint("eu-central-1"))
    assert shared.client.meta.endpoint_url == "https://s3.eu-central-1.amazonaws.com"
    assert await store_of(serve(ObjectServer())).read(JWKS) is None


@pytest.mark.parametrize(
    ("region", "url", "amazon"),
    [
        ("eu-central-1", None, True),
        ("cn-north-1", None, True),
        ("eu-central-1", "https://bucket.vpce-1.s3.eu-central-1.vpce.amazonaws.com", True),
        ("us-east-1", "https://minio.example.com", False),
        ("us-east-1", "https://amazonaws.com.example.com", False),
    ],
)
def test_only_amazon_is_trusted_with_preconditions(region: str, url: str | None, *, amazon: bool) -> None:
    """Every other server is asked once."""
    expected = ConditionalWrites.HONOURED if amazon else ConditionalWrites.UNPROVEN
    assert S3Clients().get(S3Endpoint(region, url)).conditional_writes is expected


def test_stores_of_one_endpoint_share_a_client() -> None:
    """A client costs 10 ms and its connections, once per endpoint."""
    clients = S3Clients()
    assert clients.get(S3Endpoint("eu-central-1")) is clients.get(S3Endpoint("eu-central-1"))
    assert clients.get(S3Endpoint("eu-central-1")) is not clients.get(S3Endpoint("eu-west-1"))


def test_partitions_have_their_own_endpoints() -> None:
    """China, GovCloud and the European Sovereign Cloud."""
    clients = S3Clients()
    urls = [clients.get(S3Endpoint(region)).client.meta.endpoint_url for region in ("cn-north-1", "us-gov-west-1")]
    assert urls == ["https://s3.cn-north-1.amazonaws.com.cn", "https://s3.us-gov-west-1.amazonaws.com"]
    assert (
        clients.get(S3Endpoint("eusc-de-east-1")).client.meta.endpoint_url == "https://s3.eusc-de-east-1.amazonaws.eu"
    )


async def test_an_authority_that_is_none_is_refused() -> None:
    """PEM's frame alone passes the API server's rule."""
    pem = "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n"
    store = S3Store(S3Place("bucket"), S3Endpoint("eu-central-1", "https://127.0.0.1:9", "Auto", pem), S3Clients())
    with pytest.raises(StoreError, match="holds no readable certificate") as caught:
        await store.read(JWKS)
    assert caught.value.reason is Reason.SpecUnsupported


@pytest.mark.slow  # a process of its own, and its imports
def test_botocore_is_imported_only_when_used() -> None:
    """An operator that writes elsewhere pays neither its time nor its memory."""
    program = (
        "import sys, oidc_publisher.stores.factory, oidc_publisher.stores.s3.store as s3;"
        "s3.S3Store(s3.S3Place('b'), s3.S3Endpoint('r'));"
        "sys.exit(any(m.startswith('boto') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
