"""Find the API servers of the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from oidc_publisher.cluster.access import grant
from oidc_publisher.cluster.answer import list_in, object_in
from oidc_publisher.cluster.failures import where_forbidden
from oidc_publisher.cluster.port import ClusterAPI
from oidc_publisher.findings import Reason

_PATH = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
_OF_SERVICE = {"labelSelector": "kubernetes.io/service-name=kubernetes"}


async def api_server_endpoints(client: ClusterAPI, *, timeout_s: float = 5.0) -> tuple[str, ...]:
    """Return every ready endpoint of the Service default/kubernetes as HOST:PORT, sorted, with IPv6 in brackets.

    The endpoints of both IP families are kept. An API server registers the one address that it advertises, so two
    families mean different servers (a cluster during a change of family), never the same server twice. An empty tuple
    is the cluster's answer and not a failure, although no working cluster gives it.

    Raises:
        ClusterError: the endpoints could not be read.
    """
    hint = grant("list endpointslices (discovery.k8s.io) in namespace default", grantee=client.grantee)
    with where_forbidden(Reason.SourceForbidden, "The operator may not list the API servers", hint=hint):
        answer = await client.request("GET", _PATH, params=_OF_SERVICE, timeout_s=timeout_s)
    return tuple(sorted({place for item in answer.items() for place in places_of(item)}))


def places_of(item: dict[str, Any]) -> Iterator[str]:
    """Yield the ready endpoints of one EndpointSlice as HOST:PORT."""
    for endpoint in list_in(item, "endpoints"):
        # An absent condition means ready (EndpointConditions of discovery/v1).
        if object_in(endpoint, "conditions").get("ready") is False:
            continue
        for address in list_in(endpoint, "addresses"):
            for port in _ports(item):
                yield f"[{address}]:{port}" if ":" in str(address) else f"{address}:{port}"


def _ports(item: dict[str, Any]) -> list[int]:
    """Return the ports named https, which is kube-apiserver's name, or all ports where another writer names none so."""
    found = [port for port in list_in(item, "ports") if isinstance(port, dict)]
    ports = [port for port in found if port.get("port") and (port.get("protocol") or "TCP") == "TCP"]
    named = [port for port in ports if port.get("name") == "https"]
    return [port["port"] for port in named or ports]
