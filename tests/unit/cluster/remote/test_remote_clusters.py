"""Clients of remote clusters, on real sockets: shared, followed, closed, silent."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.abc import ResolveResult

from oidc_publisher.api import KubeconfigSecretSpec
from oidc_publisher.cluster import api_server_endpoints, mint_token
from oidc_publisher.cluster.remote import RemoteClusterError, RemoteClusters, outside
from oidc_publisher.cluster.remote.cluster import AT_ONCE, RemoteCluster
from oidc_publisher.errors import AnswerError, CertificateError, ClusterError, PublisherError, UnreachableError
from oidc_publisher.findings import Reason
from tests.support.apistub import APIStub, client_of, refuses, says, serving
from tests.support.kubeconfigs import cluster_entry, encoded, kubeconfig, secret, written
from tests.support.remoteclusters import WHERE, remote_at

if TYPE_CHECKING:
    from tests.support.pki import PKI

NAMED = KubeconfigSecretSpec(namespace="clusters", name="prod-kubeconfig")
SECRET = "/api/v1/namespaces/clusters/secrets/prod-kubeconfig"
KUBE_SYSTEM = "/api/v1/namespaces/kube-system"


@dataclass
class World:
    """The operator's own cluster, which holds the Secret, and a remote one. Both are on loopback."""

    pki: PKI
    hub: APIStub
    remote: APIStub
    clusters: RemoteClusters
    made: list[RemoteCluster]

    def put(self, content: bytes) -> None:
        """Let the Secret hold these bytes."""
        self.hub.on("GET", SECRET, says(secret("clusters", "prod-kubeconfig", content)))

    def put_token(self, token: str) -> None:
        """Let the Secret hold a kubeconfig of the remote cluster."""
        self.put(written(kubeconfig(cluster_entry(self.pki, "https://10.1.2.3:6443"), {"token": token})))


@asynccontextmanager
async def world(pki: PKI) -> AsyncIterator[World]:
    made: list[RemoteCluster] = []

    def connect(content: bytes, where: str) -> RemoteCluster:
        token = content.decode().split('"token": "')[1].split('"')[0]
        made.append(remote_at(pki, remote.address, token=token, where=where))
        return made[-1]

    async with serving(pki) as hub, serving(pki) as remote, client_of(pki, hub.address) as client:
        remote.on("GET", KUBE_SYSTEM, says({"metadata": {"uid": "u-remote"}}))
        yield World(pki, hub, remote, RemoteClusters(client, connect=connect), made)


async def refused(clusters: RemoteClusters) -> RemoteClusterError:
    with pytest.raises(RemoteClusterError) as caught:
        await clusters.open(NAMED)
    return caught.value


class TestSharing:
    """One client for all issuers of a cluster, for as long as one of them uses it."""

    async def test_issuers_share_a_client_and_the_last_one_closes_it(self, pki: PKI) -> None:
        """The identity of the cluster is read once, with the kubeconfig's own credentials."""
        async with world(pki) as there:
            there.put_token("one")
            leases = [await there.clusters.open(NAMED) for _ in range(3)]
            assert [await lease.uid() for lease in leases] == ["u-remote"] * 3
            assert len({id(lease.cluster) for lease in leases}) == there.clusters.count == 1
            (seen,) = there.remote.seen
            assert (seen.path, seen.headers["Authorization"]) == (KUBE_SYSTEM, "Bearer one")
            for lease in leases:
                assert there.clusters.count == 1
                await lease.release()
                await lease.release()  # a second time changes nothing
            assert there.clusters.count == 0

    async def test_another_kubeconfig_is_another_client_beside_the_old_one(self, pki: PKI) -> None:
        """A pass that is in progress keeps its client: no request of it is refused because of a rotation."""
        async with world(pki) as there:
            there.put_token("one")
            old = await there.clusters.open(NAMED)
            assert await old.is_current()
            there.put_token("two")
            assert not await old.is_current()
            new = await there.clusters.open(NAMED)
            assert there.clusters.count == 2
            await old.uid()
            await new.uid()
            assert [seen.headers["Authorization"] for seen in there.remote.seen] == ["Bearer one", "Bearer two"]
            await old.release()
            await new.release()
            assert there.clusters.count == 0

    async def test_a_change_of_another_member_of_the_secret_changes_no_client(self, pki: PKI) -> None:
        """A label is no credential."""
        async with world(pki) as there:
            there.put_token("one")
            lease = await there.clusters.open(NAMED)
            found = secret("clusters", "prod-kubeconfig", b"", version="7")
            content = written(kubeconfig(cluster_entry(pki, "https://10.1.2.3:6443"), {"token": "one"}))
            found["data"] = {"value": encoded(content), "other": encoded(b"x")}
            there.hub.on("GET", SECRET, says(found))
            assert await lease.is_current()
            await lease.release()

    async def test_issuers_that_come_at_once_make_one_client(self, pki: PKI) -> None:
        """The client of the slower one is dropped, and had opened nothing."""
        async with world(pki) as there:
            there.put_token("one")
            leases = await asyncio.gather(*(there.clusters.open(NAMED) for _ in range(4)))
            assert len({id(lease.cluster) for lease in leases}) == 1
            for lease in leases:
                await lease.release()
            assert there.clusters.count == 0


