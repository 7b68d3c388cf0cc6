"""The real helm against a real API server: install, upgrade, uninstall, and a second release.

There is no controller manager, so no pod ever runs: what the release leaves in the API server is looked at.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import chart

if TYPE_CHECKING:
    from tests.support.controlplane import ControlPlane

CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "oidcissuers.oidc-publisher.io")


@pytest.fixture
def cluster(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The control plane without our CRD, before and after."""
    control_plane.delete(*CRD)
    yield control_plane
    for release in ("prod", "second"):
        helm(control_plane, "uninstall", release, "--namespace=oidc-publisher", "--ignore-not-found", check=False)
    control_plane.delete(*CRD)


def helm(cluster: ControlPlane, *arguments: str | Path, check: bool = True) -> str:
    """What helm prints as the cluster's admin; with `check=False` its errors too."""
    if arguments[0] in {"install", "upgrade"}:
        arguments = (*arguments, f"--set=image.repository={chart.IMAGE}")
    done = chart.run(*arguments, f"--kubeconfig={cluster.admin_kubeconfig()}")
    assert not check or done.returncode == 0, done.stderr
    return done.stdout if check else done.stdout + done.stderr


def install(cluster: ControlPlane, *arguments: str | Path, release: str = "prod", check: bool = True) -> str:
    """`helm install`, as the README has it."""
    place = ("--namespace=oidc-publisher", "--create-namespace")
    return helm(cluster, "install", release, chart.CHART, *place, *arguments, check=check)


def url_length(cluster: ControlPlane) -> int:
    """A number in the schema of the CRD that the API server has."""
    schema = cluster.get(*CRD)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    length: int = schema["properties"]["spec"]["properties"]["issuerURL"]["maxLength"]
    return length


def test_an_upgrade_of_the_release_upgrades_the_crd(cluster: ControlPlane, tmp_path: Path) -> None:
    """A chart with an older CRD first: a file in crds/ would stay as it was."""
    older = tmp_path / "chart"
    shutil.copytree(chart.CHART, older)
    template = older / "templates" / "crd.yaml"
    template.write_text(template.read_text().replace("maxLength: 255", "maxLength: 200", 1))
    place = ("--namespace=oidc-publisher", "--create-namespace")
    helm(cluster, "install", "prod", older, *place)
    assert url_length(cluster) == 200
    helm(cluster, "upgrade", "prod", chart.CHART, *place)
    assert url_length(cluster) == 255


def test_an_uninstallation_keeps_the_crd_and_the_issuers(cluster: ControlPlane) -> None:
    """A release of another name says what is in its way, and takes it over when told to."""
    assert "kubectl get oidcissuers" in install(cluster)
    cluster.wait_established(CRD[2])
    cluster.kubectl("apply", "-f-", stdin=chart.issuer_of(chart.notes()))
    helm(cluster, "uninstall", "prod", "--namespace=oidc-publisher")
    assert cluster.kubectl("get", "oidcissuers", "-o", "name") == "oidcissuer.oidc-publisher.io/prod\n"
    accounts = cluster.kubectl("get", "serviceaccounts", "-n", "oidc-publisher", "-o", "name")
    assert "oidc-publisher" not in accounts.replace("serviceaccount/", "")
    refused = install(cluster, release="second", check=False)
    assert 'CustomResourceDefinition "oidcissuers.oidc-publisher.io"' in refused
    assert "invalid ownership metadata" in refused
    install(cluster, "--take-ownership", release="second")
    assert cluster.get(*CRD)["metadata"]["annotations"]["meta.helm.sh/release-name"] == "second"


def test_two_releases_share_a_cluster_only_when_told_so(cluster: ControlPlane) -> None:
    """The second one is refused because of the CRD, and leaves nothing; without its CRD it is installed."""
    install(cluster)
    assert "invalid ownership metadata" in install(cluster, release="second", check=False)
    assert "second" not in cluster.kubectl("get", "clusterroles", "-o", "name")
    helm(cluster, "uninstall", "second", "--namespace=oidc-publisher", "--ignore-not-found")
    install(cluster, "--set=crds.enabled=false", release="second")
    assert "second-oidc-publisher" in cluster.kubectl("get", "clusterroles", "-o", "name")


def test_a_bad_value_leaves_nothing_behind(cluster: ControlPlane) -> None:
    """It is refused before anything is sent."""
    assert "'shard' not allowed" in install(cluster, "--set=shard=2", check=False)
    assert "prod" not in cluster.kubectl("get", "clusterroles", "-o", "name")
    assert "prod" not in helm(cluster, "list", "--all-namespaces")
