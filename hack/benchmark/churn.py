"""Issuers that come and go: what a running operator keeps of them."""

from __future__ import annotations

import time

from hack.benchmark import audit
from hack.benchmark.figures import Chapter, Figure, Target
from hack.benchmark.fleet import issuers
from hack.benchmark.options import Amount
from hack.benchmark.parts import API_VERSION, KIND, Parts
from hack.benchmark.process import rss_mib
from hack.benchmark.watch import Event, Watch, is_ready
from tests.support.publickeys import mixed_pem

_AT_ONCE = 20
#: So many are to leave at most 5 MiB; fewer tell nothing of that.
_ALL = 10_000
_LONGEST_S = 300.0
_METHOD = """\
Issuers come, {at_once} at a time, each with a name, a ConfigMap, a key, a place and a public URL of its own; when all of them
are Ready they are deleted, and the next ones come. They do so for {rest:.0f} s, in which the process imports what it uses and its
connections open. Then it rests for as long, {cycles:,} more come and go, and it rests again, as it does after half of them; the
resident memory is read after each rest. The operator is an ordinary process, and pages that its allocators do not give back
count as growth."""


def measure(parts: Parts, amount: Amount) -> Chapter:
    """Let issuers come and go."""
    issuers.clear(parts)
    cycles, rest_s = amount.churn_cycles, amount.churn_rest_s
    operator = parts.operator("--metrics-address=127.0.0.1:0")
    since = time.time()
    operator.process.start()
    half = max(1, cycles // _AT_ONCE // 2)
    rounds = 2 * half
    try:
        with parts.kept_connections():
            parts.audit.wait(audit.is_list, since=since, timeout_s=_LONGEST_S)
            began = time.monotonic()
            early = 0
            while time.monotonic() < began + rest_s:
                _round(parts, early)
                early += 1
            rests = [_rests(operator.process.pid, rest_s)]
            for first in (early, early + half):
                for number in range(first, first + half):
                    _round(parts, number)
                rests.append(_rests(operator.process.pid, rest_s))
            took = time.monotonic() - began
    finally:
        operator.kill()
        issuers.clear(parts)
    wanted = Target(5, inclusive=True) if rounds * _AT_ONCE >= _ALL else None
    before, between, after = rests
    figures = (
        Figure("Growth meanwhile", "MiB", (after - before,), wanted),
        Figure("Growth in the second half of it", "MiB", (after - between,)),
        Figure("Resident memory after the first ones", "MiB", (before,)),
        Figure("Resident memory at the end", "MiB", (after,)),
        Figure("Issuers that came and went before", "", (float(early * _AT_ONCE),)),
        Figure("Issuers that came and went meanwhile", "", (float(rounds * _AT_ONCE),)),
        Figure("Measured for", "s", (took,)),
    )
    method = _METHOD.format(cycles=rounds * _AT_ONCE, at_once=_AT_ONCE, rest=rest_s)
    return Chapter("Issuers that come and go", method, figures)


def _round(parts: Parts, number: int) -> None:
    """Create some issuers, wait until all are Ready, and delete them."""
    left = {f"churn-{number:05}-{at:02}" for at in range(_AT_ONCE)}
    names = sorted(left)

    def was_the_last_ready(event: Event) -> bool:
        name = event.object["metadata"]["name"]
        if is_ready(event, name):
            left.discard(name)
        return not left

    with Watch(parts.cluster) as watch:
        for at, name in enumerate(names):
            pem = mixed_pem.__wrapped__(number * _AT_ONCE + at)
            parts.cluster.apply(issuers.config_map(name, [pem]))
            parts.create(issuers.issuer(parts, name, name, 3600))
        watch.wait(was_the_last_ready, timeout_s=_LONGEST_S, what="every issuer is Ready")
    for name in names:
        parts.cluster.delete(API_VERSION, KIND, name)
        parts.cluster.delete("v1", "ConfigMap", name, issuers.NAMESPACE)


def _rests(pid: int, rest_s: float) -> float:
    time.sleep(rest_s)
    return rss_mib(pid)
