"""What a fresh token shows: minted by PyJWT, judged by joserfc against served bytes."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidc_publisher.documents import jwks_document
from oidc_publisher.errors import ClusterError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.keys import PublicKey
from oidc_publisher.probe import judge_lifetime, judge_review, judge_token, read_token, verifies
from tests.support.signingkeys import Kind, SigningKey, signing_key

ISSUER = "https://oidc.example.test/prod"
AUDIENCE = "sts.amazonaws.com"
ENDPOINT = "10.0.0.1:6443"
NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
KINDS: tuple[Kind, ...] = ("RSA-2048", "P-256", "P-384", "P-521")


def public(key: SigningKey, key_id: str | None = None) -> PublicKey:
    return PublicKey.from_pem(key.public_pem.decode(), key_id or key.kid)


def mint(key: SigningKey, *, header: dict[str, Any] | None = None, life_s: int = 600, **claims: Any) -> str:
    """Mint a token as kube-apiserver does; a claim or header member of None is left out."""
    issued = int(NOW.timestamp())
    payload = {
        "iss": ISSUER,
        "aud": [AUDIENCE],
        "sub": "system:serviceaccount:a:b",
        "iat": issued,
        "exp": issued + life_s,
    }
    payload = {name: value for name, value in {**payload, **claims}.items() if value is not None}
    members = {name: value for name, value in {"kid": key.kid, **(header or {})}.items() if value is not None}
    return jwt.encode(payload, key.private_pem, algorithm=key.algorithm, headers=members)


def judged(token: str, served: bytes | None, **changes: Any) -> tuple[Finding, ...]:
    settings: dict[str, Any] = {
        "endpoint": ENDPOINT,
        "fetched_jwks": served,
        "issuer_url": ISSUER,
        "audience": AUDIENCE,
        "now": NOW,
        "clock_skew": dt.timedelta(minutes=5),
    }
    return judge_token(token, **{**settings, **changes})


def reasons(findings: tuple[Finding, ...]) -> list[Reason]:
    assert all(finding.subject == ENDPOINT and finding.message.startswith(ENDPOINT) for finding in findings)
    return [finding.reason for finding in findings]


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_token_of_every_kind_of_key_has_no_finding(kind: Kind) -> None:
    """ES384 and ES512 too, which joserfc refuses by default."""
    key, other = signing_key(kind, "a"), signing_key("P-256", "other")
    assert judged(mint(key), jwks_document([public(other), public(key)])) == ()


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_verifies_under_its_own_key_alone(kind: Kind) -> None:
    """R8: of several materials under one kid, the one that signed is found."""
    mine, other = signing_key(kind, "a"), signing_key(kind, "b")
    token = mint(mine, header={"kid": "shared"})
    assert verifies(token, public(mine, "shared"))
    assert not verifies(token, public(other, "shared"))
    assert all(not verifies(token, public(signing_key(k, "c"), "shared")) for k in KINDS)


def test_the_facts_are_read_without_verification() -> None:
    """Header and claims as they stand."""
    key = signing_key("P-256")
    facts = read_token(mint(key))
    assert (facts.key_id, facts.algorithm, facts.issuer) == (key.kid, "ES256", ISSUER)
    assert facts.audiences == (AUDIENCE,)
    assert (facts.issued_at, facts.expires_at) == (NOW, NOW + dt.timedelta(minutes=10))
    assert read_token(mint(key, aud="one", iat=None, exp=None)).audiences == ("one",)


def test_a_wrong_issuer_names_both_strings() -> None:
    """A trailing slash is a different issuer."""
    key = signing_key("P-256")
    findings = judged(mint(key, iss=f"{ISSUER}/"), jwks_document([public(key)]))
    assert reasons(findings) == [Reason.WrongIssuerInToken]
    assert f'"{ISSUER}/", not "{ISSUER}"' in findings[0].message
    # Where ours is the second --service-account-issuer, "set it" is what the admin has done.
    assert "make this one the first" in findings[0].advice


def test_a_key_that_is_not_served_is_named() -> None:
    """The prime failure of a rotation by hand."""
    key = signing_key("P-256")
    findings = judged(mint(key), jwks_document([public(signing_key("P-256", "other"))]))
    assert reasons(findings) == [Reason.SigningKeyNotServed]
    assert key.kid in findings[0].message


SERVED: dict[str, bytes] = {
    "nothing": b"",
    "an error page": b"<html></html>",
    "no keys": b'{"keys":[]}',
    "no objects": b'{"keys":[1,null,[]]}',
    "a BOM": b"\xef\xbb\xbf" + jwks_document([public(signing_key("P-256"))]),
}


@pytest.mark.parametrize("name", SERVED)
def test_bytes_without_the_key_do_not_serve_it(name: str) -> None:
    """What strict readers refuse holds no key."""
    assert reasons(judged(mint(signing_key("P-256")), SERVED[name])) == [Reason.SigningKeyNotServed]


def test_without_fetched_bytes_nothing_is_said_about_the_signature() -> None:
    """That nothing was fetched is a finding of its own."""
    assert judged(mint(signing_key("P-256")), None) == ()
    assert reasons(judged(mint(signing_key("P-256"), iss="x"), None)) == [Reason.WrongIssuerInToken]


def changed(**members: Any) -> bytes:
    """Return the served key set with members of its one key changed, or removed by None."""
    key = json.loads(jwks_document([public(signing_key("P-256"))]))["keys"][0]
    return json.dumps({"keys": [{name: v for name, v in {**key, **members}.items() if v is not None}]}).encode()


OTHER = json.loads(jwks_document([public(signing_key("P-256", "other"))]))["keys"][0]
BAD_MEMBERS: dict[str, dict[str, Any]] = {
    "another key's material": {"x": OTHER["x"], "y": OTHER["y"]},
    "a point off its curve": {"y": OTHER["y"]},
    "an unknown curve": {"crv": "P-224"},
    "an unknown key type": {"kty": "AKP"},
    "no coordinates": {"x": None},
    "a number for a coordinate": {"x": 5},
    "padded base64": {"x": "AAAA===="},
    "not base64": {"x": "!"},
    "no key type": {"kty": None},
    "a list for a key type": {"kty": []},
    "another algorithm": {"alg": "ES384"},
    "a key for encryption": {"use": "enc"},
    "a symmetric key": {"kty": "oct", "k": "AAAA", "alg": None},
}


@pytest.mark.parametrize("name", BAD_MEMBERS)
def test_a_served_key_that_does_not_verify_is_a_bad_signature(name: str) -> None:
    """Whatever is wrong with it, and whatever joserfc raises for it."""
    assert reasons(judged(mint(signing_key("P-256")), changed(**BAD_MEMBERS[name]))) == [Reason.SignatureInvalid]


def test_one_bad_key_beside_does_not_spoil_the_good_one() -> None:
    """KeySetInvalid reports it; this is about the token."""
    keys = json.loads(jwks_document([public(signing_key("P-256"))]))["keys"]
    served = json.dumps({"keys": [{**OTHER, "crv": "P-224"}, {"kty": "AKP", "kid": "pq"}, *keys]}).encode()
    assert judged(mint(signing_key("P-256")), served) == ()


def test_the_served_bytes_count_and_not_the_ledger() -> None:
    """The first key of a kid is what most verifiers take."""
    good = json.loads(jwks_document([public(signing_key("P-256"))]))["keys"][0]
    impostor = {**OTHER, "kid": good["kid"]}
    token = mint(signing_key("P-256"))
    assert judged(token, json.dumps({"keys": [good, impostor]}).encode()) == ()
    assert reasons(judged(token, json.dumps({"keys": [impostor, good]}).encode())) == [Reason.SignatureInvalid]


def test_a_token_with_an_algorithm_of_its_own_choice_is_refused() -> None:
    """The public key as an HMAC secret, and no signature at all."""
    key = signing_key("P-256")
    served = jwks_document([public(key)])
    header, payload, _ = mint(key).split(".")
    none = jwt.encode({"iss": ISSUER, "aud": [AUDIENCE]}, "", algorithm="none", headers={"kid": key.kid})
    secret = jwt.encode(read_claims(payload), "0" * 32, algorithm="HS256", headers={"kid": key.kid})
    assert Reason.SignatureInvalid in reasons(judged(none, served))
    assert reasons(judged(secret, served)) == [Reason.SignatureInvalid]
    assert reasons(judged(f"{header}.{payload}.", served)) == [Reason.SignatureInvalid]
    assert not verifies(none, public(key))
    assert not verifies(secret, public(key))


def read_claims(payload: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(jwt.utils.base64url_decode(payload))
    return claims


def test_a_token_without_a_kid_is_signed_by_a_key_that_is_not_served() -> None:
    """Relying parties choose the key by kid."""
    findings = judged(mint(signing_key("P-256"), header={"kid": None}), jwks_document([public(signing_key("P-256"))]))
    assert reasons(findings) == [Reason.SigningKeyNotServed]
    assert "without a kid" in findings[0].message


LIVES: dict[str, tuple[int, str]] = {
    "a second less": (86399, ""),
    "one day": (86400, ""),
    "a minute more": (86460, "24h1m"),
    "a year": (365 * 86400, "365 days"),
    "what kube-apiserver grants without a maximum": (2**32, "1193046h28m16s"),
}


@pytest.mark.parametrize("name", LIVES)
def test_a_life_beyond_the_policy_is_reported(name: str) -> None:
    """Such tokens outlive their key."""
    seconds, said = LIVES[name]
    token = mint(signing_key("P-256"), life_s=seconds)
    finding = judge_lifetime(token, endpoint=ENDPOINT, max_token_lifetime=dt.timedelta(hours=24))
    if not said:
        assert finding is None
        return
    assert finding is not None
    assert (finding.reason, finding.subject) == (Reason.TokenOutlivesPolicy, ENDPOINT)
    sentence = f"grants tokens that live longer than rotation.maxTokenLifetime (24h): it granted one of {said}"
    assert finding.message == f"{ENDPOINT} {sentence}."
    assert finding.advice.startswith("Set ")


def test_a_life_that_nobody_states_is_left_to_the_proof() -> None:
    """No JWT, or one without times: the tokens of the proof say so themselves."""
    for token in ("nonsense", mint(signing_key("P-256"), exp=None), mint(signing_key("P-256"), iat=None)):
        assert judge_lifetime(token, endpoint=ENDPOINT, max_token_lifetime=dt.timedelta(hours=24)) is None


TIMES: dict[str, tuple[dict[str, Any], str]] = {
    "issued in the future": ({"iat": int(NOW.timestamp()) + 301, "exp": int(NOW.timestamp()) + 900}, "in the future"),
    "expired": ({"iat": int(NOW.timestamp()) - 900, "exp": int(NOW.timestamp()) - 300}, "have expired"),
    "without exp": ({"exp": None}, "without iat or exp"),
    "without iat": ({"iat": None}, "without iat or exp"),
    "iat true": ({"iat": True}, "without iat or exp"),
}


@pytest.mark.parametrize("name", TIMES)
def test_a_token_that_is_not_valid_now_says_nothing_about_the_issuer(name: str) -> None:
    """Whose clock is off is not to be told from here: Unknown, not False."""
    claims, said = TIMES[name]
    key = signing_key("P-256")
    findings = judged(mint(key, **claims), jwks_document([public(key)]))
    assert reasons(findings) == [Reason.TokenRequestFailed]
    assert findings[0].unknown
    assert said in findings[0].message


def test_a_token_for_another_audience_is_not_the_one_asked_for() -> None:
    """Something between changed the request."""
    key = signing_key("P-256")
    assert reasons(judged(mint(key, aud=["vault"]), jwks_document([public(key)]))) == [Reason.TokenRequestFailed]


NO_TOKENS = [
    "",
    "a",
    "a.b",
    "..",
    "a.b.c",
    "e30.e30",
    "e30.W10.",
    "e30.e30.e30.e30",
    "é.e30.",
    "!!.!!.!!",
    "eyJhIjoxfQ.MQ.",
]


@pytest.mark.parametrize("token", NO_TOKENS)
def test_what_is_no_token_is_said_to_be_none(token: str) -> None:
    """And never repeated: it might be one after all."""
    with pytest.raises(ClusterError) as caught:
        read_token(token)
    assert caught.value.reason is Reason.TokenRequestFailed
    assert [f.reason for f in judged(token, b"")] == [Reason.TokenRequestFailed]
    assert not verifies(token, public(signing_key("P-256")))


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=.é", max_size=120))
def test_no_text_breaks_the_reader(text: str) -> None:
    """It is read or refused, and no foreign error comes out."""
    with contextlib.suppress(ClusterError):
        read_token(text)


def test_a_rejected_token_is_a_finding_of_its_own() -> None:
    """The public half of the signing key lacks in the key files."""
    assert judge_review(ENDPOINT, authenticated=True) is None
    finding = judge_review(ENDPOINT, authenticated=False, error="invalid bearer token")
    assert finding is not None
    assert (finding.reason, finding.subject, finding.stalled) == (Reason.TokenRejectedByAPIServer, ENDPOINT, True)
    assert '("invalid bearer token")' in finding.message


def test_a_cached_key_verifies_only_with_its_own_material() -> None:
    """Keys are imported once and kept, and two of one key ID differ in their material alone."""
    mine, other = signing_key("RSA-2048", "a"), signing_key("RSA-2048", "b")
    for _ in range(2):
        assert verifies(mint(mine), public(mine, "shared"))
        assert not verifies(mint(mine), public(other, "shared"))
