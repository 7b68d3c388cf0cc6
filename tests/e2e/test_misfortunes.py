"""What an admin, or the cluster, does wrong with a release: it is said where one looks, and nothing published is lost."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.world import NAMESPACE, RELEASE, World, prove_anew
from tests.support.chart import CHART

FIRST_CHART = Path(__file__).parent / "charts" / "first"
PATHS = ("/.well-known/openid-configuration", "/openid/v1/jwks")


@pytest.fixture
def release(released: World) -> Iterator[World]:
    """A release that works, before and after; whatever happens between, the documents stay as they are."""
    documents = [released.store.fetch(path).body for path in PATHS]
    good = revision(released)
    yield released
    if revision(released) != good:
        place = (f"--namespace={NAMESPACE}", "--wait", "--timeout=150s")
        released.cluster.helm("rollback", RELEASE, str(good), *place)
    prove_anew(released)
    assert [released.store.fetch(path).body for path in PATHS] == documents


@pytest.fixture(scope="module")
def released(world: World) -> World:
    """One release with one issuer, of whichever test came first."""
    if "deployed" not in world.cluster.try_helm("status", RELEASE, f"--namespace={NAMESPACE}").stdout:
        world.prepare_namespace()
        world.install()
        world.cluster.apply(world.issuer())
    world.wait_ready()
    return world


def upgrade(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`helm upgrade` without `--wait`: helm says no more than that the Deployment is not ready."""
    place = (f"--namespace={NAMESPACE}", f"--values={world.values()}")
    done = world.cluster.try_helm("upgrade", RELEASE, CHART, *place, *arguments)
    assert done.returncode == 0, done.stderr
    return done


def revision(world: World) -> int:
    """The number of the release's last revision."""
    found = world.cluster.helm("history", RELEASE, f"--namespace={NAMESPACE}", "--max=1", "--output=json")
    return int(yaml.safe_load(found)[-1]["revision"])


def refusal(world: World) -> str:
    """Why the Deployment's pods are not made, in Kubernetes' words."""
    deployment = world.cluster.get("deployment", "-n", NAMESPACE, f"{RELEASE}-oidc-publisher")
    failures = [c["message"] for c in deployment["status"].get("conditions", []) if c["type"] == "ReplicaFailure"]
    return " ".join(failures)


def said(world: World, find: Callable[[World], str], *words: str) -> str:
    """Wait until a text has all the words."""
    return str(
        world.cluster.wait_for(
            lambda: (text := find(world)) and all(word in text for word in words) and text, what=" ".join(words)
        )
    )


def test_an_image_that_cannot_be_pulled_is_named_by_the_pod(release: World) -> None:
    """The pod of before is gone (Recreate), and everybody verifies on."""

    def waiting(world: World) -> str:
        pods = world.cluster.get("pods", "-n", NAMESPACE, "-l", "oidc-publisher.io/shard")["items"]
        states = [s["state"].get("waiting", {}) for p in pods for s in p["status"].get("containerStatuses", [])]
        return " ".join(f"{state.get('reason')} {state.get('message')}" for state in states)

    upgrade(release, "--set=image.tag=nowhere")
    said(release, waiting, "oidc-publisher:nowhere", "Pull")


def test_a_probe_account_that_does_not_exist_is_a_finding_and_fails_helm_test(release: World) -> None:
    """The finding names the values of the chart; a missing account says nothing against the issuer: Unknown."""
    release.install("--set=probe.serviceAccount.create=false,probe.serviceAccount.name=nobody", verb="upgrade")

    def findings(world: World) -> str:
        found = world.status().get("findings", [])
        return " ".join(f"{f['reason']}: {f['message']} {f.get('advice')}" for f in found)

    said(
        release, findings, "TokenRequestFailed: ServiceAccount oidc-publisher/nobody does not exist.", "serviceAccount"
    )

    def conditions(world: World) -> str:
        return " ".join(f"{c['type']}={c['status']}" for c in world.status()["conditions"])

    said(release, conditions, "Ready=Unknown", "Served=True")
    tested = release.cluster.try_helm("test", RELEASE, f"--namespace={NAMESPACE}", "--logs")
    assert tested.returncode != 0
    assert "✗  ServiceAccount oidc-publisher/nobody" in tested.stdout


def test_pod_security_refuses_key_files_of_the_node_and_says_so(release: World) -> None:
    """Helm shows the API server's warning; the default values ask for nothing that it refuses."""
    done = upgrade(release, "--set=keyFiles.hostPath=/etc/kubernetes/pki")
    assert "would violate PodSecurity" in done.stderr
    assert "hostPath" in done.stderr
    said(release, refusal, "violates PodSecurity", "hostPath")


def test_a_quota_of_cpu_limits_says_what_the_values_lack(release: World) -> None:
    """The chart sets no CPU limit: a namespace that demands one says so, and the value is there to give it."""
    quota: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "strict", "namespace": NAMESPACE},
        "spec": {"hard": {"limits.cpu": "1"}},
    }
    release.cluster.apply(quota)
    try:
        upgrade(release, "--set=podAnnotations.change=one")
        said(release, refusal, "failed quota: strict: must specify limits.cpu")
        release.install("--set=resources.limits.cpu=500m", verb="upgrade")
        release.wait_ready()
    finally:
        release.cluster.kubectl("delete", "resourcequota", "strict", "-n", NAMESPACE)


def test_a_second_release_is_refused_and_does_no_harm_where_it_is_forced(release: World) -> None:
    """Helm names the first one. Without its CRD it is installed: two operators of one cluster agree on its documents."""
    cluster, name = release.cluster, "second"
    secret = {k: base64.b64encode(v.encode()).decode() for k, v in release.store.credentials.items()}
    cluster.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "store", "namespace": name}, "data": secret},
    )
    place = (f"--namespace={name}", f"--values={release.values()}")
    refused = cluster.try_helm("install", name, CHART, *place)
    assert refused.returncode != 0
    assert 'key "meta.helm.sh/release-name" must equal "second": current value is "prod"' in refused.stderr
    try:
        cluster.helm("install", name, CHART, *place, "--set=crds.enabled=false", "--wait", "--timeout=150s")
        before = release.store.fetch(PATHS[1]).headers["last-modified"]
        prove_anew(release)
        assert release.store.fetch(PATHS[1]).headers["last-modified"] == before
    finally:
        cluster.try_helm("uninstall", name, f"--namespace={name}", "--wait")
        cluster.kubectl("delete", "namespace", name, "--wait=false")


def test_a_crd_of_an_older_version_is_named_by_helm_test(released: World) -> None:
    """Somebody applied the first chart's CRD again; the operator goes on, and an upgrade puts it right."""
    rendered = released.cluster.helm("template", RELEASE, FIRST_CHART, "--show-only=templates/crd.yaml")
    released.cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=rendered)
    tested = released.cluster.try_helm("test", RELEASE, f"--namespace={NAMESPACE}", "--logs")
    assert tested.returncode != 0
    assert "✗  CustomResourceDefinition oidcissuers.oidc-publisher.io" in tested.stdout
    prove_anew(released)
    upgrade(released, "--force-conflicts")
    assert released.cluster.try_helm("test", RELEASE, f"--namespace={NAMESPACE}").returncode == 0
