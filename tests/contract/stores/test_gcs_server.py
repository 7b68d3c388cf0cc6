"""Cloud Storage's API on a real server over TLS: what strangers see, how many calls it takes, and lost answers.

fake-gcs-server holds ifGenerationMatch on uploads and nothing else: what only Cloud Storage does is played by
tests/support/gcsscript.py.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
from collections.abc import Iterator

import aiohttp
import pytest

from oidc_publisher.errors import PreconditionError, StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores import Document, StoredDocument
from oidc_publisher.stores.gcs.store import GCSStore
from tests.contract.stores.conftest import GCSBucket
from tests.support import faults
from tests.support.connectproxy import ConnectProxy
from tests.support.edge import Edge
from tests.support.pki import PKI

pytestmark = pytest.mark.live

DISCOVERY = ".well-known/openid-configuration"
JWKS = "openid/v1/jwks"
#: A name of the test certificates that no resolver has.
NAME = "kubernetes.default.svc"


@pytest.fixture
def gcs_edge(gcs_bucket: GCSBucket, pki: PKI) -> Iterator[Edge]:
    """An edge before the server, for one test."""
    with Edge(gcs_bucket.server.endpoint_url, pki) as running:
        yield running


@pytest.fixture
def behind_gcs_edge(gcs_bucket: GCSBucket, gcs_edge: Edge, monkeypatch: pytest.MonkeyPatch) -> GCSStore:
    """A store that reaches the server through the edge."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_edge.url)
    return gcs_bucket.store()


async def present(store: GCSStore, path: str = JWKS) -> StoredDocument:
    found = await store.read(path)
    assert found is not None
    return found


async def test_strangers_get_exactly_what_was_written(gcs_bucket: GCSBucket, discovery: Document, pki: PKI) -> None:
    """The bytes, both headers as they were planned, and no Content-Encoding, to readers who accept gzip too."""
    await gcs_bucket.store().write(DISCOVERY, discovery, expected=None)
    url = f"{gcs_bucket.server.public_url(gcs_bucket.name, 'prod')}/{DISCOVERY}"
    for accepted in ("identity", "gzip"):
        async with (
            aiohttp.ClientSession(auto_decompress=False) as stranger,
            stranger.get(url, ssl=pki.client_context(), headers={"Accept-Encoding": accepted}) as got,
        ):
            assert (got.status, await got.read()) == (200, discovery.body)
            assert got.headers["Content-Type"] == "application/json"
            assert got.headers["Cache-Control"] == "public, max-age=300"
            assert "Content-Encoding" not in got.headers


async def test_of_eight_replacers_through_one_session_exactly_one_wins(
    gcs_bucket: GCSBucket, discovery: Document
) -> None:
    """The writers share connections and credentials, as the issuers of one operator do."""
    first = await gcs_bucket.store().write(JWKS, discovery, expected=None)
    bodies = [f"writer {number}".encode() for number in range(8)]
    outcomes = await asyncio.gather(
        *(
            gcs_bucket.store().write(JWKS, dataclasses.replace(discovery, body=body), expected=first.version)
            for body in bodies
        ),
        return_exceptions=True,
    )
    winners = [body for body, outcome in zip(bodies, outcomes, strict=True) if isinstance(outcome, StoredDocument)]
    assert len(winners) == 1, outcomes
    assert sum(isinstance(outcome, PreconditionError) for outcome in outcomes) == 7, outcomes
    assert (await present(gcs_bucket.store())).document.body == winners[0]


async def test_the_root_of_a_bucket_is_a_place(gcs_bucket: GCSBucket, discovery: Document) -> None:
    """Without a prefix the documents lie at the bucket's top."""
    store = gcs_bucket.store(prefix=None)
    await store.write(DISCOVERY, discovery, expected=None)
    assert store.location == f"gs://{gcs_bucket.name}"
    assert gcs_bucket.server.keys(gcs_bucket.name) == [DISCOVERY]


async def test_a_foreign_object_is_described_as_it_is(gcs_bucket: GCSBucket) -> None:
    """Headers that nobody planned are seen, so that drift is noticed; packed bytes stay packed."""
    packed = gzip.compress(b"x")
    gcs_bucket.server.put(
        gcs_bucket.name,
        f"prod/{JWKS}",
        packed,
        content_type="text/plain",
        content_encoding="gzip",
        metadata={"Owner": "me"},
    )
    found = await present(gcs_bucket.store())
    assert found.content_encoding == "gzip"
    assert found.document == Document(packed, "text/plain", "", {"owner": "me"})


