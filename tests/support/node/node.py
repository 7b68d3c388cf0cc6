"""Run a cluster of one node, two API servers and real pods, which is up within seconds and leaves nothing behind."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hack.testbed import build, debian
from hack.testbed import node as testbed
from hack.testbed.cache import CannotBuildError
from tests.support import binaries
from tests.support.controlplane import ControlPlane
from tests.support.namespace import NODE_ADDRESS
from tests.support.node import cgroups, settings
from tests.support.node.images import PAUSE_IMAGE, write_image
from tests.support.node.sandbox import STATE, Sandbox
from tests.support.processes import accepts_connections, wait_for
from tests.support.startable import Startable

if TYPE_CHECKING:
    from tests.support.apiserver import ServerConfig
    from tests.support.pki import PKI
    from tests.support.processes import Process

NODE_READY_TIMEOUT_S = 90.0
_HOSTS = STATE / "hosts"


def why_not() -> str:
    """Return why no node can run here; nothing where it can."""
    if os.geteuid() != 0:
        return "a node needs root: control groups cannot be written in a user namespace"
    try:
        lacking = [part for part in (build.node(), build.pause()) if part.missing()]
    except CannotBuildError as error:
        return str(error)
    if lacking or not testbed.unpacked("node").is_dir():
        return "the programs of a node are not there: run `make e2e`, or `python3 hack/testbed/node.py`"
    return ""


class NodeCluster(Startable):
    """Two API servers with a node; `hosts` are names that pods resolve, `archives` images that the node has."""

    def __init__(
        self,
        folder: Path,
        pki: PKI,
        configs: Sequence[ServerConfig],
        *,
        hosts: Mapping[str, str],
        archives: Sequence[Path],
    ) -> None:
        self.folder = folder
        self.pki = pki
        self.root = testbed.unpacked("node")
        self.archives = [
            write_image(_made(folder) / "pause.tar", PAUSE_IMAGE, build.pause().folder / "pause"),
            *archives,
        ]
        self.hosts = {
            "kubernetes.default.svc": "10.96.0.1",
            "kubernetes.default.svc.cluster.local": "10.96.0.1",
            **hosts,
        }
        self.control_plane = ControlPlane(folder / "control-plane", pki, configs)
        kubelet_client = pki.client("kube-apiserver", ("system:masters",))
        self.control_plane.configs = [
            _with_flags(
                config,
                f"--kubelet-client-certificate={kubelet_client.chain_file}",
                f"--kubelet-client-key={kubelet_client.key_file}",
                "--kubelet-preferred-address-types=InternalIP",
            )
            for config in self.control_plane.configs
        ]
        self.sandbox = Sandbox(folder / "node", {**debian.environment(self.root), "HOME": "/root"})
        self._processes: list[Process] = []

    def start(self) -> None:
        """Start everything side by side and wait until the node is Ready and Services work."""
        try:
            self.sandbox.start()
            self._connect()
            containerd = self._start_containerd()
            self._start_dns()
            self.control_plane.start()
            self._start_controllers()
            containerd.wait_until(self._listens, timeout_s=60)
            for archive in self.archives:
                self.ctr("images", "import", "--no-unpack", archive)
            self._start_kubelet()
            wait_for(self._ready, timeout_s=NODE_READY_TIMEOUT_S, what="the node is Ready")
            wait_for(lambda: accepts_connections(NODE_ADDRESS, 10256), timeout_s=30, what="kube-proxy answers")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End everything."""
        self.sandbox.stop()
        self.control_plane.stop()

    def ctr(self, *arguments: str | Path) -> str:
        """Run containerd's client for the images and containers of Kubernetes."""
        program = self.root / "usr" / "bin" / "ctr"
        return self.sandbox.run(program, f"--address={settings.CONTAINERD_SOCKET}", "--namespace=k8s.io", *arguments)

    def resolve(self, name: str, address: str) -> None:
        """Let pods find a name; dnsmasq sees new files of its folder."""
        self.sandbox.write(_HOSTS / name, f"{address} {name}\n")

    def _connect(self) -> None:
        """Lead the Services' addresses to the node, which has no other way out."""
        self.sandbox.run("ip", "route", "add", settings.SERVICE_NETWORK, "dev", "lo", "src", NODE_ADDRESS)

    def _start_containerd(self) -> Process:
        plugins = self.root / "usr" / "lib" / "cni"
        config = self.sandbox.write(STATE / "containerd.toml", settings.containerd(self.root, plugins))
        self.sandbox.write(settings.CNI_FOLDER / "10-pods.conflist", settings.cni())
        return self._start("containerd", self.root / "usr" / "bin" / "containerd", f"--config={config}")

    def _start_dns(self) -> None:
        for name, address in self.hosts.items():
            self.resolve(name, address)
        self._start(
            "dnsmasq", self.root / "usr" / "sbin" / "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null",
            "--no-hosts", "--no-resolv", f"--hostsdir={_HOSTS}", f"--listen-address={NODE_ADDRESS}",
            "--bind-interfaces", "--user=root", "--pid-file", f"--local=/{settings.CLUSTER_DOMAIN}/", "--log-facility=-",
        )  # fmt: skip

    def _start_controllers(self) -> None:
        manager = self._kubeconfig("kube-controller-manager", "system:kube-controller-manager")
        self._start_again(
            "kube-controller-manager",
            f"--kubeconfig={manager}",
            f"--root-ca-file={self.pki.ca_file}",
            "--use-service-account-credentials",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--cert-dir={STATE}/controller-manager",
            "--node-monitor-grace-period=1h",  # API servers go away for seconds here
            f"--service-cluster-ip-range={settings.SERVICE_NETWORK}",
        )
        scheduler = self._kubeconfig("kube-scheduler", "system:kube-scheduler")
        self._start_again(
            "kube-scheduler",
            f"--kubeconfig={scheduler}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--cert-dir={STATE}/scheduler",
        )
        proxy = settings.kube_proxy(self._kubeconfig("kube-proxy", "system:kube-proxy"))
        config = self.sandbox.write(STATE / "kube-proxy.json", proxy)
        self._start_again("kube-proxy", f"--config={config}")

    def _start_kubelet(self) -> None:
        kubeconfig = self._kubeconfig("kubelet", f"system:node:{settings.NODE_NAME}", "system:nodes")
        config = self.sandbox.write(STATE / "kubelet.json", settings.kubelet(cgroups.name(), self.pki.ca_file))
        self._start_again(
            "kubelet",
            f"--config={config}",
            f"--kubeconfig={kubeconfig}",
            f"--root-dir={STATE}/kubelet",
            f"--cert-dir={STATE}/kubelet-pki",
            f"--hostname-override={settings.NODE_NAME}",
            f"--node-ip={NODE_ADDRESS}",
        )

    def _kubeconfig(self, name: str, user: str, *groups: str) -> Path:
        certificate = self.pki.client(user, groups)
        files = {"client-certificate": str(certificate.chain_file), "client-key": str(certificate.key_file)}
        return self.control_plane.write_kubeconfig(self.folder / f"{name}.kubeconfig", 0, files)

    def _start(self, name: str, *argv: str | Path) -> Process:
        process = self.sandbox.process(name, argv)
        process.start()
        self._processes.append(process)
        return process

    def _start_again(self, name: str, *arguments: str) -> None:
        process = self.sandbox.restarting(name, [binaries.find(name), *arguments])
        process.start()
        self._processes.append(process)

    def _listens(self) -> bool:
        with contextlib.suppress(AssertionError):
            self.ctr("version")
            return True
        return False

    def _ready(self) -> bool:
        answer = self.control_plane.request("GET", f"/api/v1/nodes/{settings.NODE_NAME}")
        if answer.status != 200:
            return False
        conditions = answer.json().get("status", {}).get("conditions", [])
        return any((c["type"], c["status"]) == ("Ready", "True") for c in conditions)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _with_flags(config: ServerConfig, *flags: str) -> ServerConfig:
    return dataclasses.replace(config, extra_flags=(*config.extra_flags, *flags))
