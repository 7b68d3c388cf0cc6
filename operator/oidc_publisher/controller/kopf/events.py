"""Translate events of OIDCIssuers into keys of the work queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import kopf

from oidc_publisher.api import GROUP, PLURAL, RECONCILE_REQUESTED_AT, VERSION
from oidc_publisher.controller.queue import WorkQueue
from oidc_publisher.controller.shard import Shard
from oidc_publisher.reconcile.status.newissuers import NewIssuers
from oidc_publisher.timing.backoff import Pacer
from oidc_publisher.timing.clock import Clock, SystemClock

#: The passes of 1,000 listed objects take 55 s, and stay spread over their interval of a minute afterwards. Most ask the API
#: server twice, so that it is asked 50 times in a second at most, with their events.
_SPACING_S = 0.055
_LONGEST_S = 55.0
#: After the first pass all others come so much later: until then kopf asks what the API server serves, in 13 requests.
_DISCOVERY_S = 0.5
_SETTLE_S = 0.05

#: The fields of an object whose change needs a pass. A change of another one (the status, a label) does not.
_Mark = tuple[str, object, object, object]


class IssuerEvents:
    """IssuerEvents puts the names of the objects of this replica's shard into the queue.

    A change starts a pass at once. Passes of all objects at once are spread over time after the first one. `new_issuers` gets each
    object that is seen for the first time.
    """

    def __init__(
        self, queue: WorkQueue, shard: Shard, new_issuers: NewIssuers | None = None, clock: Clock | None = None
    ) -> None:
        self._queue = queue
        self._shard = shard
        self._new_issuers = new_issuers or NewIssuers()
        self._clock = clock or SystemClock()
        self._pacer = Pacer(burst=1, spacing_s=_SPACING_S, longest_s=_LONGEST_S)
        self._marks: dict[str, _Mark] = {}

    def seen(self, kind: str | None, found: Mapping[str, Any]) -> None:
        """Process one event; `kind` is None for an object of a listing, else ADDED, MODIFIED or DELETED."""
        metadata = found["metadata"]
        name, uid = str(metadata["name"]), str(metadata["uid"])
        if not self._shard.holds(uid):
            return
        before = self._marks.get(name)
        if kind == "DELETED":
            self._new_issuers.forget(name)
            if before is not None and before[0] == uid:
                del self._marks[name]
            self._queue.add(name, "deleted")
            return
        mark = _mark_of(uid, metadata)
        self._marks[name] = mark
        if before is None or before[0] != uid:
            self._new_issuers.show(found)
        else:
            self._new_issuers.forget(name)
        if before is None and kind is None:
            self._look_at_new(name)
        elif before != mark:
            self._queue.add(name, "created" if before is None else "changed")

    def look_at_all(self) -> None:
        """Plan a pass for every known object, one after the other.

        This is needed after the API server was unreachable, and when kopf lists all objects again. Changes and
        deletions may have been missed, for which kopf creates no events, and a restarted API server may sign with
        another key.
        """
        now = self._clock.monotonic()
        known = self._queue.keys
        self._marks = {name: mark for name, mark in self._marks.items() if name in known}
        for name in sorted(known):
            # The two occasions usually come together. With this delay they share one deadline.
            self._queue.wake_at(name, now + _SETTLE_S + self._pacer.delay(name, now))

    def _look_at_new(self, name: str) -> None:
        now = self._clock.monotonic()
        delay_s = self._pacer.delay(name, now)
        if delay_s:
            self._queue.wake_at(name, now + _DISCOVERY_S + delay_s)
        else:
            self._queue.add(name, "found")


def register(registry: kopf.OperatorRegistry, events: IssuerEvents) -> None:
    """Let kopf pass every event of an OIDCIssuer to `events`. With `on.event` alone kopf never writes to an object."""

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry, id="issuer")
    async def issuer(type: str | None, event: kopf.RawEvent, **_: object) -> None:  # noqa: A002 - kopf's name
        events.seen(type, event["object"])


def _mark_of(uid: str, metadata: Mapping[str, Any]) -> _Mark:
    annotations = metadata.get("annotations") or {}
    return (
        uid,
        metadata.get("generation"),
        annotations.get(RECONCILE_REQUESTED_AT),
        metadata.get("deletionTimestamp"),
    )
