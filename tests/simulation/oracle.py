"""Judge the invariants A, B and D, and R2, R9, R11, R14 and R15, by the true state of the simulation alone.

A is judged for every possible verifier and edge at once: a copy of an edition that was replaced at W may stay at an
edge until W + max-age, and 24 h more at a client that fetched it there. So few simulated verifiers suffice: this
judgement finds what they miss by chance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from oidc_publisher.keys import PublicKey
from tests.simulation.publicface import Era, Origin

#: The number of RSA and of EC keys that AWS accepts each, and the bytes that Nimbus and Spring read.
MOST_OF_A_TYPE, MOST_BYTES = 100, 51_200
#: Longer than every lifetime of the simulation.
_LONGEST_MEMORY = timedelta(days=10)


class ViolationError(AssertionError):
    """An invariant does not hold."""


@dataclass
class Oracle:
    """An Oracle holds which tokens are live, and when the operator last had proof that a key was in use.

    The operator cannot know of a key that is listed and removed again between two passes, or at an API server that does
    not answer. Such a key never signed, or A covers it.
    """

    origin: Origin
    live_until: dict[PublicKey, datetime] = field(default_factory=dict)
    seen_in_use: dict[PublicKey, datetime] = field(default_factory=dict)
    withdrawn: frozenset[PublicKey] = frozenset()
    forgiving: bool = False
    early_promotions: int = 0

    def seen(self, keys: Iterable[PublicKey], now: datetime) -> None:
        """Note the keys that a whole pass has seen listed or signing."""
        self.seen_in_use.update(dict.fromkeys(keys, now))

    def minted(self, key: PublicKey, lifetime: timedelta, now: datetime) -> None:
        """Judge A for a new token: every copy that may be in use from now on has its key, unless the key was stolen (R14)."""
        if key in self.withdrawn:
            return
        if key not in self.live_until or self.live_until[key] <= now:
            for era in self.origin.eras:
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

    def withdraw(self, keys: frozenset[PublicKey]) -> None:
        """Note that an admin withdraws exactly these keys, whose tokens are to be refused from now on."""
        self.withdrawn = keys
        self.condemn(keys)

    def condemn(self, keys: Iterable[PublicKey]) -> None:
        """Drop the tokens that these keys have signed so far, as an admin decided."""
        for key in keys:
            self.live_until.pop(key, None)

    def replaced(
        self,
        before: frozenset[PublicKey],
        after: frozenset[PublicKey],
        lifetime: timedelta,
        in_use: set[PublicKey],
        now: datetime,
    ) -> None:
        """Judge a key set that the operator wrote: it has the key of every live token (A) and every key in use (B).

        A withdrawn key is exempt from both, and has to be removed unless no other key is left (R14).
        """
        if not after:
            raise ViolationError(f"D: an empty set was written at {now}")
        self._judge_withdrawn(after, now)
        types = Counter(key.key_type for key in after)
        if max(types.values()) > MOST_OF_A_TYPE:
            raise ViolationError(f"R11: {types} keys were written at {now}")
        for key, until in self.live_until.items():
            if until > now and key not in after:
                raise ViolationError(f"A: {key.key_id} left at {now}, and tokens of it live until {until}")
        for key in before - after - self.withdrawn:
            if key in in_use:
                raise ViolationError(f"B: {key.key_id} left at {now}, and it is in use")
            seen = self.seen_in_use.get(key)
            if seen is not None and now - seen < lifetime:
                raise ViolationError(f"B: {key.key_id} left at {now}, though it was seen in use at {seen}")

    def _judge_withdrawn(self, published: frozenset[PublicKey], now: datetime) -> None:
        """Judge R14: a withdrawn key is removed at once, and never the last key."""
        kept = published & self.withdrawn
        if kept and (published - kept or len(kept) > 1):
            raise ViolationError(f"R14: {len(kept)} withdrawn keys are published at {now}")

    def passed(self, published: frozenset[PublicKey], now: datetime) -> None:
        """Judge the set that a whole pass leaves at a location of the issuer that it could read and write."""
        self._judge_withdrawn(published, now)

    def permitted(self, key: PublicKey, refusing: list[str], now: datetime, *, anothers: bool) -> None:
        """Judge a key that a pass calls safe to sign with: no API server that could be read refuses its tokens (R15).

        The location that the pass read was not `anothers` (R2), and the key is not withdrawn (R14).
        """
        if anothers:
            raise ViolationError(f"R2: {key.key_id} is safe at {now}, and the place is another owner's")
        if key in self.withdrawn:
            raise ViolationError(f"R14: {key.key_id} is safe at {now}, and it is withdrawn")
        if refusing:
            raise ViolationError(f"R15: {key.key_id} is safe at {now}, and refused by {', '.join(refusing)}")

    def live_keys(self, now: datetime) -> list[PublicKey]:
        """Return the keys of which a live token exists."""
        return [key for key, until in self.live_until.items() if until > now]

    def forget(self, now: datetime) -> None:
        """Drop the data that no judgement needs any more, so that a long run stays fast."""
        self.live_until = {key: until for key, until in self.live_until.items() if until > now}
        self.seen_in_use = {key: seen for key, seen in self.seen_in_use.items() if now - seen < _LONGEST_MEMORY}
