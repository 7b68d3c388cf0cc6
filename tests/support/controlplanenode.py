"""A control-plane node as its admin sees it: folders, what is typed there as root, and what kubelet and systemd run.

The commands see the node's own /etc and /var/lib, in a mount namespace. In place of kubelet and systemd a thread starts
and restarts what the manifests and the unit say: the signer, and the API server with its service account flags.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from tests.support import binaries
from tests.support.controlplane import ControlPlane
from tests.support.processes import Process, ProcessFailedError
from tests.support.secretscan import watch_log

PROGRAM = Path(sys.executable).with_name("oidc-publisher")
_API_SERVER = Path("etc/kubernetes/manifests/kube-apiserver.yaml")
_STATIC_POD = Path("etc/kubernetes/manifests/oidc-publisher-signer.yaml")
_UNIT = Path("etc/systemd/system/oidc-publisher-signer.service")
_PAUSE_S = 0.1
_TIMEOUT_S = 90
_FOLDERS = ("etc", "var/lib")
#: Where the tests do not run as root, users other than one's own do not exist in the namespace.
_SHIMS = {
    "systemctl": "true # the thread sees the unit",
    "install": 'while [ $# -gt 0 ]; do case "$1" in -o|-g) shift 2;; *) kept+=("$1"); shift;; esac; done\n/usr/bin/install "${kept[@]}"',
    "chown": "true",
}


class CommandsFailedError(AssertionError):
    """Commands of a page ended with an error; the text shows what they printed."""


@dataclass(slots=True)
class ControlPlaneNode:
    """One node, whose API server is number `index` of the control plane; `root` is the folder that it sees as /.

    `root` has to be short, because a socket below it has a path of 107 bytes at most; `log` is the signer's. `failed`
    says why the API server does not run by its manifest, and is empty where it does.
    """

    name: str
    root: Path
    log: Path
    cluster: ControlPlane
    index: int
    variables: Mapping[str, str] = field(default_factory=dict)
    signer: Process | None = None
    failed: str = ""
    _flags: tuple[str, ...] = ()
    _running: tuple[str, ...] = ()
    _ending: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """Make the folders, with what the programs of the machine need."""
        for folder in (*_FOLDERS, "root", "bin"):
            (self.root / folder).mkdir(parents=True)
        subprocess.run(["cp", "-a", "/etc/.", self.root / "etc"], check=False, stderr=subprocess.DEVNULL)
        for name in ("kubectl", "kubeadm"):
            (self.root / "bin" / name).symlink_to(binaries.find(name))
        (self.root / "bin" / "oidc-publisher").symlink_to(PROGRAM)
        for name in ("systemctl",) if os.geteuid() == 0 else _SHIMS:
            shim = self.root / "bin" / name
            shim.write_text(f"#!/bin/bash\nkept=()\n{_SHIMS[name]}\n")
            shim.chmod(0o755)

    def path(self, absolute: str) -> Path:
        """Where a file of the node is for the tests."""
        return self.root / absolute.removeprefix("/")

    def type(self, commands: str) -> str:
        """Run commands in a shell of root, from which the first failure is the end; returns what they printed.

        Raises CommandsFailedError.
        """
        own = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        mounts = "".join(f'mount --bind "{self.root / folder}" /{folder}; ' for folder in _FOLDERS)
        done = subprocess.run(
            ["unshare", *own, "--mount", "--propagation=private", "bash", "-c", f'{mounts} exec bash -c "$COMMANDS"'],
            cwd=self.root / "root",
            env={
                "PATH": f"{self.root / 'bin'}:/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": str(self.root / "root"),
                "NODE": self.name,
                "ADDRESS": self.cluster.servers[self.index].address,
                "API": f"https://{self.cluster.servers[self.index].host_port}",
                "COMMANDS": f"set -euo pipefail\n{commands}",
                **self.variables,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
        )
        if done.returncode:
            raise CommandsFailedError(f"{done.stderr[-3000:]}\n{done.stdout[-3000:]}\n{commands}\n{self.failed}")
        return done.stdout

    @contextlib.contextmanager
    def kubelet(self) -> Iterator[None]:
        """Run what the manifests and the unit say meanwhile; the API server runs by its manifest already."""
        self._flags = self.account_flags() or ()
        thread = threading.Thread(target=self._run, name=f"kubelet {self.name}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ending.set()
            thread.join(_TIMEOUT_S)
            if self.signer is not None:
                self.signer.kill()

    def _run(self) -> None:
        while not self._ending.wait(_PAUSE_S):
            try:
                self._keep_signer()
                self._keep_api_server()
            except (FileNotFoundError, yaml.YAMLError):
                continue  # a file that is replaced at this moment
            except LookupError as error:
                self.failed = str(error)

    def _keep_signer(self) -> None:
        argv = self._signer_argv()
        if argv == self._running and (self.signer is None or self.signer.running):
            return
        if self.signer is not None:
            self.signer.terminate()
            self.signer = None
        self._running = argv
        if argv:
            watch_log(self.log, {"KUBECONFIG": str(self.path("/var/lib/oidc-publisher/kubeconfig"))})
            self.signer = Process(f"signer {self.name}", argv, self.log)
            self.signer.start()

    def _keep_api_server(self) -> None:
        flags = self.account_flags()
        if flags is None or flags == self._flags:
            return
        self._flags, self.failed = flags, ""
        config = replace(self.cluster.configs[self.index], account_flags=flags)
        try:
            self.cluster.restart(self.index, config)
        except (ProcessFailedError, TimeoutError) as error:
            self.failed = str(error)

    def _signer_argv(self) -> tuple[str, ...]:
        """The command line of the signer, with paths as the tests see them; empty where the node has none."""
        pod, unit = self.root / _STATIC_POD, self.root / _UNIT
        if pod.exists():
            document = yaml.safe_load(pod.read_text())
            arguments = document["spec"]["containers"][0]["args"] if document else ()
            return (str(PROGRAM), *(self._here(_in_pod(document, each)) for each in arguments)) if arguments else ()
        if unit.exists():
            words = unit_command(unit.read_text())
            return (str(PROGRAM), *(self._here(each) for each in words[1:])) if words else ()
        return ()

    def account_flags(self) -> tuple[str, ...] | None:
        """The flags of the API server about service accounts, with paths as the tests see them; None without a manifest."""
        manifest = self.root / _API_SERVER
        document = yaml.safe_load(manifest.read_text()) if manifest.exists() else None
        if not document:
            return None
        flags = (each for each in document["spec"]["containers"][0]["command"] if each.startswith("--service-account-"))
        return tuple(self._here(_in_pod(document, flag)) for flag in flags)

    def _here(self, argument: str) -> str:
        if argument == "--allowed-uid=0":
            return f"--allowed-uid={os.geteuid()}"
        name, found, value = argument.partition("=/")
        return f"{name}={self.root}/{value}" if found else argument


def unit_command(unit: str) -> list[str]:
    """The words of ExecStart."""
    lines = (line.removeprefix("ExecStart=") for line in unit.splitlines() if line.startswith("ExecStart="))
    return shlex.split(next(lines, ""))


def _in_pod(document: Mapping[str, Any], argument: str) -> str:
    """The argument with the path on the node, of one with a path in the container.

    Raises LookupError for a path that the pod does not mount: such a pod would not find its file.
    """
    name, found, value = argument.partition("=/")
    if not found:
        return argument
    path, spec = PurePosixPath(f"/{value}"), document["spec"]
    hosts = {volume["name"]: volume.get("hostPath", {}).get("path") for volume in spec["volumes"]}
    for mount in sorted(spec["containers"][0]["volumeMounts"], key=lambda m: len(m["mountPath"]), reverse=True):
        if path.is_relative_to(mount["mountPath"]) and hosts[mount["name"]]:
            return f"{name}={PurePosixPath(hosts[mount['name']]) / path.relative_to(mount['mountPath'])}"
    raise LookupError(f"{argument}: the pod {document['metadata']['name']} mounts nothing there")
