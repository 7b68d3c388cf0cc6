"""A cluster that kubeadm itself makes: `kubeadm init` on the first node, and static pods by real kubelets."""

from __future__ import annotations

import base64
import json
import secrets
import ssl
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.support import binaries
from tests.support.adminapi import AdminApi
from tests.support.loadbalancer import LoadBalancer
from tests.support.node import settings
from tests.support.node.kubeadmnode import API_PORT, OUTSIDE, KubeadmNode
from tests.support.startable import Startable

ENDPOINT = f"{OUTSIDE}:{API_PORT}"
REPOSITORY = "localhost/kubeadm"
#: What kubeadm says of this machine, and of its name server, but not of the node.
IGNORED = ("SystemVerification", "Swap", "Mem", "NumCPU", "Hostname")
COMMAND_TIMEOUT_S = 420.0
#: Settings of the other nodes that kubeadm writes itself; and those that make a kubelet faster than it is.
_KUBEADMS_OR_DEFAULT = (
    "address", "authentication", "authorization", "cgroupRoot", "clusterDNS", "staticPodPath", "configMapAndSecretChangeDetectionStrategy",
    "crashLoopBackOff", "nodeStatusUpdateFrequency", "syncFrequency",
)  # fmt: skip


class KubeadmCluster(AdminApi, Startable):
    """One to two nodes behind a load balancer; `issuer` is the service-account-issuer of the API servers."""

    admin_token = ""  # the admin has a client certificate

    def __init__(
        self, folder: Path, version: str, issuer: str, archives: Sequence[Path], variables: Mapping[str, str]
    ) -> None:
        super().__init__()
        self.folder, self.version, self.issuer = folder, version, issuer
        self.archives, self.variables = archives, variables
        self.nodes: list[KubeadmNode] = []
        self.certificate_key = secrets.token_hex(32)
        self.balancer = LoadBalancer((OUTSIDE, API_PORT), ())
        self._admin_tls: ssl.SSLContext | None = None

    def start(self) -> None:
        """Make the first node, and type `kubeadm init` there."""
        try:
            node = self.add_node()
            self.balancer.start()
            node.path("/run/home/init.yaml").write_text(yaml.safe_dump_all(self._configuration(node), sort_keys=False))
            node.type(
                "kubeadm init --config init.yaml --upload-certs; kubectl get --raw /readyz", timeout_s=COMMAND_TIMEOUT_S
            )
            self._admin_tls = _client_context(self.admin_kubeconfig())
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all nodes."""
        self.balancer.stop()
        for node in reversed(self.nodes):
            node.stop()

    def add_node(self) -> KubeadmNode:
        """Start the next node, which is no part of the cluster before kubeadm is typed there."""
        node = KubeadmNode(self.folder, len(self.nodes) + 1, self.archives, self.variables)
        self.nodes.append(node)
        node.start()
        self.balancer.targets.append((node.address, API_PORT))
        return node

    def admin_kubeconfig(self) -> Path:
        """The admin's kubeconfig, which leads through the load balancer."""
        target = self.folder / "admin.conf"
        if not target.exists():
            target.write_bytes(self.nodes[0].path("/etc/kubernetes/admin.conf").read_bytes())
            target.chmod(0o600)
        return target

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout_s: float = 60) -> str:
        """Run the real kubectl as admin and return what it printed.

        Raises AssertionError.
        """
        argv = [str(binaries.find("kubectl")), f"--kubeconfig={self.admin_kubeconfig()}", *arguments]
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, timeout=timeout_s)
        if done.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)}: exit code {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def _configuration(self, node: KubeadmNode) -> list[dict[str, Any]]:
        ours = {"kubeadm.k8s.io/v1beta4": ("InitConfiguration", "ClusterConfiguration")}
        (version, (init, cluster)) = next(iter(ours.items()))
        return [
            {
                "apiVersion": version,
                "kind": init,
                "localAPIEndpoint": {"advertiseAddress": node.address, "bindPort": API_PORT},
                "nodeRegistration": {"name": node.name, "ignorePreflightErrors": list(IGNORED)},
                "certificateKey": self.certificate_key,
            },
            {
                "apiVersion": version,
                "kind": cluster,
                "kubernetesVersion": f"v{self.version}",
                "imageRepository": REPOSITORY,
                "controlPlaneEndpoint": ENDPOINT,
                "networking": {"serviceSubnet": settings.SERVICE_NETWORK},
                "dns": {"disabled": True},
                "proxy": {"disabled": True},
                "apiServer": {"extraArgs": [{"name": "service-account-issuer", "value": self.issuer}]},
                # The default is below the machine's own /usr.
                "controllerManager": {
                    "extraArgs": [{"name": "flex-volume-plugin-dir", "value": "/var/lib/volume-plugins"}]
                },
            },
            _kubelet_configuration(),
        ]

    def _origins(self, index: int | None) -> list[tuple[str, int]]:
        chosen = self.nodes if index is None else [self.nodes[index]]
        return [(node.address, API_PORT) for node in chosen]

    def _tls(self) -> ssl.SSLContext:
        if self._admin_tls is None:
            raise RuntimeError("kubeadm has made no cluster yet")
        return self._admin_tls


def _kubelet_configuration() -> dict[str, Any]:
    """What the nodes of the other tests have, but for what kubeadm sets itself."""
    configuration: dict[str, Any] = json.loads(settings.kubelet("", Path("/")))
    for own in (
        "address",
        "authentication",
        "authorization",
        "cgroupRoot",
        "staticPodPath",
        "clusterDNS",
        "resolvConf",
    ):
        del configuration[own]
    return configuration | {"containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock", "resolvConf": ""}


def _client_context(kubeconfig: Path) -> ssl.SSLContext:
    """The cluster's authority, and the admin's certificate, of a kubeconfig that holds both."""
    document = yaml.safe_load(kubeconfig.read_text())
    user, cluster = document["users"][0]["user"], document["clusters"][0]["cluster"]
    decoded = {name: base64.b64decode(value) for name, value in (user | cluster).items() if name.endswith("-data")}
    context = ssl.create_default_context(cadata=decoded["certificate-authority-data"].decode())
    chain = kubeconfig.with_suffix(".pem")
    chain.write_bytes(decoded["client-certificate-data"] + decoded["client-key-data"])
    chain.chmod(0o600)
    context.load_cert_chain(chain)
    return context
