"""Read the key set of every API server of the cluster.

Each API server has its own configuration. During a rollout the API servers list different keys, and the address of the
Service shows only one of them. So every API server is read, and the union of their keys counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from oidc_publisher.cluster import ClusterAPI, api_server_endpoints
from oidc_publisher.cluster.access import grant
from oidc_publisher.errors import AnswerError, ClusterError, UnreachableError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.keys import KeyDefect, PublicKey, read_cluster_jwks
from oidc_publisher.rotation import Listing, ServerListing, SourceReading
from oidc_publisher.sources.confirming import confirmed
from oidc_publisher.sources.port import SourceResult

JWKS_PATH = "/openid/v1/jwks"
_DISCOVERY_ROLE = "ClusterRole system:service-account-issuer-discovery"
ENDPOINT_SLICE = "EndpointSlice default/kubernetes"

_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class _ServerSaid:
    """The result of reading one API server. `whole`: `keys` are all keys that it lists, except those left out."""

    endpoint: str
    whole: bool = False
    keys: tuple[PublicKey, ...] = ()
    defects: tuple[KeyDefect, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the reading delists keys that it does not name (R4), for which it must name a usable key."""
        return self.whole and bool(self.keys)


class APIServerSource:
    """An APIServerSource reads the key set of every ready API server, or of those at `addresses` (HOST:PORT)."""

    def __init__(self, client: ClusterAPI, name: str, addresses: Sequence[str] | None = None) -> None:
        self._client = client
        self._name = name
        self._addresses = tuple(addresses) if addresses else None

    async def read(self) -> SourceResult:
        """Read all API servers concurrently.

        An API server that does not answer costs 2 s, one that refuses the connection costs nothing. The reading is
        complete only if every endpoint answered with a valid certificate, a usable key and nothing unreadable. A key of
        a type that relying parties refuse does not make a reading incomplete, because the key is known and left out.
        """
        if not self._client.vouches:
            return await self._without_authority()
        try:
            endpoints = self._addresses or await confirmed(self._endpoints)
        except ClusterError as error:
            return await self._without_endpoints(error.finding())
        if not endpoints:
            return await self._without_endpoints(_no_endpoints())
        gate = asyncio.Semaphore(_AT_ONCE)
        said = await asyncio.gather(*(self._ask(endpoint, gate) for endpoint in endpoints))
        return self._result(said, endpoints=tuple(endpoints), missing=_unread(said))

    async def _endpoints(self, left_s: float) -> tuple[str, ...]:
        return await api_server_endpoints(self._client, timeout_s=left_s)

    async def _without_authority(self) -> SourceResult:
        """Read only the credentials' own server, never `addresses`, because no CA identifies other API servers."""
        if not self._addresses:
            return await self._without_endpoints(_no_authority())
        message = f"Key source {self._name} names addresses, and the operator's credentials name no CA for them"
        hint = "Put certificate-authority into the cluster entry of the operator's kubeconfig, or remove addresses."
        finding = Finding.of(Reason.SpecUnsupported, message, hint=hint, subject=self._name)
        missing = tuple(f"API server {address}" for address in self._addresses)
        reading = SourceReading(self._name, complete=False, missing=missing, from_api_server=True)
        return SourceResult(reading, (finding,), endpoints=None)

    async def _without_endpoints(self, *findings: Finding) -> SourceResult:
        """Read only the credentials' own server, because the API servers are not known; the reading is never complete.

        The listed keys enter all the same (R1): a missing key does more harm than a surplus one.
        """
        said = await self._ask(None, asyncio.Semaphore())
        return self._result([said], endpoints=None, missing=[ENDPOINT_SLICE], findings=findings)

    async def _ask(self, endpoint: str | None, gate: asyncio.Semaphore) -> _ServerSaid:
        asked = endpoint or self._client.host_port
        try:
            async with gate:
                body = await confirmed(lambda left_s: self._fetch(endpoint, left_s))
        except ClusterError as error:
            hint, grantee = self._where_from(endpoint), self._client.grantee
            return _ServerSaid(asked, findings=(_failure(error, asked, hint=hint, grantee=grantee),))
        read = read_cluster_jwks(body)
        known = all(defect.reason is Reason.KeyUnsupported for defect in read.defects)
        findings = (_empty(asked),) if known and not read.keys else ()
        return _ServerSaid(asked, known, read.keys, read.defects, findings)

    def _where_from(self, endpoint: str | None) -> str:
        """Return the advice about an address that does not answer, by what names the address."""
        if endpoint is None:
            return ""
        if self._addresses:
            return (
                f"It is one of the addresses of key source {self._name} (spec.keySources[].apiServer.addresses): remove it "
                "there if that API server is gone for good, else look whether it runs and can be reached."
            )
        return (
            f"It comes from {ENDPOINT_SLICE} (kubectl get endpointslices -n default), where a running API server removes "
            "one that is gone: look whether it runs and whether the operator can reach its address."
        )

    async def _fetch(self, endpoint: str | None, left_s: float) -> bytes:
        answer = await self._client.request("GET", JWKS_PATH, endpoint=endpoint, timeout_s=left_s)
        return answer.body

    def _result(
        self,
        said: Sequence[_ServerSaid],
        *,
        endpoints: tuple[str, ...] | None,
        missing: Sequence[str],
        findings: Iterable[Finding] = (),
    ) -> SourceResult:
        # One key ID with two materials is listed twice: rotation decides between them (R8).
        keys = dict.fromkeys(key for one in said for key in one.keys)
        reading = SourceReading(
            self._name,
            complete=not missing,
            listings=tuple(Listing(key) for key in keys),
            missing=tuple(missing),
            from_api_server=True,
            # An answer for an unknown number of API servers shows nothing about any single one.
            servers=tuple(ServerListing(one.endpoint, frozenset(one.keys), one.whole) for one in said if endpoints),
        )
        found = [*findings, *(f for one in said for f in one.findings), *self._defects(said)]
        return SourceResult(reading, tuple(dict.fromkeys(found)), endpoints)

    def _defects(self, said: Sequence[_ServerSaid]) -> Iterable[Finding]:
        """Return one finding for each defect, however many API servers show it."""
        where: dict[KeyDefect, list[str]] = {}
        for one in said:
            for defect in one.defects:
                where.setdefault(defect, []).append(one.endpoint)
        for defect, endpoints in where.items():
            message = f"The key set of {', '.join(endpoints)}: {defect.detail}"
            yield Finding.of(defect.reason, message, subject=self._name)