async def test_a_content_encoding_is_written_away(gcs_bucket: GCSBucket, discovery: Document) -> None:
    """Our bytes under somebody's Content-Encoding are no success of ours: a plain write replaces them."""
    gcs_bucket.server.put(
        gcs_bucket.name,
        f"prod/{JWKS}",
        discovery.body,
        content_type=discovery.content_type,
        cache_control=discovery.cache_control,
        content_encoding="gzip",
        metadata=dict(discovery.metadata),
    )
    store = gcs_bucket.store()
    with pytest.raises(PreconditionError):
        await store.write(JWKS, discovery, expected=None)
    await store.write(JWKS, discovery, expected=(await present(store)).version)
    assert (await present(gcs_bucket.store())).content_encoding == ""


async def test_an_edit_of_metadata_alone_is_seen(gcs_bucket: GCSBucket, discovery: Document) -> None:
    """Somebody's Cache-Control, Content-Type and owner mark: seen at the next look, which fetches no bytes for it."""
    watcher = gcs_bucket.store()
    await watcher.write(JWKS, discovery, expected=None)
    gcs_bucket.server.edit(
        gcs_bucket.name, f"prod/{JWKS}", cache_control="no-store", content_type="text/plain", metadata={"a": "b"}
    )
    gcs_bucket.server.forget_requests()
    seen = (await present(watcher)).document
    assert (seen.cache_control, seen.content_type, seen.body) == ("no-store", "text/plain", discovery.body)
    assert seen.metadata["a"] == "b"
    assert gcs_bucket.server.requests(gcs_bucket.name) == {"get": 1}


async def test_an_object_that_is_too_large_is_not_ours(gcs_bucket: GCSBucket) -> None:
    """More than 1 MiB is not read into memory; its size is known before its bytes."""
    gcs_bucket.server.put(gcs_bucket.name, f"prod/{JWKS}", b"x" * (1024 * 1024 + 1), content_type="text/plain")
    gcs_bucket.server.forget_requests()
    with pytest.raises(StoreError, match="more than 1048576 bytes") as refused:
        await gcs_bucket.store().read(JWKS)
    assert refused.value.reason is Reason.DocumentsNotOurs
    assert gcs_bucket.server.requests(gcs_bucket.name) == {"get": 1}


async def test_a_first_publication_takes_four_calls(gcs_bucket: GCSBucket, discovery: Document) -> None:
    """Two looks and two uploads; at rest two looks, and no bytes."""
    store = gcs_bucket.store()
    gcs_bucket.server.forget_requests()
    for path in (JWKS, DISCOVERY):
        assert await store.read(path) is None
        await store.write(path, discovery, expected=None)
    assert gcs_bucket.server.requests(gcs_bucket.name) == {"get": 2, "insert": 2}
    gcs_bucket.server.forget_requests()
    for path in (JWKS, DISCOVERY):
        await store.read(path)
    assert gcs_bucket.server.requests(gcs_bucket.name) == {"get": 2}


async def test_bytes_are_fetched_once_per_generation(gcs_bucket: GCSBucket, discovery: Document) -> None:
    """A store that did not write them itself fetches them at its first look, and again when they are others."""
    first = await gcs_bucket.store().write(JWKS, discovery, expected=None)
    store = gcs_bucket.store()
    gcs_bucket.server.forget_requests()
    for _ in range(3):
        await store.read(JWKS)
    assert gcs_bucket.server.requests(gcs_bucket.name) == {"get": 3, "media": 1}
    await gcs_bucket.store().write(JWKS, dataclasses.replace(discovery, body=b"two"), expected=first.version)
    gcs_bucket.server.forget_requests()
    assert (await present(store)).document.body == b"two"
    assert gcs_bucket.server.requests(gcs_bucket.name) == {"get": 1, "media": 1}


async def test_a_lost_answer_is_no_lost_race(
    behind_gcs_edge: GCSStore, gcs_edge: Edge, gcs_bucket: GCSBucket, discovery: Document
) -> None:
    """The first attempt took effect, the second is refused because of it: that is a success."""
    gcs_edge.drop_answer_after_forwarding("POST", "/upload/")
    written = await behind_gcs_edge.write(JWKS, discovery, expected=None)
    assert gcs_edge.count("POST") == 2
    found = await present(gcs_bucket.store())
    assert (found.document, found.version) == (discovery, written.version)
    gcs_edge.drop_answer_after_forwarding("POST", "/upload/")
    second = dataclasses.replace(discovery, body=b"two")
    assert (await behind_gcs_edge.write(JWKS, second, expected=written.version)).document == second


