"""The signer's pod from the page about managed keys, by a real kubelet and with the operator's own image."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.ownworld import OwnKeys
from tests.e2e.world import World
from tests.support.chart import CHART
from tests.support.docpages import DOCS, typed
from tests.support.grpcclient import GrpcClient

pytestmark = pytest.mark.own_node

PAGE = DOCS / "how-to" / "managed-keys-kubeadm.md"
USER = 65532
_MANIFEST = "/etc/kubernetes/manifests/oidc-publisher-signer.yaml <<EOT\n"


@pytest.fixture
def rights(world: World) -> Iterator[str]:
    """The Secret and the rights of the signers from the chart, and a ring."""
    shown = [f"--show-only=templates/{name}.yaml" for name in ("crd-signingkeyrings", "managed-keys")]
    values = f"--values={world.values(managedKeys={'enabled': True})}"
    objects = world.cluster.helm("template", "oidc-publisher", CHART, values, *shown)
    world.cluster.kubectl("apply", "-f", "-", stdin=objects)
    world.cluster.kubectl("wait", "--for=condition=Established", "crd/signingkeyrings.oidc-publisher.io")
    ring = typed(PAGE, "1. The rights, and the ring").partition("<<'EOT'\n")[2].partition("\nEOT\n")[0]
    world.cluster.kubectl("apply", "-f", "-", stdin=ring)
    yield objects
    world.cluster.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=objects, timeout_s=120)


def _own(path: Path, content: bytes | None = None) -> Path:
    """Make a file, or a folder, of the signer's user alone."""
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    path.chmod(0o700 if content is None else 0o400)
    os.chown(path, USER, USER)
    return path


@pytest.fixture
def folder(world: World, tmp_path: Path) -> Path:
    """What is /var/lib/oidc-publisher on a node."""
    assert isinstance(world.keys, OwnKeys)
    plane = world.keys.plane
    certificate = plane.pki.client("oidc-publisher:signer:cp-1", ("oidc-publisher:signers",))
    credentials = {"client-certificate": certificate.chain_file, "client-key": certificate.key_file}
    user = {f"{name}-data": base64.b64encode(file.read_bytes()).decode() for name, file in credentials.items()}
    kubeconfig = json.loads(plane.write_kubeconfig(tmp_path / "signer.conf", 0, user).read_text())
    cluster = kubeconfig["clusters"][0]["cluster"]
    cluster["certificate-authority-data"] = base64.b64encode(
        Path(cluster.pop("certificate-authority")).read_bytes()
    ).decode()
    own = _own(tmp_path / "own")
    for name in ("state", "socket"):
        _own(own / name)
    _own(own / "kubeconfig", json.dumps(kubeconfig).encode())
    _own(own / "wrapping.key", plane.configs[0].signing_key.private_pem)
    return own


def _pod(image: str, folder: Path) -> dict[str, Any]:
    """The pod of the page for another folder of the node; it founds the ring, as the page says of one node."""
    text = typed(PAGE, "The static pod").partition(_MANIFEST)[2].partition("\nEOT\n")[0]
    pod: dict[str, Any] = yaml.safe_load(text.replace("$NODE", "cp-1").replace("$IMAGE", image))
    pod["spec"]["volumes"][0]["hostPath"]["path"] = str(folder)
    pod["spec"]["containers"][0]["args"].append("--import-key=/var/lib/oidc-publisher/wrapping.key")
    return pod


@pytest.mark.usefixtures("rights")
async def test_the_pod_of_the_page_signs(world: World, folder: Path) -> None:
    """As user 65532, without a capability and on a root that it cannot write to: the socket is there, and answers."""
    pod, socket = _pod(world.image, folder), folder / "socket" / "signer.sock"
    name = f"pod/{pod['metadata']['name']}"
    world.cluster.apply(pod)
    try:
        world.cluster.wait_for(socket.is_socket, what="the socket is there", timeout_s=90)
        for file in (socket, folder / "state" / "ring.json"):
            status = file.stat()
            assert (status.st_mode & 0o777, status.st_uid) == (0o600, USER)
        async with GrpcClient.connected(socket) as client:
            reply = await client.call("FetchKeys")
        assert reply.status == 0
        assert isinstance(world.keys, OwnKeys)
        assert world.keys.plane.configs[0].signing_key.kid.encode() in reply.message
        said = world.cluster.kubectl("logs", name, "-n", "kube-system")
        assert "Tokens are signed with version 1" in said
    finally:
        world.cluster.kubectl("delete", name, "-n", "kube-system", "--wait", timeout_s=120)