def _unread(said: Iterable[_ServerSaid]) -> list[str]:
    return [f"API server {one.endpoint}" for one in said if not one.complete]


def _failure(error: ClusterError, asked: str, *, hint: str, grantee: str) -> Finding:
    """Return why an API server's key set could not be read; `hint` is the advice where it does not answer."""
    status = error.status if isinstance(error, AnswerError) else None
    if status == HTTPStatus.FORBIDDEN:
        return Finding.of(
            Reason.SourceForbidden,
            f"The operator may not read the key set of {asked}",
            hint=f"{grant(f'get {JWKS_PATH}', grantee=grantee)} {_DISCOVERY_ROLE} allows it too.",
            subject=asked,
        )
    if status == HTTPStatus.NOT_FOUND:
        return Finding.of(
            Reason.ClusterDiscoveryMissing,
            f"{asked} serves no key set (404 for {JWKS_PATH}): its first issuer is no https URL, or one of its keys is "
            "of a kind it cannot publish",
            subject=asked,
        )
    if isinstance(error, UnreachableError) and not error.hint and hint:
        return Finding.of(error.reason, error.message, hint=hint, subject=asked)
    return error.finding()


def _empty(asked: str) -> Finding:
    return Finding.of(Reason.SourceEmpty, f"The key set of {asked} names no usable key", subject=asked)


def _no_authority() -> Finding:
    return Finding.of(
        Reason.APIServerCertificateInvalid,
        "The operator's credentials name no CA, so nobody can tell which machines are API servers: only the one that "
        "they name is asked",
        hint="Put certificate-authority into the cluster entry of the operator's kubeconfig.",
        subject=ENDPOINT_SLICE,
    )


def _no_endpoints() -> Finding:
    return Finding.of(
        Reason.APIServerUnreachable,
        f"{ENDPOINT_SLICE} lists no ready API server",
        hint="Look at `kubectl get endpointslices -n default`; where API servers cannot be listed, name them in "
        "spec.keySources[].apiServer.addresses.",
        subject=ENDPOINT_SLICE,
    )
