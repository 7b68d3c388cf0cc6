"""Load the broken issuers of tests/vectors/issuers as the results of a probe."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

from oidc_publisher.api import RelyingParty
from oidc_publisher.documents import read_jwks_document
from oidc_publisher.keys import PublicKey
from oidc_publisher.keys.jwk import read_jwk
from oidc_publisher.probe import Expected, Fetched, Look, Read

FOLDER = Path(__file__).parents[1] / "vectors" / "issuers"
CASES: dict[str, list[str]] = json.loads((FOLDER / "cases.json").read_text())

ISSUER = "https://issuer.example.test/prod"
DISCOVERY_URL = f"{ISSUER}/.well-known/openid-configuration"
JWKS_URI = f"{ISSUER}/openid/v1/jwks"
NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


def answer(name: str, part: str, url: str) -> Fetched:
    """Return one answer of an issuer; what its folder does not hold is as in `good`."""
    own = FOLDER / name / f"{part}.http"
    if not own.exists() and part == "jwks-again":
        return answer(name, "jwks", url)
    raw = (own if own.exists() else FOLDER / "good" / f"{part}.http").read_bytes()
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Fetched(
        url=url,
        status=int(first.split()[1]),
        body=body,
        content_type=headers.get("content-type", ""),
        cache_control=headers.get("cache-control", ""),
        content_encoding=headers.get("content-encoding", ""),
        location=headers.get("location", ""),
    )


def look_at(name: str) -> Look:
    """Return the look at an issuer: two reads."""
    discovery = answer(name, "discovery", DISCOVERY_URL)
    first, again = (answer(name, part, JWKS_URI) for part in ("jwks", "jwks-again"))
    return Look((Read(discovery, first), Read(discovery, again)), NOW)


def published() -> tuple[PublicKey, ...]:
    """Return the keys that the issuer should serve."""
    return read_jwks_document(answer("good", "jwks", JWKS_URI).body).keys


def former_key() -> PublicKey:
    """Return the key that was published before."""
    return read_jwk(json.loads((FOLDER / "former.json").read_text())).key


def expected() -> Expected:
    """Return what the issuer should look like."""
    return Expected(
        issuer_url=ISSUER,
        jwks_uri=JWKS_URI,
        keys=published(),
        algorithms=frozenset({"RS256", "ES256"}),
        cache_max_age=dt.timedelta(minutes=5),
        relying_parties=(RelyingParty.AWS, RelyingParty.GCP, RelyingParty.KUBERNETES),
        former_key_ids=frozenset({former_key().key_id}),
    )
