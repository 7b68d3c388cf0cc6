"""Kills the operator at random moments and in the middle of its writes; and who looks whether readers notice."""

from __future__ import annotations

import http
import json
import random
import threading
from collections import Counter

from tests.live.rotation_proof.chronicle import Chronicle
from tests.live.rotation_proof.publications import Fate, Publications
from tests.support.background import Background
from tests.support.operatorprocess import OperatorProcess
from tests.support.processes import ProcessFailedError
from tests.support.stage import BUCKET, PREFIX, Stage

#: How long an operator lives once it listens: from before its first pass to several passes.
SHORTEST_LIFE_S, LONGEST_LIFE_S = 0.05, 6.0
#: Half of the writes pass in peace; at each of the others the operator dies.
FATES = [Fate.PASSES] * 5 + [Fate.LOST] * 2 + [Fate.ANSWER_LOST] * 2 + [Fate.LATE]
LOOK_EVERY_S = 0.1


class Killer(Background):
    """Starts the operator, kills it by SIGKILL, starts it again, and so on until the end of the `with` block.

    The seed draws the moments and the fates; what happens at each of them is up to the machine.
    """

    def __init__(self, operator: OperatorProcess, publications: Publications, chronicle: Chronicle, seed: int) -> None:
        self.kills: Counter[str] = Counter()
        self._operator = operator
        self._publications = publications
        self._chronicle = chronicle
        self._moments = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._fates = random.Random(seed + 1)  # noqa: S311 - the same
        self._lock = threading.Lock()
        super().__init__(killer=self._kill_always)

    def start(self) -> None:
        """Begin."""
        self._publications.meddle = self._meddle
        self._publications.written = self._after_write
        super().start()

    def stop(self) -> None:
        """Let the operator be, dead or alive."""
        super().stop()
        self._publications.meddle = self._publications.written = None

    def figures(self) -> str:
        """How often it died, and when."""
        return "killed " + ", ".join(f"{count} times {when}" for when, count in sorted(self.kills.items()))

    def _kill_always(self) -> None:
        while not self.stopping.is_set():
            try:
                self._operator.start()
            except ProcessFailedError:
                self._chronicle.note("the operator died before it listened")
            self.stopping.wait(self._moments.uniform(SHORTEST_LIFE_S, LONGEST_LIFE_S))
            self._kill("at a random moment")

    def _meddle(self) -> Fate:
        """Called for each write of the operator before it reaches the store."""
        fate = self._fates.choice(FATES)
        if fate is Fate.LOST:
            self._kill("before a write")
        elif fate is Fate.LATE:
            self._kill("before a write that arrives late")
        return fate

    def _after_write(self, fate: Fate) -> None:
        """Called once the store has taken a write, before the operator learns of it."""
        if fate is Fate.ANSWER_LOST:
            self._kill("after a write")

    def _kill(self, when: str) -> None:
        with self._lock:
            if not self._operator.process.running:
                return
            self._operator.kill()
            self.kills[when] += 1
            self._chronicle.note(f"the operator is killed {when}")


class Onlooker(Background):
    """Reads the issuer all the time as a party does that starts just now: discovery, then the key set it names."""

    def __init__(self, stage: Stage) -> None:
        self.complaints: list[str] = []
        self._stage = stage
        super().__init__(onlooker=self._look_always)

    def _look_always(self) -> None:
        seen = False
        while not self.stopping.wait(LOOK_EVERY_S):
            discovery = self._stage.edge.fetch(f"/{BUCKET}/{PREFIX}/.well-known/openid-configuration")
            if discovery.status != http.HTTPStatus.OK:
                if seen:
                    self.complaints.append(f"the discovery document is gone: {discovery.status}")
                continue
            seen = True
            uri: str = json.loads(discovery.body)["jwks_uri"]
            keys = self._stage.edge.fetch(uri.removeprefix(self._stage.edge.url))
            if keys.status != http.HTTPStatus.OK or not json.loads(keys.body)["keys"]:
                self.complaints.append(f"discovery names {uri}, which answers {keys.status}: {keys.body[:200]!r}")
