"""A pass over the issuer of a remote cluster: what it asks of whom, and what its status says while that is away."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oidc_publisher.cluster import ObjectReference
from oidc_publisher.cluster.remote import RemoteClusters
from oidc_publisher.documents import OwnerMark
from oidc_publisher.documents.jwks import jwks_document
from oidc_publisher.keys.pem import read_entry
from oidc_publisher.reconcile.passes import Outcome
from oidc_publisher.reconcile.ports import PortOpener
from oidc_publisher.reconcile.signingkeyring.ringreader import NoRing
from tests.support.apistub import APIStub, refuses, says, serving
from tests.support.builders import issuer_of
from tests.support.kubeconfigs import secret
from tests.support.memorypass import MemoryPass, memory_pass
from tests.support.remoteclusters import connecting_to
from tests.support.signingkeys import SigningKey, signing_key

if TYPE_CHECKING:
    from tests.support.pki import PKI

KUBE_SYSTEM = "/api/v1/namespaces/kube-system"
SECRET = "/api/v1/namespaces/clusters/secrets/prod-kubeconfig"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
MAP = "/api/v1/namespaces/clusters/configmaps/next-keys"
JWKS = "/openid/v1/jwks"
WATCHED = ObjectReference("Secret", "clusters", "prod-kubeconfig")
REMOTE = {
    "name": "remote",
    "apiServer": {
        "kubeconfigSecret": {"namespace": "clusters", "name": "prod-kubeconfig"},
        "probeServiceAccount": {"namespace": "probing", "name": "probe"},
    },
}
NEXT = {"name": "next", "configMap": {"namespace": "clusters", "name": "next-keys"}}
KEY = signing_key("P-256", "remote")


@dataclass
class World:
    """A pass, the operator's own cluster (`own`), and a remote one."""

    run: MemoryPass
    own: APIStub
    remote: APIStub

    async def outcome(self) -> Outcome:
        """One pass."""
        found = await self.run.run()
        assert isinstance(found, Outcome)
        return found

    def put(self, content: bytes) -> None:
        """Let the Secret hold these bytes."""
        self.own.on("GET", SECRET, says(secret("clusters", "prod-kubeconfig", content)))

    @property
    def conditions(self) -> dict[str, tuple[str, str]]:
        """Status and reason of each condition."""
        return {c["type"]: (c["status"], c["reason"]) for c in self.run.api.raw["status"]["conditions"]}

    @property
    def findings(self) -> list[dict[str, Any]]:
        """The findings in the status."""
        return list(self.run.api.raw["status"].get("findings", ()))


@asynccontextmanager
async def world(pki: PKI, folder: Path, **spec: Any) -> AsyncIterator[World]:
    sources = {"keySources": [REMOTE, NEXT], **spec}
    async with memory_pass(pki, folder, **sources) as run, serving(pki) as remote:
        run.opener.remote_clusters = RemoteClusters(run.opener.remote_clusters._hub, connect=connecting_to(pki, remote))
        run.stub.on("GET", MAP, says({"kind": "ConfigMap", "metadata": {}, "data": {"1": KEY.public_pem.decode()}}))
        remote.on("GET", KUBE_SYSTEM, says({"metadata": {"uid": "u-remote"}}))
        remote.on("GET", SLICES, says({"items": [_slice(remote)]}))
        remote.on("GET", JWKS, says(jwks(KEY)))
        there = World(run, run.stub, remote)
        there.put(b"one")
        yield there


def jwks(key: SigningKey) -> Any:
    """The key set of an API server that signs with this key."""
    return json.loads(jwks_document(read_entry(key.public_pem).keys))


def _slice(remote: APIStub) -> dict[str, Any]:
    return {"endpoints": [{"addresses": ["127.0.0.1"]}], "ports": [{"name": "https", "port": remote.port}]}


