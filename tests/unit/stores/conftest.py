"""An S3 store before a server that does what the test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from oidc_publisher.stores.s3.clients import ConditionalWrites, S3Clients
from oidc_publisher.stores.s3.store import S3Endpoint, S3Place, S3Store
from tests.support.scripted import Script, ScriptedServer


@pytest.fixture(scope="session")
def warm_clients() -> S3Clients:
    """Clients whose session has loaded everything: 300 ms once instead of for each test."""
    clients = S3Clients()
    clients.get(S3Endpoint("eu-central-1"))
    return clients


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some, which no server here looks at."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.fixture
def serve(
    warm_clients: S3Clients, credentials: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., ScriptedServer]]:
    """Start a server with a script, whose clients try again at once; it ends with the test."""
    del warm_clients, credentials
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)
    running: list[ScriptedServer] = []

    def start(script: Script) -> ScriptedServer:
        running.append(ScriptedServer(script).__enter__())
        return running[-1]

    yield start
    for server in running:
        server.__exit__()


@pytest.fixture
def store_of(warm_clients: S3Clients) -> Callable[..., S3Store]:
    """A store in eu-central-1 before a server, which is known to honour preconditions unless said otherwise."""

    def make(
        server: ScriptedServer,
        *,
        proven: bool = True,
        owner: str | None = None,
        encryption: tuple[str | None, str | None] = (None, None),
    ) -> S3Store:
        endpoint = S3Endpoint("eu-central-1", server.url, "Path")
        if proven:
            warm_clients.get(endpoint).conditional_writes = ConditionalWrites.HONOURED
        return S3Store(S3Place("bucket", "prod", owner, *encryption), endpoint, warm_clients)

    return make
