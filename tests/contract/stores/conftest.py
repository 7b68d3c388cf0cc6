"""An empty place in every kind of store."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from oidc_publisher.stores import Document
from oidc_publisher.stores.gcs.clients import GCSClients
from oidc_publisher.stores.gcs.store import GCSPlace, GCSStore
from oidc_publisher.stores.memory import MemoryStore
from oidc_publisher.stores.port import RehearsingStore
from oidc_publisher.stores.s3.clients import S3Clients
from oidc_publisher.stores.s3.store import S3Endpoint, S3Place, S3Store

if TYPE_CHECKING:
    from tests.support.edge import Edge
    from tests.support.gcsserver import GCSServer
    from tests.support.motoserver import MotoServer
    from tests.support.s3server import S3Server


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere empty: `open` gives a store of it, each time as another process would see it."""

    open: Callable[[], RehearsingStore]
    location: str


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of the S3 server, and the means to open stores in it."""

    server: S3Server
    name: str
    clients: S3Clients
    endpoint: S3Endpoint

    def store(self, prefix: str | None = "prod", endpoint: S3Endpoint | None = None) -> S3Store:
        """A store that has read nothing yet."""
        return S3Store(S3Place(self.name, prefix), endpoint or self.endpoint, self.clients)


@dataclass(frozen=True, slots=True)
class GCSBucket:
    """A bucket of the server that speaks Cloud Storage's API, and the means to open stores in it."""

    server: GCSServer
    name: str
    clients: GCSClients

    def store(self, prefix: str | None = "prod") -> GCSStore:
        """A store that has read nothing yet."""
        return GCSStore(GCSPlace(self.name, prefix), self.clients)


@pytest.fixture(scope="session")
def s3_endpoint(s3: S3Server) -> S3Endpoint:
    """The S3 server as an OIDCIssuer describes it."""
    return S3Endpoint("eu-central-1", s3.endpoint_url, "Path", s3.pki.ca_pem.decode())


@pytest.fixture(scope="session")
def s3_clients(s3: S3Server, s3_endpoint: S3Endpoint) -> S3Clients:
    """One set of clients for the whole run, whose credentials stay out of the environment of other tests."""
    return clients_with(s3.credentials, s3_endpoint)


@pytest.fixture(scope="session")
def moto_endpoint(moto: MotoServer) -> S3Endpoint:
    """Moto as an OIDCIssuer describes it; over plain HTTP, where a server's TLS is another test's business."""
    return S3Endpoint("eu-central-1", moto.endpoint_url, "Path")


@pytest.fixture(scope="session")
def moto_clients(moto: MotoServer, moto_endpoint: S3Endpoint) -> S3Clients:
    """Clients for moto."""
    return clients_with(moto.credentials, moto_endpoint)


@pytest.fixture
def bucket(s3: S3Server, s3_clients: S3Clients, s3_endpoint: S3Endpoint) -> Bucket:
    """An empty bucket."""
    return Bucket(s3, s3.create_bucket(f"b-{secrets.token_hex(6)}"), s3_clients, s3_endpoint)


@pytest.fixture(
    params=[
        pytest.param("s3", marks=pytest.mark.live),
        pytest.param("moto", marks=pytest.mark.live),
        pytest.param("gcs", marks=pytest.mark.live),
        "memory",
    ]
)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """An empty place of each kind."""
    if request.param == "memory":
        store = MemoryStore("memory://prod")
        yield Place(lambda: store, "memory://prod")
    elif request.param == "moto":
        yield moto_place(request)
    elif request.param == "gcs":
        bucket_of_gcs: GCSBucket = request.getfixturevalue("gcs_bucket")
        yield Place(bucket_of_gcs.store, f"gs://{bucket_of_gcs.name}/prod")
    else:
        bucket: Bucket = request.getfixturevalue("bucket")
        yield Place(bucket.store, f"s3://{bucket.name}/prod")


@pytest.fixture
def gcs_bucket(gcs: GCSServer, monkeypatch: pytest.MonkeyPatch) -> GCSBucket:
    """An empty bucket; Google's libraries find its server by the environment, as long as the test runs."""
    for name, value in gcs.environment.items():
        monkeypatch.setenv(name, value)
    return GCSBucket(gcs, gcs.create_bucket(f"b-{secrets.token_hex(6)}"), GCSClients())


def moto_place(request: pytest.FixtureRequest) -> Place:
    """An empty bucket of moto."""
    moto: MotoServer = request.getfixturevalue("moto")
    endpoint, clients = request.getfixturevalue("moto_endpoint"), request.getfixturevalue("moto_clients")
    bucket = moto.create_bucket(f"b-{secrets.token_hex(6)}")
    return Place(lambda: S3Store(S3Place(bucket, "prod"), endpoint, clients), f"s3://{bucket}/prod")


def clients_with(credentials: Mapping[str, str], endpoint: S3Endpoint) -> S3Clients:
    """Clients whose session has found these credentials; the environment is as it was."""
    clients = S3Clients()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in credentials.items():
            patch.setenv(name, value)
        clients.get(endpoint)
    return clients


@pytest.fixture
def store(place: Place) -> RehearsingStore:
    """A store of the empty place."""
    return place.open()


@pytest.fixture
def discovery() -> Document:
    """A document as it is published."""
    return Document(
        body=b'{"issuer":"https://oidc.example.com/prod"}\n',
        content_type="application/json",
        cache_control="public, max-age=300",
        metadata={"oidc-publisher-owner": "6ba7b810-9dad-11d1-80b4-00c04fd430c8/prod", "oidc-publisher-serial": "7"},
    )


@pytest.fixture
def credentials(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's credentials in the environment, where the default chain finds them."""
    for name, value in s3.credentials.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def behind_edge(bucket: Bucket, edge: Edge, credentials: None) -> S3Store:
    """A store that reaches the server through the edge."""
    del credentials
    return bucket.store(endpoint=dataclasses.replace(bucket.endpoint, endpoint_url=edge.url))
