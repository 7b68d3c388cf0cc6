"""The commands of the pages about managed keys, as they stand there: kubeadm's own, on nodes of two and three API servers.

One cluster goes the whole way, so that the tests follow each other: into managed keys, an upgrade that forgets its
patches, a node that joins, lost keys, and out again. Verifiers of other hands refuse nothing meanwhile.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jwt
import pytest
import yaml

from hack.testbed import build
from hack.testbed.cache import CannotBuildError
from tests.support import binaries, chart, namespace
from tests.support.adminapi import ApiError
from tests.support.apiserver import ApiServer
from tests.support.binaries import NotBuiltError
from tests.support.controlplanenode import CommandsFailedError, ControlPlaneNode
from tests.support.docpages import DOCS, blocks, kubeadm_edited, typed
from tests.support.processes import wait_for
from tests.support.signerprocess import SECRET
from tests.support.stage import STAGE_PORT, Stage
from tests.support.strangers import nothing_refused

KUBEADM = DOCS / "how-to" / "managed-keys-kubeadm.md"
SYSTEMD = DOCS / "how-to" / "signer-with-systemd.md"
BACKUP = DOCS / "how-to" / "back-up-managed-keys.md"
IMAGE = "registry.example.com/oidc-publisher@sha256:" + "0" * 64

#: Each test restarts API servers and runs kubeadm a dozen times, which takes a minute on a busy machine.
pytestmark = pytest.mark.timeout(300)


@dataclass(slots=True)
class Place:
    """The cluster, and its control-plane nodes: the first has a static pod, the second a systemd unit."""

    stage: Stage
    nodes: list[ControlPlaneNode]
    folder: Path

    def signs_with(self, index: int) -> str:
        """The key ID with which an API server signs now."""
        token = self.stage.cluster.mint_token(index, "default", "probe", None)
        return str(jwt.get_unverified_header(token)["kid"])

    def all_sign_with(self, kid: str) -> bool:
        """Whether every API server signs with this key; one that signs nothing yet does not."""
        try:
            return all(self.signs_with(node.index) == kid for node in self.nodes)
        except ApiError:
            return False

    def ring(self) -> dict[str, Any]:
        """The status of the SigningKeyRing."""
        status: dict[str, Any] = self.stage.cluster.get("oidc-publisher.io/v1alpha1", "SigningKeyRing", "default").get(
            "status", {}
        )
        return status


def _cluster_configuration(stage: Stage) -> dict[str, Any]:
    """What kubeadm keeps of a cluster whose issuer was set as docs/platforms/kubeadm.md says."""
    return {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "kubernetesVersion": f"v{build.kubernetes().version}",
        "controlPlaneEndpoint": stage.cluster.addresses[0],
        "networking": {"serviceSubnet": "10.96.0.0/16", "dnsDomain": "cluster.local"},
        "apiServer": {"extraArgs": [{"name": "service-account-issuer", "value": stage.issuer_url}]},
    }


def _node(place: Place, root: Path, index: int, name: str) -> ControlPlaneNode:
    """A node as kubeadm leaves it, whose API server runs with key files by its manifest."""
    stage = place.stage
    variables = {
        "KUBECONFIG": "/etc/kubernetes/admin.conf",
        "KUBECACHEDIR": str(place.folder / "kubectl-cache"),
        "IMAGE": IMAGE,
        "BACKUP": str(place.folder / "backup"),
        "NEW": "cp-3",
    }
    log = place.folder / f"signer-{name}.log"
    node = ControlPlaneNode(name, root / name, log, stage.cluster, index, variables)
    pki = node.path("/etc/kubernetes/pki")
    pki.mkdir(parents=True)
    for file, content in {
        "ca.crt": stage.pki.ca_pem,
        "ca.key": stage.pki.ca_key_pem,
        "sa.key": stage.key.private_pem,
        "sa.pub": stage.key.public_pem,
    }.items():
        (pki / file).write_bytes(content)
    stage.cluster.admin_kubeconfig(node.path("/etc/kubernetes/admin.conf"))
    node.path("/etc/systemd/system").mkdir(parents=True, exist_ok=True)
    return node


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Two nodes with key files, the operator, and an issuer that is Ready."""
    try:
        binaries.find("kubeadm")
    except (NotBuiltError, CannotBuildError) as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("howto")
    with (
        tempfile.TemporaryDirectory(prefix="cp-") as roots,
        Stage(folder, servers=2) as stage,
        contextlib.ExitStack() as ending,
    ):
        stage.apply_crd()
        stage.cluster.wait_established("signingkeyrings.oidc-publisher.io")
        configuration = {"ClusterConfiguration": yaml.safe_dump(_cluster_configuration(stage), sort_keys=False)}
        metadata = {"name": "kubeadm-config", "namespace": "kube-system"}
        stage.cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": configuration})
        place = Place(stage, [], folder)
        for index, name in enumerate(("cp-1", "cp-2")):
            node = _node(place, Path(roots), index, name)
            node.type(typed(KUBEADM, "The settings of kubeadm"))
            node.type("kubeadm init phase control-plane apiserver --config kubeadm.yaml")
            ending.enter_context(node.kubelet())
            place.nodes.append(node)
        stage.operator.start()
        stage.cluster.create_service_account("default", "default")  # a controller manager makes it elsewhere
        periods = {"prePublishPeriod": "5s", "maxTokenLifetime": "24h", "clockSkew": "1s"}
        stage.cluster.create(stage.issuer(interval="1s", rotation=periods))
        stage.wait_ready(timeout_s=90)
        yield place


