"""How much a probe costs, how soon `verify` has its verdict, and how often a slow and jittery host raises a false alarm."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import resource
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from hack.benchmark.figures import Chapter, Figure, Target
from hack.benchmark.options import Amount
from oidc_publisher.api import RelyingParty
from oidc_publisher.probe import Expected, HTTPSWire, judge, look
from oidc_publisher.probe.look import Target as Read
from tests.support.issuerhost import IssuerHost
from tests.support.pki import PKI

ROOT = Path(__file__).resolve().parents[2]
_AT_ONCE = 16
_MEDIAN_S, _SPREAD, _LONGEST_S = 0.04, 1.0, 0.7
_METHOD = f"""\
A real HTTPS host on loopback. A probe is two visits, each with a connection of its own and both documents, and its judgement; its
CPU time is that of the thread that probes, without the host's. verify runs as a process of its own, and its time includes the start
of Python. The jittery host waits before each answer: median {_MEDIAN_S * 1000:g} ms, log-normal, at most {_LONGEST_S:g} s, so that both documents always
take less than the 2 s from which on a host is slow; {_AT_ONCE} probes run at once. Any finding is a false alarm, warnings too."""


def measure(amount: Amount) -> Chapter:
    """Probe a fast host one after the other, verify it, and probe a jittery one many times."""
    with tempfile.TemporaryDirectory(prefix="oidc-publisher-bench-") as folder:
        pki = PKI(Path(folder))
        with IssuerHost(pki) as host:
            rates = tuple(asyncio.run(_rate(host, pki)) for _ in range(5))
            verdicts, first, cpu = zip(*(_verify(host, pki) for _ in range(7)), strict=True)
        with IssuerHost(pki, delay=_jitter()) as slow:
            alarms = asyncio.run(_alarms(slow, pki, amount.probes))
    figures = (
        Figure("probes a second on one core", "", rates),
        Figure("verify of a healthy issuer: first line", "s", first, Target(0.2, "median")),
        Figure("verify of a healthy issuer: verdict", "s", verdicts, Target(1.0, "median")),
        Figure("verify of a healthy issuer: CPU", "s", cpu),
        Figure(f"false alarms in {amount.probes:,} probes of a jittery host", "", (alarms,), Target(0, inclusive=True)),
    )
    return Chapter("The probe, and verify", _METHOD, figures)


def _jitter() -> Callable[[], float]:
    chance, lock = random.Random(1), threading.Lock()  # noqa: S311 - jitter

    def delay() -> float:
        with lock:
            return min(_MEDIAN_S * chance.lognormvariate(0, _SPREAD), _LONGEST_S)

    return delay


def _parts(host: IssuerHost, pki: PKI) -> tuple[Read, HTTPSWire, Expected]:
    uri = f"{host.url}/openid/v1/jwks"
    wire = HTTPSWire(certificate_authority=pki.ca_pem.decode(), allow_private_address=True)
    expected = Expected(host.url, uri, None, frozenset(), dt.timedelta(minutes=5), (RelyingParty.KUBERNETES,))
    return Read(host.url, uri, dt.timedelta(seconds=5)), wire, expected


async def _rate(host: IssuerHost, pki: PKI, probes: int = 60) -> float:
    target, wire, expected = _parts(host, pki)
    judge(await look(target, wire), expected)  # builds the TLS contexts
    began = time.thread_time()
    for _ in range(probes):
        judge(await look(target, wire), expected)
    return probes / (time.thread_time() - began)


async def _alarms(host: IssuerHost, pki: PKI, probes: int) -> float:
    target, wire, expected = _parts(host, pki)
    numbers, alarms = iter(range(probes)), 0

    async def some(numbers: Iterator[int]) -> None:
        nonlocal alarms
        for _ in numbers:
            alarms += bool(judge(await look(target, wire), expected).findings)

    await asyncio.gather(*(some(numbers) for _ in range(_AT_ONCE)))
    return float(alarms)


def _verify(host: IssuerHost, pki: PKI) -> tuple[float, float, float]:
    """Return when the verdict was there, when the first line was, and the CPU time, in seconds."""
    program = ROOT / ".venv" / "bin" / "oidc-publisher"
    options = ["--ca", str(pki.ca_file), "--allow-private-address", "--for", "kubernetes,vault"]
    began, cpu_s = time.monotonic(), _cpu_of_children_s()
    with subprocess.Popen(
        [program, "verify", host.url, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        if process.stderr is None or not process.stderr.readline():
            raise RuntimeError("verify said nothing")
        first = time.monotonic() - began
        process.stderr.read()
        if process.wait() != 0:
            raise RuntimeError(f"verify of a healthy issuer exits with {process.returncode}")
    return time.monotonic() - began, first, _cpu_of_children_s() - cpu_s


def _cpu_of_children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
