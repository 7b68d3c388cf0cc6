"""An empty place in every kind of store."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from oidc_publisher.stores import Document, Store
from oidc_publisher.stores.directory import DirectoryStore
from oidc_publisher.stores.memory import MemoryStore
from oidc_publisher.stores.s3 import S3Endpoint, S3Place, S3Store
from oidc_publisher.stores.s3client import S3Clients

if TYPE_CHECKING:
    from tests.support.edge import Edge
    from tests.support.s3server import S3Server


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere empty: `open` gives a store of it, each time as another process would see it."""

    open: Callable[[], Store]
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


@pytest.fixture(scope="session")
def s3_endpoint(s3: S3Server) -> S3Endpoint:
    """The S3 server as an OIDCIssuer describes it."""
    return S3Endpoint("eu-central-1", s3.endpoint_url, "Path", s3.pki.ca_pem.decode())


@pytest.fixture(scope="session")
def s3_clients(s3: S3Server, s3_endpoint: S3Endpoint) -> S3Clients:
    """One set of clients for the whole run, whose credentials stay out of the environment of other tests."""
    clients = S3Clients()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3.credentials.items():
            patch.setenv(name, value)
        clients.get(s3_endpoint)
    return clients


@pytest.fixture
def bucket(s3: S3Server, s3_clients: S3Clients, s3_endpoint: S3Endpoint) -> Bucket:
    """An empty bucket."""
    return Bucket(s3, s3.create_bucket(f"b-{secrets.token_hex(6)}"), s3_clients, s3_endpoint)


@pytest.fixture(params=[pytest.param("s3", marks=pytest.mark.live), "memory", "directory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An empty place of each kind."""
    if request.param == "memory":
        store = MemoryStore("memory://prod")
        yield Place(lambda: store, "memory://prod")
    elif request.param == "directory":
        yield Place(lambda: DirectoryStore(tmp_path / "prod"), (tmp_path / "prod").as_uri())
    else:
        bucket: Bucket = request.getfixturevalue("bucket")
        yield Place(bucket.store, f"s3://{bucket.name}/prod")


@pytest.fixture
def store(place: Place) -> Store:
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