class TestTheSecret:
    """What the operator's own cluster says of it."""

    async def test_a_secret_that_is_missing_or_forbidden(self, pki: PKI) -> None:
        """Each has its reason and its advice; both were asked for twice."""
        async with world(pki) as there:
            there.hub.on("GET", SECRET, refuses(404, "NotFound", "secrets not found"))
            error = await refused(there.clusters)
            assert (error.reason, error.subject) == (Reason.SourceNotFound, there.hub.address)
            assert error.message == f"{WHERE} does not exist"
            there.hub.on("GET", SECRET, refuses(403, "Forbidden", "secrets is forbidden"))
            error = await refused(there.clusters)
            assert error.reason is Reason.SourceForbidden
            assert "{namespace: clusters, name: prod-kubeconfig} in rbac.secrets" in error.hint
            assert len(there.hub.seen) == 4

    async def test_a_refusal_of_a_moment_is_none(self, pki: PKI) -> None:
        """An API server that has just started answers 403 until it has read its RBAC rules."""
        async with world(pki) as there:
            content = written(kubeconfig(cluster_entry(pki, "https://10.1.2.3:6443"), {"token": "one"}))
            good = says(secret("clusters", "prod-kubeconfig", content))
            there.hub.on("GET", SECRET, refuses(403, "Forbidden", "secrets is forbidden"), good)
            await (await there.clusters.open(NAMED)).release()

    @pytest.mark.parametrize("data", [None, {}, {"other": "eA=="}, {"value": ""}, {"value": "%"}, {"value": 1}])
    async def test_an_entry_that_is_missing(self, pki: PKI, data: object) -> None:
        """The message names the field, and nothing of the Secret."""
        async with world(pki) as there:
            there.hub.on("GET", SECRET, says({"kind": "Secret", "metadata": {}, "data": data}))
            error = await refused(there.clusters)
            assert error.reason is Reason.KubeconfigRefused
            assert "kubeconfigSecret.key" in error.message

    async def test_a_kubeconfig_that_is_refused_is_parsed_once(self, pki: PKI) -> None:
        """Each pass says the same of it; a new content is looked at anew."""
        parsed: list[bytes] = []
        async with serving(pki) as hub, client_of(pki, hub.address) as client:
            clusters = RemoteClusters(client)
            inner = clusters._connect

            def counted(content: bytes, where: str) -> RemoteCluster:
                parsed.append(content)
                return inner(content, where)

            clusters._connect = counted
            for content in (b"hunter2", b"hunter2", b"hunter3"):
                hub.on("GET", SECRET, says(secret("clusters", "prod-kubeconfig", content)))
                error = await refused(clusters)
                assert str(error) == f"The kubeconfig in {WHERE} is no kubeconfig"
            assert parsed == [b"hunter2", b"hunter3"]
            assert clusters.count == 0

    async def test_an_own_cluster_that_is_away_is_its_own_failure(self, pki: PKI) -> None:
        """The remote cluster has no part in it, so no status says so."""
        async with world(pki) as there:
            there.hub.on("GET", SECRET, says({}, status=500))
            with pytest.raises(ClusterError):
                await there.clusters.open(NAMED)


