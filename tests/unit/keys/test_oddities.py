"""What every verifier overlooks in a key set is no reason to refuse an issuer; what makes one of them drop it is."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from oidc_publisher.documents import read_jwks_document
from tests.gallery.material import Member, certificate_of, jwk, text

KEY = jwk("RSA-2048", "odd")
OWN, OTHER = certificate_of(KEY), certificate_of(jwk("RSA-2048", "other"))
X5C = [base64.b64encode(OWN).decode()]
ED25519 = {"use": "sig", "kty": "OKP", "kid": "ed", "alg": "EdDSA", "crv": "Ed25519", "x": text(bytes(32))}


def digest(algorithm: str, certificate: bytes) -> str:
    return text(hashlib.new(algorithm, certificate).digest())


def changed(old: str, new: str) -> str:
    """Return the key's own certificate with other bytes, in base64."""
    return base64.b64encode(OWN.replace(bytes.fromhex(old), bytes.fromhex(new), 1)).decode()


#: A member of a key set, and whether every verifier overlooks what is odd in it.
CASES: dict[str, tuple[Member, bool]] = {
    "a member of nobody's": ({**KEY, "rotated": "yesterday"}, True),
    "the issuer, as Microsoft has it": ({**KEY, "issuer": "https://login.example.test"}, True),
    "its own certificate": ({**KEY, "x5c": X5C}, True),
    "a chain": ({**KEY, "x5c": [*X5C, base64.b64encode(OTHER).decode()]}, True),
    "another key's certificate": ({**KEY, "x5c": [base64.b64encode(OTHER).decode()]}, False),
    "no certificate": ({**KEY, "x5c": ["bm9uZQ=="]}, False),
    "a certificate in base64url": ({**KEY, "x5c": [text(OWN)]}, False),
    "a certificate for a key of an unknown type": (
        {**KEY, "x5c": [changed("2a864886f70d010101", "2a864886f70d010163")]},
        False,
    ),
    "a certificate of an unknown version": ({**KEY, "x5c": [changed("a003020102", "a003020107")]}, False),
    "an empty chain": ({**KEY, "x5c": []}, False),
    "a chain of numbers": ({**KEY, "x5c": [1]}, False),
    "certificate and digests": (
        {**KEY, "x5c": X5C, "x5t": digest("sha1", OWN), "x5t#S256": digest("sha256", OWN)},
        True,
    ),
    "a digest of another certificate": ({**KEY, "x5c": X5C, "x5t": digest("sha1", OTHER)}, False),
    "a digest without a certificate": ({**KEY, "x5t": digest("sha1", OTHER)}, True),
    "a digest of the wrong size": ({**KEY, "x5t": digest("sha256", OWN)}, False),
    "a digest that is none": ({**KEY, "x5t": "?"}, False),
    "a digest that is a number": ({**KEY, "x5t": 7}, False),
    "key_ops": ({**KEY, "key_ops": ["verify"]}, True),
    "key_ops for something else": ({**KEY, "key_ops": ["encrypt"]}, False),
    "key_ops as a text": ({**KEY, "key_ops": "verify"}, False),
    "a private member in capitals": ({**KEY, "D": "AQAB"}, False),
    "a URL of a certificate": ({**KEY, "x5u": "https://ca.example.test"}, False),
    "a key for encryption": ({**KEY, "use": "enc", "alg": "RSA-OAEP"}, True),
    "an unsound key for encryption": ({**KEY, "use": "enc", "n": "AQAB"}, False),
    "a padded key for encryption": ({**KEY, "use": "enc", "n": KEY["n"] + "=="}, False),
    "Ed25519": (ED25519, True),
    "Ed25519 with a private half": ({**ED25519, "d": text(bytes(32))}, False),
    "Ed25519 of 31 bytes": ({**ED25519, "x": text(bytes(31))}, False),
    "Ed25519 without a kid": ({name: value for name, value in ED25519.items() if name != "kid"}, False),
    "X25519": ({**ED25519, "crv": "X25519"}, False),
    "a type nobody knows": ({"kty": "AKP", "kid": "pq"}, False),
}


@pytest.mark.parametrize("name", CASES)
def test_an_oddity_is_told_from_a_flaw(name: str) -> None:
    """Each is named; only a flaw makes a verifier drop the key or the set."""
    member, overlooked = CASES[name]
    found = defects(member)
    assert found
    assert all(defect.overlooked for defect in found) is overlooked


def test_an_oddity_beside_a_flaw_is_no_excuse() -> None:
    """Both are named."""
    both = defects({**KEY, "rotated": "yesterday", "x5c": []})
    assert [defect.overlooked for defect in both] == [False, True]


def defects(member: Member) -> tuple[Any, ...]:
    return read_jwks_document(json.dumps({"keys": [member]}).encode()).defects
