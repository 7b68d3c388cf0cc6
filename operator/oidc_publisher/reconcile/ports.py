"""What one generation of an issuer needs to be worked on: its store, its sources, its place on the wire."""

from __future__ import annotations

from dataclasses import dataclass

from oidc_publisher.api import OIDCIssuer, OIDCIssuerSpec
from oidc_publisher.cluster import ClusterClient, kube_system_uid
from oidc_publisher.controller.settings import RunSettings
from oidc_publisher.documents import jwks_uri, owner_of
from oidc_publisher.probe import HTTPSWire, Target, Wire
from oidc_publisher.probe.token.limits import TokenLimits
from oidc_publisher.reconcile.cdn.invalidator import EdgeCopies
from oidc_publisher.reconcile.cdn.schedule import viewer_paths
from oidc_publisher.sources import Source, open_sources
from oidc_publisher.stores import Store
from oidc_publisher.stores.factory import open_distribution, open_store


@dataclass(frozen=True, slots=True)
class IssuerContext:
    """One generation of an issuer with its ports open; made once and kept until the spec changes.

    `owner` is who writes its documents: `<UID of namespace kube-system>/<issuer name>`. `probe_account` is the
    (namespace, name) of the ServiceAccount for which tokens are minted, None when the operator was given none. `edge` are
    the copies at the distribution before the store, None without one; `limits` what API servers grant beyond the policy.
    """

    issuer: OIDCIssuer
    owner: str
    store: Store
    edge: EdgeCopies | None
    sources: tuple[Source, ...]
    target: Target
    wire: Wire
    probe_account: tuple[str, str] | None
    limits: TokenLimits

    @property
    def spec(self) -> OIDCIssuerSpec:
        """What was asked for."""
        return self.issuer.spec

    @property
    def edition(self) -> tuple[str, int]:
        """What the ports were made for: another object of the same name, or another spec, needs others."""
        return (self.issuer.metadata.uid, self.issuer.metadata.generation)


class Contexts:
    """The contexts of all issuers. One issuer is worked on by one pass at a time, so there are no locks."""

    def __init__(self, client: ClusterClient, settings: RunSettings) -> None:
        self._client = client
        self._settings = settings
        self._open: dict[str, IssuerContext] = {}
        self._cluster_uid: str | None = None

    async def open(self, issuer: OIDCIssuer) -> IssuerContext:
        """The context of this generation of the issuer.

        Raises:
            ClusterError: the cluster's identity could not be read.
            StoreError, InvalidObjectError: the spec asks for a port that this version does not have.
        """
        name = issuer.metadata.name
        known = self._open.get(name)
        if known is not None and known.edition == (issuer.metadata.uid, issuer.metadata.generation):
            return known
        made = await self._make(issuer)
        await self.forget(name)
        self._open[name] = made
        return made

    async def forget(self, name: str) -> None:
        """Let go of an issuer's connections."""
        known = self._open.pop(name, None)
        if known is not None:
            await known.store.aclose()

    async def aclose(self) -> None:
        """Let go of every issuer's connections."""
        for name in tuple(self._open):
            await self.forget(name)

    async def _make(self, issuer: OIDCIssuer) -> IssuerContext:
        if self._cluster_uid is None:
            self._cluster_uid = await kube_system_uid(self._client)
        spec = issuer.spec
        sources = open_sources(spec.key_sources, self._client, key_files_root=self._settings.key_files_root)
        owner = owner_of(self._cluster_uid, issuer.metadata.name)
        target = Target(spec.issuer_url, jwks_uri(spec.issuer_url, spec.jwks_path), spec.probe.timeout)
        distribution = open_distribution(spec.store)
        paths = viewer_paths(target.discovery_url, target.jwks_uri)
        return IssuerContext(
            issuer=issuer,
            owner=owner,
            store=open_store(spec.store),
            edge=EdgeCopies(distribution, paths, owner) if distribution else None,
            sources=sources,
            target=target,
            wire=HTTPSWire(
                certificate_authority=spec.probe.certificate_authority or "",
                allow_private_address=spec.probe.allow_private_address,
            ),
            probe_account=self._settings.probe_service_account,
            limits=TokenLimits(self._settings.probe_service_account, spec.rotation.max_token_lifetime),
        )