def _signs_by_its_signer(node: ControlPlaneNode) -> bool:
    flags = node.cluster.configs[node.index].account_flags or ()
    return any("signing-endpoint" in flag for flag in flags) and not any("key-file" in flag for flag in flags)


def test_a_cluster_moves_to_managed_keys_and_nobody_notices(place: Place) -> None:
    """By the page's own commands: the key ID stays, and no token is refused."""
    stage, (first, second) = place.stage, place.nodes
    rights = chart.helm(
        "template", "oidc-publisher", str(chart.CHART), "--namespace=oidc-publisher", "--set=managedKeys.enabled=true",
        "--show-only=templates/managed-keys.yaml",
    )  # fmt: skip
    stage.cluster.kubectl("apply", "-f", "-", stdin=rights)
    with nothing_refused(stage):
        first.type(typed(KUBEADM, "1. The rights, and the ring"))
        for node in (first, second):
            node.type(typed(KUBEADM, "Its folder") + typed(KUBEADM, "Its credentials"))
        first.type(typed(KUBEADM, "The static pod"))
        printed = first.type(typed(KUBEADM, "Found the ring")).split()
        assert printed == [stage.key.kid, stage.key.kid]
        second.type(typed(SYSTEMD, "The unit"))
        first.type(typed(KUBEADM, "Wait for the socket"))
        checked = [node.type(typed(KUBEADM, "Check before anything is restarted")) for node in (first, second)]
        kubeadm_edited(KUBEADM, first.path("/root/kubeadm.yaml"), into=True)
        first.type(typed(KUBEADM, "In the cluster"))
        second.type(typed(KUBEADM, "The settings of kubeadm"))
        for node in (first, second):
            patch = node.type(typed(KUBEADM, "A patch on each node"))
            assert "test" in patch
            node.type(typed(KUBEADM, "One API server after the other"))
            wait_for(lambda n=node: _signs_by_its_signer(n), timeout_s=30, what="the manifest has the socket alone")  # type: ignore[misc]
        printed_last = first.type(typed(KUBEADM, "See that nothing has changed"))
    assert f'["{stage.key.kid}"]' in printed_last
    assert all("a move changes no key ID" in said for said in checked)
    assert place.all_sign_with(stage.key.kid)
    assert [first.failed, second.failed] == ["", ""]


def test_kubernetes_and_kubeadm_take_what_the_page_shows(place: Place) -> None:
    """The static pod as the API server holds it against its rules, strictly; and the settings of an upgrade."""
    node = place.nodes[0]
    manifest = node.path("/etc/kubernetes/manifests/oidc-publisher-signer.yaml").read_text()
    place.stage.cluster.create_service_account("kube-system", "default")  # a controller manager makes it elsewhere
    place.stage.cluster.kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=manifest)
    block = next(block for block in blocks(KUBEADM, "yaml") if "UpgradeConfiguration" in block.text)
    node.path("/root/upgrade.yaml").write_text(block.text)
    node.type("kubeadm config validate --config upgrade.yaml")


def test_the_patch_is_what_the_page_shows(place: Place) -> None:
    """But for the places, which follow from what else is set."""
    shown = next(block for block in blocks(KUBEADM, "yaml") if block.text.startswith("- {op: test"))
    made = yaml.safe_load(place.nodes[0].path("/etc/kubernetes/patches/kube-apiserver9+json.yaml").read_text())
    assert [(each["op"], each.get("value")) for each in made] == [
        (each["op"], each.get("value")) for each in yaml.safe_load(shown.text)
    ]


