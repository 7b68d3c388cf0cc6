"""Judge a freshly minted token. Pure.

joserfc verifies the signatures, as an implementation independent of the publisher's; each call names the accepted
algorithms.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet

from oidc_publisher.errors import ClusterError, DocumentInvalidError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.keys import PublicKey, to_jwk
from oidc_publisher.keys.jwk import key_members
from oidc_publisher.keys.strictjson import parse_object, quoted
from oidc_publisher.probe.text import shown, spoken
from oidc_publisher.probe.wire.port import BODY_LIMIT_BYTES

#: The algorithms that kube-apiserver signs with. By default joserfc refuses ES384 and ES512, and accepts HS256.
ALGORITHMS = frozenset({"RS256", "ES256", "ES384", "ES512"})
#: To import a key costs as much as to verify a signature with it, and the same few keys verify every token.
_KEYS_KEPT = 64


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """The facts hold the unverified header and claims of a token; times are aware UTC, None where it states none."""

    key_id: str | None
    algorithm: str
    issuer: str
    audiences: tuple[str, ...]
    issued_at: datetime | None
    expires_at: datetime | None


def read_token(token: str) -> TokenFacts:
    """Read a token's header and claims without verifying the signature.

    Raises ClusterError(TokenRequestFailed) if the token is no JWT.
    """
    try:
        return _facts(*token_parts(token))
    except (ValueError, TypeError, OverflowError, OSError, DocumentInvalidError):
        raise ClusterError(Reason.TokenRequestFailed, "What was minted is no JWT") from None


def token_parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a token's header and claims without verifying the signature.

    Raises ValueError or DocumentInvalidError if the token is no JWT.
    """
    header, claims, _ = (_decoded(part) for part in token.split("."))
    return parse_object(header), parse_object(claims)


class SignatureCheck(Enum):
    """What the served key of a token's key ID says about its signature."""

    KEY_NOT_SERVED = auto()
    OTHER_ALGORITHM = auto()
    INVALID = auto()
    VALID = auto()


def check_signature(token: str, facts: TokenFacts, fetched_jwks: bytes) -> SignatureCheck:
    """Verify a token with the key that is served under its key ID; `fetched_jwks` are the bytes as served."""
    member = _served(fetched_jwks, facts.key_id)
    if member is None:
        return SignatureCheck.KEY_NOT_SERVED
    if facts.algorithm not in ALGORITHMS:
        return SignatureCheck.OTHER_ALGORITHM
    valid = _verified(token, member, {facts.algorithm}, check_key_id=True)
    return SignatureCheck.VALID if valid else SignatureCheck.INVALID


def verifies(token: str, key: PublicKey) -> bool:
    """Return whether this key signed the token (R8 tries each material that is known under the token's kid)."""
    return _verified(token, dict(to_jwk(key)), {key.algorithm}, check_key_id=False)


def judge_token(
    token: str,
    *,
    endpoint: str,
    fetched_jwks: bytes | None,
    issuer_url: str,
    audience: str,
    now: datetime,
    clock_skew: timedelta,
    facts: TokenFacts | None = None,
) -> tuple[Finding, ...]:
    """Return the findings about a token that one API server has just minted; the subject of each is the endpoint.

    `facts` are the token's own where it was read before. `fetched_jwks` are the bytes as served, because only they prove
    what relying parties get. With None (nothing was fetched, which has a finding of its own) the signature is not checked.
    """
    try:
        facts = facts or read_token(token)
    except ClusterError as error:
        return (error.finding(subject=endpoint),)
    found = [
        *_issuer(facts, issuer_url),
        *_signature(token, facts, fetched_jwks),
        *_audience(facts, audience),
        *_times(facts, now, clock_skew),
    ]
    return tuple(Finding.of(reason, f"{endpoint} {said}", subject=endpoint, hint=hint) for reason, said, hint in found)


def judge_lifetime(token: str, *, endpoint: str, max_token_lifetime: timedelta) -> Finding | None:
    """Return a finding when a token lives longer than the policy allows, None when it does not.

    The token was requested with a longer lifetime. A cluster that grants it lets any token outlive the token's key.
    """
    try:
        facts = read_token(token)
    except ClusterError:
        return None  # the tokens of the proof come from the same API server, and judge_token reports this defect
    if facts.expires_at is None or facts.issued_at is None or facts.expires_at - facts.issued_at <= max_token_lifetime:
        return None
    granted, policy = spoken(facts.expires_at - facts.issued_at), spoken(max_token_lifetime)
    message = f"{endpoint} grants tokens that live longer than rotation.maxTokenLifetime ({policy}): it granted one of {granted}"
    return Finding.of(Reason.TokenOutlivesPolicy, message, subject=endpoint)


def judge_own_audience(endpoint: str, audience: str) -> Finding:
    """Return the finding about an API server that accepts an audience of relying parties as its own."""
    message = f"{endpoint} accepts tokens for {shown(audience)} as tokens for itself: it is among its --api-audiences"
    return Finding.of(Reason.AudienceShared, message, subject=endpoint)


