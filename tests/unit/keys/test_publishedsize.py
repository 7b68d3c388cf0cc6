"""How many bytes a key takes in a published set, as R11 counts them: never too few, hardly too many."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from oidc_publisher.documents import jwks_document
from oidc_publisher.keys import PublicKey
from oidc_publisher.keys.jwk import published_size_bytes


def _rsa(bits: int, exponent: int = 65537) -> PublicKeyTypes:
    # A modulus of this size; nobody signs with it.
    return rsa.RSAPublicNumbers(exponent, (1 << bits) - 159).public_key()


MATERIALS: dict[str, PublicKeyTypes] = {
    "RSA-2048": _rsa(2048),
    "RSA-3072": _rsa(3072),
    "RSA-4096, e=3": _rsa(4096, 3),
    "RSA-16384": _rsa(16384, 2**31 - 1),
    **{
        curve.name: ec.generate_private_key(curve).public_key()
        for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())
    },
}


@pytest.mark.parametrize("kid", [None, "k", 'a "quoted" k\u00efd'], ids=["thumbprint", "short", "escaped"])
@pytest.mark.parametrize("material", MATERIALS.values(), ids=MATERIALS.keys())
def test_the_size_of_a_key_is_an_upper_bound_and_close(material: PublicKeyTypes, kid: str | None) -> None:
    """Measured against the bytes that are written: the set's frame has 14 bytes."""
    key = PublicKey.of(material, kid)
    written = len(jwks_document([key])) - 14
    assert written <= published_size_bytes(key) <= written + 16


def test_the_sum_is_an_upper_bound_of_the_whole_document() -> None:
    """With the separators between its lines."""
    keys = [PublicKey.of(MATERIALS["RSA-2048"], f"{number:043}") for number in range(100)]
    assert len(jwks_document(keys)) <= 14 + sum(map(published_size_bytes, keys)) <= 51_200, (
        "100 RSA-2048 keys have room"
    )
