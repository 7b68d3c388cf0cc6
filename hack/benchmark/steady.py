"""An issuer at rest."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hack.benchmark.audit import Pass
from hack.benchmark.figures import Chapter, Figure, Target
from hack.benchmark.options import Amount
from hack.benchmark.parts import API_VERSION, KIND, Parts
from hack.benchmark.process import cpu_s, rss_mib
from hack.benchmark.ready import started
from hack.benchmark.watch import Watch, is_ready
from oidc_publisher.rotation import coarse_phase
from oidc_publisher.rotation.clock import coarse_end

_NAME = "steady"
_SAMPLE_S = 0.25
_METHOD = """\
One issuer after its rotation has come to rest. What it costs to wait is measured with an interval of an hour. Then come
the passes, for {span} at an interval of {interval}. Reads and writes of the store are counted in the S3 server's access
log, requests in the API servers' audit logs, changes of the object by a watch; CPU and memory are the kernel's. The CPU of
a pass is what the process used around it, less what it uses while it waits. At 60 s: extrapolated from both."""
_KEPT_METHOD = """\
The same, before an S3 server that keeps its connections, as Amazon's does: what a pass costs without the handshakes that
this server of the tests asks for after each of its answers. The looks at the public URL open connections of their own."""
#: What other connections change.
_KEPT = {"CPU of a pass": Target(15, by="median"), "Duration of a pass": None, "CPU at an interval of 60 s": None}


@dataclass(slots=True)
class _Samples:
    at: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    rss_mib: list[float] = field(default_factory=list)

    def cpu_between(self, began: float, ended: float) -> float:
        """CPU used from the last sample before to the first one after, and the time between these two."""
        before = max(i for i, at in enumerate(self.at) if at <= began)
        after = min(i for i, at in enumerate(self.at) if at >= ended)
        return self.cpu_s[after] - self.cpu_s[before]

    def span_between(self, began: float, ended: float) -> float:
        """The time between those two samples."""
        return min(at for at in self.at if at >= ended) - max(at for at in self.at if at <= began)


def measure(parts: Parts, amount: Amount) -> Chapter:
    """The costs of waiting, then those of the passes."""
    parts.clear()
    operator = started(parts)
    pid = operator.process.pid
    try:
        with Watch(parts.cluster) as watch:
            parts.create(parts.issuer(_NAME, interval="2s"))
            watch.wait(lambda event: is_ready(event, _NAME), timeout_s=30, what="Ready")
            time.sleep(amount.rest_s)
            waiting = _waiting(parts, pid, amount.idle_s)
            figures = tuple(_passes(parts, watch, pid, amount, waiting))
    finally:
        operator.kill()
    parts.clear()
    method = _METHOD.format(span=f"{amount.steady_s:.0f} s", interval=f"{amount.interval_s} s")
    return Chapter("An issuer at rest", method, figures)


def measure_kept(parts: Parts, amount: Amount) -> Chapter:
    """The costs of passes over connections that the store keeps."""
    with parts.kept_connections():
        figures = measure(parts, amount).figures
    kept = (
        Figure(f"{figure.what}, connections kept", figure.unit, figure.samples, _KEPT[figure.what])
        for figure in figures
        if figure.what in _KEPT
    )
    return Chapter("An issuer at rest, connections kept", _KEPT_METHOD, tuple(kept))


def _waiting(parts: Parts, pid: int, seconds: float) -> float:
    """CPU seconds per second of an operator whose issuer is not looked at."""
    _set_interval(parts, "1h")
    parts.audit.settled(quiet_s=_SAMPLE_S * 8)
    began, used = time.monotonic(), cpu_s(pid)
    time.sleep(seconds)
    return (cpu_s(pid) - used) / (time.monotonic() - began)


def _passes(parts: Parts, watch: Watch, pid: int, amount: Amount, waiting: float) -> Iterator[Figure]:
    _set_interval(parts, f"{amount.interval_s}s")
    parts.audit.settled(quiet_s=1)
    _keep_clear_of_coarse_times(parts, amount)
    with _sampled(pid) as samples:
        parts.forget_store_calls()
        since, changes = time.time() + 0.02, len(watch.events())  # a pass that is counted has a sample before it
        passes = _wait_for_passes(parts, since, amount)
        time.sleep(_SAMPLE_S * 4)
    lasted_s = samples.at[-1] - samples.at[0]
    signed, strangers = parts.store_calls()
    costs = _costs_ms(samples, passes, waiting)
    writes = sum(n for operation, n in signed.items() if not operation.startswith(("Get", "Head", "List")))
    patches = sum(
        r.verb not in ("get", "list") and r.subject == "oidcissuers/status" for p in passes for r in p.requests
    )
    per_minute = waiting + statistics.median(costs) / 1000 / 60
    yield Figure("Writes to the store", "", (float(writes),), Target(0, inclusive=True))
    yield Figure("PATCHes of the object", "", (float(patches),), Target(1, inclusive=True))
    yield Figure("Changes of the object that a watch saw", "", (float(len(watch.events()) - changes),))
    yield Figure("Resident memory", "MiB", tuple(samples.rss_mib), Target(110))
    yield Figure("Resident memory, highest ever", "MiB", (rss_mib(pid, "VmHWM"),), Target(110))
    yield Figure("CPU of a pass", "ms", costs)
    yield Figure("Duration of a pass", "ms", tuple((run.ended - run.began) * 1000 for run in passes))
    yield Figure(f"CPU at an interval of {amount.interval_s} s", "%", (100 * _share(samples),))
    yield Figure("CPU at an interval of 60 s", "%", (100 * per_minute,))
    yield Figure("CPU of waiting", "%", (100 * waiting,))
    yield Figure("Calls of the store per pass", "", (sum(signed.values()) / len(passes),))
    yield Figure("Public reads per pass", "", (sum(strangers.values()) / len(passes),))
    yield Figure("Requests to API servers per pass", "", tuple(float(len(run.requests)) for run in passes))
    yield Figure("Measured for", "s", (lasted_s,))


def _share(samples: _Samples) -> float:
    return (samples.cpu_s[-1] - samples.cpu_s[0]) / (samples.at[-1] - samples.at[0])


def _costs_ms(samples: _Samples, passes: Sequence[Pass], waiting: float) -> tuple[float, ...]:
    costs = []
    for run in passes:
        began, ended = run.began - 0.02, run.ended + 0.1  # what comes before the first request and after the last one
        used = samples.cpu_between(began, ended) - waiting * samples.span_between(began, ended)
        costs.append(used * 1000)
    return tuple(costs)


def _wait_for_passes(parts: Parts, since: float, amount: Amount) -> list[Pass]:
    end = time.monotonic() + amount.steady_s * 1.2 + 20
    while time.monotonic() < end:
        passes = parts.audit.passes(_NAME, since=since)
        if len(passes) >= amount.steady_passes and time.time() > passes[-1].began + 1:
            return passes
        time.sleep(0.2)
    raise TimeoutError(f"{len(passes)} of {amount.steady_passes} passes within {amount.steady_s * 1.2 + 20:g} s")


def _keep_clear_of_coarse_times(parts: Parts, amount: Amount) -> None:
    """Do not begin just before the end of a period in which coarse times are written once: five minutes are to have one."""
    now, uid = datetime.now(UTC), parts.cluster.get(API_VERSION, KIND, _NAME)["metadata"]["uid"]
    left = (coarse_end(now, coarse_phase(uid)) - now).total_seconds()
    if left < 2 * amount.interval_s:
        time.sleep(left + 1.5 * amount.interval_s)


def _set_interval(parts: Parts, interval: str) -> None:
    parts.cluster.patch(API_VERSION, KIND, _NAME, {"spec": {"interval": interval}})
    time.sleep(0.5)


@contextmanager
def _sampled(pid: int) -> Iterator[_Samples]:
    samples, stop = _Samples(), threading.Event()

    def sample() -> None:
        while not stop.wait(_SAMPLE_S):
            samples.at.append(time.time())
            samples.cpu_s.append(cpu_s(pid))
            samples.rss_mib.append(rss_mib(pid))

    thread = threading.Thread(target=sample, name="samples", daemon=True)
    thread.start()
    time.sleep(_SAMPLE_S * 2)
    try:
        yield samples
    finally:
        stop.set()
        thread.join()
