"""What `check` says of the remote cluster of an issuer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from oidc_publisher.cli.check.lines import CheckResult, Line
from oidc_publisher.cli.check.remotechecks import remote_lines
from oidc_publisher.cluster.remote import RemoteClusters
from tests.support.apistub import APIStub, client_of, refuses, says, serving
from tests.support.builders import issuer_of
from tests.support.kubeconfigs import secret
from tests.support.remoteclusters import WHERE, connecting_to

if TYPE_CHECKING:
    from tests.support.pki import PKI

SECRET = "/api/v1/namespaces/clusters/secrets/prod-kubeconfig"
KUBE_SYSTEM = "/api/v1/namespaces/kube-system"
REMOTE = issuer_of(
    keySources=[
        {
            "apiServer": {
                "kubeconfigSecret": {"namespace": "clusters", "name": "prod-kubeconfig"},
                "probeServiceAccount": {"namespace": "probing", "name": "probe"},
            }
        }
    ]
)


@asynccontextmanager
async def world(pki: PKI) -> AsyncIterator[tuple[RemoteClusters, APIStub, APIStub]]:
    """The clients of remote clusters, the operator's own cluster, and the remote one, which both answer well."""
    async with serving(pki) as own, serving(pki) as remote, client_of(pki, own.address) as client:
        own.on("GET", SECRET, says(secret("clusters", "prod-kubeconfig", b"one")))
        remote.on("GET", KUBE_SYSTEM, says({"metadata": {"uid": "u-remote"}}))
        yield RemoteClusters(client, connect=connecting_to(pki, remote)), own, remote


async def by_check(clusters: RemoteClusters) -> dict[str, Line]:
    """The lines by what was checked; no client is left open."""
    found = {line.check: line for line in await remote_lines(clusters, REMOTE)}
    assert clusters.count == 0
    return found


async def test_an_issuer_of_the_operators_own_cluster_has_no_line(pki: PKI) -> None:
    """The sections of the cluster have them."""
    async with world(pki) as (clusters, _, _):
        assert await remote_lines(clusters, issuer_of()) == ()


async def test_each_part_of_the_remote_cluster_has_a_line(pki: PKI) -> None:
    """The kubeconfig and the identity, the API servers, and the ServiceAccount for tokens."""
    async with world(pki) as (clusters, _, remote):
        found = await by_check(clusters)
        reached = found[f"remote cluster of {WHERE}"]
        assert reached.result is CheckResult.YES
        assert reached.found == f"{remote.address} answers; its documents are marked with u-remote"
        assert found["key sets of the API servers"].result is CheckResult.NO
        minted = found["ServiceAccount probing/probe"]
        assert minted.result is CheckResult.NO


async def test_what_cannot_be_asked_is_the_only_line(pki: PKI) -> None:
    """A Secret that may not be read, a cluster that refuses, an own cluster that does not answer."""
    check = f"remote cluster of {WHERE}"
    async with world(pki) as (clusters, own, remote):
        remote.on("GET", KUBE_SYSTEM, refuses(403, "Forbidden", "no"))
        (line,) = (await by_check(clusters)).values()
        assert (line.check, line.result) == (check, CheckResult.NO)
        assert line.advice.startswith(f"Allow the user of the kubeconfig in {WHERE} to get the namespace kube-system")
        own.on("GET", SECRET, refuses(403, "Forbidden", "no"))
        (line,) = (await by_check(clusters)).values()
        assert (line.check, line.result) == (check, CheckResult.NO)
        assert "rbac.secrets" in line.advice
        own.on("GET", SECRET, says({}, status=500))
        (line,) = (await by_check(clusters)).values()
        assert (line.check, line.result) == (check, CheckResult.NO_ANSWER)
