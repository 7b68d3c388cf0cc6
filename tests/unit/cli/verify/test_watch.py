"""`verify --watch` as a process that somebody interrupts, against a real HTTPS issuer that breaks and heals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.apistub import APIStub, refuses
from tests.support.commands import PATH, call, has
from tests.support.issuerhost import DISCOVERY, JWKS, IssuerHost
from tests.support.pki import PKI
from tests.support.statuses import condition, issuer_object

#: The command itself; only the pause between two looks is shorter, and Ctrl-C is heard where the tests run in the background.
PROGRAM = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); from oidc_publisher.cli.verify import body; body.EVERY_S = 0.05; from oidc_publisher.cli import main; main(sys.argv[1:])"
#: A look reads each document at most four times: twice at first, and again what failed.
LOOKS = 3 * 4


class Watching:
    """A watch that runs, and the lines that it has written so far."""

    def __init__(self, process: subprocess.Popen[str], issuer: IssuerHost) -> None:
        self.lines: list[str] = []
        self.told: list[str] = []
        self._process, self._issuer = process, issuer
        streams = ((process.stdout, self.lines), (process.stderr, self.told))
        self._readers = [threading.Thread(target=self._read, args=each, daemon=True) for each in streams]
        for reader in self._readers:
            reader.start()

    def until(self, said: str, *, lines: list[str] | None = None) -> None:
        """Wait until a line has `said` in it."""
        held = self.lines if lines is None else lines
        self._wait(lambda: any(said in line for line in held), said)

    def settled(self) -> list[str]:
        """Return the lines that were written before several more looks; whatever those look at did not change."""
        self._several_looks()
        before = list(self.lines)
        self._several_looks()
        assert self.lines == before
        return before

    def interrupt(self) -> int:
        """Send what Ctrl-C sends, and return the exit code."""
        self._process.send_signal(signal.SIGINT)
        code = self._process.wait(60)
        for reader in self._readers:
            reader.join(60)
        return code

    def _several_looks(self) -> None:
        reads = self._reads()
        self._wait(lambda: self._reads() >= reads + LOOKS, "several looks")

    def _reads(self) -> int:
        return sum(DISCOVERY.encode() in head for head in self._issuer.host.requests)

    def _wait(self, holds: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + 60
        while not holds():
            assert self._process.poll() is None, (what, self._process.returncode, self.lines, self.told)
            assert time.monotonic() < end, (what, self.lines, self.told)
            time.sleep(0.02)

    @staticmethod
    def _read(stream: Any, lines: list[str]) -> None:
        lines.extend(iter(stream.readline, ""))


@pytest.fixture
def issuer(pki: PKI) -> Iterator[IssuerHost]:
    """A healthy issuer."""
    with IssuerHost(pki) as host:
        yield host


@contextmanager
def watching(pki: PKI, issuer: IssuerHost, what: str, *arguments: str) -> Iterator[Watching]:
    """Run `verify --watch`, and end it whatever the test says."""
    options = ["--watch", "--ca", str(pki.ca_file), "--allow-private-address", "--for", "kubernetes,vault"]
    command = [sys.executable, "-c", PROGRAM, "verify", what, *options, *arguments]
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield Watching(process, issuer)
        finally:
            process.kill()


@pytest.mark.slow
def test_only_what_changes_is_written_until_ctrl_c(issuer: IssuerHost, pki: PKI) -> None:
    """The sentence and what is served at first; then the fault, and that it is gone; 130 and no traceback at the end."""
    with watching(pki, issuer, issuer.url) as watch:
        watch.until("keys served: key-1")
        first = watch.settled()
        assert "Kubernetes and Vault can use this issuer." in first[0]
        assert len(first) == 3, first

        issuer.answers[JWKS].status = 403
        watch.until("AccessBlocked: ")
        broken = watch.settled()[len(first) :]
        assert any("Kubernetes and Vault cannot use this issuer." in line for line in broken)

        issuer.answers[JWKS].status = 200
        watch.until("no longer: AccessBlocked")
        healed = watch.settled()[len(first) + len(broken) :]
        assert sum("Kubernetes and Vault can use this issuer." in line for line in healed) == 1
        assert watch.interrupt() == 130
    assert "Traceback" not in "".join(watch.told)
    assert len([line for line in watch.told if line.startswith("Reading ")]) == 1


@pytest.mark.slow
def test_each_change_is_one_line_for_programs(issuer: IssuerHost, pki: PKI) -> None:
    """The whole page as JSON on one line; a further key is no fault, and a change."""
    with watching(pki, issuer, issuer.url, "-o", "json") as watch:
        watch.until('"result": "Yes"')
        assert len(watch.settled()) == 1
        issuer.answers[JWKS].headers.pop("Cache-Control")
        watch.until('"CacheControlWrong"')
        pages = [json.loads(line) for line in watch.settled()]
        assert watch.interrupt() == 130
    assert [f["reason"] for f in pages[-1]["findings"]] == ["CacheControlWrong"]


@pytest.mark.slow
def test_what_the_operator_says_is_watched_too(issuer: IssuerHost, pki: PKI, api: APIStub, kubeconfig: Path) -> None:
    """And an API server that is away for a while does not end it: it is told once."""
    del kubeconfig
    known = issuer_object(keys=[])
    known["spec"] |= {"issuerURL": issuer.url, "probe": {"relyingParties": ["Kubernetes"]}}
    api.on("GET", PATH, has(known))
    with watching(pki, issuer, "oidci/prod") as watch:
        watch.until("operator: Ready: True Proven")
        watch.settled()
        api.on("GET", PATH, refuses(503, "ServiceUnavailable", "starting"))
        watch.until("Trying again.", lines=watch.told)
        asked = len(api.seen)
        while len(api.seen) < asked + 5:
            time.sleep(0.02)
        known["status"]["conditions"][0] = condition("Ready", "False", "AccessDenied")
        api.on("GET", PATH, has(known))
        watch.until("operator: Ready: False AccessDenied")
        watch.settled()
        assert watch.interrupt() == 130
    assert sum("Trying again." in line for line in watch.told) == 1
    assert "Traceback" not in "".join(watch.told)


def test_a_burst_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    """Fifty strangers every ten seconds would be load, and no question."""
    assert call("verify", "https://oidc.example.test", "--watch", "--load", "5", "--i-own-this-host") == 2
    assert "--watch" in capsys.readouterr().err
