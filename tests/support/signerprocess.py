"""Run the signer as a real child process beside an API server, with the rights that the contract gives it."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.support.controlplane import ControlPlane
from tests.support.processes import Process, free_port
from tests.support.secretscan import watch_log

Object = dict[str, Any]

SECRET = ("kube-system", "oidc-publisher-signing-keys")
_GROUP = "oidc-publisher:signers"
_SUBJECTS = [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": _GROUP}]
_RBAC = "rbac.authorization.k8s.io/v1"


def install(cluster: ControlPlane) -> None:
    """Make the empty Secret, and the roles of all signers with the rights that the chart gives them, and no others."""
    namespace, name = SECRET
    own = "oidc-publisher.io"
    cluster_rules = [
        {"apiGroups": [own], "resources": ["oidcissuers"], "verbs": ["list"]},
        {"apiGroups": [own], "resources": ["signingkeyrings"], "verbs": ["get"]},
        {"apiGroups": [own], "resources": ["signingkeyrings/status"], "verbs": ["patch"]},
    ]
    secret_rule = {
        "apiGroups": [""],
        "resources": ["secrets"],
        "resourceNames": [name],
        "verbs": ["get", "update"],
    }
    metadata = {"name": "oidc-publisher-signer"}
    here = metadata | {"namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "name": metadata["name"]}
    cluster.apply(
        [
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": namespace, "name": name}},
            {"apiVersion": _RBAC, "kind": "ClusterRole", "metadata": metadata, "rules": cluster_rules},
            {"apiVersion": _RBAC, "kind": "Role", "metadata": here, "rules": [secret_rule]},
            _binding("ClusterRoleBinding", metadata, role | {"kind": "ClusterRole"}),
            _binding("RoleBinding", here, role | {"kind": "Role"}),
        ]
    )


def _binding(kind: str, metadata: Object, role: Object) -> Object:
    return {"apiVersion": _RBAC, "kind": kind, "metadata": metadata, "roleRef": role, "subjects": _SUBJECTS}


class SignerProcess:
    """`oidc-publisher signer run` on one node; its credentials are a client certificate."""

    def __init__(self, folder: Path, cluster: ControlPlane, node: str, sa_key: Path, *, index: int) -> None:
        self.folder = folder / node
        self.state = self.folder / "state"
        self.state.mkdir(parents=True)
        self.socket = self.folder / "signer.sock"
        self._cluster, self._node, self._index = cluster, node, index
        kubeconfig = self.renew_credentials()
        argv: list[str | Path] = [
            Path(sys.executable).with_name("oidc-publisher"),
            "signer",
            "run",
            f"--socket={self.socket}",
            f"--state={self.state}",
            f"--kubeconfig={kubeconfig}",
            f"--node={node}",
            f"--wrapping-key-file={sa_key}",
            f"--import-key={sa_key}",
            "--hint=1",
        ]
        log = self.folder / "log"
        watch_log(log, {"KUBECONFIG": str(kubeconfig)})
        self.process = Process(f"signer {node}", argv, log)

    def renew_credentials(self, *, not_after: datetime | None = None) -> Path:
        """Write a kubeconfig with a new client certificate, as an admin does of a certificate that is about to expire."""
        certificate = self._cluster.pki.client(f"oidc-publisher:signer:{self._node}", (_GROUP,), not_after=not_after)
        files = {"client-certificate": str(certificate.chain_file), "client-key": str(certificate.key_file)}
        self.kubeconfig = self._cluster.write_kubeconfig(self.folder / "kubeconfig", self._index, files)
        return self.kubeconfig

    def start(self, *, timeout_s: float = 30.0) -> float:
        """Start it, and return the seconds until its socket was there."""
        self.socket.unlink(missing_ok=True)
        self.process.start()
        return self.process.wait_until(self.socket.exists, timeout_s=timeout_s, what="its socket")

    def hand_over(self, *, timeout_s: float = 30.0) -> None:
        """Start another process at the same socket, and stop the former one when the name is the other one's."""
        former, was = self.process, self.socket.stat().st_ino
        self.process = Process(former.name, former.argv, former.log_file)
        self.process.start()
        self.process.wait_until(lambda: self.socket.stat().st_ino != was, timeout_s=timeout_s, what="its socket")
        former.terminate()

    @contextlib.contextmanager
    def cut_off(self) -> Iterator[None]:
        """Start it with a kubeconfig that leads to a closed port, and at the end with its own one again."""
        own = self.kubeconfig.read_text()
        self.kubeconfig.write_text(re.sub(r'"https://[^"]*"', f'"https://127.0.0.1:{free_port()}"', own))
        self.kill()
        self.start()
        try:
            yield
        finally:
            self.kubeconfig.write_text(own)
            self.kill()
            self.start()

    @contextlib.contextmanager
    def run_as(self, *program: str | Path) -> Iterator[None]:
        """Run another program with the same options, and at the end the signer again."""
        own = self.process.argv
        self.kill()
        self.process.argv = [*map(str, program), *own[1:]]
        self.start()
        try:
            yield
        finally:
            self.kill()
            self.process.argv = own
            self.start()

    def kill(self) -> None:
        """End it by SIGKILL."""
        self.process.kill()

    def stop(self, *, timeout_s: float = 30.0) -> float:
        """End it by SIGTERM and return the seconds that took."""
        return self.process.terminate(timeout_s)
