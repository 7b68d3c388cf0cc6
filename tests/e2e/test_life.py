"""The life of a release on a cluster with pods, in the order of its chapters: each goes on where the last one ended.

From the first Ready to the end, the tokens of live pods are verified by somebody who is not the operator.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

from tests.e2e.clients import Clients
from tests.e2e.relyingparty import RelyingParty, Watch
from tests.e2e.world import NAMESPACE, RELEASE, World, prove_anew

#: The chart as it was first committed (85ff0bc), without changes.
FIRST_CHART = Path(__file__).parent / "charts" / "first"
DOCUMENTS = ["prod/.well-known/openid-configuration", "prod/openid/v1/jwks"]
#: The pod of `helm test` has the other labels too, but no shard.
SELECTOR = f"app.kubernetes.io/instance={RELEASE},oidc-publisher.io/shard"


@pytest.fixture(scope="module")
def clients(world: World) -> Clients:
    """Two pods with projected tokens."""
    clients = Clients(world.cluster, world.image)
    clients.start()
    return clients


@pytest.fixture(scope="module")
def watch(world: World, clients: Clients) -> Iterator[Watch]:
    """A relying party that verifies all the time."""
    with Watch(world, clients) as watch:
        yield watch


def pod(world: World) -> str:
    """The name of the operator's one pod that is not about to end."""
    pods = world.cluster.get("pods", "-n", NAMESPACE, "-l", SELECTOR)["items"]
    (name,) = [p["metadata"]["name"] for p in pods if "deletionTimestamp" not in p["metadata"]]
    return str(name)


def test_the_first_chart_installs_and_an_issuer_becomes_ready(world: World) -> None:
    """`helm install --wait` into a namespace under Pod Security restricted, one object, Ready."""
    world.prepare_namespace()
    world.install(chart=FIRST_CHART)
    world.cluster.apply(world.issuer())
    status = world.wait_ready()
    assert status["publication"]["keyCount"] == 1
    assert world.store.object_names() == DOCUMENTS


def test_a_pods_projected_token_verifies_by_the_public_documents(world: World, clients: Clients) -> None:
    """PyJWT knows the issuer's URL and its authority, nothing else."""
    (first, *_) = world.cluster.wait_for(clients.tokens, what="a pod has printed its token")
    claims = RelyingParty(world.store, world.issuer_url).verify(first)
    assert claims["sub"] == "system:serviceaccount:clients:client"
    assert claims["kubernetes.io"]["pod"]["name"].startswith("client-")
    head, body, signature = first.split(".")
    with pytest.raises(jwt.PyJWTError):
        RelyingParty(world.store, world.issuer_url).verify(f"{head}.{body}.{signature[::-1]}")


@pytest.mark.own_node
def test_a_rotation_with_live_pods_rejects_no_token(world: World, clients: Clients, watch: Watch) -> None:
    """The next key is published, becomes safe, signs; pods of before and after it are both believed."""
    assert world.keys is not None
    old = jwt.get_unverified_header(clients.mint()[0])["kid"]
    new = world.keys.add()
    world.cluster.wait_for(lambda: _key(world, new).get("safeSinceTime"), what="the next key is safe to sign with")
    world.keys.sign()
    world.cluster.wait_for(lambda: world.status()["signingKeyIDs"] == [new], what="the next key signs")
    clients.replace()
    watch.wait_rounds(new, 4)
    assert watch.checks[old] > 0
    assert watch.rejected == []


def test_an_upgrade_from_the_first_chart_takes_the_release_on(world: World, watch: Watch) -> None:
    """The Deployment, its rights and the CRD become those of now; the issuer is proven by the new pod."""
    before = pod(world)
    world.install(verb="upgrade")
    assert pod(world) != before
    prove_anew(world)
    assert watch.rejected == []


def test_helm_test_finds_nothing_wrong(world: World) -> None:
    """The check runs as a pod, with the operator's identity and in its network."""
    done = world.cluster.try_helm("test", RELEASE, f"--namespace={NAMESPACE}", "--logs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Everything that was checked works." in done.stdout


def test_a_killed_pod_is_replaced_and_goes_on(world: World, watch: Watch) -> None:
    """As when the node's agent dies: SIGKILL, no goodbye."""
    before = pod(world)
    world.cluster.kubectl("-n", NAMESPACE, "delete", "pod", before, "--grace-period=0", "--force")
    world.cluster.wait_for(lambda: pod(world) != before, what="another pod")
    prove_anew(world)
    assert watch.rejected == []


def test_an_uninstallation_leaves_documents_and_objects(world: World, watch: Watch) -> None:
    """The CRD, the issuer and its documents stay; tokens are verified on."""
    documents = [world.store.fetch(path).body for path in ("/.well-known/openid-configuration", "/openid/v1/jwks")]
    world.cluster.helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--wait")
    world.cluster.kubectl("-n", NAMESPACE, "wait", "--for=delete", "pod", "-l", SELECTOR, "--timeout=50s")
    assert world.cluster.kubectl("get", "oidcissuers", "-o", "name").split() == ["oidcissuer.oidc-publisher.io/prod"]
    assert world.store.object_names() == DOCUMENTS
    assert documents == [
        world.store.fetch(path).body for path in ("/.well-known/openid-configuration", "/openid/v1/jwks")
    ]
    assert watch.rejected == []


def test_a_new_installation_takes_its_own_documents_over(world: World, watch: Watch) -> None:
    """No gap, no write that nothing asks for, and no condition that was good before is bad now."""
    keys = world.status()["keys"]
    world.install()
    prove_anew(world)
    now = world.status()
    assert [key["servedSinceTime"] for key in now["keys"]] == [key["servedSinceTime"] for key in keys]
    assert {c["type"]: c["status"] for c in now["conditions"]}["Ready"] == "True"
    assert watch.rejected == []
    assert sum(watch.checks.values()) > 50


def _key(world: World, kid: str) -> dict[str, str]:
    return next((key for key in world.status()["keys"] if key["keyID"] == kid), {})
