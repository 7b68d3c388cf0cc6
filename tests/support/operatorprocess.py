"""Run the operator as a real child process, as a pod runs it."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.support.processes import Process, accepts_connections, free_port
from tests.support.secretscan import watch_log

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

# What a container's environment has; everything else would hide that the operator depends on it.
_INHERITED = ("PATH", "HOME", "LANG", "TZ")


class OperatorProcess:
    """`oidc-publisher run` with a kubeconfig and, in `env`, the credentials of its store (`s3.credentials`)."""

    def __init__(
        self,
        folder: Path,
        kubeconfig: Path,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        name: str = "operator",
    ) -> None:
        self.health_port = free_port()
        program = Path(sys.executable).with_name("oidc-publisher")
        argv: list[str | Path] = [
            program,
            "run",
            f"--health-address=127.0.0.1:{self.health_port}",
            "--log-format=json",
            *arguments,
        ]
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        settings = {"KUBECONFIG": str(kubeconfig), "AWS_EC2_METADATA_DISABLED": "true", **(env or {})}
        watch_log(folder / f"{name}.log", settings)
        self.process = Process(name, argv, folder / f"{name}.log", env=inherited | settings)

    def __enter__(self) -> Self:
        """Start the operator."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill the operator if it is still there."""
        self.kill()

    def start(self, *, timeout_s: float = 30.0) -> float:
        """Start it, wait until its health page answers at all, and return the seconds that took."""
        self.process.start()
        return self.process.wait_until(
            lambda: accepts_connections("127.0.0.1", self.health_port), timeout_s=timeout_s, what="listening"
        )

    def stop(self, *, timeout_s: float = 30.0) -> float:
        """End it by SIGTERM and return the seconds that took."""
        return self.process.terminate(timeout_s)

    def kill(self) -> None:
        """End it by SIGKILL, as a node that dies."""
        self.process.kill()

    def restart(self) -> None:
        """Kill it and start it again."""
        self.kill()
        self.start()

    def health(self, path: str) -> tuple[int, str]:
        """Return status and text of a health page, such as /readyz."""
        return _get(self.health_port, path)

    def log(self) -> str:
        """Return everything it has logged so far."""
        return self.process.log()


def _get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            status: int = answer.status
            return status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