def test_it_rotates_by_the_command_of_the_page(place: Place) -> None:
    """The next version signs everywhere, and version 1 stays for tokens of Secrets."""
    # Signers destroy nothing on evidence from before their start. Without a change the proof is dated anew in 5 minutes.
    place.stage.cluster.kubectl(
        "patch", "oidcissuer", "prod", "--type=merge", "-p", '{"spec": {"probe": {"timeout": "3s"}}}'
    )
    place.stage.wait_ready(timeout_s=60)
    with nothing_refused(place.stage):
        place.nodes[0].type(typed(KUBEADM, "On demand"))
        wait_for(
            lambda: [each.get("version") for each in place.ring().get("signers", ())] == ["2", "2"],
            timeout_s=90,
            what="every signer signs with version 2",
        )
    place.nodes[0].type(typed(KUBEADM, "By period"))
    wait_for(
        lambda: (
            [(v["version"], v["state"]) for v in place.ring()["versions"]] == [("2", "Signing"), ("1", "VerifyOnly")]
        ),
        timeout_s=60,
        what="version 1 only verifies",
    )


def test_the_imported_key_is_released_by_the_command_of_the_page(place: Place) -> None:
    """It goes on verifying meanwhile: tokens of it may live for a day."""
    place.nodes[0].type(typed(KUBEADM, "Without the imported key"))
    ring = place.stage.cluster.get("oidc-publisher.io/v1alpha1", "SigningKeyRing", "default")
    assert ring["spec"]["trimBefore"] == "2"
    assert ("1", "VerifyOnly") in [(each["version"], each["state"]) for each in ring["status"]["versions"]]


def test_an_upgrade_that_forgets_the_patches_fails_loudly(place: Place) -> None:
    """What kubeadm itself writes without them ends with a sentence that says why, and the other API server goes on."""
    node, page = place.nodes[1], KUBEADM.read_text()
    kid = place.signs_with(0)
    node.type("sed '/^patches:/d' kubeadm.yaml > forgotten.yaml")
    node.type("kubeadm init phase control-plane apiserver --config forgotten.yaml")
    wait_for(lambda: node.failed != "", timeout_s=60, what="the API server ends")
    said = next(line for line in node.failed.splitlines() if "mutually exclusive" in line)
    assert next(line for line in page.splitlines() if line in said and "mutually exclusive" in line)
    assert place.signs_with(0) == kid
    node.type("kubeadm init phase control-plane apiserver --config kubeadm.yaml")
    wait_for(lambda: node.failed == "" and place.signs_with(1) == kid, timeout_s=60, what="it is back")


def test_a_patch_for_other_places_is_refused_by_kubeadm(place: Place) -> None:
    """A release that writes the flags elsewhere changes nothing, and says so as the page does."""
    node = place.nodes[0]
    before = node.path("/etc/kubernetes/manifests/kube-apiserver.yaml").read_text()
    patch = node.path("/etc/kubernetes/patches/kube-apiserver9+json.yaml")
    patch.write_text(re.sub(r"command/(\d+)", lambda place: f"command/{int(place[1]) - 1}", patch.read_text()))
    with pytest.raises(CommandsFailedError) as caught:
        node.type("kubeadm init phase control-plane apiserver --config kubeadm.yaml")
    for words in ("could not apply the following patch", "testing value"):
        assert words in str(caught.value)
        assert f"`{words}`" in KUBEADM.read_text()
    assert node.path("/etc/kubernetes/manifests/kube-apiserver.yaml").read_text() == before
    node.type(typed(KUBEADM, "A patch on each node"))


