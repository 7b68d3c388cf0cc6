"""Somebody who trusts the issuer and knows nothing but its URL: PyJWT, and not a line of the operator."""

from __future__ import annotations

import itertools
import json
import ssl
import threading
import time
import urllib.request
from collections import Counter, deque
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

import jwt

from tests.support.adminapi import AdminApi, ApiError


@dataclass(frozen=True, slots=True)
class Served:
    """A document as the public sees it."""

    url: str
    status: int
    headers: dict[str, str]
    body: bytes


def fetch(url: str, tls: ssl.SSLContext) -> Served:
    """Read a public document without any credentials, whatever the status is."""
    with urllib.request.build_opener(_AnyStatus(), urllib.request.HTTPSHandler(context=tls)).open(
        url, timeout=5
    ) as got:
        return Served(url, got.status, dict(got.headers), got.read())


class _AnyStatus(urllib.request.HTTPErrorProcessor):
    """Every status is an answer."""

    def http_response(self, request: Any, response: Any) -> Any:
        del request
        return response

    https_response = http_response


class RelyingParty:
    """Verifies tokens as any OIDC library does: issuer URL → discovery document → key set → signature and claims.

    It keeps the key set for `keeps_s` seconds and never asks earlier, not even for a key it does not know: the strictest
    reading of Cache-Control, and the one that a careless rotation breaks first.
    """

    def __init__(self, issuer_url: str, audience: str, tls: ssl.SSLContext, *, keeps_s: float) -> None:
        self._issuer_url = issuer_url
        self._audience = audience
        discovery = json.loads(fetch(f"{issuer_url}/.well-known/openid-configuration", tls).body)
        self._algorithms: list[str] = discovery["id_token_signing_alg_values_supported"]
        self._keys = jwt.PyJWKClient(discovery["jwks_uri"], ssl_context=tls, lifespan=keeps_s, timeout=5)

    def verify(self, token: str) -> dict[str, Any]:
        """Return the claims of a good token.

        Raises:
            jwt.PyJWTError: the token is refused, or the key set cannot be read.
        """
        kid = jwt.get_unverified_header(token)["kid"]
        key = next((key for key in self._keys.get_signing_keys() if key.key_id == kid), None)
        if key is None:
            raise jwt.InvalidKeyError(f"no key {kid} in the published set")
        claims: dict[str, Any] = jwt.decode(
            token, key, algorithms=self._algorithms, audience=self._audience, issuer=self._issuer_url
        )
        return claims


class Watch:
    """Mints tokens and has those that still live verified, several times a second, until it is ended.

    A token lives for `lifetime_s` from its minting, as the issuer's policy says (kube-apiserver mints none for less than
    ten minutes). Each check is made by relying parties that cache differently.
    """

    def __init__(
        self,
        cluster: AdminApi,
        account: tuple[str, str],
        audience: str,
        parties: list[RelyingParty],
        *,
        lifetime_s: float,
    ) -> None:
        self.checks: Counter[str] = Counter()  # by key ID
        self.rejected: list[str] = []
        self.minted: Counter[str] = Counter()
        self._cluster, self._account, self._audience = cluster, account, audience
        self._parties = parties
        self._lifetime_s = lifetime_s
        self._live: deque[tuple[float, str, str]] = deque()  # when minted, key ID, token
        self._servers = itertools.cycle((0, 1))
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """Check once more, and stop."""
        self._done.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._done.wait(0.2):
            self._mint()
            self._check_all()

    def _mint(self) -> None:
        began = time.monotonic()
        try:
            token = self._cluster.mint_token(next(self._servers), *self._account, self._audience, 600)
        except (OSError, HTTPException, ApiError, ValueError, KeyError):
            return  # this API server restarts; there is no token that anybody could reject
        kid = jwt.get_unverified_header(token)["kid"]
        self.minted[kid] += 1
        self._live.append((began, kid, token))

    def _check_all(self) -> None:
        oldest = time.monotonic() - self._lifetime_s
        while self._live and self._live[0][0] < oldest:
            self._live.popleft()
        for minted_at, kid, token in self._chosen():
            for party in self._parties:
                self.checks[kid] += 1
                try:
                    party.verify(token)
                except jwt.PyJWTError as error:
                    age_s = time.monotonic() - minted_at
                    self.rejected.append(f"{kid[:8]}, {age_s:.1f} s old: {type(error).__name__}: {error}")

    def _chosen(self) -> list[tuple[float, str, str]]:
        """The oldest and the newest live token of each key: those that a rotation would lose first."""
        newest = {kid: one for one in self._live for kid in [one[1]]}
        oldest = {kid: one for one in reversed(self._live) for kid in [one[1]]}
        return sorted({*newest.values(), *oldest.values()})
