"""One operator with a fleet of one size: its start, its rest, changes of keys, and a start anew."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from hack.benchmark.fleet import changes, issuers, metricspage
from hack.benchmark.fleet.metricspage import Gaps, Page
from hack.benchmark.fleet.rates import busiest_second
from hack.benchmark.options import Amount
from hack.benchmark.parts import Parts
from hack.benchmark.process import cpu_s, rss_mib
from hack.benchmark.watch import Event, Watch, is_ready
from tests.support.operatorprocess import OperatorProcess
from tests.support.processes import free_port

#: An operator that cannot keep up at all is measured no longer than this.
_LONGEST_START_S = 600.0
#: Between two scrapes while a fleet is proven anew, for each issuer: a scrape takes CPU of the operator.
_PAUSE_OF_START_S = 0.012


@dataclass(slots=True)
class Seen:
    """What was seen of one size; seconds, MiB, requests per second, as the names say."""

    size: int
    start_s: float = 0.0
    start_busiest: float = 0.0
    start_turn_s: float | None = None
    again_s: float = 0.0
    again_busiest: float = 0.0
    cores: float = 0.0
    pass_cpu_s: float = 0.0
    passes: float = 0.0
    rss_mib: tuple[float, ...] = ()
    asked: float = 0.0
    busiest: float = 0.0
    store_calls: float = 0.0
    public_reads: float = 0.0
    late_s: list[float] = field(default_factory=list)
    turn_wall_s: float | None = None
    turn_cpu_s: float | None = None
    change_s: list[float] = field(default_factory=list)
    shared_s: list[float] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)


def measure(parts: Parts, amount: Amount, size: int, say: Callable[[str], None]) -> Seen:
    """Lead a fleet of this size through everything that is measured."""
    run = _Run(parts, amount, Seen(size), say)
    issuers.clear(parts)
    issuers.create(parts, size, amount.fleet_interval_s)
    try:
        with Watch(parts.cluster) as watch:
            run.first_start(watch)
        run.rest()
        run.change_keys()
        run.change_the_shared_keys()
        run.start_again()
    finally:
        run.kill()
        issuers.clear(parts)
    return run.seen


@dataclass(slots=True)
class _Run:
    parts: Parts
    amount: Amount
    seen: Seen
    say: Callable[[str], None]
    port: int = 0
    _process: OperatorProcess | None = None

    def start(self) -> float:
        """Start an operator, and return when it began, in seconds since the epoch."""
        self.port = free_port()
        self._process = self.parts.operator(f"--metrics-address=127.0.0.1:{self.port}")
        began = time.time()
        self._process.start()
        return began

    def kill(self) -> None:
        """End the operator if it runs."""
        if self._process is not None:
            self._process.kill()

    @property
    def _pid(self) -> int:
        assert self._process is not None  # noqa: S101 - for mypy
        return self._process.process.pid

    def first_start(self, watch: Watch) -> None:
        """Until a watch has shown every issuer Ready, none of which was ever looked at before."""
        left = {issuers.name_of(number) for number in range(self.seen.size)}

        def was_the_last(event: Event) -> bool:
            name = event.object["metadata"]["name"]
            if is_ready(event, name):
                left.discard(name)
            return not left

        began, since = time.monotonic(), self.start()
        last = watch.wait(was_the_last, timeout_s=_LONGEST_START_S, what="every issuer is Ready")
        self.seen.start_s = last.at - began
        self.seen.start_busiest = self._busiest(since, time.time())
        self.seen.start_turn_s = self._page().longest_turn_s("cpu")
        self.say(f"{self.seen.size} issuers: all Ready after {self.seen.start_s:.1f} s")

    def rest(self) -> None:
        """What the fleet costs while nothing changes."""
        gaps, memory = Gaps(self.amount.fleet_interval_s), list[float]()
        time.sleep(self.amount.fleet_interval_s)  # what a start causes has ended, and every issuer had a second pass
        self.parts.forget_store_calls()
        first = self._page()
        gaps.note(first)
        began, since, used = time.monotonic(), time.time(), cpu_s(self._pid)
        end = began + self.amount.fleet_rest_s
        while time.monotonic() < end:
            time.sleep(min(self.amount.fleet_interval_s / 2, max(0.1, end - time.monotonic())))
            page = self._page()
            gaps.note(page)
            memory.append(rss_mib(self._pid))
            self.seen.loads.append(os.getloadavg()[0])
        took, used = time.monotonic() - began, cpu_s(self._pid) - used
        self._note_rest(first, page, took, used, since)
        self.seen.late_s, self.seen.rss_mib = gaps.late_s, tuple(memory)

    def _note_rest(self, first: Page, last: Page, took: float, used: float, since: float) -> None:
        seen, requests = self.seen, self.parts.audit.requests(since=since, until=since + took)
        signed, strangers = self.parts.store_calls()
        seen.cores, seen.passes = used / took, last.passes - first.passes
        seen.pass_cpu_s = used / max(1.0, seen.passes)
        seen.asked, seen.busiest = len(requests) / took, self._busiest(since, since + took)
        seen.store_calls, seen.public_reads = signed.total() / took, strangers.total() / took
        seen.turn_wall_s, seen.turn_cpu_s = last.longest_turn_s("wall"), last.longest_turn_s("cpu")
        self.say(f"{seen.size} issuers at rest: {100 * seen.cores:.1f} % of a core")

    def change_keys(self) -> None:
        """Keys of single issuers, while the fleet rests."""
        self.seen.change_s = changes.measure(self.parts, self.amount)

    def change_the_shared_keys(self) -> None:
        """A key that every issuer of the fleet publishes."""
        names = [issuers.name_of(number) for number in range(self.seen.size)]
        since = time.time()
        issuers.share(self.parts, 2)
        self.seen.shared_s = issuers.wait_published(self.parts, names, since)

    def start_again(self) -> None:
        """Until every issuer was proven by a new process, all of them Ready before."""
        self.kill()
        began, pause_s = self.start(), max(0.2, self.seen.size * _PAUSE_OF_START_S)
        last = metricspage.wait_proven(self.port, self.seen.size, began, timeout_s=_LONGEST_START_S, pause_s=pause_s)
        self.seen.again_s = last - began
        self.seen.again_busiest = self._busiest(began, last)

    def _busiest(self, since: float, until: float) -> float:
        return float(busiest_second(request.began for request in self.parts.audit.requests(since=since, until=until)))

    def _page(self) -> Page:
        return metricspage.scrape(self.port)
