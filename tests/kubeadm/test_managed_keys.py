"""The pages about managed keys on real kubelets: API servers, etcd and signers as static pods, kubeadm by itself.

One cluster goes the whole way, so that the tests follow each other: into managed keys, a node that joins, a rotation,
other images, a boot, upgrades that forget their patches, an upgrade to the next minor version, and out again.
"""

from __future__ import annotations

import re
import shutil

import pytest

from tests.kubeadm.pauses import pauses
from tests.kubeadm.world import PAGE, Place, edited, images, next_version, programs, step
from tests.support.docpages import DOCS, typed
from tests.support.node.kubeadmcluster import COMMAND_TIMEOUT_S, ENDPOINT, IGNORED
from tests.support.node.kubeadmnode import CommandsFailedError, KubeadmNode
from tests.support.processes import wait_for
from tests.support.strangers import nothing_refused

_IGNORED = f"--ignore-preflight-errors={','.join(IGNORED)}"
#: kubeadm looks for CoreDNS before it upgrades, also where the configuration says that there is none.
_IGNORED_OF_UPGRADE = f"{_IGNORED},CoreDNSUnsupportedPlugins,CoreDNSMigration"
BACKUP = DOCS / "how-to" / "back-up-managed-keys.md"
_REFUSED = "service-account-signing-key-file and service-account-signing-endpoint are mutually exclusive"
#: Shorter than kubeadm's own five minutes; nothing else of an upgrade without --patches is changed.
_FORGETFUL = f"""apiVersion: kubeadm.k8s.io/v1beta4
kind: UpgradeConfiguration
node: {{ignorePreflightErrors: [{", ".join(IGNORED)}]}}
timeouts: {{upgradeManifests: 90s}}
"""


def upgrade_without_patches(node: KubeadmNode) -> str:
    """Upgrade a node to the version that it has; raises CommandsFailedError where kubeadm fails."""
    node.path("/run/home/forgetful.yaml").write_text(_FORGETFUL)
    return node.type("kubeadm upgrade node --config forgetful.yaml", timeout_s=COMMAND_TIMEOUT_S)


def test_a_cluster_moves_to_managed_keys_and_nobody_notices(place: Place) -> None:
    """By the page's own commands: the key ID stays, and no token is refused."""
    node, kid = place.nodes[0], place.signs_with(0)
    place.install_rights()
    with nothing_refused(place.stage, 0):
        step(node, "1. The rights, and the ring", "Its folder", "The settings of kubeadm", "Its credentials")
        step(node, "The static pod")
        assert set(step(node, "Found the ring").split()) == {kid}
        step(node, "Wait for the socket")
        assert "a move changes no key ID" in step(node, "Check before anything is restarted")
        edited(node, into=True)
        step(node, "In the cluster", "A patch on each node")
        with pauses(place.cluster, 0, "the one API server is replaced"):
            step(node, "One API server after the other")
            wait_for(lambda: place.all_sign_with(kid), timeout_s=120, what="it signs again")
        assert f'["{kid}"]' in step(node, "See that nothing has changed")
    assert not any("key-file" in flag for flag in place.flags(node))


def test_a_node_that_joins_signs_with_what_the_others_sign_with(place: Place) -> None:
    """By `kubeadm join --control-plane`, with the signer's manifest in its folder before any kubelet runs."""
    first, kid = place.nodes[0], place.signs_with(0)
    step(first, "Gather what it needs")
    node = place.cluster.add_node()
    shutil.copytree(first.path("/run/home/for-cp-2"), node.path("/run/home"), dirs_exist_ok=True)
    step(node, "On the new node")
    join = first.type("kubeadm token create --print-join-command").strip()
    with nothing_refused(place.stage, 0), pauses(place.cluster, 0, "another node joins"):
        node.type(
            f"{join} --control-plane --certificate-key {place.cluster.certificate_key} --patches /etc/kubernetes/patches"
            f" --apiserver-advertise-address {node.address} {_IGNORED}",
            timeout_s=COMMAND_TIMEOUT_S,
        )
        wait_for(lambda: place.all_sign_with(kid), timeout_s=60, what="both sign")
    assert not any("key-file" in flag for flag in place.flags(node))
    with nothing_refused(place.stage, 0, 1):
        step(node, "Wait for the socket", "Check before anything is restarted")


