"""The invariants A, B and D of the contract, judged from the truth of the simulation and never from the ledger.

A is judged for every verifier and every edge that could exist at once: a copy of an edition that was replaced at W may
lie at an edge until W + max-age, and with a client that fetched it there for 24 h more. So the simulated verifiers
can be few; what they miss by luck, this does not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from oidc_publisher.keys import PublicKey
from tests.property.publicface import Bucket, Era


class ViolationError(AssertionError):
    """An invariant does not hold."""


@dataclass
class Oracle:
    """Knows which tokens live and which keys were in use until when."""

    bucket: Bucket
    live_until: dict[PublicKey, datetime] = field(default_factory=dict)
    used_until: dict[PublicKey, datetime] = field(default_factory=dict)
    forgiving: bool = False
    early_promotions: int = 0

    def used(self, keys: set[PublicKey], now: datetime) -> None:
        """These keys are in use at this moment."""
        self.used_until.update(dict.fromkeys(keys, now))

    def minted(self, key: PublicKey, lifetime: timedelta, now: datetime) -> None:
        """A token is handed out. A: every copy that may be in use from now on has its key."""
        if key not in self.live_until or self.live_until[key] <= now:
            for era in self.bucket.eras:
                if key not in era.keys and era.usable_at(now):
                    self._early(key, era, now)
        self.live_until[key] = max(now + lifetime, self.live_until.get(key, now))

    def _early(self, key: PublicKey, era: Era, now: datetime) -> None:
        self.early_promotions += 1
        if not self.forgiving:
            raise ViolationError(
                f"A: {key.key_id} signs at {now}, while a copy without it, replaced at {era.until}, may live until "
                f"{era.until and era.until + era.age} at an edge and 24 h more with a client"
            )

    def replaced(self, before: frozenset[PublicKey], era: Era, lifetime: timedelta, now: datetime) -> None:
        """The operator wrote a key set. A: it has the key of every live token. B: what it lacks is out of use."""
        if not era.keys:
            raise ViolationError(f"D: an empty set was written at {now}")
        for key, until in self.live_until.items():
            if until > now and key not in era.keys:
                raise ViolationError(f"A: {key.key_id} left at {now}, and tokens of it live until {until}")
        for key in before - era.keys:
            used = self.used_until.get(key)
            if used is not None and now - used < lifetime:
                raise ViolationError(f"B: {key.key_id} left at {now}, though it was in use until {used}")

    def live_keys(self, now: datetime) -> list[PublicKey]:
        """The keys of which a live token exists."""
        return [key for key, until in self.live_until.items() if until > now]

    def forget(self, now: datetime) -> None:
        """Drop what no judgement needs any more, so that a long run stays fast."""
        era = self.bucket.era
        self.live_until = {key: until for key, until in self.live_until.items() if until > now}
        self.used_until = {
            key: until for key, until in self.used_until.items() if era is None or key in era.keys or until == now
        }
