"""Faults of the key set: what it holds, and what it lacks."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from oidc_publisher.findings import Reason
from tests.gallery.answers import Answer, Change, body
from tests.gallery.case import Case, Fault, Verdict
from tests.gallery.material import Member, beside, certificate_of, jwk, key_set, octets, p224_jwk, text

_NOBODY_CAN_TELL: frozenset[Reason] = frozenset()
_RULE = frozenset({Reason.RelyingPartyRuleBroken})
_ED25519 = {"use": "sig", "kty": "OKP", "kid": "ed", "alg": "EdDSA", "crv": "Ed25519", "x": text(bytes(range(32)))}
_POST_QUANTUM = {"use": "sig", "kty": "AKP", "kid": "pq", "alg": "ML-DSA-44", "pub": text(bytes(1312))}
_SYMMETRIC = {"use": "sig", "kty": "oct", "kid": "secret", "alg": "HS256", "k": text(bytes(range(32)))}
_KID_OF_2_KB = "k" * 2048


def _case(name: str, broken: str, *changes: Change, **more: Any) -> Case:
    return Case(name, broken, _serving(*changes), **{"reason": Reason.KeySetInvalid, **more})


def _serving(*changes: Change) -> Fault:
    return lambda place: place.change(jwks=changes)


def _first_key(change: Callable[[Member], Member]) -> Change:
    """Change the key that signs the tokens."""
    return key_set(lambda found: [change(found[0]), *found[1:]])


def _second_key(change: Callable[[Member], Member]) -> Change:
    return key_set(lambda found: [found[0], change(found[1]), *found[2:]])


def _extra(make: Callable[[], Member]) -> Change:
    """Serve one member more, made when it is needed."""

    def change(answer: Answer) -> Answer:
        return beside(make())(answer)

    return change


def _same(answer: Any) -> Any:
    return answer


def _off_curve() -> Member:
    member = jwk("P-256", "off-curve", kid="off-curve")
    return {**member, "y": text(bytes([octets(member["y"])[0] ^ 1]) + octets(member["y"])[1:])}


def _private() -> Member:
    return jwk("P-256", "leaked", kid="leaked", d=text(bytes(range(1, 33))))


def _without(member: Member, name: str) -> Member:
    return {key: value for key, value in member.items() if key != name}


def _padded(member: Member) -> Member:
    return {**member, "n": base64.urlsafe_b64encode(octets(member["n"])).decode()}


def _certified(member: Member, other: Member) -> Member:
    """Add the certificate of a key, as Microsoft and GitHub have one beside each of theirs."""
    return {**member, "x5c": [base64.b64encode(certificate_of(other)).decode()]}


def _other_first(found: list[Member]) -> list[Member]:
    """Put another key with the kid of the signing key before it."""
    return [jwk("RSA-2048", "other", kid=found[0]["kid"]), *found]


CASES = (
    _case("keys-missing", "the document has no member keys", body(lambda _: b"{}"), reason=Reason.DocumentInvalid),
    _case("keys-not-a-list", "keys is an object", body(lambda _: b'{"keys": {}}'), reason=Reason.DocumentInvalid),
    _case("set-empty", "the key set is empty", key_set(lambda _: [])),
    _case("kid-missing", "one key has no kid", _extra(lambda: _without(jwk("P-256", "no-kid"), "kid"))),
    _case("kid-empty", "one key has an empty kid", _extra(lambda: jwk("P-256", "empty-kid", kid=""))),
    _case("kid-a-number", "one kid is a number", _extra(lambda: jwk("P-256", "number", kid=7))),
    _case("kid-2-kb", "one kid has 2,048 characters", _extra(lambda: jwk("P-256", "long-kid", kid=_KID_OF_2_KB))),
    _case("key-twice", "the signing key is in the set twice", key_set(lambda found: [found[0], *found])),
    _case(
        "kid-twice",
        "another key has the kid of the signing key, and stands before it",
        key_set(_other_first),
    ),
    _case(
        "material-changed",
        "the kid of the signing key leads to another key",
        _first_key(lambda m: jwk("RSA-2048", "other", kid=m["kid"])),
        also=frozenset({Reason.StaleCopy}),
        without_plan=frozenset({Reason.KeySetInvalid}),
    ),
    _case("ed25519", "one key is Ed25519 (kty OKP)", beside(_ED25519), verdict=Verdict.WARNED),
    _case("post-quantum", "one key is ML-DSA (kty AKP)", beside(_POST_QUANTUM), also=_RULE),
    _case(
        "kty-missing",
        "one key has no kty",
        _extra(lambda: _without(jwk("P-256", "no-kty", kid="no-kty"), "kty")),
        also=_RULE,
    ),
    _case("p-224", "one key is on the curve P-224", _extra(p224_jwk), also=_RULE),
    _case("off-curve", "one key is a point off its curve", _extra(_off_curve)),
    _case("base64-padded", "the modulus of the signing key is padded base64", _first_key(_padded)),
    _case(
        "base64-standard",
        "one modulus is base64 with + and /",
        _extra(lambda: jwk("RSA-2048", "plus", kid="plus", n="+/" * 171)),
    ),
    _case(
        "leading-zero",
        "the modulus of the signing key begins with a zero byte",
        _first_key(lambda m: {**m, "n": text(b"\0" + octets(m["n"]))}),
        verdict=Verdict.WARNED,
    ),
    _case(
        "coordinate-long",
        "a coordinate of the EC key has one byte too many",
        _second_key(lambda m: {**m, "x": text(b"\0" + octets(m["x"]))}),
        signer=1,
    ),
    _case("private-members", "one key comes with its private half", _extra(_private)),
    _case("symmetric", "one key is a shared secret (kty oct)", beside(_SYMMETRIC)),
    _case(
        "x5c", "the signing key has a certificate in x5c that is none", _first_key(lambda m: {**m, "x5c": ["bm9uZQ=="]})
    ),
    _case(
        "member-unknown",
        "the signing key has a member that no standard knows",
        _first_key(lambda m: {**m, "rotated": "yesterday"}),
        verdict=Verdict.WARNED,
    ),
    _case(
        "x5c-of-another",
        "the signing key has another key's certificate in x5c",
        _first_key(lambda m: _certified(m, jwk("RSA-2048", "other"))),
    ),
    _case(
        "x5c-right",
        "the signing key has its own certificate in x5c",
        _first_key(lambda m: _certified(m, m)),
        verdict=Verdict.WARNED,
    ),
    _case(
        "use-enc",
        "one key is for encryption",
        _extra(lambda: jwk("RSA-2048", "enc", kid="enc", use="enc")),
        verdict=Verdict.WARNED,
    ),
    _case(
        "alg-of-another-type",
        "the signing key states ES256 and is RSA",
        _first_key(lambda m: {**m, "alg": "ES256"}),
        also=frozenset({Reason.StaleCopy}),
        without_plan=frozenset({Reason.KeySetInvalid}),
    ),
    _case(
        "stale",
        "an older set is served, without the signing key",
        key_set(lambda found: found[1:]),
        reason=Reason.StaleCopy,
        without_plan=_NOBODY_CAN_TELL,
    ),
    _case(
        "alternating",
        "every second answer is an older set",
        _same,
        key_set(lambda found: found[1:]),
        reason=Reason.AnswersDisagree,
    ),
    _case(
        "another-cluster",
        "the set of another cluster is served",
        key_set(lambda _: [jwk("RSA-2048", "another"), jwk("P-256", "another")]),
        reason=Reason.DifferentKeysServed,
        without_plan=_NOBODY_CAN_TELL,
    ),
    _case(
        "key-of-a-stranger",
        "a stranger's key is in the set",
        _extra(lambda: jwk("RSA-2048", "stranger")),
        reason=Reason.DifferentKeysServed,
        without_plan=_NOBODY_CAN_TELL,
    ),
)
