"""Who holds the memory of an operator at rest."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from hack.benchmark import audit
from hack.benchmark.figures import Chapter, Figure
from hack.benchmark.fleet import issuers
from hack.benchmark.options import Amount
from hack.benchmark.parts import Parts
from hack.benchmark.process import rss_mib
from hack.benchmark.watch import Event, Watch, is_ready
from tests.support.operatorprocess import OperatorProcess

_DRIVER = Path(__file__).with_name("memorydriver.py")
_MIB = 2**20
_QUIET_S = 3.0
_LONGEST_S = 1200.0
#: Long, so that few passes run; and an issuer whose probe found too little CPU time is looked at again.
_INTERVAL_S = 600
#: Owners below it are summed up.
_SMALL_KIB = 0.1
_METHOD = """\
{size:,} issuers of one ConfigMap at an interval of ten minutes; all are Ready, and hardly a pass runs. tracemalloc traces
every allocation of Python's from before the first import on, and each counts for the innermost package of ours that caused
it, or for a library where none of ours did. Twice it is asked who holds what: before the first issuer, and in the end; the
difference is what an issuer costs. Python is slower and larger meanwhile, so there are no times here, and the resident memory is
that of such a process. What is not Python's objects (the interpreter, OpenSSL, shared libraries, the trace itself) is
resident and has no owner here."""


def measure(parts: Parts, amount: Amount) -> Chapter:
    """Ask an operator without an issuer, and with all of them."""
    size, file = amount.memory_issuers, parts.folder / "memory.json"
    issuers.clear(parts)
    operator = parts.operator("--metrics-address=127.0.0.1:0", driver=_DRIVER, env={"BENCH_MEMORY": str(file)})
    since = time.time()
    operator.process.start()
    try:
        with parts.kept_connections(), Watch(parts.cluster) as watch:
            parts.audit.wait(audit.is_list, since=since, timeout_s=_LONGEST_S)
            parts.audit.settled(quiet_s=_QUIET_S, timeout_s=_LONGEST_S)
            before = _held(operator, file)
            issuers.create(parts, size, _INTERVAL_S)
            _wait_ready(watch, size)
            after, resident = _held(operator, file), rss_mib(operator.process.pid)
    finally:
        operator.kill()
        issuers.clear(parts)
    traced = sum(after.values())
    figures = (
        Figure("Traced memory", "MiB", (traced / _MIB,)),
        Figure("Traced memory before the first issuer", "MiB", (sum(before.values()) / _MIB,)),
        Figure("An issuer", "kB", ((traced - sum(before.values())) / size / 1000,)),
        Figure("Resident memory of the traced process", "MiB", (resident,)),
    )
    return Chapter("Memory by owner", _METHOD.format(size=size), figures, tuple(_rows(before, after, size)))


def _wait_ready(watch: Watch, size: int) -> None:
    left = {issuers.name_of(number) for number in range(size)}

    def was_the_last(event: Event) -> bool:
        name = event.object["metadata"]["name"]
        if is_ready(event, name):
            left.discard(name)
        return not left

    watch.wait(was_the_last, timeout_s=_LONGEST_S, what="every issuer is Ready")


def _held(operator: OperatorProcess, file: Path) -> dict[str, int]:
    file.unlink(missing_ok=True)
    os.kill(operator.process.pid, signal.SIGUSR1)
    operator.process.wait_until(file.exists, timeout_s=300, what="telling who holds its memory")
    found: dict[str, int] = json.loads(file.read_text())
    return found


def _rows(before: dict[str, int], after: dict[str, int], size: int) -> Iterator[tuple[str, ...]]:
    """The owners that hold most per issuer first, then those that hold most at all; the small ones in one row."""
    yield ("owner", "MiB", "kB per issuer")
    costs = {owner: (after.get(owner, 0) - before.get(owner, 0)) / size / 1000 for owner in {*before, *after}}
    large = [owner for owner in costs if abs(costs[owner]) >= _SMALL_KIB or after.get(owner, 0) >= _MIB / 10]
    for owner in sorted(large, key=lambda owner: (-round(costs[owner], 1), -after.get(owner, 0))):
        yield (owner, f"{after.get(owner, 0) / _MIB:.2f}", f"{costs[owner]:.1f}")
    small = costs.keys() - set(large)
    held = sum(after.get(owner, 0) for owner in small) / _MIB
    yield (f"{len(small)} others", f"{held:.2f}", f"{sum(costs[owner] for owner in small):.1f}")
