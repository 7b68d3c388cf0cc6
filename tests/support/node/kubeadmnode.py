"""A control-plane node for kubeadm: containerd, a kubelet with static pods, and what a person types there as root.

Each node has namespaces of its own, the network among them, and an /etc that is a copy of the machine's. `systemctl` on it
is a stand-in that starts and stops the kubelet, because no systemd runs here; everything else is the real program.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hack.testbed import build, debian
from hack.testbed import node as testbed
from tests.support import binaries
from tests.support.node import cgroups, settings
from tests.support.node.images import PAUSE_IMAGE, write_image
from tests.support.node.sandbox import STATE, Sandbox
from tests.support.processes import Process
from tests.support.startable import Startable

NETWORK = "10.202.0"
#: What nodes reach outside, and where the load balancer of the API servers listens.
OUTSIDE = f"{NETWORK}.1"
API_PORT = 6443
_BRIDGE = "kubeadm0"
_HOME = Path("/run/home")
_PROGRAMS = Path("/run/bin")
_ON = Path("/run/kubelet.on")
_PID = Path("/run/kubelet.pid")

#: As kubeadm's drop-in for systemd has it (10-kubeadm.conf).
_KUBELET = f"""
while :; do
  if [ -e {_ON} ] && [ -e /var/lib/kubelet/config.yaml ]; then
    [ ! -e /var/lib/kubelet/kubeadm-flags.env ] || . /var/lib/kubelet/kubeadm-flags.env
    kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf \\
      --config=/var/lib/kubelet/config.yaml $KUBELET_KUBEADM_ARGS "$@" &
    echo $! >{_PID}
    wait $! || true
  fi
  sleep 0.3
done
"""
_SYSTEMCTL = f"""#!/bin/bash
end() {{
  pid=$(cat {_PID} 2>/dev/null) && kill "$pid" 2>/dev/null || return 0
  while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
}}
case $1 in
  start) touch {_ON} ;;
  restart) end; touch {_ON} ;;
  stop) rm -f {_ON}; end ;;
  is-active) [ -e {_ON} ] && echo active ;;