def test_it_rotates(place: Place) -> None:
    """Both signers, of which one joined, change to version 2."""
    with nothing_refused(place.stage, 0, 1):
        step(place.nodes[0], "On demand")
        wait_for(
            lambda: [each.get("version") for each in place.ring().get("signers", ())] == ["2", "2"],
            timeout_s=120,
            what="every signer signs with version 2",
        )


def test_another_image_of_the_signer_costs_no_token(place: Place) -> None:
    """By the page's stand-in; and by the manifest alone, where kubelet lets calls wait."""
    node = place.nodes[0]
    image = node.type("echo $IMAGE").strip()
    other = f"{image.rpartition(':')[0]}:other"
    node.ctr("images", "tag", image, other)
    with nothing_refused(place.stage, 0, 1), pauses(place.cluster, 0, "another image by the manifest alone") as alone:
        step(node, "Wait for the socket")
        node.type(
            f"""sed "s|image: .*|image: {other}|" {_MANIFEST} > /etc/kubernetes/next.yaml
            mv /etc/kubernetes/next.yaml {_MANIFEST}"""
        )
        wait_for(lambda: _runs(place, other), timeout_s=120, what="the other image runs")
        step(node, "Wait for the socket")
    with nothing_refused(place.stage, 0, 1), pauses(place.cluster, 0, "another image with a stand-in") as stood_in:
        step(node, "Another image of the signer")
        wait_for(lambda: _runs(place, image), timeout_s=120, what="the first image runs again")
    assert not alone.failed
    assert not stood_in.failed
    assert stood_in.longest_s < alone.longest_s


_MANIFEST = "/etc/kubernetes/manifests/oidc-publisher-signer.yaml"


def _runs(place: Place, image: str) -> bool:
    """Whether the signer's pod on the first node has an image, and runs."""
    pod = place.pod("oidc-publisher-signer-cp-1")
    if not pod or pod["spec"]["containers"][0]["image"] != image:
        return False
    return all(each["ready"] for each in pod["status"].get("containerStatuses") or [{"ready": False}])


def test_a_signer_that_is_killed_comes_back_by_its_kubelet(place: Place) -> None:
    """What was asked at that moment is answered by an error; everything after waits, the second time for longer."""
    node = place.nodes[1]
    for time in ("first", "second"):
        with nothing_refused(place.stage, 0, 1), pauses(place.cluster, 1, f"killed for the {time} time") as asked:
            node.type(f'kill -9 "$(pgrep -o -f "signer run --node={node.name}")"')
            step(node, "Wait for the socket")
        assert sum(asked.failed.values()) <= 1


def test_a_signer_is_started_again_by_its_manifest(place: Place) -> None:
    """By the commands of the page about backups: the manifest is gone for two seconds, and comes back as it was."""
    node = place.nodes[0]
    before = _container(place)
    with nothing_refused(place.stage, 0, 1), pauses(place.cluster, 0, "a manifest that was away") as asked:
        node.type(typed(BACKUP, "Start the signer again"))
        wait_for(lambda: _container(place) not in {"", before}, timeout_s=120, what="another container runs")
        step(node, "Wait for the socket")
    assert not asked.failed


def _container(place: Place) -> str:
    """The container of the signer on the first node; empty where none runs."""
    status = place.pod("oidc-publisher-signer-cp-1").get("status", {})
    return next((each.get("containerID", "") for each in status.get("containerStatuses", ()) if each["ready"]), "")


def test_a_node_boots_with_its_signer(place: Place) -> None:
    """API server, etcd and signer start at once from their manifests, with nothing that runs to ask."""
    node, kid = place.nodes[1], place.signs_with(0)
    node.type("systemctl stop kubelet")
    node.kill_containers()
    node.type("systemctl start kubelet")
    wait_for(lambda: place.all_sign_with(kid), timeout_s=240, what="both sign with the key of before")


def test_a_forgotten_patch_fails_and_kubeadm_puts_the_manifest_back(place: Place) -> None:
    """The new manifest never runs, the former one does, and the page has kubeadm's last words."""
    node, kid = place.nodes[1], place.signs_with(0)
    before = place.flags(node)
    with nothing_refused(place.stage, 0, 1):
        with pytest.raises(CommandsFailedError) as caught:
            upgrade_without_patches(node)
        wait_for(lambda: place.all_sign_with(kid), timeout_s=240, what="both sign with the key of before")
    said = re.search(
        r"static Pod hash for component kube-apiserver on Node \S+ did not change after", str(caught.value)
    )
    assert said
    assert said[0].replace(node.name, "NODE") in PAGE.read_text().replace("cp-2", "NODE")
    assert place.flags(node) == before


