"""Each way of misbehaving, shown by one request as the probe would send it."""

from __future__ import annotations

import asyncio
import datetime as dt
import http.client
import json
import ssl
import time
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from multidict import CIMultiDict

from tests.support import faults
from tests.support.edge import Edge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_s3 import S3Client

    from tests.support.faults import Fault
    from tests.support.pki import PKI, Certificate
    from tests.support.s3server import S3Server

pytestmark = pytest.mark.live

KEY = "prod/.well-known/openid-configuration"
DOCUMENT = b'{"issuer":"https://oidc.example.test/prod","jwks_uri":"https://oidc.example.test/prod/openid/v1/jwks"}'


class Got(NamedTuple):
    """What a stranger sees."""

    status: int
    headers: CIMultiDict[str]
    body: bytes


@pytest.fixture(scope="session")
def path(s3: S3Server) -> str:
    """Store one public document and return its path."""
    bucket = s3.create_bucket("edge")
    s3.put(bucket, KEY, DOCUMENT, ContentType="application/json", CacheControl="public, max-age=300")
    s3.allow_anonymous_read(bucket)
    return f"/edge/{KEY}"


@pytest.fixture
def client(edge: Edge, s3: S3Server) -> Iterator[S3Client]:
    """Give an S3 client that goes through the edge."""
    made = s3.make_client(endpoint_url=edge.url)
    yield made
    made.close()


async def read(edge: Edge, path: str, *, timeout_s: float = 5.0, context: ssl.SSLContext | None = None) -> Got:
    connector = aiohttp.TCPConnector(ssl=context or edge.pki.client_context(), force_close=True)
    limit = aiohttp.ClientTimeout(total=timeout_s)
    async with (
        aiohttp.ClientSession(connector=connector, auto_decompress=False, timeout=limit) as session,
        session.get(edge.url + path, allow_redirects=False, headers={"Accept-Encoding": "identity"}) as answer,
    ):
        return Got(answer.status, CIMultiDict(answer.headers), await answer.read())


async def test_without_a_rule_the_edge_is_invisible(edge: Edge, s3: S3Server, path: str) -> None:
    """Status, body and headers are the upstream's, and the request is counted."""
    got = await read(edge, path)
    assert (got.status, got.body) == (200, DOCUMENT)
    direct = edge.fetch(path)
    for name in ("Content-Type", "Cache-Control", "ETag", "Last-Modified"):
        assert got.headers[name] == direct.headers[name]
    assert edge.count("GET", path=path) == 1
    assert edge.writes() == 0
    assert edge.public_url("edge", "prod") == "https://localhost/edge/prod"
    assert s3.public_url("edge", "prod") == f"https://localhost:{s3.port}/edge/prod"


