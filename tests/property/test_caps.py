"""A cluster lists more keys than relying parties take (R11): a hundred at once, of two types, while rotations go on.

A machine of its own with few examples, for a pass over a full ledger takes as long as a whole history over a small one.
"""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from oidc_publisher.keys import PublicKey
from tests.simulation.cluster import NamedSource
from tests.simulation.keypool import named_key, public_key
from tests.simulation.rotator import WHO, Rotator
from tests.simulation.world import DAY, HOUR, SECOND, started
from tests.support.examples import about

FLOOD = 100
#: Entry numbers and seeds of flooding keys, far from those of the rotator.
_FIRST = 3000
_RSA = tuple(named_key(f"flood-{number:03}", algorithm="RS256") for number in range(FLOOD))
_EC = tuple(public_key(_FIRST + number) for number in range(FLOOD))


class Caps(Rotator):
    """Nothing goes wrong, but for the number of keys."""

    @initialize(servers=st.integers(1, 2))
    def start(self, servers: int) -> None:
        """The first publication, with a source of named keys beside the API servers."""
        self.world = started(servers, named=True, interval=24 * HOUR)

    @precondition(lambda self: len(self._flooded) <= FLOOD)
    @rule(rsa=st.booleans(), files=st.booleans(), who=WHO, everywhere=st.booleans())
    def flood(self, rsa: bool, files: bool, who: int, everywhere: bool) -> None:
        """A hundred keys are listed at once, in the named source or in key files; RSA keys in the source alone."""
        self.world.settle()
        if files and not rsa:
            for server in self._servers(who, everywhere=everywhere):
                server.files += [key for key in _EC if key not in server.files]
        else:
            first = _FIRST + (FLOOD if rsa else 0)
            self._named.entries.update((first + place, key) for place, key in enumerate(_RSA if rsa else _EC))
        self.world.run_pass()
        self.world.settle()

    @precondition(lambda self: self._flooded)
    @rule(half=st.booleans())
    def ebb(self, half: bool) -> None:
        """They go again, or half of them, but for those that sign."""
        self.world.settle()
        leaving = {*(_EC[: FLOOD // 2] if half else _EC), *(_RSA[: FLOOD // 2] if half else _RSA)}
        for server in self.world.cluster.present.values():
            kept = [key for key in server.files if key not in leaving or key == server.signer]
            server.files = kept or [server.signer]  # no API server starts without a key file
        named = self._named
        named.entries = {number: key for number, key in named.entries.items() if key not in leaving}
        named.entries = named.entries or {1: next(iter(self.world.cluster.signers))}
        self.world.run_pass()
        self.world.settle()

    @property
    def _named(self) -> NamedSource:
        assert self.world.cluster.named is not None
        return self.world.cluster.named

    @property
    def _flooded(self) -> set[PublicKey]:
        return self.world.cluster.used & {*_EC, *_RSA}

    def teardown(self) -> None:
        """C: what had no room is published once the flood has gone, and what has gone has left."""
        if not hasattr(self, "world"):
            return
        self._heal()
        self.ebb(half=False)
        self.world.next_pass = self.world.now + SECOND
        self.world.wait(4 * DAY)
        era = self.world.origin.era
        assert era is not None
        assert era.keys == self.world.cluster.used


TestCaps = Caps.TestCase
TestCaps.settings = about(12, stateful_step_count=20)
TestCaps.pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]  # type: ignore[attr-defined]