def judge_review(endpoint: str, *, authenticated: bool, error: str = "") -> Finding | None:
    """Return a finding when an API server's TokenReview rejects the API server's own token, None when it accepts it.

    `error` is the review's status.error. It names no request, so that the message is stable.
    """
    if authenticated:
        return None
    said = f" ({shown(error)})" if error else ""
    message = f"{endpoint} rejects the token that it has just minted{said}"
    return Finding.of(Reason.TokenRejectedByAPIServer, message, subject=endpoint)


def judge_peer_review(peer: str, endpoint: str, key_id: str, *, authenticated: bool, error: str = "") -> Finding | None:
    """Return a finding when the TokenReview of `peer` rejects a token that `endpoint` has minted, else None (R15)."""
    if authenticated:
        return None
    said = f" ({shown(error)})" if error else ""
    message = f"{peer} refuses the token that {endpoint} has just minted with key {quoted(key_id)}{said}"
    return Finding.of(Reason.TokenRejectedByPeer, message, subject=peer)


_Found = Iterator[tuple[Reason, str, str | None]]


def _issuer(facts: TokenFacts, issuer_url: str) -> _Found:
    if facts.issuer != issuer_url:
        said = f"mints tokens of the issuer {shown(facts.issuer)}, not {shown(issuer_url)}"
        yield Reason.WrongIssuerInToken, said, None


def _signature(token: str, facts: TokenFacts, fetched_jwks: bytes | None) -> _Found:
    if fetched_jwks is None:
        return
    name = "without a kid" if facts.key_id is None else f"with the kid {quoted(facts.key_id)}"
    checked = check_signature(token, facts, fetched_jwks)
    if checked is SignatureCheck.KEY_NOT_SERVED:
        yield Reason.SigningKeyNotServed, f"signs with a key {name}, which is not served", None
    elif checked is SignatureCheck.OTHER_ALGORITHM:
        yield Reason.SignatureInvalid, f"signs with the algorithm {quoted(facts.algorithm)}", _hint_algorithm()
    elif checked is SignatureCheck.INVALID:
        yield (
            Reason.SignatureInvalid,
            f"signs with a key {name}, and the served key of that kid does not verify it",
            None,
        )


def _hint_algorithm() -> str:
    return f"Relying parties take {', '.join(sorted(ALGORITHMS))}: use another signing key."


def _audience(facts: TokenFacts, audience: str) -> _Found:
    if audience not in facts.audiences:
        given = ", ".join(shown(given) for given in facts.audiences) or "nobody"
        said = f"was asked for a token for {shown(audience)} and minted one for {given}"
        yield Reason.TokenRequestFailed, said, "Look for an admission webhook that changes TokenRequests."


def _times(facts: TokenFacts, now: datetime, clock_skew: timedelta) -> _Found:
    hint = "Compare the clocks of its node and of the operator's."
    if facts.expires_at is None or facts.issued_at is None:
        yield Reason.TokenRequestFailed, "mints tokens without iat or exp", "Look at its external signer."
    elif facts.issued_at > now + clock_skew:
        yield Reason.TokenRequestFailed, "mints tokens that are issued in the future", hint
    elif facts.expires_at <= now - clock_skew:
        yield Reason.TokenRequestFailed, "mints tokens that have expired", hint


def _served(jwks: bytes, key_id: str | None) -> dict[str, Any] | None:
    """Return the first served JWK with that kid, which is the one that most verifiers use."""
    try:
        members = key_members(jwks, max_bytes=BODY_LIMIT_BYTES)
    except DocumentInvalidError:
        return None
    return next((m for m in members if isinstance(m, dict) and key_id and m.get("kid") == key_id), None)


def _verified(token: str, member: dict[str, Any], algorithms: set[str], *, check_key_id: bool) -> bool:
    if member.get("kty") not in ("RSA", "EC"):  # "oct" would use a published value as a secret key
        return False
    try:
        # The set holds one key, because one bad key makes a set fail. It is a set, because only a set checks kid, use
        # and alg.
        keys = KeySet([_imported(json.dumps(member))])
        jws.deserialize_compact(token, keys if check_key_id else keys.keys[0], algorithms=list(algorithms))
    except (JoseError, ValueError, KeyError, TypeError):  # for bad members the base64 and curve code raises these
        return False
    return True


@functools.lru_cache(_KEYS_KEPT)
def _imported(member: str) -> Key:
    return JWKRegistry.import_key(json.loads(member))


def _decoded(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error as error:
        raise ValueError("not base64url") from error


def _facts(header: dict[str, Any], claims: dict[str, Any]) -> TokenFacts:
    audiences = claims.get("aud", [])
    return TokenFacts(
        key_id=_text_or_none(header.get("kid")),
        algorithm=_text_or_none(header.get("alg")) or "",
        issuer=_text_or_none(claims.get("iss")) or "",
        audiences=tuple(a for a in ([audiences] if isinstance(audiences, str) else audiences) if isinstance(a, str)),
        issued_at=_time(claims.get("iat")),
        expires_at=_time(claims.get("exp")),
    )


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _time(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return datetime.fromtimestamp(value, UTC)