esac
"""
_ETC = "/run/etc"
_PREPARE = f"""
mkdir -p {_ETC} {_PROGRAMS} {_HOME} /run/containerd
cp -a /etc/. {_ETC}/ 2>/dev/null || true
mount --bind {_ETC} /etc
ln -s {settings.CONTAINERD_SOCKET} /run/containerd/containerd.sock
"""


class CommandsFailedError(AssertionError):
    """Commands that were typed on a node ended with an error; the text shows what they printed."""


class KubeadmNode(Startable):
    """One node, the `number`th of the network; `archives` are its images, `variables` what its shell has."""

    def __init__(self, folder: Path, number: int, archives: Sequence[Path], variables: Mapping[str, str]) -> None:
        self.name = f"cp-{number}"
        self.address = f"{NETWORK}.{10 + number}"
        self.folder = folder / self.name
        self.root = testbed.unpacked("node")
        pause = write_image(_made(self.folder) / "pause.tar", PAUSE_IMAGE, build.pause().folder / "pause")
        self.archives = [pause, *archives]
        environment = {**debian.environment(self.root), "HOME": str(_HOME)}
        environment["PATH"] = f"{_PROGRAMS}:{environment['PATH']}"
        self.sandbox = Sandbox(self.folder, environment, own_network=True, prepare=f"hostname {self.name}\n{_PREPARE}")
        self._variables = {
            **environment,
            "NODE": self.name,
            "ADDRESS": self.address,
            "API": f"https://{self.address}:{API_PORT}",
            "KUBECONFIG": "/etc/kubernetes/admin.conf",
            **variables,
        }

    def start(self) -> None:
        """Start containerd with the images; the kubelet runs when `systemctl start kubelet` is typed, as kubeadm does."""
        try:
            self.sandbox.start()
            cgroups.create(self.name)
            self._connect()
            containerd = self._start_containerd()
            self._install()
            containerd.wait_until(self._listens, timeout_s=60)
            for archive in self.archives:
                self.ctr("images", "import", "--no-unpack", archive)
            group = f"/{cgroups.name()}/{self.name}"
            flags = (f"--cgroup-root={group}", f"--node-ip={self.address}")
            self.sandbox.process("kubelet", ["/bin/sh", "-c", _KUBELET, "kubelet", *flags]).start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End everything on the node."""
        self.sandbox.stop()

    def path(self, absolute: str) -> Path:
        """Where a file of the node is for the tests."""
        return self.sandbox.outside(Path(absolute))

    def install(self, name: str, program: Path) -> None:
        """Put a program into the PATH of the node, in place of one of that name."""
        link = self.path(str(_PROGRAMS / name))
        link.unlink(missing_ok=True)
        link.symlink_to(program)

    def ctr(self, *arguments: str | Path) -> str:
        """Run containerd's client for the images and containers of Kubernetes."""
        return self.sandbox.run("ctr", f"--address={settings.CONTAINERD_SOCKET}", "--namespace=k8s.io", *arguments)

    def kill_containers(self) -> None:
        """Kill whatever runs in containers, as a machine that loses its power."""
        for line in self.ctr("tasks", "list").splitlines()[1:]:
            with contextlib.suppress(AssertionError):  # its pod's other container has ended it
                self.ctr("tasks", "kill", "--signal=SIGKILL", "--all", line.split()[0])

    def type(self, commands: str, *, timeout_s: float = 120) -> str:
        """Run commands in a shell of root, from which the first failure is the end; returns what they printed.

        Raises CommandsFailedError.
        """
        script = f"set -euo pipefail\ncd {_HOME}\n{commands}"
        done = subprocess.run(
            self.sandbox.entering("/bin/bash", "-c", script),
            env=self._variables, capture_output=True, text=True, check=False, timeout=timeout_s,
        )  # fmt: skip
        with (self.folder / "typed.log").open("a") as log:
            log.write(f"$ {commands}\n{done.stdout}{done.stderr}")
        if done.returncode:
            raise CommandsFailedError(f"{commands}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done.stdout

    def _connect(self) -> None:
        """Join the network of the nodes: a bridge in the namespace of the test run."""
        here = {**os.environ, **debian.environment(self.root)}
        for line in (
            f"link add {_BRIDGE} type bridge",
            f"addr add {OUTSIDE}/24 dev {_BRIDGE}",
            f"link set {_BRIDGE} up",
            f"link add to-{self.name} type veth peer name eth0 netns {self.sandbox.pid_1()}",
            f"link set to-{self.name} master {_BRIDGE} up",
        ):
            there = line.startswith((f"link add {_BRIDGE}", "addr add"))  # the second node finds these
            subprocess.run(["ip", *line.split()], env=here, check=not there, capture_output=there)
        for line in (
            "link set lo up",
            f"addr add {self.address}/24 dev eth0",
            "link set eth0 up",
            f"route add default via {OUTSIDE}",
        ):
            self.sandbox.run("ip", *shlex.split(line))

    def _start_containerd(self) -> Process:
        plugins = self.root / "usr" / "lib" / "cni"
        config = self.sandbox.write(STATE / "containerd.toml", settings.containerd(self.root, plugins))
        self.sandbox.write(settings.CNI_FOLDER / "10-pods.conflist", settings.cni())
        containerd = self.sandbox.process("containerd", ["containerd", f"--config={config}"])
        containerd.start()
        return containerd

    def _install(self) -> None:
        for name in ("kubectl", "kubeadm", "kubelet"):
            self.install(name, binaries.find(name))
        self.install("oidc-publisher", Path(sys.executable).with_name("oidc-publisher"))
        self.path(str(self.sandbox.write(_PROGRAMS / "systemctl", _SYSTEMCTL))).chmod(0o755)

    def _listens(self) -> bool:
        with contextlib.suppress(AssertionError):
            self.ctr("version")
            return True
        return False


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