def test_a_node_that_joins_signs_with_what_the_others_sign_with(place: Place) -> None:
    """From its first token on, and not with sa.key, which kubeadm brings; the others take its tokens."""
    stage, first = place.stage, place.nodes[0]
    kid = place.signs_with(0)
    first.type(typed(KUBEADM, "Gather what it needs"))
    server = ApiServer(
        stage.cluster.folder / "kube-apiserver-2",
        namespace.SERVER_ADDRESSES[2],
        STAGE_PORT,
        stage.cluster.servers[0].cluster,
    )
    stage.cluster.servers.append(server)
    node = _node(place, first.root.parent, 2, "cp-3")
    shutil.copytree(first.path("/root/for-cp-3"), node.path("/root"), dirs_exist_ok=True)
    node.type(typed(KUBEADM, "On the new node"))
    node.type(typed(KUBEADM, "The settings of kubeadm"))
    node.type("kubeadm init phase control-plane apiserver --config kubeadm.yaml")  # as `kubeadm join` does
    stage.cluster.configs.append(replace(stage.config(), account_flags=node.account_flags()))
    with node.kubelet():
        node.type(typed(KUBEADM, "Wait for the socket"))
        with nothing_refused(stage, 0, 1, 2):
            stage.cluster.start_server(2)
            assert place.signs_with(2) == kid
            wait_for(
                lambda: {each["node"]: each.get("version") for each in place.ring()["signers"]}.get("cp-3") == "2",
                timeout_s=30,
                what="the ring names the new signer",
            )
            time.sleep(0.5)
        stage.cluster.kill(2)
    stage.cluster.servers.pop()
    stage.cluster.configs.pop()


def test_a_deleted_secret_is_filled_again(place: Place) -> None:
    """By the page's command, because signers may not make one."""
    before = set(place.stage.cluster.get("v1", "Secret", SECRET[1], SECRET[0])["data"])
    place.nodes[0].type(typed(BACKUP, "Back up"))
    with nothing_refused(place.stage):
        place.stage.cluster.kubectl("delete", "secret", SECRET[1], "-n", SECRET[0])
        place.nodes[0].type(typed(BACKUP, "The Secret was deleted"))
    assert set(place.stage.cluster.get("v1", "Secret", SECRET[1], SECRET[0])["data"]) == before


def test_everything_is_restored_from_one_file(place: Place) -> None:
    """Both disks and the Secret are gone; the key that signs is the same one."""
    stage, (first, second) = place.stage, place.nodes
    kid = place.signs_with(0)
    manifest = first.path("/etc/kubernetes/manifests/oidc-publisher-signer.yaml")
    unit = second.path("/etc/systemd/system/oidc-publisher-signer.service")
    aside = [(path, path.read_text()) for path in (manifest, unit)]
    for path, _ in aside:
        path.unlink()
    wait_for(lambda: first.signer is None and second.signer is None, timeout_s=30, what="both signers are gone")
    for node in (first, second):
        for file in node.path("/var/lib/oidc-publisher/state").iterdir():
            file.unlink()
        node.path("/var/lib/oidc-publisher/socket/signer.sock").unlink()
    stage.cluster.kubectl("patch", "secret", SECRET[1], "-n", SECRET[0], "--type=merge", "-p", '{"data": null}')
    for path, content in aside:
        path.write_text(content)
    first.type(typed(BACKUP, "Everything is lost"))
    first.type(typed(BACKUP, "Start the signer again"))
    second.type(typed(KUBEADM, "Wait for the socket"))
    wait_for(lambda: place.all_sign_with(kid), timeout_s=90, what="both sign with the key of before")


def test_a_cluster_leaves_managed_keys_and_nobody_notices(place: Place) -> None:
    """By the page's own commands: the key that signs stays, in files, and tokens of version 1 live on."""
    stage, (first, second) = place.stage, place.nodes
    kid = place.signs_with(0)
    assert kid != stage.key.kid
    with nothing_refused(stage):
        first.type(typed(KUBEADM, "Hold still"))
        for node in (first, second):
            node.type(typed(KUBEADM, "The keys as files"))
        first.type(typed(KUBEADM, "The settings of kubeadm"))
        kubeadm_edited(KUBEADM, first.path("/root/kubeadm.yaml"), into=False)
        first.type(typed(KUBEADM, "The cluster without the socket"))
        second.type(typed(KUBEADM, "The settings of kubeadm"))
        switch = typed(KUBEADM, "One API server after the other again")
        pod = "rm /etc/kubernetes/manifests/oidc-publisher-signer.yaml\n"
        assert switch.endswith(pod)
        first.type(switch)
        second.type(switch.removesuffix(pod))
        second.path("/etc/systemd/system/oidc-publisher-signer.service").unlink()
    assert place.all_sign_with(kid)
    assert (
        first.path("/etc/kubernetes/pki/sa.key").read_bytes() == second.path("/etc/kubernetes/pki/sa.key").read_bytes()
    )
    first.type(typed(KUBEADM, "Without the ring"))
    stage.wait_ready(timeout_s=60)
    assert [first.failed, second.failed] == ["", ""]
