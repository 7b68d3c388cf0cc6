"""Whom an OIDCIssuer may name as its store, and who never gets a signed request."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from urllib3.util.connection import HAS_IPV6

from oidc_publisher.api.storespec import StoreSpec
from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.linklocal import is_link_local
from oidc_publisher.stores.factory import open_store
from oidc_publisher.stores.s3.clients import S3Clients
from oidc_publisher.stores.s3.store import S3Endpoint, S3Place, S3Store
from oidc_publisher.stores.storeendpoints import Server, StoreEndpoints
from tests.support.builders import DOCUMENT
from tests.support.scripted import Answer, ScriptedServer, s3_error

Serve = Callable[..., ScriptedServer]
StoreOf = Callable[..., S3Store]
JWKS = "openid/v1/jwks"

LINK_LOCAL = [
    "169.254.169.254",
    "169.254.170.23",
    "169.254.0.1",
    "fe80::1",
    "fe80::a9fe:a9fe%eth0",
    "fd00:ec2::254",
    "fd20:ce::254",
    "::ffff:169.254.169.254",
    "::169.254.169.254",
    "::ffff:0:a9fe:a9fe",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
]
#: IP addresses in words that only the resolver of the machine reads.
DISGUISED = ["2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518"]


def store_at(url: str, *allowed: str) -> Any:
    s3 = {"bucket": "example-oidc", "region": "us-east-1", "prefix": "prod", "endpointURL": url}
    return open_store(StoreSpec.model_validate({"s3": s3}), StoreEndpoints.listed(allowed))


async def refusal(url: str, *allowed: str) -> str:
    """What every operation of a store says that may not be used."""
    store = store_at(url, *allowed)
    errors = []
    for operation in (store.read(JWKS), store.write(JWKS, DOCUMENT, expected=None), store.delete(JWKS, expected="1")):
        with pytest.raises(StoreError) as caught:
            await operation
        errors.append(caught.value)
    assert {(e.reason, e.subject) for e in errors} == {(Reason.EndpointNotAllowed, f"s3://example-oidc/prod/{JWKS}")}
    assert len({str(e.finding().sentence) for e in errors}) == 1
    assert (store.location, store.endpoint_url, store.clock_offsets) == ("s3://example-oidc/prod", url, ())
    await store.aclose()
    return errors[0].finding().sentence


@pytest.mark.parametrize("address", LINK_LOCAL)
def test_link_local_addresses_are_known_in_every_form(address: str) -> None:
    """Metadata services too that are at other addresses, and IPv6 addresses that a gateway or kernel turns into them."""
    assert is_link_local(address)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "8.8.8.8", "fd00::1", "2001:db8::1", "::ffff:10.0.0.1"]
)
def test_other_private_addresses_are_not_link_local(address: str) -> None:
    """An S3 server of one's own is at one of these as a rule."""
    assert not is_link_local(address)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "[fd00:ec2::254]"])
async def test_link_local_is_refused_whatever_is_allowed(scheme: str, host: str) -> None:
    """The operator's flag opens servers, never the machine's own surroundings."""
    url = f"{scheme}://{host}:8080"
    for allowed in ((), (url,)):
        assert "metadata service" in await refusal(url, *allowed)


async def test_plain_http_is_refused_unless_the_operators_flag_names_it() -> None:
    """Anybody on the way reads the session token and answers in the store's place."""
    assert await refusal("http://minio.example.com:9000") == (
        "endpointURL http://minio.example.com:9000 is plain http, over which anybody can read and answer."
        " Use https, or start the operator with --store-endpoint http://minio.example.com:9000."
    )
    assert "--store-endpoint http://[::1]:9000." in await refusal("http://[::1]:9000/base")
    assert "is plain http" in await refusal("http://s3.eu-central-1.amazonaws.com")
    assert "is plain http" in await refusal("http://minio.example.com", "https://minio.example.com")
    assert isinstance(store_at("http://minio.example.com:9000", "http://minio.example.com:9000"), S3Store)


@pytest.mark.parametrize("url", ["https://minio.example.com", "https://127.0.0.1:9", "https://s3.amazonaws.com"])
def test_without_a_list_every_https_server_is_taken(url: str) -> None:
    """As before the list was there."""
    assert isinstance(store_at(url), S3Store)


