"""Verifiers of other hands, who refuse nothing while a cluster changes what it signs with."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field

import jwt

from tests.support.adminapi import ApiError
from tests.support.stage import Stage

_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
#: How many tokens must have been verified for a change to count as seen, and how long verifiers are waited for.
_VERIFIED, _PATIENCE_S = 3, 60.0


@dataclass(slots=True)
class Strangers:
    """Verifiers of other hands: each other API server, and PyJWT with the published key set."""

    stage: Stage
    indexes: tuple[int, ...] = (0, 1)
    enough: threading.Event = field(default_factory=threading.Event)
    verified: int = 0
    refused: list[str] = field(default_factory=list)
    trouble: BaseException | None = None

    def work(self) -> None:
        """Mint and verify until it is enough; an API server that restarts mints nothing, which is no refusal."""
        try:
            while not self.enough.wait(0.05):
                for index in self.indexes:
                    with contextlib.suppress(OSError, ApiError):
                        self._check(index)
        except BaseException as error:
            self.trouble = error
            raise

    def _check(self, index: int) -> None:
        cluster = self.stage.cluster
        token = cluster.mint_token(index, "default", "probe", None)
        kid = str(jwt.get_unverified_header(token)["kid"])
        key = next((each for each in self._published() if each["kid"] == kid), None)
        if key is None:
            self.refused.append(f"{kid}: not published")
        else:
            jwt.decode(token, jwt.PyJWK(key), algorithms=["RS256"], options={"verify_aud": False}, leeway=2)
        document = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        for other in self.indexes:
            status = cluster.json("POST", _REVIEWS, document, index=other)["status"]
            if not status.get("authenticated"):
                self.refused.append(f"{kid} of {index}: by API server {other}: {status.get('error')}")
        self.verified += 1

    def _published(self) -> list[dict[str, str]]:
        url = f"{self.stage.issuer_url}/openid/v1/jwks"
        with urllib.request.urlopen(url, timeout=5, context=self.stage.pki.client_context()) as answer:  # noqa: S310 - https
            keys: list[dict[str, str]] = json.load(answer)["keys"]
        return keys


@contextlib.contextmanager
def nothing_refused(stage: Stage, *indexes: int) -> Iterator[None]:
    """Have tokens minted and verified meanwhile, and none refused."""
    strangers = Strangers(stage, indexes or (0, 1))
    thread = threading.Thread(target=strangers.work, daemon=True)
    thread.start()
    try:
        yield
        # A change may be over before a verifier that waited for it has asked again.
        end = time.monotonic() + _PATIENCE_S
        while thread.is_alive() and strangers.verified < _VERIFIED and time.monotonic() < end:
            time.sleep(0.05)
    finally:
        strangers.enough.set()
        thread.join(60)
    assert not thread.is_alive()
    assert strangers.trouble is None
    assert strangers.refused == []
    assert strangers.verified >= _VERIFIED
