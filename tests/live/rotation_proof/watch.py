"""The verifiers at work: each checks live tokens several times a second, and what it refuses is written down."""

from __future__ import annotations

import functools
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tests.live.rotation_proof.chronicle import Chronicle
from tests.live.rotation_proof.publications import Publications
from tests.live.rotation_proof.tokens import Minting, Token, telling
from tests.live.rotation_proof.verifiers import RejectedError, Verifier
from tests.support.background import Background

PERIOD_S = 0.25


@dataclass(frozen=True, slots=True)
class Rejection:
    """A live token that a verifier did not accept, what that verifier held, and what was published then."""

    at: float
    verifier: str
    token: Token
    why: str
    held: str
    published: str


class Watch(Background):
    """Runs every verifier in a thread of its own, from `with` to the end of the block."""

    def __init__(
        self,
        verifiers: Sequence[Verifier],
        minting: Minting,
        publications: Publications,
        chronicle: Chronicle,
        *,
        live_s: float,
    ) -> None:
        self.verifiers = tuple(verifiers)
        self.live_s = live_s
        self.verified: Counter[tuple[str, str]] = Counter()  # by verifier and key ID
        self.rejections: list[Rejection] = []
        self._minting = minting
        self._publications = publications
        self._chronicle = chronicle
        self._lock = threading.Lock()
        super().__init__(**{each.name: functools.partial(self._verify_always, each) for each in self.verifiers})

    def read_sets_now(self) -> None:
        """Let every verifier read the set at this moment: what is published next, its cache will not have."""
        for verifier in self.verifiers:
            verifier.read_set_now()
        self._chronicle.note("every verifier has just read the key set")

    def rejected_by(self, verifier: str) -> int:
        """How often a verifier refused a live token."""
        return sum(rejection.verifier == verifier for rejection in self.rejections)

    def verified_by(self, verifier: str) -> int:
        """How often a verifier accepted a token."""
        with self._lock:
            return sum(count for (name, _), count in self.verified.items() if name == verifier)

    def _verify_always(self, verifier: Verifier) -> None:
        while not self.stopping.is_set():
            for token in telling(self._minting.tokens, live_s=self.live_s, now=time.time()):
                self._verify(verifier, token)
            self.stopping.wait(PERIOD_S)

    def _verify(self, verifier: Verifier, token: Token) -> None:
        began = time.time()
        if began - token.minted_at >= self.live_s:
            return  # it died while the others were looked at
        try:
            verifier.verify(token.text)
        except Exception as error:  # noqa: BLE001 - whatever a library raises, the token was not accepted
            why = str(error) if isinstance(error, RejectedError) else repr(error)
            self._reject(Rejection(began, verifier.name, token, why, verifier.holds(), self._publications.at(began)))
        else:
            with self._lock:
                self.verified[verifier.name, token.kid] += 1

    def _reject(self, rejection: Rejection) -> None:
        with self._lock:
            known = any((r.verifier, r.token) == (rejection.verifier, rejection.token) for r in self.rejections)
            self.rejections.append(rejection)
        if not known:
            number = self._publications.describe((rejection.token.kid,))
            self._chronicle.note(f"REJECTED by {rejection.verifier}: a token of {number} ({rejection.why})")
