"""The chapter about a fleet: figures of the largest size, and a row of each size, of which hack/draw_fleet.py draws curves."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from hack.benchmark import console
from hack.benchmark.figures import Chapter, Figure, Target
from hack.benchmark.fleet import measurement
from hack.benchmark.fleet.columns import HEAD, TITLE
from hack.benchmark.fleet.measurement import Seen
from hack.benchmark.objects import percentile
from hack.benchmark.options import Amount
from hack.benchmark.parts import Parts

_METHOD = """\
Issuers of one ConfigMap, each with a place and a public URL of its own and the default periods, at an interval of {interval}
s; nothing of them changes while they rest for {rest:.0f} s. Each pass reads both documents from the store, fetches them from
the public URL by two visits, each over a connection of its own, and judges them: every pass proves everything that there is to
prove without an API server among the sources. The S3 server keeps connections, as Amazon's does. CPU and memory are the
kernel's, requests to API servers those of their audit logs, the rest is what the operator's own metrics say, scraped twice in
an interval, which is part of its CPU. Start: none was ever looked at, until a watch shows the last one Ready. Start again:
until the last one is proven by the new process. Events of a start that wait are recorded while the issuers rest, six in a
second. Lateness: by how much the time from the end of one pass to the end of the next one of the same issuer exceeds the
interval. Keys change in single issuers that come and go beside the resting ones. Turns of the event loop are CPU time of its
thread. Load of the machine meanwhile (1 min): {load}. The figures are those of {size:,} issuers, the table below has every
size."""


def measure(parts: Parts, amount: Amount) -> Chapter:
    """Measure every size, the smallest first."""
    with parts.kept_connections():
        seen = [measurement.measure(parts, amount, size, console.say) for size in amount.fleet_sizes]
    loads = [load for one in seen for load in one.loads]
    method = _METHOD.format(
        interval=amount.fleet_interval_s,
        rest=amount.fleet_rest_s,
        load=f"{min(loads):.2f} to {max(loads):.2f}",
        size=seen[-1].size,
    )
    return Chapter(TITLE, method, tuple(figures(seen[-1])), (HEAD, *(row(one) for one in seen)))


def figures(seen: Seen) -> Iterator[Figure]:
    """What is asked of the largest fleet."""
    yield Figure("CPU at rest", "%", (100 * seen.cores,), Target(30, inclusive=True))
    yield Figure("CPU of a pass", "ms", (1000 * seen.pass_cpu_s,), Target(15, inclusive=True))
    yield Figure("Passes measured at rest", "", (seen.passes,))
    yield Figure("Resident memory at rest", "MiB", seen.rss_mib, Target(200, inclusive=True))
    yield Figure("Start → all Ready", "s", (seen.start_s,), Target(60, inclusive=True))
    yield Figure("Start again → all proven", "s", (seen.again_s,), Target(60, inclusive=True))
    yield Figure(
        "Requests to API servers, busiest second of a start", "", (seen.start_busiest,), Target(50, inclusive=True)
    )
    yield Figure("The same, start again", "", (seen.again_busiest,), Target(50, inclusive=True))
    yield Figure("Requests to API servers at rest, busiest second", "", (seen.busiest,), Target(50, inclusive=True))
    yield Figure("Requests to API servers at rest", "1/s", (seen.asked,))
    yield Figure("Calls of the store at rest", "1/s", (seen.store_calls,))
    yield Figure("Public reads at rest", "1/s", (seen.public_reads,))
    yield Figure("Lateness of passes", "s", tuple(seen.late_s))
    yield Figure("Lateness of passes, 99th percentile", "s", (percentile(seen.late_s, 99),), Target(2, inclusive=True))
    yield Figure("Key of one changed → public URL", "s", tuple(seen.change_s))
    yield Figure(
        "Key of one changed → public URL, 99th percentile",
        "s",
        (percentile(seen.change_s, 99),),
        Target(0.5, inclusive=True),
    )
    yield Figure("Key of all changed → its public URL", "s", tuple(seen.shared_s))
    for what, seconds, target in (
        ("at rest", seen.turn_cpu_s, Target(50, inclusive=True)),
        ("start", seen.start_turn_s, Target(50, inclusive=True)),
        ("at rest, by the wall clock", seen.turn_wall_s, None),
    ):
        if seconds is not None:
            yield Figure(f"Longest turn of the event loop, {what}", "ms", (1000 * seconds,), target)


def row(seen: Seen) -> tuple[str, ...]:
    """The row of a size, as HEAD has it."""
    return (
        str(seen.size),
        f"{100 * seen.cores:.2f}",
        f"{1000 * seen.pass_cpu_s:.1f}",
        f"{statistics.median(seen.rss_mib):.1f}",
        f"{seen.start_s:.1f}",
        f"{seen.again_s:.1f}",
        f"{seen.asked:.2f}",
        f"{seen.busiest:.0f}",
        f"{seen.store_calls:.2f}",
        f"{seen.public_reads:.2f}",
        f"{percentile(seen.late_s, 99):.2f}",
        f"{percentile(seen.change_s, 99):.3f}",
        f"{max(seen.shared_s):.1f}",
        "" if seen.turn_cpu_s is None else f"{1000 * seen.turn_cpu_s:.1f}",
    )
