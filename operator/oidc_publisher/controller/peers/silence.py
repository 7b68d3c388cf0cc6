"""Decide which shards are silent, from what was read of their leases. Pure.

The clocks of other machines are not asked: what counts is how long this process has seen a lease stay as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from oidc_publisher.controller.shard import Shard

#: A lease that has not changed for so long belongs to a shard that is down: four renewals are missing then (leases.py).
SILENT_S = 60.0

#: After a longer time without a reading the count begins anew: while the API server was away, no shard could renew.
LONGEST_GAP_S = 40.0


@dataclass(slots=True)
class _Seen:
    """The last renewal that was seen of a shard, when it was seen first, and when it was read last, in monotonic seconds."""

    renewal: str
    since: float
    at: float


class Silence:
    """Silence remembers the leases of the other shards, of which it is told one reading after the other.

    The shards form a ring: each looks at the next one, and beyond it while that one is silent. So each silent shard is seen
    by one that is alive, and a shard at rest reads one lease, whatever the number of shards.
    """

    def __init__(self, own: Shard) -> None:
        self._own = own
        self._seen: dict[int, _Seen] = {}

    def to_read(self) -> Iterator[int]:
        """Yield the shard whose lease has to be read next, and end after the first one that is not silent.

        `read` has to be called for a shard before the next one is asked for. What was known of the shards behind is forgotten.
        """
        left = dict(self._seen)
        for part in self._following():
            yield part
            left.pop(part, None)
            if self.silent_s.get(part, 0.0) < SILENT_S:
                break
        for part in left:
            self._seen.pop(part, None)

    def read(self, part: int, renewal: str, now: float) -> None:
        """Note what the lease of a shard holds at the monotonic time `now`; `renewal` is another text after each renewal."""
        before = self._seen.get(part)
        if before is None or before.renewal != renewal or now - before.at > LONGEST_GAP_S:
            self._seen[part] = _Seen(renewal, now, now)
        else:
            before.at = now

    @property
    def silent_s(self) -> Mapping[int, float]:
        """For how many seconds each shard that was read has not been seen renewing its lease, as of its last reading."""
        return {part: seen.at - seen.since for part, seen in tuple(self._seen.items())}

    def _following(self) -> Iterator[int]:
        """Yield the other shards in the order of the ring."""
        for step in range(1, self._own.count):
            yield (self._own.index - 1 + step) % self._own.count + 1