async def test_keys_and_tokens_are_the_remote_clusters_and_objects_the_operators_own(pki: PKI, tmp_path: Path) -> None:
    """Neither the operator's own key set nor its own probe account has a part in it; the mark has the remote UID."""
    async with world(pki, tmp_path) as there:
        outcome = await there.outcome()
        asked = {(seen.method, seen.path) for seen in there.remote.seen}
        assert {("GET", KUBE_SYSTEM), ("GET", SLICES), ("GET", JWKS)} <= asked
        assert ("POST", "/api/v1/namespaces/probing/serviceaccounts/probe/token") in asked
        assert not [path for method, path in asked if "secrets" in path or "configmaps" in path or "ring" in path]
        own = {seen.path for seen in there.own.seen}
        assert {SECRET, MAP} <= own
        assert not {JWKS, SLICES, KUBE_SYSTEM} & own
        (mark,) = {OwnerMark.read(kept.document.metadata) for kept in there.run.store.documents.values()}
        assert mark is not None
        assert mark.owner == "u-remote/prod"
        assert there.conditions["KeysRead"] == ("True", "Succeeded")
        assert set(outcome.follows or {}) == {WATCHED, ObjectReference("ConfigMap", "clusters", "next-keys")}


async def test_another_kubeconfig_is_used_from_the_next_pass_on(pki: PKI, tmp_path: Path) -> None:
    """No request has the old credentials then, and the old client is closed."""
    async with world(pki, tmp_path) as there:
        await there.outcome()
        there.put(b"two")
        there.remote.seen.clear()
        await there.outcome()
        assert {seen.headers["Authorization"] for seen in there.remote.seen} == {"Bearer two"}
        assert there.run.opener.remote_clusters.count == 1
        assert there.conditions["KeysRead"] == ("True", "Succeeded")


async def test_a_kubeconfig_of_another_cluster_changes_no_document(pki: PKI, tmp_path: Path) -> None:
    """The documents are the first cluster's: whoever may write the Secret alone does not replace its keys."""
    async with world(pki, tmp_path) as there:
        await there.outcome()
        before = {path: kept.version for path, kept in there.run.store.documents.items()}
        assert before
        there.put(b"two")
        there.remote.on("GET", KUBE_SYSTEM, says({"metadata": {"uid": "u-third"}}))
        there.remote.on("GET", JWKS, says(jwks(signing_key("P-256", "third"))))
        await there.outcome()
        assert {path: kept.version for path, kept in there.run.store.documents.items()} == before
        assert "OwnershipLost" in {finding["reason"] for finding in there.findings}
        assert there.conditions["Ready"][0] == "False"


async def test_a_remote_cluster_that_is_away_at_first_is_unknown(pki: PKI, tmp_path: Path) -> None:
    """Its identity is not known, so nothing is written; the status says which cluster it is, and the Secret is followed."""
    async with world(pki, tmp_path) as there:
        there.remote.on("GET", KUBE_SYSTEM, says({}, status=503))
        outcome = await there.outcome()
        assert outcome.failed
        assert WATCHED in (outcome.follows or {})
        assert there.conditions["KeysRead"] == ("Unknown", "APIServerUnreachable")
        assert there.conditions["Ready"][0] == "Unknown"
        assert there.run.store.documents == {}
        there.remote.on("GET", KUBE_SYSTEM, says({"metadata": {"uid": "u-remote"}}))
        assert not (await there.outcome()).failed
        assert there.conditions["KeysRead"] == ("True", "Succeeded")


async def test_a_remote_cluster_that_goes_away_keeps_its_documents(pki: PKI, tmp_path: Path) -> None:
    """The pass goes on as for the operator's own cluster: the last good keys stay, and nothing is proven."""
    async with world(pki, tmp_path) as there:
        await there.outcome()
        before = {path: kept.version for path, kept in there.run.store.documents.items()}
        for path in (SLICES, JWKS):
            there.remote.on("GET", path, says({}, status=503))
        await there.outcome()
        assert there.conditions["KeysRead"] == ("Unknown", "APIServerUnreachable")
        assert {path: kept.version for path, kept in there.run.store.documents.items()} == before


