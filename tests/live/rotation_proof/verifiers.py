"""Independent relying parties that keep key sets: two libraries, and a kube-apiserver of another cluster."""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
import urllib.error
import urllib.request
from typing import Any, Protocol

import joserfc.errors
import joserfc.jwk
import joserfc.jwt
import jwt

from tests.live.rotation_proof.remote import USERNAME_PREFIX, stranger_token
from tests.live.rotation_proof.tokens import AUDIENCE, SUBJECT
from tests.support.controlplane import ControlPlane

TIMEOUT_S = 5.0
REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


class RejectedError(Exception):
    """The relying party did not accept the token; says why in its own words."""


class Verifier(Protocol):
    """A relying party. It reads the discovery document once, at its start, as all of them do."""

    name: str

    def verify(self, token: str) -> None:
        """Accept the token, or raise RejectedError."""

    def read_set_now(self) -> None:
        """Make it read the key set at this moment, the worst one when a new key comes a moment later."""

    def holds(self) -> str:
        """Say what is in its cache, for a report."""


class PyJWT:
    """PyJWT with its PyJWKClient: a cache of `max_age_s`, an unknown key ID makes it read again 30 s later at most."""

    name = "PyJWT"

    def __init__(self, issuer: str, tls: ssl.SSLContext, max_age_s: float) -> None:
        discovery, _ = fetch(f"{issuer}/.well-known/openid-configuration", tls)
        self._issuer = issuer
        self._algorithms = discovery["id_token_signing_alg_values_supported"]
        self._client = jwt.PyJWKClient(
            discovery["jwks_uri"], lifespan=max_age_s, ssl_context=tls, timeout=int(TIMEOUT_S)
        )

    def verify(self, token: str) -> None:
        """Find the key by its ID and check signature, issuer, audience and times."""
        try:
            key = self._client.get_signing_key_from_jwt(token)
            jwt.decode(token, key.key, algorithms=self._algorithms, audience=AUDIENCE, issuer=self._issuer)
        except jwt.PyJWTError as error:
            raise RejectedError(f"{type(error).__name__}: {error}") from error

    def read_set_now(self) -> None:
        """Read the set anew and keep it for the whole time."""
        self._client.get_jwk_set(refresh=True)

    def holds(self) -> str:
        """The key IDs of the cached set."""
        cached = self._client.jwk_set_cache.get() if self._client.jwk_set_cache else None
        return ", ".join(str(key.key_id) for key in cached.keys) if cached else "nothing"


class Joserfc:
    """joserfc with a cache of the plainest kind: by the answer's max-age, no second look for an unknown key ID."""

    name = "joserfc"

    def __init__(self, issuer: str, tls: ssl.SSLContext) -> None:
        discovery, _ = fetch(f"{issuer}/.well-known/openid-configuration", tls)
        self._uri: str = discovery["jwks_uri"]
        self._tls = tls
        self._algorithms: list[str] = discovery["id_token_signing_alg_values_supported"]
        self._claims = joserfc.jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": AUDIENCE},
            exp={"essential": True},
            leeway=1,  # iat and nbf are in whole seconds
        )
        self._lock = threading.Lock()
        self._keys: Any = None
        self._expires_at = 0.0

    def verify(self, token: str) -> None:
        """Check signature, issuer, audience and times with the cached set."""
        try:
            with self._lock:
                if time.monotonic() >= self._expires_at:
                    self._read()
                keys = self._keys
            decoded = joserfc.jwt.decode(token, keys, algorithms=self._algorithms)
            self._claims.validate(decoded.claims)
        except (joserfc.errors.JoseError, ValueError, OSError) as error:
            raise RejectedError(f"{type(error).__name__}: {error}") from error

    def read_set_now(self) -> None:
        """Read the set anew and keep it for the whole time."""
        with self._lock:
            self._read()

    def holds(self) -> str:
        """The key IDs of the cached set, and how long it is kept."""
        left_s = self._expires_at - time.monotonic()
        return f"{', '.join(str(key.kid) for key in self._keys.keys)} for {left_s:.1f} s more"

    def _read(self) -> None:
        found, cache_control = fetch(self._uri, self._tls)
        stated = re.search(r"max-age=([0-9]+)", cache_control)
        if stated is None:
            raise ValueError(f"no max-age in {cache_control!r}")
        self._keys = joserfc.jwk.KeySet.import_key_set({"keys": found["keys"]})
        self._expires_at = time.monotonic() + int(stated[1])


class KubeAPIServer:
    """A kube-apiserver that trusts the issuer by --authentication-config.

    For a key ID that its set lacks it reads again only when the set expires within 30 s, so under a max-age of 30 s and
    below it always does. A key that it holds is trusted until then, expired or not. What it accepted it accepts for
    10 s without looking (token cache), so every token tells once in 10 s.
    """

    name = "kube-apiserver"

    def __init__(self, remote: ControlPlane, issuer: str) -> None:
        self._remote = remote
        self._issuer = issuer

    def verify(self, token: str) -> None:
        """Ask it who the bearer is."""
        try:
            answer = self._remote.request("POST", REVIEWS, REVIEW, token=token, timeout_s=TIMEOUT_S)
        except OSError as error:
            raise RejectedError(f"no answer: {error!r}") from error
        if answer.status != 201:
            raise RejectedError(f"{answer.status}: {answer.body.decode(errors='replace')[:200]}")
        user = answer.json()["status"]["userInfo"]["username"]
        if user != USERNAME_PREFIX + SUBJECT:
            raise RejectedError(f"taken for {user}")

    def read_set_now(self) -> None:
        """Show it a token of a stranger's key, as anybody may: it looks for that key if its set is old enough."""
        try:
            self.verify(stranger_token(self._issuer))
        except RejectedError:
            return
        raise AssertionError("a stranger's token was accepted")

    def holds(self) -> str:
        """Nobody can see."""
        return "unknown"


def fetch(url: str, tls: ssl.SSLContext) -> tuple[Any, str]:
    """The JSON at a URL, and the answer's Cache-Control."""
    with urllib.request.urlopen(url, timeout=TIMEOUT_S, context=tls) as answer:  # noqa: S310 - the issuer's own https
        return json.load(answer), str(answer.headers.get("Cache-Control", ""))