async def test_a_list_closes_every_other_server() -> None:
    """Scheme, host and port count; case, a dot at the end, the default port and the path do not."""
    allowed = ("https://minio.example.com", "https://[::1]:9000")
    for url in (
        "https://minio.example.com:443/base",
        "https://MinIO.example.com.",
        "https://[::1]:9000",
        "https://s3.eu-central-1.amazonaws.com",
        "https://bucket.vpce-1.s3.eu-central-1.vpce.amazonaws.com",
    ):
        assert isinstance(store_at(url, *allowed), S3Store), url
    for url in (
        "https://minio.example.com:9000",
        "https://minio.example.com.example.org",
        "https://a.minio.example.com",
        "https://minio-1.eu-central-1.elb.amazonaws.com",
    ):
        assert "is none of the servers that the operator may use" in await refusal(url, *allowed), url
    amazon = StoreSpec.model_validate({"s3": {"bucket": "example-oidc", "region": "us-east-1"}})
    assert isinstance(open_store(amazon, StoreEndpoints.listed(allowed)), S3Store)


@pytest.mark.parametrize(
    "url",
    [
        *("https://[::1", "https://[::1]a", "https://[1]", "https://[", "https://a]b", "https://::1"),
        *("https://example.com:99999", "https://a:b:c"),
        *("https://a..b", "https://-a.b", "https://a.b-", "https://.", f"https://{'a' * 64}.b"),
    ],
)
async def test_what_is_no_server_is_refused(url: str) -> None:
    """The CRD's pattern lets brackets, colons and dots stand anywhere, over which botocore would stumble unforeseen."""
    assert "is not the URL of a server" in await refusal(url)


@pytest.mark.parametrize(
    "text", ["", "minio", "minio:9000", "ftp://minio", "https://", "https://minio/base", "https://a@b", "https://a?b=c"]
)
def test_an_entry_of_the_list_is_a_server_and_nothing_else(text: str) -> None:
    """A path would look as if it counted."""
    with pytest.raises(ValueError, match="must be the URL of a server"):
        Server.parse(text)


@pytest.fixture
def resolving(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Names and what they resolve to, beside those that the machine knows."""
    names: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *arguments: Any, **named: Any) -> Any:
        found = names.get(host)
        if found is None:
            return real(host, port, *arguments, **named)
        return [answer for address in found for answer in real(address, port, *arguments, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return names


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The addresses and ports that a socket was told to connect to; link-local ones refuse at once.

    Threads of former tests that still send something are among them, so that a test looks for its own port.
    """
    seen: list[tuple[str, int]] = []
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        seen.append((address[0], address[1]))
        if is_link_local(address[0]):
            raise ConnectionRefusedError("nobody here")
        real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    return seen


def ports(connections: list[tuple[str, int]]) -> set[int]:
    """The ports that were connected to."""
    return {port for _, port in connections}


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "addresses",
    [
        ["169.254.169.254"],
        ["127.0.0.1", "169.254.169.254"],
        pytest.param(["fd00:ec2::254"], marks=pytest.mark.skipif(not HAS_IPV6, reason="no name leads to IPv6 here")),
    ],
)
async def test_a_name_that_leads_to_a_link_local_address_is_refused(
    resolving: dict[str, list[str]], connections: list[tuple[str, int]], scheme: str, addresses: list[str]
) -> None:
    """Nobody is connected to, not even another address of the same name: it may be the first one next time."""
    resolving["s3.example.com"] = addresses
    url = f"{scheme}://s3.example.com:9"
    store = S3Store(S3Place("bucket"), S3Endpoint("us-east-1", url, "Path"), S3Clients())
    with pytest.raises(StoreError, match=r"s3\.example\.com.* is at .*metadata service") as caught:
        await store.read(JWKS)
    assert caught.value.reason is Reason.EndpointNotAllowed
    assert (caught.value.retryable, caught.value.subject) == (False, f"s3://bucket/{JWKS}")
    assert 9 not in ports(connections)


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("host", DISGUISED)
async def test_a_disguised_address_is_refused(connections: list[tuple[str, int]], host: str) -> None:
    """Only the resolver knows what it means."""
    store = store_at(f"https://{host}")
    with pytest.raises(StoreError) as caught:
        await store.read(JWKS)
    assert 443 not in ports(connections)
    assert caught.value.reason in {Reason.EndpointNotAllowed, Reason.StoreUnavailable, Reason.SpecUnsupported}