async def test_a_secret_that_is_gone_ends_the_use_of_its_credentials(pki: PKI, tmp_path: Path) -> None:
    """Who deletes the Secret has taken back a right: the connections are closed, and the next pass asks nothing there."""
    async with world(pki, tmp_path) as there:
        await there.outcome()
        there.own.on("GET", SECRET, refuses(404, "NotFound", "no"))
        there.remote.seen.clear()
        outcome = await there.outcome()
        assert there.remote.seen == []
        assert there.run.opener.remote_clusters.count == 0
        assert there.conditions["KeysRead"] == ("False", "SourceNotFound")
        assert "keys stay published" in there.findings[0]["advice"]
        assert WATCHED in (outcome.follows or {})


async def test_a_kubeconfig_that_is_refused_stalls_and_names_its_secret(pki: PKI, tmp_path: Path) -> None:
    """Only a person can mend it; nothing of the Secret is in the status."""
    async with world(pki, tmp_path) as there:
        there.run.opener.remote_clusters = RemoteClusters(there.run.opener.remote_clusters._hub)
        there.put(b"users: [{name: a, user: {token: hunter2}}]\nclusters: []\n")
        await there.outcome()
        assert there.conditions["KeysRead"] == ("False", "KubeconfigRefused")
        assert "Stalled" in there.conditions
        assert there.findings[0]["message"].startswith(
            "The kubeconfig in Secret clusters/prod-kubeconfig does not name"
        )
        assert "hunter2" not in str(there.run.api.raw)


async def test_an_issuer_that_is_deleted_while_its_cluster_is_away_says_the_way_out(pki: PKI, tmp_path: Path) -> None:
    """By the mark of the cluster alone the documents are known as ours."""
    async with world(pki, tmp_path, deletionPolicy="Delete") as there:
        there.remote.on("GET", KUBE_SYSTEM, says({}, status=503))
        there.run.api.raw["metadata"] |= {
            "finalizers": ["oidc-publisher.io/documents"], "deletionTimestamp": "2026-01-01T00:00:00Z", "generation": 2,
        }  # fmt: skip
        outcome = await there.outcome()
        assert outcome.failed
        assert "Retain" in there.findings[0]["advice"]


async def test_the_ring_of_the_operators_own_cluster_is_not_the_remote_ones(pki: PKI, tmp_path: Path) -> None:
    """Its versions and warnings are about other keys."""
    async with world(pki, tmp_path) as there:
        ports = await there.run.opener.open(issuer_of(keySources=[REMOTE]))
        assert isinstance(ports.ring, NoRing)
        assert await ports.ring.read() is None
        await ports.aclose()


async def test_ports_that_cannot_be_opened_hold_no_client(pki: PKI, tmp_path: Path) -> None:
    """Each pass would leave a client behind."""
    async with world(pki, tmp_path) as there:
        there.remote.on("GET", KUBE_SYSTEM, says({}, status=503))
        for _ in range(3):
            await there.outcome()
        assert isinstance(there.run.opener, PortOpener)
        assert there.run.opener.remote_clusters.count == 0


async def test_a_kubeconfig_that_may_not_be_watched_is_a_warning(pki: PKI, tmp_path: Path) -> None:
    """Its change would be seen at the interval only, which may be too late for the old credentials."""
    async with world(pki, tmp_path) as there:
        reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        there.own.on("POST", reviews, says({"status": {"allowed": False}}))
        await there.outcome()
        warned = [f for f in there.findings if f["subject"] == str(WATCHED)]
        assert [(f["reason"], f["severity"]) for f in warned] == [("SourceForbidden", "Warning")]
        assert "rbac.secrets" in warned[0]["advice"]
        assert there.conditions["KeysRead"] == ("True", "Succeeded")
