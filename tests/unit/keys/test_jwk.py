"""JWKs: written, read, and read by others."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from oidc_publisher.errors import KeyRefusedError
from oidc_publisher.findings import Reason
from oidc_publisher.keys import EntryReading, PublicKey, read_cluster_jwks, to_jwk
from oidc_publisher.keys.jwk import read_jwk
from tests.support.examples import about
from tests.support.signingkeys import KINDS, Kind, signing_key

VECTORS = Path(__file__).parents[2] / "vectors" / "documents"
CASES: dict[str, dict[str, Any]] = {
    name: case for name, case in json.loads((VECTORS / "cases.json").read_text()).items() if "cluster" in case
}

# RFC 7517, appendix A.1: the RSA key, whose RFC 7638 thumbprint is RFC 7638's own example (section 3.1).
RFC7638_THUMBPRINT = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
RFC7517_RSA = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj"
    "hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajr"
    "n1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}
# RFC 7515, appendix A.3: ES256.
RFC7515_EC = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    "kid": "a3",
}


def public(kind: Kind, name: str = "a", key_id: str | None = None) -> PublicKey:
    return PublicKey.from_pem(signing_key(kind, name).public_pem.decode(), key_id)


@pytest.mark.parametrize("kind", KINDS)
def test_a_jwk_has_these_members_in_this_order(kind: Kind) -> None:
    """Equal keys give equal bytes, and GCP refuses members beyond these."""
    numbers = ["n", "e"] if kind.startswith("RSA") else ["crv", "x", "y"]
    jwk = to_jwk(public(kind))
    assert list(jwk) == ["use", "kty", "kid", "alg", *numbers]
    assert (jwk["use"], jwk["kid"], jwk["alg"]) == ("sig", signing_key(kind, "a").kid, signing_key(kind, "a").algorithm)


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_goes_round(kind: Kind) -> None:
    """What is written is what is read, with nothing to say against it."""
    reading = read_jwk(to_jwk(public(kind, key_id="name")))
    assert (reading.key, reading.flaws) == (public(kind, key_id="name"), ())


@pytest.mark.parametrize("jwk", [RFC7517_RSA, RFC7515_EC], ids=["RFC 7517 A.1", "RFC 7515 A.3"])
def test_the_rfcs_keys_go_round(jwk: dict[str, str]) -> None:
    """Their authors' encoding is ours."""
    written = to_jwk(read_jwk(jwk).key)
    assert {name: written[name] for name in jwk} == jwk


@about(60)
@given(st.sampled_from([ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()]), st.integers(1, 2**255))
def test_coordinates_have_their_full_width(curve: ec.EllipticCurve, secret: int) -> None:
    """A coordinate keeps its leading zeros: P-521 has 66 bytes, half of which begin with one."""
    key = PublicKey.of(ec.derive_private_key(secret, curve).public_key())
    jwk = to_jwk(key)
    size = (curve.key_size + 7) // 8
    assert [len(base64.urlsafe_b64decode(jwk[name] + "==")) for name in "xy"] == [size, size]
    assert read_jwk(jwk).key == key


@about(30)
@given(st.integers(2**2047, 2**2048 - 1), st.sampled_from([3, 17, 65537, 2**31 - 1]))
def test_rsa_numbers_go_round(half: int, exponent: int) -> None:
    """Whatever the numbers, no octet is lost or added."""
    modulus = half | 1
    jwk = {"kty": "RSA", "kid": "k", "n": b64(modulus), "e": b64(exponent)}
    written = to_jwk(read_jwk(jwk).key)
    assert (written["n"], written["e"]) == (jwk["n"], jwk["e"])


def b64(number: int) -> str:
    octets = number.to_bytes((number.bit_length() + 7) // 8)
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def test_a_thumbprint_kid_must_match_its_material() -> None:
    """R8: the API server's thumbprint and RFC 7638's are both one; another key's is refused."""
    assert read_jwk(RFC7517_RSA | {"kid": RFC7638_THUMBPRINT}).key.key_id == RFC7638_THUMBPRINT
    own = read_jwk(RFC7517_RSA).key
    assert read_jwk(to_jwk(PublicKey.from_spki(own.spki))).key.spki == own.spki
    for jwk in (RFC7515_EC | {"kid": RFC7638_THUMBPRINT}, RFC7517_RSA | {"kid": signing_key("P-256", "a").kid}):
        with pytest.raises(KeyRefusedError) as caught:
            read_jwk(jwk)
        assert caught.value.reason is Reason.KeyMaterialChanged


@pytest.mark.parametrize("name", CASES)
def test_a_vector_as_the_api_server_serves_it(name: str) -> None:
    """Each broken key set gives its reason and keeps its good keys."""
    reading = read_cluster_jwks((VECTORS / name).read_bytes())
    assert [key.key_id for key in reading.keys] == CASES[name]["cluster_keys"]
    assert [defect.reason for defect in reading.defects] == CASES[name]["cluster"]


def test_the_clusters_set_is_read_in_its_order_with_its_kids() -> None:
    """Kids of an external signer are copied, whatever they are."""
    keys = [public("P-384", key_id="signer/7"), public("RSA-2048"), public("P-256", key_id="k" * 1024)]
    reading = read_cluster_jwks(json.dumps({"keys": [to_jwk(key) for key in (*keys, keys[0])]}).encode())
    assert reading == EntryReading(keys=tuple(keys))


def test_a_foreign_encoding_is_read_as_the_same_material() -> None:
    """Padding, leading zeros and short coordinates do not make another key."""
    key = public("RSA-2048")
    jwk = to_jwk(key)
    odd = jwk | {"n": base64.urlsafe_b64encode(b"\0" + base64.urlsafe_b64decode(jwk["n"] + "==")).decode()}
    assert odd["n"] != jwk["n"]
    assert read_cluster_jwks(json.dumps({"keys": [odd]}).encode()).keys == (key,)


def test_an_empty_set_is_empty() -> None:
    """`{"keys":[]}` names nothing and is no defect of any key: the source reports it (R4)."""
    assert read_cluster_jwks(b'{"keys":[]}').empty


def test_two_materials_under_one_kid_are_both_read() -> None:
    """R8 decides between them by a fresh token; a reader that dropped one would decide blindly."""
    both = (public("P-256", "a", "kid"), public("P-256", "b", "kid"))
    assert read_cluster_jwks(json.dumps({"keys": [to_jwk(key) for key in both]}).encode()).keys == both


def test_messages_about_foreign_values_are_short_and_printable() -> None:
    """A hostile set cannot fill the status or write control characters into it."""
    hostile = {"keys": [{"kty": "\u202e\n" + "x" * 9999, "kid": "\u0007" * 9999}]}
    (defect,) = read_cluster_jwks(json.dumps(hostile).encode()).defects
    assert len(defect.detail) < 600
    assert defect.detail.isascii()
    assert defect.detail.isprintable()
