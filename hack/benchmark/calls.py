"""What the store is asked for: at first, at rest, and until drift is repaired."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

from hack.benchmark.figures import Chapter, Figure, Target
from hack.benchmark.meter import Counted, Meter
from hack.benchmark.options import Amount
from hack.benchmark.parts import API_VERSION, BUCKET, KIND, PREFIX, Parts
from hack.benchmark.ready import started
from hack.benchmark.watch import Watch, is_ready

_JWKS = f"{PREFIX}/openid/v1/jwks"
_ANNOTATION = "oidc-publisher.io/reconcile-requested-at"
_NAME = "calls"
_INTERVAL_S = 2
_POLL_S = 0.004
_REST_S = 0.5
_METHOD = """\
Calls are counted in the S3 server's access log, those with credentials only; bytes by a relay before it, both ways and TLS
included, on connections that are kept as Amazon's are. A publication is the first one of a new object over an empty place.
The first one of a process to a server that is not Amazon's has two more writes, which must fail: they prove that the server
honours preconditions. At rest: passes at an interval of {interval} s, after the rotation has come to rest. Drift: the key set
is deleted by hand at a random moment, and the time runs until it is there again, read every {poll:g} ms; once the next look
comes by the interval, once a reconcile is requested by the annotation directly after the deletion. This server answers a
conditional read without Last-Modified, so both documents are read in full at each pass; Amazon's 304 leaves their bodies
out."""


@dataclass(slots=True)
class _Seen:
    calls: list[float] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)
    last: Counter[str] = field(default_factory=Counter)


def measure(parts: Parts, amount: Amount) -> Chapter:
    """One operator: its first issuer, others that follow, and the last one at rest and adrift."""
    first, later = _Seen(), _Seen()
    with ExitStack() as stack:
        stack.enter_context(parts.kept_connections())
        meter = stack.enter_context(Meter(parts.s3.port))
        parts.clear()
        operator = started(parts)
        stack.callback(operator.kill)
        watch = stack.enter_context(Watch(parts.cluster))
        for turn in range(amount.publications):
            parts.clear()
            time.sleep(_REST_S)
            _publish(parts, meter, watch, f"{_NAME}-{turn}", later if turn else first)
        name = f"{_NAME}-{amount.publications - 1}"
        time.sleep(amount.rest_s)
        at_rest = tuple(_at_rest(parts, meter, name, amount))
        drift = tuple(_drift(parts, name, amount))
    parts.clear()
    method = _METHOD.format(interval=_INTERVAL_S, poll=_POLL_S * 1000)
    figures = (*_publications(first, later), *at_rest, *drift)
    return Chapter("Calls of the store", method, figures, _details(first, later))


def _publish(parts: Parts, meter: Meter, watch: Watch, name: str, seen: _Seen) -> None:
    """Create an issuer and count until it is Ready: the pass that makes it so is its first."""
    parts.forget_store_calls()
    meter.begin_anew()
    issuer = parts.issuer(name, interval="1h")
    issuer["spec"]["store"]["s3"]["endpointURL"] = meter.url
    parts.create(issuer)
    watch.wait(lambda event: is_ready(event, name), timeout_s=30, what=f"{name} is Ready")
    counted, (signed, _) = meter.counted, parts.store_calls()
    seen.calls.append(float(signed.total()))
    seen.sizes.append(counted.total / 1000)
    seen.last = signed


def _at_rest(parts: Parts, meter: Meter, name: str, amount: Amount) -> Iterator[Figure]:
    parts.cluster.patch(API_VERSION, KIND, name, {"spec": {"interval": f"{_INTERVAL_S}s"}})
    time.sleep(2 * _INTERVAL_S)
    parts.audit.settled(quiet_s=_REST_S)
    parts.forget_store_calls()
    meter.begin_anew()
    since = time.time()
    time.sleep(amount.resting_passes * _INTERVAL_S)
    parts.audit.settled(quiet_s=_REST_S)
    counted, (signed, _) = meter.counted, parts.store_calls()
    passes = len(parts.audit.passes(name, since=since))
    writes = sum(number for operation, number in signed.items() if not operation.startswith(("Get", "Head", "List")))
    yield Figure("Writes to the store at rest", "", (float(writes),), Target(0, inclusive=True))
    yield Figure("Calls per pass at rest", "", (signed.total() / passes,), Target(2, inclusive=True))
    yield from _bytes_of("per pass at rest", counted, passes)
    yield Figure("Passes at rest", "", (float(passes),))


def _bytes_of(when: str, counted: Counted, passes: int) -> Iterator[Figure]:
    yield Figure(f"Bytes to the store {when}", "kB", (counted.sent / passes / 1000,))
    yield Figure(f"Bytes from the store {when}", "kB", (counted.received / passes / 1000,))
    yield Figure(f"Connections {when}", "", (counted.connections / passes,))


def _drift(parts: Parts, name: str, amount: Amount) -> Iterator[Figure]:
    by_interval = [_repaired(parts) for _ in range(amount.drifts)]
    parts.cluster.patch(API_VERSION, KIND, name, {"spec": {"interval": "1h"}})
    time.sleep(_INTERVAL_S)
    requested = [_repaired(parts, request=f"{name}-{number}", name=name) for number in range(amount.drifts)]
    limit = Target(_INTERVAL_S, by="median")
    yield Figure(f"Drift → repaired, by an interval of {_INTERVAL_S} s", "s", tuple(by_interval), limit)
    yield Figure("Drift → repaired, reconcile requested", "s", tuple(requested), Target(0.5, by="median"))


def _repaired(parts: Parts, *, request: str = "", name: str = "") -> float:
    """Delete the key set, and the seconds until it is there again."""
    time.sleep(random.uniform(_REST_S, _REST_S + _INTERVAL_S))  # noqa: S311 - no secret
    parts.s3.delete(BUCKET, _JWKS)
    began = time.monotonic()
    if request:
        parts.cluster.patch(API_VERSION, KIND, name, {"metadata": {"annotations": {_ANNOTATION: request}}})
    while parts.s3.get(BUCKET, _JWKS) is None:
        if time.monotonic() - began > 30:
            raise TimeoutError("the deleted key set was not repaired within 30 s")
        time.sleep(_POLL_S)
    return time.monotonic() - began


def _publications(first: _Seen, later: _Seen) -> Iterator[Figure]:
    yield Figure("First publication: calls", "", tuple(later.calls), Target(4, inclusive=True))
    yield Figure("First publication: bytes both ways", "kB", tuple(later.sizes))
    yield Figure("First publication of a process, server unproven: calls", "", tuple(first.calls))
    yield Figure("First publication of a process: bytes both ways", "kB", tuple(first.sizes))


def _details(first: _Seen, later: _Seen) -> tuple[tuple[str, ...], ...]:
    operations = sorted({*first.last, *later.last})
    rows = ((name, str(first.last[name]), str(later.last[name])) for name in operations)
    return (("first publication", "server unproven", "the others"), *rows)
