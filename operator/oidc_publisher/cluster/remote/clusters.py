"""Open remote clusters by their kubeconfigs: one client for all issuers of a cluster, closed when nobody uses it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeVar

from oidc_publisher.api import KubeconfigSecretSpec
from oidc_publisher.cluster.answer import object_in
from oidc_publisher.cluster.client import ClusterClient
from oidc_publisher.cluster.credentials.credentials import Credentials
from oidc_publisher.cluster.issuers import kube_system_uid
from oidc_publisher.cluster.objects import ObjectReference, get_object
from oidc_publisher.cluster.port import ClusterAPI
from oidc_publisher.cluster.remote.cluster import RemoteCluster
from oidc_publisher.cluster.remote.outside import NameResolver, outside_socket
from oidc_publisher.cluster.remote.remotelogin import remote_login
from oidc_publisher.cluster.remote.secretkubeconfig import KubeconfigRefusedError, parse_kubeconfig
from oidc_publisher.errors import ClusterError, PublisherError

T = TypeVar("T")
Connect = Callable[[bytes, str], RemoteCluster]

#: An API server that has just started answers 403 for 0.1 s, until it has read its RBAC rules.
_RBAC_LOADS_S: Final = 0.25
_REFUSALS_KEPT: Final = 256


class RemoteClusterError(PublisherError):
    """A remote cluster cannot be asked. It is no ClusterError, because the operator's own cluster takes the report."""

    @classmethod
    def of(cls, error: ClusterError, where: str) -> RemoteClusterError:
        """Return the error of a remote cluster whose kubeconfig `where` names."""
        subject = error.subject or where
        return cls(error.reason, error.message, hint=error.hint, retryable=error.retryable, subject=subject)

    def again(self) -> RemoteClusterError:
        """Return the same error without a traceback, which would keep alive what its frames hold."""
        return RemoteClusterError(
            self.reason, self.message, hint=self.hint, retryable=self.retryable, subject=self.subject
        )


@dataclass(frozen=True, slots=True)
class _Edition:
    """One content of one entry of one Secret."""

    reference: ObjectReference
    key: str
    digest: bytes


@dataclass(slots=True)
class _Shared:
    """A client and the number of its users; `uid` is that of the cluster, empty until it was read.

    `asked` is the client as the issuers of the cluster see it.
    """

    cluster: RemoteCluster
    asked: ClusterAPI
    users: int = 0
    uid: str = ""


class RemoteClusters:
    """RemoteClusters has the clients of all remote clusters. The Secrets are objects of the cluster `hub`.

    Issuers ask a cluster through what `sharing` makes of its client.
    """

    def __init__(
        self,
        hub: ClusterAPI,
        *,
        api_server_names: Sequence[str] = (),
        connect: Connect | None = None,
        sharing: Callable[[ClusterAPI], ClusterAPI] = lambda cluster: cluster,
    ) -> None:
        self._hub = hub
        self._sharing = sharing
        self._connect = connect or connecting(api_server_names)
        self._open: dict[_Edition, _Shared] = {}
        self._refused: dict[_Edition, RemoteClusterError] = {}

    @property
    def count(self) -> int:
        """The number of open clients."""
        return len(self._open)

    async def open(self, named: KubeconfigSecretSpec) -> Lease:
        """Read the Secret, and return a lease of the client for what is in it.

        Raises:
            RemoteClusterError: the Secret does not exist or may not be read, or its kubeconfig is refused.
            ClusterError: the operator's own cluster does not answer.
        """
        content, edition = await self.read(named)
        shared = self._open.get(edition)
        if shared is None:
            cluster = await self._connected(content, edition, where_of(named))
            # Another issuer may have been faster.
            shared = self._open.setdefault(edition, _Shared(cluster, self._sharing(cluster)))
        shared.users += 1
        return Lease(self, named, edition, shared)

    async def _connected(self, content: bytes, edition: _Edition, where: str) -> RemoteCluster:
        """Make a client. What was refused is not parsed again: a file that is made to be slow takes a second."""
        error = self._refused.get(edition)
        if error is None:
            try:
                return await asyncio.to_thread(self._connect, content, where)
            except KubeconfigRefusedError as refused:
                error = RemoteClusterError.of(refused, where)
            self._refused[edition] = error.again()
            for oldest in tuple(self._refused)[:-_REFUSALS_KEPT]:
                del self._refused[oldest]
        raise error.again()

    async def read(self, named: KubeconfigSecretSpec) -> tuple[bytes, _Edition]:
        """Return the entry with the kubeconfig, and what tells this content from another; raises as `open` does."""
        reference, where = reference_of(named), where_of(named)
        try:
            found = await _confirmed(lambda: self._object(reference))
        except ClusterError as error:
            if error.retryable:
                raise
            raise RemoteClusterError.of(error, where) from error
        text = object_in(found, "data").get(named.key)
        if not isinstance(text, str) or not text:
            _refuse_empty(where)
        try:
            content = base64.b64decode(text, validate=True)
        except ValueError:
            _refuse_empty(where)
        return content, _Edition(reference, named.key, hashlib.sha256(content).digest())

    async def _object(self, reference: ObjectReference) -> dict[str, Any]:
        return (await get_object(self._hub, reference)).object()

    async def leave(self, edition: _Edition, shared: _Shared) -> None:
        """Take note that one issuer uses a client no more; the last one closes it."""
        shared.users -= 1
        if shared.users <= 0:
            self._open.pop(edition, None)
            await shared.cluster.close()


