"""The invariants A, B and D of the contract, R2, R9, R11, R14 and R15, judged from the truth of the simulation and never from the ledger.

A is judged for every verifier and every edge that could exist at once: a copy of an edition that was replaced at W may
lie at an edge until W + max-age, and with a client that fetched it there for 24 h more. So the simulated verifiers
can be few; what they miss by luck, this does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from oidc_publisher.keys import PublicKey
from tests.simulation.publicface import Era, Origin

#: What Amazon takes of RSA and of EC keys each, and the bytes that Nimbus and Spring read.
MOST_OF_A_TYPE, MOST_BYTES = 100, 51_200
#: Longer than every lifetime of the simulation.
_LONGEST_MEMORY = timedelta(days=10)


class ViolationError(AssertionError):
    """An invariant does not hold."""


@dataclass
class Oracle:
    """Knows which tokens live, and when the operator last had proof that a key was in use.

    What is listed and taken away again between two passes, or behind an API server that does not answer, nobody can
    know of; such a key never signed, or A speaks of it.
    """

    origin: Origin
    live_until: dict[PublicKey, datetime] = field(default_factory=dict)
    seen_in_use: dict[PublicKey, datetime] = field(default_factory=dict)
    withdrawn: frozenset[PublicKey] = frozenset()
    forgiving: bool = False
    early_promotions: int = 0

    def seen(self, keys: Iterable[PublicKey], now: datetime) -> None:
        """A whole pass has seen these keys listed or signing."""
        self.seen_in_use.update(dict.fromkeys(keys, now))

    def minted(self, key: PublicKey, lifetime: timedelta, now: datetime) -> None:
        """A token is handed out. A: every copy that may be in use from now on has its key."""
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
        """An admin says that these were stolen, and no other: their tokens are to be refused from now on."""
        self.withdrawn = keys
        self.condemn(keys)

    def condemn(self, keys: Iterable[PublicKey]) -> None:
        """An admin gives up the tokens that these keys have signed so far."""
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
        """The operator wrote a key set. A: it has the key of every live token. B: what it lacks is out of use.

        R14: what is withdrawn is neither; it goes whatever else is true of it, unless nothing else is left.
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
        """R14: it goes at once, and never the last key."""
        kept = published & self.withdrawn
        if kept and (published - kept or len(kept) > 1):
            raise ViolationError(f"R14: {len(kept)} withdrawn keys are published at {now}")

    def passed(self, published: frozenset[PublicKey], now: datetime) -> None:
        """A whole pass could read and write the place, which is the issuer's own, and leaves this set there."""
        self._judge_withdrawn(published, now)

    def permitted(self, key: PublicKey, refusing: list[str], now: datetime, *, anothers: bool) -> None:
        """A pass calls the key safe to sign with. R15: no API server that it could ask refuses its tokens.

        R2: the place that it read was not `anothers`. R14: nobody has withdrawn the key.
        """
        if anothers:
            raise ViolationError(f"R2: {key.key_id} is safe at {now}, and the place is another owner's")
        if key in self.withdrawn:
            raise ViolationError(f"R14: {key.key_id} is safe at {now}, and it is withdrawn")
        if refusing:
            raise ViolationError(f"R15: {key.key_id} is safe at {now}, and refused by {', '.join(refusing)}")

    def live_keys(self, now: datetime) -> list[PublicKey]:
        """The keys of which a live token exists."""
        return [key for key, until in self.live_until.items() if until > now]

    def forget(self, now: datetime) -> None:
        """Drop what no judgement needs any more, so that a long run stays fast."""
        self.live_until = {key: until for key, until in self.live_until.items() if until > now}
        self.seen_in_use = {key: seen for key, seen in self.seen_in_use.items() if now - seen < _LONGEST_MEMORY}
