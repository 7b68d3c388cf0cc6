"""From the creation of an issuer to Ready."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from hack.benchmark import audit
from hack.benchmark.figures import Chapter, Figure, Target
from hack.benchmark.options import Amount
from hack.benchmark.parts import Parts
from hack.benchmark.process import cpu_s
from hack.benchmark.watch import Watch, is_ready
from tests.support.operatorprocess import OperatorProcess

_METHOD = """\
From the API server's answer to the POST to the event of a watch that shows Ready=True of that generation. Each issuer is
a new object over an empty place in the bucket. An operator's very first issuer comes 2 s after its first list; the others
follow it in the same process."""
#: Somebody who installs the operator and then applies an issuer is no faster.
_IDLE_S = 2.0


@dataclass(slots=True)
class _Seen:
    took_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    requests: list[Counter[str]] = field(default_factory=list)
    signed: list[Counter[str]] = field(default_factory=list)
    strangers: list[Counter[str]] = field(default_factory=list)


def measure(parts: Parts, amount: Amount) -> Chapter:
    """Several operators one after the other, the last one with many issuers."""
    first, later = _Seen(), _Seen()
    for turn in range(amount.first_ready):
        parts.clear()
        operator = started(parts)
        try:
            time.sleep(_IDLE_S)
            _issuer_after_issuer(parts, operator, f"first-{turn}", 1, first)
            if turn == amount.first_ready - 1:
                _issuer_after_issuer(parts, operator, "next", amount.ready, later)
        finally:
            operator.kill()
    parts.clear()
    return Chapter("CR created → Ready", _METHOD, tuple(_figures(first, later)), _details(later))


def started(parts: Parts) -> OperatorProcess:
    """An operator that has begun to watch."""
    operator = parts.operator()
    since = time.time()
    operator.process.start()
    parts.audit.wait(audit.is_list, since=since)
    return operator


def _issuer_after_issuer(parts: Parts, operator: OperatorProcess, prefix: str, count: int, seen: _Seen) -> None:
    with Watch(parts.cluster) as watch:
        for number in range(count):
            name = f"{prefix}-{number}"
            parts.forget_store_calls()
            since, used_s = time.time(), cpu_s(operator.process.pid)
            created = parts.create(parts.issuer(name))
            event = watch.wait(lambda e, name=name: is_ready(e, name), timeout_s=30, what=f"{name} is Ready")  # type: ignore[misc]
            seen.took_s.append(max(0.0, event.at - created))
            time.sleep(0.5)
            seen.cpu_s.append(cpu_s(operator.process.pid) - used_s)
            seen.requests.append(
                audit.counted(r for run in parts.audit.passes(name, since=since) for r in run.requests)
            )
            signed, strangers = parts.store_calls()
            seen.signed.append(signed)
            seen.strangers.append(strangers)
            parts.clear()
            watch.wait(lambda e, name=name: _is_gone(e.kind, e.object, name), timeout_s=10, what=f"{name} is gone")  # type: ignore[misc]
            time.sleep(0.3)


def _is_gone(kind: str, found: dict[str, object], name: str) -> bool:
    metadata = found["metadata"]
    return kind == "DELETED" and isinstance(metadata, dict) and metadata["name"] == name


def _figures(first: _Seen, later: _Seen) -> list[Figure]:
    def totals(counts: list[Counter[str]]) -> tuple[float, ...]:
        return tuple(float(sum(count.values())) for count in counts)

    return [
        Figure("Created → Ready", "s", tuple(later.took_s), Target(0.5, by="median")),
        Figure("Created → Ready, an operator's very first", "s", tuple(first.took_s), Target(2)),
        Figure("CPU until Ready and half a second after", "s", tuple(later.cpu_s)),
        Figure("CPU until Ready and half a second after, the very first", "s", tuple(first.cpu_s)),
        Figure("Calls of the store until Ready", "", totals(later.signed)),
        Figure("Calls of the store until Ready, the very first", "", totals(first.signed)),
        Figure("Public reads until Ready", "", totals(later.strangers)),
        Figure("Requests to API servers until Ready", "", totals(later.requests)),
    ]


def _details(seen: _Seen) -> tuple[tuple[str, ...], ...]:
    head = ("until Ready, the last issuer", "calls")
    counts = {f"store: {name}": n for name, n in seen.signed[-1].items()}
    counts |= {f"public: {name}": n for name, n in seen.strangers[-1].items()}
    counts |= {f"API server: {name}": n for name, n in seen.requests[-1].items()}
    return (head, *((name, str(number)) for name, number in counts.items()))