class Lease:
    """A Lease lets one issuer use the client of a remote cluster until `release`."""

    def __init__(
        self, clusters: RemoteClusters, named: KubeconfigSecretSpec, edition: _Edition, shared: _Shared
    ) -> None:
        self._clusters = clusters
        self._named = named
        self._edition = edition
        self._shared = shared
        self._released = False

    @property
    def cluster(self) -> ClusterAPI:
        """The remote cluster."""
        return self._shared.asked

    async def uid(self) -> str:
        """Return the UID of the remote cluster's namespace kube-system, which is read once for each client.

        Raises:
            RemoteClusterError: the remote cluster does not answer or refuses.
        """
        if not self._shared.uid:
            try:
                self._shared.uid = await _confirmed(lambda: kube_system_uid(self._shared.cluster))
            except ClusterError as error:
                raise RemoteClusterError.of(error, where_of(self._named)) from error
        return self._shared.uid

    async def is_current(self) -> bool:
        """Read the Secret, and tell whether its kubeconfig is still that of the client; raises as RemoteClusters.open."""
        _, edition = await self._clusters.read(self._named)
        return edition == self._edition

    async def release(self) -> None:
        """Use the client no more."""
        if not self._released:
            self._released = True
            await self._clusters.leave(self._edition, self._shared)


def connecting(api_server_names: Sequence[str]) -> Connect:
    """Return what makes a client of a kubeconfig. It computes, and opens no connection yet."""

    def connect(content: bytes, where: str) -> RemoteCluster:
        login = remote_login(parse_kubeconfig(content, where), where)
        client = ClusterClient(
            Credentials(login), api_server_names=api_server_names, guard=outside_socket, resolver=NameResolver
        )
        return RemoteCluster(client, where)

    return connect


def reference_of(named: KubeconfigSecretSpec) -> ObjectReference:
    """Return the Secret, which is read and watched in the operator's own cluster."""
    return ObjectReference("Secret", named.namespace, named.name)


def where_of(named: KubeconfigSecretSpec) -> str:
    """Return how messages name the kubeconfig's place."""
    return f"Secret {named.namespace}/{named.name}"


async def _confirmed(call: Callable[[], Awaitable[T]]) -> T:
    """Call, and call once more after a refusal, because an API server that has just started refuses for a moment."""
    try:
        return await call()
    except ClusterError as error:
        if error.retryable:
            raise
    await asyncio.sleep(_RBAC_LOADS_S)
    return await call()


def _refuse_empty(where: str) -> NoReturn:
    error = KubeconfigRefusedError(
        where,
        "is missing: the entry that kubeconfigSecret.key names is absent or empty",
        "Name the entry that holds the kubeconfig in spec.keySources[].apiServer.kubeconfigSecret.key.",
    )
    raise RemoteClusterError.of(error, where)
