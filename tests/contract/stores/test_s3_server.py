"""S3 on a real server over TLS: what strangers see, how many calls it takes, and answers that were lost."""

from __future__ import annotations

import asyncio
import dataclasses
import ssl
from collections.abc import Iterator

import aiohttp
import pytest

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores import Document
from oidc_publisher.stores.s3.clients import ConditionalWrites
from oidc_publisher.stores.s3.endpoint import S3Endpoint
from oidc_publisher.stores.s3.objects import S3Place
from oidc_publisher.stores.s3.store import S3Store
from tests.contract.stores.conftest import Bucket, clients_with
from tests.support import faults
from tests.support.connectproxy import ConnectProxy
from tests.support.edge import Edge
from tests.support.pki import PKI
from tests.support.s3server import S3Server

pytestmark = pytest.mark.live

DISCOVERY = ".well-known/openid-configuration"
JWKS = "openid/v1/jwks"
#: A name of the test certificates that no resolver has.
NAME = "kubernetes.default.svc"


async def test_strangers_get_exactly_what_was_written(bucket: Bucket, discovery: Document, pki: PKI) -> None:
    """No Content-Encoding, no other Content-Type: boto's default checksums would make it aws-chunked."""
    await bucket.store().write(DISCOVERY, discovery, expected=None)
    bucket.server.allow_anonymous_read(bucket.name)
    url = f"{bucket.server.public_url(bucket.name, 'prod')}/{DISCOVERY}"
    async with (
        aiohttp.ClientSession(auto_decompress=False) as stranger,
        stranger.get(url, ssl=pki.client_context()) as got,
    ):
        assert (got.status, await got.read()) == (200, discovery.body)
        assert got.headers["Content-Type"] == "application/json"
        assert got.headers["Cache-Control"] == "public, max-age=300"
        assert "Content-Encoding" not in got.headers


async def test_no_acl_is_written(bucket: Bucket, discovery: Document, pki: PKI) -> None:
    """Buckets refuse ACLs since 2023; whether strangers may read is the bucket policy's business."""
    await bucket.store().write(DISCOVERY, discovery, expected=None)
    url = f"{bucket.server.public_url(bucket.name, 'prod')}/{DISCOVERY}"
    async with aiohttp.ClientSession() as stranger, stranger.get(url, ssl=pki.client_context()) as got:
        assert got.status == 403


async def test_the_roots_are_read_once(bucket: Bucket, discovery: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    """Botocore would read all roots of the machine for each connection, which is 50 ms of CPU; this server keeps none."""
    store = bucket.store()
    await store.write(DISCOVERY, discovery, expected=None)
    loads: list[object] = []
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda *args, **_: loads.append(args))
    for _ in range(3):
        await store.read(DISCOVERY)
    assert loads == []


async def test_the_root_of_a_bucket_is_a_place(bucket: Bucket, discovery: Document) -> None:
    """Without a prefix the documents lie at the bucket's top."""
    store = bucket.store(prefix=None)
    await store.write(DISCOVERY, discovery, expected=None)
    assert store.location == f"s3://{bucket.name}"
    assert bucket.server.keys(bucket.name) == [DISCOVERY]


async def test_a_foreign_object_is_described_as_it_is(bucket: Bucket) -> None:
    """Headers that nobody planned are seen, so that drift is noticed."""
    bucket.server.put(
        bucket.name, f"prod/{JWKS}", b"x", ContentEncoding="gzip", ContentType="text/plain", Metadata={"Owner": "me"}
    )
    found = await bucket.store().read(JWKS)
    assert found is not None
    assert found.content_encoding == "gzip"
    assert found.document == Document(b"x", "text/plain", "", {"owner": "me"})


async def test_an_object_that_is_too_large_is_not_ours(bucket: Bucket) -> None:
    """More than 1 MiB is not read into memory."""
    bucket.server.put(bucket.name, f"prod/{JWKS}", b"x" * (1024 * 1024 + 1))
    with pytest.raises(StoreError, match="more than 1048576 bytes") as refused:
        await bucket.store().read(JWKS)
    assert refused.value.reason is Reason.DocumentsNotOurs


async def test_a_first_publication_takes_four_calls(bucket: Bucket, discovery: Document) -> None:
    """Two reads and two writes, where the server is known to honour preconditions; at rest two reads."""
    bucket.clients.get(bucket.endpoint).conditional_writes = ConditionalWrites.HONOURED
    store = bucket.store()
    bucket.server.forget_requests()
    for path in (JWKS, DISCOVERY):
        assert await store.read(path) is None
        await store.write(path, discovery, expected=None)
    assert sum(bucket.server.requests(bucket.name).values()) == 4
    bucket.server.forget_requests()
    for path in (JWKS, DISCOVERY):
        await store.read(path)
    assert bucket.server.requests(bucket.name) == {"GetObject": 2}


async def test_preconditions_are_proven_once(bucket: Bucket, discovery: Document) -> None:
    """Two writes that must fail follow the first write to a server that is not Amazon's, and no other."""
    bucket.clients.get(bucket.endpoint).conditional_writes = ConditionalWrites.UNPROVEN
    for prefix, calls in (("a", 3), ("b", 1)):
        bucket.server.forget_requests()
        await bucket.store(prefix).write(JWKS, discovery, expected=None)
        assert bucket.server.writes(bucket.name) == calls
    assert bucket.clients.get(bucket.endpoint).conditional_writes is ConditionalWrites.HONOURED


