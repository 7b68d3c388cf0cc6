"""A cluster and its clone publish under one mark, with rotations, restarts and crashes in any order (R9).

The clone has the same ledger and identity, API servers of its own and a process of its own. No pass of one of them may take
away a key that the other one signs with, unless a person has said who goes on, or a process was started anew: then nobody
remembers, and its keys stay for one token lifetime from then on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from oidc_publisher.documents import DISCOVERY_PATH, OwnerMark
from oidc_publisher.keys import PublicKey
from oidc_publisher.probe.wire.port import Fetched
from tests.simulation.cluster import Cluster, Server
from tests.simulation.keypool import public_key
from tests.simulation.operatorprocess import Crash, Operator
from tests.simulation.publicface import JWKS_PATH, Bucket
from tests.simulation.world import HOUR, MINUTE, T0, issuer_spec, served
from tests.support.examples import about

WHO = st.integers(0, 1)
API = "10.0.0.1:6443"


@dataclass
class Site:
    """What one of the two sees: its own API server, and the bucket that both write to, with no cache before it."""

    bucket: Bucket
    now: datetime
    cluster: Cluster = field(
        default_factory=lambda: Cluster({API: Server([public_key(1)], public_key(1))}),
    )
    clock_offset: timedelta = timedelta(0)

    @property
    def operator_now(self) -> datetime:
        """Its clock is right."""
        return self.now

    @property
    def server(self) -> Server:
        """Its API server."""
        return self.cluster.servers[API]

    def answer(self, url: str, visit: int) -> Fetched:
        """What the public URL answers."""
        del visit
        stored = self.bucket.documents.get(JWKS_PATH if url.endswith(JWKS_PATH) else DISCOVERY_PATH)
        return served(url, stored.document if stored else None, timedelta(0))


class TwoWriters(RuleBasedStateMachine):
    """Two operators over one bucket, each with a cluster that signs with a key of its own."""

    @initialize()
    def clone(self) -> None:
        """One issuer at rest, and a snapshot of it that runs elsewhere."""
        self.bucket, self.now = Bucket(), T0
        self.sites = [Site(self.bucket, T0), Site(self.bucket, T0)]
        self.operators = [Operator(self.sites[0], issuer_spec(), name="first")]
        self.next_key = 2
        self._run(0)
        self.operators.append(Operator(self.sites[1], issuer_spec(), name="clone"))
        self.operators[1].set_status(self.operators[0].status)

    def _run(self, who: int) -> None:
        self.sites[who].now = self.now
        self.operators[who].run()

    @property
    def _published(self) -> frozenset[PublicKey]:
        era = self.bucket.era
        return era.keys if era else frozenset()

    @rule(who=WHO)
    def look(self, who: int) -> None:
        """A pass of one of them: it removes no key that the other one signs with, for its tokens live."""
        before, other = self._published, self.sites[1 - who].server.signer
        self._run(who)
        if other in before and not self._retired(who, other):
            assert other in self._published, "a key that the other cluster signs with was removed"
        self.now += MINUTE

    def _retired(self, who: int, key: PublicKey) -> bool:
        """Whether this operator has kept the key for a whole lifetime since it went on after the other."""
        return self.operators[who].ledger.get(key.key_id) is None and self.waited

    waited = False

    @rule(who=WHO)
    def rotate(self, who: int) -> None:
        """A cluster lists a new key and signs with it at once."""
        server, key = self.sites[who].server, public_key(self.next_key)
        server.files, server.signer = [server.signer, key], key
        self.next_key += 1

    @rule(who=WHO)
    def restart(self, who: int) -> None:
        """A new process."""
        self.operators[who].restart()

    @rule(who=WHO, where=st.sampled_from(Crash))
    def crash(self, who: int, where: Crash) -> None:
        """It dies within its next pass, before its write or after it."""
        self.operators[who].crash = where
        self.look(who)

    @rule()
    def wait(self) -> None:
        """Two hours in which nobody looks."""
        self.now += 2 * HOUR
        self.waited = self.waited or self.now >= T0 + 24 * HOUR

    @rule(who=WHO)
    def go_on(self, who: int) -> None:
        """The documented step: a person lets this one go on."""
        status = dict(self.operators[who].status)
        status["ledger"] = {name: value for name, value in status["ledger"].items() if name != "secondWriterTime"}
        self.operators[who].set_status(status)

    @invariant()
    def both_bear_the_mark(self) -> None:
        """Whoever wrote last, the documents are whole."""
        for path in (DISCOVERY_PATH, JWKS_PATH):
            mark = OwnerMark.read(self.bucket.documents[path].document.metadata)
            assert mark is not None
            assert mark.nonce

    def teardown(self) -> None:
        """In the end one of them is stopped, or both hold the same write: nobody fights."""
        if not hasattr(self, "operators"):
            return
        for _ in range(3):
            for who in range(2):
                self._run(who)
        writes = self.bucket.documents[JWKS_PATH].version
        for _ in range(3):
            for who in range(2):
                self._run(who)
        assert self.bucket.documents[JWKS_PATH].version == writes, "they write by turns"


TestTwoWriters = TwoWriters.TestCase
TestTwoWriters.settings = about(60)
TestTwoWriters.pytestmark = [pytest.mark.timeout(0)]  # type: ignore[attr-defined]
