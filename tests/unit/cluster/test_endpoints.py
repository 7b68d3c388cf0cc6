"""The EndpointSlices of default/kubernetes, in shapes that a test cluster does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from oidc_publisher.cluster import api_server_endpoints
from oidc_publisher.errors import AnswerError
from oidc_publisher.findings import Reason
from tests.support.apistub import client_of, refuses, says, serving

if TYPE_CHECKING:
    from tests.support.pki import PKI

PATH = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
HTTPS = {"name": "https", "port": 6443, "protocol": "TCP"}


def entry(*addresses: str, ready: bool | None = True) -> dict[str, Any]:
    """An endpoint of a slice."""
    return {"addresses": list(addresses), "conditions": {} if ready is None else {"ready": ready}}


def piece(*endpoints: dict[str, Any], ports: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """A slice."""
    return {"endpoints": list(endpoints), "ports": [HTTPS] if ports is None else ports}


CASES: dict[str, tuple[list[dict[str, Any]], tuple[str, ...]]] = {
    "sorted, each once": (
        [piece(entry("10.0.0.2"), entry("10.0.0.1")), piece(entry("10.0.0.1"))],
        ("10.0.0.1:6443", "10.0.0.2:6443"),
    ),
    "not ready": ([piece(entry("10.0.0.1", ready=False), entry("10.0.0.2"))], ("10.0.0.2:6443",)),
    "ready unless it says otherwise": ([piece(entry("10.0.0.1", ready=None))], ("10.0.0.1:6443",)),
    "no conditions": ([piece({"addresses": ["10.0.0.1"]})], ("10.0.0.1:6443",)),
    "both families": ([piece(entry("10.0.0.1")), piece(entry("fd00::1"))], ("10.0.0.1:6443", "[fd00::1]:6443")),
    "other ports": ([piece(entry("10.0.0.1"), ports=[HTTPS, {"name": "dns", "port": 53}])], ("10.0.0.1:6443",)),
    "a port without a name": ([piece(entry("10.0.0.1"), ports=[{"port": 443}])], ("10.0.0.1:443",)),
    "udp": ([piece(entry("10.0.0.1"), ports=[{"port": 443, "protocol": "UDP"}])], ()),
    "nothing in it": ([{"endpoints": None, "ports": None}, {}], ()),
    "no slice": ([], ()),
}


@pytest.mark.parametrize("name", CASES)
async def test_slices(pki: PKI, name: str) -> None:
    """Every ready endpoint, each once, as HOST:PORT."""
    items, expected = CASES[name]
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on("GET", PATH, says({"kind": "EndpointSliceList", "items": items}))
        assert await api_server_endpoints(client) == expected
    assert stub.seen[0].query == {"labelSelector": "kubernetes.io/service-name=kubernetes"}


async def test_forbidden(pki: PKI) -> None:
    """The missing right is named."""
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on("GET", PATH, refuses(403, "Forbidden", "no"))
        with pytest.raises(AnswerError) as caught:
            await api_server_endpoints(client)
    assert caught.value.reason is Reason.SourceForbidden
    assert "list endpointslices (discovery.k8s.io) in namespace default" in caught.value.hint


async def test_a_list_without_items_is_a_failure(pki: PKI) -> None:
    """Not read is not empty."""
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on("GET", PATH, says({"kind": "EndpointSliceList"}))
        with pytest.raises(AnswerError):
            await api_server_endpoints(client)
