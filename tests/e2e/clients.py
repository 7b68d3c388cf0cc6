"""Pods that hold projected tokens of the issuer, as workloads do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.e2e.world import AUDIENCE

if TYPE_CHECKING:
    from tests.e2e.cluster import Cluster, Object

NAMESPACE, NAME = "clients", "client"
#: A line that is a signed token whole. The kubelet puts sentences of its own between the lines of a log, file names with dots in them.
_TOKEN = re.compile(r"^eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+\n", re.ASCII | re.MULTILINE)
#: Prints the token whenever the kubelet has written another one.
_PROGRAM = """
import pathlib, time
seen = ""
while True:
    token = pathlib.Path("/var/run/tokens/token").read_text()
    if token != seen:
        print(token, flush=True)
        seen = token
    time.sleep(0.5)
"""


def printed_tokens(log: str) -> list[str]:
    """The tokens among the lines of a log."""
    return [line.rstrip("\n") for line in _TOKEN.findall(log)]


@dataclass(frozen=True, slots=True)
class Clients:
    """A Deployment of two pods that run the operator's image with another program, for it is there already."""

    cluster: Cluster
    image: str

    def start(self) -> None:
        """Make the pods and wait until they are ready."""
        self.cluster.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME, "namespace": NAMESPACE}},
            self._deployment(),
        )
        self._wait()

    def replace(self) -> None:
        """Roll the pods, as a deployment of the application does: new pods get new tokens."""
        self.cluster.kubectl("-n", NAMESPACE, "rollout", "restart", f"deployment/{NAME}")
        self._wait()

    def tokens(self) -> list[str]:
        """The tokens of all pods, as they have printed them."""
        return printed_tokens(self.cluster.kubectl("-n", NAMESPACE, "logs", "-l", f"app={NAME}", "--tail=10"))

    def mint(self) -> list[str]:
        """A token of now."""
        asked = ("--duration=600s", f"--audience={AUDIENCE}")
        return [self.cluster.kubectl("-n", NAMESPACE, "create", "token", NAME, *asked).strip()]

    def _wait(self) -> None:
        rollout = ("-n", NAMESPACE, "rollout", "status", f"deployment/{NAME}", "--timeout=100s")
        self.cluster.kubectl(*rollout, timeout_s=120)

    def _deployment(self) -> Object:
        token = {"serviceAccountToken": {"audience": AUDIENCE, "expirationSeconds": 3600, "path": "token"}}
        container = {
            "name": "client",
            "image": self.image,
            "command": ["/usr/bin/python3", "-c", _PROGRAM],
            "volumeMounts": [{"name": "token", "mountPath": "/var/run/tokens"}],
        }
        pod = {
            "serviceAccountName": NAME,
            "terminationGracePeriodSeconds": 1,
            "containers": [container],
            "volumes": [{"name": "token", "projected": {"sources": [token]}}],
        }
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": {"app": NAME}},
                "template": {"metadata": {"labels": {"app": NAME}}, "spec": pod},
            },
        }
