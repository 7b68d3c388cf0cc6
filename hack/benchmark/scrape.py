"""What a scrape of the metrics of 1,000 issuers costs, and what metrics cost where they are on."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

from hack.benchmark.figures import Chapter, Figure, Target
from hack.benchmark.options import Amount
from oidc_publisher.api import OIDCIssuer, OIDCIssuerStatus, read_issuer
from oidc_publisher.controller.metrics.served import ServedMetrics
from oidc_publisher.probe.wire.port import Fetched, Phases, Validity
from oidc_publisher.reconcile.passes import PassDone
from oidc_publisher.telemetry.address import Address
from oidc_publisher.telemetry.steps import Step

_ISSUERS = 1000
_CONDITIONS = ("Ready", "KeysRead", "SafeToSign", "Published", "Served", "TokenAccepted")
_KEYS = (("waits", "Served"), ("signs", "Signing"), ("leaves", "Retiring"))
_METHOD = f"""\
The page of {_ISSUERS:,} issuers with three keys, six conditions and one finding each, scraped over HTTP in this process, as
Prometheus does each half minute or so. Meanwhile an event loop in the same process notes how much CPU time the process uses
between two of its turns: that is what passes in progress feel of a scrape, which a thread of its own serves. Memory is that of a fresh interpreter with the
imports that metrics add."""
#: Of every half minute, for 1,000 issuers. Times of the wall have no target: on a busy machine they are those of others.
_TARGET = Target(1, by="median")


def measure(amount: Amount) -> Chapter:
    """Fill the series, serve them, and scrape."""
    metrics = ServedMetrics(Address("127.0.0.1", 0), per_key=False)
    for number in range(_ISSUERS):
        _fill(metrics, f"issuer-{number:04}")
    metrics.start(tuple)
    try:
        rounds = [_scrape(metrics.url) for _ in range(amount.step_passes)]
    finally:
        metrics.stop()
    walls, cpus, lates, sizes, lines = zip(*rounds, strict=True)
    return Chapter(
        f"Metrics of {_ISSUERS:,} issuers",
        _METHOD,
        (
            Figure("A scrape", "s", walls),
            Figure("A scrape, CPU", "s", cpus, _TARGET),
            Figure("Latest turn of an event loop during a scrape, CPU", "ms", lates),
            Figure("The page", "kB", sizes),
            Figure("Series", "", lines),
            Figure("Memory that the imports add", "MiB", tuple(_import_mib() for _ in range(amount.imports))),
        ),
    )


def _scrape(url: str) -> tuple[float, float, float, float, float]:
    """Seconds, CPU seconds, the latest turn in ms of CPU, kB and series of one scrape."""
    pages: list[bytes] = []

    def ask() -> None:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - ours
            pages.append(answer.read())

    began, used = time.perf_counter(), time.process_time()
    asking = threading.Thread(target=ask)
    asking.start()
    late_s = asyncio.run(_latest_turn(asking))
    wall, cpu = time.perf_counter() - began, time.process_time() - used
    lines = sum(not line.startswith(b"#") for line in pages[0].splitlines())
    return wall, cpu, late_s * 1000, len(pages[0]) / 1000, float(lines)


async def _latest_turn(asking: threading.Thread) -> float:
    latest, pause_s = 0.0, 0.002
    while asking.is_alive():
        used = time.process_time()
        await asyncio.sleep(pause_s)
        latest = max(latest, time.process_time() - used)
    return latest


def _fill(metrics: ServedMetrics, name: str) -> None:
    issuer = _issuer(name)
    seconds = dict.fromkeys(Step, 0.01)
    done = PassDone(issuer, False, (), (), seconds, 0.05, proven=True, next_look_s=60.0)  # noqa: FBT003 - `failed`
    metrics.series.passed(done)
    now = datetime.now(UTC)
    answer = Fetched("https://x", 200, certificate=Validity(now, now), phases=Phases(0.1, 0.1, 0.1, 0.1, 0.1))
    metrics.series.fetched(name, answer)


def _issuer(name: str) -> OIDCIssuer:
    spec: dict[str, Any] = {"issuerURL": f"https://oidc.example.com/{name}", "store": {"gcs": {"bucket": "example"}}}
    issuer = read_issuer({"metadata": {"name": name, "uid": name, "generation": 1}, "spec": spec})
    return issuer.model_copy(update={"status": _status()})


def _status() -> OIDCIssuerStatus:
    now = datetime.now(UTC).replace(microsecond=0)
    soon = (now + timedelta(hours=1)).isoformat()
    condition = {"status": "True", "reason": "Succeeded", "message": "", "lastTransitionTime": now.isoformat()}
    times = {"firstSeenTime": now.isoformat(), "safeToSignTime": soon, "retireTime": soon}
    return OIDCIssuerStatus.model_validate(
        {
            "conditions": [{"type": kind, **condition} for kind in _CONDITIONS],
            "findings": [{"reason": "PrePublishing", "severity": "Info", "message": ""}],
            "keys": [{"keyID": kid, "state": state, **times} for kid, state in _KEYS],
            "signingKeyIDs": ["signs"],
            "publication": {"keyCount": 3},
            "ledger": {},
        }
    )


def _import_mib() -> float:
    code = (
        "import oidc_publisher.controller.operator, oidc_publisher.reconcile.reconciler\n"
        "def used(): return int(next(l.split()[1] for l in open('/proc/self/status') if l.startswith('VmRSS')))\n"
        "before = used()\n"
        "import oidc_publisher.controller.metrics.served, oidc_publisher.controller.metrics.ownseries\n"
        "print(used() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024
