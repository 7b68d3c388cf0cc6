"""A cluster by kubeadm on real kubelets, with a store, an operator and an issuer; and what a person types on its nodes."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import jwt
import yaml

from hack.testbed import build
from tests.support import binaries, chart
from tests.support.adminapi import ApiError
from tests.support.controlplane import ControlPlane
from tests.support.docpages import DOCS, kubeadm_edited, typed
from tests.support.node.images import write_image
from tests.support.node.kubeadmcluster import REPOSITORY, KubeadmCluster
from tests.support.node.kubeadmnode import KubeadmNode
from tests.support.processes import wait_for
from tests.support.stage import PROBE, Stage

PAGE = DOCS / "how-to" / "managed-keys-kubeadm.md"
#: What kubeadm starts from images; the pods of a network are not needed here.
_WITHOUT_IMAGE = {"kube-proxy", "coredns"}
_PERIODS = {"prePublishPeriod": "5s", "maxTokenLifetime": "24h", "clockSkew": "1s"}


def programs(version: str) -> Path:
    """The folder of kubeadm and the control plane of a version: the pinned one, or the next."""
    return binaries.find("kubeadm").parent if version == pinned() else build.next_control_plane().folder


def pinned() -> str:
    """The version that the cluster begins with."""
    return build.kubernetes().version


def next_version() -> str:
    """The version that an upgrade leads to."""
    return build.next_control_plane().version


def images(folder: Path, version: str) -> list[Path]:
    """Write the images that kubeadm of a version asks for."""
    argv: list[str | Path] = [
        programs(version) / "kubeadm",
        "config",
        "images",
        "list",
        f"--kubernetes-version=v{version}",
    ]
    listed = subprocess.run([*argv, f"--image-repository={REPOSITORY}"], capture_output=True, text=True, check=True)
    written = []
    for image in listed.stdout.split():
        name = image.rpartition("/")[2].partition(":")[0]
        if name not in _WITHOUT_IMAGE:
            written.append(write_image(folder / f"{name}-{version}.tar", image, _program(name, version)))
    return written


def _program(name: str, version: str) -> Path:
    if name == "pause":
        return build.pause().folder / name
    return binaries.find(name) if name == "etcd" else programs(version) / name


class KubeadmStage(Stage):
    """The stage of the live tests, on a cluster that kubeadm makes; `made` is that cluster."""

    made: KubeadmCluster

    def __init__(self, folder: Path, archives: list[Path], variables: dict[str, str]) -> None:
        super().__init__(folder)
        self._archives, self._variables = archives, variables

    def make_cluster(self) -> ControlPlane:
        """The cluster, not yet started."""
        self.made = KubeadmCluster(self.folder / "kubeadm", pinned(), self.issuer_url, self._archives, self._variables)
        return cast("ControlPlane", self.made)  # it has all that a stage asks for


@dataclass(slots=True)
class Place:
    """The stage with its nodes."""

    stage: KubeadmStage

    @property
    def cluster(self) -> KubeadmCluster:
        """The cluster."""
        return self.stage.made

    @property
    def nodes(self) -> list[KubeadmNode]:
        """Its control-plane nodes."""
        return self.stage.made.nodes

    def signs_with(self, index: int) -> str:
        """The key ID with which an API server signs now."""
        token = self.cluster.mint_token(index, *PROBE, None)
        return str(jwt.get_unverified_header(token)["kid"])

    def all_sign_with(self, kid: str) -> bool:
        """Whether every API server signs with this key; one that signs nothing yet does not."""
        try:
            return all(self.signs_with(index) == kid for index in range(len(self.nodes)))
        except (ApiError, OSError):
            return False

    def ring(self) -> dict[str, Any]:
        """The status of the SigningKeyRing."""
        found = self.cluster.get("oidc-publisher.io/v1alpha1", "SigningKeyRing", "default")
        status: dict[str, Any] = found.get("status", {})
        return status

    def flags(self, node: KubeadmNode) -> list[str]:
        """The flags about service accounts in the manifest of a node's API server."""
        manifest = yaml.safe_load(node.path("/etc/kubernetes/manifests/kube-apiserver.yaml").read_text())
        return [each for each in manifest["spec"]["containers"][0]["command"] if each.startswith("--service-account-")]

    def version(self, index: int) -> str:
        """The version of an API server."""
        found: str = self.cluster.json("GET", "/version", index=index)["gitVersion"]
        return found

    def pod(self, name: str) -> dict[str, Any]:
        """A pod of kube-system; empty where there is none, or nobody to ask."""
        with contextlib.suppress(ApiError, OSError):
            return self.cluster.get("v1", "Pod", name, "kube-system")
        return {}

    def wait_signing(self, index: int, kid: str, *, timeout_s: float = 120) -> None:
        """Wait until the API server of a node signs with a key."""

        def signs() -> bool:
            with contextlib.suppress(ApiError):
                return self.signs_with(index) == kid
            return False

        wait_for(signs, timeout_s=timeout_s, what=f"{self.nodes[index].name} signs with {kid}")

    def install_rights(self) -> None:
        """What the helm command of the page applies."""
        rights = chart.helm(
            "template", "oidc-publisher", str(chart.CHART), "--namespace=oidc-publisher",
            "--set=managedKeys.enabled=true", "--show-only=templates/managed-keys.yaml",
        )  # fmt: skip
        self.cluster.kubectl("apply", "-f", "-", stdin=rights)


def edited(node: KubeadmNode, *, into: bool) -> None:
    """Edit a node's kubeadm.yaml as the page says, or take that away again."""
    kubeadm_edited(PAGE, node.path("/run/home/kubeadm.yaml"), into=into)


def step(node: KubeadmNode, *headings: str, timeout_s: float = 180) -> str:
    """Type what the page says below some headings."""
    return "".join(node.type(typed(PAGE, heading), timeout_s=timeout_s) for heading in headings)


@contextlib.contextmanager
def made(folder: Path, archive: Path, image: str) -> Iterator[Place]:
    """One node by `kubeadm init`, the operator, and an issuer that is Ready."""
    archives = [*images(folder, pinned()), archive]
    with KubeadmStage(folder, archives, {"IMAGE": image, "NEW": "cp-2"}) as stage:
        place = Place(stage)
        stage.apply_crd()
        stage.cluster.wait_established("signingkeyrings.oidc-publisher.io")
        stage.operator.start()
        stage.cluster.create(stage.issuer(interval="1s", rotation=_PERIODS))
        stage.wait_ready(timeout_s=120)
        yield place