async def test_changed_headers_are_seen_after_any_number_of_reads(bucket: Bucket, discovery: Document) -> None:
    """An ETag is a digest of the bytes alone: "304 Not Modified" must not hide another mark or Cache-Control."""
    written = await bucket.store().write(JWKS, discovery, expected=None)
    await asyncio.sleep(3)
    store = bucket.store()
    for _ in range(3):
        found = await store.read(JWKS)
        assert found is not None
        assert (found.document, found.version) == (discovery, written.version)
    changed = dataclasses.replace(discovery, cache_control="no-store", metadata={})
    await bucket.store().write(JWKS, changed, expected=written.version)
    for _ in range(2):
        seen = await store.read(JWKS)
        assert seen is not None
        assert (seen.document, seen.version) == (changed, written.version)


async def test_a_lost_answer_is_no_lost_race(
    behind_edge: S3Store, edge: Edge, bucket: Bucket, discovery: Document
) -> None:
    """The first attempt took effect, the second is refused because of it: that is a success."""
    edge.drop_answer_after_forwarding("PUT", JWKS)
    written = await behind_edge.write(JWKS, discovery, expected=None)
    found = await bucket.store().read(JWKS)
    assert found is not None
    assert (found.document, found.version) == (discovery, written.version)
    edge.drop_answer_after_forwarding("PUT", JWKS)
    second = dataclasses.replace(discovery, body=b"two")
    assert (await behind_edge.write(JWKS, second, expected=written.version)).document == second


async def test_a_write_whose_answers_are_all_lost_succeeds(
    behind_edge: S3Store, edge: Edge, discovery: Document
) -> None:
    """The store looks before it believes that nothing happened."""
    edge.drop_answer_after_forwarding("PUT", JWKS, times=2)
    assert (await behind_edge.write(JWKS, discovery, expected=None)).document == discovery


async def test_a_deletion_whose_answer_is_lost_succeeds(behind_edge: S3Store, edge: Edge, discovery: Document) -> None:
    """The second attempt finds nothing, which is what was wanted."""
    written = await behind_edge.write(JWKS, discovery, expected=None)
    edge.drop_answer_after_forwarding("DELETE", JWKS)
    await behind_edge.delete(JWKS, expected=written.version)
    assert await behind_edge.read(JWKS) is None


async def test_a_body_that_ends_early_is_not_believed(behind_edge: S3Store, edge: Edge, discovery: Document) -> None:
    """Half a key set would look like keys that somebody removed."""
    await behind_edge.write(JWKS, discovery, expected=None)
    edge.misbehave(JWKS, faults.truncated(5))
    with pytest.raises(StoreError, match="before its answer is complete") as refused:
        await behind_edge.read(JWKS)
    assert (refused.value.reason, refused.value.retryable) == (Reason.StoreUnavailable, True)


async def test_the_store_tells_by_how_much_its_clock_is_off(behind_edge: S3Store, edge: Edge) -> None:
    """Every answer with a Date counts, a refusal too."""
    edge.misbehave(JWKS, faults.header("Date", "Thu, 01 Jan 2037 00:00:00 GMT"))
    await behind_edge.read(JWKS)
    assert min(behind_edge.clock_offsets).days > 365
    assert behind_edge.clock_offsets == ()


@pytest.fixture
def by_proxy(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ConnectProxy, S3Endpoint]]:
    """A proxy of the environment, which alone knows where the name of the server is, and the server under that name."""
    port = int(bucket.server.endpoint_url.rpartition(":")[2])
    with ConnectProxy(leads={f"{NAME}:{port}": ("127.0.0.1", port)}) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        endpoint = dataclasses.replace(bucket.endpoint, endpoint_url=f"https://{NAME}:{port}")
        yield proxy, endpoint


def opened(bucket: Bucket, s3: S3Server, endpoint: S3Endpoint) -> S3Store:
    """A store of the bucket with a client of its own, because the variables are read when a client is built."""
    return S3Store(S3Place(bucket.name, "prod"), endpoint, clients_with(s3.credentials, endpoint))


async def test_the_store_goes_by_the_proxy_of_the_environment(
    by_proxy: tuple[ConnectProxy, S3Endpoint], bucket: Bucket, s3: S3Server, discovery: Document
) -> None:
    """The proxy gets the name of the server; credentials and documents go through it in TLS to the server alone."""
    proxy, endpoint = by_proxy
    store = opened(bucket, s3, endpoint)
    await store.write(DISCOVERY, discovery, expected=None)
    found = await store.read(DISCOVERY)
    assert found is not None
    assert found.document.body == discovery.body
    assert bucket.server.keys(bucket.name) == [f"prod/{DISCOVERY}"]
    assert {target.partition(":")[0] for target in proxy.tunnels} == {NAME}
    assert all(b"Credential" not in head and bucket.name.encode() not in head for head in proxy.heads)


async def test_no_proxy_leads_the_store_past_the_proxy(
    by_proxy: tuple[ConnectProxy, S3Endpoint], bucket: Bucket, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is then resolved here, where nobody knows it."""
    proxy, endpoint = by_proxy
    monkeypatch.setenv("NO_PROXY", ".default.svc")
    with pytest.raises(StoreError) as refused:
        await opened(bucket, s3, endpoint).read(DISCOVERY)
    assert "the proxy" not in str(refused.value)
    assert proxy.tunnels == []


async def test_a_proxy_that_refuses_is_named(
    by_proxy: tuple[ConnectProxy, S3Endpoint], bucket: Bucket, s3: S3Server
) -> None:
    """The server is not to blame, and what it holds is unknown."""
    proxy, endpoint = by_proxy
    proxy.answer = 403
    with pytest.raises(StoreError, match="the proxy for https://") as refused:
        await opened(bucket, s3, endpoint).read(DISCOVERY)
    assert refused.value.reason is Reason.StoreUnavailable
