"""The published key set: written, judged, and used by independent verifiers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import jwt as pyjwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from oidc_publisher.documents import digest, jwks_document, read_jwks_document
from oidc_publisher.errors import DocumentInvalidError, KeyRefusedError
from oidc_publisher.findings import Reason
from oidc_publisher.keys import PublicKey
from tests.support.signingkeys import KINDS, Kind, signing_key

VECTORS = Path(__file__).parents[2] / "vectors" / "documents"
CASES: dict[str, dict[str, Any]] = json.loads((VECTORS / "cases.json").read_text())
REFUSED = [name for name, case in CASES.items() if name.startswith("jwks-") and "error" in case]
JUDGED = [name for name, case in CASES.items() if name.startswith("jwks-") and "defects" in case]


SOUND = json.loads(jwks_document([PublicKey.from_pem(signing_key(kind, "a").public_pem.decode()) for kind in KINDS]))
VALUES = st.one_of(
    st.sampled_from(sorted({value for member in SOUND["keys"] for value in member.values()})),
    st.none() | st.integers() | st.text("AB-_=+ é", max_size=8) | st.lists(st.none(), max_size=1),
)


def public(kind: Kind, name: str = "a", key_id: str | None = None) -> PublicKey:
    return PublicKey.from_pem(signing_key(kind, name).public_pem.decode(), key_id)


ALL = tuple(public(kind) for kind in KINDS)


def test_every_vector_has_a_case() -> None:
    """No file of the folder is left untested."""
    assert {path.name for path in VECTORS.iterdir()} - {"cases.json"} == set(CASES)
    assert set(REFUSED) | set(JUDGED) == {name for name in CASES if name.startswith("jwks-")}


@pytest.mark.parametrize("name", REFUSED)
def test_bytes_that_are_no_key_set_are_refused(name: str) -> None:
    """Each file is refused as a whole for the defect that it is named for."""
    with pytest.raises(DocumentInvalidError) as caught:
        read_jwks_document((VECTORS / name).read_bytes())
    assert caught.value.reason is Reason.DocumentInvalid
    assert CASES[name]["error"] in caught.value.message


@pytest.mark.parametrize("name", JUDGED)
def test_a_key_set_is_judged_member_by_member(name: str) -> None:
    """Each defect is named and the usable keys are listed all the same."""
    judged = read_jwks_document((VECTORS / name).read_bytes())
    assert [key.key_id for key in judged.keys] == CASES[name]["keys"]
    assert {defect.reason for defect in judged.defects} <= {Reason.KeySetInvalid}
    assert len(judged.defects) == len(CASES[name]["defects"])
    for defect, words in zip(judged.defects, CASES[name]["defects"], strict=True):
        assert words in defect.detail


@settings(deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(["kty", "kid", "n", "e", "crv", "x", "y", "use", "alg", "d"]), VALUES),
        max_size=3,
    )
)
def test_whatever_the_members_are_one_judgement_comes_out(members: list[dict[str, Any]]) -> None:
    """Nothing foreign escapes, and each member is a usable key or a defect."""
    judged = read_jwks_document(json.dumps({"keys": members}).encode())
    assert len(judged.keys) + len(judged.defects) >= len(members)


def test_what_is_written_is_read_without_a_defect() -> None:
    """The strictest judge has nothing to say against our own sets."""
    judged = read_jwks_document(jwks_document(ALL))
    assert (judged.keys, judged.defects) == (ALL, ())


def test_equal_keys_give_equal_bytes() -> None:
    """The order given is the order written, and nothing but the keys goes in."""
    again = tuple(PublicKey.from_spki(bytes(key.spki), str(key.key_id)) for key in ALL)
    assert jwks_document(again) == jwks_document(ALL)
    assert jwks_document(ALL[::-1]) != jwks_document(ALL)


def test_a_person_can_read_it_and_nobody_needs_unicode() -> None:
    """One key on a line, ASCII, a final newline."""
    body = jwks_document([public("P-256", key_id="schl\u00fcssel"), public("P-384")])
    lines = body.decode("ascii").splitlines()
    assert (lines[0], len(lines), lines[-1]) == ('{"keys":[', 4, "]}")
    assert body.endswith(b"\n")
    assert read_jwks_document(body).keys[0].key_id == "schl\u00fcssel"


def test_a_hundred_rsa_keys_fit_below_the_least_limit() -> None:
    """Nimbus and Spring read 51,200 bytes; AWS takes 100 keys of a type."""
    key = public("RSA-2048")
    hundred = [PublicKey(hashlib.sha256(bytes([n])).hexdigest()[:43], key.algorithm, key.spki) for n in range(100)]
    assert len(jwks_document(hundred)) < 51_200


def test_an_empty_set_is_never_made() -> None:
    """R6: the set never becomes empty."""
    with pytest.raises(KeyRefusedError) as caught:
        jwks_document([])
    assert caught.value.reason is Reason.NoUsableKey


def test_a_digest_is_what_sha256sum_says() -> None:
    """The digest in status can be checked with curl and sha256sum."""
    assert digest(b"abc") == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("published", [ALL, ALL[::-1]], ids=["first", "last"])
def test_independent_verifiers_accept_a_token(kind: Kind, published: tuple[PublicKey, ...]) -> None:
    """Both joserfc and PyJWT parse the set, find the key by kid and verify a real signature, each by its own code."""
    pair = signing_key(kind, "a")
    claims = {"iss": "https://issuer.example", "sub": "system:serviceaccount:default:probe"}
    token = pyjwt.encode(claims, pair.private_pem, algorithm=pair.algorithm, headers={"kid": pair.kid})
    document = json.loads(jwks_document(published))

    by_joserfc = joserfc_jwt.decode(token, KeySet.import_key_set(document), algorithms=[pair.algorithm])
    assert by_joserfc.claims == claims
    by_pyjwt = pyjwt.PyJWKSet.from_dict(document)[pair.kid]
    assert by_pyjwt.algorithm_name == pair.algorithm
    assert pyjwt.decode(token, by_pyjwt, algorithms=[pair.algorithm]) == claims


@pytest.mark.parametrize("kind", [pytest.param(k, marks=[pytest.mark.slow] * (k == "RSA-4096")) for k in KINDS])
def test_independent_verifiers_refuse_another_keys_token(kind: Kind) -> None:
    """The cross-check can fail: the same kid with other material verifies nothing."""
    pair, other = signing_key(kind, "a"), public(kind, "b", signing_key(kind, "a").kid)
    token = pyjwt.encode({"sub": "x"}, pair.private_pem, algorithm=pair.algorithm, headers={"kid": pair.kid})
    jwk = json.loads(jwks_document([other]))["keys"][0]
    with pytest.raises(pyjwt.InvalidSignatureError):
        pyjwt.decode(token, pyjwt.PyJWK(jwk), algorithms=[pair.algorithm])


@pytest.mark.parametrize("kind", KINDS)
def test_joserfc_writes_the_same_numbers(kind: Kind) -> None:
    """An independent writer encodes n, e, x and y as we do."""
    (ours,) = json.loads(jwks_document([public(kind)]))["keys"]
    theirs = (RSAKey if ours["kty"] == "RSA" else ECKey).import_key(signing_key(kind, "a").public_pem).as_dict()
    assert {name: theirs[name] for name in ("kty", "n", "e", "crv", "x", "y") if name in theirs} == {
        name: ours[name] for name in ("kty", "n", "e", "crv", "x", "y") if name in ours
    }
