"""Run a real Prometheus, and promtool."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.support import binaries
from tests.support.processes import Process, free_port
from tests.support.startable import Startable

Sample = dict[str, Any]


def promtool(*arguments: str | Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run promtool."""
    argv: list[str | Path] = [binaries.find("promtool"), *arguments]
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, timeout=120)


class Prometheus(Startable):
    """A Prometheus that scrapes targets (HOST:PORT) and evaluates rules every second; `labels` are those of the targets."""

    def __init__(
        self, folder: Path, targets: Sequence[str], *, rules: Path | None = None, labels: dict[str, str] | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._port = free_port()
        jobs = [
            {"job_name": "oidc-publisher", "static_configs": [{"targets": list(targets), "labels": labels or {}}]},
        ]
        everything = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(rules)] if rules else [],
            "scrape_configs": jobs,
        }
        configuration = folder / "prometheus.yml"
        configuration.write_text(yaml.safe_dump(everything))
        argv: list[str | Path] = [
            binaries.find("prometheus"),
            f"--config.file={configuration}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--log.level=warn",
        ]
        self._process = Process("prometheus", argv, folder / "prometheus.log")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process.start()
        self._process.wait_until(lambda: self._get("/-/ready") is not None)

    def stop(self) -> None:
        """Kill it."""
        self._process.kill()

    def query(self, expression: str) -> list[Sample]:
        """What an expression says now: samples with `metric` and `value`."""
        return self._result("/api/v1/query", query=expression)

    def query_range(self, expression: str, start: float, end: float, step_s: float) -> list[Sample]:
        """What it said between two instants of the clock: series with `metric` and `values`."""
        return self._result("/api/v1/query_range", query=expression, start=start, end=end, step=step_s)

    def firing(self) -> set[tuple[str, str]]:
        """The name and the issuer of each alert that fires now; no issuer is an empty text."""
        found = self.query('ALERTS{alertstate="firing"}')
        return {(one["metric"]["alertname"], one["metric"].get("issuer", "")) for one in found}

    def wait(self, holds: Callable[[], object], what: str, timeout_s: float = 30.0) -> None:
        """Wait until something holds; the failure shows what fires."""
        end = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < end, f"not within {timeout_s:g} s: {what}; firing: {self.firing()}"
            time.sleep(0.2)

    def _result(self, path: str, **parameters: str | float) -> list[Sample]:
        answer = json.loads(self._get(f"{path}?{urllib.parse.urlencode(parameters)}"))
        assert answer["status"] == "success", answer
        found: list[Sample] = answer["data"]["result"]
        return found

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=10) as answer:
            text: bytes = answer.read()
            return text
