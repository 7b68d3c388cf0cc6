"""Ports are what one generation of an issuer is worked on with: its cluster, its sources, its store, its public URL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from oidc_publisher.api import OIDCIssuer, OIDCIssuerSpec, ProbeSpec, remote_cluster
from oidc_publisher.cluster import ClusterAPI, kube_system_uid
from oidc_publisher.cluster.remote import Lease, RemoteClusterError, RemoteClusters
from oidc_publisher.documents import jwks_uri, owner_of
from oidc_publisher.errors import FetchError
from oidc_publisher.probe import ClosedWire, HTTPSWire, ProbeProxies, Target, Wire
from oidc_publisher.probe.token.limits import TokenLimits
from oidc_publisher.reconcile.cdn.invalidator import Invalidator
from oidc_publisher.reconcile.cdn.schedule import viewer_paths
from oidc_publisher.reconcile.ownership import Place, place_of
from oidc_publisher.reconcile.signingkeyring.ringreader import NoRing, RingReader
from oidc_publisher.relyingparties import DEMANDS
from oidc_publisher.sources import SharingCluster, Source, WatchRights, open_sources
from oidc_publisher.stores import Store
from oidc_publisher.stores.factory import open_distribution, open_store
from oidc_publisher.stores.storeendpoints import StoreEndpoints


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports are open for one generation of an issuer, that of `spec`.

    `cluster` is the cluster whose keys and tokens are published, and whose answers issuers share where a pass allows it
    (sources/sharing.py); the recorder alone reaches the object itself. `lease` is that of a remote cluster, None where
    `cluster` is the operator's own. `owner` is who writes the documents: `<UID of that cluster's namespace
    kube-system>/<issuer name>`. `stranger` is the wire of a relying party that does not know the issuer's own CA, None
    where the issuer has no CA or no such relying party. `probe_account` is the (namespace, name) of the ServiceAccount for
    which tokens are minted, None when the operator was given none.
    `invalidator` drops the copies at the distribution before the store, None without a distribution. `limits` remembers
    what API servers grant beyond the policy. `ring` reads the SigningKeyRing of the operator's own cluster, and none for a
    remote one.
    """

    spec: OIDCIssuerSpec
    owner: str
    cluster: ClusterAPI
    sources: tuple[Source, ...]
    store: Store
    invalidator: Invalidator | None
    target: Target
    wire: Wire
    stranger: Wire | None
    probe_account: tuple[str, str] | None
    limits: TokenLimits
    ring: RingReader | NoRing
    lease: Lease | None = None

    def place_of(self, issuer: OIDCIssuer) -> Place:
        """Return the issuer's place at the store."""
        return place_of(issuer, self.store.location, self.owner, self.store.endpoint_url)

    async def are_current(self) -> bool:
        """Tell whether the kubeconfig of a remote cluster is still the same; raises as `OpenPorts` does."""
        return self.lease is None or await self.lease.is_current()

    async def aclose(self) -> None:
        """Close the connections that no other issuer uses."""
        await self.store.aclose()
        if self.lease is not None:
            await self.lease.release()


#: Opens the ports of an issuer. Raises ClusterError where the cluster's identity cannot be read, RemoteClusterError where
#: that of a remote cluster cannot, StoreError and InvalidObjectError where the spec asks for a port that this version does
#: not have.
OpenPorts = Callable[[OIDCIssuer], Awaitable[Ports]]


def target_of(spec: OIDCIssuerSpec) -> Target:
    """Return what the probe reads: the URLs of both documents, and the time for both."""
    return Target(spec.issuer_url, jwks_uri(spec.issuer_url, spec.jwks_path), spec.probe.timeout)


