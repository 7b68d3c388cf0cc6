"""Check the remote cluster of one OIDCIssuer: its kubeconfig, its API servers and the ServiceAccount of the probe there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from oidc_publisher.api import APIServerSourceSpec, OIDCIssuer, remote_cluster
from oidc_publisher.cli.check.clusterchecks import probe_account_line, server_lines
from oidc_publisher.cli.check.lines import CheckResult, Line, line_of_error, unasked
from oidc_publisher.cluster.remote import Lease, RemoteClusterError, RemoteClusters
from oidc_publisher.cluster.remote.clusters import where_of
from oidc_publisher.errors import ClusterError
from oidc_publisher.sources import APIServerSource


async def remote_lines(clusters: RemoteClusters, issuer: OIDCIssuer) -> tuple[Line, ...]:
    """Return the lines of the issuer's remote cluster, none for an issuer of the operator's own cluster."""
    remote = remote_cluster(issuer.spec.key_sources)
    if remote is None or remote.kubeconfig_secret is None:
        return ()
    check = f"remote cluster of {where_of(remote.kubeconfig_secret)}"
    try:
        lease = await clusters.open(remote.kubeconfig_secret)
    except RemoteClusterError as error:
        return (line_of_error(error, check),)
    except ClusterError as error:
        return (unasked(error, check),)
    try:
        return await _lines(lease, issuer, remote, check)
    finally:
        await lease.release()


async def _lines(lease: Lease, issuer: OIDCIssuer, remote: APIServerSourceSpec, check: str) -> tuple[Line, ...]:
    try:
        uid = await lease.uid()
    except RemoteClusterError as error:
        return (line_of_error(error, check),)
    reached = Line(CheckResult.YES, check, f"{lease.cluster.host_port} answers; its documents are marked with {uid}")
    read = await asyncio.gather(*(source.read() for source in _sources(lease, issuer)))
    servers = dict.fromkeys(line for result in read for line in server_lines(result))
    account = remote.probe_service_account
    probe = (account.namespace, account.name) if account else None
    return (reached, *servers, await probe_account_line(lease.cluster, probe))


def _sources(lease: Lease, issuer: OIDCIssuer) -> Iterable[APIServerSource]:
    for source in issuer.spec.key_sources:
        if isinstance(source.selected, APIServerSourceSpec):
            yield APIServerSource(lease.cluster, source.name, source.selected.addresses)
