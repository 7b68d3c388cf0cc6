"""Faults of the discovery document's members."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from oidc_publisher.findings import Reason
from tests.gallery.answers import members
from tests.gallery.case import Case, Fault, Verdict
from tests.gallery.place import Place

_ALGORITHMS = "id_token_signing_alg_values_supported"


def _issuer(change: Callable[[str], str]) -> Fault:
    return lambda place: place.change(members(issuer=change(place.issuer)))


def _uri(change: Callable[[str], str]) -> Fault:
    return lambda place: place.change(members(jwks_uri=change(f"{place.issuer}/openid/v1/jwks")))


def _without(name: str) -> Fault:
    return lambda place: place.change(members(**{name: None}))


def _rs256_only(place: Place) -> None:
    place.change(members(**{_ALGORITHMS: ["RS256"]}))


def _another_host(url: str) -> str:
    return url.replace(urlsplit(url).netloc, "keys.example.test")


CASES = (
    Case(
        "issuer-with-slash",
        "the issuer ends with a slash that its URL has not",
        _issuer(lambda url: f"{url}/"),
        Reason.IssuerMismatch,
    ),
    Case(
        "issuer-in-capitals",
        "the host of the issuer is written in capitals",
        _issuer(lambda url: url.replace(urlsplit(url).netloc, urlsplit(url).netloc.upper())),
        Reason.IssuerMismatch,
    ),
    Case(
        "issuer-http",
        "the issuer begins with http",
        _issuer(lambda url: url.replace("https", "http", 1)),
        Reason.IssuerMismatch,
    ),
    Case(
        "issuer-of-another",
        "the issuer is another one",
        _issuer(lambda _: "https://other.example.test"),
        Reason.IssuerMismatch,
    ),
    Case("issuer-missing", "the document names no issuer", _without("issuer"), Reason.DocumentInvalid),
    Case(
        "jwks-uri-http",
        "jwks_uri begins with http",
        _uri(lambda url: url.replace("https", "http", 1)),
        Reason.JWKSURIInvalid,
    ),
    Case(
        "jwks-uri-other-host",
        "jwks_uri names a host that does not exist",
        _uri(_another_host),
        Reason.JWKSURIInvalid,
        without_plan=frozenset({Reason.JWKSURIInvalid, Reason.NameNotResolved}),
    ),
    Case(
        "jwks-uri-with-password",
        "jwks_uri holds a user and a password",
        _uri(lambda url: url.replace("://", "://user:password@", 1)),
        Reason.JWKSURIInvalid,
    ),
    Case(
        "jwks-uri-of-the-cluster",
        "jwks_uri is an internal address, as the API server's own",
        _uri(lambda _: "https://127.0.0.1:1/openid/v1/jwks"),
        Reason.JWKSURIInvalid,
        without_plan=frozenset({Reason.JWKSURIInvalid, Reason.ConnectionFailed}),
    ),
    Case(
        "jwks-uri-relative",
        "jwks_uri is a path without a host",
        _uri(lambda _: "/openid/v1/jwks"),
        Reason.JWKSURIInvalid,
    ),
    Case("jwks-uri-missing", "the document names no jwks_uri", _without("jwks_uri"), Reason.DocumentInvalid),
    Case(
        "algorithms-missing",
        "the document advertises no algorithm",
        _without(_ALGORITHMS),
        Reason.AlgorithmsIncomplete,
        signer=1,
    ),
    Case(
        "algorithms-rs256-only",
        "the document advertises RS256 alone beside an EC key",
        _rs256_only,
        Reason.AlgorithmsIncomplete,
        signer=1,
    ),
    Case(
        "authorization-endpoint-missing",
        "the document has no authorization_endpoint",
        _without("authorization_endpoint"),
        Reason.RelyingPartyRuleBroken,
        verdict=Verdict.WARNED,
    ),
    Case(
        "response-types-missing",
        "the document has no response_types_supported",
        _without("response_types_supported"),
        Reason.RelyingPartyRuleBroken,
        verdict=Verdict.WARNED,
    ),
)
