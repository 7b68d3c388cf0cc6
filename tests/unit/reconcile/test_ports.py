"""The ports of one issuer, made as the operator was told."""

from __future__ import annotations

from typing import Any

import pytest

from oidc_publisher.cluster.memory import MemoryCluster
from oidc_publisher.errors import AnswerError, FetchError, StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.probe import ProbeProxies, look
from oidc_publisher.reconcile.ports import PortOpener, target_of, wire_of
from oidc_publisher.stores import Store
from tests.support.builders import issuer_of
from tests.support.connectproxy import ConnectProxy

S3: dict[str, Any] = {"bucket": "abc", "region": "us-east-1", "endpointURL": "http://minio.example.com:9000"}


async def store_of(*store_endpoints: str) -> Store:
    """The store of an issuer whose endpointURL is plain http."""
    opener = PortOpener(MemoryCluster(), store_endpoints=store_endpoints)
    return (await opener.open(issuer_of(store={"s3": S3}))).store


async def test_a_store_that_the_operator_may_not_use_is_closed() -> None:
    """It is the store that says so, at each call: keys are read and the public URL is proven all the same."""
    store = await store_of()
    with pytest.raises(StoreError) as caught:
        await store.read("openid/v1/jwks")
    assert caught.value.reason is Reason.EndpointNotAllowed
    assert (store.location, store.endpoint_url) == ("s3://abc", S3["endpointURL"])


async def test_the_operators_flag_opens_it() -> None:
    """What the operator was told arrives at the store."""
    store = await store_of(S3["endpointURL"])
    assert type(store).__name__ == "S3Store"


async def test_who_opens_the_ports_is_told_that_the_ring_may_not_be_read() -> None:
    """The operator writes a line to its log; a command that plans writes nothing into its result."""

    def forbidden(method: str, path: str) -> None:
        if path.endswith("/signingkeyrings/default"):
            raise AnswerError(Reason.SourceForbidden, f"{method} is forbidden", status=403)

    told: list[str] = []
    opener = PortOpener(MemoryCluster(ring={}, before=forbidden), on_ring_refusal=told.append)
    assert await (await opener.open(issuer_of(store={"s3": S3}))).ring.read() is None
    assert told == []
    opener = PortOpener(MemoryCluster(ring={"kind": "SigningKeyRing"}, before=forbidden), on_ring_refusal=told.append)
    assert await (await opener.open(issuer_of(store={"s3": S3}))).ring.read() is None
    assert len(told) == 1


async def test_a_proxy_that_the_operator_was_not_told_of_is_not_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """The object's author would choose where in the network the operator connects to."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with ConnectProxy() as proxy:
        issuer = issuer_of(probe={"proxyURL": proxy.url})
        closed = wire_of(issuer.spec.probe, ProbeProxies())
        seen = await look(target_of(issuer.spec), closed, reads=1)
        assert isinstance(seen.reads[0].discovery, FetchError)
        assert seen.reads[0].discovery.reason is Reason.ProxyNotAllowed
        assert proxy.tunnels == []
        opened = wire_of(issuer.spec.probe, ProbeProxies.listed((proxy.url,)))
        await look(target_of(issuer.spec), opened, reads=1)
        assert set(proxy.tunnels) == {"oidc.example.com:443"}