def test_a_forgotten_patch_is_found_where_kubeadm_does_not_notice(place: Place) -> None:
    """Where the kubelet asks another API server, kubeadm says that all is well, and its own does not start."""
    node, kid = place.nodes[1], place.signs_with(0)
    node.type(
        f"sed -i 's|server: .*|server: https://{ENDPOINT}|' /etc/kubernetes/kubelet.conf; systemctl restart kubelet"
    )
    with nothing_refused(place.stage, 0):
        assert "was successfully upgraded" in upgrade_without_patches(node)
        with pytest.raises(CommandsFailedError, match="kube-apiserver does not start"):
            step(node, "Check before anything is restarted")
        logs = "cat /var/log/pods/kube-system_kube-apiserver-*/kube-apiserver/*.log"
        wait_for(lambda: _REFUSED in node.type(logs), timeout_s=60, what="the log says why")
    assert next(line for line in PAGE.read_text().splitlines() if line.startswith(_REFUSED))
    step(node, "If the patches were forgotten")
    wait_for(lambda: place.all_sign_with(kid), timeout_s=240, what="both sign with the key of before")
    step(node, "Check before anything is restarted")


def _agrees(node: KubeadmNode) -> bool:
    """Whether `signer check` ends well; an API server that has just started cannot be asked for everything yet."""
    try:
        step(node, "Check before anything is restarted")
    except CommandsFailedError as error:
        if "Something does not work" in str(error):
            raise
        return False
    return True


def test_an_upgrade_to_the_next_version_with_its_patches_refuses_no_token(place: Place) -> None:
    """`upgrade apply` on the first node, `upgrade node` on the second, each by the next version's kubeadm."""
    kid, version = place.signs_with(0), next_version()
    patched = "--patches /etc/kubernetes/patches"
    assert f"kubeadm upgrade node {patched}" in PAGE.read_text()
    assert f"kubeadm upgrade apply v1.X.Y {patched}" in PAGE.read_text()
    for node in place.nodes:
        for archive in images(place.stage.folder, version):
            node.ctr("images", "import", "--no-unpack", archive)
        node.install("kubeadm", programs(version) / "kubeadm")
    verbs = (f"apply v{version} --yes", "node")
    with nothing_refused(place.stage, 0, 1):
        for index, (node, verb) in enumerate(zip(place.nodes, verbs, strict=True)):
            with pauses(place.cluster, index, f"upgrade {verb}"):
                node.type(f"kubeadm upgrade {verb} {patched} {_IGNORED_OF_UPGRADE}", timeout_s=2 * COMMAND_TIMEOUT_S)
                wait_for(lambda: place.all_sign_with(kid), timeout_s=240, what="both sign with the key of before")
            wait_for(lambda n=node: _agrees(n), timeout_s=60, what="signer check finds that all agrees")  # type: ignore[misc]
    assert [place.version(index) for index in range(2)] == [f"v{version}"] * 2
    assert not any("key-file" in flag for node in place.nodes for flag in place.flags(node))


def _by_the_image(commands: str) -> str:
    """The commands of the page with the image's in place of the program's."""
    changed = re.sub(
        r"^oidc-publisher signer export .*\n",
        lambda _: typed(PAGE, "Where the node has no `oidc-publisher`"),
        commands,
        flags=re.MULTILINE,
    )
    assert changed != commands
    return changed


def test_a_cluster_leaves_managed_keys_and_nobody_notices(place: Place) -> None:
    """By the page's own commands: the key that signs stays, in files."""
    kid, (first, second) = place.signs_with(0), place.nodes
    with nothing_refused(place.stage, 0, 1):
        step(first, "Hold still")
        step(first, "The keys as files")
        second.type(_by_the_image(typed(PAGE, "The keys as files")))
        step(first, "The settings of kubeadm")
        edited(first, into=False)
        step(first, "The cluster without the socket")
        step(second, "The settings of kubeadm")
        for index, node in enumerate((first, second)):
            with pauses(place.cluster, index, f"{node.name} leaves"):
                step(node, "One API server after the other again")
    assert place.all_sign_with(kid)
    step(first, "Without the ring")
    place.stage.wait_ready(timeout_s=120)