async def test_a_name_moved_to_a_link_local_address_is_refused_at_the_next_connection(
    serve: Serve, store_of: StoreOf, resolving: dict[str, list[str]], connections: list[tuple[str, int]]
) -> None:
    """DNS rebinding: what was good when the object came is looked at again each time."""
    server = serve(lambda _: Answer(404, {"Connection": "close"}, s3_error(404, "NoSuchKey").body))
    resolving["s3.example.com"] = ["127.0.0.1"]
    server.host = "s3.example.com"
    store = store_of(server)
    assert await store.read(JWKS) is None
    assert {host for host, _ in connections} == {"127.0.0.1"}
    connections.clear()
    resolving["s3.example.com"] = ["169.254.169.254"]
    with pytest.raises(StoreError) as caught:
        await store.read(JWKS)
    assert caught.value.reason is Reason.EndpointNotAllowed
    assert urlsplit(server.url).port not in ports(connections)


async def test_the_second_address_of_a_name_is_tried(
    serve: Serve, store_of: StoreOf, resolving: dict[str, list[str]]
) -> None:
    """As before: a server that listens on one of its addresses is found."""
    server = serve(lambda _: s3_error(404, "NoSuchKey"))
    resolving["s3.example.com"] = ["127.0.0.2", "127.0.0.1"]
    server.host = "s3.example.com"
    assert await store_of(server).read(JWKS) is None


async def test_a_name_with_a_dot_at_its_end_is_looked_up_as_it_is(
    serve: Serve, store_of: StoreOf, resolving: dict[str, list[str]]
) -> None:
    """Else the resolver would try the search domains of the pod first."""
    server = serve(lambda _: s3_error(404, "NoSuchKey"))
    resolving |= {"s3.example.com.": ["127.0.0.1"], "s3.example.com": ["127.0.0.2"]}
    server.host = "s3.example.com."
    assert await store_of(server).read(JWKS) is None


@pytest.mark.parametrize(
    "status", [301, pytest.param(302, marks=pytest.mark.slow), 307, pytest.param(308, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("code", ["TemporaryRedirect", "Redirect", "PermanentRedirect"])
async def test_a_redirect_leads_nowhere(
    serve: Serve, store_of: StoreOf, connections: list[tuple[str, int]], status: int, code: str
) -> None:
    """A server that may be named sends nobody on to one that may not."""
    location = {"Location": "http://169.254.169.254/latest/meta-data/", "Connection": "close"}
    answer = s3_error(status, code, Endpoint="169.254.169.254")
    server = serve(lambda _: Answer(status, {**answer.headers, **location}, answer.body))
    store = store_of(server)
    with pytest.raises(StoreError):
        await store.read(JWKS)
    with pytest.raises(StoreError):
        await store.write(JWKS, DOCUMENT, expected=None)
    assert len(server.requests) <= 4, "each is followed by no more than one question for the region"
    assert {host for host, _ in connections} == {"127.0.0.1"}


@pytest.mark.parametrize("region", ["evil.example.com/", "@169.254.169.254/", "eu-central-1"])
async def test_a_region_that_the_server_makes_up_leads_nowhere(
    serve: Serve, store_of: StoreOf, connections: list[tuple[str, int]], region: str
) -> None:
    """Botocore would build a host name from it."""
    server = serve(lambda _: s3_error(307, "TemporaryRedirect", x_amz_bucket_region=region))
    with pytest.raises(StoreError):
        await store_of(server).read(JWKS)
    assert {host for host, _ in connections} == {"127.0.0.1"}


@pytest.mark.usefixtures("credentials")
async def test_a_proxy_of_the_operators_environment_is_connected_to_as_it_is(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, connections: list[tuple[str, int]]
) -> None:
    """It is not the object's choice, and it resolves the host, which this machine may not know."""
    proxy = serve(lambda _: s3_error(404, "NoSuchKey"))
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    store = S3Store(S3Place("bucket"), S3Endpoint("us-east-1", "http://s3.nowhere.invalid:9000", "Path"), S3Clients())
    assert await store.read(JWKS) is None
    assert [request.path for request in proxy.requests] == [f"http://s3.nowhere.invalid:9000/bucket/{JWKS}"]
    assert {host for host, _ in connections} == {"127.0.0.1"}