ANSWERS: dict[str, tuple[Fault, Callable[[Got], bool]]] = {
    "403": (faults.status(403), lambda got: got.status == 403),
    "404": (faults.status(404), lambda got: got.status == 404),
    "500": (faults.status(500), lambda got: got.status == 500),
    "503": (faults.status(503), lambda got: got.status == 503),
    "redirect": (
        faults.redirect("https://elsewhere.test/"),
        lambda got: got.headers["Location"].endswith("where.test/"),
    ),
    "wrong-content-type": (
        faults.header("Content-Type", "text/html"),
        lambda got: got.headers["Content-Type"] == "text/html" and got.body == DOCUMENT,
    ),
    "no-content-type": (faults.header("Content-Type", None), lambda got: "Content-Type" not in got.headers),
    "no-cache-control": (faults.header("Cache-Control", None), lambda got: "Cache-Control" not in got.headers),
    "no-store": (faults.header("Cache-Control", "no-store"), lambda got: got.headers["Cache-Control"] == "no-store"),
    "extra-header": (faults.header("X-Cache", "Hit"), lambda got: got.headers["X-Cache"] == "Hit"),
    "html-error-page": (faults.html_error_page(), lambda got: got.status == 200 and b"<html>" in got.body),
    "bom": (faults.with_bom(), lambda got: got.body == b"\xef\xbb\xbf" + DOCUMENT),
    "duplicate-members": (
        faults.duplicate_members(),
        lambda got: got.body.count(b'"issuer"') == 2 and json.loads(got.body) == json.loads(DOCUMENT),
    ),
    "oversize": (
        faults.oversize(),
        lambda got: len(got.body) == 65537 and json.loads(got.body) == json.loads(DOCUMENT),
    ),
    "wrong-issuer": (
        faults.wrong_issuer("https://other.test"),
        lambda got: json.loads(got.body)["issuer"] == "https://other.test",
    ),
    "replaced-body": (faults.body(b"null"), lambda got: got.body == b"null"),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_is_changed(edge: Edge, path: str, name: str) -> None:
    """Faults that still are HTTP: statuses, headers and bodies."""
    fault, expected = ANSWERS[name]
    edge.misbehave(path, fault)
    got = await read(edge, path)
    assert expected(got), got


async def test_a_rule_ends_after_its_times(edge: Edge, path: str) -> None:
    """A fault for one request lets the second one through; another path is never touched."""
    edge.misbehave(path, faults.status(503), times=1)
    assert (await read(edge, "/edge/other")).status == 404
    assert [(await read(edge, path)).status for _ in range(2)] == [503, 200]


async def test_answers_alternate(edge: Edge, path: str) -> None:
    """Two edges of one CDN disagree."""
    edge.misbehave(path, faults.alternating(faults.body(b"{}"), faults.passed_on))
    assert [(await read(edge, path)).body for _ in range(3)] == [b"{}", DOCUMENT, b"{}"]


async def test_a_frozen_copy_stays_while_the_upstream_moves_on(edge: Edge, s3: S3Server) -> None:
    """A stale copy is served until healed."""
    bucket = s3.create_bucket("stale")
    s3.allow_anonymous_read(bucket)
    s3.put(bucket, "key", b"old")
    edge.freeze("/stale/key")
    s3.put(bucket, "key", b"new")
    assert (await read(edge, "/stale/key")).body == b"old"
    edge.heal()
    assert (await read(edge, "/stale/key")).body == b"new"


async def test_a_delay_before_the_headers(edge: Edge, path: str) -> None:
    """The answer is late but whole; a reader without patience gives up."""
    edge.misbehave(path, faults.delayed(0.4))
    began = time.monotonic()
    assert (await read(edge, path)).body == DOCUMENT
    assert time.monotonic() - began >= 0.4
    with pytest.raises(TimeoutError):
        await read(edge, path, timeout_s=0.2)


async def test_a_trickling_body(edge: Edge, path: str) -> None:
    """Bytes come all the time, and never enough of them."""
    edge.misbehave(path, faults.trickled(0.2, chunk_bytes=10))
    with pytest.raises(TimeoutError):
        await read(edge, path, timeout_s=0.6)


BROKEN: dict[str, tuple[Fault, type[Exception]]] = {
    "truncated": (faults.truncated(20), aiohttp.ClientPayloadError),
    "reset-in-body": (faults.reset(after_bytes=20), aiohttp.ClientPayloadError),
    "reset-before-headers": (faults.reset(), aiohttp.ClientOSError),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_connection_breaks(edge: Edge, path: str, name: str) -> None:
    """Half a body, and resets."""
    fault, error = BROKEN[name]
    edge.misbehave(path, fault)
    with pytest.raises((error, aiohttp.ServerDisconnectedError)):
        await read(edge, path)


CERTIFICATES: dict[str, tuple[Callable[[PKI], Certificate], int]] = {  # X509_V_ERR_* of OpenSSL
    "expired": (lambda pki: pki.expired(), 10),
    "not-yet-valid": (lambda pki: pki.not_yet_valid(), 9),
    "wrong-host": (lambda pki: pki.serving("elsewhere.test"), 62),
    "self-signed": (lambda pki: pki.self_signed(), 18),
    "untrusted": (lambda pki: pki.untrusted(), 20),
    "incomplete-chain": (lambda pki: pki.incomplete_chain(), 20),
}


@pytest.mark.parametrize("name", CERTIFICATES)
async def test_a_certificate_is_refused(edge: Edge, pki: PKI, path: str, name: str) -> None:
    """Every broken certificate is refused with its own code, and a good one heals it."""
    make, code = CERTIFICATES[name]
    edge.serve_with(make(pki))
    with pytest.raises(aiohttp.ClientConnectorCertificateError) as refusal:
        await read(edge, path)
    assert isinstance(refusal.value.certificate_error, ssl.SSLCertVerificationError)
    assert refusal.value.certificate_error.verify_code == code
    edge.heal()
    assert (await read(edge, path)).status == 200


async def test_good_but_unusual_certificates_are_accepted(edge: Edge, pki: PKI, path: str) -> None:
    """A complete chain with an intermediate and a certificate that ends soon are valid."""
    for certificate in (pki.complete_chain(), pki.expiring(dt.timedelta(days=3))):
        edge.serve_with(certificate)
        assert (await read(edge, path)).status == 200


async def test_tls_1_3_only(edge: Edge, pki: PKI, path: str) -> None:
    """A reader that is limited to TLS 1.2, as some are, gets no further than the handshake."""
    edge.serve_with(pki.serving(), minimum=ssl.TLSVersion.TLSv1_3)
    old = pki.client_context()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(aiohttp.ClientConnectorSSLError):
        await read(edge, path, context=old)
    assert (await read(edge, path)).status == 200


async def test_plain_http_where_https_is_expected(edge: Edge, path: str) -> None:
    """The reader's ClientHello meets a server without TLS."""
    edge.serve_with(None)
    with pytest.raises(aiohttp.ClientConnectorError):
        await read(edge, path)


async def test_a_dead_upstream_is_a_502(s3: S3Server, pki: PKI, path: str) -> None:
    """A CDN answers even when its origin does not."""
    with Edge("https://localhost:9", pki) as alone:
        assert (await read(alone, path)).status == 502
    assert s3.process.running


async def test_signed_writes_pass_untouched(edge: Edge, s3: S3Server, client: S3Client) -> None:
    """An S3 client works through the edge: signature, conditions and metadata arrive."""
    bucket = s3.create_bucket("through")

    def write() -> None:
        client.put_object(Bucket=bucket, Key="a b/ü", Body=b"1", IfNoneMatch="*", Metadata={"serial": "1"})

    await asyncio.to_thread(write)
    with pytest.raises(ClientError) as refusal:
        await asyncio.to_thread(write)
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == http.client.PRECONDITION_FAILED
    found = s3.get_object(bucket, "a b/ü")
    assert found is not None
    assert found["Metadata"] == {"serial": "1"}
    assert edge.writes() == 2
    assert client.head_object(Bucket=bucket, Key="a b/ü")["ContentLength"] == 1


def test_an_s3_write_fails_as_often_as_told(edge: Edge, s3: S3Server, client: S3Client) -> None:
    """One 503 is healed by the client's retry; a 403 for ever is not."""
    bucket = s3.create_bucket("failing")
    edge.fail("PUT", "/failing/key", 503, times=1)
    client.put_object(Bucket=bucket, Key="key", Body=b"1")
    assert edge.count("PUT") == 2
    edge.fail("PUT", "/failing/key", 403)
    with pytest.raises(ClientError, match="AccessDenied"):
        client.put_object(Bucket=bucket, Key="key", Body=b"2")
    assert s3.get(bucket, "key") == b"1"


def test_a_lost_answer_makes_a_conditional_write_refuse_itself(edge: Edge, s3: S3Server, client: S3Client) -> None:
    """The write took effect, its answer was lost, and boto3's own retry is told 412."""
    bucket = s3.create_bucket("lost")
    edge.drop_answer_after_forwarding("PUT", "/lost/key")
    with pytest.raises(ClientError) as refusal:
        client.put_object(Bucket=bucket, Key="key", Body=b"mine", IfNoneMatch="*")
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == http.client.PRECONDITION_FAILED
    assert s3.get(bucket, "key") == b"mine"


def test_without_a_retry_a_lost_answer_is_a_connection_error(edge: Edge, s3: S3Server) -> None:
    """A client that does not retry only learns that the connection broke."""
    bucket = s3.create_bucket("lost-once")
    client = s3.make_client(endpoint_url=edge.url, config=Config(retries={"total_max_attempts": 1}))
    edge.drop_answer_after_forwarding("PUT", "/lost-once/key")
    with pytest.raises(BotoCoreError):
        client.put_object(Bucket=bucket, Key="key", Body=b"mine")
    client.close()
    assert s3.keys(bucket) == ["key"]
