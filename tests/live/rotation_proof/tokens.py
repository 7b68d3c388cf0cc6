"""Tokens as a cluster's pods get them: a new one through each API server every second."""

from __future__ import annotations

import base64
import functools
import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tests.support.adminapi import ApiError
from tests.support.background import Background
from tests.support.controlplane import ControlPlane
from tests.support.stage import PROBE

AUDIENCE = "remote.example.com"
SUBJECT = f"system:serviceaccount:{':'.join(PROBE)}"

#: The shortest life that the API grants. A run counts a token as live for a shorter time, its maxTokenLifetime.
GRANTED_S = 600
EVERY_S = 1.0
#: While an API server is away: its first token with a new key is wanted as early as any pod could have it.
RETRY_S = 0.1


@dataclass(frozen=True, slots=True)
class Token:
    """A token, the API server that minted it, and when it had arrived here."""

    text: str
    kid: str
    server: int
    minted_at: float


class Minting(Background):
    """Mints through every API server in the background; a server that is away is asked again and again."""

    def __init__(self, cluster: ControlPlane) -> None:
        self._cluster = cluster
        self._tokens: list[Token] = []
        self._lock = threading.Lock()
        indexes = range(len(cluster.servers))
        super().__init__(**{f"minting {index}": functools.partial(self._mint_always, index) for index in indexes})

    @property
    def tokens(self) -> tuple[Token, ...]:
        """Every token of the run, in the order of minting."""
        with self._lock:
            return tuple(self._tokens)

    def minted(self) -> Counter[tuple[int, str]]:
        """How many tokens each API server minted with each key."""
        return Counter((token.server, token.kid) for token in self.tokens)

    def last_minted_at(self, kid: str) -> float:
        """When the last token with this key was minted; the beginning of time if there was none."""
        return max((token.minted_at for token in self.tokens if token.kid == kid), default=0.0)

    def _mint_always(self, index: int) -> None:
        while not self.stopping.is_set():
            try:
                text = self._cluster.mint_token(index, *PROBE, AUDIENCE, GRANTED_S)
            except (OSError, ApiError, http.client.HTTPException, ValueError):
                self.stopping.wait(RETRY_S)
                continue
            with self._lock:
                self._tokens.append(Token(text, key_id(text), index, time.time()))
            self.stopping.wait(EVERY_S)


def key_id(token: str) -> str:
    """The `kid` in a token's header."""
    header = token.partition(".")[0]
    kid: str = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"]
    return kid


def telling(tokens: Iterable[Token], *, live_s: float, now: float) -> list[Token]:
    """The newest and the oldest live token of every key and API server: the first and the last that could be refused."""
    first: dict[tuple[int, str], Token] = {}
    last: dict[tuple[int, str], Token] = {}
    for token in tokens:
        if now - token.minted_at < live_s:
            first.setdefault((token.server, token.kid), token)
            last[token.server, token.kid] = token
    return list(dict.fromkeys([*last.values(), *first.values()]))
