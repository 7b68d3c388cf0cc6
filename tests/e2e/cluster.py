"""A cluster as its admin has it: a kubeconfig, kubectl and helm."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support import binaries, chart

Object = dict[str, Any]
#: How long a pod may take from `apply` to Ready on a busy machine.
POD_TIMEOUT_S = 150


@dataclass(frozen=True, slots=True)
class Cluster:
    """Whatever cluster the kubeconfig leads to."""

    kubeconfig: Path

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout_s: float = 60) -> str:
        """Run kubectl and return what it printed.

        Raises:
            AssertionError: its exit code is not 0 (the text is its own), or it has not come to an end in time.
        """
        try:
            done = self.try_kubectl(*arguments, stdin=stdin, timeout_s=timeout_s)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"kubectl {' '.join(arguments)}: no end within {timeout_s:g} s") from late
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr.strip()}"
        return done.stdout

    def try_kubectl(
        self, *arguments: str, stdin: str | None = None, timeout_s: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl to its end, whatever its exit code."""
        argv = [str(binaries.find("kubectl")), f"--kubeconfig={self.kubeconfig}", *arguments]
        return subprocess.run(
            argv, input=stdin, capture_output=True, text=True, check=False, timeout=timeout_s, env=_environment()
        )

    def helm(self, *arguments: str | Path) -> str:
        """Run helm and return what it printed.

        Raises:
            AssertionError: its exit code is not 0; the text is its own.
        """
        done = self.try_helm(*arguments)
        assert done.returncode == 0, f"helm {arguments[0]}: {done.stdout}{done.stderr}"
        return done.stdout

    def try_helm(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run helm to its end, whatever its exit code."""
        return chart.run(*arguments, f"--kubeconfig={self.kubeconfig}", timeout_s=2 * POD_TIMEOUT_S)

    def apply(self, *objects: Object) -> None:
        """Apply objects as an admin does."""
        self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))

    def get(self, *arguments: str) -> Any:
        """Return what `kubectl get -o json` says."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def wait_for(self, holds: Callable[[], Any], *, what: str, timeout_s: float = 60, every_s: float = 0.5) -> Any:
        """Poll until something is true and return it; kubectl's failures meanwhile count as "not yet"."""
        end = time.monotonic() + timeout_s
        said = ""
        while time.monotonic() < end:
            try:
                if found := holds():
                    return found
            except AssertionError as error:
                said = str(error)
            time.sleep(every_s)
        raise AssertionError(f"not within {timeout_s:g} s: {what}\n{said}\n{self.report()}")

    def report(self) -> str:
        """What a person would look at first when something does not come about."""
        pods = self.try_kubectl("get", "pods", "--all-namespaces", "-o", "wide").stdout
        events = self.try_kubectl("get", "events", "--all-namespaces", "--sort-by=.lastTimestamp").stdout
        logs = self.try_kubectl("logs", "-A", "-l", "app.kubernetes.io/name=oidc-publisher", "--tail=15").stdout
        return "\n".join([pods, *events.splitlines()[-20:], logs])


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
