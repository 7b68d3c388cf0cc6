"""Shards and their Leases on a real API server, as the chart makes them and with the chart's rights alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oidc_publisher.cluster import ClusterClient, load_credentials
from oidc_publisher.controller.peers.leases import ShardLeases
from oidc_publisher.controller.shard import Shard
from tests.support import chart

if TYPE_CHECKING:
    from tests.support.controlplane import ControlPlane

KINDS = {"Lease", "Role", "RoleBinding", "ServiceAccount"}
NAME = f"{chart.RELEASE}-oidc-publisher"
PLACE = (chart.NAMESPACE, f"{NAME}-shard")


def lease(cluster: ControlPlane, part: int) -> dict[str, Any]:
    """The spec of a shard's Lease."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{chart.NAMESPACE}/leases/{PLACE[1]}-{part}"
    spec: dict[str, Any] = cluster.json("GET", path).get("spec", {})
    return spec


async def test_a_shard_renews_the_charts_lease_and_an_upgrade_of_the_release_takes_nothing_from_it(
    control_plane: ControlPlane,
) -> None:
    """With get and patch of these Leases and no other right; the objects are applied a second time, as Helm does."""
    objects = [found for found in chart.render({"shards": 2}) if found["kind"] in KINDS]
    ours = [found for found in objects if found["metadata"].get("namespace") == chart.NAMESPACE]
    control_plane.create_namespace(chart.NAMESPACE)
    control_plane.apply(ours)
    kubeconfig = control_plane.kubeconfig_for_service_account(chart.NAMESPACE, NAME)
    async with ClusterClient(load_credentials(str(kubeconfig), None)) as client:
        first, second = (ShardLeases(client, Shard(part, 2), PLACE) for part in (1, 2))
        await first.look()
        assert (first.silent_s, lease(control_plane, 2)) == ({2: 0.0}, {})
        await second.look()
        renewed = lease(control_plane, 2)
        assert renewed["renewTime"]
        assert renewed["holderIdentity"]
        control_plane.apply(ours)
        assert lease(control_plane, 2) == renewed
