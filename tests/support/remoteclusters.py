"""Make clients of remote clusters whose API servers are stubs on loopback, where no real remote cluster may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oidc_publisher.cluster import ClusterClient, Credentials
from oidc_publisher.cluster.remote.cluster import RemoteCluster
from oidc_publisher.cluster.remote.remotelogin import remote_login
from oidc_publisher.cluster.remote.secretkubeconfig import RemoteKubeconfig

if TYPE_CHECKING:
    from oidc_publisher.cluster.remote.clusters import Connect
    from tests.support.apistub import APIStub
    from tests.support.pki import PKI

WHERE = "Secret clusters/prod-kubeconfig"


def remote_at(pki: PKI, address: str, *, token: str | None = None, where: str = WHERE, **options: Any) -> RemoteCluster:
    """A remote cluster at HOST:PORT, without the rule against loopback."""
    kubeconfig = RemoteKubeconfig(f"https://{address}", pki.ca_pem.decode(), token=token or "any")
    return RemoteCluster(ClusterClient(Credentials(remote_login(kubeconfig, where)), **options), where)


def connecting_to(pki: PKI, remote: APIStub) -> Connect:
    """What makes a client of the stub, with the whole entry of the Secret as its token."""
    return lambda content, where: remote_at(pki, remote.address, token=content.decode(), where=where)
