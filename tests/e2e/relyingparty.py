"""Somebody who trusts the issuer and knows nothing but its URL: PyJWT, and not a line of the operator."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import jwt

from tests.e2e.clients import Clients
from tests.e2e.world import AUDIENCE

if TYPE_CHECKING:
    from tests.e2e.world import Store, World

_DISCOVERY = "/.well-known/openid-configuration"
_ROUND_S = 1.0


class RelyingParty:
    """Follows the issuer's URL to its key set, which it keeps as long as Cache-Control lets it, whatever it is shown."""

    def __init__(self, store: Store, issuer_url: str) -> None:
        self._store = store
        self._issuer_url = issuer_url
        self._keys: dict[str, jwt.PyJWK] = {}
        self._algorithms: list[str] = []
        self._good_until = 0.0

    def verify(self, token: str) -> dict[str, Any]:
        """Return the claims of a good token.

        Raises:
            jwt.PyJWTError: it is refused.
            AssertionError: the documents cannot be had, or are not this issuer's.
        """
        if time.monotonic() >= self._good_until:
            self._read()
        kid = jwt.get_unverified_header(token)["kid"]
        if kid not in self._keys:
            raise jwt.InvalidKeyError(f"no key {kid} in the published set")
        claims: dict[str, Any] = jwt.decode(
            token, self._keys[kid], algorithms=self._algorithms, audience=AUDIENCE, issuer=self._issuer_url
        )
        return claims

    def _read(self) -> None:
        discovery = json.loads(self._fetch(_DISCOVERY)[0])
        assert discovery["issuer"] == self._issuer_url
        path = discovery["jwks_uri"].removeprefix(self._issuer_url)
        body, max_age_s = self._fetch(path)
        self._algorithms = discovery["id_token_signing_alg_values_supported"]
        self._keys = {key.key_id: key for key in jwt.PyJWKSet.from_json(body.decode()).keys if key.key_id}
        self._good_until = time.monotonic() + max_age_s

    def _fetch(self, path: str) -> tuple[bytes, float]:
        answer = self._store.fetch(path)
        assert answer.status == 200, f"{path}: {answer.status}"
        found = re.search(r"max-age=(\d+)", answer.headers.get("cache-control", ""))
        return answer.body, float(found[1]) if found else 0.0


class Watch:
    """Verifies every token of the live pods, and one minted anew each second, until it is ended.

    `rejected` says what was refused and why, a document that could not be had among it; `checks` counts by key ID.
    """

    def __init__(self, world: World, clients: Clients) -> None:
        self.rejected: list[str] = []
        self.checks: Counter[str] = Counter()
        self._party = RelyingParty(world.store, world.issuer_url)
        self._sources: list[Callable[[], list[str]]] = [clients.tokens, clients.mint]
        self._tokens: dict[str, None] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """End."""
        self._end.set()
        self._thread.join()

    def wait_rounds(self, kid: str, count: int, timeout_s: float = 60) -> None:
        """Wait until so many more tokens of a key have been checked."""
        wanted, end = self.checks[kid] + count, time.monotonic() + timeout_s
        while self.checks[kid] < wanted:
            assert time.monotonic() < end, f"no {count} checks of tokens of {kid} within {timeout_s:g} s: {self.checks}"
            time.sleep(0.1)

    def _run(self) -> None:
        while not self._end.wait(_ROUND_S):
            for source in self._sources:
                try:
                    self._tokens |= dict.fromkeys(source())
                except AssertionError:
                    continue  # the API server that was asked is away for a moment
            for token in list(self._tokens):
                self._check(token)

    def _check(self, token: str) -> None:
        kid = ""
        try:
            kid = jwt.get_unverified_header(token)["kid"]
            self._party.verify(token)
        except (jwt.PyJWTError, AssertionError, OSError) as error:
            self.rejected.append(f"{kid or 'unreadable'}: {error!r}")
        self.checks[kid] += 1