async def test_a_write_whose_answers_are_all_lost_succeeds(
    behind_gcs_edge: GCSStore, gcs_edge: Edge, discovery: Document
) -> None:
    """The store looks before it believes that nothing happened."""
    gcs_edge.drop_answer_after_forwarding("POST", "/upload/", times=2)
    assert (await behind_gcs_edge.write(JWKS, discovery, expected=None)).document == discovery


async def test_a_lost_answer_and_a_rival_is_a_lost_race(
    behind_gcs_edge: GCSStore, gcs_edge: Edge, gcs_bucket: GCSBucket, discovery: Document
) -> None:
    """What is there after a lost answer is believed, not what should be: a rival's document is no success."""
    rival = dataclasses.replace(discovery, body=b"the rival's")

    async def overtaken(exchange: faults.Exchange) -> object:
        await gcs_bucket.store().write(JWKS, rival, expected=None)
        return await faults.answer_lost()(exchange)

    gcs_edge.misbehave("/upload/", overtaken, methods=("POST",), times=1)  # type: ignore[arg-type]
    with pytest.raises(PreconditionError):
        await behind_gcs_edge.write(JWKS, discovery, expected=None)
    assert (await present(gcs_bucket.store())).document == rival


async def test_a_deletion_whose_answer_is_lost_succeeds(
    behind_gcs_edge: GCSStore, gcs_edge: Edge, discovery: Document
) -> None:
    """The second attempt finds nothing, which is what was wanted."""
    written = await behind_gcs_edge.write(JWKS, discovery, expected=None)
    gcs_edge.drop_answer_after_forwarding("DELETE", "/o/")
    await behind_gcs_edge.delete(JWKS, expected=written.version)
    assert await behind_gcs_edge.read(JWKS) is None


async def test_a_deletion_sends_its_preconditions(
    behind_gcs_edge: GCSStore, gcs_edge: Edge, discovery: Document
) -> None:
    """This server ignores them, Cloud Storage does not."""
    written = await behind_gcs_edge.write(JWKS, discovery, expected=None)
    asked: list[str] = []

    async def noted(exchange: faults.Exchange) -> object:
        asked.append(exchange.request.query_string)
        return await faults.passed_on(exchange)

    gcs_edge.misbehave("/o/", noted, methods=("DELETE",))  # type: ignore[arg-type]
    await behind_gcs_edge.delete(JWKS, expected=written.version)
    generation, _, metageneration = written.version.partition(".")
    (query,) = asked
    assert f"ifGenerationMatch={generation}&ifMetagenerationMatch={metageneration}" in query


async def test_a_body_that_ends_early_is_not_believed(
    behind_gcs_edge: GCSStore, gcs_edge: Edge, discovery: Document, gcs_bucket: GCSBucket
) -> None:
    """Half a key set would look like keys that somebody removed."""
    await gcs_bucket.store().write(JWKS, discovery, expected=None)

    async def cut(exchange: faults.Exchange) -> object:
        only_media = "alt=media" in exchange.request.query_string
        return await (faults.truncated(5) if only_media else faults.passed_on)(exchange)

    gcs_edge.misbehave("/o/", cut)  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="before its answer is complete") as refused:
        await behind_gcs_edge.read(JWKS)
    assert (refused.value.reason, refused.value.retryable) == (Reason.StoreUnavailable, True)


async def test_bytes_that_were_changed_on_the_way_are_not_believed(
    behind_gcs_edge: GCSStore, gcs_edge: Edge, gcs_bucket: GCSBucket, discovery: Document
) -> None:
    """Cloud Storage sends a checksum beside the bytes."""
    await behind_gcs_edge.write(JWKS, discovery, expected=None)

    async def changed(exchange: faults.Exchange) -> object:
        only_media = "alt=media" in exchange.request.query_string
        fault = faults.body(lambda content: content.replace(b"prod", b"evil")) if only_media else faults.passed_on
        return await fault(exchange)

    gcs_edge.misbehave("/o/", changed)  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="do not match their checksum") as refused:
        await gcs_bucket.store().read(JWKS)
    assert (refused.value.reason, refused.value.retryable) == (Reason.StoreUnavailable, True)


