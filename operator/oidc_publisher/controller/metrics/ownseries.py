"""The samples of the operator's own state, which are asked for at each scrape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from oidc_publisher import __version__
from oidc_publisher.controller.kopf.reachability import Contact
from oidc_publisher.controller.kopf.watch import IssuerWatch
from oidc_publisher.controller.metrics import metriclist as m
from oidc_publisher.controller.metrics.issuerseries import Sample
from oidc_publisher.controller.objectwatches import ObjectWatches
from oidc_publisher.controller.peers.leases import ShardLeases
from oidc_publisher.controller.queue import WorkQueue
from oidc_publisher.controller.shard import Shard
from oidc_publisher.telemetry.health import Heartbeat
from oidc_publisher.timing.loopturns import LoopTurns

_ISSUERS, _OBJECTS = ("issuers",), ("objects",)


@dataclass(frozen=True, slots=True)
class OwnSeries:
    """OwnSeries asks the parts of the operator."""

    shard: Shard
    queue: WorkQueue
    contact: Contact
    watch: IssuerWatch
    watches: ObjectWatches
    heartbeat: Heartbeat
    turns: LoopTurns | None = None
    leases: ShardLeases | None = None

    def __call__(self) -> Iterator[Sample]:
        """Yield the samples of this moment."""
        yield m.BUILD_INFO, (__version__,), 1
        yield m.SHARD_INFO, (str(self.shard.index), str(self.shard.count)), 1
        yield m.SHARDS, (), self.shard.count
        yield m.BEAT_AGE, (), self.heartbeat.age_s
        if self.turns is not None:
            yield m.LONGEST_TURN, ("wall",), self.turns.longest_wall_s
            yield m.LONGEST_TURN, ("cpu",), self.turns.longest_cpu_s
        yield from self._of_queue()
        yield from self._of_watches()
        for part, seconds in (self.leases.silent_s if self.leases else {}).items():
            yield m.SHARD_SILENT, (str(part),), seconds

    def _of_queue(self) -> Iterator[Sample]:
        load = self.queue.load()
        yield m.QUEUE_DEPTH, (), load.waiting
        yield m.QUEUE_RUNNING, (), load.running
        yield m.QUEUE_SLOW, (), load.slow
        yield m.QUEUE_CAPACITY, (), load.capacity
        yield m.QUEUE_WAIT, (), load.longest_wait_s
        yield m.QUEUE_OLDEST, (), load.oldest_run_s
        yield m.QUEUE_STANDSTILL, (), load.standstill_s

    def _of_watches(self) -> Iterator[Sample]:
        yield m.WATCH_RUNNING, _ISSUERS, int(self.watch.running)
        yield m.WATCH_RUNNING, _OBJECTS, self.watches.count
        yield m.WATCH_RESTARTS, _ISSUERS, self.watch.restarts
        yield m.WATCH_RESTARTS, _OBJECTS, self.watches.restarts
        yield m.OUTAGES, (), self.contact.outages
        if (reachable := self.contact.reachable) is not None:
            yield m.REACHABLE, (), int(reachable)
        if (age_s := self.contact.age_s) is not None:
            yield m.WATCH_AGE, _ISSUERS, age_s