class PortOpener:
    """A port opener opens the real ports of a spec: its store, its public URL and its cluster, which issuers share."""

    def __init__(
        self,
        cluster: ClusterAPI,
        *,
        probe_account: tuple[str, str] | None = None,
        key_files_root: Path | None = None,
        store_endpoints: tuple[str, ...] = (),
        probe_proxies: tuple[str, ...] = (),
        api_server_names: tuple[str, ...] = (),
        on_ring_refusal: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._cluster = cluster
        self._shared = SharingCluster(cluster)
        self._probe_account = probe_account
        self._key_files_root = key_files_root
        self._store_endpoints = StoreEndpoints.listed(store_endpoints)
        self._probe_proxies = ProbeProxies.listed(probe_proxies)
        self._cluster_uid: str | None = None
        self.remote_clusters = RemoteClusters(cluster, api_server_names=api_server_names, sharing=SharingCluster)
        self._watch_rights = WatchRights()
        self._ring = RingReader(self._shared, on_refusal=on_ring_refusal)

    async def open(self, issuer: OIDCIssuer) -> Ports:
        """Open the ports of the issuer. Opening reads the cluster's identity, once a process, and nothing else.

        For a remote cluster it reads the kubeconfig, and the identity of that cluster once for each kubeconfig.
        """
        remote = remote_cluster(issuer.spec.key_sources)
        if remote is None or remote.kubeconfig_secret is None:
            return self._opened(issuer, await self._own_uid(), None, self._probe_account)
        lease = await self.remote_clusters.open(remote.kubeconfig_secret)
        account = remote.probe_service_account
        try:
            return self._opened(
                issuer, await lease.uid(), lease, (account.namespace, account.name) if account else None
            )
        except BaseException:
            await lease.release()
            raise

    async def _own_uid(self) -> str:
        if self._cluster_uid is None:
            self._cluster_uid = await kube_system_uid(self._cluster)
        return self._cluster_uid

    def _opened(self, issuer: OIDCIssuer, uid: str, lease: Lease | None, account: tuple[str, str] | None) -> Ports:
        spec, target = issuer.spec, target_of(issuer.spec)
        owner = owner_of(uid, issuer.metadata.name)
        cluster = lease.cluster if lease else self._shared
        distribution = open_distribution(spec.store)
        paths = viewer_paths(target.discovery_url, target.jwks_uri)
        return Ports(
            spec=spec,
            owner=owner,
            cluster=cluster,
            sources=open_sources(
                spec.key_sources,
                self._shared,
                remote=cluster,
                key_files_root=self._key_files_root,
                rights=self._watch_rights,
            ),
            store=open_store(spec.store, self._store_endpoints),
            invalidator=Invalidator(distribution, paths, owner) if distribution else None,
            target=target,
            wire=wire_of(spec.probe, self._probe_proxies),
            stranger=stranger_of(spec.probe, self._probe_proxies),
            probe_account=account,
            limits=TokenLimits(account, spec.rotation.max_token_lifetime),
            ring=NoRing() if lease else self._ring,
            lease=lease,
        )


def wire_of(probe: ProbeSpec, proxies: ProbeProxies, *, with_authority: bool = True) -> Wire:
    """Return the wire that a spec asks for; a wire by a proxy that may not be used reads nothing and says why."""
    try:
        proxy = proxies.named_in(probe.proxy_url) if probe.proxy_url else None
    except FetchError as error:
        return ClosedWire(error)
    return HTTPSWire(
        certificate_authority=(probe.certificate_authority or "") if with_authority else "",
        allow_private_address=probe.allow_private_address,
        proxy=proxy,
    )


def stranger_of(probe: ProbeSpec, proxies: ProbeProxies) -> Wire | None:
    """Return the wire of a client that does not know the issuer's own CA, None where no such client has to read it."""
    if probe.certificate_authority and any(DEMANDS[party].public for party in probe.relying_parties):
        return wire_of(probe, proxies, with_authority=False)
    return None


class OpenedPorts:
    """OpenedPorts keeps the ports of every issuer while its generation, and the kubeconfig of its remote cluster, stay.

    There are no locks, because one pass at a time works on an issuer.
    """

    def __init__(self, open_ports: OpenPorts) -> None:
        self._open_ports = open_ports
        self._open: dict[str, tuple[tuple[str, int], Ports]] = {}

    async def of(self, issuer: OIDCIssuer) -> Ports:
        """Return the ports of this generation, which are opened now where they are not open; raises as `OpenPorts` does.

        Ports of a remote cluster whose kubeconfig is gone or refused are closed: who took it away has taken back a right.
        """
        name, edition = issuer.metadata.name, (issuer.metadata.uid, issuer.metadata.generation)
        known = self._open.get(name)
        try:
            if known is not None and known[0] == edition and await known[1].are_current():
                return known[1]
            ports = await self._open_ports(issuer)
        except RemoteClusterError:
            await self.forget(name)
            raise
        await self.forget(name)
        self._open[name] = (edition, ports)
        return ports

    async def forget(self, name: str) -> None:
        """Close the connections of an issuer."""
        known = self._open.pop(name, None)
        if known is not None:
            await known[1].aclose()

    async def aclose(self) -> None:
        """Close the connections of every issuer."""
        for name in tuple(self._open):
            await self.forget(name)