async def test_an_object_that_is_replaced_between_two_requests_is_read_whole(
    behind_gcs_edge: GCSStore, gcs_edge: Edge, gcs_bucket: GCSBucket, discovery: Document
) -> None:
    """Metadata of one generation never stands beside the bytes of another."""
    first = await gcs_bucket.store().write(JWKS, discovery, expected=None)
    second = dataclasses.replace(discovery, body=b"two", cache_control="public, max-age=60")

    async def replaced(exchange: faults.Exchange) -> object:
        if "alt=media" in exchange.request.query_string and not done:
            done.append(await gcs_bucket.store().write(JWKS, second, expected=first.version))
        return await faults.passed_on(exchange)

    done: list[StoredDocument] = []
    gcs_edge.misbehave("/o/", replaced)  # type: ignore[arg-type]
    assert (await present(behind_gcs_edge)).document == second


async def test_the_store_tells_by_how_much_its_clock_is_off(behind_gcs_edge: GCSStore, gcs_edge: Edge) -> None:
    """Every answer with a Date counts, a refusal too."""
    gcs_edge.misbehave("/o/", faults.header("Date", "Thu, 01 Jan 2037 00:00:00 GMT"))
    await behind_gcs_edge.read(JWKS)
    assert min(behind_gcs_edge.clock_offsets).days > 365
    assert behind_gcs_edge.clock_offsets == ()


async def test_a_store_that_comes_back_is_used_again(
    behind_gcs_edge: GCSStore, gcs_edge: Edge, discovery: Document
) -> None:
    """An outage leaves nothing behind; each of its requests was made twice."""
    gcs_edge.misbehave("", faults.status(503), methods=("GET", "POST"))
    with pytest.raises(
        StoreError, match=r"storage.objects.get on gs://.*: Cloud Storage answers an error \(503\)"
    ) as out:
        await behind_gcs_edge.read(JWKS)
    assert (out.value.reason, out.value.retryable) == (Reason.StoreUnavailable, True)
    assert gcs_edge.count("GET") == 2
    gcs_edge.heal()
    await behind_gcs_edge.write(JWKS, discovery, expected=None)
    assert await behind_gcs_edge.read(JWKS) is not None


async def test_random_outages_are_ridden_out(behind_gcs_edge: GCSStore, gcs_edge: Edge, discovery: Document) -> None:
    """Each second answer is 500 or 429: nobody above notices."""
    gcs_edge.misbehave(
        "",
        faults.alternating(faults.status(500), faults.passed_on, faults.status(429), faults.passed_on),
        methods=("GET", "POST", "DELETE"),
    )
    written = await behind_gcs_edge.write(JWKS, discovery, expected=None)
    assert (await present(behind_gcs_edge)).document == discovery
    await behind_gcs_edge.delete(JWKS, expected=written.version)


@pytest.fixture
def gcs_by_proxy(gcs_bucket: GCSBucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConnectProxy]:
    """A proxy of the environment, which alone knows where the name of the server is."""
    port = int(gcs_bucket.server.endpoint_url.rpartition(":")[2])
    with ConnectProxy(leads={f"{NAME}:{port}": ("127.0.0.1", port)}) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"https://{NAME}:{port}")
        yield proxy


async def test_the_store_goes_by_the_proxy_of_the_environment(
    gcs_by_proxy: ConnectProxy, gcs_bucket: GCSBucket, discovery: Document
) -> None:
    """The proxy gets the name of the server; credentials and documents go through it in TLS to the server alone."""
    store = gcs_bucket.store()
    await store.write(DISCOVERY, discovery, expected=None)
    assert (await present(store, DISCOVERY)).document.body == discovery.body
    assert {target.partition(":")[0] for target in gcs_by_proxy.tunnels} == {NAME}
    assert all(b"uthorization" not in head and gcs_bucket.name.encode() not in head for head in gcs_by_proxy.heads)


async def test_no_proxy_leads_the_store_past_the_proxy(
    gcs_by_proxy: ConnectProxy, gcs_bucket: GCSBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is then resolved here, where nobody knows it."""
    monkeypatch.setenv("NO_PROXY", ".default.svc")
    with pytest.raises(StoreError, match=f"the name {NAME} cannot be resolved"):
        await gcs_bucket.store().read(DISCOVERY)
    assert gcs_by_proxy.tunnels == []


async def test_a_proxy_that_refuses_is_named(gcs_by_proxy: ConnectProxy, gcs_bucket: GCSBucket) -> None:
    """The server is not to blame, and what it holds is unknown."""
    gcs_by_proxy.answer = 403
    with pytest.raises(StoreError, match="the proxy for https://") as refused:
        await gcs_bucket.store().read(DISCOVERY)
    assert refused.value.reason is Reason.StoreUnavailable