class TestSilence:
    """A cluster that is away holds nobody up."""

    async def test_a_server_that_accepts_and_says_nothing_is_asked_by_one_request_at_a_time(self, pki: PKI) -> None:
        """The first wait is the only one: everybody else fails at once, in the same words."""
        async with silent() as address:
            cluster = remote_at(pki, address)
            failures = [await failure(cluster, timeout_s=0.1) for _ in range(5)]
            assert {str(error) for error in failures} == {f"{address} does not answer in time"}
            # Two quick ones open the circuit.
            assert sum(error.__cause__ is not None for error in failures) == 2
            await cluster.close()

    async def test_requests_that_wait_for_their_turn_do_not_wait_for_a_server_that_turns_out_silent(
        self, pki: PKI
    ) -> None:
        """A hundred issuers of one cluster wait for one timeout, not for a dozen."""
        async with silent() as address:
            cluster = remote_at(pki, address)
            failures = await asyncio.gather(*(failure(cluster, timeout_s=0.2) for _ in range(5 * AT_ONCE)))
            # The first of two failures that open the circuit may let one more go.
            assert sum(error.__cause__ is not None for error in failures) in (AT_ONCE, AT_ONCE + 1)
            await cluster.close()

    async def test_a_server_that_is_back_is_asked_again(self, pki: PKI, monkeypatch: pytest.MonkeyPatch) -> None:
        """After the pause one request finds out."""
        monkeypatch.setattr("oidc_publisher.cluster.remote.circuit.PAUSE_S", 0.05)
        async with serving(pki) as stub:
            port = stub.port
        cluster = remote_at(pki, f"127.0.0.1:{port}")
        for _ in range(3):
            await failure(cluster)
        async with serving(pki, port=port) as stub:
            stub.on("GET", KUBE_SYSTEM, says({}))
            await asyncio.sleep(0.06)
            assert (await cluster.request("GET", KUBE_SYSTEM)).status == 200
            assert (await cluster.request("GET", KUBE_SYSTEM)).status == 200
        await cluster.close()

    async def test_one_server_that_is_silent_leaves_the_others_alone(self, pki: PKI) -> None:
        """Each API server of a cluster has a circuit of its own."""
        async with serving(pki) as stub, silent() as address:
            stub.on("GET", KUBE_SYSTEM, says({}))
            cluster = remote_at(pki, stub.address)
            for _ in range(3):
                await failure(cluster, endpoint=address, timeout_s=0.1)
            assert (await cluster.request("GET", KUBE_SYSTEM)).status == 200
            await cluster.close()

    async def test_a_refusal_is_no_silence(self, pki: PKI) -> None:
        """A cluster that answers 500 or 403 is there."""
        async with serving(pki) as stub:
            stub.on("GET", KUBE_SYSTEM, says({}, status=500), says({}, status=403), says({}, status=500), says({}))
            cluster = remote_at(pki, stub.address)
            for _ in range(3):
                with pytest.raises(AnswerError):
                    await cluster.request("GET", KUBE_SYSTEM)
            assert (await cluster.request("GET", KUBE_SYSTEM)).status == 200
            await cluster.close()

    async def test_a_request_whose_pass_was_ended_says_nothing_about_the_server(
        self, pki: PKI, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A request that tries and is cancelled leaves room for the next one."""
        monkeypatch.setattr("oidc_publisher.cluster.remote.circuit.PAUSE_S", 0.05)
        async with silent() as address:
            cluster = remote_at(pki, address)
            for _ in range(2):
                await failure(cluster, timeout_s=0.05)
            await asyncio.sleep(0.06)
            task = asyncio.create_task(cluster.request("GET", KUBE_SYSTEM))
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert (await failure(cluster, timeout_s=0.05)).__cause__ is not None  # it was sent
            await cluster.close()

    async def test_a_cluster_is_asked_by_a_bounded_number_of_requests_at_once(self, pki: PKI) -> None:
        """A hundred issuers of one cluster do not storm it."""
        async with serving(pki) as stub:
            now, most = 0, 0

            async def slow(_: web.Request) -> web.StreamResponse:
                nonlocal now, most
                now += 1
                most = max(most, now)
                await asyncio.sleep(0.01)
                now -= 1
                return web.json_response({})

            stub.on("GET", KUBE_SYSTEM, slow)
            cluster = remote_at(pki, stub.address)
            await asyncio.gather(*(cluster.request("GET", KUBE_SYSTEM) for _ in range(5 * AT_ONCE)))
            assert most == AT_ONCE
            await cluster.close()


class TestAdvice:
    """What a person does about a remote cluster is not what he does about the operator's own."""

    async def test_rights_are_those_of_the_kubeconfigs_user(self, pki: PKI) -> None:
        """No chart grants anything there."""
        async with serving(pki) as stub:
            stub.on(
                "GET", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", refuses(403, "Forbidden", "no")
            )
            stub.on("POST", "/api/v1/namespaces/default/serviceaccounts/probe/token", refuses(404, "NotFound", "no"))
            cluster = remote_at(pki, stub.address)
            with pytest.raises(AnswerError) as caught:
                await api_server_endpoints(cluster)
            assert caught.value.hint.startswith(f"Allow the user of the kubeconfig in {WHERE} to list endpointslices")
            with pytest.raises(AnswerError) as caught:
                await mint_token(cluster, None, namespace="default", name="probe", audience="a")
            assert "in the remote cluster" in caught.value.hint
            assert "probeServiceAccount" in caught.value.hint
            await cluster.close()

    async def test_credentials_that_are_refused_are_those_of_the_secret(self, pki: PKI) -> None:
        """To restart the operator helps nobody."""
        async with serving(pki) as stub:
            stub.on("GET", KUBE_SYSTEM, refuses(401, "Unauthorized", "Unauthorized"))
            cluster = remote_at(pki, stub.address)
            with pytest.raises(AnswerError) as caught:
                await cluster.request("GET", KUBE_SYSTEM)
            assert caught.value.reason is Reason.SourceForbidden
            assert WHERE in caught.value.hint
            assert "restart" not in caught.value.hint
            await cluster.close()

    async def test_a_certificate_of_another_ca_names_the_secret(self, pki: PKI) -> None:
        """Nothing was sent to that server."""
        async with serving(pki, pki.untrusted()) as stub:
            cluster = remote_at(pki, stub.address)
            with pytest.raises(CertificateError) as caught:
                await cluster.request("GET", KUBE_SYSTEM)
            assert WHERE in caught.value.hint
            assert stub.seen == []
            await cluster.close()

    async def test_a_cluster_that_is_away_is_reported_with_its_secret(self, pki: PKI) -> None:
        """The error is one that the operator's own cluster takes a report of."""
        async with silent() as address, serving(pki) as hub, client_of(pki, hub.address) as client:
            clusters = RemoteClusters(client, connect=lambda _, where: remote_at(pki, address, where=where))
            hub.on("GET", SECRET, says(secret("clusters", "prod-kubeconfig", b"whatever")))
            lease = await clusters.open(NAMED)
            for _ in range(2):
                await failure(lease.cluster, timeout_s=0.05)
            with pytest.raises(RemoteClusterError) as caught:
                await lease.uid()
            assert not isinstance(caught.value, ClusterError)
            assert (caught.value.reason, caught.value.subject) == (Reason.APIServerUnreachable, address)
            assert WHERE in caught.value.hint
            await lease.release()


class TestWhere:
    """No remote cluster is on the operator's own machine, whatever a name resolves to."""

    async def test_a_name_that_resolves_to_loopback_gets_no_connection(self, pki: PKI) -> None:
        """The kubeconfig's server is judged at the socket too."""
        async with serving(pki) as stub:
            for host in ("rebound.example.com", "127.0.0.1"):
                cluster = remote_at(pki, f"{host}:{stub.port}", guard=outside.outside_socket, resolver=Pinned)
                with pytest.raises(UnreachableError) as caught:
                    await cluster.request("GET", KUBE_SYSTEM)
                assert caught.value.reason is Reason.SpecUnsupported
                assert "loopback" in caught.value.message
                await cluster.close()
            assert stub.seen == []

    async def test_names_are_resolved_in_threads_of_their_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The loop's own threads, by which everybody resolves, are not used."""
        used: list[str] = []

        def resolved(_: str, port: int, **__: object) -> list[Any]:
            used.append(threading.current_thread().name)
            return [(2, 1, 6, "", ("10.0.0.1", port)), (2, 2, 17, "", ("10.0.0.1", port))]

        monkeypatch.setattr("socket.getaddrinfo", resolved)
        found = await outside.NameResolver().resolve("kube.example.com", 6443)
        assert [(each["host"], each["port"]) for each in found] == [("10.0.0.1", 6443)]
        assert used == ["remote names"]


class Pinned(outside.NameResolver):
    """Every name is on the operator's own machine."""

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:
        """Return loopback."""
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=0)]


@asynccontextmanager
async def silent() -> AsyncIterator[str]:
    """A server that accepts connections and says nothing."""
    held: list[asyncio.StreamWriter] = []

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in held:
            writer.close()


async def failure(cluster: Any, *, endpoint: str | None = None, timeout_s: float = 1.0) -> PublisherError:
    with pytest.raises(UnreachableError) as caught:
        await cluster.request("GET", KUBE_SYSTEM, endpoint=endpoint, timeout_s=timeout_s)
    return caught.value
