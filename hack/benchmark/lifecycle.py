"""Start, stop, and an outage of the API servers."""

from __future__ import annotations

import time

from hack.benchmark import audit
from hack.benchmark.audit import Pass, Request
from hack.benchmark.figures import Chapter, Figure, Target
from hack.benchmark.options import Amount
from hack.benchmark.parts import Parts
from hack.benchmark.process import cpu_s, seconds_to_exit
from hack.benchmark.ready import started
from hack.benchmark.watch import Watch, is_ready

_NAME = "lifecycle"
_AWAY_S = 2.0
#: For how long nothing is asked once a pass is over.
QUIET_S = 2.5

_STARTS = """\
The issuer exists and was Ready before. A reconcile begins when the API server is asked for its object, and has ended when
the last request of the pass is answered, both by the audit log; the process starts at its fork. SIGTERM comes when nothing
has been asked for 2.5 s; a pidfd tells when the process has ended."""
_OUTAGE = """\
All API servers are killed together and started again after 2 s. Their /readyz is asked every 10 ms; a reconcile that
begins before its API server calls itself ready counts as 0 s."""


def measure_starts(parts: Parts, amount: Amount) -> Chapter:
    """Start the operator and stop it, again and again."""
    begun: list[float] = []
    ended: list[float] = []
    used: list[float] = []
    exits: list[float] = []
    one_ready_issuer(parts, _NAME)
    for _ in range(amount.starts):
        operator = parts.operator()
        start = time.time()
        operator.process.start()
        try:
            parts.audit.wait(lambda request: audit.is_read_of(request, _NAME), since=start)
            parts.audit.settled(quiet_s=QUIET_S)
            first = parts.audit.passes(_NAME, since=start)[0]
            begun.append(first.began - start)
            ended.append(first.ended - start)
            used.append(cpu_s(operator.process.pid))
            exits.append(seconds_to_exit(operator.process.pid))
        finally:
            operator.kill()
    parts.clear()
    figures = (
        Figure("Start of the process → first reconcile begins", "s", tuple(begun), Target(2)),
        Figure("Start of the process → first reconcile has ended", "s", tuple(ended), Target(2)),
        Figure("CPU until the first reconcile has ended", "s", tuple(used)),
        Figure("SIGTERM → exit, idle", "s", tuple(exits), Target(1)),
    )
    return Chapter("Start and stop", _STARTS, figures)


def measure_outages(parts: Parts, amount: Amount) -> Chapter:
    """Kill the API servers under a running operator."""
    begun: list[float] = []
    ended: list[float] = []
    one_ready_issuer(parts, _NAME)
    operator = started(parts)
    try:
        for _ in range(amount.outages):
            parts.audit.settled(quiet_s=QUIET_S)
            restarted, back = _outage(parts)
            first = _first_good_pass(parts, restarted)
            begun.append(max(0.0, first.began - back))
            ended.append(max(0.0, first.ended - back))
    finally:
        operator.kill()
    parts.clear()
    figures = (
        Figure("API servers ready again → first reconcile begins", "s", tuple(begun), Target(1.5)),
        Figure("API servers ready again → first reconcile has ended", "s", tuple(ended)),
    )
    return Chapter("API servers away for 2 s", _OUTAGE, figures)


def one_ready_issuer(parts: Parts, name: str) -> None:
    """Leave an issuer that an operator has made Ready, and no operator."""
    parts.clear()
    operator = started(parts)
    try:
        with Watch(parts.cluster) as watch:
            parts.create(parts.issuer(name))
            watch.wait(lambda event: is_ready(event, name), timeout_s=30, what="Ready")
        parts.audit.settled(quiet_s=QUIET_S)
    finally:
        operator.kill()


def _outage(parts: Parts) -> tuple[float, float]:
    """Take the API servers away; when they were started again and when the operator's was ready, since the epoch."""
    servers = parts.cluster.servers
    for server in servers:
        server.kill()
    time.sleep(_AWAY_S)
    restarted = time.time()
    for server, config in zip(servers, parts.cluster.configs, strict=True):
        server.start(config)
    while not _is_ready(parts, 0):
        time.sleep(0.01)
    back = time.time()
    while not all(_is_ready(parts, index) for index in range(len(servers))):
        time.sleep(0.05)
    return restarted, back


def _is_ready(parts: Parts, index: int) -> bool:
    try:
        return parts.cluster.request("GET", "/readyz", index=index, timeout_s=2).status == 200
    except OSError:
        return False


def _first_good_pass(parts: Parts, since: float) -> Pass:
    """The first reconcile that got its object."""

    def is_good(request: Request) -> bool:
        return audit.is_read_of(request, _NAME) and request.status == 200

    parts.audit.wait(is_good, since=since)
    parts.audit.settled(quiet_s=QUIET_S)
    return next(run for run in parts.audit.passes(_NAME, since=since) if is_good(run.requests[0]))
